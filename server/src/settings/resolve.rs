//! Checks what is in force, and makes of it what a server runs with.

use std::path::Path;
use std::time::Duration;

use matchkeep_shared::Game;
use tracing_subscriber::EnvFilter;

use super::file::{SettingsFile, Values};
use super::key::Kind;
use super::mode::{self, ModeValue};
use super::{
    Admission, IdentitySettings, Kept, MODES_MAX, SHARDS_MAX, Settings, SettingsError, TlsFiles,
};
use crate::accounts::ProviderRules;
use crate::rates::Rate;

/// The longest the journal of a finished match can be kept, in days.
const JOURNAL_KEEP_DAYS_MAX: u32 = 3650;
/// The longest that a token of the identity provider may be good, in minutes.
const IDENTITY_MINUTES_MAX: u32 = 24 * 60;
/// The most that can be let in a second, or at once; more is no limit.
const RATE_MAX: u32 = 1_000_000;
/// The most that journals can be given, in GiB.
const JOURNAL_KEEP_GIB_MAX: u32 = 1024 * 1024;

impl SettingsFile {
    /// Fills in the defaults and checks everything.
    ///
    /// # Errors
    /// [`SettingsError`] for the first setting that cannot be used.
    pub fn resolve<G: Game>(self) -> Result<Settings<G::Config>, SettingsError> {
        resolve::<G>(self.over_defaults()).map(|(settings, _)| settings)
    }
}

/// Checks everything; also the values of the modes, as they are shown.
pub(super) fn resolve<G: Game>(
    values: Values,
) -> Result<(Settings<G::Config>, Vec<ModeValue>), SettingsError> {
    let lobby = ["lobby_certificate", "lobby_key"];
    let lobby_tls = tls_files(lobby, &values.lobby_certificate, &values.lobby_key)?;
    let admin = ["admin_certificate", "admin_key"];
    let admin_tls = tls_files(admin, &values.admin_certificate, &values.admin_key)?;
    let identity = identity(&values)?;
    check_addresses(&values, admin_tls.is_some())?;
    let admission = admission(&values)?;
    check_log(&values)?;
    let (days, gib) = (values.journal_keep_days, values.journal_keep_gib);
    if days > JOURNAL_KEEP_DAYS_MAX {
        let allowed = format!("allowed are 0 to {JOURNAL_KEEP_DAYS_MAX}");
        return Err(SettingsError::invalid("journal_keep_days", days, allowed));
    }
    if gib > JOURNAL_KEEP_GIB_MAX {
        let allowed = format!("allowed are 0 to {JOURNAL_KEEP_GIB_MAX}");
        return Err(SettingsError::invalid("journal_keep_gib", gib, allowed));
    }
    let journal_kept = Kept {
        age_max: Duration::from_secs(u64::from(days) * 24 * 60 * 60),
        bytes_max: u64::from(gib) << 30,
    };
    let mut modes = values.modes;
    if modes.is_empty() {
        modes = SettingsFile::parse(G::MODES)?.modes;
    }
    if !(1..=MODES_MAX).contains(&modes.len()) {
        let allowed = format!("allowed are 1 to {MODES_MAX} modes");
        return Err(SettingsError::invalid("modes", modes.len(), allowed));
    }
    let mut shown = Vec::new();
    let mut resolved = Vec::new();
    for (name, mode) in modes {
        resolved.push(mode::resolve::<G>(name, &mode, &mut shown)?);
    }
    let settings = Settings {
        data: values.data,
        host: values.host,
        lobby_port: values.lobby_port,
        shard_port: values.shard_port,
        lobby_tls,
        admin: values.admin,
        admin_tls,
        identity,
        admission,
        shards: values.shards,
        pin: values.pin,
        journal: values.journal,
        journal_kept,
        state_hashes: values.state_hashes,
        modes: resolved,
    };
    Ok((settings, shown))
}

