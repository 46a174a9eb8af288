//! Signing, verifying and using up tickets.
//!
//! Owns: the Ed25519 keys in use and the memory of which tickets were used. Must not know: where keys
//! are kept ([`crate::identity`]), what a lobby or a session is, and what time it is; time is an
//! argument.
//!
//! A ticket is the encoded claims followed by the signature over [`SIGNING_CONTEXT`] and the claims; a token
//! is made in the same way, under its own context.

use std::collections::{BTreeSet, HashSet};
use std::fmt;
use std::sync::Arc;

use matchkeep_shared::disconnect::DisconnectReason;
use matchkeep_shared::encoding;
use matchkeep_shared::limits::{PLAYER_NAME_BYTES_MAX, USED_TICKETS_MAX};
use matchkeep_shared::ticket::{
    SIGNATURE_BYTES, SIGNING_CONTEXT, TICKET_BYTES_MAX, TOKEN_BYTES_MAX, TOKEN_SIGNING_CONTEXT,
    TicketClaims, TokenClaims, is_player_name,
};
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};

/// Bytes of the key that verifies tickets (Ed25519).
pub const VERIFYING_KEY_BYTES: usize = 32;

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

    /// The ticket that says `claims`: at most [`TICKET_BYTES_MAX`] bytes.
    ///
    /// # Errors
    /// [`TicketError::NameInvalid`] where the name cannot be shown.
    pub fn sign(&self, claims: &TicketClaims) -> Result<Vec<u8>, TicketError> {
        if !is_player_name(&claims.name) {
            return Err(TicketError::NameInvalid(claims.name.chars().take(40).collect()));
        }
        Ok(self.seal(SIGNING_CONTEXT, encoding::encode(claims)))
    }

    /// The token that says `claims`: at most [`TOKEN_BYTES_MAX`] bytes.
    pub fn sign_token(&self, claims: &TokenClaims) -> Vec<u8> {
        self.seal(TOKEN_SIGNING_CONTEXT, encoding::encode(claims))
    }

    fn seal(&self, context: &[u8], mut claims: Vec<u8>) -> Vec<u8> {
        let signature = self.key.sign(&[context, &claims].concat());
        claims.extend_from_slice(signature.as_ref());
        claims
    }

    /// What verifies the tickets of this signer.
    pub fn verifier(&self) -> TicketVerifier {
        let mut key = [0; VERIFYING_KEY_BYTES];
        // ring's Ed25519 public keys are always of this length.
        key.copy_from_slice(self.key.public_key().as_ref());
        TicketVerifier { key }
    }
}

/// Tells the tickets of one signer from everything else. Holds the public key only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TicketVerifier {
    key: [u8; VERIFYING_KEY_BYTES],
}

impl TicketVerifier {
    /// The verifier for this public key.
    pub fn new(key: [u8; VERIFYING_KEY_BYTES]) -> Self {
        Self { key }
    }

    /// What `ticket` says, if it is genuine and still good at `now_unix_ms`. Whether it was used before
    /// is [`UsedTickets`]' to say, and whether its match is here the shard's.
    ///
    /// # Errors
    /// [`DisconnectReason::TicketInvalid`] where it is no ticket of the signer,
    /// [`DisconnectReason::TicketExpired`] where it was one.
    pub fn verify(
        &self,
        ticket: &[u8],
        now_unix_ms: u64,
    ) -> Result<TicketClaims, DisconnectReason> {
        let claims = self
            .open(SIGNING_CONTEXT, TICKET_BYTES_MAX, ticket)
            .ok_or(DisconnectReason::TicketInvalid)?;
        let claims = encoding::decode::<TicketClaims, TICKET_BYTES_MAX>("ticket", claims)
            .map_err(|_| DisconnectReason::TicketInvalid)?;
        if !is_player_name(&claims.name) {
            return Err(DisconnectReason::TicketInvalid);
        }
        if now_unix_ms >= claims.expires_unix_ms {
            return Err(DisconnectReason::TicketExpired);
        }
        Ok(claims)
    }

