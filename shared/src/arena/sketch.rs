//! The arena from above, for people who watch. Knows no rules, and changes nothing.

use glam::Vec3;

use crate::arena::movement::{BODY_MAXS, BODY_MINS};
use crate::arena::phase::Phase;
use crate::arena::pickup::PickupKind;
use crate::arena::player::Player;
use crate::arena::{Arena, Map, Solid};
use crate::ids::Slot;
use crate::sketch::{Area, Height, Mark, MarkKind, Score, Sketch, Wall};

/// Degrees for each step of a view angle.
const DEGREES_PER_STEP: f32 = 360.0 / 65536.0;

impl Arena {
    /// Walls, who and what is where, and the score.
    pub(super) fn seen_from_above(&self) -> Sketch {
        let map = &self.config.map;
        let (low, high) = map.bounds();
        let spots = self.pickups.iter().zip(map.pickups());
        let items = spots.filter(|(pickup, _)| pickup.back_at.is_none()).map(|(_, spot)| Mark {
            kind: MarkKind::Item,
            at: flat(spot.at),
            facing_degrees: None,
            label: name(spot.kind).to_owned(),
            slot: None,
            team: None,
        });
        let shots = self.rockets.values().map(|rocket| Mark {
            kind: MarkKind::Shot,
            at: flat(rocket.position),
            facing_degrees: Some(
                libm::atan2f(rocket.velocity.y, rocket.velocity.x).to_degrees().rem_euclid(360.0),
            ),
            label: "rocket".to_owned(),
            slot: Some(rocket.owner),
            team: None,
        });
        let players = self.present().map(|(slot, player)| mark(slot, player));
        Sketch {
            status: self.status(),
            bounds: Some(Area { low: flat(low), high: flat(high) }),
            walls: walls(map),
            marks: items.chain(shots).chain(players).collect(),
            scores: self.scores(),
        }
    }

    fn status(&self) -> String {
        let clock = self.clock();
        let phase = match clock.phase {
            Phase::Warmup => "warm-up",
            Phase::Countdown => "countdown",
            Phase::Playing => "playing",
            Phase::Ended => "ended",
        };
        let left = clock.seconds_left.map(|seconds| format!(", {seconds} s left"));
        let frags = (clock.frag_limit > 0).then(|| format!(", to {} frags", clock.frag_limit));
        format!("{phase}{}{}", left.unwrap_or_default(), frags.unwrap_or_default())
    }

    /// Everyone who is there, best first.
    fn scores(&self) -> Vec<Score> {
        let score = |(slot, player): (Slot, &Player)| Score {
            slot,
            name: player.info.name.clone(),
            team: (player.team > 0).then_some(player.team),
            score: player.stats.frags.into(),
            stats: vec![
                ("deaths".to_owned(), player.stats.deaths.into()),
                ("health".to_owned(), player.health.into()),
                ("armour".to_owned(), player.armour.into()),
            ],
        };
        let mut scores: Vec<Score> = self.present().map(score).collect();
        scores.sort_by_key(|score| (std::cmp::Reverse(score.score), score.slot));
        scores
    }
}

fn mark(slot: Slot, player: &Player) -> Mark {
    Mark {
        kind: if player.is_alive() { MarkKind::Player } else { MarkKind::Down },
        at: flat(player.body.position),
        facing_degrees: Some(f32::from(player.yaw) * DEGREES_PER_STEP),
        label: player.info.name.clone(),
        slot: Some(slot),
        team: (player.team > 0).then_some(player.team),
    }
}

/// What stands on the ground or hangs low enough to stand on. From above a ceiling would hide everything, and
/// what is above a door would close it: such are left out.
fn walls(map: &Map) -> Vec<Wall> {
    let feet = map.spawns().iter().map(|spawn| spawn.at.z + BODY_MINS.z);
    let ground = feet.clone().fold(f32::INFINITY, f32::min);
    let spots = map.pickups().iter().map(|pickup| pickup.at.z);
    let top = feet.chain(spots).fold(ground, f32::max);
    let head = ground + BODY_MAXS.z - BODY_MINS.z;
    let height = |solid: &Solid| match (solid.min.z < head, solid.max.z > top) {
        _ if solid.max.z <= ground => None,
        (true, true) => Some(Height::Full),
        (_, false) => Some(Height::Low),
        (false, true) => None,
    };
    let wall = |solid: &Solid| {
        let area = Area { low: flat(solid.min), high: flat(solid.max) };
        Some(Wall { area, height: height(solid)? })
    };
    let mut walls: Vec<Wall> = map.boxes().iter().filter_map(wall).collect();
    walls.sort_by_key(|wall| wall.height == Height::Full);
    walls
}

fn flat(at: Vec3) -> [f32; 2] {
    [at.x, at.y]
}

fn name(kind: PickupKind) -> &'static str {
    match kind {
        PickupKind::Health => "health",
        PickupKind::MegaHealth => "mega health",
        PickupKind::Armour => "armour",
        PickupKind::HeavyArmour => "heavy armour",
        PickupKind::Shotgun => "shotgun",
        PickupKind::RocketLauncher => "rocket launcher",
        PickupKind::Railgun => "railgun",
        PickupKind::Bullets => "bullets",
        PickupKind::Shells => "shells",
        PickupKind::Rockets => "rockets",
        PickupKind::Slugs => "slugs",
    }
}
