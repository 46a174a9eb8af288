//! One node, put together: data folder, identity, store, shards, lobby, admin.

mod shard_journal;

use std::collections::{HashMap, VecDeque};
use std::io;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::sync::{Arc, Weak};

use matchkeep_client::transport::tuning::{Side, transport_config};
use matchkeep_shared::Game;
use matchkeep_shared::ids::ShardId;
use matchkeep_shared::limits::{
    INCOMING_BUFFER_BYTES, INCOMING_BUFFER_TOTAL_BYTES, INCOMING_MAX, SHARD_REPORTS_MAX,
};
use matchkeep_shared::wire::ALPN_MATCH;
use matchkeep_shared::wire::message::GameVersion;
use ring::rand::{SecureRandom, SystemRandom};
use serde::{Deserialize, Serialize};
use tokio::sync::{Notify, mpsc, oneshot, watch};
use tokio::task::JoinHandle;

use crate::accounts::{self, KeysUnusable, Provider};
use crate::admin::{self, Admin, Gate};
use crate::control;
use crate::control::barring::LookBack;
use crate::control::core::{ControlConfig, ControlCore};
use crate::control::questions::{self, Question, Reply, Unanswered};
use crate::control::{Control, ControlError, ControlEvent, Creations, NodeStats, barring, keys};
use crate::data_dir::{DataDir, DataDirError};
use crate::identity::{EndpointRole, Fingerprint, IdentityError, ServerIdentity};
use crate::journal::JournalReport;
use crate::lobby::certificate;
use crate::lobby::core::{Lobby, LobbyConfig, ModeEntry, ShardEntry};
use crate::lobby::door::Door;
use crate::lobby::endpoint::{self, EndpointError};
use crate::matches::heartbeat::Heartbeat;
use crate::matches::{Hashes, MatchOptions};
use crate::matchmaking::LobbyId;
use crate::pem::PemError;
use crate::recovery::{Recovered, RecoveryError, gather};
use crate::settings::{Admission, IdentitySettings, Settings};
use crate::shard::core::CoreConfig;
use crate::shard::thread::{self, ThreadConfig};
use crate::spans;
use crate::store::{History, SqliteDirectory, SqliteJournal, Store, StoreError, StoreOpenError};
use crate::wall::unix_ms;
use crate::watchdog;
use shard_journal::ShardJournal;

/// Events waiting for control.
const CONTROL_EVENTS_MAX: usize = 4096;

/// How much the threads of a node's runtime give way to those of its shards, which have 0: beside one that has all to do
/// they get a tenth of a core. More would be felt in ticks, in stretches of milliseconds.
const NICE: i32 = 10;

/// A runtime for a node's lobby, admin interface and control: its threads give way to ticks. A thousand strangers who
/// shake hands with the lobby have whatever the matches leave.
///
/// # Errors
/// Where the system refuses a thread.
pub fn runtime() -> io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_name("tokio")
        // Of the thread alone. Where the system refuses, ticks wait a little more often.
        .on_thread_start(|| {
            let _ = rustix::process::setpriority_process(None, NICE);
        })
        .build()
}

