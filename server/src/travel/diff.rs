//! What differs between two documents: paths, with the value before and after.
//!
//! Owns: the comparison, and how a change reads. Must not know: what the documents are about.

use std::fmt;

use serde::Serialize;
use serde_json::Value;

use super::select::{push_index, push_key};

/// One field that is not the same in both.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Change {
    /// Where it is.
    pub path: String,
    /// What it is in the first; `None` where it is not there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<Value>,
    /// What it is in the second; `None` where it is not there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<Value>,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |value: &Option<Value>| value.as_ref().map_or("(none)".to_owned(), plain);
        write!(f, "{}: {} -> {}", self.path, text(&self.from), text(&self.to))
    }
}

/// A value as a person reads it. Most numbers with a point are of 32 bits, and are shown as such.
pub(crate) fn plain(value: &Value) -> String {
    match value.as_f64() {
        Some(number) if value.is_f64() && f64::from(number as f32) == number => {
            (number as f32).to_string()
        }
        _ => value.to_string(),
    }
}

/// Every field in which `to` is not as `from`, in the order of their names. What is there on one side only
/// is one change, however much is in it.
pub fn diff(from: &Value, to: &Value) -> Vec<Change> {
    let mut changes = Vec::new();
    compare(&mut String::new(), Some(from), Some(to), &mut changes);
    changes
}

fn compare(path: &mut String, from: Option<&Value>, to: Option<&Value>, out: &mut Vec<Change>) {
    let length = path.len();
    match (from, to) {
        (Some(Value::Object(before)), Some(Value::Object(after))) => {
            let mut keys: Vec<&String> = before.keys().chain(after.keys()).collect();
            // Entities are named by numbers: 9 stands before 10.
            keys.sort_by_key(|key| (key.parse::<u64>().unwrap_or(u64::MAX), key.as_str()));
            keys.dedup();
            for key in keys {
                push_key(path, key);
                compare(path, before.get(key), after.get(key), out);
                path.truncate(length);
            }
        }
        (Some(Value::Array(before)), Some(Value::Array(after))) => {
            for index in 0..before.len().max(after.len()) {
                push_index(path, index);
                compare(path, before.get(index), after.get(index), out);
                path.truncate(length);
            }
        }
        (from, to) if from == to => {}
        (from, to) => {
            out.push(Change { path: path.clone(), from: from.cloned(), to: to.cloned() });
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::travel::select;

    fn lines(from: &Value, to: &Value) -> Vec<String> {
        diff(from, to).iter().map(Change::to_string).collect()
    }

    #[test]
    fn a_change_reads_as_its_path_and_both_values() {
        let from = json!({"players": [{"x": 12.5, "name": "ada"}], "tick": 1});
        let to = json!({"players": [{"x": 13, "name": "ben"}], "tick": 1});
        let expected = ["players[0].name: \"ada\" -> \"ben\"", "players[0].x: 12.5 -> 13"];
        assert_eq!(lines(&from, &to), expected);
        assert_eq!(lines(&from, &from), Vec::<String>::new());
        // Of 32 bits: as short as such a number is.
        assert_eq!(lines(&json!({"a": 0.1_f32}), &json!({"a": 0.2_f32})), ["a: 0.1 -> 0.2"]);
    }

    #[test]
    fn what_came_and_what_went_is_one_change_each() {
        let from = json!({"entities": {"9": {"x": 1}, "10": {"x": 2}}, "list": [1, 2]});
        let to = json!({"entities": {"10": {"x": 3}, "11": {"x": 4}}, "list": [1]});
        let expected = [
            "entities.9: {\"x\":1} -> (none)",
            "entities.10.x: 2 -> 3",
            "entities.11: (none) -> {\"x\":4}",
            "list[1]: 2 -> (none)",
        ];
        assert_eq!(lines(&from, &to), expected);
    }

    #[test]
    fn every_path_leads_back_to_its_value() {
        let from = json!({"a": {"b c": [1, {"d": 2}]}, "e": null});
        let to = json!({"a": {"b c": [7, {"d": 8}]}, "e": false});
        let changes = diff(&from, &to);
        assert_eq!(changes.len(), 3);
        for change in changes {
            assert_eq!(select(&from, &change.path).ok(), change.from.as_ref(), "{}", change.path);
            assert_eq!(select(&to, &change.path).ok(), change.to.as_ref(), "{}", change.path);
        }
    }
}
