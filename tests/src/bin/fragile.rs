//! A server of the game that dies when it is told to, for tests that need a process of their own.

use std::process::ExitCode;

use matchkeep_tests::fragile::Fragile;

fn main() -> ExitCode {
    matchkeep_server::run::<Fragile>()
}
