//! A session from its first welcome on: epochs, snapshots, inputs, and what is known of the match's time.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use matchkeep_shared::Game;
use matchkeep_shared::game::Input;
use matchkeep_shared::ids::{Epoch, MatchId, Slot};
use matchkeep_shared::limits::INPUTS_PER_DATAGRAM_MAX;
use matchkeep_shared::schema::Entity;
use matchkeep_shared::time::{Tick, TickRate};
use matchkeep_shared::wire::client::ClientDatagram;
use matchkeep_shared::wire::codec::CodecId;
use matchkeep_shared::wire::message::Welcome;
use matchkeep_shared::wire::snapshot::SnapshotHead;

use super::clock::TickClock;
use super::views::{Received, Views};
use super::{MatchEvent, ProtocolError, SessionCounts, SnapshotInfo};

/// After so long without a sign of life no more inputs are asked for: they would go nowhere.
const ASKS_WITHOUT_LIFE_MAX: Duration = Duration::from_secs(1);

pub(super) struct Playing<G: Game> {
    pub(super) match_id: MatchId,
    pub(super) slot: Slot,
    pub(super) epoch: Epoch,
    pub(super) rate: TickRate,
    pub(super) hold: Duration,
    pub(super) token: Vec<u8>,
    codec: CodecId,
    pub(super) views: Views,
    pub(super) clock: TickClock,
    /// The newest inputs, newest first.
    inputs: VecDeque<G::Input>,
    /// The tick of the newest input.
    newest_input: Option<Tick>,
    /// What the newest snapshot's head said.
    pub(super) newest: Option<SnapshotInfo>,
    pub(super) durable_highest: Option<Tick>,
    /// The last sign of life; the welcome is one.
    pub(super) heard: Instant,
    /// The last snapshot that was news.
    fresh: Instant,
    paused: bool,
    interruption: Option<Interruption>,
}

/// Nothing was heard for a while, or the connection ended.
struct Interruption {
    by_new_connection: bool,
}

impl<G: Game> Playing<G> {
    pub(super) fn new(now: Instant, welcome: Welcome) -> Self {
        Self {
            match_id: welcome.match_id,
            slot: welcome.slot,
            epoch: welcome.epoch,
            rate: welcome.rate,
            hold: Duration::from_millis(welcome.hold_ms.into()),
            token: welcome.token,
            codec: welcome.codec,
            views: Views::new(welcome.epoch, welcome.tick),
            clock: TickClock::new(welcome.rate, welcome.tick, now),
            inputs: VecDeque::with_capacity(INPUTS_PER_DATAGRAM_MAX + 1),
            newest_input: None,
            newest: None,
            durable_highest: None,
            heard: now,
            fresh: now,
            paused: false,
            interruption: None,
        }
    }

    /// Another connection leads to the same place.
    pub(super) fn come_back(
        &mut self,
        now: Instant,
        welcome: Welcome,
        events: &mut VecDeque<MatchEvent<G>>,
        counts: &mut SessionCounts,
    ) {
        self.enter_epoch(welcome.epoch, welcome.resumed, events, counts);
        self.interrupt(events, counts);
        if let Some(interruption) = &mut self.interruption {
            interruption.by_new_connection = true;
        }
        if self.slot != welcome.slot {
            // Whoever had that place before made its inputs.
            self.slot = welcome.slot;
            self.inputs.clear();
            self.newest_input = None;
        }
        self.rate = welcome.rate;
        self.codec = welcome.codec;
        self.hold = Duration::from_millis(welcome.hold_ms.into());
        self.token = welcome.token;
        // The server knows no baseline of the new connection and begins without one: what is held of this
        // epoch does no harm.
        self.views.come_near(welcome.tick);
        self.clock.resume(welcome.rate);
        self.heard = now;
    }

    /// Goes over to a higher epoch, in which the match goes on from `resumed`: what was known of the old
    /// one beyond that did not happen.
    pub(super) fn enter_epoch(
        &mut self,
        epoch: Epoch,
        resumed: Tick,
        events: &mut VecDeque<MatchEvent<G>>,
        counts: &mut SessionCounts,
    ) {
        if epoch <= self.epoch {
            return;
        }
        let from = self.views.newest_tick().map_or(resumed, |newest| newest.max(resumed));
        self.epoch = epoch;
        self.views.enter_epoch(epoch, resumed);
        self.inputs.clear();
        self.newest_input = None;
        self.clock.restart(resumed);
        events.retain(|event| match event {
            MatchEvent::Snapshot(_) => false,
            MatchEvent::Event { tick, .. } => *tick <= resumed,
            _ => true,
        });
        counts.ticks_rolled_back += from.since(resumed) as u64;
        events.push_back(MatchEvent::RolledBack { from, to: resumed });
    }

