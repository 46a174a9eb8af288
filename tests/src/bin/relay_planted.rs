//! A server of the small game that has two builds: the one whose rules were changed.

use std::process::ExitCode;

use matchkeep_tests::relay::Relay;

fn main() -> ExitCode {
    matchkeep_server::run::<Relay<true>>()
}
