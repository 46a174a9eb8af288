//! What a match died of, as recovery reads it.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| matchkeep_tests::decoders::journal_incident(bytes));
