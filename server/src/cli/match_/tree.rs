//! A JSON value as a person reads it: a line for what is short, a level deeper for what is not.

use serde_json::Value;

use crate::travel::plain;

/// What fits into so many characters stays on its line.
const LINE_CHARS: usize = 80;

/// The lines of a value.
pub(super) fn tree(value: &Value) -> String {
    let mut text = String::new();
    match short(value) {
        Some(line) => text += &format!("{line}\n"),
        None => add(value, 0, &mut text),
    }
    text
}

fn add(value: &Value, depth: usize, out: &mut String) {
    let children: Vec<(String, &Value)> = match value {
        Value::Object(fields) => fields.iter().map(|(k, v)| (k.clone(), v)).collect(),
        Value::Array(list) => list.iter().enumerate().map(|(i, v)| (format!("[{i}]"), v)).collect(),
        _ => Vec::new(),
    };
    for (name, child) in children {
        let indent = "  ".repeat(depth);
        match short(child) {
            Some(line) => *out += &format!("{indent}{name}  {line}\n"),
            None => {
                *out += &format!("{indent}{name}\n");
                add(child, depth + 1, out);
            }
        }
    }
}

/// A value on one line, where it is short enough.
fn short(value: &Value) -> Option<String> {
    let line = match value {
        Value::Object(fields) => {
            let fields: Option<Vec<String>> =
                fields.iter().map(|(k, v)| Some(format!("{k}: {}", short(v)?))).collect();
            format!("{{{}}}", fields?.join(", "))
        }
        Value::Array(list) => {
            let list: Option<Vec<String>> = list.iter().map(short).collect();
            format!("[{}]", list?.join(", "))
        }
        // However long: it has no parts.
        single => return Some(plain(single)),
    };
    (line.len() <= LINE_CHARS).then_some(line)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_short_stays_on_its_line() {
        let long = "n".repeat(100);
        let value = json!({"a": {"x": 1.5, "y": [1, 2]}, "b": [{"name": long}, null]});
        let expected =
            format!("a  {{x: 1.5, y: [1, 2]}}\nb\n  [0]\n    name  \"{long}\"\n  [1]  null\n");
        assert_eq!(tree(&value), expected);
        assert_eq!(tree(&json!(12)), "12\n");
    }
}
