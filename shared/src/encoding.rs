//! Structures to bytes and back: stream messages and checkpoints. The only file that names bincode.
//!
//! What crosses the network at tick rate does not come through here; it is bit-packed ([`crate::wire`]).
//! The form is bincode 2's standard configuration: little-endian, variable-length integers.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{DeserializeOwned, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

/// Bytes that do not decode to what was asked for, within the size allowed.
#[derive(Debug, thiserror::Error)]
#[error("{what}: {cause}")]
pub struct DecodeError {
    what: &'static str,
    cause: String,
}

impl DecodeError {
    /// Says that `what` was taken for one and why it is none.
    pub(crate) fn new(what: &'static str, cause: impl Into<String>) -> Self {
        Self { what, cause: cause.into() }
    }
}

/// Appends `value` to `out`.
///
/// # Panics
/// Where a `Serialize` implementation of the program itself fails; derived ones do not.
pub fn encode_into<T: Serialize + ?Sized>(value: &T, out: &mut Vec<u8>) {
    bincode::serde::encode_into_std_write(value, out, bincode::config::standard())
        .expect("writing to memory does not fail");
}

/// `value` as bytes of their own.
pub fn encode<T: Serialize + ?Sized>(value: &T) -> Vec<u8> {
    let mut out = Vec::new();
    encode_into(value, &mut out);
    out
}

/// bincode counts numbers at their full width, up to so many times what they take encoded: its own limit
/// cannot be the number of bytes that came.
const EXPANSION_MAX: usize = 8;
/// The most that anything decodes to, in bytes.
const EXPANDED_BYTES_MAX: usize = EXPANSION_MAX * 1024 * 1024;

/// Decodes all of `bytes`, at most `LIMIT`; takes memory in proportion to what is there, whatever lengths it
/// claims, where every list of `T` goes through [`list`].
///
/// # Errors
/// [`DecodeError`] where there are more than `LIMIT` bytes, or they end early, name no variant there is, or
/// go on after the value.
pub fn decode<T: DeserializeOwned, const LIMIT: usize>(
    what: &'static str,
    bytes: &[u8],
) -> Result<T, DecodeError> {
    let error = |cause: String| DecodeError::new(what, cause);
    if bytes.len() > LIMIT {
        return Err(error(format!("{} bytes, allowed are {LIMIT}", bytes.len())));
    }
    let decoded = match bytes.len() {
        0..=256 => decode_within::<_, { EXPANSION_MAX * 256 }>(bytes),
        257..=2048 => decode_within::<_, { EXPANSION_MAX * 2048 }>(bytes),
        2049..=65_536 => decode_within::<_, { EXPANSION_MAX * 65_536 }>(bytes),
        _ => decode_within::<_, EXPANDED_BYTES_MAX>(bytes),
    };
    let (value, used) = decoded.map_err(|e| error(e.to_string()))?;
    if used != bytes.len() {
        return Err(error(format!("{} bytes follow the value", bytes.len() - used)));
    }
    Ok(value)
}

/// Decodes with bincode's own limit, which also bounds what the length of a text is believed to be. It is a
/// constant of the configuration, hence the steps above.
fn decode_within<T: DeserializeOwned, const EXPANDED: usize>(
    bytes: &[u8],
) -> Result<(T, usize), bincode::error::DecodeError> {
    let config = bincode::config::standard().with_limit::<EXPANDED>();
    bincode::serde::decode_from_slice(bytes, config)
}

/// For `#[serde(deserialize_with)]` on a list that strangers send: takes memory for the elements that are
/// there and not for the number that is claimed. (serde by itself believes claims of up to 1 MiB, and
/// bincode counts a list's elements only as they come.)
///
/// # Errors
/// What an element's own decoding says.
pub fn list<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Vec<T>, D::Error> {
    struct List<T>(PhantomData<T>);

    impl<'de, T: Deserialize<'de>> Visitor<'de> for List<T> {
        type Value = Vec<T>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a list")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Vec<T>, A::Error> {
            let mut list = Vec::new();
            while let Some(element) = elements.next_element()? {
                list.push(element);
            }
            Ok(list)
        }
    }

    deserializer.deserialize_seq(List(PhantomData))
}

/// A hash of everything `state` serialises: equal states, equal hashes, on any machine (XXH3, 64 bits).
///
/// `scratch` is kept by the caller so that hashing every second does not allocate.
pub fn state_hash<T: Serialize>(state: &T, scratch: &mut Vec<u8>) -> u64 {
    scratch.clear();
    encode_into(state, scratch);
    xxhash_rust::xxh3::xxh3_64(scratch)
}

/// A hash of bytes (XXH3, 64 bits). Not for anything an attacker gains from colliding.
pub fn hash_bytes(bytes: &[u8]) -> u64 {
    xxhash_rust::xxh3::xxh3_64(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claimed_length_allocates_nothing() {
        // A vector that says it holds 2^60 elements and then ends.
        let mut bytes = vec![253];
        bytes.extend_from_slice(&(1_u64 << 60).to_le_bytes());
        assert!(decode::<Vec<u64>, 1024>("list", &bytes).is_err());
    }

    #[test]
    fn what_follows_the_value_is_an_error() {
        assert!(decode::<u8, 16>("byte", &[1, 2]).is_err());
        assert_eq!(decode::<u8, 16>("byte", &[1]).expect("one byte"), 1);
    }
}
