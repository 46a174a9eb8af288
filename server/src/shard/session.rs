//! What one connection is to a shard: a state machine whose states hold their own data.
//!
//! ```text
//! Handshaking --QUIC is up--> Joining --join granted--> Playing
//!      |                         |                        |
//!      +-------------------------+------ a reason --------+--> Closing
//! ```

use std::time::{Duration, Instant};

use matchkeep_shared::disconnect::DisconnectReason;
use matchkeep_shared::ids::{PlayerId, Slot};
use matchkeep_shared::limits::{
    DATAGRAM_BURST_SECONDS, DATAGRAMS_PER_TICK_MAX, EVENT_BACKLOG_BYTES_MAX, JOIN_DEADLINE,
    REFUSED_INPUT_SECONDS_MAX,
};
use matchkeep_shared::ticket::{NEVER, Validity};
use matchkeep_shared::time::TickRate;
use matchkeep_shared::wire::frame::FrameReader;
use quinn_proto::{Connection, StreamId, WriteError};

use super::admission::Trust;
use crate::matches::inputs::InputCounts;

/// The states of a session.
pub(super) enum Session {
    /// QUIC's own handshake.
    Handshaking {
        /// Until when QUIC and join must be done.
        deadline: Instant,
        /// Whether somebody is there at all.
        trust: Trust,
    },
    /// The connection is up, the join message is not whole yet.
    Joining {
        /// Until when it must be.
        deadline: Instant,
        /// The client's one stream, once it opened it.
        stream: Option<StreamId>,
        reader: FrameReader,
    },
    /// In a match.
    Playing(Box<Playing>),
    /// Sent away, or gone; QUIC winds down.
    Closing,
}

/// A player in a match.
pub(super) struct Playing {
    /// Index of the match on this shard.
    pub(super) host: usize,
    pub(super) slot: Slot,
    pub(super) player: PlayerId,
    pub(super) stream: StreamId,
    pub(super) reader: FrameReader,
    pub(super) outbox: Outbox,
    pub(super) allowance: Allowance,
    /// Of the newest token the player was given; `None` where another one is due whatever the period.
    pub(super) token_period: Option<u64>,
    pub(super) identity: Shown,
}

/// What the player showed last.
#[derive(Clone, Copy)]
pub(super) struct Shown {
    pub(super) validity: Validity,
    /// When it ends, by the shard's clock.
    pub(super) until: Option<Instant>,
    /// A newer one is being looked at.
    pub(super) is_pending: bool,
}

impl Shown {
    /// What is good for so long, as it is `now_unix_ms`.
    pub(super) fn new(now: Instant, now_unix_ms: u64, validity: Validity) -> Self {
        let ends = validity.until_unix_ms;
        let left = Duration::from_millis(ends.saturating_sub(now_unix_ms));
        let until = (ends != NEVER).then(|| now.checked_add(left)).flatten();
        Self { validity, until, is_pending: false }
    }
}

impl Session {
    pub(super) fn new(now: Instant, trust: Trust) -> Self {
        Self::Handshaking { deadline: now + JOIN_DEADLINE, trust }
    }

    /// When this state must have ended, and why it is ended then.
    pub(super) fn deadline(&self) -> Option<(Instant, DisconnectReason)> {
        match self {
            Self::Handshaking { deadline, .. } | Self::Joining { deadline, .. } => {
                Some((*deadline, DisconnectReason::JoinTimeout))
            }
            Self::Playing(playing) => {
                playing.identity.until.map(|until| (until, DisconnectReason::IdentityExpired))
            }
            Self::Closing => None,
        }
    }
}

/// Bytes on their way into the stream; QUIC takes them as the client reads.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    bytes: Vec<u8>,
    written: usize,
}

impl Outbox {
    /// Adds whole frames.
    ///
    /// # Errors
    /// [`DisconnectReason::SlowReader`] where too much waits already.
    pub(super) fn push(&mut self, frames: &[u8]) -> Result<(), DisconnectReason> {
        if self.bytes.len() - self.written + frames.len() > EVENT_BACKLOG_BYTES_MAX {
            return Err(DisconnectReason::SlowReader);
        }
        if self.written == self.bytes.len() {
            self.bytes.clear();
            self.written = 0;
        }
        self.bytes.extend_from_slice(frames);
        Ok(())
    }

