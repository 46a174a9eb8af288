//! One process of the node, played: what `node.rs` puts together and `control.rs` carries between the cores.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use matchkeep_server::control::LobbySaid;
use matchkeep_server::control::core::{
    ControlAction, ControlConfig, ControlCore, Note, StoreFailed, StoreRequest,
};
use matchkeep_server::identity::EndpointRole;
use matchkeep_server::journal::{
    JournalError, JournalItem, JournalReader, JournalReport, WhyRefused,
};
use matchkeep_server::lobby::core::{ConnectionKey, Lobby, LobbyConfig, ModeEntry, ShardEntry};
use matchkeep_server::matches::incident::Incident;
use matchkeep_server::matchmaking::LobbyId;
use matchkeep_server::recovery::gather;
use matchkeep_server::settings::Mode;
use matchkeep_server::shard::core::Core;
use matchkeep_server::shard::message::{Command, ShardEvent};
use matchkeep_server::store::Directory;
use matchkeep_shared::disconnect::DisconnectReason;
use matchkeep_shared::ids::{Epoch, MatchId, ShardId};
use matchkeep_shared::rng::Rng;
use matchkeep_shared::wire::lobby::LobbyRequest;
use matchkeep_shared::wire::message::GameVersion;

use super::directory::{DirectoryDisk, MemoryDirectory};
use super::game::{Fragile, FragileConfig};
use super::quic::{core_config, identity};
use super::shard::{Shard, Turn};
use super::store::{Said, Store};
use super::witness::{Invariant, Witness};
use crate::memory_journal::{MemoryDisk, MemoryJournal};

/// As in the real shell.
const HOUSEKEEPING: Duration = Duration::from_millis(250);
const RESULTS_WITHIN: Duration = Duration::from_secs(10);
/// At most so long a command is under way to a shard's thread, in microseconds.
const COMMAND_US_MAX: u32 = 1_500;
/// The first shard's port.
pub const SHARD_PORT: u16 = 7778;

/// What processes leave behind.
#[derive(Clone, Debug)]
pub struct Machine {
    /// The journal's disk.
    pub disk: MemoryDisk,
    /// The directory's.
    pub directory: DirectoryDisk,
    /// What a watchdog noted.
    pub hung: BTreeMap<MatchId, Incident>,
}

/// What every process is told.
#[derive(Clone)]
pub struct Settings {
    /// Everything that chance decides in it follows from this.
    pub seed: u64,
    /// Which process this is.
    pub process: u32,
    /// How many shards.
    pub shards: usize,
    /// The modes.
    pub modes: Vec<Mode<FragileConfig>>,
    /// When it begins.
    pub now: Instant,
    /// What the wall clock shows then, in milliseconds of Unix time.
    pub unix_ms: u64,
}

/// What became of a process in a turn.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fate {
    /// It runs.
    Running,
    /// It ended; whether everything was written.
    Ended {
        /// Everything was.
        is_clean: bool,
    },
    /// The power was cut in the middle of a write.
    Dead,
}

/// A process.
pub struct Node {
    process: u32,
    started: Instant,
    unix_ms: u64,
    rng: Rng,
    pub(super) shards: Vec<Shard>,
    pub(super) store: Store,
    pub(super) control: ControlCore<Fragile>,
    reports: VecDeque<(ShardId, ShardEvent)>,
    news: VecDeque<Said>,
    unjournaled: VecDeque<JournalItem>,
    requests: VecDeque<(ConnectionKey, LobbyRequest)>,
    /// Connections to this process's lobby.
    connected: BTreeSet<u64>,
    /// What the lobby answers.
    pub answers: Vec<(ConnectionKey, LobbySaid)>,
    housekeeping: Instant,
    stop: Option<Stop>,
    /// Whether players may come.
    pub is_ready: bool,
    /// Whether the watchdog's note of an earlier process is still there.
    pub has_note: bool,
    /// Whether something failed that may leave frames unwritten.
    pub had_trouble: bool,
    disk: MemoryDisk,
    directory: DirectoryDisk,
}

