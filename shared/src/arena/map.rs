//! The map: solid boxes, places to spawn, things to pick up; checked when it is read. Knows no player.

#[cfg(test)]
pub(crate) mod tests;

use glam::Vec3;
use serde::{Deserialize, Serialize};

use crate::arena::grid::Grid;
use crate::arena::movement::{BODY_MAXS, BODY_MINS};
use crate::arena::pickup::PickupKind;
use crate::arena::trace::{Sweep, Trace};
use crate::limits::{MAP_FILE_BYTES_MAX, NAME_BYTES_MAX};

/// Solid boxes in one map.
pub const MAP_BOXES_MAX: usize = 1024;
/// Places to spawn in one map.
pub const MAP_SPAWNS_MAX: usize = 128;
/// Things to pick up in one map.
pub const MAP_PICKUPS_MAX: usize = 256;
/// How far from the origin a map may reach on each axis, in units; positions on the wire reach a
/// little further.
pub const MAP_REACH_MAX: f32 = 4000.0;
/// The longest time until a thing lies there again, in seconds.
pub const PICKUP_RESPAWN_SECONDS_MAX: u16 = 600;

const DUEL: &str = include_str!("../../maps/duel.toml");
const LARGE: &str = include_str!("../../maps/large.toml");

/// A solid, axis-aligned box. What is not in one is air.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Solid {
    /// The corner with the smallest coordinates.
    pub min: Vec3,
    /// The corner with the largest coordinates.
    pub max: Vec3,
}

/// A place where a player can come in.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spawn {
    /// The player's origin, 24 units above the feet.
    pub at: Vec3,
    /// Where the place faces, 65536 to the full turn; for clients: the server turns no view.
    pub yaw: u16,
}

/// A thing to pick up.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PickupSpot {
    /// What lies there.
    pub kind: PickupKind,
    /// Where; about 16 units above the floor.
    pub at: Vec3,
    /// Seconds from being taken to lying there again.
    pub respawn: u16,
}

/// A map as it is written and sent.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct MapData {
    name: String,
    #[serde(deserialize_with = "crate::encoding::list")]
    boxes: Vec<Solid>,
    #[serde(deserialize_with = "crate::encoding::list")]
    spawns: Vec<Spawn>,
    #[serde(deserialize_with = "crate::encoding::list")]
    pickups: Vec<PickupSpot>,
}

/// A map, checked and indexed.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "MapData")]
pub struct Map {
    data: MapData,
    low: Vec3,
    high: Vec3,
    grid: Grid,
}

/// Why a map cannot be played.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum MapError {
    /// The file is too large.
    #[error("the map has {0} bytes, allowed are {MAP_FILE_BYTES_MAX}")]
    Size(usize),
    /// The file is not the TOML of a map.
    #[error("{0}")]
    Syntax(String),
    /// The map's name cannot be used.
    #[error("name: allowed are 1 to {NAME_BYTES_MAX} of a-z, 0-9 and -")]
    Name,
    /// Too few or too many of something.
    #[error("{what}: {count}, allowed are 1 to {max}")]
    Count {
        /// What was counted.
        what: &'static str,
        /// How many there are.
        count: usize,
        /// How many there may be.
        max: usize,
    },
    /// One entry is wrong.
    #[error("{what}[{index}]: {why}")]
    Entry {
        /// The list.
        what: &'static str,
        /// The entry's number, from 0.
        index: usize,
        /// What is wrong with it.
        why: &'static str,
    },
}

impl Map {
    /// Reads a map from its TOML.
    ///
    /// # Errors
    /// [`MapError`] names what is wrong.
    pub fn parse(text: &str) -> Result<Self, MapError> {
        if text.len() > MAP_FILE_BYTES_MAX {
            return Err(MapError::Size(text.len()));
        }
        let data: MapData = toml::from_str(text).map_err(|e| MapError::Syntax(e.to_string()))?;
        Self::try_from(data)
    }

