//! The world: virtual time, packets under way, power, and whose turn it is.

mod faults;
mod turns;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use matchkeep_server::control::LobbySaid;
use matchkeep_server::journal::Writer;
use matchkeep_server::lobby::core::ConnectionKey;
use matchkeep_server::matchmaking::ModeRules;
use matchkeep_server::settings::Mode;
use matchkeep_server::shard::message::MatchPolicy;
use matchkeep_shared::Game;
use matchkeep_shared::game::ModeSpec;
use matchkeep_shared::ids::MatchId;
use matchkeep_shared::rng::Rng;
use matchkeep_shared::time::Tick;
use matchkeep_shared::wire::lobby::LobbyRequest;

use super::audit;
use super::clients::{Client, FUSED_MODE, MODE, Sent};
use super::directory::DirectoryDisk;
use super::game::{Fragile, FragileConfig, PLANTED};
use super::network::Network;
use super::node::{Machine, Node, Settings};
use super::plan::{End, Fault, Options, Plan};
use super::tally::Tally;
use super::trace::Trace;
use super::witness::{Invariant, Violation, Witness};
use crate::memory_journal::{MemoryDisk, MemoryJournal};

/// Where the node is.
pub const SERVER_IP: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1));
/// The wall clock at the beginning, in milliseconds of Unix time.
const BEGUN_UNIX_MS: u64 = 1_800_000_000_000;
/// The wall clock jumps by up to so much between processes, either way, in milliseconds.
const JUMP_MS_MAX: u32 = 3_600_000;
/// One process in so many finds another time on the wall.
const JUMPS: u32 = 4;
/// A place is held for so long.
const HOLD: Duration = Duration::from_secs(20);
/// A mode that pauses does so when the journal is further behind than this.
const UNDURABLE_MAX: Duration = Duration::from_millis(500);
/// A node that does not come up is started again after this.
const START_AGAIN: Duration = Duration::from_millis(400);
/// Turns at one instant; with more nothing gets on.
const SPINS_MAX: u32 = 20_000;
/// In the calm everybody has had a snapshot within this at its end: who was told a result has
/// been without for as long as the match lingers.
const FRESH_WITHIN: Duration = Duration::from_secs(5);

/// What came of a seed.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The seed.
    pub seed: u64,
    /// What did not hold.
    pub violation: Option<Violation>,
    /// A hash of all that happened.
    pub trace_hash: u64,
    /// Lines of the trace.
    pub trace_lines: u64,
    /// What went wrong on purpose, by kind.
    pub tally: Tally,
    /// Virtual time played.
    pub played: Duration,
}

enum Event {
    ToShard {
        shard: usize,
        from: SocketAddr,
        bytes: Vec<u8>,
    },
    ToClient {
        client: usize,
        from: SocketAddr,
        bytes: Vec<u8>,
    },
    LobbyAsk {
        connection: u64,
        request: LobbyRequest,
    },
    LobbyTell {
        connection: u64,
        answer: LobbySaid,
    },
    Fault(Fault),
    DiskHasRoom,
    DiskIsFast,
    /// The operator lets a match go on.
    Resume(MatchId),
    /// The watchdog has waited long enough for this step.
    Watchdog {
        process: u32,
        match_id: MatchId,
        tick: Tick,
    },
    /// A process that should be gone writes what it still has.
    StaleWriter(Box<Writer>),
    Start,
    Calm,
}

struct Queued(Instant, u64, Event);

impl PartialEq for Queued {
    fn eq(&self, other: &Self) -> bool {
        (self.0, self.1) == (other.0, other.1)
    }
}

impl Eq for Queued {}

impl PartialOrd for Queued {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Queued {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.0, self.1).cmp(&(other.0, other.1))
    }
}

/// The next process is to end while it recovers, or right after.
struct EarlyEnd {
    /// The process that is there when this is decided; the one that starts after it is meant.
    behind: u32,
    end: End,
    /// It has so many turns before.
    turns: u32,
}

/// Everything there is.
pub struct World {
    options: Options,
    begun: Instant,
    now: Instant,
    rng: Rng,
    queue: BinaryHeap<Reverse<Queued>>,
    queued: u64,
    network: Network,
    pub(super) machine: Machine,
    modes: Vec<Mode<FragileConfig>>,
    process: u32,
    pub(super) node: Option<Node>,
    wall_offset_ms: i64,
    pub(super) clients: Vec<Client>,
    /// Which client a lobby connection is of.
    connections: BTreeMap<u64, usize>,
    connection_count: u64,
    pub(super) inputs: Sent,
    pub(super) witness: Witness,
    trace: Trace,
    tally: Tally,
    /// The process before was told to stop and wrote everything.
    stopped_cleanly: bool,
    slow: Option<Duration>,
    early_end: Option<EarlyEnd>,
    spins: u32,
}

