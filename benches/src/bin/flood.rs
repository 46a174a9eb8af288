//! `flood`: what a server with players does under attack. See [`matchkeep_benches::flood`].

use std::process::ExitCode;

use matchkeep_benches::flood;
use matchkeep_benches::heap::Counted;

#[global_allocator]
static ALLOCATOR: Counted = Counted;

fn main() -> ExitCode {
    flood::main()
}
