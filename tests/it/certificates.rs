//! A lobby that is known by its name: whom a client believes, and new certificates while somebody plays.

use std::path::{Path, PathBuf};
use std::time::Duration;

use matchkeep_client::transport::{ClientError, Fingerprint, LobbyClient, Return, Roots, Trust};
use matchkeep_shared::arena::Arena;
use matchkeep_shared::wire::ALPN_LOBBY;
use matchkeep_tests::link::Link;
use matchkeep_tests::player::Player;
use matchkeep_tests::raw::Raw;
use matchkeep_tests::server::{ROOM, TestServer};
use matchkeep_tests::within;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};

const SECOND: Duration = Duration::from_secs(1);
const NAME: &str = "lobby.example.org";

/// Somebody who vouches for names.
struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        Self(CertifiedIssuer::self_signed(params, key).expect("a certificate"))
    }

    fn roots(&self) -> Roots {
        Roots::of_pem(self.0.pem().as_bytes()).expect("one root")
    }

    /// Writes a certificate for this name, and its key, in the place of those that are there.
    fn certify(&self, name: &str, files: &Files) -> Fingerprint {
        let key = KeyPair::generate().expect("a key");
        let params = CertificateParams::new(vec![name.to_owned()]).expect("a name");
        let certificate = params.signed_by(&key, &self.0).expect("a certificate");
        std::fs::write(&files.key, key.serialize_pem()).expect("written");
        std::fs::write(&files.certificate, certificate.pem()).expect("written");
        Fingerprint::of(certificate.der())
    }
}

struct Files {
    certificate: PathBuf,
    key: PathBuf,
}

impl Files {
    fn within(folder: &Path) -> Self {
        Self { certificate: folder.join("lobby.pem"), key: folder.join("lobby.key") }
    }

    /// A server that shows them.
    async fn served(&self) -> TestServer {
        let Self { certificate, key } = self;
        let settings = format!("lobby_certificate = {certificate:?}\nlobby_key = {key:?}\n{ROOM}");
        TestServer::start(&settings).await
    }
}

async fn sign_in(server: &TestServer, trust: impl Into<Trust>) -> Result<LobbyClient, ClientError> {
    let connecting = LobbyClient::connect::<Arena>(server.socket(), server.lobby(), trust, "ben");
    within(20, "an answer", connecting).await
}

/// That it was the certificate that was not believed.
fn assert_not_believed(refused: Result<LobbyClient, ClientError>) {
    let error = refused.expect_err("nobody should believe that");
    let ClientError::Connection { cause, .. } = &error else { panic!("{error}") };
    assert!(cause.contains("certificate"), "{cause}");
}

/// What the lobby shows now.
async fn shown(server: &TestServer) -> Fingerprint {
    let raw = Raw::connect(server.lobby(), ALPN_LOBBY).await.expect("the lobby answers");
    Fingerprint::of(&raw.certificate())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lobby_is_known_by_its_name_and_by_whom_vouches_for_it() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let files = Files::within(folder.path());
    let (ours, others) = (Authority::new(), Authority::new());
    let fingerprint = ours.certify(NAME, &files);
    let server = files.served().await;
    let named = |name, roots| Trust::named(name, roots).expect("a name");
    let mut lobby = sign_in(&server, named(NAME, ours.roots())).await.expect("the right name");
    let place = lobby.find_match("room").await.expect("there is a place");
    lobby.close();
    let ada = Player::join_at(place).await.expect("shards are known by what the lobby tells");
    ada.leave().await;
    assert_not_believed(sign_in(&server, named("shop.example.org", ours.roots())).await);
    assert_not_believed(sign_in(&server, named("127.0.0.1", ours.roots())).await);
    assert_not_believed(sign_in(&server, named(NAME, others.roots())).await);
    assert_not_believed(sign_in(&server, named(NAME, Roots::web())).await);
    // Whoever pins it needs nobody to vouch for it.
    assert_eq!(server.fingerprint(), fingerprint);
    sign_in(&server, fingerprint).await.expect("its fingerprint").close();
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_certificate_is_shown_to_who_comes_and_nobody_is_sent_away() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let files = Files::within(folder.path());
    let ours = Authority::new();
    let first = ours.certify(NAME, &files);
    let server = files.served().await;
    let trust = Trust::named(NAME, ours.roots()).expect("a name");
    let mut ben = sign_in(&server, trust.clone()).await.expect("the right name");
    let link = Link::to(server.shard()).await;
    let mut place = server.place("ada", "room").await;
    place.port = link.address().port();
    let who = "ada".into();
    let way = Return::ByLobby { lobby: server.lobby(), trust: trust.clone(), who };
    let mut ada = Player::join_to_return(place, way).await.expect("through the link");

    // Half of one, or one that goes with another key, is none.
    let whole = std::fs::read_to_string(&files.certificate).expect("there");
    std::fs::write(&files.certificate, &whole[..whole.len() / 2]).expect("written");
    ada.play(SECOND + SECOND / 2).await.expect("the match goes on");
    assert_eq!(shown(&server).await, first, "what cannot be used changes nothing");
    let second = ours.certify(NAME, &files);
    assert_ne!(first, second);
    let until_shown = async {
        while shown(&server).await != second {
            ada.play(SECOND / 10).await.expect("the match goes on");
        }
    };
    within(20, "the new certificate", until_shown).await;
    assert!(ada.gaps.is_empty(), "{:?}", ada.gaps);

    // A connection of before goes on, and what is given over it is good.
    let place = within(20, "a place", ben.find_match("room")).await.expect("it is the same lobby");
    Player::join_at(place).await.expect("the shard shows what it did").leave().await;
    assert_not_believed(sign_in(&server, first).await);
    sign_in(&server, trust).await.expect("the name is the same").close();
    let told = std::fs::read_to_string(server.folder().join("lobby.fingerprint")).expect("told");
    assert_eq!(told.trim(), second.to_string());

    // Who must ask the lobby for the way back finds it under its name.
    link.cut();
    for _ in 0..20 {
        ada.play(SECOND / 2).await.expect("it is looked for a way back");
        if !ada.gaps.is_empty() {
            break;
        }
    }
    assert_eq!(ada.gaps.len(), 1, "{:?}", ada.gaps);
    ada.leave().await;
    server.stop().await;
}