    pub(super) fn interrupt(
        &mut self,
        events: &mut VecDeque<MatchEvent<G>>,
        counts: &mut SessionCounts,
    ) {
        if self.interruption.is_none() {
            self.interruption = Some(Interruption { by_new_connection: false });
            counts.interruptions += 1;
            events.push_back(MatchEvent::Interrupted);
        }
    }

    pub(super) fn is_interrupted(&self) -> bool {
        self.interruption.is_some()
    }

    /// Takes a snapshot datagram in.
    pub(super) fn receive(
        &mut self,
        now: Instant,
        bytes: &[u8],
        events: &mut VecDeque<MatchEvent<G>>,
        counts: &mut SessionCounts,
    ) -> Result<(), ProtocolError> {
        match self.views.receive(G::Entity::KINDS, self.codec, bytes)? {
            Received::Newer { tick, head } => {
                counts.snapshots_received += 1;
                counts.snapshot_bytes += bytes.len() as u64;
                self.show_life(now, events, counts);
                self.set_paused(head.paused, events);
                self.take_in(now, tick, &head, events, counts);
            }
            Received::StandsStill => {
                counts.snapshots_received += 1;
                counts.snapshot_bytes += bytes.len() as u64;
                self.show_life(now, events, counts);
                self.set_paused(true, events);
            }
            Received::Older => {
                counts.snapshots_received += 1;
                counts.snapshot_bytes += bytes.len() as u64;
            }
            Received::UnknownEpoch => {
                counts.snapshots_of_unknown_epochs += 1;
                // The stream will tell; until then the server is there, and an interruption goes on.
                self.heard = now;
            }
            Received::Dropped => counts.snapshots_dropped += 1,
        }
        Ok(())
    }

    fn take_in(
        &mut self,
        now: Instant,
        tick: Tick,
        head: &SnapshotHead,
        events: &mut VecDeque<MatchEvent<G>>,
        counts: &mut SessionCounts,
    ) {
        let durable = head.durable_lag.map(|lag| tick - u64::from(lag));
        self.durable_highest = self.durable_highest.max(durable);
        let (epoch, state_hash) = (self.epoch, head.state_hash);
        let info = SnapshotInfo { epoch, tick, durable, state_hash, at: now };
        self.newest = Some(info);
        if !head.paused {
            counts.inputs_substituted += u64::from(head.feedback.substituted & 1);
            let feedback = self.newest_input.is_some().then_some(head.feedback);
            self.clock.observe(tick, now, feedback);
        }
        events.push_back(MatchEvent::Snapshot(info));
    }

    fn show_life(
        &mut self,
        now: Instant,
        events: &mut VecDeque<MatchEvent<G>>,
        counts: &mut SessionCounts,
    ) {
        if let Some(Interruption { by_new_connection }) = self.interruption.take() {
            let gap = now.saturating_duration_since(self.fresh);
            counts.reconnects += u64::from(by_new_connection);
            events.push_back(MatchEvent::Reconnected { gap, by_new_connection });
        }
        self.heard = now;
        self.fresh = now;
    }

    fn set_paused(&mut self, paused: bool, events: &mut VecDeque<MatchEvent<G>>) {
        if self.paused != paused {
            self.paused = paused;
            // How long it stood still says nothing of when its ticks are.
            self.clock.resume(self.rate);
            events.push_back(MatchEvent::Paused(paused));
        }
    }

    /// When the next input is due; `None` where none is asked for.
    pub(super) fn next_due(&self) -> Option<Instant> {
        let until = self.heard + ASKS_WITHOUT_LIFE_MAX;
        self.clock.next_due().filter(|due| !self.paused && *due <= until)
    }

    /// The next tick whose input is due, once.
    pub(super) fn poll_due(&mut self, now: Instant) -> Option<Tick> {
        self.next_due().filter(|due| *due <= now)?;
        self.clock.poll_due(now)
    }

    /// Says whether there is something to send, and appends it.
    pub(super) fn push_input(&mut self, tick: Tick, input: G::Input, out: &mut Vec<u8>) -> bool {
        // A datagram's inputs are of neighbouring ticks: where some were left out, the one before counts
        // for them, without its presses.
        let gap = self.newest_input.map_or(1, |newest| tick.since(newest));
        if gap < 1 {
            return false;
        }
        for _ in 1..gap.min(INPUTS_PER_DATAGRAM_MAX as i64) {
            if let Some(before) = self.inputs.front().copied() {
                self.inputs.push_front(before.held());
            }
        }
        self.inputs.push_front(input);
        self.inputs.truncate(INPUTS_PER_DATAGRAM_MAX);
        self.newest_input = Some(tick);
        let inputs = self.inputs.make_contiguous();
        ClientDatagram::new(self.epoch, self.views.ack(), tick, inputs).encode(out);
        true
    }
}
