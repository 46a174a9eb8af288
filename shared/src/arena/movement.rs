//! How a player's body moves: one pure function, called by the server and by the client's prediction.
//! Knows the map and the body, no player, no tick. Players pass through each other.
//!
//! Units are those of Quake: 32 to a metre. All sides of a map's boxes are axis-aligned, so that
//! sliding along one is dropping a component of the velocity.

#[cfg(test)]
mod tests;

use glam::Vec3;
use serde::{Deserialize, Serialize};

use crate::arena::input::ArenaInput;
use crate::arena::map::Map;
use crate::arena::view;

/// The lowest corner of a player's box, relative to the origin.
pub const BODY_MINS: Vec3 = Vec3::new(-16.0, -16.0, -24.0);
/// The highest corner of a player's box, relative to the origin.
pub const BODY_MAXS: Vec3 = Vec3::new(16.0, 16.0, 32.0);
/// Where a player looks and fires from, relative to the origin.
pub const EYE: Vec3 = Vec3::new(0.0, 0.0, 22.0);
/// How fast a player runs, in units a second.
pub const RUN_SPEED: f32 = 320.0;
/// The highest stair that is walked up, in units.
pub const STEP_HEIGHT: f32 = 18.0;
/// The upward speed of a jump, in units a second.
pub const JUMP_SPEED: f32 = 270.0;
/// What pulls down, in units a second per second.
pub const GRAVITY: f32 = 800.0;
/// No body is faster along any axis, in units a second.
pub const SPEED_MAX: f32 = 2000.0;

const FRICTION: f32 = 4.0;
/// Below this speed friction acts as if at it, so that a body comes to rest.
const STOP_SPEED: f32 = 100.0;
const ACCELERATE: f32 = 10.0;
/// In the air a wish adds speed only up to this: enough to steer, not to run.
const AIR_SPEED_MAX: f32 = 30.0;
/// Rising faster than this is not standing, whatever is underfoot: a jump, a rocket.
const LIFT_SPEED: f32 = 10.0;
/// The floor is looked for this far below.
const GROUND_REACH: f32 = 0.25;
/// A corner takes three contacts; a fourth is a corner met while sliding out of one.
const BUMPS_MAX: usize = 4;

/// What moves.
#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Body {
    /// The origin, 24 units above the feet.
    pub position: Vec3,
    /// In units a second.
    pub velocity: Vec3,
    /// Whether the body stands on something.
    pub on_ground: bool,
}

/// Where a body wishes to go: the part of an input that moves.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Wish {
    /// 65536 is a full turn, counter-clockwise from +x.
    pub yaw: u16,
    /// Ahead, -1 to 1 of the run speed.
    pub forward: f32,
    /// To the right, -1 to 1 of the run speed.
    pub side: f32,
    /// Jump, if on the ground.
    pub jump: bool,
}

impl From<&ArenaInput> for Wish {
    fn from(input: &ArenaInput) -> Self {
        let fraction = |axis: i8| f32::from(axis.max(-127)) / 127.0;
        Self {
            yaw: input.yaw,
            forward: fraction(input.forward),
            side: fraction(input.side),
            jump: input.jump,
        }
    }
}

impl Wish {
    /// The wished direction, level and of length 1 (or zero), and the wished speed.
    fn velocity(&self) -> (Vec3, f32) {
        if self.forward == 0.0 && self.side == 0.0 {
            return (Vec3::ZERO, 0.0);
        }
        let ahead = view::direction(self.yaw, 0);
        let right = Vec3::new(ahead.y, -ahead.x, 0.0);
        let wish = ahead * self.forward + right * self.side;
        let length = wish.length();
        // Running diagonally is not faster.
        (wish / length, length.min(1.0) * RUN_SPEED)
    }
}

