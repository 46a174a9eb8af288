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

/// For how long a core has been busy since the machine started, whoever with; to hundredths of a second.
/// `None` where the kernel does not tell.
pub fn core_busy(core: usize) -> Option<Duration> {
    let table = std::fs::read_to_string("/proc/stat").ok()?;
    busy_in(&table, core)
}

/// Columns after the core's name: user, nice, system, idle, waiting for disks, interrupts twice, stolen;
/// in hundredths of a second.
fn busy_in(table: &str, core: usize) -> Option<Duration> {
    let name = format!("cpu{core}");
    let line = table.lines().find(|line| line.split_whitespace().next() == Some(&name))?;
    let columns = line.split_whitespace().skip(1).map(|column| column.parse::<u64>().ok());
    let columns: Vec<u64> = columns.collect::<Option<_>>()?;
    let [user, nice, system, _, _, hard, soft, stolen, ..] = columns[..] else { return None };
    Some(Duration::from_millis(10 * (user + nice + system + hard + soft + stolen)))
}

/// User plus system time of another process; to hundredths of a second. `None` where it is gone.
pub fn cpu_of(process: u32) -> Option<Duration> {
    used_in(&std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?)
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
    fn a_busy_core_is_one_that_does_not_idle() {
        let table =
            "cpu  9 9 9 9 9 9 9 9 9 9\ncpu0 1 2 3 900 70 4 5 6 0 0\ncpu1 1 1 1 1 1 1 1 1 0 0\n";
        assert_eq!(busy_in(table, 0), Some(Duration::from_millis(210)));
        assert_eq!(busy_in(table, 2), None);
    }
}
