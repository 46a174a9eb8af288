//! A directory in memory: players, matches and results, durable from their commit on.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use matchkeep_server::accounts::{Account, AccountKey, Standing};
use matchkeep_server::reservations::{PrivateMatch, Reserved};
use matchkeep_server::store::{
    AuditEntry, AuditKey, AuditOutcome, Directory, FinishedMatch, ListFilter, MatchRecord,
    MatchState, MatchSummary, NewMatch, StoreError,
};
use matchkeep_shared::ids::{MatchId, PlayerId};

use super::queue::QueueTables;

/// What outlives processes.
#[derive(Clone, Debug, Default)]
pub struct Tables {
    players: Vec<String>,
    /// In the order of their creation.
    matches: Vec<MatchSummary>,
    results: BTreeMap<MatchId, FinishedMatch>,
    private: Vec<PrivateMatch>,
    audit: Vec<(AuditKey, AuditEntry)>,
    /// The ladders of matches that count for one.
    ladders: BTreeMap<MatchId, String>,
    pub(super) queue: QueueTables,
}

impl Tables {
    /// The name of an account.
    pub(super) fn name(&self, player: PlayerId) -> Option<String> {
        let index = usize::try_from(player.0.checked_sub(1)?).ok()?;
        self.players.get(index).cloned()
    }

    /// Whether a match is promised, or played.
    pub(super) fn goes_on(&self, id: MatchId) -> bool {
        let found = self.matches.iter().find(|found| found.id == id);
        found.is_none_or(|found| found.state == MatchState::Running)
    }

    /// Whether a match was made.
    pub(super) fn has_match(&self, id: MatchId) -> bool {
        self.matches.iter().any(|found| found.id == id)
    }
}

/// The disk under it; clones share it.
#[derive(Clone, Debug, Default)]
pub struct DirectoryDisk(Arc<Mutex<Disk>>);

#[derive(Debug, Default)]
struct Disk {
    durable: Tables,
    is_full: bool,
}

/// A directory as one process has it open.
#[derive(Debug)]
pub struct MemoryDirectory {
    disk: DirectoryDisk,
    /// The transaction that is open.
    working: Option<Tables>,
    /// Matches with a journal, when the process began.
    journaled: BTreeSet<MatchId>,
}

impl DirectoryDisk {
    /// Whether commits find room.
    pub fn set_full(&self, is_full: bool) {
        self.lock().is_full = is_full;
    }

    /// The result of a match, where it is durable.
    pub fn result(&self, match_id: MatchId) -> Option<FinishedMatch> {
        self.lock().durable.results.get(&match_id).cloned()
    }

    /// How many parties got a match by waiting.
    pub fn queued(&self) -> u64 {
        self.lock().durable.queue.matched()
    }

    /// What has become of a match.
    pub fn state(&self, match_id: MatchId) -> Option<MatchState> {
        let disk = self.lock();
        let found = disk.durable.matches.iter().find(|found| found.id == match_id);
        found.map(|found| found.state)
    }

    fn lock(&self) -> MutexGuard<'_, Disk> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl MemoryDirectory {
    /// Opens it; `journaled` are the matches that have a journal.
    pub fn open(disk: &DirectoryDisk, journaled: BTreeSet<MatchId>) -> Self {
        Self { disk: disk.clone(), working: None, journaled }
    }

    /// Reads within the transaction that is open, or what is durable.
    pub(super) fn read<T>(&self, read: impl FnOnce(&Tables) -> T) -> T {
        match &self.working {
            Some(working) => read(working),
            None => read(&self.disk.lock().durable),
        }
    }

    pub(super) fn working(&mut self) -> &mut Tables {
        self.working.as_mut().expect("a transaction was begun")
    }

    fn find(&mut self, id: MatchId) -> Result<&mut MatchSummary, StoreError> {
        let found = self.working().matches.iter_mut().find(|found| found.id == id);
        found.ok_or(StoreError::UnknownMatch(id))
    }
}

impl Directory for MemoryDirectory {
    fn begin(&mut self) -> Result<(), StoreError> {
        self.working = Some(self.disk.lock().durable.clone());
        Ok(())
    }

    fn commit(&mut self) -> Result<(), StoreError> {
        let working = self.working.take().expect("a transaction was begun");
        let mut disk = self.disk.lock();
        if disk.is_full {
            return Err(StoreError::Full { database: "memory".to_owned() });
        }
        disk.durable = working;
        Ok(())
    }

    fn roll_back(&mut self) -> Result<(), StoreError> {
        self.working = None;
        Ok(())
    }

    fn player(&mut self, name: &str, _: u64) -> Result<PlayerId, StoreError> {
        let players = &mut self.working().players;
        let found = players.iter().position(|known| known == name);
        let index = found.unwrap_or_else(|| {
            players.push(name.to_owned());
            players.len() - 1
        });
        Ok(PlayerId(index as u64 + 1))
    }

