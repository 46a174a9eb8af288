//! A client's whole session, fed with whatever a server might send.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| matchkeep_tests::decoders::session(bytes));
