//! Signing, verifying and using up tickets.
//!
//! Owns: the Ed25519 keys in use and the memory of which tickets were used. Must not know: where keys
//! are kept ([`crate::identity`]), what a lobby or a session is, and what time it is; time is an
//! argument.
//!
//! A ticket is the name of the key that signs, the encoded claims, and the signature over [`SIGNING_CONTEXT`] and both;
//! a token is made in the same way, under its own context. Two keys are believed at a time, so that one can take the
//! other's place while tickets of both are on their way.

mod keys;
mod used;
mod verifier;

use std::fmt;
use std::sync::Arc;

use matchkeep_shared::encoding;
use matchkeep_shared::limits::PLAYER_NAME_BYTES_MAX;
use matchkeep_shared::ticket::{
    SIGNING_CONTEXT, TOKEN_SIGNING_CONTEXT, TicketClaims, TokenClaims, is_player_name,
};
use ring::signature::{Ed25519KeyPair, KeyPair};

pub use keys::{KeyId, TicketKeys, VERIFYING_KEY_BYTES, VerifyingKey};
pub use used::UsedTickets;
pub use verifier::TicketVerifier;

/// Why a ticket could not be signed, or a signing key not be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TicketError {
    /// The name would make a ticket that no shard accepts.
    #[error(
        "`{0}` cannot be put on a ticket: a name has 1 to {PLAYER_NAME_BYTES_MAX} bytes, no control \
         characters and no space at either end"
    )]
    NameInvalid(String),
    /// The bytes given as signing key are none.
    #[error("the ticket signing key is no Ed25519 key in PKCS#8 form: {0}")]
    KeyInvalid(String),
}

/// Issues tickets. Cheap to clone.
#[derive(Clone)]
pub struct TicketSigner {
    key: Arc<Ed25519KeyPair>,
}

// By hand, so that no log ever shows a key.
impl fmt::Debug for TicketSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TicketSigner(..)")
    }
}

impl TicketSigner {
    /// The signer with this private key (Ed25519, PKCS#8 version 2).
    ///
    /// # Errors
    /// [`TicketError::KeyInvalid`] where the bytes are no such key.
    pub fn from_pkcs8(pkcs8: &[u8]) -> Result<Self, TicketError> {
        let key = Ed25519KeyPair::from_pkcs8(pkcs8)
            .map_err(|e| TicketError::KeyInvalid(e.to_string()))?;
        Ok(Self { key: Arc::new(key) })
    }

    /// The ticket that says `claims`: at most [`TICKET_BYTES_MAX`](matchkeep_shared::ticket::TICKET_BYTES_MAX) bytes.
    ///
    /// # Errors
    /// [`TicketError::NameInvalid`] where the name cannot be shown.
    pub fn sign(&self, claims: &TicketClaims) -> Result<Vec<u8>, TicketError> {
        if !is_player_name(&claims.name) {
            return Err(TicketError::NameInvalid(claims.name.chars().take(40).collect()));
        }
        Ok(self.seal(SIGNING_CONTEXT, &encoding::encode(claims)))
    }

    /// The token that says `claims`: at most [`TOKEN_BYTES_MAX`](matchkeep_shared::ticket::TOKEN_BYTES_MAX) bytes.
    pub fn sign_token(&self, claims: &TokenClaims) -> Vec<u8> {
        self.seal(TOKEN_SIGNING_CONTEXT, &encoding::encode(claims))
    }

    fn seal(&self, context: &[u8], claims: &[u8]) -> Vec<u8> {
        let mut sealed = [&self.verifying_key().id().0, claims].concat();
        let signature = self.key.sign(&[context, &sealed].concat());
        sealed.extend_from_slice(signature.as_ref());
        sealed
    }

    /// The public half.
    pub fn verifying_key(&self) -> VerifyingKey {
        let mut key = [0; VERIFYING_KEY_BYTES];
        // ring's Ed25519 public keys are always of this length.
        key.copy_from_slice(self.key.public_key().as_ref());
        VerifyingKey(key)
    }

    /// What verifies the tickets of this signer alone.
    pub fn verifier(&self) -> TicketVerifier {
        TicketVerifier::new(self.verifying_key())
    }
}

#[cfg(test)]
mod tests;
