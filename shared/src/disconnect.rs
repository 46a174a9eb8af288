//! Every way a connection can end, in one enum. Its code is the QUIC application close code, so that
//! the reason reaches the player whatever state the connection is in.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $label:literal, $text:literal;)*) => {
        /// Why a player, or a lobby connection, was sent away or left.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
        pub enum DisconnectReason { $($(#[$doc])* $name,)* }

        impl DisconnectReason {
            /// Every reason there is.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The reason's code on the wire, stable for ever.
            pub fn code(self) -> u32 {
                match self { $(Self::$name => $code,)* }
            }

            /// The reason's name in metrics and JSON.
            pub fn label(self) -> &'static str {
                match self { $(Self::$name => $label,)* }
            }

            /// One sentence for a person.
            pub fn text(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }
        }
    };
}

reasons! {
    /// The client said goodbye.
    Left = 0, "left", "the player left";
    /// The match is over and its result was told.
    MatchEnded = 1, "match_ended", "the match ended";
    /// The server stops on its operator's word.
    ServerShutdown = 2, "server_shutdown", "the server is shutting down";
    /// A newer session of the same player took the place.
    Replaced = 3, "replaced", "a newer session of the same player took over";
    /// An operator sent the player away.
    Kicked = 4, "kicked", "an operator removed the player";
    /// Nothing arrived for too long.
    IdleTimeout = 5, "idle_timeout", "nothing was received for too long";
    /// The connection was there but no join message came.
    JoinTimeout = 6, "join_timeout", "no join message came in time";
    /// The peer or the network ended the connection without a reason of ours.
    ConnectionLost = 7, "connection_lost", "the connection was lost";
    /// The store can no longer be trusted; the server ends and starts anew from what is durable.
    StorageFailed = 8, "storage_failed", "the server's storage failed; it starts anew";
    /// The match was set back to before the player joined.
    JoinUndone = 9, "join_undone", "the match takes nobody at this moment, or was set back to before the join";

    /// The ticket is no ticket of this server.
    TicketInvalid = 16, "ticket_invalid", "the ticket was not issued by this server";
    /// The ticket was good once.
    TicketExpired = 17, "ticket_expired", "the ticket has expired; ask the lobby for a new one";
    /// The ticket was used before.
    TicketUsed = 18, "ticket_used", "the ticket was used before; ask the lobby for a new one";
    /// The ticket names a match that is elsewhere or nowhere.
    MatchUnknown = 19, "match_unknown", "there is no such match here";
    /// No place is free.
    MatchFull = 20, "match_full", "the match has no free place";
    /// The match ended before the join.
    MatchOver = 21, "match_over", "the match is over";
    /// The token is no token of this server, or not for this match and place.
    TokenInvalid = 22, "token_invalid", "the token was not issued by this server for this place";
    /// The token was good once; newer ones were issued, its time is over, or the place was given up.
    TokenExpired = 23, "token_expired", "the token has expired; ask the lobby for a ticket";
    /// The match died at the same tick again and again and was set aside with its data.
    MatchQuarantined = 24, "match_quarantined", "the match failed too often and was set aside";

    /// The client plays another game, or another version of its rules or entities.
    GameMismatch = 32, "game_mismatch", "client and server do not run the same game and version";
    /// The client offered no snapshot codec the server speaks.
    CodecUnknown = 33, "codec_unknown", "no snapshot codec in common";
    /// A datagram that is none of the protocol.
    MalformedDatagram = 34, "malformed_datagram", "a datagram could not be decoded";
    /// A datagram above the limit.
    OversizedDatagram = 35, "oversized_datagram", "a datagram was larger than allowed";
    /// A stream message that is none of the protocol.
    MalformedMessage = 36, "malformed_message", "a stream message could not be decoded";
    /// A stream message above the limit.
    OversizedMessage = 37, "oversized_message", "a stream message was larger than allowed";
    /// A message or stream that has no place in this state of the session.
    UnexpectedMessage = 38, "unexpected_message", "a message came that this state does not allow";
    /// More datagrams than the rate allows.
    DatagramFlood = 39, "datagram_flood", "more datagrams came than the tick rate allows";
    /// Inputs for ticks too far ahead, for too long.
    InputTooFarAhead = 40, "input_too_far_ahead", "inputs were for ticks too far ahead for too long";
    /// The client does not read its stream.
    SlowReader = 41, "slow_reader", "the client did not read its events";
    /// The path cannot carry datagrams of the least size.
    PathTooSmall = 42, "path_too_small", "the network path cannot carry the smallest datagram";
    /// More requests than the rate allows.
    RequestFlood = 43, "request_flood", "more requests came than allowed";

    /// The server has no room for another connection or match.
    ServerFull = 48, "server_full", "the server has no room";
    /// A name is required that is no name.
    NameInvalid = 49, "name_invalid", "the player name is empty, too long or not printable";
    /// There is no such mode.
    ModeUnknown = 50, "mode_unknown", "there is no such mode";
    /// The server's disk is full: what is played goes on as its mode says, nobody new comes in.
    StorageFull = 51, "storage_full", "the server's disk is full";
    /// A defect of the server.
    Internal = 63, "internal", "the server failed; its log says how";

    /// No match that goes on has this code.
    CodeUnknown = 64, "code_unknown", "no private match and no party has this code";

    /// A name is not enough here.
    IdentityRequired = 65, "identity_required", "this server asks for a token of its identity provider";
    /// The server has no identity provider: it is for development.
    IdentityUnsupported = 66, "identity_unsupported", "this server has no identity provider; say a name";
    /// The token is no JSON Web Token, or a claim is missing or no such claim.
    IdentityMalformed = 67, "identity_malformed", "the identity token could not be read";
    /// The token says that it is signed otherwise than the provider signs.
    IdentityAlgorithm = 68, "identity_algorithm", "the identity token is signed with another algorithm than the provider's";
    /// No key has the ID that the token names.
    IdentityKey = 69, "identity_key", "the identity provider has no such key";
    /// The signature is not the provider's.
    IdentitySignature = 70, "identity_signature", "the identity token was not signed by the identity provider";
    /// The token was good once, and no newer one came.
    IdentityExpired = 71, "identity_expired", "the identity token has expired";
    /// The token is not good yet.
    IdentityNotYetValid = 72, "identity_not_yet_valid", "the identity token is not valid yet";
    /// Another provider made the token.
    IdentityIssuer = 73, "identity_issuer", "the identity token is of another issuer";
    /// The token is for another service.
    IdentityAudience = 74, "identity_audience", "the identity token is for another audience";
    /// The token is good for longer than the server allows.
    IdentityTooLong = 75, "identity_too_long", "the identity token is valid for longer than this server allows";
    /// The token was made before the player's identity was revoked.
    IdentityRevoked = 76, "identity_revoked", "the identity was revoked; sign in again";
    /// A newer token is about somebody else.
    IdentityMismatch = 77, "identity_mismatch", "the identity token is about another player";
    /// An operator banned the player.
    Banned = 78, "banned", "the player is banned";
    /// Whoever shows the ticket is not the one that it was given to.
    TicketStolen = 79, "ticket_stolen", "the ticket was given to somebody else";
    /// The party waited as long as its mode lets anybody wait.
    QueueTimeout = 80, "queue_timeout", "no match was found for as long as this mode lets anybody wait";
    /// The party waits no longer.
    QueueCancelled = 81, "queue_cancelled", "the party waits no longer: one of it wished so, or was away for too long";
    /// As many parties wait as there is room for.
    QueueCrowded = 82, "queue_crowded", "too many wait for a match already; try later";
    /// Somebody of the party waits already.
    QueuedElsewhere = 83, "queued_elsewhere", "one of the party waits already, for another mode or with others";
    /// Who does not wait cannot stop waiting.
    NotQueued = 84, "not_queued", "nobody waits for a match here who could be taken out";
    /// The match takes only those whom matchmaking sends there.
    MatchmakingOnly = 85, "matchmaking_only", "matches of this mode are joined by looking for one";
    /// A party plays in one team, and this one does not fit.
    PartyTooLarge = 86, "party_too_large", "no team of this mode has room for the whole party";
    /// The party takes nobody more.
    PartyFull = 87, "party_full", "the party has no place left";
    /// Another player decides where the party plays.
    NotLeader = 88, "not_leader", "the party's leader looks for its matches";

    /// The address, or its network, opened more connections than the rate allows.
    ConnectionFlood = 44, "connection_flood", "more connections came from this address than allowed; wait a moment";
    /// The peer broke a rule of QUIC itself, whose own close code says which.
    TransportViolation = 45, "transport_violation", "a rule of QUIC was broken";
    /// The player has as many private matches as one may have.
    PrivateCrowded = 89, "private_crowded", "the player has as many private matches as one may have; wait until one is over";
}

impl DisconnectReason {
    /// The reason with this code, where there is one.
    pub fn from_code(code: u64) -> Option<Self> {
        Self::ALL.iter().copied().find(|r| u64::from(r.code()) == code)
    }

    /// Whether the place may still be the player's, so that a client should try to come back to it.
    pub fn may_come_back(self) -> bool {
        matches!(
            self,
            Self::ServerShutdown
                | Self::IdleTimeout
                | Self::JoinTimeout
                | Self::ConnectionLost
                | Self::StorageFailed
                | Self::JoinUndone
                | Self::TokenExpired
                | Self::TicketExpired
                | Self::TicketUsed
                | Self::ServerFull
                | Self::ConnectionFlood
                | Self::StorageFull
                | Self::Internal
        )
    }
}

impl fmt::Display for DisconnectReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_survives_the_wire_and_no_code_is_used_twice() {
        for reason in DisconnectReason::ALL {
            assert_eq!(DisconnectReason::from_code(reason.code().into()), Some(*reason));
        }
        assert_eq!(DisconnectReason::from_code(62), None);
    }
}
