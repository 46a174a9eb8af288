//! A request, as a lobby reads it.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| matchkeep_tests::decoders::lobby_request(bytes));
