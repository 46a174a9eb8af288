//! The shell around a shard's core: socket, wait, clock, thread. All of a shard's I/O is here.

mod udp;
mod waiter;

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, TrySendError};
use matchkeep_shared::Game;
use matchkeep_shared::disconnect::DisconnectReason;
use matchkeep_shared::ids::ShardId;
use matchkeep_shared::limits::SHARD_COMMANDS_MAX;
use rustix::event::EventfdFlags;

use super::core::{Core, CoreConfig};
use super::journaling::HandOver;
use super::message::{Command, Report};
use crate::journal::{DurableTicks, JournalItem};
use crate::wall::unix_ms;
use udp::Udp;
use waiter::Waiter;

/// With a full queue a shard is told again to stop after this.
const TELL_AGAIN: Duration = Duration::from_millis(5);
/// How long a stopping shard waits for the journal to take what matches have for it, when its connections are done.
pub const JOURNAL_GRACE: Duration = Duration::from_secs(10);
/// How long a stopping shard waits for its connections to wind down.
pub const STOP_GRACE: Duration = Duration::from_millis(500);
/// Commands carried out in one pass, so that ticks go on under a flood of them.
pub const COMMANDS_PER_PASS_MAX: usize = 64;
/// Looks at the socket in one pass: with more waiting, ticks go on in between.
const LOOKS_PER_PASS_MAX: usize = 16;

/// In one of so many passes it is measured what receiving takes.
const RECEIVE_LOOK_PASSES: u32 = 16;

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

    /// Waits for the thread to end, as it was told to by [`Command::Shutdown`], or is now: with a full queue it may not
    /// have been.
    ///
    /// # Errors
    /// What ended it, where it ended by itself; or that not all was handed to the journal.
    #[expect(clippy::disallowed_methods, reason = "whoever waits for a shard to end may")]
    pub fn stop(self, was_told: bool, reason: DisconnectReason) -> io::Result<()> {
        let mut is_told = was_told;
        while !is_told && self.is_running() {
            is_told = self.send(Command::Shutdown(reason)).is_ok();
            if !is_told {
                std::thread::sleep(TELL_AGAIN);
            }
        }
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
    pub journal: Box<dyn JournalQueue>,
}

/// The way into the journal. Nothing here waits.
pub trait JournalQueue: Send {
    /// Takes a piece of a match's journal, or says that there is no room for it now.
    fn take(&mut self, item: JournalItem) -> bool;
    /// What was taken is all for now: it is to be written.
    fn complete(&mut self);
    /// Whether what waits is to be handed over at once, since others hand over too. Asked in every pass.
    fn is_called(&mut self) -> bool;
    /// What became durable, if anything since it was last asked. Asked in every pass; the shard is not woken for it,
    /// since it is told with the next snapshots, a tick away at the most.
    fn durable(&mut self) -> Option<DurableTicks>;
}

/// Starts a shard's thread.
///
/// # Errors
/// Where the kernel refuses the socket's options, an event or timer descriptor, or a thread.
pub fn spawn<G: Game>(
    core: impl FnOnce(Instant) -> CoreConfig + Send + 'static,
    config: ThreadConfig,
) -> io::Result<ShardHandle<G>> {
    let ThreadConfig { socket, pin_to_cpu, reports, on_report, journal } = config;
    let address = socket.local_addr()?;
    let udp = Udp::new(socket)?;
    let receive_buffer_bytes = udp.receive_buffer_bytes()?;
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
            let (commands, hand_over) = (received, HandOver::default());
            Shell {
                core,
                udp,
                waiter,
                wake,
                commands,
                reports,
                on_report,
                journal,
                hand_over,
                passes: 0,
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
    journal: Box<dyn JournalQueue>,
    hand_over: HandOver,
    /// Passes made so far.
    passes: u64,
}

impl<G: Game> Shell<G> {
    /// The shard's loop, one pass after the other.
    fn run(mut self) -> io::Result<()> {
        let mut stop_by: Option<Instant> = None;
        loop {
            let left = self.udp.has_left().then(now);
            let wake = left.or_else(|| self.core.next_wake(now()));
            // Behind that it waits for the journal alone, which takes its time.
            let stop = stop_by.filter(|by| *by > now());
            let wake = wake.into_iter().chain(stop).chain(self.hand_over.wake()).min();
            self.waiter.wait(wake, now())?;

            self.core.set_wall_clock(unix_ms());
            self.receive()?;
            self.take_commands(&mut stop_by);
            while let Some(ticks) = self.journal.durable() {
                self.core.note_durable(&ticks);
            }
            self.core.replay_some(&now);
            self.core.handle_timeouts(now());
            self.run_tick();
            self.core.admit(now());
            self.udp.send_all(&mut self.core, now());
            self.hand_over_journal(stop_by.is_some());
            self.hand_over_reports();

            let Some(by) = stop_by else { continue };
            let is_written = !self.core.has_for_journal();
            if is_written && (self.core.has_stopped() || now() >= by) {
                return Ok(());
            }
            if now() >= by + JOURNAL_GRACE {
                return Err(io::Error::other(
                    "the journal did not take the last ticks of its matches",
                ));
            }
        }
    }

    fn receive(&mut self) -> io::Result<()> {
        self.passes += 1;
        let begun = self.passes.is_multiple_of(RECEIVE_LOOK_PASSES.into()).then(now);
        for _ in 0..LOOKS_PER_PASS_MAX {
            if !self.udp.receive(&mut self.core)? {
                break;
            }
            // Under a flood what is due does not wait for all that came.
            if self.core.tick_is_due(now()) {
                break;
            }
        }
        if let Some(begun) = begun {
            let took = now().saturating_duration_since(begun);
            self.core.stats_mut().receive += took * RECEIVE_LOOK_PASSES;
        }
        Ok(())
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
        let Some(run) = self.core.run_tick(started, &now) else { return };
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

    fn hand_over_journal(&mut self, is_stopping: bool) {
        // Whether called or not is asked always: a call is for what waits now.
        let at_once = self.journal.is_called() || is_stopping;
        // Without matches in play there is nothing for it, and no clock is needed to see that.
        if !self.core.has_for_journal() && self.hand_over.wake().is_none() {
            return;
        }
        let Self { hand_over, core, journal, .. } = self;
        if hand_over.run(now(), unix_ms(), core, at_once, |item| journal.take(item)) {
            journal.complete();
        }
    }

    fn hand_over_reports(&mut self) {
        let mut any = false;
        let shard = self.core.shard();
        while let Some(event) = self.core.poll_report() {
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
