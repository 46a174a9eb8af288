//! The tokens of a shard's matches: what brings a player back to the place past the lobby.
//!
//! A token belongs to a period of the match's own time. The current period's and the one before are good,
//! so that a match that goes on from a journal knows the good ones without having stored any.

use matchkeep_shared::Game;
use matchkeep_shared::ids::{PlayerId, Slot};
use matchkeep_shared::limits::{PLAYERS_PER_MATCH_MAX, TOKEN_PERIOD, TOKEN_VALID};
use matchkeep_shared::ticket::{TokenClaims, Validity};

use crate::matches::Match;
use crate::tickets::TicketSigner;

/// Issues and judges tokens.
pub(super) struct Tokens {
    signer: TicketSigner,
}

impl Tokens {
    pub(super) fn new(signer: TicketSigner) -> Self {
        Self { signer }
    }

    /// The period that a place is in; places change over one after the other, so that the signatures are
    /// spread.
    pub(super) fn period<G: Game>(game: &Match<G>, slot: Slot) -> u64 {
        let ticks = game.spec().rate.ticks_in(TOKEN_PERIOD).max(1);
        let offset = slot.index() as u64 * ticks / PLAYERS_PER_MATCH_MAX as u64;
        (game.tick().0 + offset) / ticks
    }

    /// A token for the player in `slot`.
    pub(super) fn issue<G: Game>(
        &self,
        game: &Match<G>,
        slot: Slot,
        player: PlayerId,
        now_unix_ms: u64,
        identity: Validity,
    ) -> Vec<u8> {
        self.signer.sign_token(&TokenClaims {
            match_id: game.spec().id,
            player,
            slot,
            period: Self::period(game, slot),
            expires_unix_ms: now_unix_ms + TOKEN_VALID.as_millis() as u64,
            identity,
        })
    }

    /// Whether the token is of the current period or the one before. One of a period to come was issued
    /// before the match was set back: as good as the current one.
    pub(super) fn is_current<G: Game>(game: &Match<G>, token: &TokenClaims) -> bool {
        token.period + 1 >= Self::period(game, token.slot)
    }
}
