//! A map, as a server reads it from a file.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| matchkeep_tests::decoders::map(bytes));
