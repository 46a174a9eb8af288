//! The ticks of many groups, staggered over the period as a shard staggers its matches, waited for as a
//! shard waits: `epoll` on an absolute timer descriptor.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use matchkeep_shared::time::TickRate;
use rustix::event::epoll;
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
    timerfd_settime,
};

use crate::machine::monotonic;

/// The golden ratio's fraction, as in the server's schedule.
const STAGGER: f64 = 0.618_033_988_749_894_9;
/// From the making of a metronome to its first tick.
const HEAD_START: Duration = Duration::from_millis(20);

/// Ticks of several groups, one after the other.
#[derive(Debug)]
pub struct Metronome {
    epoll: OwnedFd,
    timer: OwnedFd,
    rate: TickRate,
    origin: Duration,
    /// Where in the period each group's ticks lie, and which group it is; ascending.
    phases: Vec<(Duration, usize)>,
    /// Into `phases`.
    next: usize,
    round: u64,
}

impl Metronome {
    /// For so many groups.
    ///
    /// # Errors
    /// Where the kernel has no descriptors for it.
    pub fn new(rate: TickRate, groups: usize) -> io::Result<Self> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
        let timer = timerfd_create(TimerfdClockId::Monotonic, flags)?;
        epoll::add(&epoll, timer.as_fd(), epoll::EventData::new_u64(0), epoll::EventFlags::IN)?;
        let phase = |group: usize| rate.period().mul_f64((group as f64 * STAGGER).fract());
        let mut phases: Vec<_> = (0..groups).map(|group| (phase(group), group)).collect();
        phases.sort();
        let origin = monotonic() + HEAD_START;
        Ok(Self { epoll, timer, rate, origin, phases, next: 0, round: 0 })
    }

    /// Waits for the next tick and says whose it is; back to back where it is behind.
    ///
    /// # Errors
    /// Where the kernel does not let it wait.
    pub fn wait(&mut self) -> io::Result<usize> {
        let (phase, group) = self.phases[self.next];
        let deadline = self.origin + self.rate.elapsed(self.round) + phase;
        self.next += 1;
        if self.next == self.phases.len() {
            (self.next, self.round) = (0, self.round + 1);
        }
        if deadline > monotonic() {
            self.wait_until(deadline)?;
        }
        Ok(group)
    }

    fn wait_until(&self, deadline: Duration) -> io::Result<()> {
        let at = Itimerspec {
            it_interval: Timespec { tv_sec: 0, tv_nsec: 0 },
            it_value: Timespec {
                tv_sec: deadline.as_secs() as i64,
                tv_nsec: deadline.subsec_nanos().into(),
            },
        };
        timerfd_settime(&self.timer, TimerfdTimerFlags::ABSTIME, &at)?;
        let none =
            epoll::Event { flags: epoll::EventFlags::empty(), data: epoll::EventData::new_u64(0) };
        let mut events = [none; 4];
        loop {
            match epoll::wait(&self.epoll, &mut events, None) {
                Ok(_) => break,
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        rustix::io::read(&self.timer, &mut [0; 8])?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_group_ticks_once_a_period_and_none_too_early() {
        let rate = TickRate::try_from(100).expect("is allowed");
        let mut metronome = Metronome::new(rate, 7).expect("the kernel has descriptors");
        let start = metronome.origin;
        for round in 0..5 {
            let mut groups: Vec<usize> =
                (0..7).map(|_| metronome.wait().expect("it waits")).collect();
            assert!(monotonic() >= start + rate.elapsed(round));
            groups.sort_unstable();
            assert_eq!(groups, [0, 1, 2, 3, 4, 5, 6]);
        }
    }
}
