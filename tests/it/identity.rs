//! Who is let in where an identity provider says who players are: a real server, real tokens, real bans.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use matchkeep_client::netcode::{MatchEvent, identity_message};
use matchkeep_client::transport::{
    ClientError, Fingerprint, LobbyClient, MatchClient, Return, endpoint,
};
use matchkeep_server::accounts::Ban;
use matchkeep_server::node::Node;
use matchkeep_server::settings::SettingsFile;
use matchkeep_server::store::{DATABASE_FILE, PlayerBook};
use matchkeep_shared::arena::{Arena, ArenaInput};
use matchkeep_shared::disconnect::DisconnectReason;
use matchkeep_shared::encoding::decode;
use matchkeep_shared::ticket::{KEY_ID_BYTES, SIGNATURE_BYTES, TOKEN_BYTES_MAX, TokenClaims};
use matchkeep_shared::wire::ALPN_MATCH;
use matchkeep_shared::wire::lobby::{Assignment, Who};
use matchkeep_shared::wire::message::ServerMessage;
use matchkeep_tests::raw::Raw;
use matchkeep_tests::within;
use rcgen::{KeyPair, PKCS_ED25519, PublicKeyData};
use serde_json::{Value, json};
use tempfile::TempDir;

const ISSUER: &str = "https://id.example";
const AUDIENCE: &str = "my-game";
const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

fn unix_ms() -> u64 {
    let unix = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    unix.expect("after 1970").as_millis() as u64
}

/// One key of the provider.
struct Key {
    id: &'static str,
    pair: KeyPair,
}

impl Key {
    fn new(id: &'static str) -> Self {
        Self { id, pair: KeyPair::generate_for(&PKCS_ED25519).expect("a key pair") }
    }

    fn jwk(&self) -> Value {
        let x = URL_SAFE_NO_PAD.encode(self.pair.der_bytes());
        json!({"kty": "OKP", "crv": "Ed25519", "kid": self.id, "x": x})
    }

    /// A token about `subject` that is good for so many seconds.
    fn token(&self, subject: &str, seconds: i64) -> Who {
        let now = (unix_ms() / 1000) as i64;
        let claims = json!({
            "iss": ISSUER, "aud": AUDIENCE, "sub": subject, "name": subject,
            "iat": now, "exp": now + seconds,
        });
        let mut header = Header::new(Algorithm::EdDSA);
        header.kid = Some(self.id.to_owned());
        let key = EncodingKey::from_ed_der(&self.pair.serialize_der());
        Who::Identity(encode(&header, &claims, &key).expect("it signs"))
    }
}

fn text(who: Who) -> String {
    match who {
        Who::Identity(token) => token,
        Who::Name(name) => panic!("{name} is a name"),
    }
}

fn publish(path: &Path, keys: &[&Key]) {
    let set = json!({"keys": keys.iter().map(|key| key.jwk()).collect::<Vec<_>>()});
    // Whole or not at all, as a provider would.
    let beside = path.with_extension("new");
    std::fs::write(&beside, set.to_string()).expect("written");
    std::fs::rename(beside, path).expect("renamed");
}

/// A server that believes one provider.
struct Guarded {
    node: Node,
    folder: TempDir,
    lobby: SocketAddr,
    fingerprint: Fingerprint,
}

impl Guarded {
    async fn start(folder: TempDir) -> Self {
        Self::start_with(folder, "").await
    }

    /// With more settings.
    async fn start_with(folder: TempDir, more: &str) -> Self {
        let keys = folder.path().join("keys.json");
        let file = format!(
            "host = \"127.0.0.1\"\nlobby_port = 0\nshard_port = 0\nadmin = \"127.0.0.1:0\"\nshards = 1\npin = false\n\
             identity_keys = {keys:?}\nidentity_issuer = \"{ISSUER}\"\nidentity_audience = \"{AUDIENCE}\"\n{more}\n\
             [modes.room]\nplayers_max = 8\nplayers_min = 1\nhold_seconds = 20\n"
        );
        let mut file = SettingsFile::parse(&file).expect("settings");
        file.data = Some(folder.path().join("data"));
        let settings = file.resolve::<Arena>().expect("sound");
        let mut node = Node::start::<Arena>(settings).await.expect("the node starts");
        within(20, "recovery", node.ready()).await;
        let lobby = node.endpoints().lobby;
        let fingerprint = node.endpoints().lobby_fingerprint.parse().expect("it is one");
        Self { node, folder, lobby, fingerprint }
    }

    async fn sign_in(&self, who: impl Into<Who>) -> Result<LobbyClient, ClientError> {
        let socket = endpoint(HERE).expect("a socket");
        let connecting = LobbyClient::connect::<Arena>(&socket, self.lobby, self.fingerprint, who);
        within(20, "signing in", connecting).await
    }

