//! The store's thread, played: one journal writer, one directory, one disk under both that takes its time.
//! The double of `store/thread.rs` and `store/thread/journals.rs`.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use matchkeep_server::control::core::{Note, StoreAnswer, StoreRequest};
use matchkeep_server::journal::{
    Handover, Journal, JournalError, JournalItem, JournalReport, Room, Writer,
};
use matchkeep_server::store::{Directory, Queue, StoreError};
use matchkeep_shared::ids::ShardId;
use matchkeep_shared::limits::{JOURNAL_ITEMS_MAX, JOURNAL_JOIN, JOURNAL_RETRY};
use matchkeep_shared::rng::Rng;

use super::directory::MemoryDirectory;
use crate::memory_journal::MemoryJournal;

/// The room for what is not durable, in bytes: small, so that a slow disk fills it.
const ROOM_BYTES: usize = 256 * 1024;
/// What a sync takes on a good day.
const SYNC_MS_MAX: u32 = 6;

/// The store of one process.
pub struct Store {
    pub(super) writer: Writer,
    journal: MemoryJournal,
    directory: MemoryDirectory,
    pub(super) room: Room,
    pub(super) items: VecDeque<Handover>,
    /// Somebody waits for something in `items`, and has not said that this is all.
    waits: bool,
    is_urgent: bool,
    due: Option<Instant>,
    in_trouble: bool,
    requests: VecDeque<StoreRequest>,
    work: Option<Work>,
    broken: Option<StoreError>,
    rng: Rng,
    /// What a sync takes now, where the disk is slow.
    pub slow: Option<Duration>,
}

/// What the thread is doing, until when. The disk has it at the beginning or at the end of that.
struct Work {
    until: Instant,
    job: Job,
}

enum Job {
    Flush(Option<JournalReport>),
    Requests(Vec<StoreRequest>, Option<Said>),
}

/// What a turn of the store says.
#[derive(Default)]
pub struct Said {
    /// Of flushes.
    pub reports: Vec<JournalReport>,
    /// To requests.
    pub answers: Vec<StoreAnswer>,
}

impl Said {
    fn add_to(mut self, said: &mut Self) {
        said.reports.append(&mut self.reports);
        said.answers.append(&mut self.answers);
    }
}

impl Store {
    /// A store on a journal and a directory that are open.
    pub fn new(journal: MemoryJournal, directory: MemoryDirectory, seed: u64) -> Self {
        Self {
            writer: Writer::new(),
            journal,
            directory,
            room: Room::new(ROOM_BYTES),
            items: VecDeque::new(),
            waits: false,
            is_urgent: false,
            due: None,
            in_trouble: false,
            requests: VecDeque::new(),
            work: None,
            broken: None,
            rng: Rng::new(seed),
            slow: None,
        }
    }

    /// Takes a piece of a journal, or gives it back where there is no room.
    ///
    /// # Errors
    /// The piece.
    pub fn hand_over(
        &mut self,
        now: Instant,
        shard: Option<ShardId>,
        item: JournalItem,
    ) -> Result<(), JournalItem> {
        if self.items.len() >= JOURNAL_ITEMS_MAX {
            return Err(item);
        }
        let is_urgent = item.entry.is_urgent();
        self.items.push_back(Handover::new(&self.room, item)?.by(shard));
        self.waits |= is_urgent;
        if shard.is_none() {
            self.complete(now);
        }
        Ok(())
    }

    /// What was handed over is all for now. Nothing is written that nobody said this of.
    pub fn complete(&mut self, now: Instant) {
        self.is_urgent |= std::mem::take(&mut self.waits);
        if self.due.is_none() {
            self.due = Some(now + JOURNAL_JOIN);
        }
    }

    /// Whether what is handed over now goes with a flush that is about to be.
    pub fn is_calling(&self) -> bool {
        self.due.is_some() && !self.in_trouble
    }

