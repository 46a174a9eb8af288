//! The child: plays matches into a journal and tells what is durable, a line for each match and round,
//! `told ID EPOCH TICK FINISHED`, then `round`.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crossbeam_channel::unbounded;
use matchkeep_server::journal::{Entry, JournalError, JournalItem};
use matchkeep_server::store::{SqliteDirectory, SqliteJournal, Store};
use matchkeep_shared::ids::{Epoch, MatchId};
use matchkeep_shared::time::Tick;
use matchkeep_tests::journal_play::{Play, frames, header};

/// What the child is to do; also what tells it that it is one.
const WORK: &str = "MATCHKEEP_JOURNAL_CHILD";

/// This program again, as a child that does this work.
pub(super) fn child(work: &[&str]) -> Command {
    let program = std::env::current_exe().expect("it runs");
    let mut command = Command::new(program);
    command
        .args(["child::works", "--exact", "--ignored", "--nocapture"])
        .env(WORK, work.join("\n"))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// A child that plays rounds.
pub(super) fn player(folder: &Path, seed: u64, process: u64, rounds: u64) -> Command {
    let folder = folder.to_str().expect("UTF-8");
    let numbers = [seed, process, rounds].map(|number| number.to_string());
    child(&["play", folder, &numbers[0], &numbers[1], &numbers[2]])
}

fn say(line: &str) {
    // Not `println`, which may keep it: this process can end at any moment.
    let mut out = std::io::stdout().lock();
    let said = writeln!(out, "{line}").and_then(|()| out.flush());
    said.expect("the parent listens");
}

#[test]
#[ignore = "is a child of other tests"]
fn works() {
    let Ok(work) = std::env::var(WORK) else { return };
    let work: Vec<&str> = work.split('\n').collect();
    let number = |i: usize| -> u64 { work[i].parse().expect("a number") };
    match work[0] {
        "play" => play(Path::new(work[1]), number(2), number(3), number(4)),
        "hand_over" => hand_over(Path::new(work[1])),
        other => panic!("no such work: {other}"),
    }
}

fn play(folder: &Path, seed: u64, process: u64, rounds: u64) {
    say("begun");
    let mut journal = match SqliteJournal::open(folder) {
        Ok(journal) => journal,
        Err(error) => return say(&format!("trouble: {error}")),
    };
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

/// A match that hands over a tick every few milliseconds, whatever the disk does.
fn hand_over(folder: &Path) {
    const TICKS: u64 = 400;
    let (sender, reports) = unbounded();
    let directory = SqliteDirectory::open(folder).expect("it opens");
    let journal = SqliteJournal::open(folder).expect("it opens");
    let on_report = Box::new(move |report| drop(sender.send((Instant::now(), report))));
    let (store, _) = Store::open_with_journal(directory, journal, on_report).expect("started");
    let handle = store.journal().expect("it was opened with one").clone();
    let id = MatchId(1);
    let hand = |entry| {
        let item = JournalItem { match_id: id, epoch: Epoch(1), entry };
        handle.try_hand_over(item).expect("room");
    };
    hand(Entry::Begin { header: header(id), claim: Vec::new(), unix_ms: 1 });
    let mut slowest = Duration::ZERO;
    for tick in 1..=TICKS {
        let begun = Instant::now();
        let bytes = frames(id, tick, tick);
        hand(Entry::Frames { first: Tick(tick), last: Tick(tick), bytes });
        slowest = slowest.max(begun.elapsed());
        std::thread::sleep(Duration::from_millis(4));
    }
    store.close().expect("closed");
    let durable: Vec<(Instant, Tick)> = reports
        .iter()
        .flat_map(|(at, report)| report.durable.into_iter().map(move |d| (at, d.tick)))
        .collect();
    let gaps = durable.windows(2).map(|pair| pair[1].0 - pair[0].0);
    let longest = gaps.max().expect("there were flushes");
    say(&format!("told 1 1 {} 0", durable.last().expect("there were flushes").1));
    say(&format!("slowest_us {}", slowest.as_micros()));
    say(&format!("longest_ms {}", longest.as_millis()));
    say(&format!("flushes {}", durable.len()));
}
