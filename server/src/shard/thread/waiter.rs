//! Where a shard waits: epoll, an absolute timerfd, and the eventfd that control writes to.

use std::io;
use std::net::UdpSocket;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::event::epoll;
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
    timerfd_settime,
};

/// A packet that comes so shortly before a deadline waits for it: then one pass takes many packets, and
/// no input is later for it, for inputs are needed at ticks.
const COALESCE: Duration = Duration::from_millis(1);

/// What ends a wait.
const SOCKET: u64 = 0;
const WAKE: u64 = 1;
const TIMER: u64 = 2;

/// The one place a shard waits: for its socket, its wake-up, or an absolute time.
pub(super) struct Waiter {
    epoll: OwnedFd,
    /// The same without the socket, for the last moment before a deadline.
    quiet: OwnedFd,
    timer: OwnedFd,
    wake: Arc<OwnedFd>,
    /// When the timer goes off.
    armed: Option<Instant>,
}

impl Waiter {
    /// Waits for this socket and this wake-up.
    pub(super) fn new(socket: &UdpSocket, wake: &Arc<OwnedFd>) -> io::Result<Self> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
        let timer = timerfd_create(TimerfdClockId::Monotonic, flags)?;
        let quiet = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let readable = epoll::EventFlags::IN;
        for (fd, source) in [(wake.as_fd(), WAKE), (timer.as_fd(), TIMER)] {
            epoll::add(&epoll, fd, epoll::EventData::new_u64(source), readable)?;
            epoll::add(&quiet, fd, epoll::EventData::new_u64(source), readable)?;
        }
        epoll::add(&epoll, socket.as_fd(), epoll::EventData::new_u64(SOCKET), readable)?;
        Ok(Self { epoll, quiet, timer, wake: Arc::clone(wake), armed: None })
    }

    /// Returns when something came or `until` is reached; at once where it is reached already.
    pub(super) fn wait(&mut self, until: Option<Instant>, now: Instant) -> io::Result<()> {
        if until.is_some_and(|until| until <= now) {
            return Ok(());
        }
        // A timer that goes off too early costs one pass; one that is moved costs a call every time.
        let early_enough = self
            .armed
            .is_some_and(|armed| armed > now && until.is_some_and(|until| armed <= until));
        if let Some(until) = until
            && !early_enough
        {
            self.arm(until, now)?;
        }
        let mut events = [epoll::Event {
            flags: epoll::EventFlags::empty(),
            data: epoll::EventData::new_u64(0),
        }; 4];
        let soon = until.is_some_and(|until| until - now <= COALESCE);
        let set = if soon { &self.quiet } else { &self.epoll };
        let happened = match epoll::wait(set, &mut events, None) {
            Ok(happened) => happened,
            Err(rustix::io::Errno::INTR) => 0,
            Err(error) => return Err(error.into()),
        };
        let mut counter = [0; 8];
        for event in &events[..happened] {
            // Neither blocks; that nothing is there any more is no error.
            match event.data.u64() {
                WAKE => drop(rustix::io::read(&*self.wake, &mut counter)),
                TIMER => {
                    let went_off = rustix::io::read(&self.timer, &mut counter).is_ok();
                    self.armed = self.armed.filter(|_| !went_off);
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn arm(&mut self, until: Instant, now: Instant) -> io::Result<()> {
        // The kernel's clock and Rust's are the same one, but Rust does not show its zero: go by the
        // distance, taken from both at the same moment.
        let kernel = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
        let at = Duration::new(kernel.tv_sec as u64, kernel.tv_nsec as u32) + (until - now);
        let timer = Itimerspec {
            it_interval: Timespec { tv_sec: 0, tv_nsec: 0 },
            it_value: Timespec {
                tv_sec: at.as_secs() as i64,
                tv_nsec: i64::from(at.subsec_nanos()),
            },
        };
        timerfd_settime(&self.timer, TimerfdTimerFlags::ABSTIME, &timer)?;
        self.armed = Some(until);
        Ok(())
    }
}