    /// Takes a request.
    pub fn ask(&mut self, request: StoreRequest) {
        self.requests.push_back(request);
    }

    /// When there is something to do.
    pub fn wake(&self, now: Instant) -> Option<Instant> {
        if let Some(work) = &self.work {
            return Some(work.until);
        }
        if !self.requests.is_empty() || (self.is_urgent && !self.in_trouble) {
            return Some(now);
        }
        self.due
    }

    /// Does what is due.
    pub fn turn(&mut self, now: Instant) -> Said {
        let mut said = Said::default();
        loop {
            if let Some(work) = self.work.take_if(|work| work.until <= now) {
                self.finish(now, work.job, &mut said);
            }
            if self.work.is_some() || !self.begin(now) {
                return said;
            }
        }
    }

    /// Writes all that waits, at once, as a store that is closed does; says whether nothing is left.
    pub fn close(&mut self, now: Instant) -> (Said, bool) {
        let mut said = Said::default();
        if let Some(work) = self.work.take() {
            self.finish(now, work.job, &mut said);
        }
        while let Some(request) = self.requests.pop_front() {
            self.carry_out(now, vec![request]).add_to(&mut said);
        }
        for _ in 0..2 {
            said.reports.push(self.flush());
        }
        let is_done = self.items.is_empty() && !self.writer.has_pending() && self.broken.is_none();
        (said, is_done && self.writer.broken().is_none())
    }

    /// Begins what is to be done first; says whether there was anything.
    fn begin(&mut self, now: Instant) -> bool {
        let wants_flush =
            (self.is_urgent && !self.in_trouble) || self.due.is_some_and(|due| due <= now);
        let early = self.rng.below(2) == 0;
        let job = if wants_flush {
            self.is_urgent = false;
            self.due = None;
            Job::Flush(early.then(|| self.flush()))
        } else if !self.requests.is_empty() {
            let requests: Vec<_> = self.requests.drain(..).collect();
            let carried_out = early.then(|| self.carry_out(now, requests.clone()));
            Job::Requests(requests, carried_out)
        } else {
            return false;
        };
        let sync = Duration::from_micros(u64::from(300 + self.rng.below(SYNC_MS_MAX * 1000)));
        self.work = Some(Work { until: now + self.slow.unwrap_or(sync), job });
        true
    }

    fn finish(&mut self, now: Instant, job: Job, said: &mut Said) {
        match job {
            Job::Flush(report) => {
                let report = report.unwrap_or_else(|| self.flush());
                self.note_trouble(now, report.trouble.as_ref());
                if !report.is_empty() {
                    said.reports.push(report);
                }
            }
            Job::Requests(requests, carried_out) => {
                let carried_out = carried_out.unwrap_or_else(|| self.carry_out(now, requests));
                carried_out.add_to(said);
            }
        }
    }

    fn flush(&mut self) -> JournalReport {
        for item in self.items.drain(..) {
            self.writer.push(item);
        }
        self.writer.flush(&mut self.journal)
    }

    fn note_trouble(&mut self, now: Instant, trouble: Option<&JournalError>) {
        self.in_trouble = trouble.is_some();
        if trouble.is_some_and(JournalError::may_pass) {
            self.due = Some(now + JOURNAL_RETRY);
        }
        self.broken = self.writer.broken().cloned().map(StoreError::from);
    }

