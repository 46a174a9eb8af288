//! Snapshots at 2, 10, 32 and 100 players: the encoding of one tick for all clients, and the decoding of a
//! second's worth of datagrams by one of them. Deltas against the tick before, as on a link without loss.

use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use matchkeep_benches::play::{Play, SIZES, slots};
use matchkeep_benches::rehearsal::DATAGRAM_BYTES;
use matchkeep_server::replication::{Replicator, SnapshotFacts};
use matchkeep_shared::Game;
use matchkeep_shared::arena::ArenaEntity;
use matchkeep_shared::ids::{Epoch, Slot};
use matchkeep_shared::limits::BASELINE_TICKS_MAX;
use matchkeep_shared::schema::Entity;
use matchkeep_shared::wire::bits::BitReader;
use matchkeep_shared::wire::client::Ack;
use matchkeep_shared::wire::codec::{CodecId, View, decode_entities};
use matchkeep_shared::wire::snapshot::{InputFeedback, SnapshotHead};
use matchkeep_shared::world::{Audience, World};

/// Datagrams that are decoded in one go: a second's worth.
const DECODED: usize = 60;
const FACTS: SnapshotFacts = SnapshotFacts {
    epoch: Epoch(1),
    feedback: InputFeedback { newest_applied_age: Some(0), substituted: 0, margin_100us: 50 },
    durable_lag: None,
    paused: false,
    state_hash: None,
    bytes_max: DATAGRAM_BYTES,
};

/// A match, its replication, and clients that acknowledge everything.
struct Sender {
    play: Play,
    replicator: Replicator,
    players: usize,
    datagram: Vec<u8>,
}

impl Sender {
    fn new(players: usize) -> Self {
        let play = Play::new(players);
        let mut replicator = Replicator::new(ArenaEntity::KINDS, players);
        slots(players).for_each(|slot| replicator.add_client(slot));
        let mut sender = Self { play, replicator, players, datagram: Vec::new() };
        // Until every client holds all it can see, and all memory has grown.
        for _ in 0..200 {
            sender.prepare();
            sender.encode(|_, _| {});
        }
        sender
    }

    fn prepare(&mut self) {
        let before = self.play.tick();
        self.play.prepare();
        self.play.step();
        if self.play.tick() < before {
            *self = Self::new(self.players);
        }
        let newest_low16 = (self.play.tick() - 1).low16();
        for slot in slots(self.players) {
            self.replicator.acknowledge(slot, Ack { newest_low16, before: 0 });
        }
    }

    /// Encodes this tick for every client; hands each datagram to `take`.
    fn encode(&mut self, mut take: impl FnMut(Slot, &[u8])) {
        let arena = self.play.arena();
        self.replicator.take::<ArenaEntity>(self.play.tick(), |world| arena.replicate(world));
        for slot in slots(self.players) {
            self.datagram.clear();
            let viewpoint = arena.viewpoint(slot);
            self.replicator.encode(slot, viewpoint, &FACTS, &mut self.datagram);
            take(slot, &self.datagram);
        }
    }
}

fn encode(c: &mut Criterion) {
    let mut group = c.benchmark_group("snapshot_encode");
    for players in SIZES {
        let mut sender = Sender::new(players);
        let mut datagrams = 0_u64;
        group.throughput(Throughput::Elements(players as u64));
        group.bench_function(format!("{players}_players"), |b| {
            b.iter_custom(|iterations| {
                let mut time = Duration::ZERO;
                for _ in 0..iterations {
                    sender.prepare();
                    datagrams = 0;
                    let start = Instant::now();
                    sender.encode(|_, bytes| datagrams += u64::from(!bytes.is_empty()));
                    time += start.elapsed();
                    assert_eq!(datagrams, players as u64, "a datagram for everybody");
                }
                time
            });
        });
    }
    group.finish();
}

