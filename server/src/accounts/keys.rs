//! The public keys of an identity provider, from a JSON Web Key Set or a PEM file.
//!
//! Owns: reading them, and finding one by its ID. Must not know: tokens, files.

mod usable;

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::DecodingKey;
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, PublicKeyUse};
use rustls::pki_types::SubjectPublicKeyInfoDer;
use rustls::pki_types::pem::PemObject;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use yasna::models::ObjectIdentifier;

/// What tokens are signed with.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub enum Algorithm {
    /// Ed25519.
    #[default]
    EdDSA,
    /// ECDSA on P-256 with SHA-256.
    ES256,
    /// RSA (PKCS #1 v1.5) with SHA-256.
    RS256,
}

impl Algorithm {
    /// Every one, by the name it has in settings and tokens.
    pub const LABELS: &'static [&'static str] = &["EdDSA", "ES256", "RS256"];

    /// Its name in settings and tokens.
    pub fn label(self) -> &'static str {
        Self::LABELS[self as usize]
    }

    pub(super) fn of_library(self) -> jsonwebtoken::Algorithm {
        match self {
            Self::EdDSA => jsonwebtoken::Algorithm::EdDSA,
            Self::ES256 => jsonwebtoken::Algorithm::ES256,
            Self::RS256 => jsonwebtoken::Algorithm::RS256,
        }
    }

    /// Whether a key of a set is for it. One that is may still be none that can be used.
    fn fits(self, jwk: &Jwk) -> bool {
        let is_for_signatures =
            matches!(jwk.common.public_key_use, None | Some(PublicKeyUse::Signature));
        let named = jwk.common.key_algorithm.map(|named| named.to_string());
        let says_so = named.as_deref() == Some(self.label());
        let is_such_a_key = match &jwk.algorithm {
            AlgorithmParameters::OctetKeyPair(key) => {
                self == Self::EdDSA && key.curve == EllipticCurve::Ed25519
            }
            // Those on other curves are for other algorithms, unless they say that they are for this one.
            AlgorithmParameters::EllipticCurve(key) => {
                self == Self::ES256 && (key.curve == EllipticCurve::P256 || says_so)
            }
            AlgorithmParameters::RSA(_) => self == Self::RS256,
            AlgorithmParameters::OctetKey(_) => false,
        };
        is_for_signatures && (says_so || named.is_none()) && is_such_a_key
    }
}

/// Why what a file holds is no set of keys.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum KeysError {
    /// Neither of the two forms.
    #[error("neither a JSON Web Key Set nor a public key in PEM: {0}")]
    Unreadable(String),
    /// None for this algorithm.
    #[error(
        "no key in it is for {}: set identity_algorithm to what its keys are for ({LABELS})",
        .0.label()
    )]
    NoneFits(Algorithm),
    /// One cannot be used: its ID, if it has one, and why.
    #[error("the key{id} cannot be used: {1}", id = called(.0))]
    Unusable(Option<String>, String),
}

const LABELS: &str = "EdDSA: Ed25519; ES256: P-256; RS256: RSA";

fn called(id: &Option<String>) -> String {
    id.as_ref().map_or_else(String::new, |id| format!(" `{id}`"))
}

/// Keys for one algorithm.
#[derive(Clone)]
pub struct ProviderKeys(Vec<ProviderKey>);

#[derive(Clone)]
struct ProviderKey {
    id: Option<String>,
    key: DecodingKey,
}

// By hand: the library's keys say nothing that a log needs.
impl fmt::Debug for ProviderKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.ids()).finish()
    }
}

impl ProviderKeys {
    /// The keys for `algorithm` among those in `text`; keys for others are left out.
    ///
    /// # Errors
    /// [`KeysError`] says what is wrong with it.
    pub fn parse(text: &[u8], algorithm: Algorithm) -> Result<Self, KeysError> {
        let keys = match serde_json::from_slice::<Value>(text) {
            Ok(set) => from_set(set, algorithm)?,
            Err(_) => from_pem(text, algorithm)?,
        };
        if keys.is_empty() { Err(KeysError::NoneFits(algorithm)) } else { Ok(Self(keys)) }
    }

    /// The key that a token names. One that names none means the only one there is, and a key without an ID is
    /// meant by whatever is named.
    pub(super) fn find(&self, id: Option<&str>) -> Option<&DecodingKey> {
        let found = match (id, self.0.as_slice()) {
            (None, [only]) => Some(only),
            (None, _) => None,
            (Some(id), keys) => {
                let named = keys.iter().find(|key| key.id.as_deref() == Some(id));
                named.or_else(|| keys.iter().find(|key| key.id.is_none()))
            }
        };
        found.map(|found| &found.key)
    }

    /// The IDs, in the order of the file; the empty text for a key without one.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|key| key.id.as_deref().unwrap_or_default())
    }
}

