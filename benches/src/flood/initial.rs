//! First packets by the thousand: one real ClientHello, under as many connection IDs as are wanted. What a server
//! makes of each is what it makes of a newcomer's, and for who sends them they cost next to nothing.

use std::sync::Arc;

use anyhow::Context;
use matchkeep_client::transport::{Fingerprint, Trust, client_config};
use matchkeep_shared::rng::Rng;
use quinn_proto::ConnectionId;
use quinn_proto::Side;
use quinn_proto::crypto::rustls::QuicClientConfig;
use quinn_proto::crypto::{ClientConfig as _, Session};
use quinn_proto::transport_parameters::TransportParameters;

/// QUIC's smallest first packet, in bytes.
const PACKET_BYTES: usize = 1200;
/// Of both connection IDs.
const ID_BYTES: usize = 8;
/// A long header with the fixed bit, type Initial, and a packet number of four bytes.
const FIRST_BYTE: u8 = 0b1100_0011;
const VERSION: u32 = 1;
/// CRYPTO, at offset 0.
const CRYPTO_FRAME: [u8; 2] = [0x06, 0x00];
/// The number of the transport parameter `initial_source_connection_id` (RFC 9000, 18.2).
const INITIAL_SOURCE_ID: u8 = 0x0f;
/// Of a packet number.
const NUMBER_BYTES: usize = 4;

/// Makes first packets for one kind of endpoint.
pub(super) struct Initials {
    session: Box<dyn Session>,
    hello: Vec<u8>,
    source: [u8; ID_BYTES],
    rng: Rng,
}

impl Initials {
    /// For the endpoint that speaks this protocol.
    ///
    /// # Errors
    /// Where TLS does not begin.
    pub(super) fn new(alpn: &[u8], seed: u64) -> anyhow::Result<Self> {
        let mut rng = Rng::new(seed);
        let source = id(&mut rng);
        // Whose certificate it would be does not matter: nobody looks at the answer.
        let crypto =
            QuicClientConfig::try_from(client_config(&Trust::Pinned(Fingerprint([0; 32])), alpn))?;
        let mut announced = vec![INITIAL_SOURCE_ID, ID_BYTES as u8];
        announced.extend_from_slice(&source);
        let announced = TransportParameters::read(Side::Server, &mut announced.as_slice());
        let announced = announced.ok().context("the announcement is sound")?;
        let mut session = Arc::new(crypto).start_session(VERSION, "anybody", &announced)?;
        let mut hello = Vec::new();
        session.write_handshake(&mut hello);
        Ok(Self { session, hello, source, rng })
    }

    /// The next one, under a connection ID of its own.
    pub(super) fn next(&mut self, packet: &mut Vec<u8>) {
        let destination = id(&mut self.rng);
        let keys = self.session.initial_keys(&ConnectionId::new(&destination), Side::Client);
        packet.clear();
        packet.push(FIRST_BYTE);
        packet.extend_from_slice(&VERSION.to_be_bytes());
        for id in [&destination, &self.source] {
            packet.push(ID_BYTES as u8);
            packet.extend_from_slice(id);
        }
        // No token.
        packet.push(0);
        let number_at = packet.len() + 2;
        packet.extend_from_slice(&two_bytes(PACKET_BYTES - number_at));
        packet.extend_from_slice(&[0; NUMBER_BYTES]);
        let payload_at = packet.len();
        packet.extend_from_slice(&CRYPTO_FRAME);
        packet.extend_from_slice(&two_bytes(self.hello.len()));
        packet.extend_from_slice(&self.hello);
        // PADDING, and room for the tag.
        packet.resize(PACKET_BYTES, 0);
        keys.packet.local.encrypt(0, packet, payload_at);
        keys.header.local.encrypt(number_at, packet);
    }
}

fn id(rng: &mut Rng) -> [u8; ID_BYTES] {
    let mut id = [0; ID_BYTES];
    id[..4].copy_from_slice(&rng.next_u32().to_le_bytes());
    id[4..].copy_from_slice(&rng.next_u32().to_le_bytes());
    id
}

/// A QUIC varint of two bytes.
fn two_bytes(value: usize) -> [u8; 2] {
    (0x4000 | value as u16).to_be_bytes()
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, SocketAddr};
    use std::time::Instant;

    use bytes::BytesMut;
    use matchkeep_server::identity::{EndpointRole, ServerIdentity};
    use matchkeep_shared::wire::ALPN_LOBBY;
    use quinn_proto::{DatagramEvent, Endpoint};

    use super::*;

    #[test]
    fn each_begins_a_handshake_of_its_own_that_a_server_answers() {
        let identity = ServerIdentity::ephemeral().expect("keys are made");
        let role = EndpointRole::Lobby;
        let server = identity.quic_server(role, &[ALPN_LOBBY]).expect("a certificate");
        let config = Arc::new(identity.quic_endpoint(role));
        let mut endpoint = Endpoint::new(config, Some(Arc::new(server)), true, None);
        let mut initials = Initials::new(ALPN_LOBBY, 7).expect("TLS begins");
        let (now, mut packet, mut answer) = (Instant::now(), Vec::new(), Vec::new());
        let from = SocketAddr::from((Ipv4Addr::LOCALHOST, 4433));
        for _ in 0..3 {
            initials.next(&mut packet);
            assert_eq!(packet.len(), PACKET_BYTES);
            let data = BytesMut::from(packet.as_slice());
            let event = endpoint.handle(now, from, None, None, data, &mut answer);
            let Some(DatagramEvent::NewConnection(incoming)) = event else {
                panic!("a first packet");
            };
            let accepted = endpoint.accept(incoming, now, &mut answer, None);
            let (_, mut connection) = accepted.expect("a handshake");
            let mut flight = Vec::new();
            let transmit = connection.poll_transmit(now, 1, &mut flight);
            assert!(transmit.is_some_and(|transmit| transmit.size > 1000));
            assert!(!connection.is_closed(), "the ClientHello is sound");
        }
    }
}
