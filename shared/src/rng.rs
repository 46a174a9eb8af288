//! The generator that lives inside a game's state. `step` draws from nothing else.

use serde::{Deserialize, Serialize};

/// PCG32 (O'Neill 2014, XSH-RR): 64 bits of state, 32 bits a draw, the same everywhere.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rng {
    state: u64,
}

const MULTIPLIER: u64 = 6_364_136_223_846_793_005;
const INCREMENT: u64 = 1_442_695_040_888_963_407;

impl Rng {
    /// A generator whose draws depend on `seed` alone.
    pub fn new(seed: u64) -> Self {
        let mut rng = Self { state: seed.wrapping_add(INCREMENT) };
        rng.next_u32();
        rng
    }

    /// 32 random bits.
    pub fn next_u32(&mut self) -> u32 {
        let old = self.state;
        self.state = old.wrapping_mul(MULTIPLIER).wrapping_add(INCREMENT);
        let mixed = (((old >> 18) ^ old) >> 27) as u32;
        mixed.rotate_right((old >> 59) as u32)
    }

    /// A number in `0..bound`; 0 where `bound` is 0. The bias is below `bound / 2^32`.
    pub fn below(&mut self, bound: u32) -> u32 {
        ((u64::from(self.next_u32()) * u64::from(bound)) >> 32) as u32
    }

    /// A number in `0.0..1.0`, one of 2^24.
    pub fn unit(&mut self) -> f32 {
        (self.next_u32() >> 8) as f32 / (1 << 24) as f32
    }

    /// A number in `low..high`.
    pub fn range(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * self.unit()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_same_numbers_everywhere() {
        let mut rng = Rng::new(42);
        let drawn: Vec<u32> = (0..4).map(|_| rng.next_u32()).collect();
        let mut again = Rng::new(42);
        assert_eq!(drawn, (0..4).map(|_| again.next_u32()).collect::<Vec<_>>());
        assert_ne!(drawn[0], Rng::new(43).next_u32());
    }

    #[test]
    fn draws_stay_in_their_range() {
        let mut rng = Rng::new(7);
        for _ in 0..10_000 {
            assert!(rng.below(6) < 6);
            assert!((0.0..1.0).contains(&rng.unit()));
            assert!((-2.0..3.0).contains(&rng.range(-2.0, 3.0)));
        }
        assert_eq!(rng.below(0), 0);
    }
}
