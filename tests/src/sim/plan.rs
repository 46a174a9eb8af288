//! One seed, one options struct, all faults: what goes wrong when is drawn before anything begins.

use std::time::Duration;

use matchkeep_shared::rng::Rng;
use matchkeep_shared::time::{Tick, TickRate};

use super::game::Fuse;

/// How a seed is played.
#[derive(Clone, Debug)]
pub struct Options {
    /// Everything that chance decides follows from it.
    pub seed: u64,
    /// Virtual seconds in which faults happen.
    pub stormy_seconds: u64,
    /// Virtual seconds after the last fault.
    pub calm_seconds: u64,
    /// Players in all.
    pub players: usize,
    /// Places in a match.
    pub per_match: usize,
    /// Shards of the node.
    pub shards: usize,
    /// Ends of the process.
    pub crashes: u32,
    /// Show every line of the trace.
    pub prints: bool,
}

impl Options {
    /// The usual play of a seed.
    pub fn new(seed: u64) -> Self {
        Self {
            seed,
            stormy_seconds: 60,
            calm_seconds: 12,
            players: 8,
            per_match: 4,
            shards: 2,
            crashes: 3,
            prints: false,
        }
    }
}

/// How a process ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum End {
    /// The process is killed; what it wrote is there.
    Kill,
    /// The power fails: what was not synced is lost.
    PowerCut,
    /// The power fails at some step within one of the next flushes.
    CutInFlush {
        /// The step.
        steps: u64,
    },
    /// A sync fails: the process tells its players and ends itself.
    FailedSync,
    /// A step does not come back: the watchdog notes which and ends the process.
    Hang,
    /// The operator wants it so.
    Orderly,
}

/// Something that goes wrong.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// The process ends.
    End(End),
    /// The next process that starts ends while it brings the matches back, or right after.
    NextEnds {
        /// How.
        end: End,
        /// After so many of its turns.
        turns: u32,
    },
    /// The operator orders something of the match that a player is in.
    Order {
        /// Whose match.
        player: usize,
        /// What.
        wish: Wish,
    },
    /// A player's input kills the game.
    Curse {
        /// Whose.
        player: usize,
    },
    /// Nothing passes between a client and the server.
    Partition {
        /// The client, modulo their number.
        client: usize,
        /// Towards the server.
        up: bool,
        /// From it.
        down: bool,
        /// For how long.
        lasts: Duration,
    },
    /// The disk has no room.
    DiskFull {
        /// For how long.
        lasts: Duration,
    },
    /// Somebody else holds the database.
    DiskBusy {
        /// For how many calls.
        calls: u32,
    },
    /// Flushes take long.
    SlowDisk {
        /// Each.
        flush: Duration,
        /// For how long.
        lasts: Duration,
    },
    /// A shard's thread gets no CPU.
    ShardStall {
        /// The shard, modulo their number.
        shard: usize,
        /// For how long.
        lasts: Duration,
    },
    /// A client's process gets no CPU.
    ClientStall {
        /// The client, modulo their number.
        client: usize,
        /// For how long.
        lasts: Duration,
    },
    /// A player says goodbye and looks for a match again.
    Leave {
        /// Which.
        player: usize,
    },
    /// A player's process ends without a goodbye; another one begins.
    Abandon {
        /// Which.
        player: usize,
    },
}

/// What an operator orders.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Wish {
    /// Tell everybody something.
    Say,
    /// Send the player away.
    Kick,
    /// Let the match stand still.
    Pause {
        /// For how long.
        lasts: Duration,
    },
    /// End the match.
    End,
}

/// How the network is on the whole.
#[derive(Clone, Copy, Debug)]
pub struct Weather {
    /// One way, at the least.
    pub delay: Duration,
    /// At most so much is added to each packet by itself.
    pub jitter: Duration,
    /// Packets lost, in a thousand.
    pub loss_permille: u32,
    /// Packets that come twice, in ten thousand.
    pub twice_per_10k: u32,
    /// Packets of which a bit is turned over, in ten thousand.
    pub corrupt_per_10k: u32,
    /// Packets that come again seconds later, in ten thousand.
    pub replay_per_10k: u32,
    /// Messages of the lobby that are lost, in a thousand.
    pub lobby_loss_permille: u32,
}

