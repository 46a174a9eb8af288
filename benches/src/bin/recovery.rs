//! `recovery`: how matches come back from a killed server. See [`matchkeep_benches::recovery`].

use std::process::ExitCode;

use matchkeep_benches::recovery;

fn main() -> ExitCode {
    recovery::main()
}
