//! How a fighting bot moves: along its way place by place, around an enemy, out of a rocket's path, and
//! free again where it got stuck. Knows places and its own body, not why it goes there.

use matchkeep_shared::arena::movement::RUN_SPEED;
use matchkeep_shared::arena::{Map, OwnView, view};
use matchkeep_shared::glam::Vec3;
use matchkeep_shared::rng::Rng;
use matchkeep_shared::time::{Tick, TickRate};

use super::navigation::{Destination, Navigation, Place};

/// A place is reached from so near, in units: nearer than a pick-up's reach.
const REACHED: f32 = 24.0;
/// A place further away than this many times the usual is not the next one any more: the bot fell or
/// was pushed.
const ASTRAY: f32 = 2.25;
/// Slower than this where it wants to go, something is in the way.
const SLOW: f32 = RUN_SPEED / 4.0;
/// How long a body is slow before it jumps, in milliseconds.
const SLOW_MS: u64 = 150;
/// Who stays within this radius, in units,
const STUCK_RADIUS: f32 = 40.0;
/// for so long, in milliseconds, is stuck.
const STUCK_MS: u64 = 800;
/// The shortest time into one direction around an enemy, or out of a corner, in milliseconds.
const TURN_MS: u64 = 300;
/// How far ahead a bot looks for floor, in units.
const FOOTING: f32 = 48.0;

/// How a way goes on.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) enum Progress {
    /// In this direction, level and of length 1 or 0.
    Towards(Vec3),
    /// It does not: the bot is there.
    Arrived,
    /// It does not: there is no way from here.
    Lost,
}

/// Where a bot's body is and what it can do there.
#[derive(Clone, Copy, Debug)]
pub(super) struct Footing<'a> {
    pub(super) tick: Tick,
    pub(super) rate: TickRate,
    pub(super) map: &'a Map,
    pub(super) navigation: &'a Navigation,
    pub(super) own: &'a OwnView,
    /// Where the bot is at this tick, as far as can be told.
    pub(super) at: Vec3,
}

/// What a body remembers of its way.
#[derive(Debug)]
pub(super) struct Legs {
    next: Option<Place>,
    /// Where the bot was when it last got anywhere, and when.
    anchor: (Vec3, Tick),
    /// Out of a corner in this direction, until then.
    detour: (Vec3, Tick),
    slow_since: Option<Tick>,
    /// Around an enemy to this side, 1 or -1, until then.
    side: (f32, Tick),
}

impl Legs {
    pub(super) fn new() -> Self {
        let never = (Vec3::ZERO, Tick(0));
        Self { next: None, anchor: never, detour: never, slow_since: None, side: (1.0, Tick(0)) }
    }

    /// Begins a life: the old way is of no use.
    pub(super) fn reset(&mut self, tick: Tick) {
        *self = Self { side: self.side, anchor: (Vec3::INFINITY, tick), ..Self::new() };
    }

    /// Goes on towards a destination.
    pub(super) fn follow(
        &mut self,
        footing: &Footing<'_>,
        to: Destination,
        rng: &mut Rng,
    ) -> Progress {
        let Footing { tick, navigation, at, .. } = *footing;
        if tick < self.detour.1 {
            return Progress::Towards(self.detour.0);
        }
        if self.is_stuck(footing) {
            let yaw = rng.next_u32() as u16;
            let direction = view::direction(yaw, 0);
            self.detour = (direction, tick + self.turn(footing, rng));
            self.next = None;
            return Progress::Towards(direction);
        }
        let way = |place: Place| navigation.position(place) - at;
        let astray = ASTRAY * navigation.spacing();
        let far = |way: Vec3| way.truncate().length() > astray || way.z > 64.0;
        let known = self.next.filter(|place| !far(way(*place)));
        let Some(mut place) = known.or_else(|| navigation.locate(at, Some(footing.map))) else {
            return Progress::Lost;
        };
        let left = way(place);
        if left.truncate().length() < REACHED && left.z.abs() < 40.0 {
            if place == navigation.place(to) {
                return Progress::Arrived;
            }
            match navigation.next(place, to) {
                Some(next) => place = next,
                None => return Progress::Lost,
            }
        }
        self.next = Some(place);
        Progress::Towards(way(place).with_z(0.0).normalize_or_zero())
    }

    /// Moves around an enemy at a distance that suits the weapon.
    pub(super) fn circle(
        &mut self,
        footing: &Footing<'_>,
        enemy: Vec3,
        distance: f32,
        rng: &mut Rng,
    ) -> Vec3 {
        let Footing { tick, at, own, navigation, .. } = *footing;
        self.next = None;
        self.anchor = (at, tick);
        let way = (enemy - at).with_z(0.0);
        let ahead = way.normalize_or_zero();
        let nearer = ((way.length() - distance) / 150.0).clamp(-1.0, 1.0);
        let direction = |side: f32| {
            let across = Vec3::new(-ahead.y, ahead.x, 0.0) * side;
            (across + ahead * nearer).normalize_or_zero()
        };
        let chosen = direction(self.side.0);
        let footless = own.on_ground && !navigation.has_floor(at + chosen * FOOTING);
        let due = tick >= self.side.1;
        if due || (footless && self.side.1.since(tick) > 0) {
            self.side.0 = -self.side.0;
            // Where there is no floor on either side the bot stays with one of them for a while.
            self.side.1 = tick + self.turn(footing, rng) * if footless { 1 } else { 2 };
        }
        direction(self.side.0)
    }

    /// Across a rocket's path, to the side that is the shorter way.
    pub(super) fn dodge(&mut self, footing: &Footing<'_>, rocket: Vec3, wish: Vec3) -> Vec3 {
        let across = Vec3::new(-rocket.y, rocket.x, 0.0).normalize_or_zero();
        let side =
            if across.dot(wish + footing.own.velocity / RUN_SPEED) < 0.0 { -1.0 } else { 1.0 };
        across * side
    }

    /// Whether to jump on the way into `direction`: where something is in it.
    pub(super) fn jumps(&mut self, footing: &Footing<'_>, direction: Vec3) -> bool {
        let Footing { tick, rate, own, .. } = *footing;
        if !own.on_ground || direction == Vec3::ZERO || own.velocity.dot(direction) > SLOW {
            self.slow_since = None;
            return false;
        }
        let since = *self.slow_since.get_or_insert(tick);
        tick.since(since) >= (SLOW_MS * rate.hz() / 1000) as i64
    }

    fn is_stuck(&mut self, footing: &Footing<'_>) -> bool {
        let Footing { tick, rate, at, .. } = *footing;
        let (anchor, since) = self.anchor;
        // Written so that no anchor at all is far away.
        let near = at.distance_squared(anchor) < STUCK_RADIUS * STUCK_RADIUS;
        let stuck = near && tick.since(since) > (STUCK_MS * rate.hz() / 1000) as i64;
        if !near || stuck {
            self.anchor = (at, tick);
        }
        stuck
    }

    fn turn(&self, footing: &Footing<'_>, rng: &mut Rng) -> u64 {
        let ticks = (TURN_MS * footing.rate.hz() / 1000).max(1);
        ticks + u64::from(rng.below(ticks as u32 + 1))
    }
}
