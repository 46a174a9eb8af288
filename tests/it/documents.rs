//! What the documents say about the code is so.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use matchkeep_shared::arena::{Arena, ArenaEntity};
use matchkeep_shared::disconnect::DisconnectReason;
use matchkeep_shared::schema::{Entity as _, Kind};
use matchkeep_shared::wire::message::GameVersion;

fn document(name: &str) -> (PathBuf, String) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs").join(name);
    let text = std::fs::read_to_string(&path).expect("the document is part of the project");
    (path, text)
}

#[test]
fn the_protocol_lists_every_reason_at_its_position_with_its_code() {
    let (_, document) = document("PROTOCOL.md");
    for (position, reason) in DisconnectReason::ALL.iter().enumerate() {
        let (code, label, text) = (reason.code(), reason.label(), reason.text());
        let row = format!("| {position} | {code} | `{label}` | {text} |");
        assert!(document.lines().any(|line| line == row), "missing: {row}");
    }
}

/// Where the table of entities begins and ends.
const ENTITIES: [&str; 2] = ["<!-- entities -->\n", "<!-- end -->"];

#[test]
fn the_arenas_page_has_its_version_and_every_field_of_its_entities() {
    let (path, document) = document("ARENA.md");
    let [begin, end] = ENTITIES;
    let (before, rest) = document.split_once(begin).expect("it begins");
    let (_, after) = rest.split_once(end).expect("it ends");
    let expected = format!("{before}{begin}{}{end}{after}", tables(ArenaEntity::KINDS));
    if document != expected && std::env::var_os("MATCHKEEP_WRITE_DOCUMENTS").is_some() {
        std::fs::write(&path, &expected).expect("the document can be written");
    } else {
        assert_eq!(document, expected, "run this test with MATCHKEEP_WRITE_DOCUMENTS=1");
    }
    let GameVersion { name, rules, schema } = GameVersion::of::<Arena>();
    let version = format!("name `{name}`, rules `{rules}`, schema `{schema}`.");
    assert!(document.contains(&version), "missing: {version}");
}

/// A table for each kind.
fn tables(kinds: &[Kind]) -> String {
    let mut text = String::new();
    for (number, kind) in kinds.iter().enumerate() {
        let name = kind.name;
        write!(
            text,
            "\n### {number}: {name}\n\n| field | bits | small | origin | step |\n|---|---|---|---|---|\n"
        )
        .expect("a text takes all");
        for field in kind.fields {
            let small = Some(field.small_bits).filter(|bits| *bits > 0);
            let small = small.map(|bits| bits.to_string()).unwrap_or_default();
            let (name, bits, origin, step) = (field.name, field.bits, field.origin, field.step);
            writeln!(text, "| {name} | {bits} | {small} | {origin} | {step} |")
                .expect("a text takes all");
        }
    }
    text + "\n"
}
