//! One player's place in a match.

use matchkeep_shared::game::Input;
use matchkeep_shared::ids::PlayerId;
use matchkeep_shared::time::{Tick, TickRate};

use super::inputs::InputBuffer;

/// A place that is taken.
pub(super) struct Seat<I> {
    pub(super) player: PlayerId,
    pub(super) inputs: InputBuffer<I>,
    connection: Connection,
}

enum Connection {
    Up,
    /// The place is held for the player.
    LostAt(Tick),
}

impl<I: Input> Seat<I> {
    pub(super) fn new(player: PlayerId, rate: TickRate, now: Tick) -> Self {
        Self { player, inputs: InputBuffer::new(rate, now), connection: Connection::Up }
    }

    pub(super) fn reconnect(&mut self, now: Tick) {
        self.connection = Connection::Up;
        self.inputs.restart(now);
    }

    pub(super) fn disconnect(&mut self, now: Tick) {
        self.connection = Connection::LostAt(now);
    }

    pub(super) fn is_connected(&self) -> bool {
        matches!(self.connection, Connection::Up)
    }

    /// Counted in ticks, not in seconds: a time-out that affects play replays exactly.
    pub(super) fn hold_is_over(&self, now: Tick, hold_ticks: u64) -> bool {
        matches!(self.connection, Connection::LostAt(lost) if now.since(lost) > hold_ticks as i64)
    }
}
