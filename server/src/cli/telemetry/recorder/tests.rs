//! What becomes of events and spans.

use crossbeam_channel::Receiver;
use tracing::{error, field, info, info_span, warn};
use tracing_subscriber::layer::SubscriberExt;

use super::super::outbox::Lost;
use super::*;

/// What was recorded while `speak` ran.
fn recorded(speak: impl FnOnce()) -> (Vec<Line>, Vec<Span>) {
    let (logs, lines): (_, Receiver<Line>) = Outbox::new(Lost::default());
    let (outbox, spans): (_, Receiver<Span>) = Outbox::new(Lost::default());
    let recorder = Recorder::new(Some(logs), Some(outbox));
    let subscriber = tracing_subscriber::registry().with(recorder);
    tracing::subscriber::with_default(subscriber, speak);
    (lines.try_iter().collect(), spans.try_iter().collect())
}

fn text(text: &str) -> Option<AnyValue> {
    Some(AnyValue { value: Some(Value::Text(text.to_owned())) })
}

#[test]
fn an_event_has_its_severity_its_words_and_its_fields() {
    let (lines, _) = recorded(|| {
        info!(player = 7, share = 0.5, is_new = true, large = u64::MAX, "joined");
        warn!(cause = %"no room", "refused");
        error!("ended");
    });
    let seen: Vec<_> = lines.iter().map(|line| &line.record).collect();
    let severities: Vec<_> = seen.iter().map(|record| record.severity_number).collect();
    assert_eq!(severities, [9, 13, 17]);
    assert_eq!(seen[0].body, text("joined"));
    let expected = [
        KeyValue::new("player", Value::Int(7)),
        KeyValue::new("share", Value::Double(0.5)),
        KeyValue::new("is_new", Value::Bool(true)),
        KeyValue::new("large", Value::Text(u64::MAX.to_string())),
    ];
    assert_eq!(seen[0].attributes, expected);
    assert_eq!(seen[1].attributes, [KeyValue::new("cause", Value::Text("no room".into()))]);
    assert_eq!((seen[2].body.clone(), seen[2].attributes.len()), (text("ended"), 0));
    assert_eq!(lines[0].target, module_path!());
}

#[test]
fn what_is_within_a_span_knows_it_and_a_span_ends_when_it_is_over() {
    let (lines, ended) = recorded(|| {
        let outer = info_span!(
            target: spans::TARGET,
            "outer",
            otel.name = "lobby find",
            otel.is_asked = true,
            otel.is_over = field::Empty,
            outcome = field::Empty,
        );
        let first = outer.in_scope(|| info_span!(target: spans::TARGET, "first"));
        outer.in_scope(|| info!("within"));
        outer.record("outcome", "assigned").record(spans::IS_OVER, true);
        let second =
            outer.in_scope(|| info_span!(target: spans::TARGET, "second", otel.fault = "no room"));
        drop(outer);
        drop((first, second));
        // A span of somebody else's is none of the node's.
        info_span!("foreign").in_scope(|| info!("outside"));
    });
    let names: Vec<_> = ended.iter().map(|span| &*span.name).collect();
    // Sent when it is over, however long others hold it, and once.
    assert_eq!(names, ["lobby find", "first", "second"]);
    let [outer, first, second] = &ended[..] else { panic!("{ended:?}") };
    assert_eq!((outer.kind, first.kind), (2, 1));
    assert_eq!(outer.attributes, [KeyValue::new("outcome", Value::Text("assigned".into()))]);
    assert!(outer.parent_span_id.is_empty() && outer.span_id != first.span_id);
    for inner in [first, second] {
        assert_eq!((&inner.parent_span_id, &inner.trace_id), (&outer.span_id, &outer.trace_id));
    }
    assert!(outer.end_unix_ns <= second.start_unix_ns, "it was over before: {ended:?}");
    let fault = Status { message: "no room".into(), code: 2 };
    assert_eq!((&outer.status, &second.status), (&None, &Some(fault)));
    let ids: Vec<_> =
        lines.iter().map(|line| (&line.record.trace_id, &line.record.span_id)).collect();
    assert_eq!(ids, [(&outer.trace_id, &outer.span_id), (&Vec::new(), &Vec::new())]);
}

#[test]
fn a_thread_that_sends_is_not_recorded() {
    let (lines, _) = recorded(|| {
        let dispatch = tracing::dispatcher::get_default(Clone::clone);
        let speak = move || {
            tracing::dispatcher::with_default(&dispatch, || {
                info!("before");
                mute_this_thread();
                info!("after");
            });
        };
        let thread = std::thread::Builder::new().spawn(speak).expect("a thread");
        thread.join().expect("it does not panic");
    });
    let bodies: Vec<_> = lines.into_iter().map(|line| line.record.body).collect();
    assert_eq!(bodies, [text("before")]);
}