/// Plays one seed.
pub fn run(options: &Options) -> Outcome {
    hush_planted_panics();
    let mut world = World::new(options);
    let played = catch_unwind(AssertUnwindSafe(|| world.play()));
    if let Err(panic) = played {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        world.witness.violated(Invariant::NoPanic, text.unwrap_or_default());
    }
    Outcome {
        seed: options.seed,
        violation: world.witness.violation.take(),
        trace_hash: world.trace.hash(),
        trace_lines: world.trace.lines(),
        tally: world.tally.clone(),
        played: world.now - world.begun,
    }
}

/// Panics that are part of the plan say nothing.
fn hush_planted_panics() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if !info.payload_as_str().is_some_and(|text| text.starts_with(PLANTED)) {
                before(info);
            }
        }));
    });
}

fn modes(plan: &Plan, places: usize) -> Vec<Mode<FragileConfig>> {
    let rules = format!(
        "frag_limit = 0\ntime_limit_seconds = {}\nwarmup_seconds = 2\ncountdown_seconds = 1",
        plan.match_seconds
    );
    let rules = rules.parse().expect("it is TOML");
    let queued = if plan.queues { queued(places) } else { ModeRules::immediate(places) };
    let spec = ModeSpec {
        players_max: places,
        players_min: 2,
        teams: queued.teams,
        map: None,
        rules: &rules,
    };
    let config = Fragile::configure(&spec).expect("the rules are sound");
    let undurable_max = plan.pauses.then_some(UNDURABLE_MAX);
    let mode = |name: &str, fuse| Mode {
        name: name.to_owned(),
        rules: queued,
        rate: plan.rate,
        hold: HOLD,
        policy: MatchPolicy { undurable_max, ..MatchPolicy::default() },
        map: None,
        config: FragileConfig { fuse, ..config.clone() },
    };
    vec![mode(MODE, None), mode(FUSED_MODE, plan.fuse)]
}

/// Whoever comes waits for others, but for a second at most: a match begins with whom there is, and is filled while it
/// runs.
fn queued(places: usize) -> ModeRules {
    let teams = if places.is_multiple_of(2) { 2 } else { 0 };
    ModeRules { teams, fill_seconds: 1, wait_seconds_max: 5, ..ModeRules::immediate(places) }
}

impl World {
    fn new(options: &Options) -> Self {
        let seed = options.seed;
        let plan = Plan::draw(options);
        // So far in that nothing that counts back from it leaves the clock.
        let begun = Instant::now() + Duration::from_secs(100_000);
        let disk = MemoryDisk::new(seed);
        disk.set_tears(plan.tears);
        let machine = Machine { disk, directory: DirectoryDisk::default(), hung: BTreeMap::new() };
        let fused = if plan.fuse.is_some() { options.per_match } else { 0 };
        let mut first = 0;
        let mut clients = Vec::new();
        for (index, size) in plan.sockets.iter().enumerate() {
            let seed = seed << 8 ^ index as u64;
            clients.push(Client::new(index, seed, first..first + size, fused, begun));
            first += size;
        }
        let mut world = Self {
            options: options.clone(),
            begun,
            now: begun,
            rng: Rng::new(!seed),
            queue: BinaryHeap::new(),
            queued: 0,
            network: Network::new(seed ^ 0xbeef, plan.weather),
            machine,
            modes: modes(&plan, options.per_match),
            process: 0,
            node: None,
            wall_offset_ms: 0,
            clients,
            connections: BTreeMap::new(),
            connection_count: 0,
            inputs: Sent::new(),
            witness: Witness::default(),
            trace: Trace::new(options.prints),
            tally: Tally::default(),
            stopped_cleanly: false,
            slow: None,
            early_end: None,
            spins: 0,
        };
        world.at(begun, Event::Start);
        for (at, fault) in &plan.faults {
            world.at(begun + *at, Event::Fault(*fault));
        }
        world.at(begun + Duration::from_secs(options.stormy_seconds), Event::Calm);
        world
    }

    fn play(&mut self) {
        let seconds = self.options.stormy_seconds + self.options.calm_seconds;
        let end = self.begun + Duration::from_secs(seconds);
        while self.witness.violation.is_none() && self.step(end) {}
        if self.witness.violation.is_none() {
            audit::everything_goes_on(self, FRESH_WITHIN);
            audit::replay_everything(self);
        }
    }

