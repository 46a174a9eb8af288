//! The shell around a shard's core: socket, wait, clock, thread. All of a shard's I/O is here.

use std::io::{self, IoSliceMut};
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use crossbeam_channel::{Receiver, Sender, TrySendError};
use matchkeep_shared::Game;
use matchkeep_shared::ids::{MatchId, ShardId};
use matchkeep_shared::limits::{SHARD_COMMANDS_MAX, SOCKET_BUFFER_BYTES};
use matchkeep_shared::time::Tick;
use quinn_udp::{BATCH_SIZE, RecvMeta, UdpSockRef, UdpSocketState};
use rustix::event::{EventfdFlags, epoll};
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
    timerfd_settime,
};

use super::core::{Core, CoreConfig};
use super::journaling;
use super::message::{Command, Report, ShardEvent};
use crate::journal::JournalItem;
use crate::wall::unix_ms;
use crate::watchdog::Heartbeat;

/// How long a stopping shard waits for its connections to wind down.
const STOP_GRACE: Duration = Duration::from_millis(500);
/// The largest UDP payload that is received whole; QUIC sends no larger one to us.
const UDP_PAYLOAD_BYTES_MAX: usize = 1500;
/// A packet that comes so shortly before a deadline waits for it: then one pass takes many packets, and
/// no input is later for it, for inputs are needed at ticks.
const COALESCE: Duration = Duration::from_millis(1);
/// Batches received in one pass: with more waiting, ticks go on in between.
const BATCHES_PER_PASS_MAX: usize = 16;
/// Commands carried out in one pass, so that ticks go on under a flood of them.
const COMMANDS_PER_PASS_MAX: usize = 64;
/// How long frames gather before the journal gets them: one message for many ticks of many matches.
const JOURNAL_HAND_OVER: Duration = Duration::from_millis(8);
/// How much of the receive pool is set aside at once, in bytes.
const POOL_BYTES: usize = 256 * 1024;

/// How control reaches a shard.
#[derive(Debug)]
pub struct ShardHandle<G: Game> {
    /// Which shard.
    pub shard: ShardId,
    /// Where its socket listens.
    pub address: SocketAddr,
    /// What the kernel granted as receive buffer, in bytes.
    pub receive_buffer_bytes: usize,
    commands: Sender<Command<G>>,
    wake: Arc<OwnedFd>,
    thread: JoinHandle<io::Result<()>>,
}

impl<G: Game> ShardHandle<G> {
    /// Hands a command over; never waits.
    ///
    /// # Errors
    /// The command, where the queue is full: the shard is far behind, or gone.
    pub fn send(&self, command: Command<G>) -> Result<(), Command<G>> {
        self.commands.try_send(command).map_err(|error| error.into_inner())?;
        // A full counter wakes the shard as well.
        let _ = rustix::io::write(&*self.wake, &1_u64.to_ne_bytes());
        Ok(())
    }

    /// Whether the thread still runs.
    pub fn is_running(&self) -> bool {
        !self.thread.is_finished()
    }

    /// Waits for the thread to end; [`Command::Shutdown`] makes it.
    ///
    /// # Errors
    /// What ended it, where it ended by itself.
    pub fn join(self) -> io::Result<()> {
        self.thread.join().unwrap_or_else(|_| Err(io::Error::other("the shard's thread panicked")))
    }
}

/// What a shard's thread needs beside its core.
pub struct ThreadConfig {
    /// Where to listen, bound already.
    pub socket: UdpSocket,
    /// The core to pin the thread to, where it is to be pinned.
    pub pin_to_cpu: Option<usize>,
    /// Where reports go.
    pub reports: Sender<Report>,
    /// Wakes whoever reads them.
    pub on_report: Box<dyn Fn() + Send>,
    /// Where matches' frames go.
    pub journal: JournalQueue,
    /// What the watchdog looks at.
    pub heartbeat: Arc<Heartbeat>,
}

