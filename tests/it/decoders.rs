//! Every decoder, with bytes nobody meant and with bytes somebody meant and something damaged.

use std::sync::OnceLock;

use matchkeep_tests::corpora;
use matchkeep_tests::decoders::DECODERS;
use proptest::prelude::*;
use proptest::sample::Index;

/// The seeds of every decoder, in the order of [`DECODERS`].
fn seeds() -> &'static [Vec<Vec<u8>>] {
    static SEEDS: OnceLock<Vec<Vec<Vec<u8>>>> = OnceLock::new();
    SEEDS.get_or_init(|| DECODERS.iter().map(|(name, _)| corpora::seeds(name)).collect())
}

/// Something that happens to bytes on the way.
#[derive(Clone, Debug)]
enum Damage {
    Flip(Index, u8),
    Set(Index, u8),
    Cut(Index),
    Insert(Index, Vec<u8>),
    Remove(Index, Index),
    Double(Index),
}

fn damage() -> impl Strategy<Value = Damage> {
    let at = any::<Index>;
    prop_oneof![
        (at(), 0..8_u8).prop_map(|(at, bit)| Damage::Flip(at, bit)),
        (at(), any::<u8>()).prop_map(|(at, byte)| Damage::Set(at, byte)),
        // What numbers and lengths turn on.
        (at(), prop::sample::select(vec![0, 1, 127, 128, 250, 251, 252, 253, 254, 255]))
            .prop_map(|(at, byte)| Damage::Set(at, byte)),
        at().prop_map(Damage::Cut),
        (at(), prop::collection::vec(any::<u8>(), 1..9)).prop_map(|(at, b)| Damage::Insert(at, b)),
        (at(), at()).prop_map(|(from, to)| Damage::Remove(from, to)),
        at().prop_map(Damage::Double),
    ]
}

fn apply(bytes: &mut Vec<u8>, damage: &Damage) {
    if bytes.is_empty() {
        return;
    }
    let length = bytes.len();
    match damage {
        Damage::Flip(at, bit) => bytes[at.index(length)] ^= 1 << bit,
        Damage::Set(at, byte) => bytes[at.index(length)] = *byte,
        Damage::Cut(at) => bytes.truncate(at.index(length)),
        Damage::Insert(at, new) => {
            let at = at.index(length);
            bytes.splice(at..at, new.iter().copied());
        }
        Damage::Remove(from, to) => {
            let (a, b) = (from.index(length), to.index(length));
            bytes.drain(a.min(b)..a.max(b));
        }
        Damage::Double(at) => {
            let tail = bytes[at.index(length)..].to_vec();
            bytes.extend(tail);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_bytes_are_refused_or_taken(bytes in prop::collection::vec(any::<u8>(), 0..1500)) {
        for (_, decode) in DECODERS {
            decode(&bytes);
        }
    }

    #[test]
    fn damaged_bytes_are_refused_or_taken(
        seed in any::<Index>(), damage in prop::collection::vec(damage(), 1..6)
    ) {
        for ((_, decode), seeds) in DECODERS.iter().zip(seeds()) {
            let mut bytes = seeds[seed.index(seeds.len())].clone();
            for damage in &damage {
                apply(&mut bytes, damage);
            }
            decode(&bytes);
        }
    }

    #[test]
    fn bytes_of_one_kind_taken_for_another_are_refused_or_taken(
        of in any::<Index>(), seed in any::<Index>()
    ) {
        let seeds = &seeds()[of.index(seeds().len())];
        let bytes = &seeds[seed.index(seeds.len())];
        for (_, decode) in DECODERS {
            decode(bytes);
        }
    }
}
