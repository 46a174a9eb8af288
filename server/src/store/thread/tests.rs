//! The store's thread: group commit, full queues, ends.

use std::time::Duration;

use crossbeam_channel::Receiver;

use matchkeep_shared::ids::MatchId;

use super::super::queue::Queue;
use super::super::record::{ListFilter, MatchRecord, MatchSummary};
use super::*;
use crate::matchmaking::{
    FormMatch, Formed, NewTicket, Promised, QueueEnd, QueueTicketId, Queued, Rating,
};

/// What a commit is told to do, one after the other; [`Script::commits`] hears of each one first.
type Verdict = Result<(), StoreError>;

/// A directory whose commits wait for their verdict, and that panics where the thread breaks the
/// order of calls.
struct Scripted {
    commits: Sender<u64>,
    verdicts: Receiver<Verdict>,
    begun: bool,
    writes: u64,
}

struct Script {
    /// The number of writes in each transaction that wants to commit.
    commits: Receiver<u64>,
    verdicts: Sender<Verdict>,
}

impl Script {
    fn next_commit(&self) -> u64 {
        self.commits.recv_timeout(Duration::from_secs(10)).expect("a commit comes")
    }

    fn decide(&self, verdict: Verdict) {
        self.verdicts.send(verdict).expect("the thread lives");
    }
}

impl Directory for Scripted {
    fn begin(&mut self) -> Result<(), StoreError> {
        assert!(!self.begun);
        self.begun = true;
        self.writes = 0;
        Ok(())
    }

    fn commit(&mut self) -> Result<(), StoreError> {
        assert!(self.begun);
        self.commits.send(self.writes).expect("the test lives");
        let verdict = self.verdicts.recv().expect("the test lives");
        self.begun = verdict.is_err();
        verdict
    }

    fn roll_back(&mut self) -> Result<(), StoreError> {
        self.begun = false;
        Ok(())
    }

    fn player(&mut self, name: &str, now_unix_ms: u64) -> Result<PlayerId, StoreError> {
        assert!(self.begun);
        if name == "panic" {
            panic!("planted");
        }
        if name.is_empty() {
            return Err(StoreError::NameInvalid(String::new()));
        }
        self.writes += 1;
        Ok(PlayerId(now_unix_ms))
    }

    fn account(&mut self, _: &AccountKey, _: u64) -> Result<Account, StoreError> {
        unreachable!("no test signs in here")
    }

    fn reserve(&mut self, _: &PrivateMatch, _: u64) -> Result<Reserved, StoreError> {
        unreachable!("no test wants a private match here")
    }

    fn private(&self, _: MatchId) -> Result<Option<PrivateMatch>, StoreError> {
        Ok(None)
    }

    fn create(&mut self, new: &NewMatch) -> Result<(), StoreError> {
        assert!(self.begun);
        self.writes += 1;
        if new.id == MatchId(0) { Err(full()) } else { Ok(()) }
    }

    fn finish(&mut self, _: &FinishedMatch) -> Result<(), StoreError> {
        unreachable!("no test finishes a match here")
    }

    fn interrupt_running(&mut self) -> Result<u64, StoreError> {
        Ok(0)
    }

    fn quarantine(&mut self, _: MatchId, _: &str) -> Result<(), StoreError> {
        unreachable!("no test sets a match aside here")
    }

    fn audit(&mut self, _: AuditKey, _: &AuditEntry) -> Result<(), StoreError> {
        unreachable!("no test changes anything here")
    }

    fn settle_audit(
        &mut self,
        _: AuditKey,
        _: AuditOutcome,
        _: Option<&str>,
    ) -> Result<(), StoreError> {
        unreachable!("no test changes anything here")
    }

    fn list(&self, _: &ListFilter) -> Result<Vec<MatchSummary>, StoreError> {
        Ok(Vec::new())
    }

    fn show(&self, id: MatchId) -> Result<MatchRecord, StoreError> {
        Err(StoreError::UnknownMatch(id))
    }
}

impl Queue for Scripted {
    fn enqueue(&mut self, _: &NewTicket) -> Result<Queued, StoreError> {
        unreachable!("no test waits here")
    }

    fn cancel_queued(&mut self, _: QueueTicketId, _: QueueEnd, _: u64) -> Result<bool, StoreError> {
        unreachable!("no test waits here")
    }

    fn form(&mut self, _: &FormMatch) -> Result<Formed, StoreError> {
        unreachable!("no test forms a match here")
    }

    fn queue_changes(&self, _: u64, _: usize) -> Result<Vec<Queued>, StoreError> {
        unreachable!("no test asks for changes here")
    }

    fn queue_of(&self, _: PlayerId) -> Result<Option<Queued>, StoreError> {
        unreachable!("no test asks for a player here")
    }

    fn promised_after(&self, _: Option<MatchId>) -> Result<Vec<Promised>, StoreError> {
        unreachable!("no test asks for promises here")
    }

    fn forget_queued(&mut self, _: u64) -> Result<u64, StoreError> {
        unreachable!("no test lets go of anything here")
    }

    fn ratings(&self, _: &str, _: &[PlayerId]) -> Result<Vec<Rating>, StoreError> {
        unreachable!("no test asks for ratings here")
    }
}

fn full() -> StoreError {
    StoreError::Full { database: "matches.db".to_owned() }
}

fn store() -> (Store, Script) {
    let (commits, told) = bounded(100);
    let (verdicts, decided) = bounded(100);
    let script = Script { commits: told, verdicts };
    script.decide(Ok(()));
    let directory = Scripted { commits, verdicts: decided, begun: false, writes: 0 };
    let (store, _) = Store::open(directory).expect("started");
    assert_eq!(script.next_commit(), 0, "the interrupted matches");
    (store, script)
}