struct Stop {
    is_orderly: bool,
    results_by: Option<Instant>,
}

/// Two draws as one number.
pub(super) fn wide(rng: &mut Rng) -> u64 {
    u64::from(rng.next_u32()) << 32 | u64::from(rng.next_u32())
}

impl Node {
    /// A process begins with what the ones before left; `None` where it does not come up.
    pub fn start(settings: &Settings, machine: &Machine, witness: &mut Witness) -> Option<Self> {
        let mut rng = Rng::new(settings.seed ^ u64::from(settings.process) << 32);
        let journal = MemoryJournal::open(&machine.disk);
        let mut journaled = BTreeSet::new();
        journal
            .list(None, &mut |entry| {
                journaled.insert(entry.match_id);
            })
            .ok()?;
        let mut directory = MemoryDirectory::open(&machine.directory, journaled);
        let recovered =
            gather::<Fragile>(&journal, &directory, &machine.hung, settings.unix_ms).ok()?;
        for returning in &recovered.matches {
            witness.check_tick(returning.spec.id, returning.journal.tick());
        }
        for (match_id, why) in &recovered.quarantined {
            witness.set_aside(*match_id, why);
        }
        directory.begin().ok()?;
        directory.interrupt_running().ok()?;
        directory.commit().ok()?;
        let store = Store::new(journal, directory, wide(&mut rng));
        let shard = |id: usize| ShardId(id as u16);
        let shards: Vec<_> = (0..settings.shards)
            .map(|id| Shard::new(Core::new(core_config(settings.now, shard(id), &mut rng))))
            .collect();
        let entry = |id: usize| ShardEntry {
            shard: shard(id),
            port: SHARD_PORT + id as u16,
            fingerprint: identity().fingerprint(EndpointRole::Shard(shard(id))).0,
        };
        let mode =
            |mode: &Mode<FragileConfig>| ModeEntry { name: mode.name.clone(), rules: mode.rules };
        let mut random = Rng::new(wide(&mut rng));
        let lobby = Lobby::new(LobbyConfig {
            lobby: LobbyId(0),
            game: GameVersion::of::<Fragile>(),
            modes: settings.modes.iter().map(mode).collect(),
            shards: (0..settings.shards).map(entry).collect(),
            address: Some(super::world::SERVER_IP),
            signer: identity().ticket_signer(),
            provider: None,
            random: Box::new(move || wide(&mut random)),
        });
        let config = ControlConfig {
            lobby,
            modes: settings.modes.clone(),
            shards: (0..settings.shards).map(shard).collect(),
            is_journaled: true,
        };
        Some(Self {
            process: settings.process,
            started: settings.now,
            unix_ms: settings.unix_ms,
            rng,
            shards,
            store,
            control: ControlCore::new(config, recovered, settings.unix_ms),
            reports: VecDeque::new(),
            news: VecDeque::new(),
            unjournaled: VecDeque::new(),
            requests: VecDeque::new(),
            connected: BTreeSet::new(),
            answers: Vec::new(),
            housekeeping: settings.now,
            stop: None,
            is_ready: false,
            has_note: true,
            had_trouble: false,
            disk: machine.disk.clone(),
            directory: machine.directory.clone(),
        })
    }

    /// The wall clock of this process: it is read once and carried on.
    pub fn unix_ms(&self, now: Instant) -> u64 {
        self.unix_ms + (now - self.started).as_millis() as u64
    }

    /// A datagram for a shard.
    pub fn receive(&mut self, shard: usize, from: SocketAddr, bytes: Vec<u8>) {
        if let Some(shard) = self.shards.get_mut(shard) {
            shard.receive(from, bytes);
        }
    }

