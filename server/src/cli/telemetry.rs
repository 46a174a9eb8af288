//! Traces and logs for a collector of OpenTelemetry, over OTLP (HTTP, protobuf), where the environment names one.
//!
//! Whoever writes a line of the log or ends a span puts a record into a bounded queue ([`outbox`]) and goes on; a thread
//! for each of the two ([`courier`]) takes what is there to the [`collector`]. Where no variable asks for it there is no
//! queue, no thread, and no span. Must not know: what a node does; [`crate::spans`] lists what a trace shows of it.

mod collector;
mod courier;
mod fields;
mod message;
mod outbox;
mod pairs;
mod record;
mod recorder;
mod variables;

use matchkeep_shared::limits::TELEMETRY_FLUSH_MAX;

use self::collector::Collector;
use self::courier::{Courier, now};
use self::message::{KeyValue, Resource, Value};
use self::outbox::Outbox;
use self::record::Record;
pub(super) use self::recorder::Recorder;
use self::variables::{Plan, Target, VariableError};
use super::CliError;
use super::credentials::roots_in;

/// How the threads see that all is over, after their time is up.
const GRACE: std::time::Duration = std::time::Duration::from_millis(100);

/// What the environment asks for, checked.
pub(super) struct Wanted {
    traces: Option<Collector>,
    logs: Option<Collector>,
    resource: Resource,
}

impl Wanted {
    /// Reads the environment.
    ///
    /// # Errors
    /// It names the variable, its value and what it may be.
    pub(super) fn from_environment() -> Result<Self, CliError> {
        let wanted = variables::read(|name| std::env::var_os(name)).and_then(Self::new);
        wanted.map_err(|error| CliError::Usage(error.to_string()))
    }

    fn new(plan: Plan) -> Result<Self, VariableError> {
        let collector = |target: Target| {
            let Target { uri, headers, timeout, roots } = target;
            let roots = match roots {
                Some((variable, path)) => Some(roots_in(&path).map_err(|fix| VariableError {
                    variable,
                    value: path.display().to_string(),
                    fix: format!("{fix}; it is a file with the certificates to trust, in PEM"),
                })?),
                None => None,
            };
            Ok(Collector::new(uri, headers, timeout, roots))
        };
        let traces = plan.traces.map(collector).transpose()?;
        let logs = plan.logs.map(collector).transpose()?;
        Ok(Self { traces, logs, resource: resource(plan.resource) })
    }

    /// What is on its way, for people; empty where nothing is asked for.
    pub(super) fn describe(&self) -> String {
        let line = |what: &str, collector: &Option<Collector>| {
            let address = collector.as_ref()?.address();
            Some(format!("{what:<12} sent to {address}\n"))
        };
        let lines = [line("traces", &self.traces), line("logs", &self.logs)];
        lines.into_iter().flatten().collect()
    }

    /// Sets out. What there is to be recorded goes through the recorder; `None` where nothing is asked for.
    ///
    /// # Errors
    /// The system has no thread for it.
    pub(super) fn start(self) -> std::io::Result<(Telemetry, Option<Recorder>)> {
        let mut telemetry = Telemetry::default();
        let spans = telemetry.send(self.traces, &self.resource)?;
        let logs = telemetry.send(self.logs, &self.resource)?;
        let is_on = spans.is_some() || logs.is_some();
        Ok((telemetry, is_on.then(|| Recorder::new(logs, spans))))
    }
}

/// What is under way to collectors.
#[derive(Default)]
pub(super) struct Telemetry {
    couriers: Vec<Courier>,
}

impl Telemetry {
    fn send<T: Record>(
        &mut self,
        collector: Option<Collector>,
        resource: &Resource,
    ) -> std::io::Result<Option<Outbox<T>>> {
        let Some(collector) = collector else { return Ok(None) };
        let (courier, outbox) = Courier::start(collector, resource.clone())?;
        self.couriers.push(courier);
        Ok(Some(outbox))
    }

    /// Has sent what waits, within a bound.
    pub(super) fn stop(self) {
        let deadline = now() + TELEMETRY_FLUSH_MAX;
        for courier in &self.couriers {
            courier.stop_by(deadline);
        }
        for courier in self.couriers {
            courier.wait_until(deadline + GRACE);
        }
    }
}

/// What is known of the process, and what the environment says of it, which has the last word.
fn resource(said: Vec<(String, String)>) -> Resource {
    let version = env!("CARGO_PKG_VERSION");
    let mut attributes = vec![
        KeyValue::new("service.name", Value::Text("matchkeep".into())),
        KeyValue::new("service.version", Value::Text(version.into())),
        KeyValue::new("process.pid", Value::Int(std::process::id().into())),
        KeyValue::new("telemetry.sdk.name", Value::Text("matchkeep".into())),
        KeyValue::new("telemetry.sdk.language", Value::Text("rust".into())),
        KeyValue::new("telemetry.sdk.version", Value::Text(version.into())),
    ];
    for (key, value) in said {
        attributes.retain(|known| known.key != key);
        attributes.push(KeyValue::new(&key, Value::Text(value)));
    }
    Resource { attributes }
}
