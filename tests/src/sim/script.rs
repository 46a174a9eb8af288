//! What a player does: a pure function of player, epoch and tick, so that an input shows whose it is.

use matchkeep_shared::arena::{ArenaInput, Weapon};
use matchkeep_shared::ids::Epoch;
use matchkeep_shared::rng::Rng;
use matchkeep_shared::time::Tick;

/// Ticks for which a player runs in one direction.
const RUN_TICKS: u64 = 24;

/// The input of a player for a tick in an epoch.
pub fn input(player: u64, epoch: Epoch, tick: Tick) -> ArenaInput {
    let mut run = Rng::new(player << 48 ^ u64::from(epoch.0) << 40 ^ (tick.0 / RUN_TICKS));
    let mut now = Rng::new(player << 48 ^ u64::from(epoch.0) << 40 ^ tick.0 ^ 1 << 63);
    let axis = |rng: &mut Rng| rng.below(255) as i8;
    let (forward, side) = (axis(&mut run).max(-127), axis(&mut run).max(-127));
    let yaw = run.next_u32() as u16;
    ArenaInput {
        yaw: yaw.wrapping_add(now.below(2048) as u16),
        pitch: now.below(4096) as u16,
        forward,
        side,
        jump: now.below(12) == 0,
        fire: now.below(5) == 0,
        weapon: (now.below(40) == 0)
            .then(|| Weapon::ALL[now.below(Weapon::ALL.len() as u32) as usize]),
    }
}
