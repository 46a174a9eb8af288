//! A client that plays by the rules, over the transport that games use.

use std::collections::BTreeMap;
use std::time::Duration;

use matchkeep_client::netcode::{Joined, MatchEvent, SessionCounts};
use matchkeep_client::transport::{ClientError, MatchClient, Return};
use matchkeep_shared::arena::{Arena, ArenaInput};
use matchkeep_shared::game::Outcome;
use matchkeep_shared::ids::{MatchId, Slot};
use matchkeep_shared::time::Tick;
use matchkeep_shared::wire::lobby::Assignment;
use tokio::time::Instant;

use crate::server::TestServer;
use crate::within;

/// How long a join may take on a busy machine, in seconds.
const JOIN_SECONDS: u64 = 20;

/// A player in a match.
pub struct Player {
    client: MatchClient<Arena>,
    joined: Joined<Arena>,
    /// The ticks of the snapshots seen, and how far apart they were.
    pub seen: Seen,
    /// For how long no snapshots came, each time that they came again.
    pub gaps: Vec<Duration>,
    /// How the match ended, once the player was told.
    pub outcome: Option<Outcome>,
    /// The hash of the whole state at each tick, where the server tells it.
    pub hashes: BTreeMap<Tick, u64>,
    /// Each time that the match stood still or went on: which, and the newest tick seen before.
    pub pauses: Vec<(bool, Option<Tick>)>,
    /// What whoever runs the server said.
    pub notices: Vec<String>,
}

/// Which snapshots came.
#[derive(Clone, Copy, Debug, Default)]
pub struct Seen {
    /// The newest.
    pub newest: Option<Tick>,
    /// Newer ones than all before them.
    pub snapshots: u64,
    /// The widest distance between two that followed each other, in ticks.
    pub widest_gap: i64,
}

impl Player {
    /// Goes through the lobby into a match of the mode.
    ///
    /// # Panics
    /// Where the way is barred.
    pub async fn join(server: &TestServer, name: &str, mode: &str) -> Self {
        let place = server.place(name, mode).await;
        Self::join_at(place).await.expect("the shard lets the player in")
    }

    /// Goes where an assignment says; the end of the connection will be the end.
    ///
    /// # Errors
    /// What the shard says.
    pub async fn join_at(place: Assignment) -> Result<Self, ClientError> {
        Self::join_to_return(place, Return::Never).await
    }

    /// Goes where an assignment says, and comes back this way.
    ///
    /// # Errors
    /// What the shard says.
    pub async fn join_to_return(place: Assignment, way: Return) -> Result<Self, ClientError> {
        within(JOIN_SECONDS, "joining", async {
            let mut client = MatchClient::<Arena>::join(place, way).await?;
            loop {
                // A snapshot can overtake nothing here: before the welcome the session says nothing.
                if let MatchEvent::Joined(joined) = client.next().await? {
                    let seen = Seen::default();
                    let (joined, gaps) = (*joined, Vec::new());
                    return Ok(Self {
                        client,
                        joined,
                        seen,
                        gaps,
                        outcome: None,
                        hashes: BTreeMap::new(),
                        pauses: Vec::new(),
                        notices: Vec::new(),
                    });
                }
            }
        })
        .await
    }

    /// The player's place.
    pub fn slot(&self) -> Slot {
        self.joined.slot
    }

    /// The match.
    pub fn match_id(&self) -> MatchId {
        self.joined.match_id
    }

    /// What passed between player and server.
    pub fn counts(&self) -> SessionCounts {
        self.client.counts()
    }

    /// The connection and the newest snapshot.
    pub fn client(&self) -> &MatchClient<Arena> {
        &self.client
    }

    /// Plays for a while: runs in circles and fires.
    ///
    /// # Errors
    /// Why the match ended for this player before that.
    pub async fn play(&mut self, time: Duration) -> Result<(), ClientError> {
        let until = Instant::now() + time;
        loop {
            match tokio::time::timeout_at(until, self.client.next()).await {
                Ok(event) => self.take(event?),
                Err(_) => return Ok(()),
            }
        }
    }

    /// Plays until the server ends it, and says why it did.
    ///
    /// # Panics
    /// Where it does not within `seconds`.
    pub async fn play_to_the_end(&mut self, seconds: u64) -> ClientError {
        let play = async {
            loop {
                match self.client.next().await {
                    Ok(event) => self.take(event),
                    Err(error) => return error,
                }
            }
        };
        within(seconds, "the end of the match", play).await
    }

    /// Plays until the result is told.
    ///
    /// # Panics
    /// Where it is not within `seconds`, or the connection ends before.
    pub async fn play_to_the_result(&mut self, seconds: u64) -> (Tick, Outcome) {
        let play = async {
            loop {
                match self.client.next().await.expect("the result comes before the end") {
                    MatchEvent::Ended { tick, outcome } => return (tick, outcome),
                    event => self.take(event),
                }
            }
        };
        within(seconds, "the result", play).await
    }

    fn take(&mut self, event: MatchEvent<Arena>) {
        match event {
            MatchEvent::InputDue(tick) => {
                let yaw = (tick.0 * 200) as u16;
                let input = ArenaInput { yaw, forward: 127, fire: true, ..ArenaInput::default() };
                self.client.send_input(tick, input);
            }
            MatchEvent::Snapshot(info) => {
                self.seen.note(info.tick);
                self.hashes.extend(info.state_hash.map(|hash| (info.tick, hash)));
            }
            MatchEvent::Paused(paused) => self.pauses.push((paused, self.seen.newest)),
            MatchEvent::Notice(text) => self.notices.push(text),
            MatchEvent::Reconnected { gap, .. } => self.gaps.push(gap),
            MatchEvent::Ended { outcome, .. } => self.outcome = Some(outcome),
            MatchEvent::Joined(_)
            | MatchEvent::Event { .. }
            | MatchEvent::RolledBack { .. }
            | MatchEvent::Interrupted => {}
        }
    }

    /// Gives up the place and says goodbye.
    pub async fn leave(self) {
        self.client.leave().await;
    }

    /// Goes without a word about the place, as a lost network would.
    pub fn abandon(self) {
        self.client.abandon();
    }
}

impl Seen {
    fn note(&mut self, tick: Tick) {
        if let Some(before) = self.newest {
            self.widest_gap = self.widest_gap.max(tick.since(before));
        }
        self.newest = Some(tick);
        self.snapshots += 1;
    }
}
