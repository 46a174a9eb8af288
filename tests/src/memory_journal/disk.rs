//! The disk: what is written, what is durable, and its failures.

use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use matchkeep_server::journal::{
    Batch, Claim, Journal, JournalEntry, JournalError, JournalReader, JournalState, Label, Load,
    Refusal, Retained, Retention, Stored,
};
use matchkeep_shared::ids::{Epoch, MatchId};
use matchkeep_shared::rng::Rng;

use super::image::{Image, Op, Plan};

/// A disk; clones share it. It outlives the processes that use it.
#[derive(Clone, Debug)]
pub struct MemoryDisk(Arc<Mutex<Disk>>);

/// A journal on a [`MemoryDisk`], as one process has it open. It is dead when the power was cut.
#[derive(Debug)]
pub struct MemoryJournal {
    disk: MemoryDisk,
    life: u64,
}

#[derive(Debug)]
struct Disk {
    /// Transactions in order: the first `durable` of them are on stable storage, the last may be half
    /// written.
    log: Vec<Vec<Op>>,
    durable: usize,
    /// All of the log.
    image: Image,
    /// How often the power came on.
    life: u64,
    is_on: bool,
    is_broken: bool,
    rng: Rng,
    steps: u64,
    cut_at_step: Option<u64>,
    busy_calls: u32,
    bytes_max: Option<u64>,
    next_sync_fails: bool,
    lies: bool,
    tears: bool,
}

impl MemoryDisk {
    /// An empty disk; what chance decides comes from `seed`.
    pub fn new(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(Disk {
            log: Vec::new(),
            durable: 0,
            image: Image::default(),
            life: 0,
            is_on: true,
            is_broken: false,
            rng: Rng::new(seed),
            steps: 0,
            cut_at_step: None,
            busy_calls: 0,
            bytes_max: None,
            next_sync_fails: false,
            lies: false,
            tears: false,
        })))
    }

    /// Cuts the power: what is not durable is lost, every journal that was open is dead.
    pub fn cut(&self) {
        self.disk().cut();
    }

    /// Cuts the power after so many more write steps: each change written, each sync begun, each sync
    /// done is one.
    pub fn cut_after(&self, steps: u64) {
        let mut disk = self.disk();
        disk.cut_at_step = Some(disk.steps + steps);
    }

    /// Write steps since the disk was made.
    pub fn steps(&self) -> u64 {
        self.disk().steps
    }

    /// Whether the power was cut and nobody opened a journal since.
    pub fn is_off(&self) -> bool {
        !self.disk().is_on
    }

    /// Whether a cut leaves pieces of what was being written, the last record half written.
    pub fn set_tears(&self, tears: bool) {
        self.disk().tears = tears;
    }

    /// The next calls are told that the disk is busy.
    pub fn stall(&self, calls: u32) {
        self.disk().busy_calls = calls;
    }

    /// How many bytes of records there is room for; `None` for any number.
    pub fn set_room(&self, bytes_max: Option<u64>) {
        self.disk().bytes_max = bytes_max;
    }

    /// Bytes of records on the disk.
    pub fn bytes(&self) -> u64 {
        self.disk().image.bytes()
    }

    /// The next sync fails: what it was to make durable may be there or not.
    pub fn fail_next_sync(&self) {
        self.disk().next_sync_fails = true;
    }

    /// Syncs are answered and not done. No disk may do that; a test that does not notice is none.
    pub fn set_lies(&self, lies: bool) {
        self.disk().lies = lies;
    }

    /// Records of a match that claims set aside.
    pub fn set_aside(&self, match_id: MatchId) -> usize {
        self.disk().image.set_aside(match_id)
    }

    /// Damages the stored records of a match, in order: bytes and labels.
    pub fn damage(&self, match_id: MatchId, mut each: impl FnMut(usize, &mut Label, &mut Vec<u8>)) {
        for (i, row) in self.disk().image.rows_mut(match_id).enumerate() {
            each(i, &mut row.label, &mut row.bytes);
        }
    }

    fn disk(&self) -> MutexGuard<'_, Disk> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Disk {
    fn cut(&mut self) {
        self.is_on = false;
    }

    /// What is there when the power comes back.
    fn start(&mut self) {
        self.life += 1;
        self.is_broken = false;
        if self.is_on {
            // A process after another one: nothing was lost.
            return;
        }
        self.is_on = true;
        (self.cut_at_step, self.next_sync_fails) = (None, false);
        let lost: Vec<Op> = self.log.drain(self.durable..).flatten().collect();
        if self.tears && !lost.is_empty() {
            let kept = self.rng.below(lost.len() as u32 + 1) as usize;
            let mut torn: Vec<Op> = lost.into_iter().take(kept).collect();
            if let Some(Op::Put(row)) = torn.last_mut() {
                let length = self.rng.below(row.bytes.len() as u32) as usize;
                row.bytes.truncate(length);
            }
            self.log.push(torn);
        }
        self.durable = self.log.len();
        self.image = Image::default();
        for op in self.log.iter().flatten() {
            self.image.apply(op);
        }
    }

    fn check(&self, life: u64) -> Result<(), JournalError> {
        let cause = if !self.is_on || self.life != life {
            "the power was cut"
        } else if self.is_broken {
            "a sync failed"
        } else {
            return Ok(());
        };
        Err(JournalError::Broken { cause: cause.to_owned() })
    }

    fn step(&mut self) -> Result<(), JournalError> {
        self.steps += 1;
        if self.cut_at_step.is_some_and(|at| self.steps >= at) {
            self.cut();
        }
        self.check(self.life)
    }

    /// Plans changes and does them as one.
    fn transact<T>(
        &mut self,
        life: u64,
        plan: impl FnOnce(&mut Plan<'_>) -> T,
    ) -> Result<T, JournalError> {
        self.check(life)?;
        let place = || "memory".to_owned();
        if self.busy_calls > 0 {
            self.busy_calls -= 1;
            return Err(JournalError::Busy { place: place() });
        }
        let mut planned = Plan::new(&self.image);
        let value = plan(&mut planned);
        let ops = planned.ops;
        let bytes = |op: &Op| if let Op::Put(row) = op { row.bytes.len() as u64 } else { 0 };
        let more: u64 = ops.iter().map(bytes).sum();
        let fits = |max: u64| more == 0 || self.image.bytes() + more <= max;
        if !self.bytes_max.is_none_or(fits) {
            return Err(JournalError::Full { place: place() });
        }
        if ops.is_empty() {
            return Ok(value);
        }
        self.log.push(Vec::new());
        for op in &ops {
            self.step()?;
            self.log.last_mut().expect("pushed above").push(op.clone());
        }
        self.step()?;
        if std::mem::take(&mut self.next_sync_fails) {
            self.is_broken = true;
            // The next start finds the machine as after a cut: nobody knows what is there.
            self.cut();
            return Err(JournalError::Broken { cause: "fsync: EIO".to_owned() });
        }
        if !self.lies {
            self.durable = self.log.len();
        }
        for op in &ops {
            self.image.apply(op);
        }
        self.step()?;
        Ok(value)
    }
}

