//! The frames of a record, as a replay reads them.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| matchkeep_tests::decoders::journal_frames(bytes));
