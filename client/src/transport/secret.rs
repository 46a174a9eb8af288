//! What a client keeps to itself: its tickets are of no use to who only reads them.

use matchkeep_shared::ticket::{BINDING_BYTES, SECRET_BYTES};
use ring::digest::{SHA256, digest};
use ring::rand::{SecureRandom, SystemRandom};

/// A secret that a client made up for one conversation with the lobby.
#[derive(Clone)]
pub struct Secret([u8; SECRET_BYTES]);

// By hand, so that no log ever shows one.
impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(..)")
    }
}

impl Secret {
    /// One that nobody can guess; `None` where the system has no random numbers.
    pub fn random() -> Option<Self> {
        let mut bytes = [0; SECRET_BYTES];
        SystemRandom::new().fill(&mut bytes).ok()?;
        Some(Self(bytes))
    }

    /// This one, for tests that repeat.
    pub fn of(bytes: [u8; SECRET_BYTES]) -> Self {
        Self(bytes)
    }

    /// What the lobby is told of it.
    pub fn binding(&self) -> [u8; BINDING_BYTES] {
        let digest = digest(&SHA256, &self.0);
        digest.as_ref().try_into().expect("SHA-256 has 32 bytes")
    }

    /// A ticket of the lobby's as it is shown to a shard.
    pub fn show(&self, mut ticket: Vec<u8>) -> Vec<u8> {
        ticket.extend_from_slice(&self.0);
        ticket
    }
}
