//! A player's dealings with the lobby: messages that may be lost in place of QUIC, and the patience of
//! `transport/return_path.rs`.

use std::time::{Duration, Instant};

use matchkeep_client::transport::Secret;
use matchkeep_server::control::LobbySaid;
use matchkeep_shared::Game;
use matchkeep_shared::disconnect::DisconnectReason;
use matchkeep_shared::ids::MatchId;
use matchkeep_shared::limits::{COME_BACK_PAUSE_MAX, COME_BACK_PAUSE_MIN};
use matchkeep_shared::wire::lobby::{Assignment, LobbyMessage, LobbyReply, LobbyRequest};
use matchkeep_shared::wire::message::GameVersion;

use super::clients::MODE;
use super::game::Fragile;

/// As in the real client.
const ANSWER_MAX: Duration = Duration::from_secs(2);
const UNKNOWN_MAX: u32 = 5;

/// What everybody here keeps to themselves.
fn secret() -> Secret {
    Secret::of([1; 32])
}

/// What a player wants of the lobby.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Want {
    /// A place in a match of this mode.
    Find(&'static str),
    /// The way back to a match.
    Locate(MatchId),
}

/// One want, over as many connections as it takes.
#[derive(Clone, Debug)]
pub struct Dialogue {
    /// What for.
    pub want: Want,
    /// The connection that is up, until when it is waited for.
    connection: Option<(u64, Instant)>,
    /// When the next one is tried.
    next: Instant,
    pause: Duration,
    unknown: u32,
}

/// What came of an answer.
#[derive(Debug)]
pub enum Heard {
    /// The next request on the same connection.
    Ask(LobbyRequest),
    /// Where to go.
    Place(Assignment),
    /// There is no way.
    No(DisconnectReason),
    /// It will be tried again, or it was not for us.
    Wait,
}

impl Dialogue {
    /// Begins at a time.
    pub fn new(want: Want, at: Instant) -> Self {
        Self { want, connection: None, next: at, pause: COME_BACK_PAUSE_MIN, unknown: 0 }
    }

    /// When it wants to be looked at.
    pub fn wake(&self) -> Instant {
        self.connection.map_or(self.next, |(_, until)| until)
    }

    /// The connection it waits on.
    pub fn connection(&self) -> Option<u64> {
        self.connection.map(|(connection, _)| connection)
    }

    /// The connection failed, or took too long.
    pub fn failed(&mut self, now: Instant) {
        self.connection = None;
        self.next = now + self.pause;
        self.pause = (self.pause * 2).min(COME_BACK_PAUSE_MAX);
    }

    /// Begins a connection with this number; the first request.
    pub fn connect(&mut self, now: Instant, connection: u64, name: &str) -> LobbyRequest {
        self.connection = Some((connection, now + ANSWER_MAX));
        let (game, binding) = (GameVersion::of::<Fragile>(), secret().binding());
        LobbyRequest::Authenticate { game, who: name.into(), binding }
    }

    /// An answer came.
    pub fn hear(&mut self, now: Instant, connection: u64, answer: LobbySaid) -> Heard {
        if self.connection() != Some(connection) {
            return Heard::Wait;
        }
        let reply = match answer {
            Ok(LobbyMessage::Answer(reply)) => Ok(reply),
            // The match that was waited for; whatever else it is, an answer follows or has been.
            Ok(LobbyMessage::News(
                reply @ (LobbyReply::Assigned(_)
                | LobbyReply::Unqueued { .. }
                | LobbyReply::Refused { .. }),
            )) => Ok(reply),
            Ok(LobbyMessage::News(_)) => return Heard::Wait,
            Err(farewell) => Err(farewell.reason),
        };
        let reason = match reply {
            Ok(LobbyReply::Authenticated { .. }) => {
                return Heard::Ask(match &self.want {
                    Want::Find(mode) => LobbyRequest::FindMatch { mode: (*mode).to_owned() },
                    Want::Locate(match_id) => LobbyRequest::Locate { match_id: *match_id },
                });
            }
            Ok(LobbyReply::Assigned(mut assignment)) => {
                assignment.ticket = secret().show(assignment.ticket);
                return Heard::Place(assignment);
            }
            Ok(LobbyReply::Left | LobbyReply::Party(_)) => return Heard::Wait,
            Ok(LobbyReply::Queued(queued)) => {
                let waits = Duration::from_millis(queued.limit_ms.saturating_sub(queued.waited_ms));
                self.connection = Some((connection, now + waits + ANSWER_MAX));
                return Heard::Wait;
            }
            Ok(LobbyReply::Refused { reason } | LobbyReply::Unqueued { reason }) | Err(reason) => {
                reason
            }
        };
        self.failed(now);
        // Nobody else plays it: where all the others are.
        if reason == DisconnectReason::QueueTimeout {
            self.want = Want::Find(MODE);
        }
        self.unknown += u32::from(reason == DisconnectReason::MatchUnknown);
        let hopes = reason.may_come_back()
            || (reason == DisconnectReason::MatchUnknown && self.unknown < UNKNOWN_MAX)
            || matches!(self.want, Want::Find(_));
        if hopes { Heard::Wait } else { Heard::No(reason) }
    }
}

const _: () = assert!(Fragile::RULES_VERSION == 1, "a lobby checks it");
