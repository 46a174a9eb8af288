//! An answer, as a lobby's client reads it.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| matchkeep_tests::decoders::lobby_message(bytes));
