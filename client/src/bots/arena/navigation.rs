//! Where bots can go on a map: places to stand, ways between them, and the next step towards each
//! destination. Made once for a map and shared by all bots. Knows no player.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use matchkeep_shared::arena::Map;
use matchkeep_shared::encoding;
use matchkeep_shared::glam::Vec3;

use super::survey::{self, Survey};

/// Maps whose navigation is kept; one more drops the oldest. Bots that use it keep it alive.
const KEPT_MAX: usize = 16;
/// The side of a region, in units. A bot looks for an enemy region by region.
const REGION: f32 = 256.0;
/// The height of a region, in units.
const REGION_HEIGHT: f32 = 96.0;

/// A place to stand.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Place(pub(super) u16);

/// A place that bots have reason to go to: a pick-up, or a region.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Destination(u16);

/// A way from one place to another.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Way {
    pub(super) to: Place,
    /// In milliseconds.
    pub(super) cost: u16,
}

/// The places of a map and the ways between them.
#[derive(Debug)]
pub(super) struct Navigation {
    survey: Survey,
    /// The ways to each place, by it: where from, and the number among the ways from there.
    arrivals: Vec<Vec<(Place, u8)>>,
    destinations: Vec<Place>,
    /// By pick-up.
    pickups: Vec<Option<Destination>>,
    /// By place: its region's destination.
    regions: Vec<Destination>,
    /// By destination, made when somebody first goes there.
    routes: Vec<OnceLock<Box<[Step]>>>,
}

/// The first step from a place towards a destination.
#[derive(Clone, Copy, Debug)]
struct Step {
    /// To the destination, in milliseconds; `UNREACHED` where there is no way.
    cost: u16,
    /// The number among the ways from the place.
    way: u8,
}

const UNREACHED: u16 = u16::MAX;

