//! How a body moves, measured.

use super::*;
use crate::arena::map::tests::{shipped, test_map};
use crate::rng::Rng;

const DT: f32 = 1.0 / 60.0;
/// Along +x.
const AHEAD: Wish = Wish { yaw: 0, forward: 1.0, side: 0.0, jump: false };
const STILL: Wish = Wish { yaw: 0, forward: 0.0, side: 0.0, jump: false };

fn standing(map: &Map, x: f32, y: f32) -> Body {
    let mut body = Body { position: Vec3::new(x, y, 24.2), ..Body::default() };
    advance(map, &mut body, &STILL, DT);
    assert!(body.on_ground);
    body
}

fn run(map: &Map, body: &mut Body, wish: Wish, ticks: usize) {
    for _ in 0..ticks {
        advance(map, body, &wish, DT);
    }
}

#[test]
fn a_body_runs_at_320_in_every_direction_and_comes_to_rest() {
    let map = test_map(&[]);
    for (forward, side) in [(1.0, 0.0), (0.0, -1.0), (1.0, 1.0), (-1.0, 1.0)] {
        let mut body = standing(&map, 0.0, 0.0);
        run(&map, &mut body, Wish { yaw: 5000, forward, side, jump: false }, 60);
        assert!((body.velocity.length() - RUN_SPEED).abs() < 0.5, "{}", body.velocity);
        assert!(body.on_ground);
        run(&map, &mut body, STILL, 60);
        assert_eq!(body.velocity, Vec3::ZERO);
    }
}

#[test]
fn half_a_wish_runs_at_half_the_speed() {
    let map = test_map(&[]);
    let mut body = standing(&map, -400.0, 0.0);
    run(&map, &mut body, Wish { forward: 0.5, ..AHEAD }, 60);
    assert!((body.velocity.x - RUN_SPEED / 2.0).abs() < 0.5);
}

#[test]
fn right_is_right_of_ahead() {
    let map = test_map(&[]);
    let mut body = standing(&map, 0.0, 0.0);
    run(&map, &mut body, Wish { forward: 0.0, side: 1.0, ..AHEAD }, 10);
    assert!(body.velocity.y < -100.0 && body.velocity.x.abs() < 0.01);
}

#[test]
fn a_jump_is_45_units_high_at_any_tick_rate() {
    let map = test_map(&[]);
    for hz in [20.0, 60.0, 128.0] {
        let mut body = standing(&map, 0.0, 0.0);
        let floor = body.position.z;
        let mut highest = floor;
        advance(&map, &mut body, &Wish { jump: true, ..STILL }, 1.0 / hz);
        let mut ticks = 1.0;
        while !body.on_ground {
            highest = highest.max(body.position.z);
            advance(&map, &mut body, &STILL, 1.0 / hz);
            ticks += 1.0;
        }
        assert!((44.0..45.7).contains(&(highest - floor)), "{hz} Hz: {}", highest - floor);
        assert!((0.67..0.75).contains(&(ticks / hz)), "{hz} Hz: {ticks} ticks");
        assert!((body.position.z - floor).abs() < 0.01);
    }
}

#[test]
fn a_stair_of_18_is_walked_up_and_one_of_19_is_not() {
    for (height, climbed) in [(18.0, true), (19.0, false)] {
        let map = test_map(&[([0.0, -500.0, 0.0], [500.0, 500.0, height])]);
        let mut body = standing(&map, -100.0, 0.0);
        run(&map, &mut body, AHEAD, 60);
        assert_eq!(body.position.x > 0.0, climbed, "{height}: {}", body.position);
        assert_eq!(body.position.z > 24.0 + height, climbed);
        if climbed {
            assert!((body.velocity.x - RUN_SPEED).abs() < 1.0, "stairs do not slow down");
        }
    }
}

