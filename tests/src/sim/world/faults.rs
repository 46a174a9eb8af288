//! What goes wrong, when its time has come: ends of the process, and everything else of the plan.

use std::collections::BTreeMap;
use std::time::Duration;

use matchkeep_server::journal::Writer;
use matchkeep_server::matches::incident::{Incident, IncidentCause};
use matchkeep_server::shard::message::Command;
use matchkeep_server::shard::order::{Order, Ordered};
use matchkeep_shared::disconnect::DisconnectReason;
use matchkeep_shared::ids::MatchId;
use matchkeep_shared::limits::HUNG_TICK_MAX;
use matchkeep_shared::time::Tick;
use tokio::sync::oneshot;

use super::{EarlyEnd, Event, World};
use crate::memory_journal::MemoryJournal;
use crate::sim::audit;
use crate::sim::plan::{End, Fault, Weather, Wish};
use crate::sim::witness::Invariant;

/// A writer that is over looks again after this whether the next process is at work.
const STALE_AGAIN: Duration = Duration::from_millis(300);
/// From the end of a process to the next one, in milliseconds.
const DOWN_MS: std::ops::Range<u32> = 60..700;

impl World {
    /// The process is gone, and with it all that was not written.
    pub(super) fn end_process(&mut self) {
        let Some(node) = self.node.take() else { return };
        if !node.is_ready {
            self.tally.count("crash_in_recovery");
        }
        let process = self.process;
        self.note(format_args!("process {process} ends"));
        let down = DOWN_MS.start + self.rng.below(DOWN_MS.end - DOWN_MS.start);
        let next = self.now + Duration::from_millis(down.into());
        self.at(next, Event::Start);
        // Something of it was only stopped, and writes on when the next one is at work.
        if self.rng.below(2) == 0 && !self.machine.disk.is_off() {
            let mut store = node.store;
            for item in store.items.drain(..) {
                store.writer.push(item);
            }
            if store.writer.has_pending() && store.writer.broken().is_none() {
                let later = next + Duration::from_millis(self.rng.below(900).into());
                self.at(later, Event::StaleWriter(Box::new(store.writer)));
            }
        }
    }

    pub(super) fn write_stale(&mut self, mut writer: Writer) {
        // The folder's lock keeps a second process from reading before the first is gone; what a lost
        // lock lets through comes later.
        if !self.node.as_ref().is_some_and(|node| node.is_ready) {
            self.at(self.now + STALE_AGAIN, Event::StaleWriter(Box::new(writer)));
            return;
        }
        let journal = MemoryJournal::open_beside(&self.machine.disk);
        let Some(mut journal) = journal else { return };
        let mine: Vec<MatchId> = writer.matches().collect();
        // Where the next process has not claimed the match yet, what comes late still counts.
        let epochs: BTreeMap<MatchId, _> =
            mine.iter().map(|id| (*id, audit::epoch_of(&journal, *id))).collect();
        let report = writer.flush(&mut journal);
        if report.trouble.is_some() {
            return;
        }
        for durable in &report.durable {
            let known = self.witness.of(durable.match_id);
            let claimed = known.epoch;
            let stale = durable.epoch < claimed
                || epochs.get(&durable.match_id).copied().flatten() != Some(durable.epoch);
            self.witness.check(!stale, Invariant::OneWriter, || {
                format!("frames of epoch {} were taken of a process that is over", durable.epoch)
            });
            self.witness.acknowledged(
                durable.match_id,
                durable.epoch,
                durable.tick,
                durable.is_finished,
                None,
            );
        }
        for (match_id, epoch) in &report.claimed {
            self.witness.claimed(*match_id, *epoch);
        }
        self.tally.add("stale_writer", report.refused.len() as u64);
    }

    pub(super) fn fail(&mut self, fault: Fault) {
        let now = self.now;
        self.note(format_args!("{fault:?}"));
        match fault {
            Fault::End(end) => self.end(end),
            Fault::NextEnds { end, turns } => {
                self.early_end = Some(EarlyEnd { behind: self.process, end, turns });
            }
            Fault::Order { player, wish } => self.order(player, wish),
            Fault::Curse { player } => {
                let players = self.clients.iter_mut().flat_map(|client| &mut client.players);
                for found in players.filter(|found| found.number == player) {
                    found.is_cursed = true;
                }
            }
            Fault::Partition { client, up, down, lasts } => {
                let index = client % self.clients.len();
                let client = &mut self.clients[index];
                if up {
                    client.cut_up = Some(now + lasts);
                }
                if down {
                    client.cut_down = Some(now + lasts);
                }
                if up && down {
                    self.tally.count("partition_both_ways");
                }
            }
            Fault::DiskFull { lasts } => {
                self.tally.count("disk_full");
                self.machine.disk.set_room(Some(self.machine.disk.bytes()));
                self.machine.directory.set_full(true);
                self.at(now + lasts, Event::DiskHasRoom);
            }
            Fault::DiskBusy { calls } => {
                self.tally.count("disk_busy");
                self.machine.disk.stall(calls);
            }
            Fault::SlowDisk { flush, lasts } => {
                self.tally.count("slow_disk");
                self.set_slow(Some(flush));
                self.at(now + lasts, Event::DiskIsFast);
            }
            Fault::ShardStall { shard, lasts } => {
                if let Some(node) = &mut self.node {
                    self.tally.count("shard_stall");
                    let shards = node.shards.len();
                    node.shards[shard % shards].stall(now + lasts);
                }
            }
            Fault::ClientStall { client, lasts } => {
                self.tally.count("client_stall");
                let clients = self.clients.len();
                self.clients[client % clients].sleep(now + lasts);
            }
            Fault::Leave { player } | Fault::Abandon { player } => {
                let leaves = matches!(fault, Fault::Leave { .. });
                for client in &mut self.clients {
                    let found = client.players.iter().position(|found| found.number == player);
                    let Some(index) = found.filter(|i| client.players[*i].key.is_some()) else {
                        continue;
                    };
                    self.tally.count(if leaves { "player_left" } else { "player_abandoned" });
                    if leaves { client.leave(now, index) } else { client.abandon(now, index) }
                }
            }
        }
    }

