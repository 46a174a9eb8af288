//! A player's side of the lobby: what they ask in which order, and what they make of what they hear.
//!
//! Owns: one player's connection as the player sees it. Must not know: when anything arrives, what friends do (a
//! [`Friends`] says what they told each other), whether the lobby is right.

use std::collections::VecDeque;

use matchkeep_shared::disconnect::DisconnectReason;
use matchkeep_shared::ids::{MatchId, PlayerId};
use matchkeep_shared::ticket::BINDING_BYTES;
use matchkeep_shared::wire::lobby::{Assignment, LobbyMessage, LobbyReply, LobbyRequest};
use matchkeep_shared::wire::message::GameVersion;

use super::plan::MODE;

/// How far a player is with what they want.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Step {
    /// They want nothing now.
    Rests,
    /// A match, and nobody said yet that they wait.
    Wants,
    /// The lobby said that they wait.
    Waits,
    /// They have a ticket, and are on their way.
    Goes(MatchId),
    /// They are in.
    Plays(MatchId),
}

/// What was asked, in the order in which it is answered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Asked {
    Enter,
    Find,
    Locate,
    Cancel,
    Party,
}

/// What friends told each other, not by way of the lobby.
#[derive(Clone, Copy, Debug)]
pub(super) struct Friends<'a> {
    /// How many they are.
    pub(super) size: usize,
    /// The code of their party, once its leader knows.
    pub(super) code: Option<&'a str>,
    /// The match that one of them was led to.
    pub(super) found: Option<MatchId>,
}

/// What follows from what was heard.
#[derive(Debug)]
pub(super) enum Heard {
    /// Nothing.
    Nothing,
    /// They are let in, or know more of their party: there may be something to ask.
    Goes,
    /// Their party has this code.
    Code(String),
    /// They wait.
    Queued,
    /// They have a match.
    Assigned(Assignment),
    /// They wait no longer.
    Unqueued(DisconnectReason),
    /// What they asked, or a match that they were promised, cannot be had.
    Refused(Option<Asked>),
}

/// A player.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) player: PlayerId,
    name: String,
    pub(super) is_leader: bool,
    pub(super) step: Step,
    /// They are connected; what follows is of this connection.
    is_connected: bool,
    is_in: bool,
    asked: VecDeque<Asked>,
    party: Option<(String, usize)>,
    /// A connection broke, or a match refused them: since then nobody told them that all is well.
    is_astray: bool,
    /// The match they were on the way to then.
    sought: Option<MatchId>,
}

impl Client {
    /// Somebody who wants nothing yet.
    pub(super) fn new(player: PlayerId, name: String, is_leader: bool) -> Self {
        Self {
            player,
            name,
            is_leader,
            step: Step::Rests,
            is_connected: false,
            is_in: false,
            asked: VecDeque::new(),
            party: None,
            is_astray: false,
            sought: None,
        }
    }

    /// They want a match, as their friends do.
    pub(super) fn want(&mut self) {
        self.step = Step::Wants;
        (self.is_astray, self.sought) = (false, None);
    }

    /// They connect, and say who they are.
    pub(super) fn connect(&mut self, game: GameVersion) -> LobbyRequest {
        (self.is_connected, self.is_in) = (true, false);
        self.asked = VecDeque::from([Asked::Enter]);
        self.party = None;
        let who = (&self.name).into();
        LobbyRequest::Authenticate { game, who, binding: [0; BINDING_BYTES] }
    }

    /// The connection is gone. Who played or was on the way there goes on with that.
    pub(super) fn cut(&mut self) {
        (self.is_connected, self.is_in, self.is_astray) = (false, false, true);
        self.asked.clear();
        self.party = None;
        if self.step == Step::Waits {
            self.step = Step::Wants;
        }
    }

    /// They came to the match and it was not there, or had no place: they look for it, and for another one then.
    pub(super) fn strayed(&mut self, from: Option<MatchId>) {
        self.step = Step::Wants;
        (self.is_astray, self.sought) = (true, from);
    }

    /// Whether they have a connection, let in or not.
    pub(super) fn is_connected(&self) -> bool {
        self.is_connected
    }

    /// Whether a connection broke lately, or a match was not there.
    pub(super) fn is_astray(&self) -> bool {
        self.is_astray
    }

    /// What they ask next, if there is something to ask and nothing is on its way.
    pub(super) fn ask(&mut self, friends: Friends<'_>) -> Option<LobbyRequest> {
        if self.step != Step::Wants || !self.is_in || !self.asked.is_empty() {
            return None;
        }
        let find = LobbyRequest::FindMatch { mode: MODE.to_owned() };
        let (asked, request) = if let Some(match_id) = self.sought.take().or(friends.found) {
            (Asked::Locate, LobbyRequest::Locate { match_id })
        } else if friends.size == 1 {
            (Asked::Find, find)
        } else {
            match (&self.party, friends.code) {
                // The others of a party ask for themselves only where they have reason to.
                (Some((code, size)), Some(common)) if code == common => {
                    let may_ask = *size == friends.size && (self.is_leader || self.is_astray);
                    may_ask.then_some((Asked::Find, find))?
                }
                (None, _) if self.is_leader => (Asked::Party, LobbyRequest::OpenParty),
                (_, Some(code)) if !self.is_leader => {
                    (Asked::Party, LobbyRequest::JoinParty { code: code.to_owned() })
                }
                _ => return None,
            }
        };
        self.asked.push_back(asked);
        Some(request)
    }

    /// They want to wait no longer.
    pub(super) fn cancel(&mut self) -> Option<LobbyRequest> {
        if self.step != Step::Waits || !self.is_in || !self.asked.is_empty() {
            return None;
        }
        self.asked.push_back(Asked::Cancel);
        Some(LobbyRequest::Cancel)
    }

    /// The lobby says something.
    pub(super) fn hear(&mut self, message: LobbyMessage) -> Heard {
        let (asked, reply) = match message {
            LobbyMessage::Answer(reply) => (self.asked.pop_front(), reply),
            LobbyMessage::News(reply) => (None, reply),
        };
        match reply {
            LobbyReply::Authenticated { .. } => {
                self.is_in = true;
                Heard::Goes
            }
            LobbyReply::Party(party) => {
                self.party = party.map(|party| (party.code, party.members.len()));
                match &self.party {
                    Some((code, _)) if self.is_leader => Heard::Code(code.clone()),
                    _ => Heard::Goes,
                }
            }
            LobbyReply::Queued(_) => {
                if self.step == Step::Wants {
                    self.step = Step::Waits;
                    self.is_astray = false;
                }
                Heard::Queued
            }
            LobbyReply::Assigned(assignment) => Heard::Assigned(assignment),
            LobbyReply::Unqueued { reason } => Heard::Unqueued(reason),
            LobbyReply::Refused { .. } => {
                // A match that was found and cannot be played: whoever waited for it asks again.
                if asked.is_none() && self.step == Step::Waits {
                    self.strayed(None);
                }
                Heard::Refused(asked)
            }
            LobbyReply::Left => Heard::Nothing,
        }
    }
}