/// Why a node does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The data folder.
    #[error(transparent)]
    DataDir(#[from] DataDirError),
    /// Keys and certificates.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The database.
    #[error(transparent)]
    StoreOpen(#[from] StoreOpenError),
    /// The database's first write.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What the process before left.
    #[error(transparent)]
    Recovery(#[from] RecoveryError),
    /// What its watchdog noted.
    #[error("the watchdog's note in the data folder cannot be read: {0}; move `hung.json` away")]
    Note(io::Error),
    /// The tokens of the admin interface.
    #[error("the tokens of the admin interface cannot be read: {0}")]
    Tokens(String),
    /// A certificate and its key.
    #[error(transparent)]
    Pem(#[from] PemError),
    /// The identity provider's keys.
    #[error(transparent)]
    Keys(#[from] KeysUnusable),
    /// Nobody could operate a server that is reached from elsewhere.
    #[error(
        "admin = {address}: where others reach the admin interface, somebody must have a token to operate: \
         `matchkeep token make NAME --right operate --data {data}` makes one"
    )]
    NoOperator {
        /// The admin interface's address.
        address: SocketAddr,
        /// The data folder, as it was named.
        data: String,
    },
    /// A port.
    #[error("{what} cannot listen on {address}: {cause}; set another with --{flag}")]
    Bind {
        /// For what.
        what: String,
        /// Where.
        address: SocketAddr,
        /// The flag that changes it.
        flag: &'static str,
        /// What the system says.
        cause: io::Error,
    },
    /// The lobby's endpoint.
    #[error(transparent)]
    Lobby(#[from] EndpointError),
    /// A thread or descriptor.
    #[error("the system refused what a shard needs: {0}")]
    Shard(io::Error),
}

/// Where a running node is reached; also the content of `endpoints.json`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Endpoints {
    /// The server's process.
    pub pid: u32,
    /// The lobby (UDP).
    pub lobby: SocketAddr,
    /// SHA-256 of the lobby's certificate, as it was when this was told.
    pub lobby_fingerprint: String,
    /// The shards (UDP), in order.
    pub shards: Vec<SocketAddr>,
    /// The admin interface (TCP).
    pub admin: SocketAddr,
    /// Whether it speaks TLS.
    #[serde(default)]
    pub admin_tls: bool,
}

/// A running node.
#[derive(Debug)]
pub struct Node {
    endpoints: Endpoints,
    receive_buffer_bytes: usize,
    ready: oneshot::Receiver<()>,
    control: mpsc::Sender<ControlEvent>,
    task: JoinHandle<Result<(), ControlError>>,
    // Held until the node has stopped: the folder is ours.
    data: Arc<DataDir>,
    lobby: quinn::Endpoint,
    /// Shows new certificates of the lobby, where they come from files.
    renewal: Option<JoinHandle<()>>,
}

impl Node {
    /// Starts a node. Call within a multi-threaded runtime.
    ///
    /// # Errors
    /// [`StartError`] names the folder, file or port. What is stored already is not touched.
    pub async fn start<G: Game>(settings: Settings<G::Config>) -> Result<Self, StartError> {
        let started = tokio::time::Instant::now();
        let certificate = settings.admin_tls.map(admin::tls::open).transpose()?;
        let shown = settings.lobby_tls.map(certificate::open).transpose()?;
        let provider = settings.identity.map(|IdentitySettings { keys, rules }| {
            let keys = accounts::watch(keys, rules.algorithm)?;
            Ok::<_, KeysUnusable>(Provider::new(rules, keys))
        });
        let provider = provider.transpose()?;
        // The ports before the folder: a second server by mistake changes nothing anywhere.
        let admin_socket = bind_tcp(settings.admin)?;
        let lobby_address = SocketAddr::new(settings.host, settings.lobby_port);
        let lobby_socket = bind_udp("the lobby".into(), lobby_address, "lobby-port")?;
        let mut shard_sockets = Vec::new();
        for i in 0..settings.shards {
            let port = if settings.shard_port == 0 { 0 } else { settings.shard_port + i as u16 };
            let address = SocketAddr::new(settings.host, port);
            shard_sockets.push(bind_udp(format!("shard {i}"), address, "shard-port")?);
        }

        let data = DataDir::open(&settings.data)?;
        let identity = ServerIdentity::open(&data)?;
        let reported = Arc::new(Notify::new());
        let (news_sender, news) = crossbeam_channel::unbounded();
        let notify = Arc::clone(&reported);
        let on_report = move |report: JournalReport| {
            // Control hears of it, or has ended.
            let _ = news_sender.send(report);
            notify.notify_one();
        };
        let directory = SqliteDirectory::open(data.path())?;
        let hung = watchdog::read_note(data.path()).map_err(StartError::Note)?;
        let journal = SqliteJournal::open(data.path())?;
        let recovered = if settings.journal {
            let span = spans::recovery();
            let recovered =
                span.in_scope(|| gather::<G>(&journal, &directory, &hung, unix_ms()))?;
            span.record("matches.returning", recovered.matches.len());
            span.record("matches.finished", recovered.finished.len());
            span.record("matches.quarantined", recovered.quarantined.len());
            span.record("matches.foreign", recovered.foreign);
            if let Err(error) = journal.lengthen_log() {
                tracing::warn!(%error, "the database's log does not have its full length: it grows as it is used");
            }
            recovered
        } else {
            Recovered::default()
        };
        let (store, interrupted) =
            Store::open_with_journal(directory, journal, Box::new(on_report))?;
        if interrupted > 0 {
            tracing::warn!(
                interrupted,
                "matches without a journal were cut off; they stay interrupted"
            );
        }
        let journal = store.journal().expect("it was opened with one").clone();
        let gate = Gate::open(data.path(), settings.admin.ip().is_loopback());
        let gate = gate.map_err(|error| StartError::Tokens(error.to_string()))?;
        if !settings.admin.ip().is_loopback() && !gate.has_operator() {
            let data = settings.data.display().to_string();
            return Err(StartError::NoOperator { address: settings.admin, data });
        }

        let (report_sender, reports) = crossbeam_channel::bounded(SHARD_REPORTS_MAX);
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let mut shards = Vec::new();
        let mut heartbeats = Vec::new();
        for (i, socket) in shard_sockets.into_iter().enumerate() {
            let shard = ShardId(i as u16);
            let role = EndpointRole::Shard(shard);
            let mut server = identity.quic_server(role, &[ALPN_MATCH])?;
            server
                .transport_config(transport_config(Side::Server))
                .max_incoming(INCOMING_MAX)
                .incoming_buffer_size(INCOMING_BUFFER_BYTES)
                .incoming_buffer_size_total(INCOMING_BUFFER_TOTAL_BYTES);
            let endpoint = Arc::new(identity.quic_endpoint(role));
            let ids = Box::new(identity.connection_ids(role));
            let keys = identity.ticket_keys();
            let heartbeat = Arc::new(Heartbeat::default());
            heartbeats.push(Arc::clone(&heartbeat));
            let options = MatchOptions {
                heartbeat: Arc::clone(&heartbeat),
                journaled: settings.journal,
                hashes: if settings.state_hashes { Hashes::EveryTick } else { Hashes::EverySecond },
            };
            let server = Arc::new(server);
            let Admission { connections, requests: identities } = settings.admission;
            let core = move |now| CoreConfig {
                shard,
                endpoint,
                ids,
                server,
                keys,
                options,
                connections,
                identities,
                now,
            };
            let notify = Arc::clone(&reported);
            let config = ThreadConfig {
                socket,
                pin_to_cpu: settings.pin.then_some(i % cores),
                reports: report_sender.clone(),
                on_report: Box::new(move || notify.notify_one()),
                journal: Box::new(ShardJournal::new(&journal, shard)),
            };
            shards.push(thread::spawn::<G>(core, config).map_err(StartError::Shard)?);
        }

        let entry = |handle: &thread::ShardHandle<G>| ShardEntry {
            shard: handle.shard,
            port: handle.address.port(),
            fingerprint: identity.fingerprint(EndpointRole::Shard(handle.shard)).0,
        };
        let mode = |mode: &crate::settings::Mode<G::Config>| ModeEntry {
            name: mode.name.clone(),
            rules: mode.rules,
        };
        let lobby = Lobby::new(LobbyConfig {
            // A node has its store for itself.
            lobby: LobbyId(0),
            game: GameVersion::of::<G>(),
            modes: settings.modes.iter().map(mode).collect(),
            shards: shards.iter().map(entry).collect(),
            address: (!settings.host.is_unspecified()).then_some(settings.host),
            signer: identity.ticket_signer(),
            provider,
            random: Box::new(random()),
        });
        let (sender, inbox) = mpsc::channel(CONTROL_EVENTS_MAX);
        let certified = shown.as_ref().map(|shown| Arc::clone(&shown.borrow()));
        let fingerprint = match &certified {
            Some(certified) => certificate::fingerprint(certified),
            None => identity.fingerprint(EndpointRole::Lobby),
        };
        let lobby_endpoint = endpoint::open(&identity, certified, lobby_socket)?;
        let endpoints = Endpoints {
            pid: std::process::id(),
            lobby: lobby_endpoint.local_addr().map_err(EndpointError::Socket)?,
            lobby_fingerprint: fingerprint.to_string(),
            shards: shards.iter().map(|handle| handle.address).collect(),
            admin: admin_socket.local_addr().map_err(EndpointError::Socket)?,
            admin_tls: certificate.is_some(),
        };
        let receive_buffer_bytes =
            shards.iter().map(|handle| handle.receive_buffer_bytes).min().unwrap_or(0);
        watchdog::start(heartbeats, data.path().to_owned()).map_err(StartError::Shard)?;
        let config = ControlConfig {
            lobby,
            modes: settings.modes,
            shards: shards.iter().map(|handle| handle.shard).collect(),
            is_journaled: settings.journal,
        };
        tokio::spawn(control::retention::run(store.clone(), settings.journal_kept));
        let history = History::open(data.path())?;
        let mut look_back = LookBack::default();
        let barred = look_back.look(&history)?;
        drop(history);
        let admin_store = store.clone();
        let (ready_sender, ready) = oneshot::channel();
        let mut core = ControlCore::new(config, recovered, unix_ms());
        core.handle_barred(&barred);
        let folder = data.path().to_owned();
        tokio::spawn(barring::run(folder, look_back, barred, sender.clone()));
        let door = Arc::new(Door::new(settings.admission, tokio::time::Instant::now().into()));
        let found = keys::watch(data.path().to_owned())?;
        tokio::spawn(keys::run(found, identity.ticket_keys().id(), sender.clone()));
        let control = Control::<G> {
            core,
            door: Arc::clone(&door),
            shards,
            store,
            journal,
            reports,
            news,
            reported,
            inbox,
            sender: sender.clone(),
            folder: data.path().to_owned(),
            started,
            recovery: None,
            ready: Some(ready_sender),
            connections: HashMap::new(),
            creations: Creations::default(),
            undelivered: VecDeque::new(),
            unjournaled: VecDeque::new(),
        };
        let task = tokio::spawn(control.run());
        tokio::spawn(endpoint::serve(lobby_endpoint.clone(), door, sender.clone()));
        let (told, newest) = watch::channel(endpoints.clone());
        let admin = Admin::new(sender.clone(), admin_store, gate, data.path().to_owned(), newest);
        admin::serve(admin_socket, admin, certificate).map_err(EndpointError::Socket)?;

        data.publish_fingerprint(&endpoints.lobby_fingerprint)?;
        data.publish_endpoints(&endpoints)?;
        let data = Arc::new(data);
        let renewal = shown.map(|shown| {
            let folder = Arc::downgrade(&data);
            let tell = move |fingerprint| tell_fingerprint(&folder, &told, fingerprint);
            tokio::spawn(certificate::renew(identity, lobby_endpoint.clone(), shown, tell))
        });
        let lobby = lobby_endpoint;
        let control = sender;
        Ok(Self { endpoints, receive_buffer_bytes, ready, control, task, data, lobby, renewal })
    }

    /// Where the node is reached.
    pub fn endpoints(&self) -> &Endpoints {
        &self.endpoints
    }

    /// What the kernel granted each shard's socket as receive buffer, in bytes.
    pub fn receive_buffer_bytes(&self) -> usize {
        self.receive_buffer_bytes
    }

    /// Waits until every match of the process before is back, or was given up; players may come then.
    pub async fn ready(&mut self) {
        // Where control ended instead, whoever runs the node learns why.
        let _ = (&mut self.ready).await;
    }

    /// For asking control from elsewhere.
    pub(crate) fn control(&self) -> mpsc::Sender<ControlEvent> {
        self.control.clone()
    }

    /// The counters; `None` where the node is stopping.
    pub async fn stats(&self) -> Option<NodeStats> {
        admin::stats(&self.control).await
    }

    /// Asks about running matches, or orders something of one.
    ///
    /// # Errors
    /// [`Unanswered`] says why there is no answer.
    pub async fn ask<T>(
        &self,
        question: impl FnOnce(Reply<T>) -> Question,
    ) -> Result<T, Unanswered> {
        questions::put(&self.control, question).await
    }

    /// Runs until `stop` resolves, then tells the players, writes what is to be written, and returns.
    ///
    /// # Errors
    /// [`ControlError`] where the node ended by itself.
    pub async fn run_until(mut self, stop: impl Future<Output = ()>) -> Result<(), ControlError> {
        let outcome = tokio::select! {
            outcome = &mut self.task => Some(outcome),
            () = stop => None,
        };
        let outcome = match outcome {
            Some(outcome) => outcome,
            None => {
                // Where control has ended already there is nobody to tell.
                let _ = self.control.send(ControlEvent::Shutdown).await;
                self.task.await
            }
        };
        if let Some(renewal) = self.renewal.take() {
            renewal.abort();
        }
        let reason = matchkeep_shared::disconnect::DisconnectReason::ServerShutdown;
        let code = quinn::VarInt::from_u32(reason.code());
        self.lobby.close(code, reason.text().as_bytes());
        if let Err(error) = self.data.withdraw_endpoints() {
            tracing::warn!(%error, "the file with the endpoints stays behind");
        }
        outcome.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))
    }
}