    async fn place(&self, who: Who) -> Assignment {
        let mut lobby = self.sign_in(who).await.expect("who is believed is let in");
        let place = within(20, "finding a match", lobby.find_match("")).await.expect("a place");
        lobby.close();
        place
    }

    async fn join(&self, who: Who, way: Return) -> MatchClient<Arena> {
        let joining = MatchClient::join(self.place(who).await, way);
        let mut client = within(20, "joining", joining).await.expect("the shard answers");
        play_until(&mut client, |event| matches!(event, MatchEvent::Joined { .. })).await;
        client
    }

    fn book(&self) -> PlayerBook {
        PlayerBook::beside(&self.folder.path().join("data")).expect("the database is there")
    }

    async fn stop(self) -> TempDir {
        self.node.run_until(async {}).await.expect("it stops well");
        self.folder
    }
}

fn refused(result: Result<LobbyClient, ClientError>) -> DisconnectReason {
    match result {
        Err(ClientError::Disconnected(reason)) => reason,
        other => panic!("{other:?}"),
    }
}

/// Plays until something happens.
async fn play_until(client: &mut MatchClient<Arena>, is_it: impl Fn(&MatchEvent<Arena>) -> bool) {
    let playing = async {
        loop {
            let event = client.next().await.expect("the match goes on");
            if let MatchEvent::InputDue(tick) = event {
                client.send_input(tick, ArenaInput::default());
            } else if is_it(&event) {
                return;
            }
        }
    };
    within(20, "playing", playing).await;
}

/// Plays until the match is over for this player; why, and how long it took.
async fn play_to_the_end(client: &mut MatchClient<Arena>) -> (DisconnectReason, Duration) {
    let began = Instant::now();
    let playing = async {
        loop {
            match client.next().await {
                Ok(MatchEvent::InputDue(tick)) => client.send_input(tick, ArenaInput::default()),
                Ok(_) => {}
                Err(ClientError::Disconnected(reason)) => return reason,
                Err(error) => panic!("{error}"),
            }
        }
    };
    (within(30, "playing", playing).await, began.elapsed())
}

/// Plays for so long; nothing may end it.
async fn play_for(client: &mut MatchClient<Arena>, time: Duration) {
    let until = Instant::now() + time;
    play_until(client, |_| Instant::now() >= until).await;
}

fn scene() -> (TempDir, Key) {
    let folder = tempfile::tempdir().expect("the system has a temporary folder");
    let key = Key::new("first");
    publish(&folder.path().join("keys.json"), &[&key]);
    (folder, key)
}

