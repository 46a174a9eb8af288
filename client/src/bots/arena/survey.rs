//! Finds out where players can stand on a map and how they get from one place to the next, by letting
//! a body try it. Knows the map and movement, no bots.

use matchkeep_shared::arena::movement::{self, BODY_MAXS, BODY_MINS, Body, RUN_SPEED, Wish};
use matchkeep_shared::arena::{Map, view};
use matchkeep_shared::glam::Vec3;

use super::columns::Columns;
use super::navigation::{Place, Way};

/// Places of one map; the rest of a larger one is not surveyed.
const PLACES_MAX: usize = 32_768;
/// Ways from one place.
const WAYS_MAX: usize = 32;
/// A player's origin above the feet, and a little more than a sweep stays away.
const STANDING: f32 = 24.0625;
/// The highest thing that is jumped on, in units: what a jump reaches, less what it takes to get over
/// the edge.
const JUMP_HEIGHT: f32 = 44.0;
/// The highest stair that is walked up, and a bit.
const STEP: f32 = 18.0;
/// A body's try is followed in steps of this length, in seconds,
const TRY_STEP: f32 = 0.05;
/// and given up after so many.
const TRY_STEPS_MAX: u32 = 30;
/// A body stands so long, in seconds, before it takes what is in its way for a thing to jump on.
const RUN_UP: f32 = 0.15;

/// Where in a column a body is put, from its middle, until it does not stick in a wall.
const NUDGES: [(f32, f32); 9] = [
    (0.0, 0.0),
    (17.0, 0.0),
    (-17.0, 0.0),
    (0.0, 17.0),
    (0.0, -17.0),
    (17.0, 17.0),
    (17.0, -17.0),
    (-17.0, 17.0),
    (-17.0, -17.0),
];

/// What was found.
#[derive(Debug)]
pub(super) struct Survey {
    /// Origins of players who stand there.
    pub(super) places: Vec<Vec3>,
    ways: Vec<Way>,
    /// By place: where its ways begin; one more at the end.
    first_way: Vec<u32>,
    /// By pick-up: the place where it is taken.
    pub(super) pickups: Vec<Option<Place>>,
    columns: Columns,
    /// By column: where its places begin; one more at the end.
    first_place: Vec<u16>,
}

impl Survey {
    /// About how far it is from one place to the next, in units.
    pub(super) fn spacing(&self) -> f32 {
        self.columns.spacing
    }

    /// The ways from a place.
    pub(super) fn ways(&self, from: Place) -> &[Way] {
        let from = usize::from(from.0);
        &self.ways[self.first_way[from] as usize..self.first_way[from + 1] as usize]
    }

    /// The places around a point, at any height.
    pub(super) fn near(&self, at: Vec3) -> impl Iterator<Item = Place> {
        let places = |column: usize| self.first_place[column]..self.first_place[column + 1];
        self.columns.around(at).flat_map(places).map(Place)
    }
}

/// Surveys a map: everything that players can get to from where they come in.
pub(super) fn survey(map: &Map) -> Survey {
    let columns = Columns::new(map);
    let mut stands = find_stands(map, &columns);
    let column = |at: &Vec3| columns.number(*at);
    stands.sort_by_key(|at| (column(at), at.to_array().map(f32::to_bits)));
    stands.dedup();
    stands.truncate(PLACES_MAX);
    let index = |stands: &[Vec3]| -> Vec<u16> {
        let first = |c| stands.partition_point(|at| column(at) < c) as u16;
        (0..=columns.count()).map(first).collect()
    };
    let first_stand = index(&stands);

    // Outwards from where players come in, so that nothing is spent on the tops of walls.
    let mut open: Vec<usize> = Vec::new();
    let mut ways: Vec<Option<Vec<(usize, u16)>>> = vec![None; stands.len()];
    for spawn in map.spawns() {
        let stand = stand_below(map, spawn.at);
        open.extend(stands.iter().position(|at| Some(*at) == stand));
    }
    while let Some(from) = open.pop() {
        if ways[from].is_some() {
            continue;
        }
        let around = columns.around(stands[from]);
        let near = around.flat_map(|c| first_stand[c]..first_stand[c + 1]).map(usize::from);
        let leads = near.filter(|to| *to != from).filter_map(|to| {
            // On the level it is the same way back.
            if let Some(back) = ways[to].as_ref().filter(|_| stands[from].z == stands[to].z) {
                let cost = back.iter().find(|(back, _)| *back == from)?.1;
                return Some((to, cost));
            }
            let seconds = seconds(map, stands[from], stands[to], columns.spacing)?;
            Some((to, (seconds * 1000.0) as u16))
        });
        let found: Vec<_> = leads.take(WAYS_MAX).collect();
        open.extend(found.iter().map(|(to, _)| *to));
        ways[from] = Some(found);
    }
    gather(map, columns, &stands, &ways, index)
}

/// Keeps what was reached.
fn gather(
    map: &Map,
    columns: Columns,
    stands: &[Vec3],
    ways: &[Option<Vec<(usize, u16)>>],
    index: impl Fn(&[Vec3]) -> Vec<u16>,
) -> Survey {
    let reached = || ways.iter().enumerate().filter_map(|(i, ways)| Some((i, ways.as_ref()?)));
    let mut number = vec![None; stands.len()];
    for (place, (stand, _)) in reached().enumerate() {
        number[stand] = Some(Place(place as u16));
    }
    let places: Vec<Vec3> = reached().map(|(stand, _)| stands[stand]).collect();
    let mut all = Vec::new();
    let mut first_way = vec![0];
    for (_, ways) in reached() {
        let way = |(to, cost): &(usize, u16)| Some(Way { to: number[*to]?, cost: *cost });
        all.extend(ways.iter().filter_map(way));
        first_way.push(all.len() as u32);
    }
    let pickups = map.pickups().iter().map(|pickup| {
        let stand = stand_below(map, pickup.at + Vec3::Z * 16.0)?;
        let stand = stands.iter().position(|at| *at == stand)?;
        number[stand]
    });
    let pickups = pickups.collect();
    let first_place = index(&places);
    Survey { places, ways: all, first_way, pickups, columns, first_place }
}