impl Weather {
    /// Nothing is lost.
    pub fn calm() -> Self {
        Self {
            delay: Duration::from_millis(5),
            jitter: Duration::from_millis(1),
            loss_permille: 0,
            twice_per_10k: 0,
            corrupt_per_10k: 0,
            replay_per_10k: 0,
            lobby_loss_permille: 0,
        }
    }
}

/// All that a seed has in store.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The network while faults happen.
    pub weather: Weather,
    /// Whether a power cut leaves half a record.
    pub tears: bool,
    /// How fast matches tick.
    pub rate: TickRate,
    /// How long a match of the arena lasts.
    pub match_seconds: u16,
    /// The first match is of a mode whose game dies for good.
    pub fuse: Option<Fuse>,
    /// Whether matches stand still where the journal is behind.
    pub pauses: bool,
    /// Whether players wait for each other in the queue, and play in teams.
    pub queues: bool,
    /// How many players share each client's socket.
    pub sockets: Vec<usize>,
    /// What goes wrong, and when.
    pub faults: Vec<(Duration, Fault)>,
}

/// Fast matches are one in so many seeds: they cost more and find little else.
const FAST_SEEDS: u32 = 12;
/// A game that dies for good is in one of so many seeds.
const FUSED_SEEDS: u32 = 6;
/// Before this nothing ends: there are matches to be lost.
const SETTLE_MS: u32 = 3_000;
/// The share of ends that are followed by another one while the process recovers, in percent.
const IN_RECOVERY_PERCENT: u32 = 35;
/// A process is back after about so many turns.
const RECOVERY_TURNS: u32 = 12;