/// Takes a piece of a match's journal, or says that there is no room for it now. Never waits.
pub type JournalQueue = Box<dyn FnMut(JournalItem) -> bool + Send>;

/// Starts a shard's thread.
///
/// # Errors
/// Where the kernel refuses the socket's options, an event or timer descriptor, or a thread.
pub fn spawn<G: Game>(
    core: impl FnOnce(Instant) -> CoreConfig + Send + 'static,
    config: ThreadConfig,
) -> io::Result<ShardHandle<G>> {
    let ThreadConfig { socket, pin_to_cpu, reports, on_report, journal, heartbeat } = config;
    let address = socket.local_addr()?;
    let udp = Udp::new(socket)?;
    let receive_buffer_bytes = udp.state.recv_buffer_size(UdpSockRef::from(&udp.socket))?;
    let wake = rustix::event::eventfd(0, EventfdFlags::NONBLOCK | EventfdFlags::CLOEXEC)?;
    let wake = Arc::new(wake);
    let (commands, received) = crossbeam_channel::bounded(SHARD_COMMANDS_MAX);
    let waiter = Waiter::new(&udp.socket, &wake)?;
    let core_config = core(now());
    let shard = core_config.shard;
    let thread = std::thread::Builder::new().name(format!("shard-{shard}")).spawn({
        let wake = Arc::clone(&wake);
        move || {
            if let Some(cpu) = pin_to_cpu {
                let mut set = rustix::thread::CpuSet::new();
                set.set(cpu);
                if let Err(error) = rustix::thread::sched_setaffinity(None, &set) {
                    tracing::warn!(%shard, cpu, %error, "the shard could not be pinned to its core");
                }
            }
            let core = Core::<G>::new(core_config);
            let (commands, journal_due) = (received, None);
            Shell {
                core,
                udp,
                waiter,
                wake,
                commands,
                reports,
                on_report,
                journal,
                heartbeat,
                journal_due,
            }
            .run()
        }
    })?;
    Ok(ShardHandle { shard, address, receive_buffer_bytes, commands, wake, thread })
}

#[expect(clippy::disallowed_methods, reason = "the shell is where a shard's clock is read")]
fn now() -> Instant {
    Instant::now()
}

struct Shell<G: Game> {
    core: Core<G>,
    udp: Udp,
    waiter: Waiter,
    wake: Arc<OwnedFd>,
    commands: Receiver<Command<G>>,
    reports: Sender<Report>,
    on_report: Box<dyn Fn() + Send>,
    journal: JournalQueue,
    heartbeat: Arc<Heartbeat>,
    /// When the journal is to have what waits for it.
    journal_due: Option<Instant>,
}

impl<G: Game> Shell<G> {
    /// The shard's loop, one pass after the other.
    fn run(mut self) -> io::Result<()> {
        let mut stop_by: Option<Instant> = None;
        loop {
            let wake = self.core.next_wake(now());
            let wake = wake.into_iter().chain(stop_by).chain(self.journal_due).min();
            self.waiter.wait(wake, now())?;

            self.core.set_wall_clock(unix_ms());
            for _ in 0..BATCHES_PER_PASS_MAX {
                if self.udp.receive(&mut self.core)? < BATCH_SIZE {
                    break;
                }
            }
            self.take_commands(&mut stop_by);
            if let Some((match_id, tick)) = self.core.replaying() {
                self.heartbeat.begin(match_id, tick);
                self.core.replay_some(now());
                self.heartbeat.end();
            }
            self.core.handle_timeouts(now());
            self.run_tick();
            self.core.admit(now());
            self.udp.send_all(&mut self.core, now());
            self.hand_over_journal(stop_by.is_some());
            self.hand_over_reports();

            let is_done = self.core.has_stopped() && self.core.outgoing().is_empty();
            if stop_by.is_some_and(|by| is_done || now() >= by) {
                return Ok(());
            }
        }
    }