/// Moves a body for `dt` seconds: friction, the wish, gravity; then along walls and up stairs.
pub fn advance(map: &Map, body: &mut Body, wish: &Wish, dt: f32) {
    if body.velocity.z > LIFT_SPEED {
        body.on_ground = false;
    }
    if body.on_ground && wish.jump {
        body.on_ground = false;
        body.velocity.z = JUMP_SPEED;
    }
    let (direction, speed) = wish.velocity();
    if body.on_ground {
        body.velocity.z = 0.0;
        slow_down(&mut body.velocity, dt);
        accelerate(&mut body.velocity, direction, speed, speed, dt);
        walk(map, body, dt);
    } else {
        accelerate(&mut body.velocity, direction, speed, speed.min(AIR_SPEED_MAX), dt);
        // Half of gravity's pull before and half after: the height of a jump does not depend on dt.
        body.velocity.z -= GRAVITY * dt / 2.0;
        if slide(map, body, dt).z == 0.0 {
            body.velocity.z -= GRAVITY * dt / 2.0;
        }
    }
    body.velocity = body.velocity.clamp(Vec3::splat(-SPEED_MAX), Vec3::splat(SPEED_MAX));
    find_ground(map, body);
}

fn slow_down(velocity: &mut Vec3, dt: f32) {
    let speed = velocity.length();
    if speed < 1.0 {
        *velocity = Vec3::ZERO;
        return;
    }
    let drop = speed.max(STOP_SPEED) * FRICTION * dt;
    *velocity *= (speed - drop).max(0.0) / speed;
}

/// Adds speed along `direction`, as fast as `speed` asks for, until `limit` is reached along it.
fn accelerate(velocity: &mut Vec3, direction: Vec3, speed: f32, limit: f32, dt: f32) {
    let missing = limit - velocity.dot(direction);
    if missing > 0.0 {
        *velocity += direction * (ACCELERATE * speed * dt).min(missing);
    }
}

/// Moves a body on the ground: slides, and where something is in the way also tries from a step
/// higher. Takes what gets further.
fn walk(map: &Map, body: &mut Body, dt: f32) {
    let before = *body;
    if slide(map, body, dt) == Vec3::ZERO {
        return;
    }
    let up = before.position + Vec3::new(0.0, 0.0, STEP_HEIGHT);
    let raised = map.trace_box(before.position, up, BODY_MINS, BODY_MAXS).end;
    let mut stepped = Body { position: raised, ..before };
    slide(map, &mut stepped, dt);
    // Back down by as much as it went up; a little more, for the floor may be a contact gap lower.
    let down = stepped.position - Vec3::new(0.0, 0.0, raised.z - before.position.z + GROUND_REACH);
    let landing = map.trace_box(stepped.position, down, BODY_MINS, BODY_MAXS);
    if landing.normal.z <= 0.0 {
        return;
    }
    stepped.position = landing.end;
    let gone = |to: Vec3| (to - before.position).truncate().length_squared();
    if gone(stepped.position) > gone(body.position) {
        stepped.velocity.z = 0.0;
        *body = stepped;
    }
}

/// Moves a body along its velocity and along what it meets. Returns the sum of the normals met.
fn slide(map: &Map, body: &mut Body, dt: f32) -> Vec3 {
    let mut left = dt;
    let mut met = Vec3::ZERO;
    for _ in 0..BUMPS_MAX {
        if body.velocity == Vec3::ZERO {
            break;
        }
        let goal = body.position + body.velocity * left;
        let trace = map.trace_box(body.position, goal, BODY_MINS, BODY_MAXS);
        if trace.start_solid {
            // Cannot happen while maps do not move; standing still is the harmless answer.
            body.velocity = Vec3::ZERO;
            break;
        }
        body.position = trace.end;
        if !trace.hit() {
            break;
        }
        left *= 1.0 - trace.fraction;
        met += trace.normal;
        // The axes are independent, so dropping a component never runs into a side met before.
        body.velocity -= trace.normal * body.velocity.dot(trace.normal);
    }
    met
}

fn find_ground(map: &Map, body: &mut Body) {
    if body.velocity.z > LIFT_SPEED {
        body.on_ground = false;
        return;
    }
    let below = body.position - Vec3::new(0.0, 0.0, GROUND_REACH);
    let trace = map.trace_box(body.position, below, BODY_MINS, BODY_MAXS);
    body.on_ground = trace.normal.z > 0.0;
    if body.on_ground {
        body.position = trace.end;
        body.velocity.z = 0.0;
    }
}
