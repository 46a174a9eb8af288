//! Sets of a world's entities, a bit each: what is the same for most entities is decided for 64 at once.

use std::ops::Range;

/// Entities of one world, by their indices in it.
#[derive(Clone, Debug, Default)]
pub(super) struct EntitySet {
    words: Vec<u64>,
}

impl EntitySet {
    /// Empties the set, for a world of so many entities.
    pub(super) fn reset(&mut self, entities: usize) {
        self.words.clear();
        self.words.resize(entities.div_ceil(64), 0);
    }

    /// Becomes the same as another set.
    pub(super) fn copy_from(&mut self, other: &Self) {
        self.words.clear();
        self.words.extend_from_slice(&other.words);
    }

    pub(super) fn insert(&mut self, entity: usize) {
        self.words[entity / 64] |= 1 << (entity % 64);
    }

    /// Without a branch, where which way it would go cannot be foreseen.
    pub(super) fn insert_if(&mut self, entity: usize, is_in: bool) {
        self.words[entity / 64] |= u64::from(is_in) << (entity % 64);
    }

    pub(super) fn remove(&mut self, entity: usize) {
        self.words[entity / 64] &= !(1 << (entity % 64));
    }

    pub(super) fn contains(&self, entity: usize) -> bool {
        self.words[entity / 64] >> (entity % 64) & 1 == 1
    }

    pub(super) fn words(&self) -> &[u64] {
        &self.words
    }

    pub(super) fn words_mut(&mut self) -> &mut [u64] {
        &mut self.words
    }

    /// How many of these indices are in the set.
    pub(super) fn count_in(&self, range: Range<usize>) -> usize {
        if range.is_empty() {
            return 0;
        }
        let (first, last) = (range.start / 64, (range.end - 1) / 64);
        let from_start = u64::MAX << (range.start % 64);
        let to_end = u64::MAX >> (63 - (range.end - 1) % 64);
        if first == last {
            return (self.words[first] & from_start & to_end).count_ones() as usize;
        }
        let between = self.words[first + 1..last].iter().map(|word| word.count_ones()).sum::<u32>();
        let ends = (self.words[first] & from_start).count_ones()
            + (self.words[last] & to_end).count_ones();
        (between + ends) as usize
    }

    /// The indices in the set, ascending.
    pub(super) fn iter(&self) -> impl Iterator<Item = usize> + '_ {
        self.words.iter().enumerate().flat_map(|(i, word)| ones(*word).map(move |bit| i * 64 + bit))
    }
}

/// The places of the ones in a word, ascending.
pub(super) fn ones(mut word: u64) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let bit = word.trailing_zeros();
        // Takes the lowest one away; of no meaning, and not used, where there is none.
        word &= word.wrapping_sub(1);
        (bit < 64).then_some(bit as usize)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use matchkeep_shared::rng::Rng;

    #[test]
    fn a_set_is_what_a_list_of_flags_is() {
        let mut rng = Rng::new(3);
        let mut set = EntitySet::default();
        for entities in [0, 1, 63, 64, 65, 200, 1024] {
            set.reset(entities);
            let mut flags = vec![false; entities];
            for _ in 0..entities {
                let (entity, is_in) = (rng.below(entities as u32) as usize, rng.below(3) > 0);
                flags[entity] = is_in;
                if is_in {
                    set.insert(entity)
                } else {
                    set.remove(entity)
                }
                assert_eq!(set.contains(entity), is_in);
            }
            let listed: Vec<usize> = set.iter().collect();
            let expected: Vec<usize> = (0..entities).filter(|i| flags[*i]).collect();
            assert_eq!(listed, expected, "{entities} entities");
            for _ in 0..50 {
                let end = rng.below(entities as u32 + 1) as usize;
                let start = rng.below(end as u32 + 1) as usize;
                let expected = flags[start..end].iter().filter(|flag| **flag).count();
                assert_eq!(set.count_in(start..end), expected, "{start}..{end} of {entities}");
            }
        }
    }
}