    /// A request to the lobby. What comes over a connection to the process before reaches nobody.
    pub fn ask(&mut self, from: ConnectionKey, request: LobbyRequest) {
        if matches!(request, LobbyRequest::Authenticate { .. }) {
            self.connected.insert(from.0);
        }
        if self.stop.is_none() && self.connected.contains(&from.0) {
            self.requests.push_back((from, request));
        }
    }

    /// Whether it is on its way out.
    pub fn is_stopping(&self) -> bool {
        self.stop.is_some()
    }

    /// Tells every player, writes what there is, ends.
    pub fn shut_down(&mut self, now: Instant, reason: DisconnectReason) {
        if self.stop.is_none() {
            let is_orderly = reason == DisconnectReason::ServerShutdown;
            self.stop = Some(Stop { is_orderly, results_by: None });
            for shard in &mut self.shards {
                shard.command(now, Command::Shutdown(reason));
            }
        }
    }

    /// When there is something to do.
    pub fn wake(&mut self, now: Instant) -> Instant {
        let waits = !self.reports.is_empty() || !self.news.is_empty() || !self.requests.is_empty();
        if waits || !self.is_begun() {
            return now;
        }
        let shards = self.shards.iter_mut().filter_map(|shard| shard.wake(now)).min();
        let wakes = [shards, self.store.wake(now), Some(self.housekeeping)];
        wakes.into_iter().flatten().min().unwrap_or(self.housekeeping)
    }

    fn is_begun(&self) -> bool {
        self.housekeeping > self.started
    }

    /// Everything that is due now, thread by thread.
    pub fn turn(&mut self, turn: &mut Turn<'_>) -> Fate {
        turn.unix_ms = self.unix_ms(turn.now);
        turn.process = self.process;
        for shard in &mut self.shards {
            shard.turn(turn, &mut self.store, &mut self.reports);
        }
        let said = self.store.turn(turn.now);
        if self.disk.is_off() {
            // Nobody hears what a machine without power would say; a failed sync is heard of.
            let is_cut = |report: &JournalReport| match &report.trouble {
                Some(JournalError::Broken { cause }) => !cause.contains("EIO"),
                _ => false,
            };
            if !said.reports.iter().any(|report| !is_cut(report)) && self.stop.is_none() {
                return Fate::Dead;
            }
        }
        self.hear_store(turn, said);
        if let Err(error) = self.run_control(turn) {
            turn.trace.note(turn.at, format_args!("control ends: {error}"));
            self.had_trouble = true;
            if self.stop.is_none() {
                self.shut_down(turn.now, DisconnectReason::StorageFailed);
            }
        }
        if self.stop.is_some() { self.go_down(turn) } else { Fate::Running }
    }

    /// What the store says is seen by the witness before anybody can act on it.
    fn hear_store(&mut self, turn: &mut Turn<'_>, mut said: Said) {
        for report in &mut said.reports {
            let epochs: BTreeMap<MatchId, Epoch> = report
                .durable
                .iter()
                .map(|durable| (durable.match_id, turn.witness.of(durable.match_id).epoch))
                .collect();
            for (match_id, epoch) in &report.claimed {
                turn.trace.note(turn.at, format_args!("claimed {match_id} {epoch}"));
                turn.witness.claimed(*match_id, *epoch);
            }
            for durable in &report.durable {
                let (id, epoch, tick) = (durable.match_id, durable.epoch, durable.tick);
                turn.trace.note(turn.at, format_args!("durable {id} {epoch} {tick}"));
                let before = epochs.get(&id).copied();
                turn.witness.acknowledged(id, epoch, tick, durable.is_finished, before);
            }
            for refused in &report.refused {
                let is_aside = turn.witness.of(refused.match_id).is_aside;
                let is_defect = !is_aside || matches!(refused.why, WhyRefused::Defect(_));
                turn.witness.check(!is_defect, Invariant::OneWriter, || format!("{refused:?}"));
            }
            if let Some(trouble) = &report.trouble {
                self.had_trouble = true;
                turn.trace.note(turn.at, format_args!("journal: {trouble}"));
            }
            for (shard, ticks) in report.take_ticks() {
                let late = Duration::from_micros(self.rng.below(COMMAND_US_MAX).into());
                self.shards[usize::from(shard.0)].tell(turn.now + late, ticks);
            }
        }
        if !said.reports.is_empty() || !said.answers.is_empty() {
            self.news.push_back(said);
        }
    }