    fn account(&mut self, key: &AccountKey, _: u64) -> Result<Account, StoreError> {
        let name = match key {
            AccountKey::Name(name) => name.clone(),
            AccountKey::Identity { subject, .. } => format!("identity {subject}"),
        };
        let player = self.player(&name, 0)?;
        Ok(Account { player, standing: Standing::default() })
    }

    fn reserve(&mut self, wanted: &PrivateMatch, _: u64) -> Result<Reserved, StoreError> {
        let is_same =
            |known: &&PrivateMatch| (known.owner, known.request) == (wanted.owner, wanted.request);
        let found = self.working().private.iter().find(is_same).cloned();
        let PrivateMatch { match_id, code, .. } = found.unwrap_or_else(|| {
            self.working().private.push(wanted.clone());
            wanted.clone()
        });
        let was_made = self.find(match_id).is_ok();
        Ok(Reserved { match_id, code, was_made })
    }

    fn private(&self, id: MatchId) -> Result<Option<PrivateMatch>, StoreError> {
        let disk = self.disk.lock();
        let mut private = disk.durable.private.iter();
        Ok(private.find(|known| known.match_id == id).cloned())
    }

    fn create(&mut self, new: &NewMatch) -> Result<(), StoreError> {
        if self.find(new.id).is_ok() {
            return Ok(());
        }
        self.working().matches.push(MatchSummary {
            id: new.id,
            mode: new.mode.clone(),
            game: new.game.clone(),
            rules_version: new.rules_version,
            map: new.map.clone(),
            shard: new.shard,
            tick_rate_hz: new.tick_rate.into(),
            created_unix_ms: new.created_unix_ms,
            ended_unix_ms: None,
            ticks: None,
            state: MatchState::Running,
            reason: None,
            player_count: 0,
        });
        if let Some(ladder) = &new.ladder {
            self.working().ladders.insert(new.id, ladder.clone());
        }
        Ok(())
    }

    fn finish(&mut self, finished: &FinishedMatch) -> Result<(), StoreError> {
        let id = finished.id;
        self.find(id)?;
        if let Some(known) = self.working().results.get(&id) {
            let same = known.outcome == finished.outcome && known.ticks == finished.ticks;
            return if same { Ok(()) } else { Err(StoreError::ResultDiffers(id)) };
        }
        let accounts = self.working().players.len() as u64;
        let stranger = finished.outcome.players.iter().find(|result| result.player.0 > accounts);
        if let Some(stranger) = stranger {
            return Err(StoreError::UnknownPlayer { match_id: id, player: stranger.player });
        }
        self.working().results.insert(id, finished.clone());
        if let Some(ladder) = self.working().ladders.get(&id).cloned() {
            self.working().queue.rate(&ladder, &finished.outcome);
        }
        let found = self.find(id)?;
        found.state = MatchState::Finished;
        found.ticks = Some(finished.ticks.0);
        found.ended_unix_ms = Some(finished.ended_unix_ms);
        Ok(())
    }

    fn interrupt_running(&mut self) -> Result<u64, StoreError> {
        let journaled = self.journaled.clone();
        let cut_off = |found: &&mut MatchSummary| {
            found.state == MatchState::Running && !journaled.contains(&found.id)
        };
        let cut_off = self.working().matches.iter_mut().filter(cut_off);
        Ok(cut_off.map(|found| found.state = MatchState::Interrupted).count() as u64)
    }

    fn quarantine(&mut self, id: MatchId, _: &str) -> Result<(), StoreError> {
        let found = self.find(id)?;
        if matches!(found.state, MatchState::Running | MatchState::Interrupted) {
            found.state = MatchState::Quarantined;
        }
        Ok(())
    }

    fn audit(&mut self, key: AuditKey, entry: &AuditEntry) -> Result<(), StoreError> {
        self.working().audit.push((key, entry.clone()));
        Ok(())
    }

    fn settle_audit(
        &mut self,
        key: AuditKey,
        outcome: AuditOutcome,
        why: Option<&str>,
    ) -> Result<(), StoreError> {
        let rows = self.working().audit.iter_mut();
        for (_, entry) in rows.filter(|(known, _)| *known == key) {
            entry.outcome = outcome;
            entry.why = why.map(str::to_owned);
        }
        Ok(())
    }

    fn list(&self, filter: &ListFilter) -> Result<Vec<MatchSummary>, StoreError> {
        let disk = self.disk.lock();
        let newest_first = disk.durable.matches.iter().rev();
        let before = filter.before;
        let page = newest_first.skip_while(|found| before.is_some_and(|id| found.id != id));
        let page = page.skip(usize::from(before.is_some()));
        let page = page.filter(|found| filter.state.is_none_or(|state| found.state == state));
        Ok(page.take(filter.limit).cloned().collect())
    }

    fn show(&self, id: MatchId) -> Result<MatchRecord, StoreError> {
        let disk = self.disk.lock();
        let found = disk.durable.matches.iter().find(|found| found.id == id);
        let summary = found.cloned().ok_or(StoreError::UnknownMatch(id))?;
        Ok(MatchRecord { summary, players: Vec::new() })
    }
}