impl Navigation {
    /// The navigation of a map; made at the first call for a map of this content.
    pub(super) fn of(map: &Map) -> Arc<Self> {
        static KNOWN: Mutex<Vec<(u64, Arc<Navigation>)>> = Mutex::new(Vec::new());
        let key = encoding::hash_bytes(&encoding::encode(map));
        // Locked while one is made: whoever waits would otherwise make the same. What panicked did not
        // change the list.
        let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, navigation)) = known.iter().find(|(known, _)| *known == key) {
            return navigation.clone();
        }
        let navigation = Arc::new(Self::new(map));
        if known.len() == KEPT_MAX {
            known.remove(0);
        }
        known.push((key, navigation.clone()));
        navigation
    }

    pub(super) fn new(map: &Map) -> Self {
        let survey = survey::survey(map);
        let places = survey.places.len();
        let mut arrivals = vec![Vec::new(); places];
        for from in (0..places).map(|index| Place(index as u16)) {
            for (number, way) in survey.ways(from).iter().enumerate() {
                arrivals[usize::from(way.to.0)].push((from, number as u8));
            }
        }
        let mut destinations: Vec<Place> = Vec::new();
        let mut add = |place| {
            destinations.push(place);
            Destination(destinations.len() as u16 - 1)
        };
        let pickups = survey.pickups.iter().map(|place| place.map(&mut add)).collect();
        let mut by_region: Vec<([i32; 3], Destination)> = Vec::new();
        let mut regions = Vec::with_capacity(places);
        for (index, at) in survey.places.iter().enumerate() {
            let size = Vec3::new(REGION, REGION, REGION_HEIGHT);
            let region = (*at / size).to_array().map(|cell| cell.floor() as i32);
            let place = by_region.binary_search_by_key(&region, |(region, _)| *region);
            regions.push(match place {
                Ok(known) => by_region[known].1,
                Err(gap) => {
                    let destination = add(Place(index as u16));
                    by_region.insert(gap, (region, destination));
                    destination
                }
            });
        }
        let routes = destinations.iter().map(|_| OnceLock::new()).collect();
        Self { survey, arrivals, destinations, pickups, regions, routes }
    }

    /// Where a player stands at a place: the origin.
    pub(super) fn position(&self, place: Place) -> Vec3 {
        self.survey.places[usize::from(place.0)]
    }

    /// The nearest place to a position; with `map`, one that can be walked to in a straight line if
    /// there is one. `None` where there is no place around.
    pub(super) fn locate(&self, at: Vec3, map: Option<&Map>) -> Option<Place> {
        let mut best = (f32::INFINITY, None);
        for place in self.survey.near(at) {
            let way = self.position(place) - at;
            // What is above is seldom what is meant.
            let height = if way.z > 24.0 { way.z * 4.0 } else { way.z.abs() };
            let mut far = way.x.abs().max(way.y.abs()) + height;
            if far < best.0
                && map.is_some_and(|map| !survey::is_clear(map, at, self.position(place)))
            {
                far += 256.0;
            }
            if far < best.0 {
                best = (far, Some(place));
            }
        }
        best.1
    }

    /// About how far it is from one place to the next, in units.
    pub(super) fn spacing(&self) -> f32 {
        self.survey.spacing()
    }

    /// Whether a player can stand around here, at about this height.
    pub(super) fn has_floor(&self, at: Vec3) -> bool {
        self.survey.near(at).any(|place| {
            let way = (self.position(place) - at).abs();
            way.x.max(way.y) < self.survey.spacing() * 0.75 && way.z < 32.0
        })
    }

    /// The pick-up of this number; `None` where bots cannot get there.
    pub(super) fn pickup(&self, index: usize) -> Option<Destination> {
        self.pickups.get(index).copied().flatten()
    }

    /// The region a place is in.
    pub(super) fn region(&self, place: Place) -> Destination {
        self.regions[usize::from(place.0)]
    }

    /// Any of the regions and pick-ups, by a number below [`Navigation::destinations`].
    pub(super) fn destination(&self, number: u32) -> Destination {
        Destination((number as usize % self.destinations.len().max(1)) as u16)
    }

    /// How many destinations there are.
    pub(super) fn destinations(&self) -> u32 {
        self.destinations.len() as u32
    }

    /// The place a destination names.
    pub(super) fn place(&self, destination: Destination) -> Place {
        self.destinations[usize::from(destination.0)]
    }

    /// How long it takes from a place to a destination, in seconds; `None` where there is no way.
    #[cfg(test)]
    pub(super) fn seconds(&self, from: Place, to: Destination) -> Option<f32> {
        let step = self.route(to)[usize::from(from.0)];
        (step.cost != UNREACHED).then(|| f32::from(step.cost) / 1000.0)
    }

    /// The next place on the way to a destination; `None` there, and where there is no way.
    pub(super) fn next(&self, from: Place, to: Destination) -> Option<Place> {
        let step = self.route(to)[usize::from(from.0)];
        if step.cost == UNREACHED || from == self.place(to) {
            return None;
        }
        Some(self.survey.ways(from)[usize::from(step.way)].to)
    }

    fn route(&self, to: Destination) -> &[Step] {
        self.routes[usize::from(to.0)].get_or_init(|| self.find_route(self.place(to)))
    }

    /// The shortest ways from everywhere to one place (Dijkstra, from the end).
    fn find_route(&self, to: Place) -> Box<[Step]> {
        let unknown = Step { cost: UNREACHED, way: 0 };
        let mut steps = vec![unknown; self.survey.places.len()].into_boxed_slice();
        let mut open = BinaryHeap::from([Reverse((0, to))]);
        steps[usize::from(to.0)].cost = 0;
        while let Some(Reverse((cost, place))) = open.pop() {
            if cost > steps[usize::from(place.0)].cost {
                continue;
            }
            for (from, way) in &self.arrivals[usize::from(place.0)] {
                let step = self.survey.ways(*from)[usize::from(*way)].cost;
                let cost = cost.saturating_add(step);
                let known = &mut steps[usize::from(from.0)];
                if cost < known.cost {
                    *known = Step { cost, way: *way };
                    open.push(Reverse((cost, *from)));
                }
            }
        }
        steps
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(name: &str) -> Map {
        Map::parse(Map::builtin(name).expect("is there")).expect("is sound")
    }

    #[test]
    fn bots_of_one_map_share_its_navigation() {
        let (duel, large) = (map("duel"), map("large"));
        assert!(Arc::ptr_eq(&Navigation::of(&duel), &Navigation::of(&map("duel"))));
        assert!(!Arc::ptr_eq(&Navigation::of(&duel), &Navigation::of(&large)));
    }

    #[test]
    fn every_step_leads_nearer_to_the_destination() {
        let navigation = Navigation::of(&map("duel"));
        for number in 0..navigation.destinations() {
            let to = navigation.destination(number);
            for from in 0..navigation.survey.places.len() {
                let from = Place(from as u16);
                let Some(next) = navigation.next(from, to) else {
                    let there = from == navigation.place(to);
                    assert!(there || navigation.seconds(from, to).is_none());
                    continue;
                };
                assert!(navigation.seconds(next, to) < navigation.seconds(from, to));
            }
        }
    }

    #[test]
    fn a_map_of_one_box_has_a_place_and_no_panic() {
        let text = r#"
            name = "slab"
            boxes = [{ min = [-20, -20, -8], max = [20, 20, 0] }]
            spawns = [{ at = [0, 0, 25], yaw = 0 }]
            pickups = []
        "#;
        let map = Map::parse(text).expect("sound");
        let navigation = Navigation::new(&map);
        assert!(navigation.locate(map.spawns()[0].at, Some(&map)).is_some());
        assert!(!navigation.has_floor(Vec3::splat(100.0)) && navigation.pickup(0).is_none());
    }
}
