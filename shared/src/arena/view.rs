//! View angles to directions and back. Knows no player.

use glam::Vec3;

const RADIANS_PER_STEP: f32 = std::f32::consts::TAU / 65536.0;

/// The direction of a view: a unit vector. Pitch is positive downwards.
pub fn direction(yaw: u16, pitch: u16) -> Vec3 {
    let (yaw_sin, yaw_cos) = libm::sincosf(f32::from(yaw) * RADIANS_PER_STEP);
    // As a signed angle: sine and cosine are most exact near 0.
    let (pitch_sin, pitch_cos) = libm::sincosf(f32::from(pitch as i16) * RADIANS_PER_STEP);
    Vec3::new(pitch_cos * yaw_cos, pitch_cos * yaw_sin, -pitch_sin)
}

/// The yaw and pitch that look along `direction`, which need not have length 1. Straight up and down,
/// yaw is 0.
pub fn angles(direction: Vec3) -> (u16, u16) {
    let flat = libm::sqrtf(direction.x * direction.x + direction.y * direction.y);
    (steps(libm::atan2f(direction.y, direction.x)), steps(libm::atan2f(-direction.z, flat)))
}

fn steps(radians: f32) -> u16 {
    // Within ±32768, so the cast to a signed number keeps the angle and the one to u16 wraps it.
    libm::roundf(radians / RADIANS_PER_STEP) as i32 as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn angles_and_directions_agree() {
        for yaw in (0..=u16::MAX).step_by(1009) {
            for pitch in (-16_000_i16..16_000).step_by(997) {
                let (yaw_back, pitch_back) = angles(direction(yaw, pitch as u16) * 70.0);
                assert!((yaw_back.wrapping_sub(yaw) as i16).abs() <= 4, "{yaw} {pitch}");
                assert!((pitch_back.wrapping_sub(pitch as u16) as i16).abs() <= 4, "{yaw} {pitch}");
            }
        }
    }

    #[test]
    fn positive_pitch_looks_down_and_yaw_turns_counter_clockwise() {
        assert!(direction(0, 8192).z < -0.7);
        assert!(direction(0, 65536_u32.wrapping_sub(8192) as u16).z > 0.7);
        assert!(direction(16384, 0).y > 0.99);
    }
}