#[test]
fn a_ledge_of_40_is_jumped_onto() {
    let map = test_map(&[([0.0, -500.0, 0.0], [500.0, 500.0, 40.0])]);
    let mut body = standing(&map, -100.0, 0.0);
    run(&map, &mut body, AHEAD, 15);
    run(&map, &mut body, Wish { jump: true, ..AHEAD }, 1);
    run(&map, &mut body, AHEAD, 60);
    assert!(body.position.x > 0.0 && body.position.z > 64.0);
}

#[test]
fn a_body_slides_along_a_wall_and_stops_in_a_corner() {
    let map = test_map(&[]);
    let mut body = standing(&map, 480.0, 0.0);
    // 45 degrees into the wall at +x.
    let wish = Wish { yaw: 8192, ..AHEAD };
    run(&map, &mut body, wish, 60);
    assert!(body.position.y > 150.0 && body.velocity.y > 200.0, "{body:?}");
    assert!((body.position.x - 496.0).abs() < 0.1);
    run(&map, &mut body, wish, 300);
    assert!((body.position - Vec3::new(496.0, 496.0, 24.0)).abs().max_element() < 0.1);
    assert!(body.velocity.length() < 20.0);
}

#[test]
fn in_the_air_one_steers_but_does_not_run() {
    let map = test_map(&[]);
    let mut body = standing(&map, 0.0, 0.0);
    run(&map, &mut body, Wish { jump: true, ..STILL }, 1);
    run(&map, &mut body, AHEAD, 30);
    assert!(!body.on_ground);
    assert!((body.velocity.x - AIR_SPEED_MAX).abs() < 0.1, "{}", body.velocity);
}

#[test]
fn a_ceiling_ends_a_jump() {
    let map = test_map(&[([-100.0, -100.0, 70.0], [100.0, 100.0, 80.0])]);
    let mut body = standing(&map, 0.0, 0.0);
    run(&map, &mut body, Wish { jump: true, ..STILL }, 1);
    for _ in 0..20 {
        advance(&map, &mut body, &STILL, DT);
        assert!(body.position.z + BODY_MAXS.z < 70.0);
    }
    assert!(body.on_ground);
}

#[test]
fn what_pushes_up_lifts_off_the_ground() {
    let map = test_map(&[]);
    let mut body = standing(&map, 0.0, 0.0);
    body.velocity.z = 500.0;
    advance(&map, &mut body, &STILL, DT);
    assert!(!body.on_ground && body.position.z > 30.0);
}

/// Random play with random pushes on the real maps: never in a wall, never out of the map, never
/// anything but numbers, at the slowest and the fastest tick rate.
#[test]
fn a_body_never_ends_inside_a_box_or_outside_the_map() {
    for (name, hz, seed) in [
        ("duel", 60.0, 1),
        ("duel", 20.0, 2),
        ("large", 60.0, 3),
        ("large", 20.0, 4),
        ("large", 128.0, 5),
    ] {
        let map = shipped(name);
        let (low, high) = map.bounds();
        let mut rng = Rng::new(seed);
        for spawn in map.spawns() {
            let mut body = Body { position: spawn.at, ..Body::default() };
            let mut wish = AHEAD;
            for tick in 0..3000 {
                if rng.below(20) == 0 {
                    wish = Wish {
                        yaw: rng.next_u32() as u16,
                        forward: rng.range(-1.0, 1.0),
                        side: rng.range(-1.0, 1.0),
                        jump: rng.below(2) == 0,
                    };
                }
                if rng.below(100) == 0 {
                    let push = |rng: &mut Rng| rng.range(-1500.0, 1500.0);
                    body.velocity += Vec3::new(push(&mut rng), push(&mut rng), push(&mut rng));
                }
                advance(&map, &mut body, &wish, 1.0 / hz);
                assert!(!map.is_stuck(body.position), "{name} seed {seed} tick {tick}: {body:?}");
                let inside = body.position.cmpgt(low) & body.position.cmplt(high);
                assert!(inside.all(), "{name} seed {seed} tick {tick}: {body:?}");
            }
        }
    }
}
