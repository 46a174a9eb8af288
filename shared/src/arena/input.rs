//! What one player wishes for in one tick, and its bits on the wire. Knows no rules.

use crate::arena::weapon::Weapon;
use crate::game::Input;
use crate::wire::Malformed;
use crate::wire::bits::{BitReader, BitWriter};

/// What one player wishes for in one tick. At most 53 bits on the wire.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ArenaInput {
    /// Where the player looks: 65536 is a full turn, counter-clockwise from +x.
    pub yaw: u16,
    /// Where the player looks: 65536 is a full turn, positive looks down; two's complement, so that
    /// `65536 - x` looks up.
    pub pitch: u16,
    /// Running ahead, as a fraction of the run speed in 127ths; -128 is malformed.
    pub forward: i8,
    /// Running to the right, as a fraction of the run speed in 127ths; -128 is malformed.
    pub side: i8,
    /// Jump, if on the ground.
    pub jump: bool,
    /// Fire, if loaded; when dead, come back.
    pub fire: bool,
    /// Select this weapon, if held.
    pub weapon: Option<Weapon>,
}

fn read_axis(reader: &mut BitReader<'_>) -> Result<i8, Malformed> {
    match reader.read(8)? as u8 as i8 {
        i8::MIN => Err(Malformed("input: movement beyond the run speed")),
        axis => Ok(axis),
    }
}

impl Input for ArenaInput {
    fn encode(&self, writer: &mut BitWriter<'_>) {
        writer.write(u64::from(self.yaw), 16);
        writer.write(u64::from(self.pitch), 16);
        for axis in [self.forward, self.side] {
            writer.write(u64::from(axis.max(-127) as u8), 8);
        }
        writer.flag(self.jump);
        writer.flag(self.fire);
        writer.flag(self.weapon.is_some());
        if let Some(weapon) = self.weapon {
            writer.write(weapon.index() as u64, Weapon::BITS);
        }
    }

    fn decode(reader: &mut BitReader<'_>) -> Result<Self, Malformed> {
        let yaw = reader.read(16)? as u16;
        let pitch = reader.read(16)? as u16;
        let forward = read_axis(reader)?;
        let side = read_axis(reader)?;
        let jump = reader.flag()?;
        let fire = reader.flag()?;
        let weapon = if reader.flag()? {
            let index = reader.read(Weapon::BITS)? as usize;
            Some(Weapon::from_index(index).ok_or(Malformed("input: no such weapon"))?)
        } else {
            None
        };
        Ok(Self { yaw, pitch, forward, side, jump, fire, weapon })
    }

    fn held(self) -> Self {
        Self { jump: false, fire: false, weapon: None, ..self }
    }

    fn neutral(self) -> Self {
        Self { yaw: self.yaw, pitch: self.pitch, ..Self::default() }
    }

    fn add_presses(&mut self, late: &Self) {
        self.jump |= late.jump;
        self.fire |= late.fire;
        self.weapon = self.weapon.or(late.weapon);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn inputs() -> impl Strategy<Value = ArenaInput> {
        let axis = || -127_i8..=127;
        let weapon = prop::option::of((0..Weapon::ALL.len()).prop_map(|i| Weapon::ALL[i]));
        (any::<(u16, u16)>(), axis(), axis(), any::<(bool, bool)>(), weapon).prop_map(
            |((yaw, pitch), forward, side, (jump, fire), weapon)| ArenaInput {
                yaw,
                pitch,
                forward,
                side,
                jump,
                fire,
                weapon,
            },
        )
    }

    proptest! {
        #[test]
        fn an_input_comes_back_as_it_was(input in inputs()) {
            let mut bytes = Vec::new();
            let mut writer = BitWriter::new(&mut bytes);
            input.encode(&mut writer);
            prop_assert!(writer.bits_written() <= 53);
            writer.finish();
            let mut reader = BitReader::new(&bytes);
            prop_assert_eq!(ArenaInput::decode(&mut reader), Ok(input));
            prop_assert_eq!(reader.finish(), Ok(()));
        }

        #[test]
        fn random_bits_decode_to_what_is_in_range_or_not_at_all(
            bytes in prop::collection::vec(any::<u8>(), 0..10)
        ) {
            if let Ok(input) = ArenaInput::decode(&mut BitReader::new(&bytes)) {
                prop_assert!(input.forward != i8::MIN && input.side != i8::MIN);
            }
        }

        #[test]
        fn what_goes_on_without_the_player_presses_nothing(input in inputs()) {
            for quiet in [input.held(), input.neutral()] {
                prop_assert!(!quiet.jump && !quiet.fire && quiet.weapon.is_none());
                prop_assert_eq!((quiet.yaw, quiet.pitch), (input.yaw, input.pitch));
            }
            prop_assert_eq!((input.held().forward, input.held().side), (input.forward, input.side));
            prop_assert_eq!((input.neutral().forward, input.neutral().side), (0, 0));
        }
    }

    #[test]
    fn a_movement_of_minus_128_is_malformed() {
        let bytes = [0, 0, 0, 0, 0x80, 0, 0];
        assert!(ArenaInput::decode(&mut BitReader::new(&bytes)).is_err());
    }

    #[test]
    fn late_presses_are_added_and_the_newer_selection_wins() {
        let late = ArenaInput { jump: true, weapon: Some(Weapon::Railgun), ..Default::default() };
        let mut input = ArenaInput { fire: true, yaw: 7, ..Default::default() };
        input.add_presses(&late);
        assert!(input.jump && input.fire && input.yaw == 7);
        assert_eq!(input.weapon, Some(Weapon::Railgun));
        let other = ArenaInput { weapon: Some(Weapon::Shotgun), ..late };
        input.add_presses(&other);
        assert_eq!(input.weapon, Some(Weapon::Railgun));
    }
}
