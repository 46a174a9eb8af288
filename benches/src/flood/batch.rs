//! Many datagrams by one call of the kernel: an attacker that calls for each takes twice the time of a core that it
//! shares with the bots.

use std::io::{self, IoSlice};
use std::net::UdpSocket;

use rustix::net::{MMsgHdr, SendAncillaryBuffer, SendFlags, sendmmsg};

use super::puppet::sent;

/// Datagrams of one call.
const DATAGRAMS_MAX: usize = 64;

/// What of many datagrams left.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Left {
    /// UDP datagrams.
    pub(super) datagrams: u64,
    /// Their payload.
    pub(super) bytes: u64,
}

/// Sends these where the socket is connected to, in their order. What the kernel has no room for is lost, as elsewhere.
///
/// # Errors
/// Where the socket is of no use.
pub(super) fn send_all(socket: &UdpSocket, datagrams: &[impl AsRef<[u8]>]) -> io::Result<Left> {
    let mut left = Left::default();
    for batch in datagrams.chunks(DATAGRAMS_MAX) {
        let contents: Vec<[IoSlice<'_>; 1]> =
            batch.iter().map(|datagram| [IoSlice::new(datagram.as_ref())]).collect();
        let mut nothing_else: Vec<_> =
            batch.iter().map(|_| SendAncillaryBuffer::default()).collect();
        let mut messages: Vec<MMsgHdr<'_>> = contents
            .iter()
            .zip(&mut nothing_else)
            .map(|(contents, nothing_else)| MMsgHdr::new(contents, nothing_else))
            .collect();
        let mut at = 0;
        while at < messages.len() {
            match sendmmsg(socket, &mut messages[at..], SendFlags::empty()) {
                Ok(taken) => {
                    let taken = taken.max(1);
                    left.datagrams += taken as u64;
                    let bytes = messages[at..at + taken].iter().map(MMsgHdr::bytes_sent);
                    left.bytes += bytes.sum::<usize>() as u64;
                    at += taken;
                }
                // It is about the first one alone.
                Err(error) => {
                    sent(Err(error.into()))?;
                    at += 1;
                }
            }
        }
    }
    Ok(left)
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::time::Duration;

    use super::*;

    fn socket() -> UdpSocket {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a socket");
        socket.set_read_timeout(Some(Duration::from_secs(10))).expect("it may be set");
        socket
    }

    #[test]
    fn all_arrive_whole_and_in_order_and_are_counted() {
        let (from, to) = (socket(), socket());
        from.connect(to.local_addr().expect("it is bound")).expect("it connects");
        let datagrams: Vec<Vec<u8>> =
            (0..2 * DATAGRAMS_MAX + 3).map(|nth| vec![nth as u8; 1 + nth]).collect();
        let left = send_all(&from, &datagrams).expect("it sends");
        let bytes: usize = datagrams.iter().map(Vec::len).sum();
        let expected = Left { datagrams: datagrams.len() as u64, bytes: bytes as u64 };
        assert_eq!(left, expected);
        let mut buffer = [0; 2048];
        for datagram in &datagrams {
            let bytes = to.recv(&mut buffer).expect("it came");
            assert_eq!(&buffer[..bytes], datagram);
        }
        assert_eq!(send_all(&from, &[[0_u8; 0]; 0]).expect("nothing is sent"), Left::default());
    }

    #[test]
    fn where_nobody_is_they_are_lost_and_that_is_no_error() {
        let (from, to) = (socket(), socket());
        from.connect(to.local_addr().expect("it is bound")).expect("it connects");
        drop(to);
        // The kernel says so at a later one, or at none.
        for _ in 0..10 {
            let left = send_all(&from, &[[7_u8; 10]; 3]).expect("the socket is sound");
            assert_eq!(left.bytes, 10 * left.datagrams);
        }
    }

    #[test]
    fn what_no_socket_takes_is_an_error() {
        let (from, to) = (socket(), socket());
        from.connect(to.local_addr().expect("it is bound")).expect("it connects");
        let datagrams = [vec![1], vec![2; 70_000]];
        assert!(send_all(&from, &datagrams).is_err(), "longer than UDP allows");
    }
}
