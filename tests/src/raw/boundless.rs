//! TLS for a client that does not hear how large a packet its server takes.
//!
//! A well-behaved QUIC client cannot send a datagram above the protocol's limit: the server announces
//! packets of less than that, and QUIC keeps to it. Whoever wrote a client to do harm would leave that
//! line out, and so does this one: the announcement is cut from what the handshake brings.

use std::any::Any;
use std::sync::Arc;

use quinn::crypto::rustls::QuicClientConfig;
use quinn_proto::crypto::{
    ClientConfig, ExportKeyingMaterialError, HeaderKey, KeyPair, Keys, PacketKey, Session,
};
use quinn_proto::transport_parameters::TransportParameters;
use quinn_proto::{ConnectError, ConnectionId, Side, TransportError};

/// The number of the transport parameter `max_udp_payload_size` (RFC 9000, 18.2).
const MAX_UDP_PAYLOAD_SIZE: u64 = 3;

pub(super) fn ignore_payload_limit(inner: QuicClientConfig) -> Arc<dyn ClientConfig> {
    Arc::new(Boundless(Arc::new(inner)))
}

struct Boundless(Arc<QuicClientConfig>);

impl ClientConfig for Boundless {
    fn start_session(
        self: Arc<Self>,
        version: u32,
        server_name: &str,
        params: &TransportParameters,
    ) -> Result<Box<dyn Session>, ConnectError> {
        let inner = Arc::clone(&self.0).start_session(version, server_name, params)?;
        Ok(Box::new(BoundlessSession(inner)))
    }
}

struct BoundlessSession(Box<dyn Session>);

impl Session for BoundlessSession {
    fn initial_keys(&self, dst_cid: &ConnectionId, side: Side) -> Keys {
        self.0.initial_keys(dst_cid, side)
    }

    fn handshake_data(&self) -> Option<Box<dyn Any>> {
        self.0.handshake_data()
    }

    fn peer_identity(&self) -> Option<Box<dyn Any>> {
        self.0.peer_identity()
    }

    fn early_crypto(&self) -> Option<(Box<dyn HeaderKey>, Box<dyn PacketKey>)> {
        self.0.early_crypto()
    }

    fn early_data_accepted(&self) -> Option<bool> {
        self.0.early_data_accepted()
    }

    fn is_handshaking(&self) -> bool {
        self.0.is_handshaking()
    }

    fn read_handshake(&mut self, buf: &[u8]) -> Result<bool, TransportError> {
        self.0.read_handshake(buf)
    }

    fn transport_parameters(&self) -> Result<Option<TransportParameters>, TransportError> {
        let Some(announced) = self.0.transport_parameters()? else { return Ok(None) };
        let mut bytes = Vec::new();
        announced.write(&mut bytes);
        let kept = without(&bytes, MAX_UDP_PAYLOAD_SIZE);
        let read = TransportParameters::read(Side::Client, &mut kept.as_slice());
        Ok(Some(read.expect("what is left is sound")))
    }

    fn write_handshake(&mut self, buf: &mut Vec<u8>) -> Option<Keys> {
        self.0.write_handshake(buf)
    }

    fn next_1rtt_keys(&mut self) -> Option<KeyPair<Box<dyn PacketKey>>> {
        self.0.next_1rtt_keys()
    }

    fn is_valid_retry(&self, orig_dst_cid: &ConnectionId, header: &[u8], payload: &[u8]) -> bool {
        self.0.is_valid_retry(orig_dst_cid, header, payload)
    }

    fn export_keying_material(
        &self,
        output: &mut [u8],
        label: &[u8],
        context: &[u8],
    ) -> Result<(), ExportKeyingMaterialError> {
        self.0.export_keying_material(output, label, context)
    }
}

/// Transport parameters (number, length, value, each number a QUIC varint) without one of them.
fn without(parameters: &[u8], number: u64) -> Vec<u8> {
    let mut kept = Vec::new();
    let mut rest = parameters;
    while !rest.is_empty() {
        let (id, id_bytes) = varint(rest);
        let (length, length_bytes) = varint(&rest[id_bytes..]);
        let (parameter, others) = rest.split_at(id_bytes + length_bytes + length as usize);
        if id != number {
            kept.extend_from_slice(parameter);
        }
        rest = others;
    }
    kept
}

fn varint(bytes: &[u8]) -> (u64, usize) {
    let length = 1 << (bytes[0] >> 6);
    let first = u64::from(bytes[0] & 0x3f);
    (bytes[1..length].iter().fold(first, |value, byte| value << 8 | u64::from(*byte)), length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_parameter_is_cut_and_the_others_stay() {
        let parameters = [0x01, 0x02, 0x40, 0x10, 0x03, 0x02, 0x45, 0xc0, 0x0c, 0x00];
        assert_eq!(without(&parameters, 3), [0x01, 0x02, 0x40, 0x10, 0x0c, 0x00]);
    }
}
