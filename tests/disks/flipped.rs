//! A database with flipped bits: what is in it may be lost, and is never taken for something else.

use std::fs;

use matchkeep_server::journal::{Load, LoadFrom, Unrecoverable, recover};
use matchkeep_server::store::{DATABASE_FILE, SqliteJournal};
use matchkeep_shared::ids::MatchId;
use matchkeep_shared::rng::Rng;
use matchkeep_shared::time::Tick;
use matchkeep_tests::journal_play::{Play, check, checkpoint, frames, header};

const FLIPS: u32 = 400;

#[test]
fn a_flipped_bit_anywhere_in_the_file_is_never_believed() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join(DATABASE_FILE);
    let mut journal = SqliteJournal::open(folder.path()).expect("made");
    let mut play = Play::new(1, 0);
    for _ in 0..60 {
        assert_eq!(play.round(&mut journal).trouble, None);
    }
    // Closing moves the log into the file.
    drop(journal);
    let whole = fs::read(&path).expect("there");
    let mut rng = Rng::new(1);
    let (mut unusable, mut lost, mut whole_ones) = (0, 0, 0);
    for _ in 0..FLIPS {
        let at = rng.below(whole.len() as u32) as usize;
        let mut bytes = whole.clone();
        bytes[at] ^= 1 << rng.below(8);
        fs::write(&path, bytes).expect("written");
        let Ok(journal) = SqliteJournal::open(folder.path()) else {
            unusable += 1;
            continue;
        };
        for (id, acked) in &play.told {
            let load = Load { match_id: *id, from: LoadFrom::Checkpoint(Tick(u64::MAX)) };
            let Ok(found) = recover(&journal, &[load]) else {
                unusable += 1;
                continue;
            };
            match &found[0] {
                Ok(recovered) => {
                    is_right(*id, recovered);
                    let is_all = recovered.tick().0 >= acked.tick
                        && (!acked.is_finished || recovered.result().is_some());
                    assert!(
                        is_all || recovered.lost_records > 0,
                        "bit in byte {at}: lost silently"
                    );
                    lost += u32::from(!is_all);
                    whole_ones += u32::from(is_all);
                }
                Err(Unrecoverable::Unknown | Unrecoverable::Empty) => unusable += 1,
                Err(Unrecoverable::Header(_) | Unrecoverable::Claim(_)) => lost += 1,
            }
        }
    }
    eprintln!("{FLIPS} flips: {unusable} unusable, {lost} with named losses, {whole_ones} whole");
    assert!(lost > 20 && whole_ones > 1000, "is anything damaged?");
    fs::write(&path, &whole).expect("written");
    assert_eq!(check(&SqliteJournal::open(folder.path()).expect("ours"), &play.told), 0);
}

/// Every byte that recovery gives is one that was written.
fn is_right(id: MatchId, recovered: &matchkeep_server::journal::Recovered) {
    assert_eq!(recovered.header, header(id));
    if let Some((tick, state)) = recovered.checkpoint() {
        assert_eq!(state, checkpoint(id, tick.0));
    }
    for piece in recovered.frames() {
        assert_eq!(piece.payload, frames(id, piece.first.0, piece.last.0));
    }
}
