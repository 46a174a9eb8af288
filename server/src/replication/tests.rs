//! A replicator and its client over a link that loses, delays and repeats, in one thread.

use matchkeep_shared::glam::Vec3;
use matchkeep_shared::ids::{EntityId, Epoch, Slot, SlotSet};
use matchkeep_shared::rng::Rng;
use matchkeep_shared::schema::{Entity, Field, Kind};
use matchkeep_shared::time::Tick;
use matchkeep_shared::wire::bits::BitReader;
use matchkeep_shared::wire::client::Ack;
use matchkeep_shared::wire::codec::{CodecId, View, decode_entities};
use matchkeep_shared::wire::snapshot::{InputFeedback, SnapshotHead};
use matchkeep_shared::world::Audience;

use super::{Replicator, SnapshotFacts};

const KINDS: &[Kind] = &[
    Kind {
        name: "mover",
        fields: &[
            Field::uint("x", 16).small(6),
            Field::uint("y", 16).small(6),
            Field::uint("health", 8),
        ],
    },
    Kind { name: "flag", fields: &[Field::uint("up", 1)] },
];

/// One entity of the test's world: kind and quantised fields.
#[derive(Clone, Debug, PartialEq)]
struct Thing {
    kind: usize,
    fields: Vec<u32>,
}

impl Entity for Thing {
    const KINDS: &'static [Kind] = KINDS;
    fn kind(&self) -> usize {
        self.kind
    }
    fn write(&self, fields: &mut [u32]) {
        fields.copy_from_slice(&self.fields);
    }
    fn read(kind: usize, fields: &[u32]) -> Option<Self> {
        Some(Self { kind, fields: fields.to_vec() })
    }
}

type Things = std::collections::BTreeMap<EntityId, (Audience, Thing)>;

fn random_thing(rng: &mut Rng) -> Thing {
    match rng.below(3) {
        0 => Thing { kind: 1, fields: vec![rng.below(2)] },
        _ => Thing { kind: 0, fields: vec![rng.below(65_536), rng.below(65_536), rng.below(256)] },
    }
}

fn random_audience(rng: &mut Rng) -> Audience {
    match rng.below(4) {
        0 => Audience::Everyone,
        1 => Audience::Slots(SlotSet::one(Slot(rng.below(3) as u8))),
        _ => {
            let at = Vec3::new(rng.range(-900.0, 900.0), rng.range(-900.0, 900.0), 0.0);
            Audience::Near { at, radius: 600.0 }
        }
    }
}

fn change(things: &mut Things, next_id: &mut u32, rng: &mut Rng) {
    for (audience, thing) in things.values_mut() {
        match rng.below(4) {
            0 if thing.kind == 0 => {
                thing.fields[0] = (thing.fields[0] + rng.below(40)) & 0xffff;
                thing.fields[1] = thing.fields[1].wrapping_sub(rng.below(20)) & 0xffff;
            }
            1 if thing.kind == 1 => thing.fields[0] ^= 1,
            2 if rng.below(50) == 0 => *audience = random_audience(rng),
            _ => {}
        }
    }
    if rng.below(3) == 0 {
        things.insert(EntityId(*next_id), (random_audience(rng), random_thing(rng)));
        *next_id += 1 + rng.below(3);
    }
    if rng.below(4) == 0 && !things.is_empty() {
        let victim = rng.below(things.len() as u32) as usize;
        let id = *things.keys().nth(victim).expect("below the length");
        things.remove(&id);
    }
}

/// What the client of the test holds: views by tick, and the newest.
#[derive(Default)]
struct TestClient {
    views: std::collections::BTreeMap<Tick, View>,
}

impl TestClient {
    /// Takes a datagram; says whether it could be decoded.
    fn receive(&mut self, datagram: &[u8], now: Tick) -> bool {
        let mut reader = BitReader::new(datagram);
        let head = SnapshotHead::decode(&mut reader).expect("the server's head decodes");
        let tick = Tick::from_low16(head.tick_low16, now);
        let baseline = head.baseline_age.map(|age| tick - u64::from(age));
        if baseline.is_some_and(|tick| !self.views.contains_key(&tick)) {
            return false;
        }
        let mut view = View::default();
        let baseline = baseline.map(|tick| &self.views[&tick]);
        decode_entities(CodecId::PLAIN, KINDS, reader, baseline, &mut view).expect("decodes");
        self.views.insert(tick, view);
        self.views.retain(|t, _| now.since(*t) < 200);
        true
    }

    fn newest(&self) -> Option<(&Tick, &View)> {
        self.views.last_key_value()
    }
}

fn view_of(things: &Things, slot: Slot, viewpoint: Vec3) -> Vec<(EntityId, usize, Vec<u32>)> {
    let seen = |audience: &Audience| match audience {
        Audience::Everyone => true,
        Audience::Slots(slots) => slots.contains(slot),
        Audience::Near { at, radius } => at.distance(viewpoint) <= *radius,
    };
    let seen = things.iter().filter(|(_, (audience, _))| seen(audience));
    seen.map(|(id, (_, thing))| (*id, thing.kind, thing.fields.clone())).collect()
}

