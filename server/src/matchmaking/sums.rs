//! Which numbers of players some parties make up.
//!
//! Owns: the sums of sizes, as a set. Must not know: teams, and who the parties are.

use matchkeep_shared::limits::PLAYERS_PER_MATCH_MAX;

/// The sums, from 1 to [`PLAYERS_PER_MATCH_MAX`], of any of the parties in it. A sum of `n` is bit `n - 1`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Sums(u128);

const _: () = assert!(PLAYERS_PER_MATCH_MAX <= u128::BITS as usize);

impl Sums {
    /// With one party more, of 1 player or more.
    pub(super) fn with(self, size: usize) -> Self {
        let shifted = |bits: u128, by: usize| bits.checked_shl(by as u32).unwrap_or(0);
        Self(self.0 | shifted(self.0, size) | shifted(1, size - 1))
    }

    /// With so many more parties of a size.
    pub(super) fn with_many(self, size: usize, count: usize) -> Self {
        // Bundles of 1, 2, 4 and so on, and a rest, make up every number of them.
        let (mut sums, mut bundle) = (self, 1);
        let mut left = count.min(PLAYERS_PER_MATCH_MAX / size);
        while left > 0 {
            let taken = bundle.min(left);
            sums = sums.with(size * taken);
            left -= taken;
            bundle *= 2;
        }
        sums
    }

    /// The largest that is no larger than `room`; 0 where there is none.
    pub(super) fn most_within(self, room: usize) -> usize {
        let within = 1_u128.checked_shl(room as u32).map_or(u128::MAX, |bit| bit - 1);
        (u128::BITS - (self.0 & within).leading_zeros()) as usize
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn sums_go_from_one_party_to_a_whole_match() {
        let trios = Sums::default().with_many(3, 1000);
        let most: Vec<usize> = [2, 3, 16, 32, 127, 128].map(|room| trios.most_within(room)).into();
        assert_eq!(most, [0, 3, 15, 30, 126, 126]);
        assert_eq!(trios.with(2).most_within(128), 128);
        assert_eq!(Sums::default().with(128).most_within(128), 128);
        assert_eq!(Sums::default().with(128).most_within(127), 0);
        assert_eq!(Sums::default().with_many(5, 0), Sums::default());
    }

    proptest! {
        #[test]
        fn they_are_those_of_every_choice(sizes in prop::collection::vec(1..=40_usize, 0..9), room in 0..=128_usize) {
            let sum = |choice: u32| {
                let chosen = sizes.iter().enumerate().filter(|(nth, _)| choice >> nth & 1 == 1);
                chosen.map(|(_, size)| size).sum::<usize>()
            };
            let most = (0..1_u32 << sizes.len()).map(sum).filter(|sum| *sum <= room).max();
            let one_by_one = sizes.iter().fold(Sums::default(), |sums, size| sums.with(*size));
            prop_assert_eq!(Some(one_by_one.most_within(room)), most);
            let counts = (1..=40).map(|size| (size, sizes.iter().filter(|s| **s == size).count()));
            let many = counts.fold(Sums::default(), |sums, (size, n)| sums.with_many(size, n));
            prop_assert_eq!(many, one_by_one);
        }
    }
}
