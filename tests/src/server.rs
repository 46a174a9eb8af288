//! A server in this process: real sockets on any free ports, a real database in a folder of its own.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use matchkeep_client::transport::{ClientError, Fingerprint, LobbyClient, Secret, endpoint};
use matchkeep_server::control::NodeStats;
use matchkeep_server::control::questions::{Question, Unanswered};
use matchkeep_server::data_dir::DataDir;
use matchkeep_server::identity::ServerIdentity;
use matchkeep_server::node::Node;
use matchkeep_server::settings::SettingsFile;
use matchkeep_server::shard::order::{Order, Ordered};
use matchkeep_server::shard::view::MatchView;
use matchkeep_server::store::{History, PlayerBook};
use matchkeep_server::tickets::TicketSigner;
use matchkeep_shared::arena::Arena;
use matchkeep_shared::ids::{MatchId, PlayerId};
use matchkeep_shared::ticket::{NEVER, TicketClaims, TokenClaims, Validity};
use matchkeep_shared::wire::lobby::Assignment;
use quinn::Endpoint;
use tempfile::TempDir;
use tokio::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};

use crate::within;

/// What whoever shows a ticket made here keeps to themselves.
fn secret() -> Secret {
    Secret::of([1; 32])
}

/// A mode for matches that go on for as long as a test wants.
pub const ROOM: &str = "
    [modes.room]
    players_max = 8
    players_min = 1
    rules = { frag_limit = 0, time_limit_seconds = 7200, countdown_seconds = 0 }
";

/// Matches of two, whose places are held for as long as a test can take.
pub const PAIR: &str = "
    [modes.pair]
    players_max = 2
    players_min = 2
    rules = { frag_limit = 0, time_limit_seconds = 7200 }
";

/// Servers share the machine, unless one of them says that it must be alone.
static MACHINE: RwLock<()> = RwLock::const_new(());

