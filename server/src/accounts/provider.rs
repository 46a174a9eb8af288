//! Whether a token of an identity provider is believed, and whom it is about.
//!
//! Owns: every check of a token, in the order in which they are made. Must not know: files, and what becomes of
//! who is not believed.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Validation, decode};
use matchkeep_shared::disconnect::DisconnectReason;
use matchkeep_shared::limits::{
    IDENTITY_BYTES_MAX, IDENTITY_LEEWAY, PLAYER_NAME_BYTES_MAX, SUBJECT_BYTES_MAX,
};
use matchkeep_shared::ticket::is_player_name;
use serde::Deserialize;
use tokio::sync::watch;

use super::{Algorithm, ProviderKeys};

/// What a token must say.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ProviderRules {
    /// What it is signed with.
    pub algorithm: Algorithm,
    /// Who made it (`iss`).
    pub issuer: String,
    /// For whom (`aud`).
    pub audience: String,
    /// The longest that it may be good: from now, and from when it was made, where it says so.
    pub valid_max: Duration,
}

/// An identity provider. Clones share its keys.
#[derive(Clone, Debug)]
pub struct Provider {
    rules: ProviderRules,
    keys: watch::Receiver<Arc<ProviderKeys>>,
}

/// Whom a token is about.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Identity {
    /// Who made it.
    pub issuer: String,
    /// The provider's name for the player, which never changes (`sub`).
    pub subject: String,
    /// The name to show.
    pub name: String,
    /// When it was made, in milliseconds of Unix time; 0 where it does not say.
    pub issued_unix_ms: u64,
    /// When it ends, in milliseconds of Unix time, leeway included.
    pub expires_unix_ms: u64,
}

/// What a token says of itself.
#[derive(Deserialize)]
struct Head {
    alg: String,
    kid: Option<String>,
}

/// What it says of the player. Times are seconds of Unix time, and may have fractions.
#[derive(Deserialize)]
struct Claims {
    sub: String,
    exp: f64,
    nbf: Option<f64>,
    iat: Option<f64>,
    name: Option<String>,
    preferred_username: Option<String>,
}

impl Provider {
    /// With these rules, and the keys as they are at each time.
    pub fn new(rules: ProviderRules, keys: watch::Receiver<Arc<ProviderKeys>>) -> Self {
        Self { rules, keys }
    }

    /// Whom `token` is about, if it is to be believed now.
    ///
    /// # Errors
    /// Why it is not; each way has its own reason.
    pub fn verify(&self, token: &str, now_unix_ms: u64) -> Result<Identity, DisconnectReason> {
        let head = head(token).ok_or(DisconnectReason::IdentityMalformed)?;
        if head.alg != self.rules.algorithm.label() {
            return Err(DisconnectReason::IdentityAlgorithm);
        }
        let keys = Arc::clone(&self.keys.borrow());
        let key = keys.find(head.kid.as_deref()).ok_or(DisconnectReason::IdentityKey)?;
        let mut validation = Validation::new(self.rules.algorithm.of_library());
        validation.set_issuer(&[&self.rules.issuer]);
        validation.set_audience(&[&self.rules.audience]);
        validation.set_required_spec_claims(&["exp", "sub", "iss", "aud"]);
        // By our own clock, below: the system's may be set.
        validation.validate_exp = false;
        validation.validate_nbf = false;
        let claims =
            decode::<Claims>(token, key, &validation).map_err(|error| match error.kind() {
                ErrorKind::InvalidSignature => DisconnectReason::IdentitySignature,
                ErrorKind::InvalidAlgorithm | ErrorKind::InvalidAlgorithmName => {
                    DisconnectReason::IdentityAlgorithm
                }
                ErrorKind::InvalidIssuer => DisconnectReason::IdentityIssuer,
                ErrorKind::InvalidAudience => DisconnectReason::IdentityAudience,
                ErrorKind::MissingRequiredClaim(claim) if claim == "iss" => {
                    DisconnectReason::IdentityIssuer
                }
                ErrorKind::MissingRequiredClaim(claim) if claim == "aud" => {
                    DisconnectReason::IdentityAudience
                }
                _ => DisconnectReason::IdentityMalformed,
            })?;
        self.judge(claims.claims, now_unix_ms)
    }

    fn judge(&self, claims: Claims, now_unix_ms: u64) -> Result<Identity, DisconnectReason> {
        let leeway = IDENTITY_LEEWAY.as_millis() as u64;
        let expires_unix_ms = unix_ms(claims.exp)?.saturating_add(leeway);
        if expires_unix_ms <= now_unix_ms {
            return Err(DisconnectReason::IdentityExpired);
        }
        let said_unix_ms = claims.iat.map_or(Ok(0), unix_ms)?;
        let not_before_unix_ms = claims.nbf.map_or(Ok(0), unix_ms)?.max(said_unix_ms);
        if not_before_unix_ms > now_unix_ms + leeway {
            return Err(DisconnectReason::IdentityNotYetValid);
        }
        // It is here, so it was made: by a clock that is ahead of ours it would be newer than a revocation that comes now.
        let issued_unix_ms = said_unix_ms.min(now_unix_ms);
        let valid_max = self.rules.valid_max.as_millis() as u64;
        // Counted from when it was made, where it says so: one that was made for a day is not good in its last minutes.
        let since_unix_ms = claims.iat.map_or(now_unix_ms, |_| issued_unix_ms);
        if expires_unix_ms - since_unix_ms > valid_max + 2 * leeway {
            return Err(DisconnectReason::IdentityTooLong);
        }
        let subject = claims.sub;
        if subject.is_empty() || subject.len() > SUBJECT_BYTES_MAX {
            return Err(DisconnectReason::IdentityMalformed);
        }
        let name = [claims.name, claims.preferred_username].into_iter().flatten().find_map(shown);
        let name = name.or_else(|| shown(subject.clone())).unwrap_or_else(|| "player".to_owned());
        let issuer = self.rules.issuer.clone();
        Ok(Identity { issuer, subject, name, issued_unix_ms, expires_unix_ms })
    }
}

/// The first part of a token, in so far as it decides which key is asked.
fn head(token: &str) -> Option<Head> {
    if token.len() > IDENTITY_BYTES_MAX {
        return None;
    }
    let (head, _) = token.split_once('.')?;
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(head).ok()?).ok()
}

/// A name cut to what can be shown; `None` where nothing is left.
fn shown(name: String) -> Option<String> {
    let printable: String = name.chars().filter(|c| !c.is_control()).collect();
    let printable = printable.trim();
    let cut = &printable[..printable.floor_char_boundary(PLAYER_NAME_BYTES_MAX)];
    let cut = cut.trim_end().to_owned();
    is_player_name(&cut).then_some(cut)
}

fn unix_ms(seconds: f64) -> Result<u64, DisconnectReason> {
    if seconds.is_finite() && (0.0..1e12).contains(&seconds) {
        Ok((seconds * 1000.0) as u64)
    } else {
        Err(DisconnectReason::IdentityMalformed)
    }
}

#[cfg(test)]
mod tests;
