//! What a session tells its player, and what it counts.

use std::time::{Duration, Instant};

use matchkeep_shared::Game;
use matchkeep_shared::game::Outcome;
use matchkeep_shared::ids::{Epoch, MatchId, PlayerId, Slot};
use matchkeep_shared::time::{Tick, TickRate};

/// What a match tells its player.
#[derive(Debug)]
pub enum MatchEvent<G: Game> {
    /// The player is in. Told again only where the way back led to another place of the match, because
    /// the first one was lost; a way back to the same place is [`MatchEvent::Reconnected`].
    Joined(Box<Joined<G>>),
    /// A newer snapshot is there; see [`MatchSession::snapshot`](super::MatchSession::snapshot).
    Snapshot(SnapshotInfo),
    /// Time to make the input for this tick and hand it to
    /// [`MatchSession::push_input`](super::MatchSession::push_input).
    InputDue(Tick),
    /// Something happened in the match.
    Event {
        /// In the step of this tick.
        tick: Tick,
        /// What it was.
        event: G::Event,
    },
    /// The match was restarted: what is known beyond `to` did not happen.
    RolledBack {
        /// The newest tick seen before; `to` where none beyond it was.
        from: Tick,
        /// The tick the match goes on from.
        to: Tick,
    },
    /// Nothing was heard for a while, or the connection ended: the way back is being tried.
    Interrupted,
    /// Snapshots come again.
    Reconnected {
        /// From the last sign of life to the first one now.
        gap: Duration,
        /// Whether they come over a new connection; else the old one recovered.
        by_new_connection: bool,
    },
    /// The match stands still (`true`) and asks for no inputs, or goes on.
    Paused(bool),
    /// Whoever runs the server says this to the players of the match. What was said while the connection
    /// was lost is not said again.
    Notice(String),
    /// The match is over and its result is stored.
    Ended {
        /// The last tick.
        tick: Tick,
        /// How it ended.
        outcome: Outcome,
    },
}

/// What a player knows on joining.
#[derive(Clone, Debug)]
pub struct Joined<G: Game> {
    /// The match.
    pub match_id: MatchId,
    /// The player's account.
    pub player: PlayerId,
    /// The player's place.
    pub slot: Slot,
    /// How fast the match ticks.
    pub rate: TickRate,
    /// The steps made so far.
    pub tick: Tick,
    /// The game's configuration: the map and the like.
    pub config: G::Config,
}

/// What the head of a snapshot said.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SnapshotInfo {
    /// The epoch it belongs to.
    pub epoch: Epoch,
    /// The tick after whose step it was taken.
    pub tick: Tick,
    /// All up to this tick was on the server's stable storage; `None` where the match keeps no journal.
    pub durable: Option<Tick>,
    /// A hash of the whole state at this tick, where the server was told to send it.
    pub state_hash: Option<u64>,
    /// When it arrived.
    pub at: Instant,
}

/// What passed between this client and the server.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct SessionCounts {
    /// Inputs made, one a tick.
    pub inputs_sent: u64,
    /// Snapshot datagrams received and decoded.
    pub snapshots_received: u64,
    /// Bytes of those.
    pub snapshot_bytes: u64,
    /// Snapshots dropped: of an old epoch, or against a baseline that is gone.
    pub snapshots_dropped: u64,
    /// Snapshots dropped because they are of an epoch that the client was not told of.
    pub snapshots_of_unknown_epochs: u64,
    /// Ticks of which the server said that their input was missing.
    pub inputs_substituted: u64,
    /// Times that nothing was heard for a while, or the connection ended.
    pub interruptions: u64,
    /// Times that a new connection brought the player back.
    pub reconnects: u64,
    /// Ticks seen that did not happen after all, because the match was restarted before them.
    pub ticks_rolled_back: u64,
}

impl SessionCounts {
    /// Adds what passed between another client and the server.
    pub fn add(&mut self, other: &Self) {
        self.inputs_sent += other.inputs_sent;
        self.snapshots_received += other.snapshots_received;
        self.snapshot_bytes += other.snapshot_bytes;
        self.snapshots_dropped += other.snapshots_dropped;
        self.snapshots_of_unknown_epochs += other.snapshots_of_unknown_epochs;
        self.inputs_substituted += other.inputs_substituted;
        self.interruptions += other.interruptions;
        self.reconnects += other.reconnects;
        self.ticks_rolled_back += other.ticks_rolled_back;
    }
}
