//! The stream of a session: the join message, the goodbye, and nothing else.

use std::time::Instant;

use matchkeep_shared::Game;
use matchkeep_shared::disconnect::DisconnectReason;
use matchkeep_shared::encoding::encode;
use matchkeep_shared::game::PlayerInfo;
use matchkeep_shared::ids::{PlayerId, Slot};
use matchkeep_shared::limits::{
    CLIENT_MESSAGE_BYTES_MAX, DATAGRAM_BYTES_MIN, SERVER_MESSAGE_BYTES_MAX,
};
use matchkeep_shared::ticket::{SECRET_BYTES, TokenClaims, Validity};
use matchkeep_shared::wire::codec::CodecId;
use matchkeep_shared::wire::frame::write_frame;
use matchkeep_shared::wire::message::{
    ClientMessage, Credential, GameVersion, Join, ServerMessage, Welcome,
};
use quinn_proto::{ConnectionHandle, ReadableError, StreamId};
use ring::digest::{SHA256, digest};

use super::{Connection, Core, Host, Stage};
use crate::matches::JoinRefused;
use crate::matches::state::UsedTicket;
use crate::shard::message::ShardEvent;
use crate::shard::session::{Allowance, Outbox, Playing, Session, Shown};
use crate::shard::tokens::Tokens;

/// A ticket or token that was good: where it leads.
struct Redeemed {
    index: usize,
    slot: Slot,
    player: PlayerId,
    identity: Validity,
}

impl<G: Game> Core<G> {
    /// Reads what the client's stream has and acts on every whole message.
    pub(super) fn read_stream(
        &mut self,
        now: Instant,
        handle: ConnectionHandle,
        connection: &mut Connection,
        id: StreamId,
    ) -> Result<(), DisconnectReason> {
        let mut stream = connection.quic.recv_stream(id);
        let mut chunks = match stream.read(true) {
            Ok(chunks) => chunks,
            Err(ReadableError::ClosedStream | ReadableError::IllegalOrderedRead) => return Ok(()),
        };
        let reader = match &mut connection.session {
            Session::Joining { stream: Some(stream), reader, .. } if *stream == id => reader,
            Session::Playing(playing) if playing.stream == id => &mut playing.reader,
            _ => return Ok(()),
        };
        // Until there is no more now; that the client's side is finished or was reset changes nothing in
        // what came before.
        while let Ok(Some(chunk)) = chunks.next(CLIENT_MESSAGE_BYTES_MAX) {
            reader.extend(&chunk.bytes);
            // A client has little to say: more than a message and a bit is none of ours.
            if reader.waiting_bytes() > 2 * CLIENT_MESSAGE_BYTES_MAX {
                return Err(DisconnectReason::OversizedMessage);
            }
        }
        // The windows QUIC grants anew travel with whatever is sent next.
        let _ = chunks.finalize();
        self.hear_messages(now, handle, connection)
    }

    fn hear_messages(
        &mut self,
        now: Instant,
        handle: ConnectionHandle,
        connection: &mut Connection,
    ) -> Result<(), DisconnectReason> {
        loop {
            let (reader, joining) = match &mut connection.session {
                Session::Joining { stream: Some(stream), reader, .. } => (reader, Some(*stream)),
                Session::Playing(playing) => (&mut playing.reader, None),
                Session::Handshaking { .. } | Session::Joining { .. } | Session::Closing => {
                    return Ok(());
                }
            };
            let message = match reader.next(CLIENT_MESSAGE_BYTES_MAX) {
                Ok(Some(bytes)) => {
                    ClientMessage::decode(bytes).map_err(|_| DisconnectReason::MalformedMessage)?
                }
                Ok(None) => return Ok(()),
                Err(_) => return Err(DisconnectReason::OversizedMessage),
            };
            match (message, joining) {
                (ClientMessage::Join(join), Some(stream)) => {
                    self.join(now, handle, connection, stream, &join)?;
                }
                (ClientMessage::Leave, _) => return Err(DisconnectReason::Left),
                (ClientMessage::Identity { token }, None) => {
                    self.hear_identity(now, connection, token)?
                }
                (ClientMessage::Join(_), None) | (ClientMessage::Identity { .. }, Some(_)) => {
                    return Err(DisconnectReason::UnexpectedMessage);
                }
            }
        }
    }

    /// A ticket of the lobby's, with the secret of whom it was given to: it takes a place, or the one held for the
    /// player.
    fn redeem_ticket(&mut self, shown: &[u8]) -> Result<Redeemed, DisconnectReason> {
        let cut = shown.len().checked_sub(SECRET_BYTES).ok_or(DisconnectReason::TicketInvalid)?;
        let (ticket, secret) = shown.split_at(cut);
        let ticket = self.tickets.verify(ticket, self.wall_unix_ms)?;
        // Before it is spent: a thief takes nothing from whom it belongs to.
        if digest(&SHA256, secret).as_ref() != ticket.binding {
            return Err(DisconnectReason::TicketStolen);
        }
        self.check_standing(ticket.player, ticket.identity)?;
        let index = *self.by_match.get(&ticket.match_id).ok_or(DisconnectReason::MatchUnknown)?;
        if self.is_storage_full {
            // Who has a place comes back to it.
            let host = self.hosts[index].as_ref().ok_or(DisconnectReason::MatchUnknown)?;
            host.game.slot_of(ticket.player).ok_or(DisconnectReason::StorageFull)?;
        }
        // From here on the ticket is spent, whatever becomes of the join.
        self.used_tickets.insert(ticket.id, ticket.expires_unix_ms, self.wall_unix_ms)?;
        let host = self.hosts[index].as_mut().ok_or(DisconnectReason::MatchUnknown)?;
        host.admits()?;
        let used = UsedTicket { id: ticket.id, expires_unix_ms: ticket.expires_unix_ms };
        let player = PlayerInfo { id: ticket.player, name: ticket.name, team: ticket.team };
        let slot = host.game.join(&player, Some(used)).map_err(|refused| match refused {
            JoinRefused::Full => DisconnectReason::MatchFull,
            JoinRefused::Over => DisconnectReason::MatchOver,
            JoinRefused::Died => DisconnectReason::JoinUndone,
        })?;
        Ok(Redeemed { index, slot, player: player.id, identity: ticket.identity })
    }

