//! QUIC's keys for a client that lies about what it received: it hears every other packet only, and claims all.
//!
//! A well-behaved QUIC acknowledges what came. Whoever wrote one to get more than the network carries would say that
//! everything came; so does this one, in the plain text that it is handed to encrypt.

use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use bytes::BytesMut;
use quinn_proto::crypto::rustls::QuicClientConfig;
use quinn_proto::crypto::{
    ClientConfig, CryptoError, ExportKeyingMaterialError, HeaderKey, KeyPair, Keys, PacketKey,
    Session,
};
use quinn_proto::transport_parameters::TransportParameters;
use quinn_proto::{ConnectError, ConnectionId, Side, TransportError};

const PING: u8 = 0x01;
const ACK: u8 = 0x02;
const ACK_ECN: u8 = 0x03;
/// IMMEDIATE_ACK (of the extension for acknowledgements) as the varint that it is.
const IMMEDIATE_ACK: [u8; 2] = [0x40, 0xac];

/// Whether a client lies, and how often it did.
#[derive(Debug, Default)]
pub(super) struct Lies {
    /// From now on.
    pub(super) begun: AtomicBool,
    /// Acknowledgements that claimed more than had come.
    pub(super) told: AtomicU64,
}

/// These keys, for a client that may lie.
pub(super) fn tampering(inner: QuicClientConfig, lies: Arc<Lies>) -> Arc<dyn ClientConfig> {
    Arc::new(Tampering { inner: Arc::new(inner), lies })
}

struct Tampering {
    inner: Arc<QuicClientConfig>,
    lies: Arc<Lies>,
}

impl ClientConfig for Tampering {
    fn start_session(
        self: Arc<Self>,
        version: u32,
        server_name: &str,
        params: &TransportParameters,
    ) -> Result<Box<dyn Session>, ConnectError> {
        let inner = Arc::clone(&self.inner).start_session(version, server_name, params)?;
        Ok(Box::new(Tampered { inner, lies: Arc::clone(&self.lies), has_handshake_keys: false }))
    }
}

struct Tampered {
    inner: Box<dyn Session>,
    lies: Arc<Lies>,
    has_handshake_keys: bool,
}

impl Session for Tampered {
    fn initial_keys(&self, dst_cid: &ConnectionId, side: Side) -> Keys {
        self.inner.initial_keys(dst_cid, side)
    }

    fn handshake_data(&self) -> Option<Box<dyn Any>> {
        self.inner.handshake_data()
    }

    fn peer_identity(&self) -> Option<Box<dyn Any>> {
        self.inner.peer_identity()
    }

    fn early_crypto(&self) -> Option<(Box<dyn HeaderKey>, Box<dyn PacketKey>)> {
        self.inner.early_crypto()
    }

    fn early_data_accepted(&self) -> Option<bool> {
        self.inner.early_data_accepted()
    }

    fn is_handshaking(&self) -> bool {
        self.inner.is_handshaking()
    }

    fn read_handshake(&mut self, buf: &[u8]) -> Result<bool, TransportError> {
        self.inner.read_handshake(buf)
    }

    fn transport_parameters(&self) -> Result<Option<TransportParameters>, TransportError> {
        self.inner.transport_parameters()
    }

    fn write_handshake(&mut self, buf: &mut Vec<u8>) -> Option<Keys> {
        let mut keys = self.inner.write_handshake(buf)?;
        // The first ones are for the handshake itself, the second ones for all that follows.
        if std::mem::replace(&mut self.has_handshake_keys, true) {
            let Keys { packet: KeyPair { local, remote }, .. } = keys;
            let packet = KeyPair { local: self.tampered(local), remote: self.tampered(remote) };
            keys = Keys { header: keys.header, packet };
        }
        Some(keys)
    }

    fn next_1rtt_keys(&mut self) -> Option<KeyPair<Box<dyn PacketKey>>> {
        self.inner.next_1rtt_keys()
    }

    fn is_valid_retry(&self, orig_dst_cid: &ConnectionId, header: &[u8], payload: &[u8]) -> bool {
        self.inner.is_valid_retry(orig_dst_cid, header, payload)
    }

    fn export_keying_material(
        &self,
        output: &mut [u8],
        label: &[u8],
        context: &[u8],
    ) -> Result<(), ExportKeyingMaterialError> {
        self.inner.export_keying_material(output, label, context)
    }
}

impl Tampered {
    fn tampered(&self, inner: Box<dyn PacketKey>) -> Box<dyn PacketKey> {
        Box::new(TamperedKey { inner, lies: Arc::clone(&self.lies) })
    }
}

struct TamperedKey {
    inner: Box<dyn PacketKey>,
    lies: Arc<Lies>,
}

