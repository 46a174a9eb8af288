//! `load`: what a player costs the server, beside what raw UDP alone would cost. See
//! [`matchkeep_benches::load`].

use std::process::ExitCode;

use matchkeep_benches::heap::Counted;
use matchkeep_benches::load;

#[global_allocator]
static ALLOCATOR: Counted = Counted;

fn main() -> ExitCode {
    load::main()
}