    fn take_commands(&mut self, stop_by: &mut Option<Instant>) {
        for _ in 0..COMMANDS_PER_PASS_MAX {
            let Ok(command) = self.commands.try_recv() else { return };
            if matches!(command, Command::Shutdown(_)) {
                *stop_by = Some(now() + STOP_GRACE);
            }
            self.core.handle_command(now(), command);
        }
        // There may be more: come back at once.
        let _ = rustix::io::write(&*self.wake, &1_u64.to_ne_bytes());
    }

    /// One tick at the most, then the socket is looked at again: with several due, what arrives in the
    /// meantime is in time for the later ones.
    fn run_tick(&mut self) {
        let started = now();
        if !self.core.tick_is_due(started) {
            return;
        }
        let (match_id, tick) = self.core.due_tick().unwrap_or((MatchId(0), Tick(0)));
        self.heartbeat.begin(match_id, tick);
        let run = self.core.run_tick(started);
        self.heartbeat.end();
        let Some(run) = run else { return };
        self.udp.send_all(&mut self.core, now());
        let sent = now();
        let took = sent.saturating_duration_since(run.started);
        self.core.note_cost(sent, run.host, took);
        let stats = self.core.stats_mut();
        stats.tick_work.record(took);
        if run.sends {
            stats.tick_sent.record(sent.saturating_duration_since(run.deadline));
        }
    }

    /// Gives the journal what matches have for it, every few milliseconds; where it has no room that is
    /// tried again, and matches keep what comes meanwhile.
    fn hand_over_journal(&mut self, is_stopping: bool) {
        if self.core.outgoing().is_empty() {
            self.journal_due = None;
            return;
        }
        let now = now();
        let due = *self.journal_due.get_or_insert(now + JOURNAL_HAND_OVER);
        if now < due && !is_stopping && !self.core.outgoing().is_urgent() {
            return;
        }
        let batch = self.core.outgoing_mut();
        let is_done = journaling::hand_over(batch, unix_ms(), &mut self.journal);
        self.journal_due = (!is_done).then_some(now + JOURNAL_HAND_OVER);
    }

    fn hand_over_reports(&mut self) {
        let mut any = false;
        let shard = self.core.shard();
        let journal_has_all = self.core.outgoing().is_empty();
        while let Some(event) = self.core.poll_report() {
            // Control acts on a death in the journal, behind the last frames.
            if matches!(event, ShardEvent::Died { .. }) && !journal_has_all {
                self.core.return_report(event);
                break;
            }
            match self.reports.try_send(Report { shard, event }) {
                Ok(()) => any = true,
                // Control is behind. What waits is bounded by what players do; it goes with a later pass.
                Err(TrySendError::Full(report)) => {
                    self.core.return_report(report.event);
                    break;
                }
                Err(TrySendError::Disconnected(_)) => {}
            }
        }
        if any {
            (self.on_report)();
        }
    }
}

/// The socket, with the memory that receiving uses again and again.
struct Udp {
    socket: UdpSocket,
    state: UdpSocketState,
    /// Whether one port answers at several addresses, so that an answer must name the one it comes from.
    is_any_address: bool,
    /// One stretch for each message of a batch, long enough for datagrams the kernel has joined.
    receive: Vec<u8>,
    stretch: usize,
    pool: BytesMut,
    send: Vec<u8>,
}

impl Udp {
    fn new(socket: UdpSocket) -> io::Result<Self> {
        let state = UdpSocketState::new(UdpSockRef::from(&socket))?;
        // A smaller buffer than asked for is no error: what was granted is printed.
        let _ = state.set_recv_buffer_size(UdpSockRef::from(&socket), SOCKET_BUFFER_BYTES);
        let _ = state.set_send_buffer_size(UdpSockRef::from(&socket), SOCKET_BUFFER_BYTES);
        let stretch = UDP_PAYLOAD_BYTES_MAX * state.gro_segments();
        let receive = vec![0; stretch * BATCH_SIZE];
        let is_any_address = socket.local_addr()?.ip().is_unspecified();
        let (pool, send) = (BytesMut::new(), Vec::new());
        Ok(Self { socket, state, is_any_address, receive, stretch, pool, send })
    }

