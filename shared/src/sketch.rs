//! A match from above: what somebody who looks at it is shown, whatever the game.
//!
//! Owns: the plain things a map is drawn from, and what is drawn for a game that says nothing about it.
//! Must not know: any game, and who draws.
//!
//! A [`Sketch`] is for a person's eyes: an operator who watches a running match, and whoever watches an old one
//! again. It is made of a copy of the state when somebody looks, and nothing of it goes back into a match.

use serde::{Deserialize, Serialize};

use crate::game::Game;
use crate::ids::Slot;
use crate::schema::{Entity, Field};
use crate::time::Tick;
use crate::world::{Audience, World};

/// A match at one tick, from above. x is to the right and y is up, in the game's units.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Sketch {
    /// What the match is doing, in a few words: `playing, 42 s left`. Empty where there is nothing to say.
    pub status: String,
    /// What is to be seen at least; without it, whatever holds all that is drawn.
    pub bounds: Option<Area>,
    /// What stands in the way. Later ones are drawn over earlier ones.
    pub walls: Vec<Wall>,
    /// What is somewhere. Later ones are drawn over earlier ones.
    pub marks: Vec<Mark>,
    /// Who plays and how well, in the order to show.
    pub scores: Vec<Score>,
}

/// A rectangle.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Area {
    /// The corner with the smallest coordinates, x and y.
    pub low: [f32; 2],
    /// The corner with the largest ones.
    pub high: [f32; 2],
}

/// Something that stands in the way.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Wall {
    /// Where.
    pub area: Area,
    /// How high it is.
    pub height: Height,
}

/// How much something stands in the way.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum Height {
    /// One can be on it: stairs, crates, a bridge.
    Low,
    /// Nobody gets over it.
    Full,
}

/// Something that is somewhere.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Mark {
    /// What sort of thing.
    pub kind: MarkKind,
    /// Where, x and y.
    pub at: [f32; 2],
    /// Where it faces, in degrees counter-clockwise from x; none where it faces nowhere.
    pub facing_degrees: Option<f32>,
    /// A name, or a word or two.
    pub label: String,
    /// Whose it is: the player's own place, or that of whoever fired it.
    pub slot: Option<Slot>,
    /// 1 or 2 and so on in a game with teams.
    pub team: Option<u8>,
}

/// The sorts of things that are drawn apart.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum MarkKind {
    /// A player who takes part.
    Player,
    /// A player who is out for now.
    Down,
    /// What flies, and hurts.
    Shot,
    /// Something to take.
    Item,
    /// Anything else.
    Other,
}

/// How well a player does.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Score {
    /// The place.
    pub slot: Slot,
    /// The name.
    pub name: String,
    /// 1 or 2 and so on in a game with teams.
    pub team: Option<u8>,
    /// What the player is ranked by.
    pub score: i64,
    /// The game's other figures by name, the most telling one first.
    pub stats: Vec<(String, i64)>,
}

impl Sketch {
    /// What is replicated of a match, for a game that does not say how it looks: a mark for each entity that is
    /// somewhere. That is an entity with fields `x` and `y`, or one that only those near it see. Its kind is its
    /// label, and a field `slot` says whose it is.
    pub fn of_entities<G: Game>(game: &G) -> Self {
        let mut world = World::default();
        world.fill::<G::Entity>(Tick(0), |writer| game.replicate(writer));
        let kinds = G::Entity::KINDS;
        let mark = |index: usize| {
            let row = world.entity(index, kinds);
            let kind = &kinds[usize::from(row.kind)];
            let field = |name: &str| -> Option<(&Field, u32)> {
                let at = kind.fields.iter().position(|field| field.name == name)?;
                Some((&kind.fields[at], row.fields[at]))
            };
            let number = |name| field(name).map(|(field, raw)| field.dequantise(raw));
            let at = match (number("x"), number("y"), world.audience(index)) {
                (Some(x), Some(y), _) => [x, y],
                (_, _, Audience::Near { at, .. }) => [at.x, at.y],
                _ => return None,
            };
            Some(Mark {
                kind: MarkKind::Other,
                at,
                facing_degrees: None,
                label: kind.name.to_owned(),
                slot: field("slot").and_then(|(_, raw)| u8::try_from(raw).ok()).map(Slot),
                team: None,
            })
        };
        let marks = (0..world.len()).filter_map(mark).collect();
        Self { marks, ..Self::default() }
    }

    /// The rectangle to draw: the bounds, and all that is drawn where there are none. `None` for nothing at all.
    pub fn extent(&self) -> Option<Area> {
        let walls = self.walls.iter().map(|wall| wall.area);
        let marks = self.marks.iter().map(|mark| Area { low: mark.at, high: mark.at });
        let is_there = |area: &Area| area.low.iter().chain(&area.high).all(|x| x.is_finite());
        self.bounds.or_else(|| walls.chain(marks).filter(is_there).reduce(Area::with))
    }
}

impl Area {
    /// The smallest rectangle that holds both.
    #[must_use]
    pub fn with(self, other: Self) -> Self {
        let pick = |pick: fn(f32, f32) -> f32, a: [f32; 2], b: [f32; 2]| {
            [pick(a[0], b[0]), pick(a[1], b[1])]
        };
        Self {
            low: pick(f32::min, self.low, other.low),
            high: pick(f32::max, self.high, other.high),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_nowhere_has_no_part_in_the_extent() {
        let at = |x: f32, y: f32| Mark {
            kind: MarkKind::Other,
            at: [x, y],
            facing_degrees: None,
            label: String::new(),
            slot: None,
            team: None,
        };
        let marks = vec![at(f32::NAN, 1.0), at(-3.0, 2.0), at(5.0, -1.0)];
        let mut sketch = Sketch { marks, ..Sketch::default() };
        assert_eq!(sketch.extent(), Some(Area { low: [-3.0, -1.0], high: [5.0, 2.0] }));
        sketch.bounds = Some(Area { low: [0.0, 0.0], high: [1.0, 1.0] });
        assert_eq!(sketch.extent(), sketch.bounds);
        assert_eq!(Sketch::default().extent(), None);
    }
}
