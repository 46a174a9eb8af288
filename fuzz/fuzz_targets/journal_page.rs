//! A page of a journal, as a verb reads it from a server.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| matchkeep_tests::decoders::journal_page(bytes));