fn decode(c: &mut Criterion) {
    let mut group = c.benchmark_group("snapshot_decode");
    for players in SIZES {
        let Recording { start, datagrams, worlds } = record(players);
        let held = decoded(&start, &datagrams);
        check(&held, &worlds, datagrams.iter().map(Vec::len).max().unwrap_or(0));

        group.throughput(Throughput::Elements(DECODED as u64));
        group.bench_function(format!("{players}_players_{DECODED}_datagrams"), |b| {
            b.iter(|| {
                let view = decoded(std::hint::black_box(&start), &datagrams);
                assert_eq!(view.len(), held.len());
            });
        });
    }
    group.finish();
}

/// What slot 0 holds at first, the datagrams it gets then, and the match at the last ticks.
struct Recording {
    start: View,
    datagrams: Vec<Vec<u8>>,
    worlds: Vec<World>,
}

fn record(players: usize) -> Recording {
    let mut sender = Sender::new(players);
    // One client starts anew: its first datagrams carry everything.
    sender.replicator.remove_client(Slot(0));
    sender.replicator.add_client(Slot(0));
    let mut recording = Recording {
        start: View::default(),
        datagrams: Vec::new(),
        worlds: vec![World::default(); BASELINE_TICKS_MAX as usize],
    };
    for tick in 0..200 + DECODED {
        sender.prepare();
        sender.encode(|slot, bytes| {
            if slot == Slot(0) {
                recording.datagrams.push(bytes.to_vec());
            }
        });
        recording.worlds.rotate_left(1);
        let (arena, newest) = (sender.play.arena(), recording.worlds.last_mut());
        let newest = newest.expect("there are as many as baselines");
        newest.fill::<ArenaEntity>(sender.play.tick(), |world| arena.replicate(world));
        if tick < 200 {
            recording.start = decoded(&recording.start, &recording.datagrams);
            recording.datagrams.clear();
        }
    }
    recording
}

/// What a client holds after these datagrams, each a delta against the one before.
fn decoded(start: &View, datagrams: &[Vec<u8>]) -> View {
    let (mut baseline, mut view) = (start.clone(), View::default());
    for datagram in datagrams {
        let mut reader = BitReader::new(datagram);
        let head = SnapshotHead::decode(&mut reader).expect("the server's head decodes");
        let against = head.baseline_age.map(|age| {
            assert_eq!(age, 1, "every datagram was acknowledged at once");
            &baseline
        });
        decode_entities(CodecId::PLAIN, ArenaEntity::KINDS, reader, against, &mut view)
            .expect("the server's entities decode");
        std::mem::swap(&mut baseline, &mut view);
    }
    baseline
}

/// What slot 0 decoded is what the match shows it, to the bit: the newest version of everything, or where
/// its datagrams were full (`bytes` is the fullest's size) one of the last.
fn check(held: &View, worlds: &[World], bytes: usize) {
    let newest = worlds.last().expect("there are as many as baselines");
    let full = bytes + 40 > DATAGRAM_BYTES;
    let versions = if full { worlds } else { std::slice::from_ref(newest) };
    for (id, kind, fields) in held.iter(ArenaEntity::KINDS) {
        assert!(newest.find(id).is_some(), "{id:?} is held and gone");
        let is_one = versions.iter().any(|world| {
            let row = world.find(id).map(|row| world.entity(row, ArenaEntity::KINDS));
            row.is_some_and(|row| usize::from(row.kind) == kind && row.fields == fields)
        });
        assert!(is_one, "{id:?} was never like that");
    }
    let sees = |audience: Audience| match audience {
        Audience::Everyone => true,
        Audience::Slots(slots) => slots.contains(Slot(0)),
        Audience::Near { .. } => false,
    };
    let known = |id| held.iter(ArenaEntity::KINDS).any(|(held, ..)| held == id);
    let mut shown = (0..newest.len()).filter(|row| sees(newest.audience(*row)));
    assert!(shown.all(|row| known(newest.id(row))), "something it should know is missing");
}

fn settings() -> Criterion {
    Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
}

criterion_group! { name = benches; config = settings(); targets = encode, decode }
criterion_main!(benches);
