//! Who a player is: by the word of the studio's identity provider, or by their own while a game is made.
//!
//! Owns: the provider's keys, what a token must say, and when it is believed. Must not know: sessions, sockets, the
//! store, and what time it is; time is an argument.
//!
//! What a token says of itself decides nothing: the algorithm, the issuer and the audience are the operator's
//! settings, and a key serves one algorithm alone.

mod account;
mod keys;
mod provider;
mod watching;

pub use account::{Account, AccountKey, Ban, Bar, Barred, Standing};
pub use keys::{Algorithm, KeysError, ProviderKeys};
pub use provider::{Identity, Provider, ProviderRules};
pub use watching::KeysUnusable;
pub(crate) use watching::watch;
