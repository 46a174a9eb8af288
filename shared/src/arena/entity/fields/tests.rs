//! What an entity's bits say.

use super::*;
use crate::schema::check_schema;
use proptest::prelude::*;

fn quantised(entity: &ArenaEntity) -> Vec<u32> {
    let kind = &ArenaEntity::KINDS[entity.kind()];
    let mut fields = vec![0; kind.fields.len()];
    entity.write(&mut fields);
    for (value, field) in fields.iter().zip(kind.fields) {
        assert!(*value <= field.max(), "{} {}", kind.name, field.name);
    }
    fields
}

#[test]
fn the_schema_is_sound() {
    check_schema(ArenaEntity::KINDS);
}

#[test]
fn angles_round_to_the_nearest_step_and_wrap() {
    for (angle, expected) in [(0, 0), (7, 0), (8, 16), (65_527, 65_520), (65_528, 0)] {
        assert_eq!(read_angle(write_angle(angle)), expected, "{angle}");
    }
}

proptest! {
    /// Whatever the bits, what they say is an entity, and saying it again gives the same bits.
    #[test]
    fn quantised_entities_come_back_bit_for_bit(
        kind in 0..ArenaEntity::KINDS.len(), raw in prop::collection::vec(any::<u32>(), 32)
    ) {
        let spec = ArenaEntity::KINDS[kind].fields;
        let fields: Vec<u32> =
            spec.iter().zip(raw).map(|(field, value)| value & field.max()).collect();
        let Some(entity) = ArenaEntity::read(kind, &fields) else {
            prop_assert_eq!(ArenaEntity::KINDS[kind].name, "pickup");
            return Ok(());
        };
        prop_assert_eq!(entity.kind(), kind);
        let again = quantised(&entity);
        // A clock that does not run has no seconds to keep.
        if kind != 4 || fields[1] != 0 {
            prop_assert_eq!(&again, &fields);
        }
        prop_assert_eq!(ArenaEntity::read(kind, &again), Some(entity));
    }

    #[test]
    fn a_player_comes_back_within_the_quantisation(
        position in [-4000.0_f32..4000.0, -4000.0..4000.0, -4000.0..4000.0],
        velocity in [-2000.0_f32..2000.0, -2000.0..2000.0, -2000.0..2000.0],
        yaw: u16, pitch: u16, slot in 0_u8..128, shots: u8, alive: bool,
    ) {
        let view = PlayerView {
            slot: Slot(slot), team: 2, position: position.into(), velocity: velocity.into(),
            yaw, pitch, alive, weapon: Weapon::Railgun, shots,
        };
        let fields = quantised(&ArenaEntity::Player(view.clone()));
        let back = PlayerView::read(&fields).expect("was written here");
        prop_assert!((back.position - view.position).abs().max_element() <= 0.063);
        prop_assert!((back.velocity - view.velocity).abs().max_element() <= 8.01);
        prop_assert!((back.yaw.wrapping_sub(yaw) as i16).abs() <= 8);
        prop_assert!((back.pitch.wrapping_sub(pitch) as i16).abs() <= 8);
        let rest = |view: &PlayerView| (view.slot, view.team, view.alive, view.weapon, view.shots);
        prop_assert_eq!(rest(&back), rest(&view));
    }

    #[test]
    fn ones_own_position_rounds_by_less_than_the_gap_to_a_wall(at in -4000.0_f32..4000.0) {
        let field = position_fine("x");
        let back = field.dequantise(field.quantise(at));
        prop_assert!((back - at).abs() < crate::arena::trace::CONTACT_GAP * 0.6);
    }
}
