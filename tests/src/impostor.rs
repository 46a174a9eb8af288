//! A server that shows somebody else's certificate. Certificates are public: anybody who connected once
//! has it. What only the owner has is the key that signs the handshake.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use quinn::crypto::rustls::QuicServerConfig;
use quinn::{ConnectionError, Endpoint};
use rustls::ServerConfig;
use rustls::crypto::ring::{default_provider, sign};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use crate::within;

/// A server on a port of its own.
pub struct Impostor {
    endpoint: Endpoint,
}

#[derive(Debug)]
struct Copied(Arc<CertifiedKey>);

impl ResolvesServerCert for Copied {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }
}

impl Impostor {
    /// Shows `certificate`, and signs with a key made just now.
    ///
    /// # Panics
    /// Where the system has no sockets.
    pub fn showing(certificate: CertificateDer<'static>, alpn: &[u8]) -> Self {
        let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).expect("a key is made");
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let key = sign::any_supported_type(&key).expect("Ed25519 is supported");
        let certified = Arc::new(CertifiedKey::new(vec![certificate], key));
        let mut tls = ServerConfig::builder_with_provider(Arc::new(default_provider()))
            .with_protocol_versions(&[&rustls::version::TLS13])
            .expect("ring has TLS 1.3")
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(Copied(certified)));
        tls.alpn_protocols = vec![alpn.to_vec()];
        let crypto = QuicServerConfig::try_from(tls).expect("TLS 1.3");
        let config = quinn::ServerConfig::with_crypto(Arc::new(crypto));
        let any_port = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        Self { endpoint: Endpoint::server(config, any_port).expect("a socket") }
    }

    /// Where it listens.
    ///
    /// # Panics
    /// Where the socket is gone.
    pub fn address(&self) -> SocketAddr {
        self.endpoint.local_addr().expect("it is bound")
    }

    /// Whether the one who comes next believes it.
    ///
    /// # Errors
    /// What the client said instead.
    ///
    /// # Panics
    /// Where nobody comes.
    pub async fn is_believed(&self) -> Result<(), ConnectionError> {
        let incoming = within(20, "a client", self.endpoint.accept()).await.expect("it listens");
        incoming.await.map(|_| ())
    }
}