#[tokio::test(flavor = "multi_thread")]
async fn who_the_provider_does_not_vouch_for_is_not_let_in() {
    let (folder, key) = scene();
    let server = Guarded::start(folder).await;
    assert_eq!(refused(server.sign_in("ada").await), DisconnectReason::IdentityRequired);
    let stranger = Key::new("first");
    for (who, reason) in [
        (Who::Identity("what?".into()), DisconnectReason::IdentityMalformed),
        (stranger.token("ada", 60), DisconnectReason::IdentitySignature),
        (Key::new("second").token("ada", 60), DisconnectReason::IdentityKey),
        (key.token("ada", -60), DisconnectReason::IdentityExpired),
        (key.token("ada", 3600), DisconnectReason::IdentityTooLong),
    ] {
        assert_eq!(refused(server.sign_in(who).await), reason);
    }
    let ada = server.sign_in(key.token("ada", 60)).await.expect("she is believed");
    let again = server.sign_in(key.token("ada", 60)).await.expect("she is believed");
    assert_eq!(ada.player(), again.player());
    let ben = server.sign_in(key.token("ben", 60)).await.expect("he is believed");
    assert_ne!(ada.player(), ben.player());
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_opens_its_match_once_and_for_its_owner_alone() {
    let (folder, key) = scene();
    let server = Guarded::start(folder).await;
    let ada = server.place(key.token("ada", 60)).await;
    let eve = server.place(key.token("eve", 60)).await;
    let join = |place: Assignment| async move {
        let mut client =
            MatchClient::<Arena>::join(place, Return::Never).await.expect("it answers");
        play_to_the_end(&mut client).await.0
    };
    // Eve read Ada's ticket somewhere, and has a secret of her own.
    let secret = eve.ticket[eve.ticket.len() - 32..].to_vec();
    let mut stolen = ada.clone();
    stolen.ticket.truncate(ada.ticket.len() - 32);
    stolen.ticket.extend(secret);
    assert_eq!(join(stolen).await, DisconnectReason::TicketStolen);
    // It was not spent by that.
    let joining = MatchClient::<Arena>::join(ada.clone(), Return::Never);
    let mut client = within(20, "joining", joining).await.expect("the shard answers");
    play_until(&mut client, |event| matches!(event, MatchEvent::Joined { .. })).await;
    // What no tick has taken in is undone by a restart, and the ticket with it.
    play_for(&mut client, Duration::from_millis(300)).await;
    assert_eq!(join(ada.clone()).await, DisconnectReason::TicketUsed, "replayed");
    client.abandon();

    let folder = server.stop().await;
    let server = Guarded::start(folder).await;
    let shard = server.node.endpoints().shards[0].port();
    let after = Assignment { port: shard, ..ada };
    assert_eq!(join(after).await, DisconnectReason::TicketUsed, "by the process before");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_banned_or_revoked_is_out_within_two_seconds() {
    let (folder, key) = scene();
    let server = Guarded::start(folder).await;
    let mut ada = server.join(key.token("ada", 60), Return::ByToken).await;
    let mut eve = server.join(key.token("eve", 60), Return::ByToken).await;
    let mut watcher = server.sign_in(key.token("eve", 60)).await.expect("she is believed");
    let shown_before = key.token("ada", 60);

    let mut book = server.book();
    book.revoke("ada", unix_ms()).expect("there is one");
    let (reason, took) = play_to_the_end(&mut ada).await;
    assert_eq!(reason, DisconnectReason::IdentityRevoked);
    assert!(took < Duration::from_secs(2), "{took:?}");
    assert_eq!(refused(server.sign_in(shown_before).await), DisconnectReason::IdentityRevoked);

    let ban = Ban { reason: "aimbot".into(), until_unix_ms: Some(unix_ms() + 60_000) };
    book.ban("eve", &ban, unix_ms()).expect("there is one");
    let (reason, took) = play_to_the_end(&mut eve).await;
    assert_eq!(reason, DisconnectReason::Banned);
    assert!(took < Duration::from_secs(2), "{took:?}");
    let refusal = watcher.find_match("").await.expect_err("the lobby sends her away too");
    assert!(matches!(refusal, ClientError::Disconnected(DisconnectReason::Banned)), "{refusal}");
    assert_eq!(refused(server.sign_in(key.token("eve", 60)).await), DisconnectReason::Banned);
    book.unban("eve", unix_ms()).expect("she was banned");
    let forgiven = async {
        while server.sign_in(key.token("eve", 60)).await.is_err() {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    within(2, "that she may come again", forgiven).await;

    // A second later what Ada shows is newer than the revocation.
    tokio::time::sleep(Duration::from_millis(1100)).await;
    server.join(key.token("ada", 60), Return::Never).await.leave().await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_identity_is_refreshed_while_its_player_plays() {
    let (folder, key) = scene();
    let server = Guarded::start(folder).await;
    let mut eve = server.join(key.token("eve", 60), Return::Never).await;
    eve.refresh(text(key.token("ada", 60))).expect("it is short");
    assert_eq!(play_to_the_end(&mut eve).await.0, DisconnectReason::IdentityMismatch);
    // Good for a second and its leeway of five.
    let mut ada = server.join(key.token("ada", 1), Return::Never).await;
    let mut ben = server.join(key.token("ben", 1), Return::Never).await;
    play_for(&mut ada, Duration::from_secs(2)).await;
    ada.refresh(text(key.token("ada", 60))).expect("it is short");
    let (reason, _) = play_to_the_end(&mut ben).await;
    assert_eq!(reason, DisconnectReason::IdentityExpired);
    play_for(&mut ada, Duration::from_secs(5)).await;

    let mut lobby = server.sign_in(key.token("ada", 60)).await.expect("she is believed");
    lobby.refresh::<Arena>(text(key.token("ada", 60))).await.expect("she is still Ada");
    let refusal = lobby.refresh::<Arena>(text(key.token("ben", 60))).await.expect_err("not Ada");
    let mismatch = ClientError::Disconnected(DisconnectReason::IdentityMismatch);
    assert_eq!(refusal.to_string(), mismatch.to_string());
    play_for(&mut ada, Duration::from_millis(100)).await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_refreshes_while_the_database_is_held_plays_on() {
    let (folder, key) = scene();
    let server = Guarded::start(folder).await;
    // Good for two seconds and its leeway of five.
    let mut ada = server.join(key.token("ada", 2), Return::Never).await;
    let ends = Instant::now() + Duration::from_secs(7);
    let database = server.folder.path().join("data").join(DATABASE_FILE);
    let lock = rusqlite::Connection::open(database).expect("the node made it");
    lock.execute_batch("BEGIN IMMEDIATE").expect("nothing else writes now");
    ada.refresh(text(key.token("ada", 60))).expect("it is short");
    let until_refused = async {
        while server.node.stats().await.expect("the node runs").control.store_errors == 0 {
            play_for(&mut ada, Duration::from_millis(50)).await;
        }
    };
    within(20, "that the store gives up", until_refused).await;
    // She has no answer, so nothing keeps her from showing another one.
    ada.refresh(text(key.token("ada", 60))).expect("it is short");
    play_for(&mut ada, Duration::from_millis(200)).await;
    lock.execute_batch("COMMIT").expect("it was ours");
    let left = ends.saturating_duration_since(Instant::now());
    play_for(&mut ada, left + Duration::from_secs(1)).await;
    ada.leave().await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newer_identity_is_in_the_next_token_at_once() {
    let (folder, key) = scene();
    let server = Guarded::start(folder).await;
    let shard = server.node.endpoints().shards[0];
    let mut raw = Raw::connect(shard, ALPN_MATCH).await.expect("the shard answers");
    let place = server.place(key.token("ada", 20)).await;
    let first = raw.join_with(place.ticket).await.token;
    // In the match's first minute, in which there is no other reason for a new one.
    raw.write(&identity_message(text(key.token("ada", 600)))).await;
    let token = loop {
        if let ServerMessage::Token(token) = raw.message().await {
            break token;
        }
    };
    assert_ne!(token, first);
    let until = |token: &[u8]| {
        // The name of the key before, the signature behind.
        let claims = &token[KEY_ID_BYTES..token.len() - SIGNATURE_BYTES];
        let claims = decode::<TokenClaims, TOKEN_BYTES_MAX>("token", claims).expect("a token");
        claims.identity.until_unix_ms
    };
    assert!(until(&token) > until(&first) + 500_000);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_shows_newer_identities_all_the_time_is_sent_away() {
    let (folder, key) = scene();
    let rate = "requests_per_player_per_second = 1\nrequests_per_player_at_once = 6";
    let server = Guarded::start_with(folder, rate).await;
    let mut ben = server.join(key.token("ben", 60), Return::Never).await;
    let mut ada = server.join(key.token("ada", 60), Return::Never).await;
    let flooding = async {
        loop {
            ada.refresh(text(key.token("ada", 60))).expect("it is short");
            // One at a time: the last one has its answer by then.
            let until = Instant::now() + Duration::from_millis(150);
            while Instant::now() < until {
                match ada.next().await {
                    Ok(MatchEvent::InputDue(tick)) => ada.send_input(tick, ArenaInput::default()),
                    Ok(_) => {}
                    Err(ClientError::Disconnected(reason)) => return reason,
                    Err(error) => panic!("{error}"),
                }
            }
        }
    };
    assert_eq!(within(30, "the flood's end", flooding).await, DisconnectReason::RequestFlood);
    play_for(&mut ben, Duration::from_millis(300)).await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whose_identity_ends_keeps_no_place_at_the_lobby() {
    let (folder, key) = scene();
    let server = Guarded::start(folder).await;
    let _idle = server.sign_in(key.token("ada", 1)).await.expect("she is believed");
    let ended = async {
        loop {
            let stats = server.node.stats().await.expect("the node runs");
            if stats.lobby.ends.contains_key("identity_expired") {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    // A second, and the leeway.
    within(20, "its end", ended).await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_providers_keys_change_in_mid_match_and_nobody_is_sent_away() {
    let (folder, first) = scene();
    let file = folder.path().join("keys.json");
    let server = Guarded::start(folder).await;
    let mut ada = server.join(first.token("ada", 60), Return::Never).await;
    let second = Key::new("second");
    publish(&file, &[&first, &second]);
    let until_believed = async {
        while server.sign_in(second.token("ben", 60)).await.is_err() {
            play_for(&mut ada, Duration::from_millis(200)).await;
        }
    };
    within(20, "the new key", until_believed).await;
    server.sign_in(first.token("ben", 60)).await.expect("both are good");
    std::fs::write(&file, "no keys").expect("written");
    play_for(&mut ada, Duration::from_millis(1500)).await;
    server.sign_in(first.token("ben", 60)).await.expect("what cannot be read changes nothing");
    publish(&file, &[&second]);
    let until_gone = async {
        while server.sign_in(first.token("ben", 60)).await.is_ok() {
            play_for(&mut ada, Duration::from_millis(200)).await;
        }
    };
    within(20, "the old key's end", until_gone).await;
    ada.refresh(text(second.token("ada", 60))).expect("it is short");
    play_for(&mut ada, Duration::from_millis(1500)).await;
    ada.leave().await;
    server.stop().await;
}
