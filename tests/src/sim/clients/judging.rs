//! What a player was shown and told, held against what there is.

use std::time::Duration;

use matchkeep_client::link::{LinkError, PlayerKey};
use matchkeep_shared::disconnect::DisconnectReason;
use matchkeep_shared::ids::Epoch;
use matchkeep_shared::time::Tick;

use super::{Client, ClientTurn};
use crate::sim::witness::Invariant;

/// Who was told of the match so lately is not given up by it.
const LATELY: Duration = Duration::from_secs(4);

/// Snapshots in a row that may be of no use: what was under way when an epoch ended.
const USELESS_MAX: u64 = 24;

impl Client {
    /// Whether the reason for an end is a good one.
    pub(super) fn judge(
        &self,
        turn: &mut ClientTurn<'_>,
        index: usize,
        key: PlayerKey,
        why: &LinkError,
    ) {
        use DisconnectReason as R;
        let player = &self.players[index];
        let session = self.core.session(key);
        let was_in = session.is_some_and(|session| session.token().is_some());
        let match_id = self.core.place(key).map(|place| place.match_id);
        let Some(match_id) = match_id else { return };
        let heard = session.and_then(|session| session.last_sign_of_life());
        let lately = heard.is_some_and(|heard| turn.now - heard < LATELY);
        let known = turn.witness.of(match_id);
        let (has_ended, is_aside) = (known.is_closed || known.has_ended, known.is_aside);
        // The match was set back to before the join, and somebody else may have come first.
        let is_undone = player.joined.is_some_and(|(epoch, tick)| {
            let later = known.resumed.range(Epoch(epoch.0 + 1)..);
            later.into_iter().any(|(_, resumed)| *resumed <= tick)
        });
        let is_good = match why {
            LinkError::Disconnected(reason) => match reason {
                R::MatchEnded | R::MatchOver => has_ended,
                R::MatchQuarantined => is_aside,
                R::Kicked => player.kicked_from == Some(match_id),
                R::TicketInvalid | R::TokenInvalid | R::GameMismatch => false,
                R::CodecUnknown | R::MalformedDatagram | R::OversizedDatagram => false,
                R::MalformedMessage | R::OversizedMessage | R::UnexpectedMessage => false,
                R::DatagramFlood | R::InputTooFarAhead | R::SlowReader | R::PathTooSmall => false,
                R::RequestFlood | R::NameInvalid | R::ModeUnknown | R::Internal => false,
                // Somebody who was in comes back as long as the match is there.
                _ => {
                    let is_free = player.kicked_from == Some(match_id);
                    !was_in || !lately || has_ended || is_aside || is_undone || is_free
                }
            },
            LinkError::Failed(_) => !was_in || !lately,
            LinkError::Untrusted(_) | LinkError::Protocol(_) => false,
        };
        let number = player.number;
        turn.witness.check(is_good, Invariant::ReasonsRight, || {
            format!("player {number} of match {match_id} was sent away: {why} (was in: {was_in})")
        });
    }

    /// Compares what the player sees with what there is.
    pub(super) fn look(&mut self, turn: &mut ClientTurn<'_>, index: usize, key: PlayerKey) {
        let player = &mut self.players[index];
        let number = player.number;
        let Some(session) = self.core.session(key) else { return };
        let Some(info) = session.newest() else { return };
        let Some((match_id, slot)) = player.seat else { return };
        player.fresh = Some(turn.now);
        let dropped = session.counts().snapshots_dropped;
        let useless = dropped - std::mem::replace(&mut player.dropped, dropped);
        turn.witness.check(useless <= USELESS_MAX, Invariant::ViewsRight, || {
            format!("player {number}: {useless} snapshots in a row were against what nobody holds")
        });
        let (epoch, tick) = (info.epoch, info.tick);
        let told = info.durable.unwrap_or(Tick(0));
        if player.last == Some((epoch, tick)) {
            return;
        }
        turn.trace.note(turn.at, format_args!("player {number} sees {epoch} {tick}"));
        let known = turn.witness.of(match_id);
        let acked = known.acked;
        known.told = known.told.max(told);
        let hash = known.hashes.get(&(epoch, tick)).copied();
        turn.witness.check(told <= acked, Invariant::NoDurableTickLost, || {
            format!("player {number} was told that {told} is durable, and it is {acked}")
        });
        if let Some((last_epoch, last_tick)) = player.last {
            let in_order = if epoch == last_epoch {
                tick > last_tick
            } else {
                epoch > last_epoch && player.rolled_back.is_some_and(|to| tick >= to)
            };
            turn.witness.check(in_order, Invariant::InOrder, || {
                format!("player {number}: {epoch}/{tick} after {last_epoch}/{last_tick}")
            });
        }
        player.last = Some((epoch, tick));
        player.rolled_back = None;
        if let (Some(hash), Some(shown)) = (hash, info.state_hash) {
            turn.witness.check(hash == shown, Invariant::ViewsRight, || {
                format!("player {number}: tick {epoch}/{tick} has {hash:016x}, told {shown:016x}")
            });
        }
        let Some((seen, view)) = session.snapshot() else { return };
        if let Some(truth) = turn.witness.visible(match_id, epoch, seen)
            && let Some(wrong) = truth.check(slot, view)
        {
            let text = format!("player {number} in {match_id} at {epoch}/{seen}: {wrong}");
            turn.witness.violated(Invariant::ViewsRight, text);
        }
    }
}
