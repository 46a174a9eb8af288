//! First packets, before anybody looks into them.
//!
//! To look into one costs as much as several packets of players: keys are derived from its connection ID, it is
//! decrypted, and an answer is sealed. Anybody can send thousands, from whatever address. So they wait here, told
//! apart by their first bytes alone, and are looked into one at a time, when there is time before the next deadline.
//!
//! Later packets of a handshake carry a connection ID of ours and do not wait: one that overtook another of its
//! connection would be dropped.

use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::time::Instant;

use bytes::BytesMut;
use matchkeep_shared::limits::{FIRST_PACKET_COST, FIRST_PACKETS_WAITING_MAX};
use quinn_proto::{ConnectionId, ConnectionIdGenerator, EcnCodepoint};

use super::waiting::Waiting;

/// Of a long header of QUIC (RFC 9000, 17.2): the bits that mark an Initial, and their values.
const INITIAL_MASK: u8 = 0b1011_0000;
const INITIAL: u8 = 0b1000_0000;
/// The QUIC version that is spoken.
const VERSION: [u8; 4] = [0, 0, 0, 1];
/// A datagram with a first packet has at least so many bytes (RFC 9000, 14.1): what is shorter is dropped by QUIC at a
/// glance, and what is longer than a packet of any network we know is none that we would keep.
const DATAGRAM_BYTES: RangeInclusive<usize> = 1200..=1500;
/// The longest connection ID, in bytes.
const ID_BYTES_MAX: usize = 20;

/// A datagram: from whom, to which of our addresses, and its bytes.
pub(super) struct Packet {
    pub(super) from: SocketAddr,
    pub(super) to: Option<IpAddr>,
    pub(super) ecn: Option<EcnCodepoint>,
    pub(super) bytes: BytesMut,
}

/// The first packets that wait.
pub(super) struct Strangers {
    /// Knows the connection IDs that this shard gives.
    ids: Box<dyn ConnectionIdGenerator>,
    pub(super) waiting: Waiting<Packet>,
}

impl Strangers {
    /// Nobody came yet; `ids` knows which connection IDs are ours.
    pub(super) fn new(ids: Box<dyn ConnectionIdGenerator>) -> Self {
        Self { ids, waiting: Waiting::new(FIRST_PACKET_COST, FIRST_PACKETS_WAITING_MAX) }
    }

    /// Whether this datagram begins with a first packet: an Initial whose connection ID is none of ours.
    pub(super) fn is_first(&self, datagram: &[u8]) -> bool {
        let [first, a, b, c, d, id_bytes, rest @ ..] = datagram else { return false };
        let is_initial = first & INITIAL_MASK == INITIAL && [*a, *b, *c, *d] == VERSION;
        if !is_initial || !DATAGRAM_BYTES.contains(&datagram.len()) {
            return false;
        }
        let id_bytes = usize::from(*id_bytes);
        match rest.get(..id_bytes) {
            Some(id) if id_bytes <= ID_BYTES_MAX => {
                id_bytes != self.ids.cid_len() || self.ids.validate(&ConnectionId::new(id)).is_err()
            }
            // No packet at all, as QUIC will find.
            _ => false,
        }
    }

    /// It waits. Where as many wait as may, the oldest is forgotten for it; says whether one was.
    pub(super) fn push(&mut self, now: Instant, packet: Packet) -> bool {
        // A copy: what it was cut from is many packets long.
        let bytes = BytesMut::from(&*packet.bytes);
        self.waiting.push(now, Packet { bytes, ..packet }).is_some()
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "an arbitrary origin for made-up times")]
mod tests {
    use quinn_proto::HashedConnectionIdGenerator;

    use super::*;

    const KEY: u64 = 7;

    fn strangers() -> Strangers {
        Strangers::new(Box::new(HashedConnectionIdGenerator::from_key(KEY)))
    }

    fn initial(id: &[u8]) -> Vec<u8> {
        let mut packet = vec![0xc3, 0, 0, 0, 1, id.len() as u8];
        packet.extend_from_slice(id);
        packet.resize(1200, 0);
        packet
    }

    #[test]
    fn an_initial_with_a_connection_id_of_its_own_is_a_first_packet() {
        let strangers = strangers();
        assert!(strangers.is_first(&initial(&[9; 20])));
        assert!(strangers.is_first(&initial(&[9; 8])), "as long as ours, and none of ours");
        assert!(strangers.is_first(&initial(&[])));
    }

    #[test]
    fn what_has_an_id_of_ours_another_kind_another_version_or_no_form_is_none() {
        let strangers = strangers();
        let ours = HashedConnectionIdGenerator::from_key(KEY).generate_cid();
        assert!(!strangers.is_first(&initial(&ours)));
        let with = |at: usize, byte: u8| {
            let mut packet = initial(&[9; 20]);
            packet[at] = byte;
            strangers.is_first(&packet)
        };
        assert!(!with(0, 0xe3), "a Handshake packet");
        assert!(!with(0, 0xd3), "0-RTT");
        assert!(!with(0, 0x43), "a short header");
        assert!(!with(4, 2), "another version");
        assert!(!with(5, 21), "no connection ID is so long");
        let mut packet = initial(&[9; 20]);
        assert!((0..1200).all(|bytes| !strangers.is_first(&packet[..bytes])), "too short");
        packet.resize(1501, 0);
        assert!(!strangers.is_first(&packet), "too long");
    }

    #[test]
    fn one_too_many_makes_the_oldest_forgotten() {
        let mut strangers = strangers();
        let packet = |nth: usize| Packet {
            from: SocketAddr::from(([192, 0, 2, 1], nth as u16)),
            to: None,
            ecn: None,
            bytes: BytesMut::from(&*initial(&[9; 20])),
        };
        let now = Instant::now();
        for nth in 0..FIRST_PACKETS_WAITING_MAX {
            assert!(!strangers.push(now, packet(nth)));
        }
        assert!(strangers.push(now, packet(FIRST_PACKETS_WAITING_MAX)));
        assert_eq!(strangers.waiting.len(), FIRST_PACKETS_WAITING_MAX);
        let oldest = strangers.waiting.pop().expect("they wait");
        assert_eq!(oldest.from.port(), 1);
    }
}
