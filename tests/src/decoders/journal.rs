//! A journal's records, as recovery reads them, and as a server hands them out.

use matchkeep_server::journal::{
    Chain, Kind, Label, Page, PageWriter, Position, Record, Stored, Verifier,
};
use matchkeep_shared::ids::{Epoch, MatchId};
use matchkeep_shared::time::Tick;

/// What a record ends with: CRC-32 of what is before it.
pub fn checksum(bytes: &[u8]) -> u32 {
    crc32fast::hash(bytes)
}

/// Records as [`journal_record`] takes them: each behind its length in two bytes, of which the top bit says
/// that its checksum is to be set right.
///
/// # Panics
/// Where one is too long for that.
pub fn journal_script(records: &[&[u8]]) -> Vec<u8> {
    let mut script = Vec::new();
    for record in records {
        let length = u16::try_from(record.len()).expect("seeds are small");
        assert!(length < 0x8000);
        script.extend_from_slice(&length.to_le_bytes());
        script.extend_from_slice(record);
    }
    script
}

/// A journal as it lies in a store: what is taken encodes again to what it was, and in a chain that was
/// taken everything holds.
pub fn journal_record(bytes: &[u8]) {
    let mut rest = bytes;
    let match_id = MatchId(7);
    let mut whole = Verifier::new(match_id);
    let mut from_checkpoint = Verifier::from_checkpoint(match_id);
    let mut again = Vec::new();
    for position in 0.. {
        let Some((length, after)) = rest.split_first_chunk() else { break };
        let length = u16::from_le_bytes(*length);
        let take = usize::from(length & 0x7fff).min(after.len());
        let (record, after) = after.split_at(take);
        rest = after;
        let mut record = record.to_vec();
        // A fuzzer guesses no checksum.
        if length & 0x8000 != 0 && record.len() > 4 {
            let end = record.len() - 4;
            let right = checksum(&record[..end]).to_le_bytes();
            record[end..].copy_from_slice(&right);
        }
        let label = match Record::decode(&record) {
            Ok(found) => {
                again.clear();
                let payload = |out: &mut Vec<u8>| out.extend_from_slice(found.payload);
                let hash = found.head.encode(payload, &mut again).expect("not too large");
                assert_eq!((&again, hash), (&record, found.hash()));
                Label::from(&found.head)
            }
            Err(_) => Label {
                number: position,
                kind: Kind::Frames,
                epoch: Epoch(1),
                first: Tick(1),
                last: Tick(1),
            },
        };
        let stored = Stored { match_id, position: Position(position), label, bytes: &record };
        check(&mut whole, &stored);
        check(&mut from_checkpoint, &stored);
    }
    whole.end(u64::MAX, Tick(u64::MAX));
}

fn check(verifier: &mut Verifier, stored: &Stored<'_>) {
    let before: Chain = *verifier.chain();
    match verifier.push(stored) {
        None => assert_eq!(*verifier.chain(), before, "what is lost changes nothing"),
        Some(record) => {
            let after = verifier.chain();
            assert_eq!(record.head.match_id, stored.match_id);
            assert_eq!(after.records(), record.head.number + 1);
            assert!(after.epoch() >= before.epoch() && after.tick() >= before.tick());
            assert_eq!(after.is_finished(), record.head.kind == Kind::Finish);
            assert!(!before.is_finished());
        }
    }
}

/// A page of a journal, as a verb reads it from a server: what is taken writes again to what it was.
pub fn journal_page(bytes: &[u8]) {
    let match_id = MatchId(7);
    let Ok(mut page) = Page::read(match_id, bytes) else { return };
    let mut writer = PageWriter::default();
    loop {
        match page.next_record() {
            Ok(Some(stored)) => {
                assert_eq!(stored.match_id, match_id);
                if !writer.push(&stored) {
                    return;
                }
            }
            Ok(None) => break,
            Err(_) => return,
        }
    }
    // Whether there is more is the page's to say.
    assert_eq!(&writer.finish()[1..], &bytes[1..]);
}
