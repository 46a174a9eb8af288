//! Names of keys, and the keys in force.

use std::fmt;

use matchkeep_shared::ticket::KEY_ID_BYTES;
use ring::digest;

use super::{TicketSigner, TicketVerifier};

/// Bytes of the key that verifies tickets (Ed25519).
pub const VERIFYING_KEY_BYTES: usize = 32;

/// What a key is called: the first bytes of its public half's SHA-256. Displayed in hexadecimal.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyId(pub [u8; KEY_ID_BYTES]);

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyId({self})")
    }
}

/// The public half of a key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct VerifyingKey(pub [u8; VERIFYING_KEY_BYTES]);

impl VerifyingKey {
    /// What the key is called.
    pub fn id(&self) -> KeyId {
        let digest = digest::digest(&digest::SHA256, &self.0);
        let (id, _) = digest.as_ref().split_first_chunk().expect("SHA-256 has 32 bytes");
        KeyId(*id)
    }
}

/// The keys in force: one signs, and it and the one before are believed. Cheap to clone.
#[derive(Clone, Debug)]
pub struct TicketKeys {
    signer: TicketSigner,
    verifier: TicketVerifier,
}

impl TicketKeys {
    /// One key, which signs and is believed.
    pub fn new(signer: TicketSigner) -> Self {
        let verifier = TicketVerifier::new(signer.verifying_key());
        Self { signer, verifier }
    }

    /// And the one before it, which is believed until a moment in milliseconds of Unix time.
    #[must_use]
    pub fn after(self, former: VerifyingKey, until_unix_ms: u64) -> Self {
        Self { verifier: self.verifier.believing(former, until_unix_ms), ..self }
    }

    /// What the key that signs is called.
    pub fn id(&self) -> KeyId {
        self.signer.verifying_key().id()
    }

    /// Signs what is given out.
    pub fn signer(&self) -> &TicketSigner {
        &self.signer
    }

    /// Says what was signed by us.
    pub fn verifier(&self) -> TicketVerifier {
        self.verifier
    }
}
