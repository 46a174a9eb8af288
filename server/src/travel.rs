//! Time travel: a match played again from its journal, to any of its ticks, by this build's rules.
//!
//! Owns: going from stored records to the match at a tick, what is looked at there, and the proof that
//! all that was stored is what the match comes to. Must not know: where records lie, clocks, processes,
//! who asks.
//!
//! * [`Playback`]: records in, ticks out. Everything else here is made of it.
//! * [`at()`]: the match at one tick, from the nearest checkpoint before it.
//! * [`verify()`]: every stored hash, checkpoint and result against what the match comes to.
//! * [`view()`], [`select()`], [`diff()`]: a match as JSON, a field of it, and what differs between two.
//! * [`pictures()`]: a match as a person watches it, tick by tick.
//! * [`Story`]: a match as lines of JSON, for other programs.

mod diff;
mod error;
mod picture;
mod playback;
mod seek;
mod select;
mod story;
mod verify;
mod view;

pub(crate) use diff::plain;
pub use diff::{Change, diff};
pub use error::TravelError;
pub use picture::{Picture, picture, pictures};
pub use playback::{Checked, Playback, Rules};
pub use seek::{Span, at, play, play_from, span};
pub use select::{NoSuchField, select};
pub use story::{Story, StoryCounts};
pub use verify::{Problem, Verdict, verify};
pub use view::{view, view_state};