/// Plays `ticks` of a changing world to one client over a bad link, then lets the world rest, and checks
/// that the client ends with exactly what it may see.
fn play(seed: u64, bytes_max: usize, loss_percent: u32) {
    let mut rng = Rng::new(seed);
    let slot = Slot(1);
    let viewpoint = Vec3::ZERO;
    let mut things = Things::new();
    let mut next_id = 1;
    for _ in 0..30 {
        change(&mut things, &mut next_id, &mut rng);
    }
    let mut replicator = Replicator::new(KINDS, 3);
    replicator.add_client(slot);
    let mut client = TestClient::default();
    let facts = SnapshotFacts {
        epoch: Epoch(1),
        feedback: InputFeedback::default(),
        durable_lag: None,
        paused: false,
        state_hash: None,
        bytes_max,
    };
    let (mut down, mut up) = (Vec::new(), Vec::new());
    let mut datagram = Vec::new();
    for t in 1..=700 {
        let now = Tick(t);
        let calm = t > 400;
        if !calm {
            change(&mut things, &mut next_id, &mut rng);
        }
        replicator.take::<Thing>(now, |w| {
            for (id, (audience, thing)) in &things {
                w.add(*id, *audience, thing);
            }
        });
        datagram.clear();
        replicator.encode(slot, Some(viewpoint), &facts, &mut datagram);
        assert!(datagram.len() <= bytes_max, "seed {seed}: {} bytes", datagram.len());
        let lost = !calm && rng.below(100) < loss_percent;
        if !lost {
            down.push((t + u64::from(rng.below(8)), datagram.clone()));
            if rng.below(20) == 0 {
                down.push((t + u64::from(rng.below(30)), datagram.clone()));
            }
        }
        down.retain(|(due, datagram)| {
            if *due <= t {
                client.receive(datagram, now);
            }
            *due > t
        });
        if let Some((newest, _)) = client.newest()
            && (calm || rng.below(100) >= loss_percent)
        {
            up.push((t + u64::from(rng.below(8)), Ack { newest_low16: newest.low16(), before: 0 }));
        }
        up.retain(|(due, ack)| {
            if *due <= t {
                replicator.acknowledge(slot, *ack);
            }
            *due > t
        });
    }
    let (_, view) = client.newest().expect("something arrived");
    let held: Vec<_> = view.iter(KINDS).map(|(id, kind, f)| (id, kind, f.to_vec())).collect();
    let mut expected = view_of(&things, slot, viewpoint);
    // At the border an entity may stay in view until it is an eighth further away.
    expected.retain(|row| held.contains(row));
    let must = view_of(&things, slot, viewpoint);
    assert_eq!(expected, must, "seed {seed}: something in sight is missing or stale");
    let visible_wide = held.iter().all(|(id, kind, fields)| {
        things.get(id).is_some_and(|(audience, thing)| {
            let near = match audience {
                Audience::Near { at, radius } => at.distance(viewpoint) <= radius * 1.125,
                Audience::Slots(slots) => slots.contains(slot),
                Audience::Everyone => true,
            };
            near && thing.kind == *kind && thing.fields == *fields
        })
    });
    assert!(visible_wide, "seed {seed}: something is held that is gone or out of sight");
}

#[test]
fn a_client_converges_over_a_clean_link() {
    for seed in 0..20 {
        play(seed, 1200, 0);
    }
}

#[test]
fn a_client_converges_over_a_bad_link() {
    for seed in 100..140 {
        play(seed, 1200, 40);
    }
}

#[test]
fn a_client_converges_when_not_everything_fits() {
    for seed in 200..240 {
        play(seed, 120, 20);
    }
}

#[test]
fn a_client_that_never_acknowledges_gets_whole_snapshots_within_the_budget() {
    let mut replicator = Replicator::new(KINDS, 1);
    replicator.add_client(Slot(0));
    let facts = SnapshotFacts {
        epoch: Epoch(1),
        feedback: InputFeedback::default(),
        durable_lag: None,
        paused: false,
        state_hash: None,
        bytes_max: 300,
    };
    let mut rng = Rng::new(5);
    let things: Vec<Thing> = (0..400).map(|_| random_thing(&mut rng)).collect();
    for t in 1..200 {
        replicator.take::<Thing>(Tick(t), |w| {
            for (i, thing) in things.iter().enumerate() {
                w.add(EntityId(i as u32), Audience::Everyone, thing);
            }
        });
        let mut datagram = Vec::new();
        replicator.encode(Slot(0), None, &facts, &mut datagram);
        assert!((200..=300).contains(&datagram.len()), "{} bytes", datagram.len());
        assert!(TestClient::default().receive(&datagram, Tick(t)));
    }
}

#[test]
fn an_acknowledgement_of_what_was_never_sent_changes_nothing() {
    let mut replicator = Replicator::new(KINDS, 2);
    replicator.add_client(Slot(0));
    let facts = SnapshotFacts {
        epoch: Epoch(1),
        feedback: InputFeedback::default(),
        durable_lag: None,
        paused: false,
        state_hash: None,
        bytes_max: 1200,
    };
    let thing = Thing { kind: 1, fields: vec![1] };
    for t in 1..10 {
        for forged in [t, t + 1, t + 9, 40_000] {
            replicator.acknowledge(Slot(0), Ack { newest_low16: forged as u16, before: u32::MAX });
            replicator.acknowledge(Slot(1), Ack { newest_low16: forged as u16, before: 0 });
        }
        replicator.take::<Thing>(Tick(t), |w| w.add(EntityId(1), Audience::Everyone, &thing));
        let mut datagram = Vec::new();
        if t % 2 == 0 {
            continue;
        }
        replicator.encode(Slot(0), None, &facts, &mut datagram);
        let head = SnapshotHead::decode(&mut BitReader::new(&datagram)).expect("a head");
        assert_eq!(head.baseline_age, None, "tick {t}");
    }
}
