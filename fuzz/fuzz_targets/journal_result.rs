//! A result in a journal, as recovery reads it.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| matchkeep_tests::decoders::journal_result(bytes));
