//! What the variables come to.

use std::os::unix::ffi::OsStringExt;

use super::*;

const BASE: (&str, &str) = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318");

fn plan(variables: &[(&str, &str)]) -> Result<Plan, VariableError> {
    read(|name| {
        let found = variables.iter().find(|(variable, _)| *variable == name);
        found.map(|(_, value)| OsString::from(value))
    })
}

fn urls(variables: &[(&str, &str)]) -> [Option<String>; 2] {
    let plan = plan(variables).expect("they are sound");
    [plan.traces, plan.logs].map(|target| target.map(|target| target.uri.to_string()))
}

fn refused(variable: &str, value: &str) -> VariableError {
    let error = plan(&[BASE, (variable, value)]).expect_err("it cannot be");
    assert_eq!(error.variable, variable, "{error}");
    error
}

#[test]
fn without_an_endpoint_nothing_is_sent_and_nothing_is_looked_at() {
    assert_eq!(plan(&[]), Ok(Plan::default()));
    let noise = [("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"), ("OTEL_SDK_DISABLED", "perhaps")];
    assert_eq!(plan(&noise), Ok(Plan::default()));
    assert_eq!(plan(&[("OTEL_EXPORTER_OTLP_ENDPOINT", "")]), Ok(Plan::default()));
}

#[test]
fn an_endpoint_is_a_base_and_one_for_a_signal_is_taken_as_it_is() {
    let at = |url: &str| Some(url.to_owned());
    for base in ["http://127.0.0.1:4318", "http://127.0.0.1:4318/"] {
        let expected = [at("http://127.0.0.1:4318/v1/traces"), at("http://127.0.0.1:4318/v1/logs")];
        assert_eq!(urls(&[("OTEL_EXPORTER_OTLP_ENDPOINT", base)]), expected, "{base}");
    }
    let own = ("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", "https://logs.example.com/in?tenant=7");
    assert_eq!(urls(&[own]), [None, at("https://logs.example.com/in?tenant=7")]);
    let both = [at("http://127.0.0.1:4318/v1/traces"), at("https://logs.example.com/in?tenant=7")];
    assert_eq!(urls(&[BASE, own]), both);
}

#[test]
fn it_can_be_switched_off_as_a_whole_and_by_signal() {
    assert_eq!(plan(&[BASE, ("OTEL_SDK_DISABLED", "True")]), Ok(Plan::default()));
    assert_eq!(plan(&[BASE, ("OTEL_SDK_DISABLED", "false")]).map(|p| p.logs.is_some()), Ok(true));
    let [traces, logs] = urls(&[BASE, ("OTEL_TRACES_EXPORTER", "none")]);
    assert!(traces.is_none() && logs.is_some());
    let [traces, logs] =
        urls(&[BASE, ("OTEL_LOGS_EXPORTER", "none"), ("OTEL_TRACES_EXPORTER", "otlp")]);
    assert!(traces.is_some() && logs.is_none());
    // What belongs to one that is off is not looked at.
    let off = [("OTEL_LOGS_EXPORTER", "none"), ("OTEL_EXPORTER_OTLP_LOGS_PROTOCOL", "grpc")];
    assert!(plan(&[&[BASE][..], &off].concat()).is_ok());
}