/// Where the server listens: who may come there, and that nobody takes another's port.
fn check_addresses(values: &Values, has_tls: bool) -> Result<(), SettingsError> {
    let Values { host, admin, shards, shard_port, lobby_port, .. } = values;
    if !host.is_loopback() && values.identity_keys.as_os_str().is_empty() {
        let allowed = "without identity_keys, a loopback address such as 127.0.0.1: players are known by name \
                       alone then, and that is for development only; set identity_keys, identity_issuer and \
                       identity_audience to what the studio's identity provider has";
        return Err(SettingsError::invalid("host", host, allowed));
    }
    if !admin.ip().is_loopback() && !has_tls {
        let allowed = "without admin_certificate and admin_key, a loopback address: what is asked and \
                       answered elsewhere must not be read on the way";
        return Err(SettingsError::invalid("admin", admin, allowed));
    }
    if !(1..=SHARDS_MAX).contains(shards) {
        let allowed = format!("allowed are 1 to {SHARDS_MAX}");
        return Err(SettingsError::invalid("shards", shards, allowed));
    }
    let first = usize::from(*shard_port);
    if first != 0 && first + shards > usize::from(u16::MAX) + 1 {
        let allowed = format!("{shards} ports from here must not pass 65535");
        return Err(SettingsError::invalid("shard_port", shard_port, allowed));
    }
    let shard_ports = first..first + shards;
    if *lobby_port != 0 && first != 0 && shard_ports.contains(&usize::from(*lobby_port)) {
        let allowed = format!("shards use {shard_ports:?}: choose a port outside");
        return Err(SettingsError::invalid("lobby_port", lobby_port, allowed));
    }
    Ok(())
}

/// The identity provider: all that is known of it, or nothing.
fn identity(values: &Values) -> Result<Option<IdentitySettings>, SettingsError> {
    let Values { identity_keys, identity_issuer, identity_audience, .. } = values;
    let minutes = values.identity_minutes_max;
    if !(1..=IDENTITY_MINUTES_MAX).contains(&minutes) {
        let allowed = format!("allowed are 1 to {IDENTITY_MINUTES_MAX}");
        return Err(SettingsError::invalid("identity_minutes_max", minutes, allowed));
    }
    let has_keys = !identity_keys.as_os_str().is_empty();
    for (key, value) in
        [("identity_issuer", identity_issuer), ("identity_audience", identity_audience)]
    {
        if has_keys && value.is_empty() {
            let allowed = "a text is expected, for identity_keys is set: a token that names no issuer and \
                           audience of ours is not believed";
            return Err(SettingsError::invalid(key, "none", allowed));
        }
        if !has_keys && !value.is_empty() {
            let allowed = format!("a file is expected, for {key} is set: set all three or none");
            return Err(SettingsError::invalid("identity_keys", "none", allowed));
        }
    }
    let rules = ProviderRules {
        algorithm: values.identity_algorithm,
        issuer: identity_issuer.clone(),
        audience: identity_audience.clone(),
        valid_max: Duration::from_secs(u64::from(minutes) * 60),
    };
    Ok(has_keys.then(|| IdentitySettings { keys: identity_keys.clone(), rules }))
}

/// Who may come how often: nobody is let in by a rate that lets nobody in.
fn admission(values: &Values) -> Result<Admission, SettingsError> {
    let rate = |keys: [&'static str; 2], per_second: u32, at_once: u32| {
        for (key, value, least) in [(keys[0], per_second, 0), (keys[1], at_once, 1)] {
            if !(least..=RATE_MAX).contains(&value) {
                let allowed = format!("allowed are {least} to {RATE_MAX}");
                return Err(SettingsError::invalid(key, value, allowed));
            }
        }
        Ok(Rate { per_second, at_once })
    };
    let connections = rate(
        ["connections_per_address_per_second", "connections_per_address_at_once"],
        values.connections_per_address_per_second,
        values.connections_per_address_at_once,
    )?;
    let requests = rate(
        ["requests_per_player_per_second", "requests_per_player_at_once"],
        values.requests_per_player_per_second,
        values.requests_per_player_at_once,
    )?;
    Ok(Admission { connections, requests })
}

/// A certificate and its key: both or neither.
fn tls_files(
    settings: [&'static str; 2],
    certificate: &Path,
    key: &Path,
) -> Result<Option<TlsFiles>, SettingsError> {
    let missing = |key, other| {
        let allowed = format!("a file is expected, for {other} is set: set both or neither");
        Err(SettingsError::invalid(key, "none", allowed))
    };
    match (certificate.as_os_str().is_empty(), key.as_os_str().is_empty()) {
        (true, true) => Ok(None),
        (false, true) => missing(settings[1], settings[0]),
        (true, false) => missing(settings[0], settings[1]),
        (false, false) => {
            Ok(Some(TlsFiles { certificate: certificate.into(), key: key.into(), settings }))
        }
    }
}

fn check_log(values: &Values) -> Result<(), SettingsError> {
    EnvFilter::try_new(&values.log).map(|_| ()).map_err(|error| {
        let allowed = format!("{error}; {}", Kind::Filter.allowed());
        SettingsError::invalid("log", &values.log, allowed)
    })
}
