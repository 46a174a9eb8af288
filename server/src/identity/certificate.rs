//! Certificates and their keys: made, kept as PEM, known by their fingerprints.

use std::fmt;
use std::path::Path;

use rcgen::{CertificateParams, KeyPair, PKCS_ED25519, SerialNumber};
use ring::digest;
use rustls::crypto::CryptoProvider;
use rustls::crypto::ring::cipher_suite;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::sign::CertifiedKey;

use super::IdentityError;
use super::secret::{damaged, hex, open_secret, random};

const CERTIFICATE_EFFECT: &str = "its fingerprint changes, so clients must be given the new one";

/// SHA-256 of a certificate's DER bytes; what clients pin. Displayed in hexadecimal.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint(pub [u8; 32]);

impl Fingerprint {
    /// Of a certificate.
    pub fn of(certificate: &CertificateDer<'_>) -> Self {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(digest::digest(&digest::SHA256, certificate).as_ref());
        Self(bytes)
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fingerprint({self})")
    }
}

/// A certificate and the key that belongs to it.
pub(super) struct Certified {
    pub(super) certificate: CertificateDer<'static>,
    pub(super) key: PrivatePkcs8KeyDer<'static>,
}

impl Certified {
    /// The one in a file; made first where there is none.
    pub(super) fn open(path: &Path, name: &str) -> Result<Self, IdentityError> {
        let text = open_secret(path, CERTIFICATE_EFFECT, || new_certificate(name))?;
        Self::parse(&text).map_err(|problem| damaged(path, problem, CERTIFICATE_EFFECT))
    }

    /// Of key and certificate as PEM.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let key = PrivatePkcs8KeyDer::from_pem_slice(text.as_bytes());
        let key = key.map_err(|e| format!("private key: {e}"))?;
        let certificate = CertificateDer::from_pem_slice(text.as_bytes());
        let certificate = certificate.map_err(|e| format!("certificate: {e}"))?;
        let certified = Self { certificate, key };
        certified.certified_key().map_err(|e| e.to_string())?;
        Ok(certified)
    }

    /// As rustls takes it; it finds a certificate that belongs to another key.
    pub(super) fn certified_key(&self) -> Result<CertifiedKey, rustls::Error> {
        let chain = vec![self.certificate.clone()];
        CertifiedKey::from_der(chain, PrivateKeyDer::Pkcs8(self.key.clone_key()), &provider())
    }

    /// What clients pin.
    pub(super) fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(&self.certificate)
    }
}

/// ring, with the cheapest cipher first; rustls's own order begins with AES-256.
pub fn provider() -> CryptoProvider {
    CryptoProvider {
        cipher_suites: vec![
            cipher_suite::TLS13_AES_128_GCM_SHA256,
            cipher_suite::TLS13_AES_256_GCM_SHA384,
            cipher_suite::TLS13_CHACHA20_POLY1305_SHA256,
        ],
        ..rustls::crypto::ring::default_provider()
    }
}

/// A key of the kind that certificates and tickets are signed with.
pub(super) fn new_key() -> Result<KeyPair, IdentityError> {
    KeyPair::generate_for(&PKCS_ED25519)
        .map_err(|e| IdentityError::Crypto { what: "a key", cause: e.to_string() })
}

/// Key and certificate as PEM. Every certificate has the same length, so that handshakes have.
pub(super) fn new_certificate(name: &str) -> Result<String, IdentityError> {
    let error =
        |e: rcgen::Error| IdentityError::Crypto { what: "a certificate", cause: e.to_string() };
    let key = new_key()?;
    let mut params = CertificateParams::new(vec![name.to_owned()]).map_err(error)?;
    // Nobody renews it; whoever pins a fingerprint goes by that and not by a date.
    params.not_before = rcgen::date_time_ymd(2020, 1, 1);
    params.not_after = rcgen::date_time_ymd(2120, 1, 1);
    // DER drops leading zeros and adds one before a high bit; this first byte needs neither.
    let mut serial = random::<16>()?;
    serial[0] = 0x4d;
    params.serial_number = Some(SerialNumber::from_slice(&serial));
    let certificate = params.self_signed(&key).map_err(error)?;
    Ok(key.serialize_pem() + &certificate.pem())
}