    /// The TOML of a map that ships with the game: `duel` (2 to 4 players) or `large` (up to 16).
    pub fn builtin(name: &str) -> Option<&'static str> {
        match name {
            "duel" => Some(DUEL),
            "large" => Some(LARGE),
            _ => None,
        }
    }

    /// The map's name.
    pub fn name(&self) -> &str {
        &self.data.name
    }

    /// Everything solid.
    pub fn boxes(&self) -> &[Solid] {
        &self.data.boxes
    }

    /// Where players come in.
    pub fn spawns(&self) -> &[Spawn] {
        &self.data.spawns
    }

    /// What can be picked up, and where.
    pub fn pickups(&self) -> &[PickupSpot] {
        &self.data.pickups
    }

    /// The smallest and the largest corner of all that is solid.
    pub fn bounds(&self) -> (Vec3, Vec3) {
        (self.low, self.high)
    }

    /// Sweeps the box `mins..maxs`, given relative to its origin, from `start` to `end`.
    pub fn trace_box(&self, start: Vec3, end: Vec3, mins: Vec3, maxs: Vec3) -> Trace {
        let mut sweep = Sweep::new(start, end, mins, maxs);
        self.grid.sweep(&self.data.boxes, start, end, &mut sweep);
        sweep.finish()
    }

    /// Follows a line from `start` to `end`.
    pub fn trace_line(&self, start: Vec3, end: Vec3) -> Trace {
        self.trace_box(start, end, Vec3::ZERO, Vec3::ZERO)
    }

    /// Whether a player whose origin is at `at` would stick in something solid.
    pub fn is_stuck(&self, at: Vec3) -> bool {
        self.trace_box(at, at, BODY_MINS, BODY_MAXS).start_solid
    }
}

impl Serialize for Map {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.data.serialize(serializer)
    }
}

/// Whether a point is one, and on the map.
fn in_reach(point: Vec3) -> bool {
    // Written so that NaN is not in reach.
    point.abs().cmple(Vec3::splat(MAP_REACH_MAX)).all()
}

impl TryFrom<MapData> for Map {
    type Error = MapError;

    fn try_from(data: MapData) -> Result<Self, MapError> {
        let named = (1..=NAME_BYTES_MAX).contains(&data.name.len())
            && data.name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        if !named {
            return Err(MapError::Name);
        }
        let count = |what, count, min: usize, max| {
            let allowed = (min..=max).contains(&count);
            if allowed { Ok(()) } else { Err(MapError::Count { what, count, max }) }
        };
        count("boxes", data.boxes.len(), 1, MAP_BOXES_MAX)?;
        count("spawns", data.spawns.len(), 1, MAP_SPAWNS_MAX)?;
        count("pickups", data.pickups.len(), 0, MAP_PICKUPS_MAX)?;

        let mut low = Vec3::INFINITY;
        let mut high = Vec3::NEG_INFINITY;
        for (index, solid) in data.boxes.iter().enumerate() {
            let error = |why| MapError::Entry { what: "boxes", index, why };
            if !in_reach(solid.min) || !in_reach(solid.max) {
                return Err(error("a corner is further than 4000 units from the origin"));
            }
            if !solid.min.cmplt(solid.max).all() {
                return Err(error("min must be below max on every axis"));
            }
            low = low.min(solid.min);
            high = high.max(solid.max);
        }
        let grid = Grid::new(&data.boxes, low, high);
        let map = Self { data, low, high, grid };
        map.check_entries()?;
        Ok(map)
    }
}

impl Map {
    fn check_entries(&self) -> Result<(), MapError> {
        for (index, spawn) in self.spawns().iter().enumerate() {
            let error = |why| MapError::Entry { what: "spawns", index, why };
            if !in_reach(spawn.at) {
                return Err(error("further than 4000 units from the origin"));
            }
            if self.is_stuck(spawn.at) {
                return Err(error("a player there would stick in a box"));
            }
        }
        for (index, pickup) in self.pickups().iter().enumerate() {
            let error = |why| MapError::Entry { what: "pickups", index, why };
            if !in_reach(pickup.at) {
                return Err(error("further than 4000 units from the origin"));
            }
            if self.trace_line(pickup.at, pickup.at).start_solid {
                return Err(error("inside a box"));
            }
            if !(1..=PICKUP_RESPAWN_SECONDS_MAX).contains(&pickup.respawn) {
                return Err(error("respawn: allowed are 1 to 600 seconds"));
            }
        }
        Ok(())
    }
}

/// The map that serves a match of so many places where the operator named none.
pub(crate) fn default_name(players_max: usize) -> &'static str {
    if players_max <= 4 { "duel" } else { "large" }
}
