//! What a measurement asks of the machine: two cores, one for whoever is measured and one for the others,
//! and the CPU time of a process.

use std::io;
use std::time::Duration;

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use rustix::time::{ClockId, clock_gettime};

/// The first two cores this process may use: for the measured, and for who measures.
///
/// # Errors
/// Where there is only one, or the kernel does not tell.
pub fn two_cores() -> io::Result<(usize, usize)> {
    let allowed = sched_getaffinity(None)?;
    let mut cores = (0..CpuSet::MAX_CPU).filter(|core| allowed.is_set(*core));
    match (cores.next(), cores.next()) {
        (Some(measured), Some(others)) => Ok((measured, others)),
        _ => Err(io::Error::other("two cores are needed, one for the server and one for the bots")),
    }
}

/// Keeps this process on one core. Call before there are other threads: they inherit it.
///
/// # Errors
/// Where the kernel refuses.
pub fn pin_process(core: usize) -> io::Result<()> {
    let mut set = CpuSet::new();
    set.set(core);
    Ok(sched_setaffinity(None, &set)?)
}

/// User plus system time of this process, all its threads.
pub fn process_cpu() -> Duration {
    read(ClockId::ProcessCPUTime)
}

/// The monotonic clock, as a timer descriptor counts it.
pub fn monotonic() -> Duration {
    read(ClockId::Monotonic)
}

/// What a core did since the machine started, in hundredths of a second; as [`Shares`], but for the whole.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct CoreTimes {
    all: u64,
    busy: u64,
    stolen: u64,
}

impl CoreTimes {
    /// Of a core, now. `None` where the kernel does not tell.
    fn now(core: usize) -> Option<Self> {
        Self::in_table(&std::fs::read_to_string("/proc/stat").ok()?, core)
    }

    /// Columns after the core's name: user, nice, system, idle, waiting for disks, interrupts twice, stolen.
    fn in_table(table: &str, core: usize) -> Option<Self> {
        let name = format!("cpu{core}");
        let line = table.lines().find(|line| line.split_whitespace().next() == Some(&name))?;
        let columns = line.split_whitespace().skip(1).map(|column| column.parse::<u64>().ok());
        let columns: Vec<u64> = columns.take(8).collect::<Option<_>>()?;
        let &[_, _, _, idle, waiting, _, _, stolen] = &columns[..] else { return None };
        let all = columns.iter().sum();
        Some(Self { all, busy: all - idle - waiting, stolen })
    }

    /// What the core did since `before`.
    fn since(self, before: Self) -> Shares {
        let all = self.all.saturating_sub(before.all).max(1) as f64;
        let share = |now: u64, then: u64| now.saturating_sub(then) as f64 / all;
        Shares { busy: share(self.busy, before.busy), stolen: share(self.stolen, before.stolen) }
    }
}

/// Shares of a core's time, 0 to 1.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Shares {
    /// Neither idle nor waiting for disks, whoever with.
    pub busy: f64,
    /// Given to others by whoever runs this machine as one of several, while there was work here.
    pub stolen: f64,
}

/// Looks at what some cores do.
#[derive(Debug)]
pub struct CoreWatch(Vec<(usize, Option<CoreTimes>)>);

impl CoreWatch {
    /// From now on.
    pub fn begin(cores: &[usize]) -> Self {
        Self(cores.iter().map(|core| (*core, CoreTimes::now(*core))).collect())
    }

    /// From now on, on every core there is.
    pub fn of_all_cores() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Self::begin(&(0..cores).collect::<Vec<_>>())
    }

    /// What each core did since, in the order given; `None` where the kernel does not tell.
    pub fn shares(&self) -> Vec<Option<Shares>> {
        let shares = |(core, before): &(usize, Option<CoreTimes>)| {
            Some(CoreTimes::now(*core)?.since((*before)?))
        };
        self.0.iter().map(shares).collect()
    }
}

/// The share that was stolen of the core that lost most; 0 where the kernel does not tell.
pub fn stolen_share(shares: &[Option<Shares>]) -> f64 {
    shares.iter().flatten().map(|shares| shares.stolen).fold(0.0, f64::max)
}

/// User plus system time of another process; to hundredths of a second. `None` where it is gone.
pub fn cpu_of(process: u32) -> Option<Duration> {
    used_in(&std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?)
}

/// What another process has in memory, in bytes. `None` where it is gone.
pub fn rss_of(process: u32) -> Option<u64> {
    resident_in(&std::fs::read_to_string(format!("/proc/{process}/status")).ok()?)
}

fn resident_in(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(line.trim().strip_suffix(" kB")?.parse::<u64>().ok()? * 1024)
}

/// Behind the name, which may hold anything and ends with the last bracket, user and system time are the
/// twelfth and thirteenth column.
fn used_in(status: &str) -> Option<Duration> {
    let mut columns = status.rsplit_once(')')?.1.split_whitespace().skip(11);
    let mut next = || columns.next()?.parse::<u64>().ok();
    Some(Duration::from_millis(10 * (next()? + next()?)))
}

fn read(clock: ClockId) -> Duration {
    let time = clock_gettime(clock);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_process_clock_counts_work_and_not_waiting() {
        let before = process_cpu();
        let mut sum = 0_u64;
        while process_cpu() - before < Duration::from_millis(5) {
            sum = std::hint::black_box(sum + 1);
        }
        assert!(sum > 0);
    }

    #[test]
    fn the_time_of_a_process_stands_behind_its_name() {
        let status = "17 (a ) b) S 1 2 3 4 5 6 7 8 9 10 120 5 0 0 20 0 1";
        assert_eq!(used_in(status), Some(Duration::from_millis(1250)));
        assert!(cpu_of(std::process::id()).is_some());
    }

    #[test]
    fn what_a_process_has_in_memory_is_told_in_thousands_of_bytes() {
        assert_eq!(resident_in("VmHWM:\t 9 kB\nVmRSS:\t    120 kB\n"), Some(122_880));
        assert!(rss_of(std::process::id()).is_some_and(|bytes| bytes > 1 << 20));
    }

    #[test]
    fn a_busy_core_is_one_that_does_not_idle_and_what_is_stolen_is_told() {
        let table = |stolen: u64| {
            format!("cpu  9 9 9 9 9 9 9 9 9 9\ncpu0 1 2 3 900 70 4 5 {stolen} 0 0\ncpu1 1 1\n")
        };
        let of = |stolen| CoreTimes::in_table(&table(stolen), 0).expect("it is there");
        assert_eq!(of(15), CoreTimes { all: 1000, busy: 30, stolen: 15 });
        assert_eq!(of(25).since(of(15)), Shares { busy: 1.0, stolen: 1.0 });
        assert_eq!(of(15).since(of(15)), Shares { busy: 0.0, stolen: 0.0 });
        let shares = [Some(of(25).since(of(15))), None];
        assert_eq!((stolen_share(&shares), stolen_share(&shares[1..])), (1.0, 0.0));
        assert_eq!(CoreTimes::in_table(&table(1), 1), None, "columns are missing");
        assert_eq!(CoreTimes::in_table(&table(1), 2), None);
    }
}
