//! `matchmaking`: how long players wait and how even their matches are. See [`matchkeep_benches::matchmaking`].

use std::process::ExitCode;

use matchkeep_benches::matchmaking;

fn main() -> ExitCode {
    matchmaking::main()
}
