//! QUIC set for a game: small windows, no stale queues, deadlines a player can live with. Both ends of
//! every connection use this; quinn's defaults are made for downloads.

use std::sync::Arc;
use std::time::Duration;

use matchkeep_shared::limits::{
    CONNECTION_WINDOW_BYTES, DATAGRAM_RECEIVE_BUFFER_BYTES, DATAGRAM_SEND_BUFFER_BYTES,
    IDLE_TIMEOUT, KEEP_ALIVE, STREAM_WINDOW_BYTES, STREAMS_PER_CONNECTION_MAX,
};
use quinn_proto::{AckFrequencyConfig, TransportConfig, VarInt};

use super::congestion::SteadyConfig;

/// The round trip assumed before the first is measured. QUIC's own 333 ms would make a lost first packet
/// cost a second.
const INITIAL_RTT: Duration = Duration::from_millis(100);
/// The same where a player comes back: most first packets go to a server that is not there yet, and the one
/// that meets it should not be long in coming. Repeated 60, 180 and 420 ms after the first.
const RETURN_RTT: Duration = Duration::from_millis(20);
/// Packets that ask for an acknowledgement before one is sent at once. Both sides send every tick anyway,
/// and an acknowledgement travels with that.
const ACK_THRESHOLD: u32 = 10;

/// Which end of a connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Side {
    /// Keeps the connection alive when it has nothing to say.
    Client,
    /// Lets idle clients go.
    Server,
}

/// The transport settings of one end.
pub fn transport_config(side: Side) -> Arc<TransportConfig> {
    Arc::new(settings(side, INITIAL_RTT))
}

/// The transport settings of a client that tries to come back to a match.
pub fn return_config() -> Arc<TransportConfig> {
    Arc::new(settings(Side::Client, RETURN_RTT))
}

fn settings(side: Side, initial_rtt: Duration) -> TransportConfig {
    let mut config = TransportConfig::default();
    let idle = IDLE_TIMEOUT.try_into().expect("the idle timeout fits QUIC's range");
    let mut acks = AckFrequencyConfig::default();
    acks.ack_eliciting_threshold(VarInt::from_u32(ACK_THRESHOLD));
    config
        .max_concurrent_bidi_streams(match side {
            Side::Client => VarInt::from_u32(0),
            Side::Server => VarInt::from_u32(STREAMS_PER_CONNECTION_MAX),
        })
        .max_concurrent_uni_streams(VarInt::from_u32(0))
        .receive_window(VarInt::from_u32(CONNECTION_WINDOW_BYTES))
        .stream_receive_window(VarInt::from_u32(STREAM_WINDOW_BYTES))
        .send_window(u64::from(CONNECTION_WINDOW_BYTES))
        .datagram_receive_buffer_size(Some(DATAGRAM_RECEIVE_BUFFER_BYTES))
        .datagram_send_buffer_size(DATAGRAM_SEND_BUFFER_BYTES)
        .max_idle_timeout(Some(idle))
        .keep_alive_interval((side == Side::Client).then_some(KEEP_ALIVE))
        .initial_rtt(initial_rtt)
        .ack_frequency_config(Some(acks))
        .allow_spin(false)
        .congestion_controller_factory(Arc::new(SteadyConfig));
    config
}