    fn run_control(&mut self, turn: &mut Turn<'_>) -> Result<(), StoreFailed> {
        let unix_ms = turn.unix_ms;
        let mut outcome = Ok(());
        while let Some(said) = self.news.pop_front() {
            for report in said.reports {
                outcome = outcome.and(self.control.handle_journal(unix_ms, report));
            }
            for answer in said.answers {
                outcome = outcome.and(self.control.handle_store(unix_ms, answer));
            }
        }
        while let Some((shard, event)) = self.reports.pop_front() {
            self.control.handle_report(unix_ms, shard, event);
        }
        while let Some((from, request)) = self.requests.pop_front() {
            self.control.handle_request(unix_ms, from, request);
        }
        if turn.now >= self.housekeeping {
            self.housekeeping = turn.now + HOUSEKEEPING;
            self.control.handle_time(unix_ms);
        }
        self.act(turn);
        outcome
    }

    fn act(&mut self, turn: &mut Turn<'_>) {
        while let Some(action) = self.control.poll_action() {
            match action {
                ControlAction::Say { to, said } => self.answers.push((to, said)),
                ControlAction::ToShard { shard, command } => {
                    self.note_command(turn, &command);
                    let late = Duration::from_micros(self.rng.below(COMMAND_US_MAX).into());
                    self.shards[usize::from(shard.0)].command(turn.now + late, command);
                }
                ControlAction::ToStore(request) => {
                    if let StoreRequest::Note(Note::Quarantine { match_id, why }) = &request {
                        turn.witness.set_aside(*match_id, why);
                    }
                    self.store.ask(request);
                }
                ControlAction::ToJournal(item) => self.unjournaled.push_back(item),
                ControlAction::Making { .. } => {}
                ControlAction::ForgetNote => self.has_note = false,
                ControlAction::Ready => {
                    turn.trace.note(turn.at, format_args!("ready"));
                    self.is_ready = true;
                }
            }
        }
        while let Some(item) = self.unjournaled.pop_front() {
            if let Err(item) = self.store.hand_over(turn.now, None, item) {
                self.unjournaled.push_front(item);
                break;
            }
        }
    }

    /// A result is told from here on: it must be found wherever it is looked for.
    fn note_command(&self, turn: &mut Turn<'_>, command: &Command<Fragile>) {
        if let Command::ResultDurable { match_id } = command {
            let is_stored = self.directory.result(*match_id).is_some();
            turn.witness.check(is_stored, Invariant::ResultsDurable, || {
                format!("match {match_id}: its result is to be told and is not stored")
            });
        }
    }

    /// As control's `stop`: shards first, then results, then the store.
    fn go_down(&mut self, turn: &mut Turn<'_>) -> Fate {
        let Some(stop) = &mut self.stop else { return Fate::Running };
        if !self.shards.iter().all(|shard| shard.has_ended) {
            return Fate::Running;
        }
        let by = *stop.results_by.get_or_insert(turn.now + RESULTS_WITHIN);
        let is_orderly = stop.is_orderly;
        if is_orderly && self.control.has_pending_results() && turn.now < by {
            return Fate::Running;
        }
        self.act(turn);
        let waits = !self.unjournaled.is_empty();
        let (said, is_written) = self.store.close(turn.now);
        self.hear_store(turn, said);
        Fate::Ended { is_clean: is_orderly && is_written && !waits }
    }
}