/// Tells whoever looks into the folder, or asks the admin interface, what certificate the lobby shows now.
fn tell_fingerprint(
    folder: &Weak<DataDir>,
    told: &watch::Sender<Endpoints>,
    fingerprint: Fingerprint,
) {
    // Without its folder the node has stopped.
    let Some(data) = folder.upgrade() else { return };
    told.send_modify(|endpoints| endpoints.lobby_fingerprint = fingerprint.to_string());
    let published = data.publish_fingerprint(&fingerprint.to_string());
    let published = published.and_then(|()| data.publish_endpoints(&*told.borrow()));
    if let Err(error) = published {
        tracing::error!(%error, "the fingerprint of the lobby's new certificate could not be told");
    }
}

fn bind_udp(
    what: String,
    address: SocketAddr,
    flag: &'static str,
) -> Result<UdpSocket, StartError> {
    UdpSocket::bind(address).map_err(|cause| StartError::Bind { what, address, flag, cause })
}

fn bind_tcp(address: SocketAddr) -> Result<TcpListener, StartError> {
    let what = "the admin interface".to_owned();
    TcpListener::bind(address).map_err(|cause| StartError::Bind {
        what,
        address,
        flag: "admin",
        cause,
    })
}

/// Numbers from the system's generator.
fn random() -> impl FnMut() -> u64 + Send {
    let system = SystemRandom::new();
    move || {
        let mut bytes = [0; 8];
        system.fill(&mut bytes).expect("the system has random numbers");
        u64::from_le_bytes(bytes)
    }
}