impl PacketKey for TamperedKey {
    fn encrypt(&self, packet: u64, buf: &mut [u8], header_len: usize) {
        if self.lies.begun.load(Ordering::Relaxed) {
            let end = buf.len() - self.inner.tag_len();
            if claim_all(&mut buf[header_len..end]) {
                self.lies.told.fetch_add(1, Ordering::Relaxed);
            }
        }
        self.inner.encrypt(packet, buf, header_len);
    }

    fn decrypt(
        &self,
        packet: u64,
        header: &[u8],
        payload: &mut BytesMut,
    ) -> Result<(), CryptoError> {
        self.inner.decrypt(packet, header, payload)?;
        if self.lies.begun.load(Ordering::Relaxed) && packet.is_multiple_of(2) {
            // As if it had been lost.
            return Err(CryptoError);
        }
        Ok(())
    }

    fn tag_len(&self) -> usize {
        self.inner.tag_len()
    }

    fn confidentiality_limit(&self) -> u64 {
        self.inner.confidentiality_limit()
    }

    fn integrity_limit(&self) -> u64 {
        self.inner.integrity_limit()
    }
}

/// Makes of an acknowledgement with gaps one of everything up to the newest, padded to its length. Whether it did.
fn claim_all(payload: &mut [u8]) -> bool {
    let mut at = 0;
    loop {
        match payload.get(at..) {
            Some([PING, ..]) => at += 1,
            Some(rest) if rest.starts_with(&IMMEDIATE_ACK) => at += IMMEDIATE_ACK.len(),
            Some([ACK | ACK_ECN, ..]) => break,
            _ => return false,
        }
    }
    let frame = &mut payload[at..];
    let has_ecn = frame[0] == ACK_ECN;
    let mut length = 1;
    let mut next = || {
        let (value, bytes) = varint(frame.get(length..)?)?;
        length += bytes;
        Some((value, length))
    };
    let parsed = (|| {
        let (largest, _) = next()?;
        let (_, delay_end) = next()?;
        let (gaps, _) = next()?;
        let rest = 1 + 2 * gaps + if has_ecn { 3 } else { 0 };
        for _ in 0..rest {
            next()?;
        }
        Some((largest, delay_end, gaps))
    })();
    let Some((largest, delay_end, gaps)) = parsed else { return false };
    let (claimed, claimed_bytes) = encoded(largest);
    if gaps == 0 || delay_end + 1 + claimed_bytes > length {
        return false;
    }
    frame[0] = ACK;
    // No gaps: the first range is all.
    frame[delay_end] = 0;
    frame[delay_end + 1..][..claimed_bytes].copy_from_slice(&claimed[..claimed_bytes]);
    frame[delay_end + 1 + claimed_bytes..length].fill(0);
    true
}

/// A QUIC varint, and its length in bytes.
fn varint(bytes: &[u8]) -> Option<(u64, usize)> {
    let length = 1 << (bytes.first()? >> 6);
    let rest = bytes.get(1..length)?;
    let first = u64::from(bytes[0] & 0x3f);
    Some((rest.iter().fold(first, |value, byte| value << 8 | u64::from(*byte)), length))
}

/// A number below 2^30 as a QUIC varint.
fn encoded(value: u64) -> ([u8; 4], usize) {
    let mut bytes = [0; 4];
    let length = match value {
        0..0x40 => 1,
        0x40..0x4000 => 2,
        _ => 4,
    };
    let tagged = (value as u32) << (32 - 8 * length) | (length as u32 / 2) << 30;
    bytes.copy_from_slice(&tagged.to_be_bytes());
    (bytes, length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn varints_are_quics() {
        for (value, bytes) in
            [(37, &[0x25][..]), (15_293, &[0x7b, 0xbd]), (494_878_333, &[0x9d, 0x7f, 0x3e, 0x7d])]
        {
            let (made, length) = encoded(value);
            assert_eq!(&made[..length], bytes);
            assert_eq!(varint(bytes), Some((value, bytes.len())));
        }
    }

    #[test]
    fn gaps_are_closed_and_the_length_stays() {
        // PING; newest 200, delay 1, one gap: 190 to 200, and 100 to 180; then a datagram.
        let mut payload = [1, ACK, 0x40, 200, 1, 1, 10, 8, 0x40, 80, 0x30, 7];
        assert!(claim_all(&mut payload));
        assert_eq!(payload, [1, ACK, 0x40, 200, 1, 0, 0x40, 200, 0, 0, 0x30, 7]);
        let mut ecn = [ACK_ECN, 9, 0, 1, 2, 1, 1, 5, 0, 0];
        assert!(claim_all(&mut ecn));
        assert_eq!(ecn, [ACK, 9, 0, 0, 9, 0, 0, 0, 0, 0]);
    }

    #[test]
    fn what_has_no_gaps_or_is_no_acknowledgement_stays() {
        for before in [&[ACK, 9, 0, 0, 9][..], &[0x30, 7], &[ACK, 9, 0, 1], &[]] {
            let mut payload = before.to_vec();
            assert!(!claim_all(&mut payload), "{before:?}");
            assert_eq!(payload, before);
        }
    }
}