fn from_set(set: Value, algorithm: Algorithm) -> Result<Vec<ProviderKey>, KeysError> {
    let Some(keys) = set.get("keys").and_then(Value::as_array) else {
        return Err(KeysError::Unreadable("`keys`, a list, is missing".to_owned()));
    };
    // A key of a kind that the library does not know is not for us.
    let known = keys.iter().filter_map(|key| Jwk::deserialize(key).ok());
    known
        .filter(|jwk| algorithm.fits(jwk))
        .map(|jwk| {
            let id = jwk.common.key_id.clone();
            let key = from_jwk(&jwk).map_err(|why| KeysError::Unusable(id.clone(), why))?;
            Ok(ProviderKey { id, key })
        })
        .collect()
}

/// A key of a set.
///
/// # Errors
/// What is wrong with it.
fn from_jwk(jwk: &Jwk) -> Result<DecodingKey, String> {
    let bytes = |name: &str, text: &str| {
        URL_SAFE_NO_PAD.decode(text).map_err(|error| format!("`{name}`: {error}"))
    };
    match &jwk.algorithm {
        AlgorithmParameters::OctetKeyPair(key) => usable::ed25519(&bytes("x", &key.x)?),
        AlgorithmParameters::EllipticCurve(key) => {
            // As X.509 has it: not compressed.
            let point = [vec![4], bytes("x", &key.x)?, bytes("y", &key.y)?].concat();
            usable::p256(curve_name(&key.curve), &point)
        }
        AlgorithmParameters::RSA(key) => usable::rsa(&bytes("n", &key.n)?, &bytes("e", &key.e)?),
        AlgorithmParameters::OctetKey(_) => Err("it is a secret, and no public key".to_owned()),
    }
}

fn curve_name(curve: &EllipticCurve) -> &'static str {
    match curve {
        EllipticCurve::P256 => usable::P256,
        EllipticCurve::P384 => "P-384",
        EllipticCurve::P521 => "P-521",
        EllipticCurve::Ed25519 => "Ed25519",
    }
}

/// A key pair's public half as X.509 has it: what it is for, and its bits.
fn from_pem(text: &[u8], algorithm: Algorithm) -> Result<Vec<ProviderKey>, KeysError> {
    let unreadable = |error: &dyn fmt::Display| KeysError::Unreadable(error.to_string());
    let mut keys = Vec::new();
    for der in SubjectPublicKeyInfoDer::pem_slice_iter(text) {
        let der = der.map_err(|error| unreadable(&error))?;
        let parsed = yasna::parse_der(&der, |reader| {
            reader.read_sequence(|reader| {
                let (purpose, parameters) = reader.next().read_sequence(|reader| {
                    let purpose = reader.next().read_oid()?;
                    let parameters = reader.read_optional(|reader| reader.read_der())?;
                    Ok((purpose, parameters))
                })?;
                let (bits, _) = reader.next().read_bitvec_bytes()?;
                Ok((purpose, parameters, bits))
            })
        });
        let (purpose, parameters, bits) = parsed.map_err(|error| unreadable(&error))?;
        if purpose == purpose_of(algorithm) {
            let key = match algorithm {
                Algorithm::EdDSA => usable::ed25519(&bits),
                Algorithm::ES256 => usable::p256(&curve_of(parameters.as_deref()), &bits),
                Algorithm::RS256 => rsa_of(&bits),
            };
            let key = key.map_err(|why| KeysError::Unusable(None, why))?;
            keys.push(ProviderKey { id: None, key });
        }
    }
    if keys.len() > 1 {
        let why = "several keys without IDs: put them into a JSON Web Key Set";
        return Err(KeysError::Unreadable(why.to_owned()));
    }
    Ok(keys)
}

fn purpose_of(algorithm: Algorithm) -> ObjectIdentifier {
    ObjectIdentifier::from_slice(match algorithm {
        Algorithm::EdDSA => &[1, 3, 101, 112],
        Algorithm::ES256 => &[1, 2, 840, 10045, 2, 1],
        Algorithm::RS256 => &[1, 2, 840, 113_549, 1, 1, 1],
    })
}

/// The curve that a key's parameters name, by the name that web keys have for it; else its number.
fn curve_of(parameters: Option<&[u8]>) -> String {
    let named = parameters.and_then(|der| yasna::parse_der(der, |reader| reader.read_oid()).ok());
    let Some(named) = named else { return "without a name".to_owned() };
    match named.components().as_slice() {
        [1, 2, 840, 10045, 3, 1, 7] => usable::P256.to_owned(),
        [1, 3, 132, 0, 34] => curve_name(&EllipticCurve::P384).to_owned(),
        [1, 3, 132, 0, 35] => curve_name(&EllipticCurve::P521).to_owned(),
        _ => named.to_string(),
    }
}

/// The key in the bits of an RSA key: a list of modulus and exponent (RFC 8017, A.1.1).
fn rsa_of(bits: &[u8]) -> Result<DecodingKey, String> {
    let parsed = yasna::parse_der(bits, |reader| {
        reader.read_sequence(|reader| {
            let (modulus, _) = reader.next().read_bigint_bytes()?;
            let (exponent, _) = reader.next().read_bigint_bytes()?;
            Ok((modulus, exponent))
        })
    });
    let (modulus, exponent) = parsed.map_err(|error| error.to_string())?;
    usable::rsa(&modulus, &exponent)
}
