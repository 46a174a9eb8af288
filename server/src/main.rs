//! The binary `matchkeep`: the server with the arena.

use std::process::ExitCode;

use matchkeep_shared::arena::Arena;

fn main() -> ExitCode {
    matchkeep_server::run::<Arena>()
}