/// Where a player could stand: on every floor in the middle of every column, at every pick-up and
/// where players come in.
fn find_stands(map: &Map, columns: &Columns) -> Vec<Vec3> {
    let mut stands = Vec::new();
    // The heights of those in each column: one is enough for the stairs in it.
    let mut by_column: Vec<Vec<f32>> = vec![Vec::new(); columns.count()];
    for solid in map.boxes() {
        for column in columns.between(solid.min, solid.max) {
            let middle = columns.middle(column);
            let stand = NUDGES.iter().find_map(|(x, y)| {
                // From a step higher: on stairs a body also stands on the next one.
                let at = (middle + Vec3::new(*x, *y, 0.0)).with_z(solid.max.z + STANDING + STEP);
                let over = at.cmpge(solid.min) & at.cmple(solid.max);
                (over.x && over.y).then(|| stand_below(map, at)).flatten()
            });
            let is_new =
                |at: &Vec3| !by_column[column].iter().any(|z| (z - at.z).abs() < 2.0 * STEP);
            if let Some(at) = stand.filter(is_new) {
                by_column[column].push(at.z);
                stands.push(at);
            }
        }
    }
    stands.extend(map.pickups().iter().filter_map(|p| stand_below(map, p.at + Vec3::Z * 16.0)));
    stands.extend(map.spawns().iter().filter_map(|spawn| stand_below(map, spawn.at)));
    stands
}

/// The place to stand below a point, at most a pick-up's reach away.
fn stand_below(map: &Map, at: Vec3) -> Option<Vec3> {
    let down = map.trace_box(at, at - Vec3::Z * 48.0, BODY_MINS, BODY_MAXS);
    (!down.start_solid && down.normal.z > 0.0).then_some(down.end)
}

/// Whether a player could move from `from` to `to` in a straight line, over steps.
pub(super) fn is_clear(map: &Map, from: Vec3, to: Vec3) -> bool {
    let up = Vec3::Z * STEP;
    let high = from.z.max(to.z);
    let (from, to) = (from.with_z(high) + up, to.with_z(high) + up);
    !map.trace_box(from, to, BODY_MINS, BODY_MAXS).hit()
}

/// How long it takes to run from one place to a neighbouring one; `None` where that does not lead
/// there.
fn seconds(map: &Map, from: Vec3, to: Vec3, spacing: f32) -> Option<f32> {
    let way = to - from;
    let distance = way.truncate().length();
    if distance > 1.75 * spacing || way.z > JUMP_HEIGHT.max(distance * 0.75) {
        return None;
    }
    let hits = |from, to| map.trace_box(from, to, BODY_MINS, BODY_MAXS).hit();
    if way.z.abs() < 1.0 {
        let middle = from + way / 2.0;
        if !hits(from, to) && hits(middle, middle - Vec3::Z * STEP) {
            return Some(distance / RUN_SPEED);
        }
    }
    // Over whatever is in between: up, across and down. This sorts out the walls.
    let top = from.z.max(to.z) + if way.z.abs() < 1.0 { JUMP_HEIGHT } else { 0.5 };
    if hits(from.with_z(top), to.with_z(top)) {
        return None;
    }
    attempt(map, from, to)
}

/// Lets a body run from `from` to `to`, jumping at what is in the way.
fn attempt(map: &Map, from: Vec3, to: Vec3) -> Option<f32> {
    let mut body = Body { position: from, on_ground: true, ..Body::default() };
    let mut standing = 0.0;
    for step in 1..=TRY_STEPS_MAX {
        let way = (to - body.position).with_z(0.0);
        let slow = body.velocity.dot(way.normalize_or_zero()) < RUN_SPEED / 4.0;
        standing = if body.on_ground { standing + TRY_STEP } else { 0.0 };
        let jump = slow && standing > RUN_UP;
        let wish = Wish { yaw: view::angles(way).0, forward: 1.0, side: 0.0, jump };
        movement::advance(map, &mut body, &wish, TRY_STEP);
        let left = to - body.position;
        if body.on_ground && left.truncate().length() < 20.0 && left.z.abs() < 4.0 {
            return Some(step as f32 * TRY_STEP);
        }
        if body.on_ground && left.z > JUMP_HEIGHT && to.z > from.z {
            return None;
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bots::arena::navigation::Navigation;

    fn map(name: &str) -> Map {
        Map::parse(Map::builtin(name).expect("is there")).expect("is sound")
    }

    #[test]
    fn everything_on_the_shipped_maps_can_be_reached_from_everywhere() {
        for name in ["duel", "large"] {
            let map = map(name);
            let navigation = Navigation::new(&map);
            for (index, pickup) in map.pickups().iter().enumerate() {
                let to = navigation.pickup(index).unwrap_or_else(|| panic!("{name}: {pickup:?}"));
                for spawn in map.spawns() {
                    let from = navigation.locate(spawn.at, Some(&map)).expect("on the map");
                    let seconds = navigation.seconds(from, to);
                    assert!(seconds.is_some_and(|s| s < 30.0), "{name}: {spawn:?} to {pickup:?}");
                }
            }
        }
    }
}
