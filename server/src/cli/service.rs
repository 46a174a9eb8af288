//! Tells the service manager how the server is: ready, alive, stopping. Its protocol is one datagram with
//! lines of text for each piece of news, to the socket that `NOTIFY_SOCKET` names (`man sd_notify`).
//!
//! Must not know: what makes a node ready or alive; it is told, and it asks for the counters.

use std::ffi::OsStr;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::MissedTickBehavior;

use crate::admin;
use crate::control::ControlEvent;

/// How often the manager is told how many play, where it watches no closer.
const STATUS_EVERY: Duration = Duration::from_secs(10);
/// How often more time is asked for while matches are brought back, and how much.
const MORE_TIME_EVERY: Duration = Duration::from_secs(5);
const MORE_TIME_US: u64 = 30_000_000;

/// The way to the service manager; without one, news goes nowhere.
#[derive(Debug, Default)]
pub(super) struct Service {
    socket: Option<UnixDatagram>,
    /// The manager ends a server from which it hears nothing for so long.
    watchdog: Option<Duration>,
}

impl Service {
    /// The service manager that started this process, if one did.
    pub(super) fn from_environment() -> Self {
        let Some(address) = std::env::var_os("NOTIFY_SOCKET") else { return Self::default() };
        let number = |name: &str| std::env::var_os(name)?.to_str()?.parse::<u64>().ok();
        // The watchdog may be meant for another process of the service.
        let is_ours = number("WATCHDOG_PID").is_none_or(|pid| pid == u64::from(std::process::id()));
        let watchdog = number("WATCHDOG_USEC").filter(|_| is_ours).map(Duration::from_micros);
        match connect(&address) {
            Ok(socket) => Self { socket: Some(socket), watchdog },
            Err(error) => {
                tracing::warn!(%error, ?address, "the service manager cannot be told anything");
                Self::default()
            }
        }
    }

    /// Tells news, such as `READY=1`.
    pub(super) fn tell(&self, news: &str) {
        let Some(socket) = &self.socket else { return };
        if let Err(error) = socket.send(news.as_bytes()) {
            tracing::warn!(%error, news, "the service manager was not told");
        }
    }

    /// Waits for the node to be ready, and asks for the time that takes.
    pub(super) async fn while_starting(&self, ready: impl Future<Output = ()>) {
        let mut ready = std::pin::pin!(ready);
        let news = format!("EXTEND_TIMEOUT_USEC={MORE_TIME_US}\nSTATUS=Bringing matches back");
        loop {
            self.tell(&news);
            if tokio::time::timeout(MORE_TIME_EVERY, &mut ready).await.is_ok() {
                return;
            }
        }
    }

    /// Tells that the node lives, for as long as control and every shard answer in time. Runs until the
    /// node is gone.
    pub(super) async fn while_running(self: Arc<Self>, control: mpsc::Sender<ControlEvent>) {
        if self.socket.is_none() {
            return;
        }
        // Twice in the time after which silence means death.
        let every = self.watchdog.map_or(STATUS_EVERY, |watchdog| watchdog / 2).min(STATUS_EVERY);
        let mut pulse = tokio::time::interval(every.max(Duration::from_millis(1)));
        pulse.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while !control.is_closed() {
            pulse.tick().await;
            // Who does not answer is stuck, and that is what is told: nothing.
            if let Ok(Some(stats)) = tokio::time::timeout(every, admin::stats(&control)).await {
                let (matches, players) = (stats.shards.matches, stats.shards.players);
                self.tell(&format!("WATCHDOG=1\nSTATUS={matches} matches, {players} players"));
            }
        }
    }
}

fn connect(address: &OsStr) -> std::io::Result<UnixDatagram> {
    let socket = UnixDatagram::unbound()?;
    // A manager that does not read must not hold the server.
    socket.set_nonblocking(true)?;
    match address.as_bytes() {
        [b'@', name @ ..] => socket.connect_addr(&SocketAddr::from_abstract_name(name)?)?,
        path => socket.connect(OsStr::from_bytes(path))?,
    }
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::NodeStats;

    fn heard(manager: &UnixDatagram) -> Option<String> {
        let mut buffer = [0; 1024];
        let length = manager.recv(&mut buffer).ok()?;
        Some(String::from_utf8_lossy(&buffer[..length]).into_owned())
    }

    #[tokio::test]
    async fn a_node_that_does_not_answer_is_not_said_to_live() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("notify");
        let manager = UnixDatagram::bind(&path).expect("a socket");
        manager.set_nonblocking(true).expect("a socket");
        let socket = Some(connect(path.as_os_str()).expect("it is there"));
        let watchdog = Some(Duration::from_millis(40));
        let service = Arc::new(Service { socket, watchdog });
        let (control, mut inbox) = mpsc::channel(8);
        let pulse = tokio::spawn(service.while_running(control));

        for _ in 0..3 {
            let Some(ControlEvent::Stats(answer)) = inbox.recv().await else {
                panic!("nobody asks");
            };
            answer.send(NodeStats::default()).expect("somebody waits");
        }
        // The fourth question comes when what followed the third answer was told.
        let fourth = inbox.recv().await;
        let mut told = Vec::new();
        while let Some(news) = heard(&manager) {
            told.push(news);
        }
        assert_eq!(told, vec!["WATCHDOG=1\nSTATUS=0 matches, 0 players"; 3]);

        // Control is stuck from here on: it takes questions and answers none.
        let more: Vec<_> = [inbox.recv().await, inbox.recv().await].into();
        assert_eq!(heard(&manager), None, "it asked on, and told nothing");
        drop((fourth, more, inbox));
        pulse.await.expect("it ends with the node");
    }

    #[test]
    fn an_abstract_socket_is_found() {
        let name = format!("matchkeep-test-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).expect("a name");
        let manager = UnixDatagram::bind_addr(&address).expect("a socket");
        let socket = connect(OsStr::new(&format!("@{name}"))).expect("it is there");
        Service { socket: Some(socket), watchdog: None }.tell("READY=1");
        assert_eq!(heard(&manager).as_deref(), Some("READY=1"));
    }
}