impl Plan {
    /// Draws what `options` ask for.
    pub fn draw(options: &Options) -> Self {
        let mut rng = Rng::new(options.seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let ms = |n: u32| Duration::from_millis(n.into());
        let is_wild = rng.below(4) == 0;
        let weather = Weather {
            delay: ms(1 + rng.below(if is_wild { 60 } else { 25 })),
            jitter: ms(1 + rng.below(if is_wild { 50 } else { 8 })),
            loss_permille: rng.below(if is_wild { 120 } else { 25 }),
            twice_per_10k: rng.below(60),
            corrupt_per_10k: rng.below(40),
            replay_per_10k: rng.below(20),
            lobby_loss_permille: rng.below(120),
        };
        let hz = match rng.below(FAST_SEEDS) {
            0 => 60,
            _ => 20 + rng.below(6) as u16,
        };
        let mut sockets = Vec::new();
        let mut left = options.players;
        while left > 0 {
            let size = (1 + rng.below(4) as usize).min(left);
            sockets.push(size);
            left -= size;
        }
        let mut plan = Self {
            weather,
            tears: rng.below(2) == 0,
            rate: TickRate::try_from(hz).expect("20 to 60 are allowed"),
            match_seconds: 12 + rng.below(90) as u16,
            fuse: (rng.below(FUSED_SEEDS) == 0)
                .then(|| Fuse::Step(Tick(u64::from(hz) * (3 + u64::from(rng.below(15)))))),
            pauses: rng.below(3) == 0,
            queues: false,
            sockets,
            faults: Vec::new(),
        };
        plan.draw_ends(options, &mut rng);
        plan.draw_others(options, &mut rng);
        plan.draw_orders(options, &mut rng);
        plan.faults.sort_by_key(|(at, _)| *at);
        if let Some(Fuse::Step(tick)) = plan.fuse
            && rng.below(2) == 0
        {
            plan.fuse = Some(Fuse::View(tick));
        }
        plan.queues = rng.below(2) == 0;
        plan
    }

    fn draw_ends(&mut self, options: &Options, rng: &mut Rng) {
        let storm_ms = options.stormy_seconds as u32 * 1000;
        let mut drawn = 0;
        while drawn < options.crashes {
            let at = SETTLE_MS + rng.below(storm_ms.saturating_sub(SETTLE_MS + 1_000).max(1));
            let end = match rng.below(10) {
                0..=2 => End::Kill,
                3 | 4 => End::PowerCut,
                5 | 6 => End::CutInFlush { steps: 1 + u64::from(rng.below(14)) },
                7 => End::FailedSync,
                8 => End::Hang,
                _ => End::Orderly,
            };
            self.faults.push((Duration::from_millis(at.into()), Fault::End(end)));
            drawn += 1;
            if drawn < options.crashes && rng.below(100) < IN_RECOVERY_PERCENT {
                let end = match rng.below(3) {
                    0 => End::Kill,
                    1 => End::PowerCut,
                    _ => End::CutInFlush { steps: 1 + u64::from(rng.below(14)) },
                };
                let fault = Fault::NextEnds { end, turns: rng.below(RECOVERY_TURNS) };
                self.faults.push((Duration::from_millis(at.into()), fault));
                drawn += 1;
            }
        }
    }

    fn draw_others(&mut self, options: &Options, rng: &mut Rng) {
        let storm_ms = options.stormy_seconds as u32 * 1000;
        let ms = |n: u32| Duration::from_millis(n.into());
        let at = |rng: &mut Rng| ms(2_000 + rng.below(storm_ms - 3_000));
        for _ in 0..rng.below(4) {
            let ways = rng.below(3);
            let lasts_ms_max = if rng.below(6) == 0 { 30_000 } else { 5_000 };
            let fault = Fault::Partition {
                client: rng.below(8) as usize,
                up: ways != 1,
                down: ways != 0,
                lasts: ms(200 + rng.below(lasts_ms_max)),
            };
            self.faults.push((at(rng), fault));
        }
        for _ in 0..rng.below(3) {
            self.faults.push((at(rng), Fault::Curse { player: rng.below(8) as usize }));
        }
        for _ in 0..rng.below(3) {
            let fault = match rng.below(3) {
                0 => Fault::DiskFull { lasts: ms(300 + rng.below(4_000)) },
                1 => Fault::DiskBusy { calls: 1 + rng.below(8) },
                _ => Fault::SlowDisk {
                    flush: ms(100 + rng.below(900)),
                    lasts: ms(500 + rng.below(6_000)),
                },
            };
            self.faults.push((at(rng), fault));
        }
        for _ in 0..rng.below(3) {
            let fault = match rng.below(4) {
                0 | 1 => {
                    let lasts = ms(20 + rng.below(800));
                    Fault::ShardStall { shard: rng.below(8) as usize, lasts }
                }
                _ => {
                    let lasts = ms(100 + rng.below(3_000));
                    Fault::ClientStall { client: rng.below(8) as usize, lasts }
                }
            };
            self.faults.push((at(rng), fault));
        }
        for _ in 0..rng.below(3) {
            let player = rng.below(8) as usize;
            let leaves = rng.below(2) == 0;
            let fault = if leaves { Fault::Leave { player } } else { Fault::Abandon { player } };
            self.faults.push((at(rng), fault));
        }
    }

    fn draw_orders(&mut self, options: &Options, rng: &mut Rng) {
        let storm_ms = options.stormy_seconds as u32 * 1000;
        let ms = |n: u32| Duration::from_millis(n.into());
        for _ in 0..rng.below(4) {
            let at = ms(2_000 + rng.below(storm_ms - 3_000));
            let wish = match rng.below(5) {
                0 => Wish::Say,
                1 => Wish::Kick,
                2 => Wish::End,
                _ => Wish::Pause { lasts: ms(50 + rng.below(8_000)) },
            };
            self.faults.push((at, Fault::Order { player: rng.below(8) as usize, wish }));
        }
    }
}