    /// What `token` says, if it is genuine and its time is not over at `now_unix_ms`. Whether newer ones
    /// have replaced it is the match's to say.
    ///
    /// # Errors
    /// [`DisconnectReason::TokenInvalid`] where it is no token of the signer,
    /// [`DisconnectReason::TokenExpired`] where it was one.
    pub fn verify_token(
        &self,
        token: &[u8],
        now_unix_ms: u64,
    ) -> Result<TokenClaims, DisconnectReason> {
        let claims = self
            .open(TOKEN_SIGNING_CONTEXT, TOKEN_BYTES_MAX, token)
            .ok_or(DisconnectReason::TokenInvalid)?;
        let claims = encoding::decode::<TokenClaims, TOKEN_BYTES_MAX>("token", claims)
            .map_err(|_| DisconnectReason::TokenInvalid)?;
        if now_unix_ms >= claims.expires_unix_ms {
            return Err(DisconnectReason::TokenExpired);
        }
        Ok(claims)
    }

    /// The claims in what this signer sealed under `context`; nothing of what it did not write is parsed.
    fn open<'a>(&self, context: &[u8], bytes_max: usize, sealed: &'a [u8]) -> Option<&'a [u8]> {
        // The length first: what a stranger sends costs no more than a ticket does.
        if sealed.len() > bytes_max {
            return None;
        }
        let (claims, signature) = sealed.split_at(sealed.len().checked_sub(SIGNATURE_BYTES)?);
        let signed = [context, claims].concat();
        UnparsedPublicKey::new(&ED25519, self.key).verify(&signed, signature).ok()?;
        Some(claims)
    }
}

/// The tickets used so far, each until it expires. At most
/// [`USED_TICKETS_MAX`]; when as many are still good, one more is refused rather than forgotten.
#[derive(Debug)]
pub struct UsedTickets {
    ids: HashSet<[u8; 16]>,
    by_expiry: BTreeSet<(u64, [u8; 16])>,
    /// The latest expiry among those forgotten. A clock that was set back must not make a ticket good
    /// again whose use is no longer remembered.
    forgotten_until_unix_ms: u64,
    tickets_max: usize,
}

impl Default for UsedTickets {
    fn default() -> Self {
        Self::new()
    }
}

impl UsedTickets {
    /// No ticket used yet.
    pub fn new() -> Self {
        Self::with_room_for(USED_TICKETS_MAX)
    }

    fn with_room_for(tickets_max: usize) -> Self {
        Self {
            ids: HashSet::new(),
            by_expiry: BTreeSet::new(),
            forgotten_until_unix_ms: 0,
            tickets_max,
        }
    }

    /// Uses a verified ticket up. Also the way to tell of tickets that a journal shows as used.
    ///
    /// # Errors
    /// [`DisconnectReason::TicketUsed`] where it was used before, [`DisconnectReason::TicketExpired`]
    /// where it is over, and [`DisconnectReason::ServerFull`] where no more can be remembered.
    pub fn insert(
        &mut self,
        id: [u8; 16],
        expires_unix_ms: u64,
        now_unix_ms: u64,
    ) -> Result<(), DisconnectReason> {
        self.forget_expired(now_unix_ms);
        let expires = expires_unix_ms;
        if self.ids.contains(&id) {
            return Err(DisconnectReason::TicketUsed);
        }
        if expires <= now_unix_ms.max(self.forgotten_until_unix_ms) {
            return Err(DisconnectReason::TicketExpired);
        }
        if self.ids.len() >= self.tickets_max {
            return Err(DisconnectReason::ServerFull);
        }
        self.ids.insert(id);
        self.by_expiry.insert((expires, id));
        Ok(())
    }

    /// How many are remembered.
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Whether none is remembered.
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    fn forget_expired(&mut self, now_unix_ms: u64) {
        while let Some((expires, id)) = self.by_expiry.first().copied() {
            if expires > now_unix_ms {
                break;
            }
            self.by_expiry.pop_first();
            self.ids.remove(&id);
            self.forgotten_until_unix_ms = expires;
        }
    }
}

#[cfg(test)]
mod tests;