impl MemoryJournal {
    /// Opens the journal on a disk, after a cut as after a process that ended.
    pub fn open(disk: &MemoryDisk) -> Self {
        let mut locked = disk.disk();
        locked.start();
        let life = locked.life;
        drop(locked);
        Self { disk: disk.clone(), life }
    }

    /// A second handle beside the one that is open, as a process has it that should be gone and is not;
    /// `None` where the power is off.
    pub fn open_beside(disk: &MemoryDisk) -> Option<Self> {
        let locked = disk.disk();
        let (life, is_on) = (locked.life, locked.is_on);
        drop(locked);
        is_on.then(|| Self { disk: disk.clone(), life })
    }

    fn read<T>(&self, read: impl FnOnce(&Image) -> T) -> Result<T, JournalError> {
        let disk = self.disk.disk();
        disk.check(self.life)?;
        Ok(read(&disk.image))
    }
}

impl JournalReader for MemoryJournal {
    fn load_while(
        &self,
        wanted: &[Load],
        each: &mut dyn FnMut(&Stored<'_>) -> ControlFlow<()>,
    ) -> Result<(), JournalError> {
        self.read(|image| image.load(wanted, each))
    }

    fn list(
        &self,
        state: Option<JournalState>,
        each: &mut dyn FnMut(JournalEntry),
    ) -> Result<(), JournalError> {
        self.read(|image| {
            let is_wanted = |entry: &JournalEntry| state.is_none_or(|state| state == entry.state);
            image.entries().filter(is_wanted).for_each(each);
        })
    }

    fn entry(&self, match_id: MatchId) -> Result<Option<JournalEntry>, JournalError> {
        self.read(|image| image.entries().find(|entry| entry.match_id == match_id))
    }
}

impl Journal for MemoryJournal {
    fn claim(&mut self, claims: &[Claim]) -> Result<Vec<Result<Epoch, Refusal>>, JournalError> {
        let plan = |plan: &mut Plan<'_>| claims.iter().map(|claim| plan.claim(claim)).collect();
        self.disk.disk().transact(self.life, plan)
    }

    fn append(&mut self, batch: &Batch) -> Result<Vec<(MatchId, Refusal)>, JournalError> {
        self.disk.disk().transact(self.life, |plan| plan.append(batch))
    }

    fn quarantine(
        &mut self,
        match_id: MatchId,
        why: &str,
    ) -> Result<Result<(), Refusal>, JournalError> {
        self.disk.disk().transact(self.life, |plan| plan.quarantine(match_id, why))
    }

    fn retain(&mut self, limits: &Retention) -> Result<Retained, JournalError> {
        self.disk.disk().transact(self.life, |plan| plan.retain(limits))
    }
}
