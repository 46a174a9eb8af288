//! A congestion controller for a stream of ticks: bounded above, and never below what the ticks need.
//!
//! Loss-based controllers starve a game: a handful of lost packets on a mobile network halves a window
//! that was never full. Here the window falls on loss too, but not below the floor: what a tick stream
//! of full datagrams puts into flight in one round trip.

use std::any::Any;
use std::sync::Arc;
use std::time::{Duration, Instant};

use matchkeep_shared::limits::{DATAGRAM_BYTES_MAX, TICK_RATE_HZ_MAX};
use quinn_proto::RttEstimator;
use quinn_proto::congestion::{Controller, ControllerFactory};

/// The most a connection may have in flight, in bytes.
const WINDOW_MAX_BYTES: u64 = 256 * 1024;
/// The least, whatever the round trip, in bytes: a welcome with its map in few flights.
const WINDOW_MIN_BYTES: u64 = 24 * 1024;
/// Beyond this a round trip no longer raises the floor.
const FLOOR_RTT_MAX: Duration = Duration::from_millis(500);

/// Makes [`Steady`] controllers.
#[derive(Debug, Default)]
pub struct SteadyConfig;

impl ControllerFactory for SteadyConfig {
    fn build(self: Arc<Self>, _now: Instant, current_mtu: u16) -> Box<dyn Controller> {
        let floor = WINDOW_MIN_BYTES;
        Box::new(Steady {
            window: 2 * floor,
            floor,
            mtu: current_mtu.into(),
            in_flight: 0,
            recovery_from: None,
        })
    }
}

/// The window of one connection.
#[derive(Clone, Debug)]
struct Steady {
    window: u64,
    floor: u64,
    mtu: u64,
    /// What was in flight when acknowledgements last came.
    in_flight: u64,
    /// Losses of packets sent before this belong to a reduction already made.
    recovery_from: Option<Instant>,
}

impl Controller for Steady {
    fn on_ack(
        &mut self,
        _now: Instant,
        sent: Instant,
        bytes: u64,
        _app_limited: bool,
        rtt: &RttEstimator,
    ) {
        let rtt = rtt.get().min(FLOOR_RTT_MAX);
        let ticks_in_flight = rtt.as_micros() as u64 * u64::from(TICK_RATE_HZ_MAX) / 1_000_000 + 2;
        self.floor = (ticks_in_flight * DATAGRAM_BYTES_MAX as u64).max(WINDOW_MIN_BYTES);
        let recovering = self.recovery_from.is_some_and(|since| sent <= since);
        // Only a window that is used is known to be too small. (Whether a connection had something to
        // send is no measure here: a shard does not ask QUIC for packets when there is none to expect.)
        if self.in_flight * 2 > self.window && !recovering {
            // One packet more per round trip.
            self.window += (self.mtu * bytes / self.window).max(1);
        }
        self.window = self.window.clamp(self.floor, WINDOW_MAX_BYTES);
    }

    fn on_end_acks(&mut self, _: Instant, in_flight: u64, _app_limited: bool, _: Option<u64>) {
        self.in_flight = in_flight;
    }

    fn on_congestion_event(&mut self, now: Instant, sent: Instant, _persistent: bool, _lost: u64) {
        if self.recovery_from.is_some_and(|since| sent <= since) {
            return;
        }
        self.recovery_from = Some(now);
        self.window = (self.window / 2).max(self.floor);
    }

    fn on_mtu_update(&mut self, new_mtu: u16) {
        self.mtu = new_mtu.into();
    }

    fn window(&self) -> u64 {
        self.window
    }

    fn clone_box(&self) -> Box<dyn Controller> {
        Box::new(self.clone())
    }

    fn initial_window(&self) -> u64 {
        2 * WINDOW_MIN_BYTES
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[expect(clippy::disallowed_methods, reason = "an arbitrary origin for made-up times")]
    fn origin() -> Instant {
        Instant::now()
    }

    #[test]
    fn losses_never_take_the_window_below_what_the_ticks_need() {
        let start = origin();
        let mut controller = Arc::new(SteadyConfig).build(start, 1200);
        for i in 0..1000 {
            let at = start + Duration::from_millis(i);
            controller.on_congestion_event(at, at, true, 1200);
        }
        assert!(controller.window() >= WINDOW_MIN_BYTES);
        assert!(controller.window() < controller.initial_window());
    }

    #[test]
    fn one_burst_of_losses_is_one_reduction() {
        let start = origin();
        let mut controller = Arc::new(SteadyConfig).build(start, 1200);
        controller.on_congestion_event(start, start, false, 1200);
        let once = controller.window();
        for _ in 0..10 {
            controller.on_congestion_event(start, start, false, 1200);
        }
        assert_eq!(controller.window(), once);
    }
}