    /// A token of the match's own: it leads back to the place that the player still has.
    fn redeem_token(&mut self, token: &[u8]) -> Result<Redeemed, DisconnectReason> {
        let token = self.tickets.verify_token(token, self.wall_unix_ms)?;
        self.check_standing(token.player, token.identity)?;
        let index = *self.by_match.get(&token.match_id).ok_or(DisconnectReason::MatchUnknown)?;
        let host = self.hosts[index].as_mut().ok_or(DisconnectReason::MatchUnknown)?;
        host.admits()?;
        if host.game.slot_of(token.player) != Some(token.slot)
            || !Tokens::is_current(&host.game, &token)
        {
            return Err(DisconnectReason::TokenExpired);
        }
        if !host.game.rejoin(token.slot, None) {
            return Err(DisconnectReason::JoinUndone);
        }
        let TokenClaims { slot, player, identity, .. } = token;
        Ok(Redeemed { index, slot, player, identity })
    }

    /// A whole join message came: who is it, may they, and where do they sit?
    fn join(
        &mut self,
        now: Instant,
        handle: ConnectionHandle,
        connection: &mut Connection,
        stream: StreamId,
        join: &Join,
    ) -> Result<(), DisconnectReason> {
        if join.game != GameVersion::of::<G>() {
            return Err(DisconnectReason::GameMismatch);
        }
        let codec = CodecId::choose(&join.codecs).ok_or(DisconnectReason::CodecUnknown)?;
        connection.datagram_bytes = connection.quic.datagrams().max_size().unwrap_or(0);
        if connection.datagram_bytes < DATAGRAM_BYTES_MIN {
            return Err(DisconnectReason::PathTooSmall);
        }
        let Redeemed { index, slot, player, identity } = match &join.credential {
            Credential::Ticket(ticket) => self.redeem_ticket(ticket)?,
            Credential::Token(token) => self.redeem_token(token)?,
        };
        let host = self.hosts[index].as_mut().ok_or(DisconnectReason::MatchUnknown)?;
        let match_id = host.game.spec().id;
        let older = host.sessions[slot.index()].replace(handle);
        let welcome = Welcome {
            match_id,
            player,
            slot,
            epoch: host.game.epoch(),
            tick: host.game.tick(),
            resumed: host.game.resumed(),
            rate: host.game.spec().rate,
            codec,
            hold_ms: host.game.spec().hold_ms(),
            token: self.tokens.issue(&host.game, slot, player, self.wall_unix_ms, identity),
            config: encode(&host.game.spec().config),
        };
        let counts = host.game.input_counts(slot).unwrap_or_default();
        let allowance = Allowance::new(welcome.rate, now, &counts);
        let session = std::mem::replace(&mut connection.session, Session::Closing);
        let reader = match session {
            Session::Joining { reader, .. } => reader,
            _ => Default::default(),
        };
        let token_period = Some(Tokens::period(&host.game, slot));
        let outbox = Outbox::default();
        let playing = Playing {
            host: index,
            slot,
            player,
            stream,
            reader,
            outbox,
            allowance,
            token_period,
            identity: Shown::new(now, self.wall_unix_ms, identity),
        };
        // From here on the place is the session's: whatever fails below frees it as any end does.
        connection.session = Session::Playing(Box::new(playing));
        self.stats.joins += 1;
        self.reports.push_back(ShardEvent::Joined { match_id, player });
        if let Some(older) = older {
            self.dismiss(now, older, DisconnectReason::Replaced);
        }
        let mut frames = Vec::new();
        write_frame(&ServerMessage::Welcome(welcome), SERVER_MESSAGE_BYTES_MAX, &mut frames)
            .map_err(|_| DisconnectReason::Internal)?;
        if let Session::Playing(playing) = &mut connection.session {
            playing.outbox.push(&frames)?;
            playing.outbox.flush(&mut connection.quic, stream);
        }
        Ok(())
    }
}

impl<G: Game> Host<G> {
    /// Whether players may come in now.
    fn admits(&self) -> Result<(), DisconnectReason> {
        match self.stage {
            Stage::Running if self.game.is_crowded() => Err(DisconnectReason::JoinUndone),
            Stage::Running if self.game.death().is_none() => Ok(()),
            // It will be back in a moment, and so may they.
            Stage::Running | Stage::Fallen => Err(DisconnectReason::JoinUndone),
            // That it is over is not durable: nobody is told so.
            Stage::Finishing { .. } => Err(DisconnectReason::JoinUndone),
            Stage::Over { why, .. } => Err(why),
        }
    }
}
