//! Keys and certificates across restarts, and damaged ones.

use std::os::unix::fs::PermissionsExt;

use matchkeep_shared::disconnect::DisconnectReason;
use matchkeep_shared::ids::{MatchId, PlayerId};
use matchkeep_shared::ticket::{NEVER, TicketClaims, Validity};

use super::certificate::new_key;
use super::secret::{CHECK_LINE, sha256};
use super::*;

const FILES: [&str; 4] = [LOBBY_FILE, SHARD_FILE, TICKET_FILE, QUIC_FILE];
const ROLES: [EndpointRole; 3] =
    [EndpointRole::Lobby, EndpointRole::Shard(ShardId(0)), EndpointRole::Shard(ShardId(1))];

fn data_dir() -> (tempfile::TempDir, DataDir) {
    let temporary = tempfile::tempdir().expect("the system has a temporary folder");
    let dir = DataDir::open(temporary.path()).expect("a fresh folder");
    (temporary, dir)
}

#[test]
fn an_identity_is_the_same_after_reopening() {
    let (_temporary, dir) = data_dir();
    let first = ServerIdentity::open(&dir).expect("made");
    let again = ServerIdentity::open(&dir).expect("read");
    for role in ROLES {
        assert_eq!(first.fingerprint(role), again.fingerprint(role));
        assert_eq!(first.connection_id_key(role), again.connection_id_key(role));
        for purpose in ["reset", "token"] {
            assert_eq!(first.derived(purpose, role), again.derived(purpose, role));
        }
    }
    let claims = TicketClaims {
        id: [1; 16],
        match_id: MatchId(1),
        player: PlayerId(1),
        name: "Ada".to_owned(),
        expires_unix_ms: 10,
        binding: [0; 32],
        identity: Validity { issued_unix_ms: 5, until_unix_ms: NEVER },
        team: None,
    };
    let ticket = first.ticket_signer().sign(&claims).expect("the name is one");
    let verifier = again.ticket_signer().verifier();
    assert_eq!(verifier.verify(&ticket, 0), Ok(claims));
    let stranger = ServerIdentity::ephemeral().expect("made").ticket_signer().verifier();
    let refused = Err(DisconnectReason::TicketInvalid);
    assert_eq!(stranger.verify(&ticket, 0), refused);
}

#[test]
fn endpoints_share_no_key() {
    let identity = ServerIdentity::ephemeral().expect("made");
    let mut keys: Vec<_> = ROLES
        .iter()
        .flat_map(|role| ["reset", "token", "connection id"].map(|p| identity.derived(p, *role)))
        .collect();
    keys.sort_unstable();
    keys.dedup();
    assert_eq!(keys.len(), 9);
    assert_ne!(identity.fingerprint(ROLES[0]), identity.fingerprint(ROLES[1]));
}

#[test]
fn secrets_are_readable_by_their_owner_alone_and_are_closed_again() {
    let (_temporary, dir) = data_dir();
    ServerIdentity::open(&dir).expect("made");
    let folder = dir.path().join(FOLDER);
    let mode = |path: &Path| fs::metadata(path).expect("there").permissions().mode() & 0o7777;
    assert_eq!(mode(&folder), 0o700);
    for file in FILES {
        assert_eq!(mode(&folder.join(file)), 0o600, "{file}");
    }
    assert_eq!(fs::read_dir(&folder).expect("readable").count(), FILES.len());

    let lobby = folder.join(LOBBY_FILE);
    fs::set_permissions(&lobby, fs::Permissions::from_mode(0o644)).expect("ours");
    ServerIdentity::open(&dir).expect("read");
    assert_eq!(mode(&lobby), 0o600);
}

#[test]
fn every_cut_and_every_changed_byte_is_found_and_the_file_is_named_and_kept() {
    let (_temporary, dir) = data_dir();
    ServerIdentity::open(&dir).expect("made");
    for file in FILES {
        let path = dir.path().join(FOLDER).join(file);
        let good = fs::read(&path).expect("there");
        let refused = |bytes: &[u8]| {
            fs::write(&path, bytes).expect("ours");
            let error = ServerIdentity::open(&dir).expect_err("damaged").to_string();
            assert!(error.contains(&*path.to_string_lossy()), "{error}");
            assert!(error.contains("delete it"), "{error}");
            assert_eq!(fs::read(&path).expect("there"), bytes);
        };
        for len in (0..good.len()).step_by(7).chain([good.len() - 1]) {
            refused(&good[..len]);
        }
        for at in (0..good.len()).step_by(5) {
            let mut bytes = good.clone();
            bytes[at] ^= 1;
            refused(&bytes);
        }
        fs::write(&path, &good).expect("ours");
    }
    ServerIdentity::open(&dir).expect("restored");
}

#[test]
fn another_keys_certificate_is_refused_even_with_a_good_checksum() {
    let (_temporary, dir) = data_dir();
    ServerIdentity::open(&dir).expect("made");
    let key = new_key().expect("made").serialize_pem();
    let other = new_certificate(LOBBY_NAME).expect("made");
    let text = key + &other[other.find("-----BEGIN CERT").expect("PEM")..];
    let path = dir.path().join(FOLDER).join(LOBBY_FILE);
    let file = format!("{text}{CHECK_LINE}{}\n", sha256(text.as_bytes()));
    fs::write(&path, file).expect("ours");
    let error = ServerIdentity::open(&dir).expect_err("they do not fit");
    assert!(matches!(error, IdentityError::Damaged { .. }), "{error}");
}

#[test]
fn certificates_have_a_constant_length() {
    let certificate = |name: &str| {
        let text = new_certificate(name).expect("made");
        Certified::parse(&text).expect("whole").certificate.len()
    };
    let length = certificate(LOBBY_NAME);
    for _ in 0..200 {
        assert_eq!(certificate(LOBBY_NAME), length);
        assert_eq!(certificate(SHARD_NAME), length);
    }
}

#[test]
fn tls_is_1_3_with_aes_128_first_and_nothing_early() {
    let identity = ServerIdentity::ephemeral().expect("made");
    let config = identity.tls(EndpointRole::Lobby, &[b"matchkeep-lobby/1"]).expect("made");
    let first = &config.crypto_provider().cipher_suites[0];
    assert_eq!(first.suite(), rustls::CipherSuite::TLS13_AES_128_GCM_SHA256);
    assert_eq!(config.alpn_protocols, [b"matchkeep-lobby/1".to_vec()]);
    assert_eq!((config.max_early_data_size, config.send_tls13_tickets), (0, 0));
    for role in ROLES {
        identity.quic_server(role, &[b"matchkeep-match/1"]).expect("usable by QUIC");
        identity.quic_endpoint(role);
    }
}
