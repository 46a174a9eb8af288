//! Plays matches into a journal on a disk that fails, and tells what is durable: a line for each match and round,
//! `told ID EPOCH TICK FINISHED`, then `round`. A process of its own, because faults lie under a process and
//! because it is cut off in the middle of a write.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::Parser;
use matchkeep_server::journal::{Entry, JournalError, JournalItem};
use matchkeep_server::store::{JournalHandle, SqliteDirectory, SqliteJournal, Store};
use matchkeep_shared::ids::{Epoch, MatchId, ShardId};
use matchkeep_shared::limits::JOURNAL_FLUSH;
use matchkeep_shared::time::Tick;
use matchkeep_tests::journal_play::{Play, frames, header};

/// A child of the tests of disks that fail.
#[derive(Debug, Parser)]
#[command(name = "journal_child", max_term_width = 100)]
enum Work {
    /// Plays rounds, each with a flush at its end.
    Play {
        /// Where the journal lies.
        folder: PathBuf,
        /// Who does what in which round follows from it.
        seed: u64,
        /// How many processes used the journal before.
        process: u64,
        /// How many rounds.
        rounds: u64,
    },
    /// Plays one match as a shard does, a tick every few milliseconds, whatever the disk does.
    HandOver {
        /// Where the journal lies.
        folder: PathBuf,
    },
}

fn main() {
    match Work::parse() {
        Work::Play { folder, seed, process, rounds } => play(&folder, seed, process, rounds),
        Work::HandOver { folder } => hand_over(&folder),
    }
}

fn say(line: &str) {
    // Not `println`, which may keep it: this process can end at any moment.
    let mut out = std::io::stdout().lock();
    let said = writeln!(out, "{line}").and_then(|()| out.flush());
    said.expect("the parent listens");
}

fn play(folder: &Path, seed: u64, process: u64, rounds: u64) {
    say("begun");
    let mut journal = match SqliteJournal::open(folder) {
        Ok(journal) => journal,
        Err(error) => return say(&format!("trouble: {error}")),
    };
    // As a node does; on a disk that fails it may not come to it.
    let _ = journal.lengthen_log();
    let mut play = Play::new(seed, process);
    if let Err(error) = play.resume(&mut journal) {
        return say(&format!("trouble: {error}"));
    }
    for _ in 0..rounds {
        let report = play.round(&mut journal);
        for (id, acked) in &play.told {
            let finished = u8::from(acked.is_finished);
            say(&format!("told {} {} {} {finished}", id.0, acked.epoch, acked.tick));
        }
        if let Some(trouble) = report.trouble {
            assert!(matches!(trouble, JournalError::Broken { .. }), "{trouble}");
            // Nothing is tried and trusted after it.
            let again = play.round(&mut journal).trouble;
            assert!(matches!(again, Some(JournalError::Broken { .. })), "{again:?}");
            return say(&format!("broken: {trouble}"));
        }
        say("round");
    }
    say("ended");
}

fn hand_over(folder: &Path) {
    const TICKS: u64 = 400;
    const TICK: Duration = Duration::from_millis(4);
    let directory = SqliteDirectory::open(folder).expect("it opens");
    let journal = SqliteJournal::open(folder).expect("it opens");
    let (store, _) = Store::open_with_journal(directory, journal, Box::new(drop)).expect("started");
    let control = store.journal().expect("it was opened with one").clone();
    let (shard, told) = control.of_shard(ShardId(0));
    let listener = std::thread::spawn(move || -> Vec<(Instant, Tick)> {
        told.iter().flatten().map(|(_, _, tick)| (Instant::now(), tick)).collect()
    });
    let id = MatchId(1);
    let hand = |handle: &JournalHandle, entry| {
        let item = JournalItem { match_id: id, epoch: Epoch(1), entry };
        handle.try_hand_over(item).expect("room");
    };
    hand(&control, Entry::Begin { header: header(id), claim: Vec::new(), unix_ms: 1 });
    let mut slowest = Duration::ZERO;
    let mut gathered = Duration::ZERO;
    for tick in 1..=TICKS {
        let begun = Instant::now();
        let bytes = frames(id, tick, tick);
        hand(&shard, Entry::Frames { first: Tick(tick), last: Tick(tick), bytes });
        gathered += TICK;
        if gathered >= JOURNAL_FLUSH {
            shard.complete(false);
            gathered = Duration::ZERO;
        }
        slowest = slowest.max(begun.elapsed());
        std::thread::sleep(TICK);
    }
    store.close().expect("closed");
    // With the last handle the listener hears no more.
    drop((control, shard));
    let durable = listener.join().expect("it only listens");
    let gaps = durable.windows(2).map(|pair| pair[1].0 - pair[0].0);
    let longest = gaps.max().expect("there were flushes");
    say(&format!("told 1 1 {} 0", durable.last().expect("there were flushes").1));
    say(&format!("slowest_us {}", slowest.as_micros()));
    say(&format!("longest_ms {}", longest.as_millis()));
    say(&format!("flushes {}", durable.len()));
}
