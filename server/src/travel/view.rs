//! A match at one tick as JSON.
//!
//! Owns: the shape of that document. Must not know: who looks at it, and how the tick was reached.

use matchkeep_shared::Game;
use matchkeep_shared::ids::MatchId;
use matchkeep_shared::schema::{Entity, Field};
use matchkeep_shared::world::{Audience, World};
use serde_json::{Map, Value, json};

use super::error::TravelError;
use super::playback::Playback;
use crate::matches::state::MatchState;

/// All of a match after the newest tick of a playback: `match`, `tick`, `hash`, `state` (everything that
/// decides the next step) and `entities` by ID (what is replicated, with the schema's names).
///
/// # Errors
/// [`TravelError::NoJson`] where the game's state has no such form.
///
/// # Panics
/// Where the match has not begun.
pub fn view<G: Game>(playback: &mut Playback<G>) -> Result<Value, TravelError> {
    let (_, spec) = playback.made_of().expect("the match has begun");
    view_state(spec.id, playback.state().expect("the match has begun"))
}

/// The same of a state that is at hand.
///
/// # Errors
/// [`TravelError::NoJson`] where it has no such form.
pub fn view_state<G: Game>(id: MatchId, state: &MatchState<G>) -> Result<Value, TravelError> {
    let hash = state.hash(&mut Vec::new());
    let (id, tick) = (id.to_string(), state.tick());
    let no_json = |cause: serde_json::Error| TravelError::NoJson { tick, cause: cause.to_string() };
    let whole = serde_json::to_value(state).map_err(no_json)?;
    Ok(json!({
        "match": id,
        "tick": tick.0,
        "hash": format!("{hash:016x}"),
        "state": whole,
        "entities": entities(state),
    }))
}

fn entities<G: Game>(state: &MatchState<G>) -> Value {
    let mut world = World::default();
    world.fill::<G::Entity>(state.tick(), |writer| state.game().replicate(writer));
    let mut entities = Map::new();
    for index in 0..world.len() {
        let row = world.entity(index, G::Entity::KINDS);
        let kind = &G::Entity::KINDS[usize::from(row.kind)];
        let fields = kind.fields.iter().zip(row.fields);
        let fields: Map<String, Value> =
            fields.map(|(field, raw)| (field.name.to_owned(), number(field, *raw))).collect();
        let seen_by = match world.audience(index) {
            Audience::Everyone => json!("everyone"),
            Audience::Slots(slots) => json!({ "slots": slots }),
            Audience::Near { at, radius } => {
                json!({ "at": [at.x, at.y, at.z], "radius": radius })
            }
        };
        let entity = json!({ "kind": kind.name, "fields": fields, "seen_by": seen_by });
        entities.insert(row.id.0.to_string(), entity);
    }
    Value::Object(entities)
}

/// What a client makes of a field: a whole number where it only ever is one.
fn number(field: &Field, raw: u32) -> Value {
    if field.origin.fract() == 0.0 && field.step.fract() == 0.0 {
        return json!(field.origin as i64 + i64::from(raw) * field.step as i64);
    }
    json!(field.dequantise(raw))
}
