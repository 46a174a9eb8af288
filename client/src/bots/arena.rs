//! The bots that play the arena: which brain is behind which kind. Knows no network.

mod aim_check;
mod columns;
mod fight;
mod goals;
mod gunner;
mod legs;
mod navigation;
mod senses;
mod survey;
#[cfg(test)]
mod tests;
mod trace;

use matchkeep_shared::arena::{Arena, ArenaConfig, ArenaEntity, ArenaInput};
use matchkeep_shared::ids::{EntityId, Slot};
use matchkeep_shared::time::Tick;

use super::{BotKind, Brain, BrainStart, Playable};
use fight::Fight;
use trace::Trace;

impl Playable for Arena {
    fn score(entity: &ArenaEntity) -> Option<(Slot, i64)> {
        match entity {
            ArenaEntity::Score(score) => Some((score.slot, i64::from(score.frags))),
            _ => None,
        }
    }

    /// None for a recorded player that the recording does not have.
    fn brain(kind: &BotKind, start: BrainStart<'_, ArenaConfig>) -> Option<Box<dyn Brain<Self>>> {
        Some(match kind {
            BotKind::Fight => Box::new(Fight::new(start)),
            BotKind::Trace { recording, player } => {
                Box::new(Trace::new(recording.clone(), *player, start)?)
            }
            BotKind::Idle => Box::new(Idle),
        })
    }
}

/// Stands there. When dead the arena brings it back by itself.
struct Idle;

impl Brain<Arena> for Idle {
    fn see(&mut self, _: Tick, _: &mut dyn Iterator<Item = (EntityId, ArenaEntity)>) {}

    fn decide(&mut self, _: Tick) -> ArenaInput {
        ArenaInput::default()
    }
}
