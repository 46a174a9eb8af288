//! One connection: QUIC, the stream on it, and whose it is.

use std::time::{Duration, Instant};

use bytes::Bytes;
use matchkeep_shared::disconnect::DisconnectReason;
use matchkeep_shared::wire::frame::FrameReader;
use quinn_proto::{Connection, ConnectionError, Dir, StreamId, TransportErrorCode, VarInt};

use super::LinkError;

/// One connection to a match.
pub(super) struct Link {
    pub(super) quic: Connection,
    /// The player it is for; `None` once nobody listens to it any more.
    pub(super) player: Option<usize>,
    stage: Stage,
    /// What the stream's bytes are cut into messages by.
    pub(super) reader: FrameReader,
    /// Bytes for the stream that QUIC has not taken yet.
    unsent: Vec<u8>,
    pub(super) is_dirty: bool,
    /// The room for datagrams when none waits, in bytes.
    pub(super) empty_space: usize,
    /// QUIC is to be asked until it has nothing more.
    pub(super) ask_again: bool,
}

enum Stage {
    /// QUIC's own handshake; what is to be said when it is done.
    Handshaking { join: Vec<u8> },
    /// The join message is out, or was answered.
    Open { stream: StreamId },
    /// QUIC winds down.
    Closing,
}

/// What passed over one connection or several.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct LinkStats {
    /// There and back, as measured last; zero where there is no connection.
    pub round_trip: Duration,
    /// UDP payload bytes received.
    pub udp_bytes_received: u64,
    /// UDP payload bytes sent.
    pub udp_bytes_sent: u64,
    /// UDP datagrams received.
    pub datagrams_received: u64,
    /// UDP datagrams sent.
    pub datagrams_sent: u64,
    /// Packets sent that QUIC takes for lost.
    pub packets_lost: u64,
}

impl LinkStats {
    /// Adds what passed over another connection; the round trip is that one's.
    pub fn add(&mut self, other: &Self) {
        self.round_trip = other.round_trip;
        self.udp_bytes_received += other.udp_bytes_received;
        self.udp_bytes_sent += other.udp_bytes_sent;
        self.datagrams_received += other.datagrams_received;
        self.datagrams_sent += other.datagrams_sent;
        self.packets_lost += other.packets_lost;
    }
}

impl Link {
    /// A connection that was just begun, and the join message it is for.
    pub(super) fn new(mut quic: Connection, player: usize, join: Vec<u8>) -> Self {
        let empty_space = quic.datagrams().send_buffer_space();
        Self {
            quic,
            player: Some(player),
            stage: Stage::Handshaking { join },
            reader: FrameReader::default(),
            unsent: Vec::new(),
            is_dirty: false,
            empty_space,
            ask_again: false,
        }
    }

    /// Whether the handshake is done and the connection did not end.
    pub(super) fn plays(&self) -> bool {
        matches!(self.stage, Stage::Open { .. })
    }

    /// The handshake is done: the stream is opened and the join message goes.
    pub(super) fn open(&mut self) {
        let Stage::Handshaking { join } = &mut self.stage else { return };
        self.unsent = std::mem::take(join);
        // A server that allows no stream has no answer either, and the join's deadline ends this.
        let Some(stream) = self.quic.streams().open(Dir::Bi) else { return };
        self.stage = Stage::Open { stream };
        self.flush();
    }

    /// Says something after the join message; what was not joined yet says nothing else.
    pub(super) fn say(&mut self, message: &[u8]) {
        if self.plays() {
            self.unsent.extend_from_slice(message);
            self.flush();
        }
    }

    /// Gives QUIC what it takes of what waits.
    pub(super) fn flush(&mut self) {
        let Stage::Open { stream } = self.stage else { return };
        while !self.unsent.is_empty() {
            match self.quic.send_stream(stream).write(&self.unsent) {
                Ok(taken) => drop(self.unsent.drain(..taken)),
                // It goes on when the server reads on; where it never does, nothing is owed.
                Err(_) => return,
            }
        }
    }

    /// Moves what arrived on the stream into the reader.
    pub(super) fn read(&mut self) {
        let Stage::Open { stream } = self.stage else { return };
        let mut receive = self.quic.recv_stream(stream);
        let Ok(mut chunks) = receive.read(true) else { return };
        while let Ok(Some(chunk)) = chunks.next(usize::MAX) {
            self.reader.extend(&chunk.bytes);
        }
        // That the window opened is told with the next packet.
        let _ = chunks.finalize();
    }

    /// Says goodbye, with a reason the server will read, and listens no more.
    pub(super) fn close(&mut self, now: Instant, reason: DisconnectReason) {
        if matches!(self.stage, Stage::Closing) {
            return;
        }
        let text = Bytes::from_static(reason.text().as_bytes());
        self.quic.close(now, VarInt::from_u32(reason.code()), text);
        self.stage = Stage::Closing;
    }

    /// It ended by itself.
    pub(super) fn has_ended(&mut self) {
        self.stage = Stage::Closing;
    }

    pub(super) fn stats(&self) -> LinkStats {
        let quic = self.quic.stats();
        LinkStats {
            round_trip: self.quic.rtt(),
            udp_bytes_received: quic.udp_rx.bytes,
            udp_bytes_sent: quic.udp_tx.bytes,
            datagrams_received: quic.udp_rx.datagrams,
            datagrams_sent: quic.udp_tx.datagrams,
            packets_lost: quic.path.lost_packets,
        }
    }
}

/// TLS's own errors have a range of QUIC's codes.
fn is_tls(code: TransportErrorCode) -> bool {
    (0x100..0x200).contains(&u64::from(code))
}

/// Why a connection ended, in our words.
pub(super) fn ended(error: &ConnectionError) -> LinkError {
    match error {
        ConnectionError::ApplicationClosed(close) => {
            match DisconnectReason::from_code(close.error_code.into_inner()) {
                Some(reason) => LinkError::Disconnected(reason),
                None => LinkError::Failed(error.to_string()),
            }
        }
        ConnectionError::TimedOut => LinkError::Disconnected(DisconnectReason::IdleTimeout),
        ConnectionError::LocallyClosed => LinkError::Disconnected(DisconnectReason::Left),
        // The server lost its memory of the connection, as a restart makes it.
        ConnectionError::Reset => LinkError::Disconnected(DisconnectReason::ConnectionLost),
        ConnectionError::TransportError(fault) if is_tls(fault.code) => {
            LinkError::Untrusted(error.to_string())
        }
        other => LinkError::Failed(other.to_string()),
    }
}
