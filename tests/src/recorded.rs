//! A match of the arena that was played without a network, in the journal of a data folder, and the hash
//! of its state at every tick.

use std::path::Path;

use matchkeep_server::journal::{Batch, Chain, Claim, Journal, Kind};
use matchkeep_server::matches::header::MatchHeader;
use matchkeep_server::matches::recorder::{JournalBatch, JournalItemKind};
use matchkeep_server::matches::{Match, MatchOptions};
use matchkeep_server::store::SqliteJournal;
use matchkeep_shared::arena::{Arena, ArenaInput};
use matchkeep_shared::encoding::encode;
use matchkeep_shared::ids::{Epoch, MatchId, Slot};
use matchkeep_shared::rng::Rng;
use matchkeep_shared::time::Tick;
use matchkeep_shared::wire::client::ClientDatagram;

use crate::samples;

/// What one flush of 50 ms holds at 60 Hz.
const TICKS_PER_RECORD: u64 = 3;
/// Records that are appended together: a sync for each of them would take minutes.
const RECORDS_PER_APPEND: usize = 256;

/// A match that was played.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// Its ID.
    pub match_id: MatchId,
    /// The hash of its state after each tick, from tick 0 on.
    pub hashes: Vec<u64>,
}

/// Plays a match of so many players for so many ticks, journaled as a server would. `header` may change
/// what it says of itself.
///
/// # Panics
/// Where the folder cannot be written.
pub fn record(
    folder: &Path,
    players: usize,
    ticks: u64,
    header: impl FnOnce(&mut MatchHeader),
) -> Recorded {
    let mut game = samples::full_match(players, true);
    let match_id = game.spec().id;
    let mut about = MatchHeader::new::<Arena>(game.spec(), None, 1);
    header(&mut about);
    let mut chain = Chain::new(match_id);
    let mut batch = Batch::default();
    let mut seal = |batch: &mut Batch, kind: Kind, ticks: (Tick, Tick), bytes: &[u8]| {
        let write = |out: &mut Vec<u8>| out.extend_from_slice(bytes);
        chain.seal(kind, Epoch(1), ticks, write, batch).expect("it can come next");
    };
    let beginning = (Tick(0), Tick(0));
    seal(&mut batch, Kind::Header, beginning, &encode(&about));
    seal(&mut batch, Kind::Claim, beginning, b"");
    let mut journal = SqliteJournal::open(folder).expect("it opens");
    let records = std::mem::take(&mut batch);
    let claim = Claim { match_id, expected: None, cut: None, unix_ms: 1, records };
    journal.claim(&[claim]).expect("written")[0].expect("it is new");

    let mut scratch = Vec::new();
    // Everybody has joined by now, which enters the first step: tick 0 is before that.
    let empty = Match::<Arena>::new(game.spec().clone(), MatchOptions::default());
    let mut hashes = vec![empty.state().hash(&mut scratch)];
    let mut rng = Rng::new(5);
    let mut inputs = vec![ArenaInput::default(); players];
    let mut items = JournalBatch::default();
    let mut expired = Vec::new();
    for tick in 1..=ticks {
        for (place, input) in inputs.iter_mut().enumerate() {
            input.yaw = input.yaw.wrapping_add(rng.below(900) as u16).wrapping_sub(400);
            if rng.below(40) == 0 {
                input.forward = (rng.below(255) as i32 - 90).clamp(-127, 127) as i8;
                input.side = (rng.below(255) as i32 - 127) as i8;
            }
            (input.jump, input.fire) = (rng.below(30) == 0, rng.below(3) > 0);
            let datagram = ClientDatagram::new(game.epoch(), None, Tick(tick), &[*input]);
            game.receive(Slot(place as u8), &datagram, |_| 0);
        }
        game.step(&mut expired);
        assert_eq!(game.outcome(), None, "the match is to go on");
        hashes.push(game.state().hash(&mut scratch));
        if !tick.is_multiple_of(TICKS_PER_RECORD) && tick < ticks {
            continue;
        }
        game.hand_over(&mut items);
        for item in &items.items {
            let kind = match item.kind {
                JournalItemKind::Frames => Kind::Frames,
                JournalItemKind::Checkpoint => Kind::Checkpoint,
                JournalItemKind::Finish => Kind::Finish,
            };
            seal(&mut batch, kind, (item.first, item.last), &items.bytes[item.range.clone()]);
        }
        items.clear();
        if batch.len() >= RECORDS_PER_APPEND || tick == ticks {
            assert_eq!(journal.append(&batch), Ok(Vec::new()));
            batch.clear();
        }
    }
    Recorded { match_id, hashes }
}