    /// Gives QUIC what it takes.
    pub(super) fn flush(&mut self, connection: &mut Connection, stream: StreamId) {
        while self.written < self.bytes.len() {
            match connection.send_stream(stream).write(&self.bytes[self.written..]) {
                Ok(taken) => self.written += taken,
                Err(WriteError::Blocked) => break,
                // The client does not want the stream any more: what it misses is its own choice, and
                // the connection's end is noticed elsewhere.
                Err(WriteError::Stopped(_) | WriteError::ClosedStream) => {
                    self.written = self.bytes.len();
                }
            }
        }
        // What was taken gives its memory back, also when a slow reader never lets it run empty.
        if self.written >= EVENT_BACKLOG_BYTES_MAX / 4 {
            self.bytes.drain(..self.written);
            self.written = 0;
        }
    }
}

/// How many datagrams a client may still send now: a bucket that the tick rate fills.
#[derive(Debug)]
pub(super) struct Allowance {
    per_second: u64,
    /// In datagrams, times a billion.
    left: u64,
    at: Instant,
    /// Inputs applied so far.
    applied_before: u64,
    /// Inputs refused when the last one was applied.
    refused_before: u64,
    refused_max: u64,
}

const NANOS: u64 = 1_000_000_000;

impl Allowance {
    /// For a player whose inputs fared so until now.
    pub(super) fn new(rate: TickRate, now: Instant, counts: &InputCounts) -> Self {
        let per_second = rate.hz() * DATAGRAMS_PER_TICK_MAX;
        Self {
            per_second,
            left: per_second * DATAGRAM_BURST_SECONDS * NANOS,
            at: now,
            applied_before: counts.applied,
            refused_before: counts.refused,
            refused_max: rate.hz() * REFUSED_INPUT_SECONDS_MAX,
        }
    }

    /// The match was rebuilt, and counts anew.
    pub(super) fn count_anew(&mut self, counts: &InputCounts) {
        self.applied_before = counts.applied;
        self.refused_before = counts.refused;
    }

    /// One datagram came.
    ///
    /// # Errors
    /// [`DisconnectReason::DatagramFlood`] where that is one too many.
    pub(super) fn spend(&mut self, now: Instant) -> Result<(), DisconnectReason> {
        let full = self.per_second * DATAGRAM_BURST_SECONDS * NANOS;
        let elapsed = now.saturating_duration_since(self.at).min(Duration::from_secs(60));
        self.left = full.min(self.left + elapsed.as_nanos() as u64 * self.per_second);
        self.at = now;
        self.left = self.left.checked_sub(NANOS).ok_or(DisconnectReason::DatagramFlood)?;
        Ok(())
    }

    /// How the player's inputs fared so far: those refused since the last one that was applied count.
    ///
    /// # Errors
    /// [`DisconnectReason::InputTooFarAhead`] where it went on for too long.
    pub(super) fn check_refused(&mut self, counts: &InputCounts) -> Result<(), DisconnectReason> {
        if counts.applied > self.applied_before {
            self.applied_before = counts.applied;
            self.refused_before = counts.refused;
        }
        if counts.refused - self.refused_before > self.refused_max {
            return Err(DisconnectReason::InputTooFarAhead);
        }
        Ok(())
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "an arbitrary origin for made-up times")]
mod tests {
    use super::*;

    #[test]
    fn four_datagrams_a_tick_pass_for_ever_and_ten_do_not() {
        let rate = TickRate::default();
        let start = Instant::now();
        let run = |per_second: u64, seconds: u64| {
            let mut allowance = Allowance::new(rate, start, &InputCounts::default());
            (0..per_second * seconds)
                .find(|i| {
                    let now = start + Duration::from_nanos(i * NANOS / per_second);
                    allowance.spend(now).is_err()
                })
                .map(|i| i / per_second)
        };
        assert_eq!(run(240, 60), None);
        assert_eq!(run(600, 60), Some(0), "a second of burst is used up at once");
    }

    #[test]
    fn inputs_refused_before_a_match_was_rebuilt_do_not_count_after_it() {
        let counts = |applied, refused| InputCounts { applied, refused, ..InputCounts::default() };
        let rate = TickRate::default();
        let refused_max = rate.hz() * REFUSED_INPUT_SECONDS_MAX;
        let mut allowance = Allowance::new(rate, Instant::now(), &InputCounts::default());
        assert_eq!(allowance.check_refused(&counts(1, 5)), Ok(()));
        allowance.count_anew(&InputCounts::default());
        assert_eq!(allowance.check_refused(&counts(0, refused_max)), Ok(()));
        let too_long = Err(DisconnectReason::InputTooFarAhead);
        assert_eq!(allowance.check_refused(&counts(0, refused_max + 1)), too_long);
    }

    #[test]
    fn a_client_that_reads_nothing_is_told_so() {
        let mut outbox = Outbox::default();
        let frames = vec![0; EVENT_BACKLOG_BYTES_MAX];
        assert_eq!(outbox.push(&frames), Ok(()));
        assert_eq!(outbox.push(&[0]), Err(DisconnectReason::SlowReader));
    }
}
