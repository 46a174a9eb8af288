//! The node's secrets: who the lobby and the shards are to their clients, and the keys by which QUIC
//! endpoints and tickets outlive a restart.
//!
//! Owns: the files in `identity/` of the data folder, made once, and what is derived from them. Must
//! not know: sockets, sessions, transport settings. A certificate here is for development and for
//! clients that pin it by [`Fingerprint`].
//!
//! Every file ends with a line that holds the SHA-256 of all before it: a damaged key is found when it
//! is read, and not by players who cannot connect.

mod certificate;
mod secret;
mod ticket_keys;

use std::fmt;
use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use matchkeep_shared::ids::ShardId;
use quinn_proto::HashedConnectionIdGenerator;
use quinn_proto::crypto::rustls::QuicServerConfig;
use ring::{hkdf, hmac};
use rustls::sign::{CertifiedKey, SingleCertAndKey};

use crate::data_dir::{DataDir, DataDirError};
use crate::tickets::{TicketKeys, TicketSigner};
use crate::wall::unix_ms;
use certificate::{Certified, new_certificate};
pub(crate) use secret::hex;
use secret::{damaged, open_secret, random, unhex};
pub(crate) use ticket_keys::path_in as ticket_keys_path;

pub use certificate::{Fingerprint, provider};
pub use ticket_keys::{FormerKey, RotateError, TicketKeyFile};

const FOLDER: &str = "identity";
const LOBBY_FILE: &str = "lobby.pem";
const SHARD_FILE: &str = "shard.pem";
const TICKET_FILE: &str = "tickets.pem";
const QUIC_FILE: &str = "quic.key";
const SECRET_BYTES: usize = 32;
/// From one answer "this connection is no more" to the next.
const RESET_INTERVAL_MIN: Duration = Duration::from_micros(500);

/// Names in the certificates, for tools that ask for one. Equal lengths, so that handshakes are.
const LOBBY_NAME: &str = "matchkeep-lobby";
const SHARD_NAME: &str = "matchkeep-shard";

/// Why the node has no identity.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// A file is there and cannot be read.
    #[error("the secret `{path}` cannot be read ({source}): check its owner and its mode (0600)")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file is not what was written.
    #[error(
        "the secret `{path}` is damaged ({problem}): restore it from a backup, or delete it to have a \
         new one made ({effect})"
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
        /// What a new one changes.
        effect: &'static str,
    },
    /// A file cannot be written.
    #[error(transparent)]
    Unwritable(#[from] DataDirError),
    /// The cryptographic library refused.
    #[error("{what} could not be made ({cause}): this is a defect, please report it")]
    Crypto {
        /// What was being made.
        what: &'static str,
        /// What the library said.
        cause: String,
    },
}

/// One of the node's QUIC endpoints.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum EndpointRole {
    /// The lobby.
    Lobby,
    /// The shard with this number. All shards of a node share a certificate.
    Shard(ShardId),
}

impl EndpointRole {
    fn label(self) -> String {
        match self {
            Self::Lobby => "lobby".to_owned(),
            Self::Shard(shard) => format!("shard {shard}"),
        }
    }
}

/// Everything secret about a node.
pub struct ServerIdentity {
    lobby: Certified,
    shard: Certified,
    quic: [u8; SECRET_BYTES],
    tickets: TicketKeys,
}

// By hand, so that no log ever shows a key.
impl fmt::Debug for ServerIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ServerIdentity(lobby {}, ..)", self.lobby.fingerprint())
    }
}

impl ServerIdentity {
    /// The identity kept in a data folder; what is missing is made and written (mode 0600).
    ///
    /// # Errors
    /// [`IdentityError`] names the file and what to do.
    pub fn open(dir: &DataDir) -> Result<Self, IdentityError> {
        let folder = dir.path().join(FOLDER);
        match fs::DirBuilder::new().mode(0o700).create(&folder) {
            Err(e) if e.kind() != io::ErrorKind::AlreadyExists => {
                return Err(DataDirError::Unwritable { path: folder, source: e }.into());
            }
            _ => {}
        }
        Ok(Self {
            lobby: Certified::open(&folder.join(LOBBY_FILE), LOBBY_NAME)?,
            shard: Certified::open(&folder.join(SHARD_FILE), SHARD_NAME)?,
            quic: open_quic_secret(&folder.join(QUIC_FILE))?,
            tickets: TicketKeyFile::open(dir.path(), unix_ms())?.keys(),
        })
    }

    /// An identity that is kept nowhere, for tests and simulations.
    ///
    /// # Errors
    /// [`IdentityError::Crypto`].
    pub fn ephemeral() -> Result<Self, IdentityError> {
        let damaged = |cause| IdentityError::Crypto { what: "an ephemeral identity", cause };
        let lobby = Certified::parse(&new_certificate(LOBBY_NAME)?).map_err(damaged)?;
        let shard = Certified::parse(&new_certificate(SHARD_NAME)?).map_err(damaged)?;
        let tickets = TicketKeyFile::new(unix_ms())?.keys();
        Ok(Self { lobby, shard, quic: random()?, tickets })
    }

    /// What clients of this endpoint pin.
    pub fn fingerprint(&self, role: EndpointRole) -> Fingerprint {
        self.certified(role).fingerprint()
    }

    /// Issues this node's tickets.
    pub fn ticket_signer(&self) -> TicketSigner {
        self.tickets.signer().clone()
    }

    /// The keys that tickets are signed with.
    pub fn ticket_keys(&self) -> TicketKeys {
        self.tickets.clone()
    }

