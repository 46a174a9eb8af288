//! A token as its owner shows it, and the hash by which it is known again.

use std::fmt;

use ring::digest;
use ring::rand::{SecureRandom, SystemRandom};
use subtle::{Choice, ConstantTimeEq};

use crate::identity::hex;

/// How every token begins, so that one that lies where it should not is found by its looks.
const PREFIX: &str = "mkt_";
/// Random bytes of a token.
const RANDOM_BYTES: usize = 32;

/// A token as its owner shows it. It is told once; no `Debug` and no log has it.
pub struct Secret(String);

/// The system gave no random numbers.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the system gave no random numbers: no token was made")]
pub struct NoRandomness;

impl Secret {
    /// A new one, of 256 random bits.
    ///
    /// # Errors
    /// [`NoRandomness`].
    pub fn random() -> Result<Self, NoRandomness> {
        let mut bytes = [0; RANDOM_BYTES];
        SystemRandom::new().fill(&mut bytes).map_err(|_| NoRandomness)?;
        Ok(Self(PREFIX.to_owned() + &hex(&bytes)))
    }

    /// The token, for its owner.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// What is kept of it.
    pub fn hash(&self) -> TokenHash {
        TokenHash::of(&self.0)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// SHA-256 of a token. A token is random and long, so there is nothing to guess that a slow hash would
/// guard.
#[derive(Clone, Copy)]
pub struct TokenHash(pub [u8; 32]);

impl TokenHash {
    /// The hash of what somebody shows.
    pub fn of(shown: &str) -> Self {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(digest::digest(&digest::SHA256, shown.as_bytes()).as_ref());
        Self(bytes)
    }

    /// Whether both are of the same token; takes as long where they are not.
    pub(super) fn is(&self, other: &Self) -> Choice {
        self.0.ct_eq(&other.0)
    }
}

impl fmt::Debug for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenHash(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_differ_and_are_known_by_their_hash() {
        let (one, other) = (Secret::random().expect("random"), Secret::random().expect("random"));
        assert_ne!(one.reveal(), other.reveal());
        assert_eq!(one.reveal().len(), PREFIX.len() + 2 * RANDOM_BYTES);
        assert!(bool::from(TokenHash::of(one.reveal()).is(&one.hash())));
        assert!(!bool::from(other.hash().is(&one.hash())));
        assert!(!format!("{one:?}{:?}", one.hash()).contains(&one.reveal()[4..12]));
    }

    #[test]
    fn the_hash_is_sha_256() {
        let expected = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(hex(&TokenHash::of("").0), expected);
    }
}
