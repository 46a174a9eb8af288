//! A journal's records, as recovery reads them.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| matchkeep_tests::decoders::journal_record(bytes));