    /// All requests in one transaction, but for those that set a match aside.
    fn carry_out(&mut self, now: Instant, requests: Vec<StoreRequest>) -> Said {
        let (mut answers, mut reports) = (Vec::new(), Vec::new());
        let (aside, writes): (Vec<_>, Vec<_>) = requests
            .into_iter()
            .partition(|request| matches!(request, StoreRequest::Note(Note::Quarantine { .. })));
        if !writes.is_empty() {
            self.transact(writes, &mut answers);
        }
        for request in aside {
            let StoreRequest::Note(note) = &request else { continue };
            let Note::Quarantine { match_id, why } = note else { continue };
            let noted = |result| StoreAnswer::Noted { note: note.clone(), result };
            // As the thread does: what was handed over comes before.
            let trouble = if self.in_trouble {
                Some(JournalError::Busy { place: "the journal".to_owned() })
            } else {
                // And is told of as ever.
                let report = self.flush();
                let trouble = report.trouble.clone();
                self.note_trouble(now, trouble.as_ref());
                if !report.is_empty() {
                    reports.push(report);
                }
                trouble
            };
            if let Some(trouble) = trouble {
                answers.push(noted(Err(trouble.into())));
                continue;
            }
            match self.journal.quarantine(*match_id, why) {
                Ok(Ok(())) => self.transact(vec![request], &mut answers),
                Ok(Err(_)) => answers.push(noted(Err(StoreError::UnknownMatch(*match_id)))),
                Err(error) => answers.push(noted(Err(StoreError::from(error)))),
            }
        }
        Said { reports, answers }
    }

    fn transact(&mut self, requests: Vec<StoreRequest>, answers: &mut Vec<StoreAnswer>) {
        let first = answers.len();
        let mut failed = self.broken.clone().or_else(|| self.directory.begin().err());
        for request in requests {
            let directory = &mut self.directory;
            let mut attempt =
                |write: &mut dyn FnMut(&mut MemoryDirectory) -> Result<(), StoreError>| {
                    match &failed {
                        Some(failed) => Err(failed.clone()),
                        None => write(directory),
                    }
                };
            let answer = match request {
                StoreRequest::Account { to, key } => {
                    let mut account = None;
                    let result = attempt(&mut |d| d.account(&key, 0).map(|it| account = Some(it)));
                    let result = result.map(|()| account.expect("it was found"));
                    StoreAnswer::Account { to, result }
                }
                StoreRequest::Vouch { showing, newer } => {
                    let mut account = None;
                    let result =
                        attempt(&mut |d| d.account(&newer.key, 0).map(|it| account = Some(it)));
                    let result = result.map(|()| account.expect("it was found"));
                    StoreAnswer::Vouched { showing, newer, result }
                }
                StoreRequest::Reserve { to, mode, wanted } => {
                    let mut reserved = None;
                    let result =
                        attempt(&mut |d| d.reserve(&wanted, 0).map(|it| reserved = Some(it)));
                    let result = result.map(|()| reserved.expect("it was written down"));
                    StoreAnswer::Reserved { to, mode, result }
                }
                StoreRequest::Queue { to, ask } => {
                    let mut said = None;
                    let result = attempt(&mut |d| d.carry_out(&ask).map(|it| said = Some(it)));
                    let result = result.map(|()| said.expect("it was done"));
                    StoreAnswer::Queue { to, ask, result }
                }
                StoreRequest::Note(note) => {
                    let result = attempt(&mut |directory| match &note {
                        Note::Create(new) => directory.create(new),
                        Note::Result(finished) => directory.finish(finished),
                        Note::Quarantine { match_id, why } => directory.quarantine(*match_id, why),
                    });
                    StoreAnswer::Noted { note, result }
                }
            };
            answers.push(answer);
        }
        if failed.is_none() {
            failed = self.directory.commit().err();
        }
        let Some(failed) = failed else { return };
        // Nothing of it is there, whatever each of them was told.
        let _ = self.directory.roll_back();
        for answer in &mut answers[first..] {
            match answer {
                StoreAnswer::Account { result, .. } | StoreAnswer::Vouched { result, .. } => {
                    *result = Err(failed.clone());
                }
                StoreAnswer::Reserved { result, .. } => *result = Err(failed.clone()),
                StoreAnswer::Queue { result, .. } => *result = Err(failed.clone()),
                StoreAnswer::Noted { result, .. } => *result = Err(failed.clone()),
            }
        }
    }
}