    /// TLS for an endpoint that speaks these protocols (ALPN): TLS 1.3 with ring, AES-128-GCM first,
    /// no client certificate, no early data, no session tickets.
    ///
    /// # Errors
    /// [`IdentityError::Crypto`].
    pub fn tls(
        &self,
        role: EndpointRole,
        alpn: &[&[u8]],
    ) -> Result<rustls::ServerConfig, IdentityError> {
        let certified = self.certified(role).certified_key();
        let certified = certified.map_err(|cause| IdentityError::Crypto {
            what: "the TLS configuration",
            cause: cause.to_string(),
        })?;
        tls_showing(Arc::new(certified), alpn)
    }

    /// The server side of an endpoint's connections: [`tls`](Self::tls) and a token key that survives
    /// restarts. Transport settings are the caller's.
    ///
    /// # Errors
    /// [`IdentityError::Crypto`].
    pub fn quic_server(
        &self,
        role: EndpointRole,
        alpn: &[&[u8]],
    ) -> Result<quinn_proto::ServerConfig, IdentityError> {
        self.quic_server_of(role, self.tls(role, alpn)?)
    }

    /// The same for an endpoint that shows another certificate than its own.
    ///
    /// # Errors
    /// [`IdentityError::Crypto`].
    pub fn quic_server_showing(
        &self,
        certificate: Arc<CertifiedKey>,
        role: EndpointRole,
        alpn: &[&[u8]],
    ) -> Result<quinn_proto::ServerConfig, IdentityError> {
        self.quic_server_of(role, tls_showing(certificate, alpn)?)
    }

    fn quic_server_of(
        &self,
        role: EndpointRole,
        tls: rustls::ServerConfig,
    ) -> Result<quinn_proto::ServerConfig, IdentityError> {
        let crypto = QuicServerConfig::try_from(tls).map_err(|e| IdentityError::Crypto {
            what: "the QUIC configuration",
            cause: e.to_string(),
        })?;
        let salt = hkdf::Salt::new(hkdf::HKDF_SHA256, b"matchkeep token key");
        let token_key = salt.extract(&self.derived("token", role));
        Ok(quinn_proto::ServerConfig::new(Arc::new(crypto), Arc::new(token_key)))
    }

    /// The endpoint itself: reset key and connection IDs that survive restarts, QUIC version 1 only.
    ///
    /// Each endpoint has keys of its own. With one reset key for all, a packet with somebody else's
    /// connection ID, sent to another shard, would be answered by the very token that ends that
    /// connection (RFC 9000, 21.11).
    pub fn quic_endpoint(&self, role: EndpointRole) -> quinn_proto::EndpointConfig {
        let reset_key = hmac::Key::new(hmac::HMAC_SHA256, &self.derived("reset", role));
        let mut config = quinn_proto::EndpointConfig::new(Arc::new(reset_key));
        let id_key = self.connection_id_key(role);
        config.cid_generator(move || Box::new(HashedConnectionIdGenerator::from_key(id_key)));
        config.supported_versions(vec![1]);
        // After a restart all players ask at once whether their connections are still there. An answer is
        // smaller than the question.
        config.min_reset_interval(RESET_INTERVAL_MIN);
        config
    }

    /// Knows the connection IDs that this endpoint gives.
    pub fn connection_ids(&self, role: EndpointRole) -> HashedConnectionIdGenerator {
        HashedConnectionIdGenerator::from_key(self.connection_id_key(role))
    }

    fn connection_id_key(&self, role: EndpointRole) -> u64 {
        let [a, b, c, d, e, f, g, h, ..] = self.derived("connection id", role);
        u64::from_le_bytes([a, b, c, d, e, f, g, h])
    }

    fn derived(&self, purpose: &str, role: EndpointRole) -> [u8; SECRET_BYTES] {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &self.quic);
        let label = format!("matchkeep quic 1 {purpose} {}", role.label());
        let mut derived = [0; SECRET_BYTES];
        // HMAC-SHA256 is of this length.
        derived.copy_from_slice(hmac::sign(&key, label.as_bytes()).as_ref());
        derived
    }

    fn certified(&self, role: EndpointRole) -> &Certified {
        match role {
            EndpointRole::Lobby => &self.lobby,
            EndpointRole::Shard(_) => &self.shard,
        }
    }
}

/// TLS for an endpoint that shows this certificate.
fn tls_showing(
    certificate: Arc<CertifiedKey>,
    alpn: &[&[u8]],
) -> Result<rustls::ServerConfig, IdentityError> {
    let error = |e: rustls::Error| IdentityError::Crypto {
        what: "the TLS configuration",
        cause: e.to_string(),
    };
    let mut config = rustls::ServerConfig::builder_with_provider(Arc::new(provider()))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(error)?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(certificate)));
    config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
    // The order above decides, whatever a client prefers: the server pays for every player.
    config.ignore_client_order = true;
    config.max_early_data_size = 0;
    // Resuming would save a signature and cost a store of sessions that dies with the process.
    config.send_tls13_tickets = 0;
    config.session_storage = Arc::new(rustls::server::NoServerSessionStorage {});
    Ok(config)
}

const QUIC_EFFECT: &str = "clients of the previous process notice its end later";

fn open_quic_secret(path: &Path) -> Result<[u8; SECRET_BYTES], IdentityError> {
    let make = || Ok(hex(&random::<SECRET_BYTES>()?) + "\n");
    let text = open_secret(path, QUIC_EFFECT, make)?;
    unhex(text.trim()).ok_or_else(|| {
        damaged(path, format!("expected {} hexadecimal digits", 2 * SECRET_BYTES), QUIC_EFFECT)
    })
}

#[cfg(test)]
mod tests;
