//! A message of a client, as a shard reads it.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| matchkeep_tests::decoders::client_message(bytes));
