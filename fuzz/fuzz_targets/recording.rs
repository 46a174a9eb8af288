//! A recording, as programs read it from a file.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| matchkeep_tests::decoders::recording(bytes));
