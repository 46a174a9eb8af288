//! The fields of a span or an event as attributes: typed where tracing knows the type, else as text, cut where
//! it is too long.

use std::fmt::{self, Write};

use matchkeep_shared::limits::TELEMETRY_TEXT_BYTES_MAX;
use tracing::field::{Field, Visit};

use super::message::{KeyValue, Value};

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Fields {
    /// What an event says.
    pub(super) message: Option<Value>,
    /// Everything else, in order.
    pub(super) attributes: Vec<KeyValue>,
}

impl Fields {
    fn add(&mut self, field: &Field, value: Value) {
        match field.name() {
            "message" => self.message = Some(value),
            name => self.attributes.push(KeyValue::new(name, value)),
        }
    }
}

impl Visit for Fields {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.add(field, Value::Double(value));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.add(field, Value::Int(value));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        match i64::try_from(value) {
            Ok(value) => self.add(field, Value::Int(value)),
            // The protocol has no larger number.
            Err(_) => self.add(field, Value::Text(value.to_string())),
        }
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.add(field, Value::Bool(value));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.add(field, Value::Text(cut(value)));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let mut text = Bounded(String::new());
        // It ends where the text is full.
        let _ = write!(text, "{value:?}");
        self.add(field, Value::Text(text.0));
    }
}

/// Text that takes no more than it may.
struct Bounded(String);

impl Write for Bounded {
    fn write_str(&mut self, more: &str) -> fmt::Result {
        let room = TELEMETRY_TEXT_BYTES_MAX - self.0.len();
        let fits = more.floor_char_boundary(room);
        self.0.push_str(&more[..fits]);
        if fits == more.len() { Ok(()) } else { Err(fmt::Error) }
    }
}

/// As much of a text as there is room for.
pub(super) fn cut(text: &str) -> String {
    text[..text.floor_char_boundary(TELEMETRY_TEXT_BYTES_MAX)].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_between_two_characters() {
        let long = "a".to_owned() + &"\u{e9}".repeat(TELEMETRY_TEXT_BYTES_MAX);
        let expected = &long[..TELEMETRY_TEXT_BYTES_MAX - 1];
        assert_eq!(cut(&long), expected);
        let mut text = Bounded(String::new());
        assert!(write!(text, "{long}").is_err());
        assert_eq!(text.0, expected);
        // What comes in pieces is cut where the whole would be.
        let mut text = Bounded(String::new());
        let half = "x".repeat(TELEMETRY_TEXT_BYTES_MAX / 2 + 1);
        assert!(write!(text, "{half}{half}").is_err());
        assert_eq!(text.0.len(), TELEMETRY_TEXT_BYTES_MAX);
        assert_eq!(cut("short"), "short");
    }
}
