//! Whether signatures can be checked with a public key.
//!
//! Owns: what a key of each kind must be, and what is said of one that is not. Must not know: files, their forms, and
//! what keys are called.
//!
//! The library takes any bytes for a key, and then no signature is good: every player would be sent away for what the
//! operator's file has wrong.

use std::ops::RangeInclusive;

use jsonwebtoken::DecodingKey;

/// Of an Ed25519 key.
const ED25519_BYTES: usize = 32;
/// The curve of ES256.
pub(super) const P256: &str = "P-256";
/// Of a point on P-256 as ring reads it: 4 for "not compressed", and both coordinates.
const P256_POINT_BYTES: usize = 65;
const NOT_COMPRESSED: u8 = 4;
/// RSA keys that ring checks signatures with, by their length rounded up to bytes.
const RSA_BITS: RangeInclusive<usize> = 2048..=8192;

/// A key for EdDSA.
///
/// # Errors
/// What is wrong with it.
pub(super) fn ed25519(bytes: &[u8]) -> Result<DecodingKey, String> {
    if bytes.len() != ED25519_BYTES {
        return Err(format!("{} bytes, where an Ed25519 key has {ED25519_BYTES}", bytes.len()));
    }
    Ok(DecodingKey::from_ed_der(bytes))
}

/// A key for ES256: the curve it is on, and the point.
///
/// # Errors
/// What is wrong with it.
pub(super) fn p256(curve: &str, point: &[u8]) -> Result<DecodingKey, String> {
    if curve != P256 {
        return Err(format!(
            "it is on the curve {curve}, and ES256 takes {P256} (prime256v1) by that name: let the provider sign with \
             such a key"
        ));
    }
    if point.len() != P256_POINT_BYTES || point[0] != NOT_COMPRESSED {
        return Err(format!(
            "its point has {} bytes, and {P256_POINT_BYTES} are taken, both coordinates whole: \
             `openssl pkey -pubin -in KEY -pubout -ec_conv_form uncompressed` writes a compressed one so",
            point.len()
        ));
    }
    Ok(DecodingKey::from_ec_der(point))
}

/// A key for RS256: modulus and exponent, both big-endian.
///
/// # Errors
/// What is wrong with it.
pub(super) fn rsa(modulus: &[u8], exponent: &[u8]) -> Result<DecodingKey, String> {
    // Some write a zero in front, as signed numbers have it; ring takes none.
    let (modulus, exponent) = (without_zeros(modulus), without_zeros(exponent));
    if !RSA_BITS.contains(&(modulus.len() * 8)) {
        let spare = modulus.first().map_or(0, |first| first.leading_zeros() as usize);
        return Err(format!(
            "{} bits of RSA, allowed are {} to {}: let the provider sign with such a key",
            modulus.len() * 8 - spare,
            RSA_BITS.start(),
            RSA_BITS.end(),
        ));
    }
    Ok(DecodingKey::from_rsa_raw_components(modulus, exponent))
}

fn without_zeros(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    &number[zeros..]
}
