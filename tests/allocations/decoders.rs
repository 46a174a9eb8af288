//! Whatever lengths bytes claim, decoding them takes no more memory than a bound that has a name.

use matchkeep_tests::corpora;
use matchkeep_tests::decoders::{DECODERS, Decoder};
use proptest::prelude::*;
use proptest::test_runner::{TestCaseResult, TestRunner};

use crate::counting::asked_by;

const KIB: usize = 1024;
/// What a server decodes, from strangers: no more than a few messages are long.
const FROM_CLIENTS_BYTES: usize = 64 * KIB;
/// What a client decodes, from the server it chose: messages of up to 48 KiB, unpacked.
const FROM_SERVERS_BYTES: usize = 1024 * KIB;
/// What is read from files: a small factor over what a map or a recording of this size holds.
const FROM_FILES_BYTES: usize = 2 * KIB * KIB;

/// What is read from a journal: what it holds, and a list of what is damaged.
const FROM_JOURNALS_BYTES: usize = 64 * KIB;

/// What the records of a journal carry: of so little, unpacked, at most what a message of a server comes to.
const FROM_RECORDS_BYTES: usize = FROM_SERVERS_BYTES;

/// The bound of each decoder.
fn bound(name: &str) -> usize {
    match name {
        "client_datagram" | "client_message" | "lobby_request" | "frames" | "ticket" => {
            FROM_CLIENTS_BYTES
        }
        "snapshot" | "server_message" | "lobby_message" | "session" | "event" | "config" => {
            FROM_SERVERS_BYTES
        }
        "recording" | "map" => FROM_FILES_BYTES,
        "journal_record" | "journal_page" => FROM_JOURNALS_BYTES,
        "journal_header" | "journal_frames" | "journal_checkpoint" | "journal_incident"
        | "journal_result" => FROM_RECORDS_BYTES,
        _ => panic!("decoder `{name}` has no bound"),
    }
}

fn check(name: &str, decode: Decoder, bytes: &[u8]) -> TestCaseResult {
    let ((), asked) = asked_by(|| decode(bytes));
    prop_assert!(asked.peak_bytes <= bound(name), "{name}: {} bytes", asked.peak_bytes);
    Ok(())
}

/// Makes what decoders keep for later calls, so that it is nobody's.
fn warm_up() {
    for (name, decode) in DECODERS {
        corpora::seeds(name).iter().for_each(|seed| decode(seed));
    }
}

#[test]
fn random_bytes_take_little_memory() {
    warm_up();
    let bytes = prop::collection::vec(any::<u8>(), 0..1500);
    TestRunner::new(ProptestConfig {
        cases: 500,
        failure_persistence: None,
        ..ProptestConfig::default()
    })
    .run(&bytes, |bytes| {
        DECODERS.iter().try_for_each(|(name, decode)| check(name, *decode, &bytes))
    })
    .expect("within bounds");
}

/// Lengths as bincode writes them: small ones in a byte, others behind a byte that says how many follow.
const CLAIMS: [&[u8]; 5] = [
    &[250],
    &[251, 255, 255],
    &[252, 255, 255, 255, 127],
    &[253, 255, 255, 255, 255, 255, 255, 255, 0],
    &[253, 255, 255, 255, 255, 255, 255, 255, 255],
];

#[test]
fn a_claimed_length_at_any_place_takes_little_memory() {
    warm_up();
    for (name, decode) in DECODERS {
        for seed in corpora::seeds(name) {
            // Every place of what is small, and places all over what is not.
            for at in (0..seed.len()).step_by(seed.len() / 300 + 1) {
                for claim in CLAIMS {
                    let rest = &seed[(at + 1).min(seed.len())..];
                    let bytes = [&seed[..at], claim, rest].concat();
                    check(name, *decode, &bytes).expect("within bounds");
                }
            }
        }
    }
}
