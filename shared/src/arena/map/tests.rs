//! What makes a map, the shipped ones above all.

use std::collections::BTreeSet;

use super::*;
use crate::arena::movement::{self, Body, Wish};
use crate::rng::Rng;

/// A map of a floor and four walls for tests: x and y from -512 to 512, the floor's top at 0.
pub(crate) fn test_map(more: &[([f32; 3], [f32; 3])]) -> Map {
    let room = [
        ([-528.0, -528.0, -16.0], [528.0, 528.0, 0.0]),
        ([-528.0, -528.0, 512.0], [528.0, 528.0, 528.0]),
        ([-528.0, -528.0, 0.0], [-512.0, 528.0, 512.0]),
        ([512.0, -528.0, 0.0], [528.0, 528.0, 512.0]),
        ([-512.0, -528.0, 0.0], [512.0, -512.0, 512.0]),
        ([-512.0, 512.0, 0.0], [512.0, 528.0, 512.0]),
    ];
    let boxes = room.iter().chain(more);
    let boxes = boxes.map(|(min, max)| Solid { min: (*min).into(), max: (*max).into() }).collect();
    let at = Vec3::new(-400.0, -400.0, 24.1);
    let data =
        MapData { name: "test".into(), boxes, spawns: vec![Spawn { at, yaw: 0 }], pickups: vec![] };
    Map::try_from(data).expect("the map is sound")
}

/// A map that ships with the game.
pub(crate) fn shipped(name: &str) -> Map {
    Map::parse(Map::builtin(name).expect("ships with the game")).expect("is sound")
}

#[test]
fn the_shipped_maps_are_sound_and_have_room_for_their_players() {
    for (name, spawns) in [("duel", 8), ("large", 20)] {
        let map = shipped(name);
        assert_eq!(map.name(), name);
        assert!(map.spawns().len() >= spawns);
        let bytes = crate::encoding::encode(&map);
        assert!(bytes.len() < crate::limits::SERVER_MESSAGE_BYTES_MAX / 2, "{} bytes", bytes.len());
        let back: Map =
            crate::encoding::decode::<_, 65_536>("map", &bytes).expect("was encoded here");
        assert_eq!(back.data, map.data);
    }
}

#[test]
fn spawns_and_things_on_the_shipped_maps_lie_just_above_a_floor() {
    for map in ["duel", "large"].map(shipped) {
        let places = map.spawns().iter().map(|s| (s.at, 26.0));
        for (at, height) in places.chain(map.pickups().iter().map(|p| (p.at, 17.0))) {
            let floor = map.trace_line(at, at - Vec3::new(0.0, 0.0, height));
            assert!(floor.normal == Vec3::Z, "{} {at}", map.name());
        }
    }
}

const SAMPLE_MAP: &str = r#"
name = "m"
boxes = [{ min = [-100, -100, -10], max = [100, 100, 0] }, { min = [0, 0, 0], max = [50, 50, 50] }]
spawns = [{ at = [-50, -50, 30], yaw = 0 }]
pickups = [{ kind = "railgun", at = [-50, 0, 16], respawn = 5 }]
"#;

#[test]
fn a_map_with_a_mistake_is_refused_and_the_mistake_named() {
    assert!(Map::parse(SAMPLE_MAP).is_ok());
    for (from, to, expected) in [
        ("name = \"m\"", "name = \"M\"", "name: allowed are"),
        ("name = \"m\"", "name = \"m\"\nsky = 1", "unknown field `sky`"),
        ("yaw = 0", "yaw = 70000", "yaw"),
        ("yaw = 0", "yaw = 0, team = 1", "unknown field `team`"),
        ("[50, 50, 50]", "[50, 0, 50]", "boxes[1]: min must be below max"),
        ("[50, 50, 50]", "[50, nan, 50]", "boxes[1]: a corner is further"),
        ("[50, 50, 50]", "[50, 5e9, 50]", "boxes[1]: a corner is further"),
        ("[50, 50, 50]", "[50, 50]", "invalid length"),
        ("[-50, -50, 30]", "[-10, -10, 30]", "spawns[0]: a player there would stick"),
        ("[-50, -50, 30]", "[inf, -10, 30]", "spawns[0]: further than"),
        ("railgun", "bfg", "unknown variant `bfg`"),
        ("[-50, 0, 16]", "[10, 10, 16]", "pickups[0]: inside a box"),
        ("respawn = 5", "respawn = 0", "pickups[0]: respawn"),
        ("{ at = [-50, -50, 30], yaw = 0 }", "", "spawns: 0, allowed are 1 to"),
    ] {
        let text = SAMPLE_MAP.replace(from, to);
        assert_ne!(text, SAMPLE_MAP, "{from}");
        let message = Map::parse(&text).expect_err(to).to_string();
        assert!(message.contains(expected), "{to}: {message}");
    }
}

