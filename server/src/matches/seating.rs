//! Who sits in a match: places taken, held, taken again and given up, and everything else that enters a
//! match between two steps.

use std::panic::{AssertUnwindSafe, catch_unwind};

use matchkeep_shared::Game;
use matchkeep_shared::game::PlayerInfo;
use matchkeep_shared::ids::{PlayerId, Slot, SlotSet};
use matchkeep_shared::limits::ENTRIES_PER_TICK_MAX;

use super::Match;
use super::inputs::InputBuffer;
use super::state::{Entry, UsedTicket};

/// Why a player cannot sit down.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum JoinRefused {
    /// Every place is taken.
    Full,
    /// The match has ended.
    Over,
    /// The game died of it.
    Died,
}

impl<G: Game> Match<G> {
    /// The place a player has, connected or held.
    pub fn slot_of(&self, player: PlayerId) -> Option<Slot> {
        self.state.slot_of(player)
    }

    /// The number of places taken, held ones among them.
    pub fn taken(&self) -> usize {
        self.state.taken().count()
    }

    /// The slots whose players are connected.
    pub fn connected(&self) -> SlotSet {
        let connected = self.state.taken().filter(|slot| self.state.is_connected(*slot));
        connected.fold(SlotSet::EMPTY, SlotSet::with)
    }

    /// A player sits down: on the place held for them, else on a free one. The client holds nothing yet.
    ///
    /// # Errors
    /// [`JoinRefused`] where there is no place, or no match any more.
    pub fn join(
        &mut self,
        player: &PlayerInfo,
        ticket: Option<UsedTicket>,
    ) -> Result<Slot, JoinRefused> {
        if self.outcome().is_some() {
            return Err(JoinRefused::Over);
        }
        if let Some(slot) = self.slot_of(player.id) {
            return self.rejoin(slot, ticket).then_some(slot).ok_or(JoinRefused::Died);
        }
        let slot = self.state.free_slot().ok_or(JoinRefused::Full)?;
        if !self.enter(Entry::Join { slot, player: player.clone(), ticket }) {
            return Err(JoinRefused::Died);
        }
        self.buffers[slot.index()] = Some(InputBuffer::new(self.spec.rate, self.tick()));
        self.replicator.add_client(slot);
        Ok(slot)
    }

    /// The player in `slot` is back, or there once more. The client holds nothing yet. Says whether the
    /// game lived through it.
    pub fn rejoin(&mut self, slot: Slot, ticket: Option<UsedTicket>) -> bool {
        let tick = self.tick();
        if let Some(inputs) = &mut self.buffers[slot.index()] {
            inputs.restart(tick);
            self.replicator.add_client(slot);
        }
        self.enter(Entry::Regained { slot, ticket })
    }

    /// The player's connection is gone; the place is held for them for a while.
    pub fn disconnect(&mut self, slot: Slot) {
        if self.state.is_connected(slot) {
            self.enter(Entry::Lost { slot });
            self.replicator.remove_client(slot);
        }
    }

    /// The player is gone for good.
    pub fn leave(&mut self, slot: Slot) -> Option<PlayerId> {
        let player = self.state.player(slot)?;
        self.enter(Entry::Leave { slot });
        self.clear_place(slot);
        Some(player)
    }

    /// Whether so much has entered since the last step that whoever comes should come later: a frame has room for so
    /// much. That many may come and go while a match stands still.
    pub fn is_crowded(&self) -> bool {
        self.entered.len() >= ENTRIES_PER_TICK_MAX
    }

    /// Ends the match with the next step, as it stands.
    pub fn end(&mut self, reason: &str) {
        self.enter(Entry::End { reason: reason.to_owned() });
    }

    pub(super) fn clear_place(&mut self, slot: Slot) {
        if let Some(inputs) = self.buffers[slot.index()].take() {
            self.departed += inputs.counts();
        }
        self.replicator.remove_client(slot);
    }

    /// Says whether the game lived through it.
    fn enter(&mut self, entry: Entry) -> bool {
        if self.death.is_some() {
            return false;
        }
        let state = &mut self.state;
        let outcome = self.heartbeat.during(self.spec.id, state.tick() + 1, || {
            catch_unwind(AssertUnwindSafe(|| state.apply(&entry)))
        });
        if self.recording.is_some() {
            self.entered.push(entry);
        }
        outcome.map_err(|panic| self.die_between_steps(&*panic)).is_ok()
    }
}