#[test]
fn what_is_said_of_one_signal_stands_above_what_is_said_of_both() {
    let plan = plan(&[
        BASE,
        ("OTEL_EXPORTER_OTLP_HEADERS", "x-key=both"),
        ("OTEL_EXPORTER_OTLP_LOGS_HEADERS", "x-key=logs%21,x-more=1"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "3000"),
        ("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "500"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
        ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "http/protobuf"),
        ("OTEL_EXPORTER_OTLP_LOGS_PROTOCOL", "http/protobuf"),
        ("OTEL_EXPORTER_OTLP_CERTIFICATE", "/ca.pem"),
    ]);
    let plan = plan.expect("they are sound");
    let (traces, logs) = (plan.traces.expect("it is on"), plan.logs.expect("it is on"));
    let headers = |target: &Target| {
        let pairs = target.headers.iter();
        let pairs =
            pairs.map(|(name, value)| (name.to_string(), value.to_str().map(str::to_owned)));
        pairs.map(|(name, value)| (name, value.expect("text"))).collect::<Vec<_>>()
    };
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    assert_eq!(headers(&traces), [pair("x-key", "both")]);
    assert_eq!(headers(&logs), [pair("x-key", "logs!"), pair("x-more", "1")]);
    let timeouts = (traces.timeout, logs.timeout);
    assert_eq!(timeouts, (Duration::from_millis(500), Duration::from_secs(3)));
    let roots = ("OTEL_EXPORTER_OTLP_CERTIFICATE".to_owned(), PathBuf::from("/ca.pem"));
    assert_eq!((traces.roots, logs.roots), (Some(roots.clone()), Some(roots)));
}

#[test]
fn a_service_has_a_name_and_attributes_and_the_name_has_the_last_word() {
    let resource = |variables: &[(&str, &str)]| {
        let plan = plan(&[&[BASE], variables].concat()).expect("they are sound");
        plan.resource.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>()
    };
    assert_eq!(resource(&[]), Vec::<String>::new());
    let attributes = ("OTEL_RESOURCE_ATTRIBUTES", "service.name=other,host.name=a%20b");
    assert_eq!(resource(&[attributes]), ["service.name=other", "host.name=a b"]);
    let named = resource(&[attributes, ("OTEL_SERVICE_NAME", "arena-eu")]);
    assert_eq!(named.last().map(String::as_str), Some("service.name=arena-eu"));
}

#[test]
fn a_value_that_cannot_be_is_refused_with_what_can() {
    for protocol in ["grpc", "http/json", "carrier pigeon"] {
        let error = refused("OTEL_EXPORTER_OTLP_PROTOCOL", protocol).to_string();
        let begins = format!("OTEL_EXPORTER_OTLP_PROTOCOL = {protocol}: ");
        assert!(error.starts_with(&begins) && error.contains("`http/protobuf`"), "{error}");
    }
    for (variable, value, named) in [
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "10s", "1 to 600000"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "0", "1 to 600000"),
        ("OTEL_EXPORTER_OTLP_LOGS_TIMEOUT", "600001", "1 to 600000"),
        ("OTEL_SDK_DISABLED", "1", "`true` or `false`"),
        ("OTEL_TRACES_EXPORTER", "console", "`otlp` or `none`"),
        ("OTEL_RESOURCE_ATTRIBUTES", "a=1,b", "entry 2"),
    ] {
        let error = refused(variable, value).to_string();
        assert!(error.contains(value) && error.contains(named), "{error}");
    }
    for endpoint in
        ["127.0.0.1:4318", "localhost", "ftp://localhost:4318", "http://", "http:// x", "/v1"]
    {
        for variable in ["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"] {
            let error = plan(&[(variable, endpoint)]).expect_err(endpoint).to_string();
            let begins = format!("{variable} = {endpoint}: ");
            assert!(error.starts_with(&begins) && error.contains("http://127"), "{error}");
        }
    }
    let error = plan(&[("OTEL_EXPORTER_OTLP_ENDPOINT", "http://localhost/?a=1")]);
    assert!(error.expect_err("a query").to_string().contains("query"));
}

#[test]
fn a_secret_is_not_shown() {
    for (variable, value) in [
        ("OTEL_EXPORTER_OTLP_HEADERS", "authorization=secret,x"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "a b=secret"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "authorization=secret%0a"),
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://me:secret@localhost:4318/v1/traces"),
    ] {
        let error = refused(variable, value).to_string();
        assert!(!error.contains("secret"), "{error}");
    }
    let error = read(|name| {
        (name == "OTEL_EXPORTER_OTLP_ENDPOINT").then(|| OsString::from_vec(vec![0xff, b'x']))
    });
    assert!(error.expect_err("no text").to_string().contains("UTF-8"));
}
