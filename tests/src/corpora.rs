//! The corpora of the fuzzers: where they lie, and what they begin with. `cargo run -p matchkeep-tests
//! --bin make_corpora` writes the seeds anew after the wire format changed.

use std::path::{Path, PathBuf};

use matchkeep_server::journal::{Batch, Kind, Label, PageWriter, Position, Stored};
use matchkeep_shared::arena::Map;
use matchkeep_shared::encoding::encode;

use crate::decoders::{journal_script, script};
use crate::journal_play::Scribe;
use crate::{recordings, samples};

/// The folder with a folder for each decoder.
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus")
}

/// The seeds of one decoder: valid bytes, small ones.
///
/// # Panics
/// Where there is no such decoder.
pub fn seeds(decoder: &str) -> Vec<Vec<u8>> {
    let small_map = include_str!("../../shared/tests/arena_hall.toml");
    match decoder {
        "client_datagram" => samples::client_datagrams(),
        "snapshot" => samples::snapshots().iter().take(3).cloned().collect(),
        "client_message" => samples::client_messages(),
        "server_message" => samples::server_messages().iter().map(encode).collect(),
        "lobby_request" => samples::lobby_requests(),
        "lobby_message" => samples::lobby_messages(),
        "frames" => {
            let streams = samples::streams().into_iter();
            streams.zip([1, 7, 255]).map(|(stream, piece)| [&[piece], &*stream].concat()).collect()
        }
        "ticket" => samples::ticket_claims(),
        "session" => sessions(),
        "event" => samples::arena_events(),
        "config" => vec![encode(&samples::config(2)), encode(&samples::config(8))],
        "recording" => {
            vec![recordings::tiny(1, 2), recordings::tiny(2, 3), recordings::tiny_gz(2, 3)]
        }
        "map" => {
            let duel = Map::builtin("duel").expect("it ships with the game");
            vec![small_map.into(), duel.into()]
        }
        "journal_record" => journals(),
        "journal_page" => pages(),
        "journal_header" => samples::journal_headers(),
        "journal_frames" => samples::journal_frames(),
        "journal_checkpoint" => samples::checkpoints(),
        "journal_incident" => samples::incidents().iter().map(encode).collect(),
        "journal_result" => samples::outcomes().iter().map(encode).collect(),
        _ => panic!("no decoder `{decoder}`"),
    }
}

fn sessions() -> Vec<Vec<u8>> {
    let snapshots = samples::snapshots();
    let messages: Vec<_> = samples::server_messages().iter().map(samples::framed).collect();
    let two = [(true, &*snapshots[0]), (true, &*snapshots[1])];
    vec![
        script(&two),
        script(&[two[0], (false, &messages[1]), two[1], (false, &messages[2])]),
        // Without the welcome in front: the stream brings it.
        [&[0], &script(&[(false, &messages[0]), two[0]])[1..]].concat(),
    ]
}

fn journals() -> Vec<Vec<u8>> {
    let mut scribe = Scribe::new(7);
    let mut batch = scribe.begin().records;
    scribe.frames(3, &mut batch);
    scribe.record(Kind::Checkpoint, &mut batch);
    scribe.record(Kind::Incident, &mut batch);
    let claimed = scribe.claim(None).records;
    let mut after = Batch::default();
    scribe.frames(1, &mut after);
    scribe.record(Kind::Finish, &mut after);
    let records: Vec<_> =
        [&batch, &claimed, &after].into_iter().flat_map(Batch::iter).map(|r| r.bytes).collect();
    vec![
        journal_script(&records),
        // From the checkpoint on.
        journal_script(&[&records[..1], &records[3..]].concat()),
        journal_script(&records[..2]),
    ]
}

fn pages() -> Vec<Vec<u8>> {
    let mut scribe = Scribe::new(7);
    let mut batch = scribe.begin().records;
    scribe.frames(2, &mut batch);
    let page = |count: usize| {
        let mut writer = PageWriter::default();
        for (position, record) in (10..).zip(batch.iter().take(count)) {
            let (label, bytes) = (Label::from(record.head), record.bytes);
            let match_id = record.head.match_id;
            writer.push(&Stored { match_id, position: Position(position), label, bytes });
        }
        writer.finish()
    };
    // The last says that there is more.
    vec![page(0), page(3), [&[1], &page(1)[1..]].concat()]
}