#[expect(dead_code, reason = "held for what dropping them does")]
enum Share {
    One(RwLockReadGuard<'static, ()>),
    All(RwLockWriteGuard<'static, ()>),
}

/// A server of the arena, with one shard where its settings name no other number.
pub struct TestServer {
    node: Node,
    signer: TicketSigner,
    socket: Endpoint,
    folder: PathBuf,
    _data: TempDir,
    _machine: Share,
}

impl TestServer {
    /// Starts a server with these modes (TOML).
    ///
    /// # Panics
    /// Where it does not start.
    pub async fn start(modes: &str) -> Self {
        Self::start_with(modes, Share::One(MACHINE.read().await)).await
    }

    /// Starts a server while no other test has one: for what goes by the time that ticks take.
    ///
    /// # Panics
    /// Where it does not start.
    pub async fn start_alone(modes: &str) -> Self {
        Self::start_with(modes, Share::All(MACHINE.write().await)).await
    }

    async fn start_with(modes: &str, machine: Share) -> Self {
        let data = tempfile::tempdir().expect("a temporary folder is made");
        let folder = data.path().join("data");
        // The node finds these keys and uses them: so the test can sign what the lobby would.
        let keys = DataDir::open(&folder).expect("the folder is new");
        let signer = ServerIdentity::open(&keys).expect("keys are made").ticket_signer();
        drop(keys);
        let file = SettingsFile::parse(modes).expect("the modes are TOML");
        let any_port = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let file = SettingsFile {
            data: Some(folder.clone()),
            host: Some(any_port.ip()),
            lobby_port: Some(0),
            shard_port: Some(0),
            admin: Some(any_port),
            shards: file.shards.or(Some(1)),
            pin: Some(false),
            ..file
        };
        let settings = file.resolve::<Arena>().expect("the settings are sound");
        let node = Node::start::<Arena>(settings).await.expect("the node starts");
        let socket = endpoint(IpAddr::V4(Ipv4Addr::LOCALHOST)).expect("a client socket is made");
        Self { node, signer, socket, folder, _data: data, _machine: machine }
    }

    /// Where the lobby is.
    pub fn lobby(&self) -> SocketAddr {
        self.node.endpoints().lobby
    }

    /// Where the first shard is.
    pub fn shard(&self) -> SocketAddr {
        self.node.endpoints().shards[0]
    }

    /// Where all shards are.
    pub fn shards(&self) -> &[SocketAddr] {
        &self.node.endpoints().shards
    }

    /// The accounts, as an operator's command beside the server has them.
    ///
    /// # Panics
    /// Where they cannot be opened.
    pub fn book(&self) -> PlayerBook {
        PlayerBook::beside(&self.folder).expect("the database is there")
    }

    /// What the lobby's certificate is known by.
    ///
    /// # Panics
    /// Where the node publishes no fingerprint.
    pub fn fingerprint(&self) -> Fingerprint {
        self.node.endpoints().lobby_fingerprint.parse().expect("the node publishes a fingerprint")
    }

    /// A UDP socket for clients, shared by those who do not mind.
    pub fn socket(&self) -> &Endpoint {
        &self.socket
    }

    /// Says to the lobby who one is.
    ///
    /// # Errors
    /// What the lobby says.
    pub async fn try_sign_in(&self, name: &str) -> Result<LobbyClient, ClientError> {
        let client =
            LobbyClient::connect::<Arena>(&self.socket, self.lobby(), self.fingerprint(), name);
        within(20, "signing in", client).await
    }

    /// As [`try_sign_in`](Self::try_sign_in), for a name the lobby takes.
    ///
    /// # Panics
    /// Where it does not.
    pub async fn sign_in(&self, name: &str) -> LobbyClient {
        self.try_sign_in(name).await.expect("the lobby takes the name")
    }

    /// A place in a match of a mode, with a ticket.
    ///
    /// # Panics
    /// Where there is none.
    pub async fn place(&self, name: &str, mode: &str) -> Assignment {
        let mut lobby = self.sign_in(name).await;
        let place = within(20, "finding a match", lobby.find_match(mode)).await;
        lobby.close();
        place.expect("there is a place")
    }

    /// What a ticket of the lobby would say.
    pub fn claims(&self, match_id: MatchId, player: u64, name: &str) -> TicketClaims {
        use ring::rand::SecureRandom;
        let mut id = [0; 16];
        ring::rand::SystemRandom::new().fill(&mut id).expect("the system has random numbers");
        TicketClaims {
            id,
            match_id,
            player: PlayerId(player),
            name: name.into(),
            expires_unix_ms: unix_ms() + 60_000,
            binding: secret().binding(),
            identity: Validity { issued_unix_ms: unix_ms(), until_unix_ms: NEVER },
            team: None,
        }
    }

    /// A ticket with the server's own signature, as it is shown.
    ///
    /// # Panics
    /// Where the name cannot be signed.
    pub fn ticket(&self, claims: &TicketClaims) -> Vec<u8> {
        secret().show(self.signer.sign(claims).expect("the name is one"))
    }

    /// A token of a match with the server's own signature.
    pub fn token(&self, claims: &TokenClaims) -> Vec<u8> {
        self.signer.sign_token(claims)
    }

    /// The counters.
    ///
    /// # Panics
    /// Where the node is gone.
    pub async fn stats(&self) -> NodeStats {
        within(10, "counters", self.node.stats()).await.expect("the node runs")
    }

    /// Waits until the counters are as wanted.
    ///
    /// # Panics
    /// Where they do not become so within `seconds`.
    pub async fn wait_stats(&self, seconds: u64, what: &str, wanted: impl Fn(&NodeStats) -> bool) {
        let wait = async {
            while !wanted(&self.stats().await) {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        within(seconds, what, wait).await;
    }

    /// Orders something of a match, as an operator would.
    ///
    /// # Errors
    /// Why it was not carried out.
    pub async fn order(&self, match_id: MatchId, order: Order) -> Result<Ordered, Unanswered> {
        let ordered =
            self.node.ask(|reply| Question::Order { match_id, order, by: "a test".into(), reply });
        within(10, "an order", ordered).await
    }

    /// A match with its players.
    ///
    /// # Errors
    /// Why there is nothing to see.
    pub async fn view(&self, match_id: MatchId) -> Result<Box<MatchView>, Unanswered> {
        let seen = self.node.ask(|reply| Question::Inspect { match_id, reply });
        within(10, "a match", seen).await
    }

    /// The state of a match as JSON.
    ///
    /// # Errors
    /// Why there is nothing to see.
    pub async fn state(&self, match_id: MatchId) -> Result<serde_json::Value, Unanswered> {
        let seen = self.node.ask(|reply| Question::State { match_id, reply });
        within(10, "a state", seen).await
    }

    /// How many connections the shard ended, or saw end, with this reason.
    pub async fn disconnects(&self, label: &str) -> u64 {
        self.stats().await.shards.disconnects.get(label).copied().unwrap_or(0)
    }

    /// The stored matches, read by a connection of its own as an operator would.
    ///
    /// # Panics
    /// Where there is no database.
    pub fn history(&self) -> History {
        History::open(&self.folder).expect("the node made a database")
    }

    /// The data folder.
    pub fn folder(&self) -> &PathBuf {
        &self.folder
    }

    /// Stops the server as an operator would.
    ///
    /// # Panics
    /// Where it does not stop, or had ended by itself.
    pub async fn stop(self) {
        within(20, "stopping", self.node.run_until(async {})).await.expect("the node ran");
    }
}

/// Milliseconds of Unix time.
pub fn unix_ms() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.map_or(0, |since| since.as_millis() as u64)
}
