//! The bytes of a record, as `docs/JOURNAL.md` draws them.

use super::*;

fn head() -> Head {
    Head {
        kind: Kind::Frames,
        match_id: MatchId(0x0807_0605_0403_0201),
        number: 9,
        epoch: Epoch(2),
        first: Tick(301),
        last: Tick(303),
        before: RecordHash([0xab; 16]),
    }
}

fn encoded(head: &Head, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    head.encode(|out| out.extend_from_slice(payload), &mut bytes).expect("small");
    bytes
}

#[test]
fn the_layout_is_the_one_in_the_document() {
    let bytes = encoded(&head(), b"abc");
    let expected: Vec<u8> = [
        &b"MKJR"[..],
        &[1, 3, 0, 0],
        &[1, 2, 3, 4, 5, 6, 7, 8],
        &[9, 0, 0, 0, 0, 0, 0, 0],
        &[2, 0, 0, 0],
        &[3, 0, 0, 0],
        &[0x2d, 1, 0, 0, 0, 0, 0, 0],
        &[0x2f, 1, 0, 0, 0, 0, 0, 0],
        &[0xab; 16],
        b"abc",
    ]
    .concat();
    assert_eq!(bytes[..HEAD_BYTES + 3], expected);
    assert_eq!(bytes[HEAD_BYTES + 3..], crc32fast::hash(&expected).to_le_bytes());
    let record = Record::decode(&bytes).expect("whole");
    assert_eq!((record.head, record.payload), (head(), &b"abc"[..]));
    let digest = digest::digest(&digest::SHA256, &bytes);
    assert_eq!(record.hash().0, digest.as_ref()[..16]);
}

#[test]
fn every_kind_has_its_own_byte_and_label() {
    for kind in Kind::ALL {
        assert_eq!(Kind::from_byte(kind as u8), Some(kind));
        assert_eq!(Kind::from_label(kind.label()), Some(kind));
    }
    assert_eq!((Kind::from_byte(0), Kind::from_byte(7)), (None, None));
}

#[test]
fn what_no_record_can_be_is_named_under_a_right_checksum() {
    let with = |at: usize, byte: u8| {
        let mut bytes = encoded(&head(), b"abc");
        bytes[at] = byte;
        let end = bytes.len() - CHECKSUM_BYTES;
        let checksum = crc32fast::hash(&bytes[..end]).to_le_bytes();
        bytes[end..].copy_from_slice(&checksum);
        Record::decode(&bytes).map(|_| ())
    };
    assert_eq!(with(0, b'm'), Err(Damage::Foreign));
    assert_eq!(with(4, 2), Err(Damage::Version(2)));
    assert_eq!(with(5, 9), Err(Damage::UnknownKind(9)));
    assert_eq!(with(7, 1), Err(Damage::UnknownFlags(0x100)));
    assert_eq!(with(40, 0), Err(Damage::Ticks { first: Tick(301), last: Tick(256) }));
    assert_eq!(with(5, 4), Err(Damage::Ticks { first: Tick(301), last: Tick(303) }));
    assert_eq!(with(5, 3), Ok(()));
    let nothing = Head { first: Tick(0), ..head() };
    let expected = Damage::Ticks { first: Tick(0), last: Tick(303) };
    assert_eq!(Record::decode(&encoded(&nothing, b"")), Err(expected), "there is no step 0");
    assert_eq!(Record::decode(b""), Err(Damage::no_head(0)));
}

#[test]
fn another_version_is_known_from_a_flipped_bit_whatever_its_layout() {
    let whole = encoded(&head(), b"abc");
    for bit in 0..8 {
        let mut flipped = whole.clone();
        flipped[4] ^= 1 << bit;
        assert_eq!(Record::decode(&flipped), Err(Damage::Checksum), "bit {bit}");
    }
    // A layout of which nothing here knows how long it is.
    let mut later = [&MAGIC[..], &[2], &[0xff; 90]].concat();
    later.extend_from_slice(&crc32fast::hash(&later).to_le_bytes());
    assert_eq!(Record::decode(&later), Err(Damage::Version(2)));
    for bit in 0..later.len() * 8 {
        later[bit / 8] ^= 1 << (bit % 8);
        let found = Record::decode(&later).map(|_| ());
        let is_found = found.is_err_and(|found| !matches!(found, Damage::Version(_)));
        assert!(is_found, "bit {bit}");
        later[bit / 8] ^= 1 << (bit % 8);
    }
}

#[test]
fn a_payload_that_is_too_large_leaves_no_trace() {
    let mut bytes = b"before".to_vec();
    let payload = |out: &mut Vec<u8>| out.resize(out.len() + JOURNAL_PAYLOAD_BYTES_MAX + 1, 0);
    assert_eq!(head().encode(payload, &mut bytes), Err(JOURNAL_PAYLOAD_BYTES_MAX + 1));
    assert_eq!(bytes, b"before");
    let most = encoded(&head(), &vec![7; JOURNAL_PAYLOAD_BYTES_MAX]);
    assert!(Record::decode(&most).is_ok());
}
