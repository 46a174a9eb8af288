//! What was to be seen of a match after one tick, to be compared with what a client holds.

use std::collections::BTreeMap;

use matchkeep_shared::Game;
use matchkeep_shared::arena::ArenaEntity;
use matchkeep_shared::glam::Vec3;
use matchkeep_shared::ids::{EntityId, Epoch, Slot};
use matchkeep_shared::schema::Entity;
use matchkeep_shared::time::Tick;
use matchkeep_shared::world::{Audience, World};

use super::game::Fragile;

/// Past its radius an entity may be seen for so much further by those who saw it before.
const FRINGE: f32 = 1.13;

/// A match as its clients may see it after one tick.
#[derive(Clone, Debug)]
pub struct Visible {
    /// In which epoch.
    pub epoch: Epoch,
    /// After which tick.
    pub tick: Tick,
    entities: BTreeMap<EntityId, (ArenaEntity, Audience)>,
    viewpoints: Vec<Option<Vec3>>,
}

impl Visible {
    /// What there is to see of a game now. `world` is memory.
    pub fn of(game: &Fragile, epoch: Epoch, tick: Tick, places: usize, world: &mut World) -> Self {
        world.fill::<ArenaEntity>(tick, |writer| game.replicate(writer));
        let entity = |index: usize| {
            let row = world.entity(index, ArenaEntity::KINDS);
            let entity = ArenaEntity::read(row.kind.into(), row.fields)?;
            Some((row.id, (entity, world.audience(index))))
        };
        let entities = (0..world.len()).filter_map(entity).collect();
        let viewpoints = (0..places).map(|place| game.looks_from(Slot(place as u8))).collect();
        Self { epoch, tick, entities, viewpoints }
    }

    /// What is wrong with the view of the client in `slot`, if anything.
    pub fn check(
        &self,
        slot: Slot,
        view: impl Iterator<Item = (EntityId, ArenaEntity)>,
    ) -> Option<String> {
        let mut held = 0;
        for (id, entity) in view {
            held += 1;
            let Some((truth, audience)) = self.entities.get(&id) else {
                return Some(format!("it holds {id:?}, which is gone: {entity:?}"));
            };
            if *truth != entity {
                return Some(format!("it holds {entity:?} where there is {truth:?}"));
            }
            if self.sight(slot, audience) == Some(false) {
                return Some(format!("it holds {entity:?}, which is out of its sight"));
            }
        }
        let due =
            |(_, audience): &&(ArenaEntity, Audience)| self.sight(slot, audience) == Some(true);
        let due = self.entities.values().filter(due).count();
        (held < due).then(|| format!("it holds {held} of at least {due} entities"))
    }

    /// Whether a slot sees such an entity; `None` where it may or may not.
    fn sight(&self, slot: Slot, audience: &Audience) -> Option<bool> {
        match audience {
            Audience::Everyone => Some(true),
            Audience::Slots(slots) => Some(slots.contains(slot)),
            Audience::Near { at, radius } => {
                // Who joined after the step sees from where nobody was then.
                let viewpoint = self.viewpoints[slot.index()]?;
                let distance = at.distance(viewpoint);
                if distance <= *radius {
                    Some(true)
                } else if distance <= radius * FRINGE {
                    None
                } else {
                    Some(false)
                }
            }
        }
    }
}
