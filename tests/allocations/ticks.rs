//! A match under way asks the allocator for nothing: from the bytes of the inputs to the bytes of the
//! snapshots, a tick never waits for memory.

use matchkeep_server::matches::Match;
use matchkeep_server::matches::recorder::{JournalBatch, JournalItemKind};
use matchkeep_shared::arena::{Arena, ArenaInput, Weapon, view};
use matchkeep_shared::game::Game;
use matchkeep_shared::ids::{Epoch, Slot};
use matchkeep_shared::limits::DATAGRAM_BYTES_MIN;
use matchkeep_shared::time::Tick;
use matchkeep_shared::wire::client::{Ack, ClientDatagram};
use matchkeep_tests::samples;

use crate::counting::asked_by;

const PLAYERS: u8 = 10;
/// Long enough for everything to have happened once, and for every buffer to have its size.
const WARM_UP_TICKS: u64 = 1200;
const MEASURED_TICKS: u64 = 12_000;
/// Inputs in each datagram: the newest and two repeated ones.
const INPUTS: usize = 3;

/// What a player in a fight does: runs, aims at the next one, fires, jumps, changes weapons.
fn fight(game: &Arena, slot: u8, tick: u64) -> ArenaInput {
    let target = Slot((slot + 1 + (tick / 300 % 3) as u8) % PLAYERS);
    let eyes = game.viewpoint(Slot(slot)).zip(game.viewpoint(target));
    let (yaw, pitch) = eyes.map_or((0, 0), |(from, to)| view::angles(to - from));
    let weapon = Weapon::from_index((tick / 64 % Weapon::COUNT as u64) as usize);
    let side = if (tick / 90 + u64::from(slot)).is_multiple_of(2) { 90 } else { -90 };
    let jump = (tick + u64::from(slot) * 13).is_multiple_of(50);
    ArenaInput { yaw, pitch, forward: 127, side, fire: !tick.is_multiple_of(3), jump, weapon }
}

/// What a client acknowledges: one snapshot in seven was lost on the way, and one client in ten never
/// says anything.
fn ack(slot: u8, tick: u64) -> Option<Ack> {
    let newest = (1..tick).rev().find(|tick| !(tick + u64::from(slot)).is_multiple_of(7))?;
    let got = |age: &u64| *age < newest && !(newest - age + u64::from(slot)).is_multiple_of(7);
    let before = (1..=32).filter(got).fold(0, |bits, age| bits | 1 << (age - 1));
    (slot != 9).then_some(Ack { newest_low16: Tick(newest).low16(), before })
}

#[test]
fn a_tick_from_inputs_to_snapshots_and_journal_takes_no_memory_once_warm() {
    let mut game: Match<Arena> = samples::full_match(usize::from(PLAYERS), true);
    let mut batch = JournalBatch::default();
    let mut checkpoints = 0;
    let mut recent = [[ArenaInput::default(); INPUTS]; PLAYERS as usize];
    let mut datagrams: Vec<Vec<u8>> = vec![Vec::with_capacity(64); usize::from(PLAYERS)];
    let mut snapshot = Vec::with_capacity(2048);
    let mut expired = Vec::new();
    let mut events = 0;
    let mut at_fault = Vec::with_capacity(1024);
    for tick in 1..=WARM_UP_TICKS + MEASURED_TICKS {
        // The clients' side, which is not measured.
        for slot in 0..PLAYERS {
            let recent = &mut recent[usize::from(slot)];
            recent.rotate_right(1);
            recent[0] = fight(game.game(), slot, tick);
            let datagram = &mut datagrams[usize::from(slot)];
            datagram.clear();
            ClientDatagram::new(Epoch(1), ack(slot, tick), Tick(tick), recent).encode(datagram);
        }

        let (_, reception) = asked_by(|| {
            for (slot, bytes) in (0..).zip(&datagrams) {
                let datagram = ClientDatagram::decode(bytes).expect("it was encoded just now");
                game.receive(Slot(slot), &datagram, |_| 50);
            }
        });
        let (_, step) = asked_by(|| {
            game.step(&mut expired);
            game.hand_over(&mut batch);
        });
        let taken = batch.items.iter().filter(|item| item.kind == JournalItemKind::Checkpoint);
        checkpoints += taken.count();
        batch.clear();
        let (_, encoding) = asked_by(|| {
            for slot in 0..PLAYERS {
                snapshot.clear();
                game.encode_snapshot(Slot(slot), DATAGRAM_BYTES_MIN, false, &mut snapshot);
                assert!(!snapshot.is_empty() && snapshot.len() <= DATAGRAM_BYTES_MIN);
            }
        });
        if tick > WARM_UP_TICKS {
            events += game.events().iter().count();
            let calls = [reception.calls, step.calls, encoding.calls];
            if calls != [0; 3] {
                at_fault.push((tick, calls));
            }
        }
    }
    assert!(checkpoints > 40, "{checkpoints} checkpoints");
    assert!(events > 200, "{events} events: is this a fight?");
    assert!(at_fault.is_empty(), "(tick, [receive, step, encode]): {at_fault:?}");
}
