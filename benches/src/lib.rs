//! What the benchmarks share: scripted play, a match in memory, and the parts of the programs `flood`, `load`,
//! `matchmaking` and `recovery`.
//!
//! A benchmark asserts its result as well as timing it: what it plays is played twice first, and both
//! must come to the same bits.

pub mod flood;
pub mod heap;
pub mod load;
pub mod machine;
pub mod matchmaking;
pub mod metronome;
pub mod play;
pub mod program;
pub mod recovery;
pub mod rehearsal;