    /// Takes one batch; says how many messages it was. A full one means that more may wait.
    fn receive<G: Game>(&mut self, core: &mut Core<G>) -> io::Result<usize> {
        let mut stretches = self.receive.chunks_exact_mut(self.stretch);
        let mut buffers: [IoSliceMut<'_>; BATCH_SIZE] = std::array::from_fn(|_| {
            IoSliceMut::new(stretches.next().expect("one stretch for each message of a batch"))
        });
        let mut meta = [RecvMeta::default(); BATCH_SIZE];
        let received =
            match self.state.recv(UdpSockRef::from(&self.socket), &mut buffers, &mut meta) {
                Ok(received) => received,
                Err(error) if is_transient(&error) => return Ok(0),
                Err(error) => return Err(error),
            };
        let now = now();
        for (buffer, meta) in buffers.iter().zip(&meta).take(received) {
            for datagram in buffer[..meta.len].chunks(meta.stride.max(1)) {
                if self.pool.capacity() < datagram.len() {
                    // Takes back its memory where all that was cut from it is gone.
                    self.pool.reserve(POOL_BYTES);
                }
                self.pool.extend_from_slice(datagram);
                let data = self.pool.split();
                let ecn = meta.ecn.and_then(|ecn| quinn_proto::EcnCodepoint::from_bits(ecn as u8));
                let dst_ip = meta.dst_ip.filter(|_| self.is_any_address);
                core.handle_datagram(now, meta.addr, dst_ip, ecn, data);
            }
        }
        Ok(received)
    }

    fn send_all<G: Game>(&mut self, core: &mut Core<G>, now: Instant) {
        loop {
            self.send.clear();
            let Some(transmit) = core.poll_transmit(now, &mut self.send) else { return };
            let sent = self.state.try_send(
                UdpSockRef::from(&self.socket),
                &quinn_udp::Transmit {
                    destination: transmit.destination,
                    ecn: transmit.ecn.and_then(|ecn| quinn_udp::EcnCodepoint::from_bits(ecn as u8)),
                    contents: &self.send[..transmit.size],
                    segment_size: transmit.segment_size,
                    src_ip: transmit.src_ip,
                },
            );
            let stats = core.stats_mut();
            match sent {
                Ok(()) => {
                    stats.udp_sent += 1;
                    stats.udp_sent_bytes += transmit.size as u64;
                }
                // The kernel's buffer is full, or the way is closed: a lost packet, for QUIC to notice.
                Err(_) => stats.udp_send_errors += 1,
            }
        }
    }
}

/// Errors that say something about one datagram or peer, not about the socket.
fn is_transient(error: &io::Error) -> bool {
    use io::ErrorKind::{
        ConnectionRefused, ConnectionReset, HostUnreachable, Interrupted, NetworkUnreachable,
        WouldBlock,
    };
    matches!(
        error.kind(),
        WouldBlock
            | Interrupted
            | ConnectionReset
            | ConnectionRefused
            | HostUnreachable
            | NetworkUnreachable
    )
}

/// What a wait was ended by.
const SOCKET: u64 = 0;
const WAKE: u64 = 1;
const TIMER: u64 = 2;

/// The one place a shard waits: for its socket, its wake-up, or an absolute time.
struct Waiter {
    epoll: OwnedFd,
    /// The same without the socket, for the last moment before a deadline.
    quiet: OwnedFd,
    timer: OwnedFd,
    wake: Arc<OwnedFd>,
    /// When the timer goes off.
    armed: Option<Instant>,
}

impl Waiter {
    fn new(socket: &UdpSocket, wake: &Arc<OwnedFd>) -> io::Result<Self> {
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
    fn wait(&mut self, until: Option<Instant>, now: Instant) -> io::Result<()> {
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
                    if rustix::io::read(&self.timer, &mut counter).is_ok() {
                        self.armed = None;
                    }
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