    pub(super) fn end(&mut self, end: End) {
        let now = self.now;
        let Some(node) = &mut self.node else { return };
        match end {
            End::Kill => {
                self.tally.count("process_killed");
                self.end_process();
            }
            End::PowerCut => {
                self.tally.count("power_cut");
                self.machine.disk.cut();
                self.end_process();
            }
            End::CutInFlush { steps } => self.machine.disk.cut_after(steps),
            End::FailedSync => self.machine.disk.fail_next_sync(),
            End::Orderly => {
                if !node.is_stopping() {
                    self.tally.count("orderly_stop");
                    node.shut_down(now, DisconnectReason::ServerShutdown);
                }
            }
            End::Hang => {
                let due = node.shards.iter().position(|shard| shard.core.due_tick().is_some());
                let Some(shard) = due else { return };
                let Some((match_id, tick)) = node.shards[shard].core.due_tick() else { return };
                self.tally.count("hung_step");
                node.shards[shard].stall(now + 2 * HUNG_TICK_MAX);
                let process = self.process;
                self.at(now + HUNG_TICK_MAX, Event::Watchdog { process, match_id, tick });
            }
        }
    }

    /// A process that is to end while it recovers has had a turn.
    pub(super) fn end_early(&mut self) {
        let Some(early) = &mut self.early_end else { return };
        if self.process <= early.behind {
            return;
        }
        if early.turns > 0 {
            early.turns -= 1;
            return;
        }
        let end = early.end;
        self.early_end = None;
        self.note(format_args!("early: {end:?}"));
        self.end(end);
    }

    /// The operator wants something of the match that a player is in.
    fn order(&mut self, number: usize, wish: Wish) {
        let players = self.clients.iter().flat_map(|client| &client.players);
        let places = players.filter(|player| player.number == number);
        let Some((match_id, player)) = places.filter_map(|player| player.place()).next() else {
            return;
        };
        let order = match wish {
            Wish::Say => Order::Say { text: "hello".to_owned() },
            Wish::Kick => Order::Kick { player },
            Wish::Pause { .. } => Order::Pause,
            Wish::End => Order::End { reason: "an order".to_owned() },
        };
        if self.carry_out(match_id, order).is_none() {
            return;
        }
        match wish {
            Wish::Say => self.tally.count("match_told"),
            Wish::Kick => {
                self.tally.count("player_kicked");
                self.clients.iter_mut().for_each(|client| client.may_be_kicked(number));
            }
            Wish::End => self.tally.count("match_ended_by_order"),
            Wish::Pause { lasts } => {
                self.tally.count("match_paused");
                self.at(self.now + lasts, Event::Resume(match_id));
            }
        }
    }

    /// Where the process that paused it is gone, so is the pause.
    pub(super) fn resume(&mut self, match_id: MatchId) {
        self.carry_out(match_id, Order::Resume);
    }

    /// Nothing comes of it where no shard plays the match.
    fn carry_out(&mut self, match_id: MatchId, order: Order) -> Option<Ordered> {
        let text = format!("{order:?}");
        let (now, node) = (self.now, self.node.as_mut()?);
        let mut shards = node.shards.iter_mut();
        let shard = shards.find(|shard| shard.core.match_of(match_id).is_some())?;
        let (reply, mut answer) = oneshot::channel();
        shard.core.handle_command(now, Command::Order { match_id, order, reply });
        let answer = answer.try_recv().ok()?;
        self.note(format_args!("{match_id} {text}: {:?}", answer.as_ref().err()));
        answer.ok()
    }

    pub(super) fn bark(&mut self, process: u32, match_id: MatchId, tick: Tick) {
        if self.process != process || self.node.is_none() {
            return;
        }
        let text = "the step did not come back".to_owned();
        let incident = Incident { cause: IncidentCause::Hung, tick, text, suspect: Vec::new() };
        // One note: a later one takes its place.
        self.machine.hung = BTreeMap::from([(match_id, incident)]);
        *self.witness.of(match_id).deaths.entry(tick).or_default() += 1;
        self.end_process();
    }

    pub(super) fn set_slow(&mut self, slow: Option<Duration>) {
        self.slow = slow;
        if let Some(node) = &mut self.node {
            node.store.slow = slow;
        }
    }

    /// Nothing fails from here on.
    pub(super) fn calm(&mut self) {
        self.note(format_args!("calm"));
        self.network.weather = Weather::calm();
        self.machine.disk.cut_after(u64::MAX / 2);
        self.machine.disk.stall(0);
        self.happen(Event::DiskHasRoom);
        self.set_slow(None);
        let matches: Vec<MatchId> = self.witness.matches.keys().copied().collect();
        matches.into_iter().for_each(|match_id| self.resume(match_id));
        self.early_end = None;
        for client in &mut self.clients {
            (client.cut_up, client.cut_down) = (None, None);
            client.players.iter_mut().for_each(|player| player.is_cursed = false);
        }
    }
}
