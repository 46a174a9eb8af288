//! The variables of OpenTelemetry that say whether, where and how traces and logs are sent, as its specification
//! names them. Off is the default: without an endpoint nothing is sent, and no other variable is looked at.
//!
//! Owns: what each may hold, and what is told where it holds something else. Must not know: how anything is sent.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use matchkeep_shared::limits::{TELEMETRY_TIMEOUT, TELEMETRY_TIMEOUT_MAX};
use ureq::http::{HeaderName, HeaderValue, Uri};

use super::pairs::pairs;

/// The one protocol that is spoken.
const PROTOCOL: &str = "http/protobuf";

/// A variable that holds what cannot be.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{variable} = {value}: {fix}")]
pub(super) struct VariableError {
    pub(super) variable: String,
    /// As much of it as may be shown.
    pub(super) value: String,
    pub(super) fix: String,
}

/// What is to be sent where.
#[derive(Clone, PartialEq, Debug, Default)]
pub(super) struct Plan {
    pub(super) traces: Option<Target>,
    pub(super) logs: Option<Target>,
    /// What is said of the process besides what it knows itself; a later one of a name stands for it.
    pub(super) resource: Vec<(String, String)>,
}

/// A collector, as somebody named it.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Target {
    pub(super) uri: Uri,
    pub(super) headers: Vec<(HeaderName, HeaderValue)>,
    pub(super) timeout: Duration,
    /// By which certificates it is known, where not by the roots that browsers trust: the variable and the file.
    pub(super) roots: Option<(String, PathBuf)>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Signal {
    Traces,
    Logs,
}

impl Signal {
    fn word(self) -> &'static str {
        match self {
            Self::Traces => "TRACES",
            Self::Logs => "LOGS",
        }
    }

    /// Where a collector takes it, below its endpoint.
    fn path(self) -> &'static str {
        match self {
            Self::Traces => "/v1/traces",
            Self::Logs => "/v1/logs",
        }
    }
}

/// A variable that is set, to something.
struct Set {
    variable: String,
    value: String,
}

impl Set {
    fn refuse(&self, fix: impl ToString) -> VariableError {
        let (variable, value) = (self.variable.clone(), self.value.clone());
        VariableError { variable, value, fix: fix.to_string() }
    }

    /// Without the value, which may be a secret.
    fn refuse_hidden(&self, fix: impl ToString) -> VariableError {
        VariableError { value: "(not shown)".into(), ..self.refuse(fix) }
    }
}

/// Reads what `variable` knows.
///
/// # Errors
/// [`VariableError`] names the variable, its value and what it may be.
pub(super) fn read(variable: impl Fn(&str) -> Option<OsString>) -> Result<Plan, VariableError> {
    let environment = Environment { variable };
    let endpoints = [environment.endpoint(Signal::Traces)?, environment.endpoint(Signal::Logs)?];
    if endpoints.iter().all(Option::is_none) || environment.is_disabled()? {
        return Ok(Plan::default());
    }
    let [traces, logs] = endpoints;
    let traces = environment.target(Signal::Traces, traces)?;
    let logs = environment.target(Signal::Logs, logs)?;
    Ok(Plan { traces, logs, resource: environment.resource()? })
}

struct Environment<F> {
    variable: F,
}

impl<F: Fn(&str) -> Option<OsString>> Environment<F> {
    /// A variable's value; one that is empty is as good as none.
    fn find(&self, variable: &str) -> Result<Option<Set>, VariableError> {
        let Some(value) = (self.variable)(variable).filter(|value| !value.is_empty()) else {
            return Ok(None);
        };
        let variable = variable.to_owned();
        match value.into_string() {
            Ok(value) => Ok(Some(Set { variable, value: value.trim().to_owned() })),
            Err(_) => Err(Set { variable, value: String::new() }.refuse_hidden("it must be UTF-8")),
        }
    }

    /// The variable for one signal, or else that for both.
    fn nearest(&self, signal: Signal, what: &str) -> Result<Option<Set>, VariableError> {
        match self.find(&format!("OTEL_EXPORTER_OTLP_{}_{what}", signal.word()))? {
            Some(set) => Ok(Some(set)),
            None => self.find(&format!("OTEL_EXPORTER_OTLP_{what}")),
        }
    }

    fn is_disabled(&self) -> Result<bool, VariableError> {
        let Some(set) = self.find("OTEL_SDK_DISABLED")? else { return Ok(false) };
        match &*set.value.to_ascii_lowercase() {
            "true" => Ok(true),
            "false" => Ok(false),
            _ => Err(set.refuse("it is `true` or `false`")),
        }
    }

