//! What the documents say about the code is so.

use std::path::Path;

use matchkeep_shared::disconnect::DisconnectReason;

#[test]
fn the_protocol_lists_every_reason_at_its_position_with_its_code() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/PROTOCOL.md");
    let document = std::fs::read_to_string(path).expect("the document is part of the project");
    for (position, reason) in DisconnectReason::ALL.iter().enumerate() {
        let (code, label, text) = (reason.code(), reason.label(), reason.text());
        let row = format!("| {position} | {code} | `{label}` | {text} |");
        assert!(document.lines().any(|line| line == row), "missing: {row}");
    }
}
