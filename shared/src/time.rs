//! Game time: ticks and their rate. Wall and monotonic clocks are for the shells.

use std::fmt;
use std::ops::{Add, Sub};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::limits::{TICK_RATE_HZ_MAX, TICK_RATE_HZ_MIN};

/// Steps since the match began. Never wraps; the wire carries its low bits only.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize,
)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Tick(pub u64);

impl Tick {
    /// The ticks from `earlier` to this one; negative where `earlier` is later.
    pub fn since(self, earlier: Tick) -> i64 {
        self.0.wrapping_sub(earlier.0) as i64
    }

    /// The tick nearest to `near` whose low 16 bits are `low`; what the wire carries.
    ///
    /// Exact while the two are within 32,767 ticks: nine minutes at 60 Hz.
    pub fn from_low16(low: u16, near: Tick) -> Tick {
        let ahead = low.wrapping_sub(near.0 as u16) as i16;
        Tick(near.0.saturating_add_signed(i64::from(ahead)))
    }

    /// The 16 low bits, as the wire carries them.
    pub fn low16(self) -> u16 {
        self.0 as u16
    }
}

impl Add<u64> for Tick {
    type Output = Tick;
    fn add(self, ticks: u64) -> Tick {
        Tick(self.0 + ticks)
    }
}

impl Sub<u64> for Tick {
    type Output = Tick;
    /// Stops at tick 0.
    fn sub(self, ticks: u64) -> Tick {
        Tick(self.0.saturating_sub(ticks))
    }
}

impl fmt::Display for Tick {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Ticks in a second, within the bounds in [`crate::limits`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(try_from = "u16", into = "u16")]
pub struct TickRate(u16);

/// A tick rate outside what a match can run at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a tick rate of {0} Hz is not possible: allowed are {TICK_RATE_HZ_MIN} to {TICK_RATE_HZ_MAX}"
)]
pub struct TickRateError(u16);

impl TryFrom<u16> for TickRate {
    type Error = TickRateError;
    fn try_from(hz: u16) -> Result<Self, TickRateError> {
        if (TICK_RATE_HZ_MIN..=TICK_RATE_HZ_MAX).contains(&hz) {
            Ok(Self(hz))
        } else {
            Err(TickRateError(hz))
        }
    }
}

impl From<TickRate> for u16 {
    fn from(rate: TickRate) -> u16 {
        rate.0
    }
}

impl Default for TickRate {
    /// 60 Hz.
    fn default() -> Self {
        Self(60)
    }
}

impl TickRate {
    /// Ticks in a second.
    pub fn hz(self) -> u64 {
        u64::from(self.0)
    }

    /// How long one tick is, in seconds, as `step` uses it.
    pub fn tick_seconds(self) -> f32 {
        1.0 / f32::from(self.0)
    }

    /// From the start of the match to the start of tick number `ticks`. Computed from the number and
    /// not by adding up periods, so that a rate whose period is no whole number of nanoseconds does
    /// not drift.
    pub fn elapsed(self, ticks: u64) -> Duration {
        let hz = self.hz();
        Duration::from_secs(ticks / hz) + Duration::from_nanos(ticks % hz * 1_000_000_000 / hz)
    }

    /// One tick's length.
    pub fn period(self) -> Duration {
        self.elapsed(1)
    }

    /// The number of ticks in `duration`, rounded up and at least 1.
    pub fn ticks_in(self, duration: Duration) -> u64 {
        let ticks = (duration.as_nanos() * u128::from(self.hz())).div_ceil(1_000_000_000);
        u64::try_from(ticks).unwrap_or(u64::MAX).max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn low_bits_find_their_tick_on_both_sides_of_a_wrap() {
        for near in [0, 5, 32_767, 65_535, 65_536, 1 << 40] {
            for offset in -300_i64..300 {
                let Some(tick) = near_checked(near, offset) else { continue };
                assert_eq!(Tick::from_low16(Tick(tick).low16(), Tick(near)), Tick(tick));
            }
        }
    }

    fn near_checked(near: u64, offset: i64) -> Option<u64> {
        near.checked_add_signed(offset)
    }

    #[test]
    fn deadlines_do_not_drift() {
        let rate = TickRate::try_from(60).expect("60 Hz is allowed");
        assert_eq!(rate.elapsed(60 * 3600), Duration::from_secs(3600));
        assert_eq!(rate.ticks_in(Duration::from_millis(100)), 6);
    }

    #[test]
    fn rates_outside_the_bounds_are_refused() {
        for hz in [0, 19, 129, u16::MAX] {
            assert_eq!(TickRate::try_from(hz), Err(TickRateError(hz)));
        }
    }
}