    /// Now, for those who look at the end.
    pub(super) fn now(&self) -> Instant {
        self.now
    }

    fn at(&mut self, at: Instant, event: Event) {
        self.queued += 1;
        self.queue.push(Reverse(Queued(at, self.queued, event)));
    }

    fn note(&mut self, what: std::fmt::Arguments<'_>) {
        self.trace.note(self.now - self.begun, what);
    }

    /// On to the next moment at which something happens; says whether there is one.
    fn step(&mut self, end: Instant) -> bool {
        let now = self.now;
        let queued = self.queue.peek().map(|Reverse(queued)| queued.0);
        let node = self.node.as_mut().map(|node| node.wake(now));
        let clients = self.clients.iter_mut().filter_map(|client| client.wake(now)).min();
        let Some(next) = [queued, node, clients].into_iter().flatten().min() else { return false };
        if next >= end {
            self.now = end;
            return false;
        }
        self.spins = if next > now { 0 } else { self.spins + 1 };
        self.now = next.max(now);
        self.witness.at = self.now - self.begun;
        if self.spins > SPINS_MAX {
            self.witness.violated(Invariant::Liveness, "the world turns on the spot".to_owned());
            return false;
        }
        while self.queue.peek().is_some_and(|Reverse(queued)| queued.0 <= self.now) {
            if let Some(Reverse(Queued(_, _, event))) = self.queue.pop() {
                self.happen(event);
            }
        }
        self.turn_node();
        self.turn_clients();
        true
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::ToShard { shard, from, bytes } => {
                if let Some(node) = &mut self.node {
                    node.receive(shard, from, bytes);
                }
            }
            Event::ToClient { client, from, bytes } => {
                let now = self.now;
                let client = &mut self.clients[client];
                if client.cut_down.is_none_or(|until| until <= now) {
                    client.receive(from, bytes);
                } else {
                    self.tally.count("partition_from_server");
                }
            }
            Event::LobbyAsk { connection, request } => {
                if let Some(node) = &mut self.node {
                    node.ask(ConnectionKey(connection), request);
                }
            }
            Event::LobbyTell { connection, answer } => self.tell(connection, answer),
            Event::Fault(fault) => self.fail(fault),
            Event::DiskHasRoom => {
                self.machine.disk.set_room(None);
                self.machine.directory.set_full(false);
            }
            Event::DiskIsFast => self.set_slow(None),
            Event::Resume(match_id) => self.resume(match_id),
            Event::Watchdog { process, match_id, tick } => self.bark(process, match_id, tick),
            Event::StaleWriter(writer) => self.write_stale(*writer),
            Event::Start => self.start(),
            Event::Calm => self.calm(),
        }
    }

    fn start(&mut self) {
        if self.node.is_some() {
            return;
        }
        if self.process > 0 && self.rng.below(JUMPS) == 0 {
            self.tally.count("wall_clock_jump");
            let jump = i64::from(self.rng.below(2 * JUMP_MS_MAX)) - i64::from(JUMP_MS_MAX);
            self.wall_offset_ms += jump;
        }
        self.process += 1;
        let passed = (self.now - self.begun).as_millis() as u64;
        let settings = Settings {
            seed: self.options.seed,
            process: self.process,
            shards: self.options.shards,
            modes: self.modes.clone(),
            now: self.now,
            unix_ms: (BEGUN_UNIX_MS + passed).saturating_add_signed(self.wall_offset_ms),
        };
        let process = self.process;
        self.note(format_args!("process {process} starts"));
        let live: Vec<_> =
            self.witness.matches.iter().map(|(id, known)| (*id, known.live)).collect();
        let lost = self.stopped_cleanly.then(|| {
            let journal = MemoryJournal::open(&self.machine.disk);
            audit::lost_by_stopping(&journal, &live)
        });
        if let Some(Some(text)) = lost {
            self.witness.violated(Invariant::StopLosesNothing, text);
        }
        self.stopped_cleanly = false;
        self.witness.process_begins();
        self.node = Node::start(&settings, &self.machine, &mut self.witness);
        match &mut self.node {
            Some(node) => node.store.slow = self.slow,
            None => self.at(self.now + START_AGAIN, Event::Start),
        }
    }

    /// Counts what only the end shows.
    pub(super) fn tally_mut(&mut self) -> &mut Tally {
        &mut self.tally
    }
}