fn player(store: &Store, number: u64) -> Pending<PlayerId> {
    store.player("Ada", number).expect("room")
}

#[test]
fn what_waits_shares_a_commit_and_is_answered_after_it() {
    let (store, script) = store();
    let mut first = player(&store, 1);
    assert_eq!(script.next_commit(), 1);
    let mut others: Vec<_> = (2..10).map(|number| player(&store, number)).collect();
    let invalid = store.player("", 0).expect("room");
    assert_eq!(first.poll_now(), None, "its commit has not returned");
    script.decide(Ok(()));
    assert_eq!(script.next_commit(), 8, "one transaction for all that waited");
    assert_eq!(first.poll_now(), Some(Ok(PlayerId(1))));
    assert!(others.iter_mut().all(|pending| pending.poll_now().is_none()));
    script.decide(Ok(()));
    for (pending, number) in others.into_iter().zip(2..) {
        assert_eq!(pending.wait(), Ok(PlayerId(number)));
    }
    assert_eq!(invalid.wait(), Err(StoreError::NameInvalid(String::new())), "its own fault");
    store.close().expect("closed");
}

#[test]
fn a_full_disk_takes_the_whole_batch_and_nothing_after_it() {
    let (store, script) = store();
    let held = player(&store, 1);
    script.next_commit();
    let before = player(&store, 2);
    let culprit = store.create(NewMatch::sample(0)).expect("room");
    let after = player(&store, 3);
    script.decide(Ok(()));
    assert_eq!(held.wait(), Ok(PlayerId(1)));
    assert_eq!(before.wait(), Err(full()), "it was rolled back with the rest");
    assert_eq!(culprit.wait(), Err(full()));
    assert_eq!(after.wait(), Err(full()));

    let at_commit = player(&store, 4);
    script.next_commit();
    script.decide(Err(full()));
    assert_eq!(at_commit.wait(), Err(full()));
    let again = player(&store, 5);
    script.next_commit();
    script.decide(Ok(()));
    assert_eq!(again.wait(), Ok(PlayerId(5)), "there is space again");
    store.close().expect("closed");
}

#[test]
fn after_a_failed_flush_nothing_is_retried_and_trusted() {
    let (store, script) = store();
    let broken = StoreError::Broken { cause: "fsync: EIO".to_owned() };
    let failed = player(&store, 1);
    script.next_commit();
    script.decide(Err(broken.clone()));
    assert_eq!(failed.wait(), Err(broken.clone()));
    for number in 2..5 {
        assert_eq!(player(&store, number).wait(), Err(broken.clone()));
    }
    assert!(script.commits.is_empty(), "storage was not touched again");
    store.close().expect("closed");
}

#[test]
fn a_full_queue_is_an_error_and_not_a_wait() {
    let (store, script) = store();
    let held = player(&store, 0);
    script.next_commit();
    let waiting: Vec<_> = (0..STORE_WRITES_MAX as u64).map(|n| player(&store, n)).collect();
    assert_eq!(store.queued(), STORE_WRITES_MAX);
    assert_eq!(store.player("Ada", 1).err(), Some(StoreError::QueueFull));
    script.decide(Ok(()));
    script.decide(Ok(()));
    assert_eq!(held.wait(), Ok(PlayerId(0)));
    for (pending, number) in waiting.into_iter().zip(0..) {
        assert_eq!(pending.wait(), Ok(PlayerId(number)));
    }
    store.close().expect("closed");
}

#[test]
fn closing_writes_what_waits_and_refuses_what_comes_later() {
    let (store, script) = store();
    let held = player(&store, 1);
    script.next_commit();
    let waiting = player(&store, 2);
    let other = store.clone();
    let closing = std::thread::Builder::new().spawn(move || store.close()).expect("a thread");
    // Whichever comes first, the write or the close: the write has an answer.
    let behind = other.player("Ada", 3);
    for _ in 0..3 {
        script.decide(Ok(()));
    }
    closing.join().expect("no panic").expect("closed");
    assert_eq!(held.wait(), Ok(PlayerId(1)));
    assert_eq!(waiting.wait(), Ok(PlayerId(2)));
    match behind {
        Ok(behind) => assert_eq!(behind.wait(), Ok(PlayerId(3))),
        Err(error) => assert_eq!(error, StoreError::Closed),
    }
    assert_eq!(other.player("Ada", 4).err(), Some(StoreError::Closed));
    other.close().expect("right also where it was closed");
}

#[test]
fn without_handles_what_waits_is_still_written() {
    let (store, script) = store();
    let held = player(&store, 1);
    script.next_commit();
    let waiting = player(&store, 2);
    drop(store);
    script.decide(Ok(()));
    script.decide(Ok(()));
    assert_eq!(held.wait(), Ok(PlayerId(1)));
    assert_eq!(waiting.wait(), Ok(PlayerId(2)));
}

#[test]
fn a_defect_in_the_thread_is_told_and_nobody_waits_for_ever() {
    let (store, script) = store();
    let held = player(&store, 1);
    script.next_commit();
    let panicking = store.player("panic", 0).expect("room");
    let behind: Vec<_> = (2..50).map(|number| player(&store, number)).collect();
    script.decide(Ok(()));
    assert_eq!(held.wait(), Ok(PlayerId(1)));
    assert_eq!(panicking.wait(), Err(StoreError::Closed));
    for pending in behind {
        assert_eq!(pending.wait(), Err(StoreError::Closed));
    }
    assert!(matches!(store.close(), Err(StoreError::Broken { .. })));
}
