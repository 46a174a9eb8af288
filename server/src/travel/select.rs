//! Paths into a document: `state.game.players[3].body.position[0]`, `entities.12.fields.x`.
//!
//! Owns: how a path is written and followed. Must not know: what documents are about.

use serde_json::Value;

/// How many of the names that there are a message lists.
const NAMES_LISTED: usize = 12;

/// A path that leads nowhere.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoSuchField {
    /// It is not written as one.
    #[error("`{path}` is no path: expected one like `state.game.players[3].x`")]
    Unreadable {
        /// The path.
        path: String,
    },
    /// It ends too early.
    #[error("there is no `{part}` in `{inside}`: {there_is}")]
    Missing {
        /// The part that is not there.
        part: String,
        /// In what.
        inside: String,
        /// What is there.
        there_is: String,
    },
}

/// One step of a path.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Part {
    Key(String),
    Index(usize),
}

/// Appends a key to a path, so that [`select`] finds it again.
pub(super) fn push_key(path: &mut String, key: &str) {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if key.is_empty() || !key.chars().all(is_plain) {
        *path += &format!("[{}]", Value::from(key));
        return;
    }
    if !path.is_empty() {
        path.push('.');
    }
    path.push_str(key);
}

/// Appends a place in a list to a path.
pub(super) fn push_index(path: &mut String, index: usize) {
    *path += &format!("[{index}]");
}

/// What a path leads to.
///
/// # Errors
/// [`NoSuchField`] names the part that leads nowhere, and what there is instead.
pub fn select<'a>(document: &'a Value, path: &str) -> Result<&'a Value, NoSuchField> {
    let parts = parse(path).ok_or_else(|| NoSuchField::Unreadable { path: path.to_owned() })?;
    let mut found = document;
    let mut walked = String::new();
    for part in parts {
        let next = match (&part, found) {
            (Part::Key(key), Value::Object(fields)) => fields.get(key),
            // Names that are numbers may be written as places too.
            (Part::Index(index), Value::Object(fields)) => fields.get(&index.to_string()),
            (Part::Index(index), Value::Array(list)) => list.get(*index),
            (Part::Key(key), Value::Array(list)) => {
                key.parse::<usize>().ok().and_then(|index| list.get(index))
            }
            _ => None,
        };
        let Some(next) = next else {
            let part = match part {
                Part::Key(key) => key,
                Part::Index(index) => format!("[{index}]"),
            };
            let inside = if walked.is_empty() { "the match".to_owned() } else { walked };
            return Err(NoSuchField::Missing { part, inside, there_is: there_is(found) });
        };
        match part {
            Part::Key(key) => push_key(&mut walked, &key),
            Part::Index(index) => push_index(&mut walked, index),
        }
        found = next;
    }
    Ok(found)
}

fn parse(path: &str) -> Option<Vec<Part>> {
    let mut parts = Vec::new();
    let mut rest = path;
    while !rest.is_empty() {
        if let Some(inside) = rest.strip_prefix('[') {
            if inside.starts_with('"') {
                let mut keys = serde_json::Deserializer::from_str(inside).into_iter::<String>();
                parts.push(Part::Key(keys.next()?.ok()?));
                rest = inside[keys.byte_offset()..].strip_prefix(']')?;
            } else {
                let (index, behind) = inside.split_once(']')?;
                parts.push(Part::Index(index.parse().ok()?));
                rest = behind;
            }
        } else {
            let key = if parts.is_empty() { rest } else { rest.strip_prefix('.')? };
            let end = key.find(['.', '[']).unwrap_or(key.len());
            if end == 0 {
                return None;
            }
            parts.push(Part::Key(key[..end].to_owned()));
            rest = &key[end..];
        }
    }
    (!parts.is_empty()).then_some(parts)
}

fn there_is(found: &Value) -> String {
    match found {
        Value::Object(fields) if fields.is_empty() => "it is empty".to_owned(),
        Value::Object(fields) => {
            let mut names: Vec<&str> = fields.keys().map(String::as_str).collect();
            let more = names.len().saturating_sub(NAMES_LISTED);
            names.truncate(NAMES_LISTED);
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            format!("it has {}{more}", names.join(", "))
        }
        Value::Array(list) if list.is_empty() => "it is an empty list".to_owned(),
        Value::Array(list) => format!("it is a list, [0] to [{}]", list.len() - 1),
        plain => format!("it is {plain}"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn paths_lead_through_names_places_and_odd_names() {
        let document = json!({"a": {"12": [1, {"x.y": 5, "": 6}]}});
        for (path, expected) in [
            ("a.12[0]", json!(1)),
            ("a[12][0]", json!(1)),
            ("a.12.1[\"x.y\"]", json!(5)),
            ("a.12[1][\"\"]", json!(6)),
        ] {
            assert_eq!(select(&document, path), Ok(&expected), "{path}");
        }
    }

    #[test]
    fn a_path_that_leads_nowhere_names_where_it_ends_and_what_there_is() {
        let document = json!({"a": {"b": [1, 2], "c": {}}, "d": 3});
        for (path, expected) in [
            ("a.x", "there is no `x` in `a`: it has b, c"),
            ("e", "there is no `e` in `the match`: it has a, d"),
            ("a.b[2]", "there is no `[2]` in `a.b`: it is a list, [0] to [1]"),
            ("a.c.x", "there is no `x` in `a.c`: it is empty"),
            ("d.x", "there is no `x` in `d`: it is 3"),
        ] {
            let error = select(&document, path).expect_err(path).to_string();
            assert_eq!(error, expected, "{path}");
        }
        for path in ["", ".a", "a..b", "a[", "a[x]", "a[\"b]", "a.", "a[1]b"] {
            let error = select(&document, path).expect_err(path);
            assert!(matches!(error, NoSuchField::Unreadable { .. }), "{path}: {error}");
        }
    }
}