    /// Where a signal goes; the endpoint for both is a base below which each has its path.
    fn endpoint(&self, signal: Signal) -> Result<Option<(Set, String)>, VariableError> {
        let own = self.find(&format!("OTEL_EXPORTER_OTLP_{}_ENDPOINT", signal.word()))?;
        if let Some(own) = own {
            let url = own.value.clone();
            return Ok(Some((own, url)));
        }
        let Some(base) = self.find("OTEL_EXPORTER_OTLP_ENDPOINT")? else { return Ok(None) };
        let url = format!("{}{}", base.value.trim_end_matches('/'), signal.path());
        Ok(Some((base, url)))
    }

    fn target(
        &self,
        signal: Signal,
        endpoint: Option<(Set, String)>,
    ) -> Result<Option<Target>, VariableError> {
        let Some((set, url)) = endpoint else { return Ok(None) };
        if !self.is_wanted(signal)? {
            return Ok(None);
        }
        if let Some(set) = self.nearest(signal, "PROTOCOL")?
            && set.value != PROTOCOL
        {
            let fix = format!(
                "traces and logs are sent by `{PROTOCOL}` only; set it to that, or leave it out, and name the \
                 collector's HTTP port (4318 by custom) as the endpoint"
            );
            return Err(set.refuse(fix));
        }
        Ok(Some(Target {
            uri: uri(&set, &url)?,
            headers: self.headers(signal)?,
            timeout: self.timeout(signal)?,
            roots: self
                .nearest(signal, "CERTIFICATE")?
                .map(|set| (set.variable, PathBuf::from(set.value))),
        }))
    }

    fn is_wanted(&self, signal: Signal) -> Result<bool, VariableError> {
        let Some(set) = self.find(&format!("OTEL_{}_EXPORTER", signal.word()))? else {
            return Ok(true);
        };
        match &*set.value {
            "otlp" => Ok(true),
            "none" => Ok(false),
            _ => Err(set.refuse("it is `otlp` or `none`")),
        }
    }

    fn headers(&self, signal: Signal) -> Result<Vec<(HeaderName, HeaderValue)>, VariableError> {
        let Some(set) = self.nearest(signal, "HEADERS")? else { return Ok(Vec::new()) };
        let mut headers = Vec::new();
        for (key, value) in pairs(&set.value).map_err(|error| set.refuse_hidden(error))? {
            let name = HeaderName::try_from(&*key);
            let name = name.map_err(|_| set.refuse_hidden(format!("`{key}` names no header")))?;
            let value = HeaderValue::try_from(value);
            let mut value = value.map_err(|_| {
                set.refuse_hidden(format!("the value of `{key}` cannot stand in a header"))
            })?;
            value.set_sensitive(true);
            headers.push((name, value));
        }
        Ok(headers)
    }

    fn timeout(&self, signal: Signal) -> Result<Duration, VariableError> {
        let Some(set) = self.nearest(signal, "TIMEOUT")? else { return Ok(TELEMETRY_TIMEOUT) };
        let max = TELEMETRY_TIMEOUT_MAX.as_millis() as u64;
        match set.value.parse::<u64>() {
            Ok(ms) if (1..=max).contains(&ms) => Ok(Duration::from_millis(ms)),
            _ => Err(set.refuse(format!("it is a number of milliseconds, 1 to {max}"))),
        }
    }

    fn resource(&self) -> Result<Vec<(String, String)>, VariableError> {
        let mut attributes = match self.find("OTEL_RESOURCE_ATTRIBUTES")? {
            Some(set) => pairs(&set.value).map_err(|error| set.refuse(error))?,
            None => Vec::new(),
        };
        if let Some(name) = self.find("OTEL_SERVICE_NAME")? {
            attributes.push(("service.name".into(), name.value));
        }
        Ok(attributes)
    }
}

/// Where a request goes, checked.
fn uri(set: &Set, url: &str) -> Result<Uri, VariableError> {
    let fix = "it is an address such as `http://127.0.0.1:4318`, with `http://` or `https://` before the host";
    let uri: Uri = url.parse().map_err(|_| set.refuse(fix))?;
    let authority = uri.authority().ok_or_else(|| set.refuse(fix))?;
    if authority.as_str().contains('@') {
        return Err(set.refuse_hidden(
            "name and password do not belong there: OTEL_EXPORTER_OTLP_HEADERS carries them, as \
             `Authorization=Basic%20...`",
        ));
    }
    match uri.scheme_str() {
        Some("http" | "https") if !authority.host().is_empty() => {}
        _ => return Err(set.refuse(fix)),
    }
    if set.variable == "OTEL_EXPORTER_OTLP_ENDPOINT" && set.value.contains(['?', '#']) {
        return Err(set.refuse(
            "paths are put behind it, so it cannot have a query; OTEL_EXPORTER_OTLP_TRACES_ENDPOINT and \
             OTEL_EXPORTER_OTLP_LOGS_ENDPOINT are taken as they are",
        ));
    }
    Ok(uri)
}

#[cfg(test)]
mod tests;
