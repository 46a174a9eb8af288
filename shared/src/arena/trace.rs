//! Sweeping a box through solid boxes: the geometry of one contact. Knows no map and no player.

use glam::Vec3;

use crate::arena::map::Solid;

/// How far a sweep stays away from what it hits, in units. More than rounding moves a position, so
/// that a body that touches a wall is never inside it.
pub(crate) const CONTACT_GAP: f32 = 1.0 / 32.0;

/// What a sweep met.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Trace {
    /// How much of the way is free, 0 to 1.
    pub fraction: f32,
    /// Where the free way ends.
    pub end: Vec3,
    /// The normal of the side that was hit, along an axis; zero where nothing was.
    pub normal: Vec3,
    /// The sweep began inside something solid; `fraction` is then 0.
    pub start_solid: bool,
}

impl Trace {
    /// Whether something is in the way.
    pub fn hit(&self) -> bool {
        self.fraction < 1.0
    }
}

/// A box on its way, meeting one solid after the other.
pub(crate) struct Sweep {
    start: Vec3,
    end: Vec3,
    mins: Vec3,
    maxs: Vec3,
    /// What the box passes over, with the contact gap: most solids are outside of it.
    low: Vec3,
    high: Vec3,
    fraction: f32,
    normal: Vec3,
    start_solid: bool,
}

impl Sweep {
    pub(crate) fn new(start: Vec3, end: Vec3, mins: Vec3, maxs: Vec3) -> Self {
        let gap = Vec3::splat(CONTACT_GAP);
        Self {
            start,
            end,
            mins,
            maxs,
            low: start.min(end) + mins - gap,
            high: start.max(end) + maxs + gap,
            fraction: 1.0,
            normal: Vec3::ZERO,
            start_solid: false,
        }
    }

    pub(crate) fn low(&self) -> Vec3 {
        self.low
    }

    pub(crate) fn high(&self) -> Vec3 {
        self.high
    }

    /// How much of the way is free as far as is known.
    pub(crate) fn fraction(&self) -> f32 {
        self.fraction
    }

    /// Cuts the way at `solid`. Meeting one twice changes nothing.
    #[inline]
    pub(crate) fn meet(&mut self, solid: &Solid) {
        let outside = self.high.cmplt(solid.min) | self.low.cmpgt(solid.max);
        if outside.any() {
            return;
        }
        // A box against a box is a point against the larger box.
        let low = solid.min - self.maxs;
        let high = solid.max - self.mins;
        let mut enter = -1.0_f32;
        let mut leave = 1.0_f32;
        let mut normal = Vec3::ZERO;
        let mut start_inside = true;
        for axis in 0..3 {
            let (start, end) = (self.start[axis], self.end[axis]);
            let sides = [
                (1.0, start - high[axis], end - high[axis]),
                (-1.0, low[axis] - start, low[axis] - end),
            ];
            for (sign, before, after) in sides {
                start_inside &= before <= 0.0;
                if before > 0.0 && (after >= CONTACT_GAP || after >= before) {
                    return;
                }
                if before <= 0.0 && after <= 0.0 {
                    continue;
                }
                if before > after {
                    let fraction = ((before - CONTACT_GAP) / (before - after)).max(0.0);
                    if fraction > enter {
                        enter = fraction;
                        normal = Vec3::ZERO;
                        normal[axis] = sign;
                    }
                } else {
                    leave = leave.min((before + CONTACT_GAP) / (before - after));
                }
            }
        }
        if start_inside {
            self.start_solid = true;
            self.fraction = 0.0;
        } else if enter > -1.0 && enter < leave && enter < self.fraction {
            self.fraction = enter;
            self.normal = normal;
        }
    }

    pub(crate) fn finish(self) -> Trace {
        // Exact at both ends: a free sweep arrives, a blocked one has not moved.
        let end = if self.fraction >= 1.0 {
            self.end
        } else {
            self.start + (self.end - self.start) * self.fraction
        };
        Trace { fraction: self.fraction, end, normal: self.normal, start_solid: self.start_solid }
    }
}

/// Where a line from `start` to `end` first meets the box `low..high`, as a fraction; `None` where it
/// misses. A line that begins inside meets it at 0.
pub(crate) fn line_meets_box(start: Vec3, end: Vec3, low: Vec3, high: Vec3) -> Option<f32> {
    let mut enter = 0.0_f32;
    let mut leave = 1.0_f32;
    let way = end - start;
    for axis in 0..3 {
        if way[axis] == 0.0 {
            if start[axis] < low[axis] || start[axis] > high[axis] {
                return None;
            }
            continue;
        }
        let a = (low[axis] - start[axis]) / way[axis];
        let b = (high[axis] - start[axis]) / way[axis];
        enter = enter.max(a.min(b));
        leave = leave.min(a.max(b));
        if enter > leave {
            return None;
        }
    }
    Some(enter)
}
