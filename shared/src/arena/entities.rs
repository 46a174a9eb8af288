//! A [`SlotMap`] whose keys do not depend on whether it went through serde. Knows no game.
//!
//! A `SlotMap` hands out vacant places last-removed-first; deserialising it builds that list anew, the
//! highest place first. So a match restored from a checkpoint would give its next entity another key,
//! and iterate in another order, than the match that went on: from there on their states differ. Here
//! every removal ends with the list in the order that deserialising gives.

use serde::{Deserialize, Serialize};
use slotmap::{Key, SlotMap};

/// Values by key; iterates in the order of places.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(bound(
    serialize = "K: Key, V: Serialize",
    deserialize = "K: Key, V: serde::de::DeserializeOwned"
))]
pub(crate) struct Entities<K: Key, V> {
    map: SlotMap<K, V>,
    /// Places the map has, taken or vacant; it does not tell.
    places: usize,
    #[serde(skip)]
    scratch: Vec<K>,
}

impl<K: Key, V> Default for Entities<K, V> {
    fn default() -> Self {
        Self { map: SlotMap::with_key(), places: 0, scratch: Vec::new() }
    }
}

impl<K: Key, V: Copy> Entities<K, V> {
    pub(crate) fn insert(&mut self, value: V) -> K {
        let key = self.map.insert(value);
        self.places = self.places.max(self.map.len());
        key
    }

    pub(crate) fn values(&self) -> impl Iterator<Item = &V> {
        self.map.values()
    }

    /// Removes what `keep` does not want. The only way to remove, so that the order of vacant places is
    /// canonical between any two calls.
    pub(crate) fn retain(&mut self, mut keep: impl FnMut(&mut V) -> bool) {
        let mut removed = None;
        self.map.retain(|_, value| {
            let keep = keep(value);
            if !keep {
                removed = Some(*value);
            }
            keep
        });
        if let Some(filler) = removed {
            self.order_vacant(filler);
        }
    }

    /// Takes every vacant place and gives them back in ascending order: the highest is then handed out
    /// first, as after deserialising.
    fn order_vacant(&mut self, filler: V) {
        while self.map.len() < self.places {
            self.scratch.push(self.map.insert(filler));
        }
        // The low half of a key is its place.
        self.scratch.sort_unstable_by_key(|key| key.data().as_ffi() as u32);
        for key in self.scratch.drain(..) {
            self.map.remove(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encoding;
    use crate::rng::Rng;
    use slotmap::DefaultKey;

    type Numbers = Entities<DefaultKey, u32>;

    fn through_serde(entities: &Numbers) -> Numbers {
        let bytes = encoding::encode(entities);
        encoding::decode::<_, 65_536>("entities", &bytes).expect("was encoded here")
    }

    #[test]
    fn a_copy_that_went_through_serde_gives_out_the_same_keys() {
        let mut rng = Rng::new(1);
        let mut original = Numbers::default();
        let mut copy = Numbers::default();
        for round in 0..2000 {
            if rng.below(5) < 3 {
                assert_eq!(original.insert(round), copy.insert(round), "round {round}");
            } else {
                let (a, b) = (rng.below(7), rng.below(3));
                original.retain(|value| *value % 7 != a && *value % 3 != b);
                copy.retain(|value| *value % 7 != a && *value % 3 != b);
            }
            if rng.below(3) == 0 {
                copy = through_serde(&copy);
            }
            assert!(original.values().eq(copy.values()), "round {round}");
            assert_eq!(encoding::encode(&original), encoding::encode(&copy), "round {round}");
        }
    }

    /// The trap itself: should slotmap ever mend it, this wrapper can go.
    #[test]
    fn a_bare_slot_map_that_went_through_serde_gives_out_other_keys() {
        let mut original = SlotMap::<DefaultKey, u32>::with_key();
        let keys: Vec<_> = (0..4).map(|i| original.insert(i)).collect();
        original.remove(keys[2]);
        original.remove(keys[0]);
        let bytes = encoding::encode(&original);
        let mut copy: SlotMap<DefaultKey, u32> =
            encoding::decode::<_, 4096>("map", &bytes).expect("was encoded here");
        assert_ne!(original.insert(9), copy.insert(9));
    }

    #[test]
    fn places_are_used_again() {
        let mut entities = Numbers::default();
        for round in 0..100 {
            entities.insert(round);
            entities.insert(round);
            entities.retain(|_| false);
        }
        assert_eq!((entities.map.len(), entities.places), (0, 2));
    }
}