#[test]
fn a_map_that_is_too_large_is_refused_unread() {
    let text = " ".repeat(MAP_FILE_BYTES_MAX + 1);
    assert_eq!(Map::parse(&text).expect_err("too large"), MapError::Size(MAP_FILE_BYTES_MAX + 1));
    let one = "{ min = [0,0,0], max = [1,1,1] },".repeat(900);
    let text = SAMPLE_MAP.replace("boxes = [", &format!("boxes = [{one}"));
    assert!(Map::parse(&text).is_ok());
}

#[test]
fn the_index_changes_no_trace() {
    let map = shipped("large");
    let mut rng = Rng::new(3);
    let mut point = |reach: f32| {
        Vec3::new(rng.range(-reach, reach), rng.range(-reach, reach), rng.range(-100.0, 600.0))
    };
    let mut hits = 0;
    for round in 0..20_000 {
        let start = point(1700.0);
        // Lines across the map, short moves, and moves along one axis.
        let end = match round % 4 {
            0 => point(1700.0),
            1 => start + point(20.0) * 0.1,
            2 => start.with_x(point(1700.0).x),
            _ => start.with_y(point(1700.0).y),
        };
        let (mins, maxs) =
            if round % 3 == 0 { (Vec3::ZERO, Vec3::ZERO) } else { (BODY_MINS, BODY_MAXS) };
        let mut every = Sweep::new(start, end, mins, maxs);
        map.boxes().iter().for_each(|solid| every.meet(solid));
        let (every, indexed) = (every.finish(), map.trace_box(start, end, mins, maxs));
        // Which of two sides met at once is named may depend on the order; nothing else.
        assert_eq!(every.fraction, indexed.fraction, "{start} to {end}");
        assert_eq!(every.start_solid, indexed.start_solid, "{start} to {end}");
        hits += usize::from(indexed.hit());
    }
    assert!(hits > 2000);
}

/// Walks and jumps from the first spawn in all directions, and from wherever that leads.
fn reached(map: &Map) -> Vec<Vec3> {
    let key = |at: Vec3| [at.x, at.y, at.z].map(|v| libm::floorf(v / 32.0) as i32);
    let mut seen = BTreeSet::new();
    let mut queue = vec![Body { position: map.spawns()[0].at, ..Body::default() }];
    let mut places = Vec::new();
    while let Some(body) = queue.pop() {
        if !seen.insert(key(body.position)) {
            continue;
        }
        places.push(body.position);
        for direction in 0..8_u16 {
            for jump in [false, true] {
                let mut body = Body { velocity: Vec3::ZERO, ..body };
                for tick in 0..45 {
                    let wish = Wish {
                        yaw: direction << 13,
                        forward: 1.0,
                        side: 0.0,
                        jump: jump && tick == 12,
                    };
                    movement::advance(map, &mut body, &wish, 1.0 / 30.0);
                    if body.on_ground && !seen.contains(&key(body.position)) {
                        queue.push(body);
                    }
                }
            }
        }
    }
    places
}

#[test]
fn everything_on_the_shipped_maps_can_be_reached_on_foot() {
    for map in ["duel", "large"].map(shipped) {
        let places = reached(&map);
        let spawns = map.spawns().iter().map(|s| s.at);
        for goal in spawns.chain(map.pickups().iter().map(|p| p.at)) {
            let near = places
                .iter()
                .any(|at| (*at - goal).truncate().length() < 40.0 && (at.z - goal.z).abs() < 40.0);
            assert!(near, "{}: {goal} cannot be reached", map.name());
        }
    }
}
