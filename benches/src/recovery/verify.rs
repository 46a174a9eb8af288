//! Every match again, from its first tick and without checkpoints, beside what the bots were shown.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, ensure};
use matchkeep_server::journal::{Kind, Load, LoadFrom, recover};
use matchkeep_server::matches::header::MatchHeader;
use matchkeep_server::matches::replay::Replay;
use matchkeep_server::store::SqliteJournalReader;
use matchkeep_shared::arena::Arena;
use matchkeep_shared::ids::MatchId;
use matchkeep_shared::time::Tick;

use super::witness::Seen;

/// What the comparison found.
#[derive(Clone, Copy, Debug, Default)]
pub struct Verdict {
    /// Hashes that bots were shown and that were compared, each time one was shown.
    pub hashes_compared: u64,
    /// Those that the replay does not have.
    pub hash_mismatches: u64,
    /// Ticks that were shown and undone by a restart: not compared.
    pub ticks_undone: u64,
    /// Ticks that were replayed.
    pub ticks_replayed: u64,
    /// Matches whose journal is not there to be replayed.
    pub matches_lost: u64,
}

/// Replays every match of a data folder.
///
/// # Errors
/// Where the folder cannot be read. What does not replay counts as a mismatch.
pub fn verify(data: &Path, seen: &BTreeMap<MatchId, Seen>) -> anyhow::Result<Verdict> {
    let journal = SqliteJournalReader::open(data)?;
    let mut verdict = Verdict::default();
    for (match_id, seen) in seen {
        let load = Load { match_id: *match_id, from: LoadFrom::Beginning };
        let mut found = recover(&journal, &[load])?;
        let Some(Ok(found)) = found.pop() else {
            verdict.matches_lost += 1;
            continue;
        };
        ensure!(found.lost.is_empty(), "match {match_id}: {:?}", found.lost);
        let spec = MatchHeader::decode(&found.header)?.spec::<Arena>()?;
        let mut replay = Replay::<Arena>::from_start(spec);
        let mut scratch = Vec::new();
        let mut hashes = BTreeMap::new();
        for piece in found.pieces.iter().filter(|piece| piece.kind == Kind::Frames) {
            let mut frames: &[u8] = &piece.payload;
            while replay.play_next(&mut frames).with_context(|| format!("match {match_id}"))? {
                let state = replay.state();
                hashes.insert(state.tick(), state.hash(&mut scratch));
                verdict.ticks_replayed += 1;
            }
        }
        // Each claim begins an epoch, the first being 1, and says the tick it goes on from. The journal knows
        // those too of which no bot saw anything.
        let claims = found.pieces.iter().filter(|piece| piece.kind == Kind::Claim);
        let begins: Vec<Tick> = claims.map(|claim| claim.last).collect();
        compare(seen, &begins, &hashes, &mut verdict);
    }
    Ok(verdict)
}

/// An epoch's ticks count up to the one that the next epoch went on from.
fn compare(seen: &Seen, begins: &[Tick], replayed: &BTreeMap<Tick, u64>, verdict: &mut Verdict) {
    verdict.hash_mismatches += seen.contradictions;
    for ((epoch, tick), (hash, bots)) in &seen.hashes {
        let next = begins.get(epoch.0 as usize);
        if next.is_some_and(|resumed| tick > resumed) {
            verdict.ticks_undone += 1;
            continue;
        }
        verdict.hashes_compared += bots;
        if replayed.get(tick) != Some(hash) {
            verdict.hash_mismatches += bots;
        }
    }
}
