//! A server of the small game that has two builds: the sound one.

use std::process::ExitCode;

use matchkeep_tests::relay::Relay;

fn main() -> ExitCode {
    matchkeep_server::run::<Relay<false>>()
}
