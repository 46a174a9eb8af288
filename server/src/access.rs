//! Who may use the admin interface: tokens with names and rights.
//!
//! Owns: what a right allows, how a token is made and known again, and who is let in. Must not know: HTTP,
//! where tokens are stored, clocks (`now` is an argument).
//!
//! * [`Secret`] is what its owner shows; it is random, and nobody keeps it here.
//! * [`Token`] is what is kept of it: a name, a right, a hash.
//! * [`Keyring`] is all that are kept, and decides.

mod keyring;
mod right;
mod secret;
mod token;

pub use keyring::{Caller, Denied, Keyring};
pub use right::{Right, RightUnknown};
pub use secret::{NoRandomness, Secret, TokenHash};
pub use token::{COMMAND_LINE, LOOPBACK, NameUnfit, Token, check_name};
