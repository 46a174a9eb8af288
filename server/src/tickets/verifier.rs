//! Telling the tickets and tokens of our keys from everything else.

use matchkeep_shared::disconnect::DisconnectReason;
use matchkeep_shared::encoding;
use matchkeep_shared::limits::{TICKET_CLOCK_AHEAD_MAX, TICKET_VALID};
use matchkeep_shared::ticket::{
    KEY_ID_BYTES, SIGNATURE_BYTES, SIGNING_CONTEXT, TICKET_BYTES_MAX, TOKEN_BYTES_MAX,
    TOKEN_SIGNING_CONTEXT, TicketClaims, TokenClaims, is_player_name,
};
use ring::signature::{ED25519, UnparsedPublicKey};

use super::{KeyId, VerifyingKey};

/// Tells the tickets of one signer, and of the one before it for a while, from everything else. Holds public keys only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TicketVerifier {
    current: VerifyingKey,
    /// The key before, and until when it is believed, in milliseconds of Unix time.
    former: Option<(VerifyingKey, u64)>,
}

impl TicketVerifier {
    /// The verifier for this public key.
    pub fn new(key: VerifyingKey) -> Self {
        Self { current: key, former: None }
    }

    /// That believes another key too, until a moment in milliseconds of Unix time.
    #[must_use]
    pub fn believing(self, former: VerifyingKey, until_unix_ms: u64) -> Self {
        Self { former: Some((former, until_unix_ms)), ..self }
    }

    /// What `ticket` says, if it is genuine and still good at `now_unix_ms`. Whether it was used before
    /// is [`UsedTickets`](super::UsedTickets)' to say, and whether its match is here the shard's.
    ///
    /// # Errors
    /// [`DisconnectReason::TicketInvalid`] where it is no ticket of a key that is believed,
    /// [`DisconnectReason::TicketExpired`] where it was one, or is dated by a clock that was set back since: whether
    /// it was used is forgotten after [`TICKET_VALID`].
    pub fn verify(
        &self,
        ticket: &[u8],
        now_unix_ms: u64,
    ) -> Result<TicketClaims, DisconnectReason> {
        let claims = self
            .open(SIGNING_CONTEXT, TICKET_BYTES_MAX, ticket, now_unix_ms)
            .ok_or(DisconnectReason::TicketInvalid)?;
        let claims = encoding::decode::<TicketClaims, TICKET_BYTES_MAX>("ticket", claims)
            .map_err(|_| DisconnectReason::TicketInvalid)?;
        if !is_player_name(&claims.name) {
            return Err(DisconnectReason::TicketInvalid);
        }
        let longest = (TICKET_VALID + TICKET_CLOCK_AHEAD_MAX).as_millis() as u64;
        let left = claims.expires_unix_ms.checked_sub(now_unix_ms);
        if !left.is_some_and(|left| (1..=longest).contains(&left)) {
            return Err(DisconnectReason::TicketExpired);
        }
        Ok(claims)
    }

    /// What `token` says, if it is genuine and its time is not over at `now_unix_ms`. Whether newer ones
    /// have replaced it is the match's to say.
    ///
    /// # Errors
    /// [`DisconnectReason::TokenInvalid`] where it is no token of a key that is believed,
    /// [`DisconnectReason::TokenExpired`] where it was one. One that is dated by a clock that was set back since is good
    /// for as long as the match has it for the current one, or the one before.
    pub fn verify_token(
        &self,
        token: &[u8],
        now_unix_ms: u64,
    ) -> Result<TokenClaims, DisconnectReason> {
        let claims = self
            .open(TOKEN_SIGNING_CONTEXT, TOKEN_BYTES_MAX, token, now_unix_ms)
            .ok_or(DisconnectReason::TokenInvalid)?;
        let claims = encoding::decode::<TokenClaims, TOKEN_BYTES_MAX>("token", claims)
            .map_err(|_| DisconnectReason::TokenInvalid)?;
        if now_unix_ms >= claims.expires_unix_ms {
            return Err(DisconnectReason::TokenExpired);
        }
        Ok(claims)
    }

    /// The claims in what a key of ours sealed under `context`; nothing of what it did not write is parsed.
    fn open<'a>(
        &self,
        context: &[u8],
        bytes_max: usize,
        sealed: &'a [u8],
        now_unix_ms: u64,
    ) -> Option<&'a [u8]> {
        // The length first: what a stranger sends costs no more than a ticket does.
        if sealed.len() > bytes_max {
            return None;
        }
        let (said, signature) = sealed.split_at(sealed.len().checked_sub(SIGNATURE_BYTES)?);
        let (id, claims) = said.split_first_chunk::<KEY_ID_BYTES>()?;
        let key = self.key(KeyId(*id), now_unix_ms)?;
        let signed = [context, said].concat();
        UnparsedPublicKey::new(&ED25519, key.0).verify(&signed, signature).ok()?;
        Some(claims)
    }

    /// The key of this name, as long as it is believed.
    fn key(&self, id: KeyId, now_unix_ms: u64) -> Option<VerifyingKey> {
        let former = self.former.filter(|(_, until)| now_unix_ms < *until).map(|(key, _)| key);
        [Some(self.current), former].into_iter().flatten().find(|key| key.id() == id)
    }
}
