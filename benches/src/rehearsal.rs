//! A match with its clients, in memory: client datagrams in, snapshot datagrams out, nothing between that
//! is the network's. The clients lose nothing and acknowledge everything.

use matchkeep_server::matches::{Match, MatchOptions, MatchSpec};
use matchkeep_shared::arena::{Arena, ArenaConfig, ArenaInput};
use matchkeep_shared::encoding::{hash_bytes, state_hash};
use matchkeep_shared::ids::{MatchId, PlayerId};
use matchkeep_shared::limits::INPUTS_PER_DATAGRAM_MAX;
use matchkeep_shared::time::TickRate;
use matchkeep_shared::wire::client::{Ack, ClientDatagram};

use crate::play::{Script, player, slots};

/// What a datagram may have at most, about as QUIC grants it.
pub const DATAGRAM_BYTES: usize = 1200;

/// A match and its clients.
pub struct Rehearsal {
    game: Match<Arena>,
    script: Script,
    /// The newest inputs of each player, newest first.
    recent: Vec<[ArenaInput; INPUTS_PER_DATAGRAM_MAX]>,
    /// What each client sends next.
    uplink: Vec<Vec<u8>>,
    /// What each client was sent last.
    downlink: Vec<Vec<u8>>,
    expired: Vec<PlayerId>,
}

impl Rehearsal {
    /// A match before its first tick, every place taken.
    ///
    /// # Panics
    /// Where `config` is for fewer players.
    pub fn new(config: ArenaConfig, rate: TickRate) -> Self {
        let places = usize::from(config.players_max);
        let spec = MatchSpec {
            id: MatchId(1),
            mode: "rehearsal".into(),
            places,
            rate,
            hold_ticks: 1,
            config,
            seed: 1,
        };
        let mut game = Match::new(spec, MatchOptions::default());
        for slot in slots(places) {
            let seated = game.join(&player(slot), None).expect("there is a place for everyone");
            assert_eq!(seated, slot, "places are given in their order");
        }
        Self {
            game,
            script: Script::new(places),
            recent: vec![Default::default(); places],
            uplink: vec![Vec::new(); places],
            downlink: vec![Vec::new(); places],
            expired: Vec::new(),
        }
    }

    /// Every client decides and writes its datagram for the next tick.
    pub fn prepare(&mut self) {
        let (now, next) = (self.game.tick(), self.game.tick() + 1);
        let ack = (now.0 > 0).then(|| Ack { newest_low16: now.low16(), before: u32::MAX });
        for slot in slots(self.uplink.len()) {
            let recent = &mut self.recent[slot.index()];
            recent.rotate_right(1);
            recent[0] = self.script.next(self.game.game(), slot);
            let count = recent.len().min(next.0 as usize);
            let datagram = ClientDatagram::new(self.game.epoch(), ack, next, &recent[..count]);
            let out = &mut self.uplink[slot.index()];
            out.clear();
            datagram.encode(out);
        }
    }

    /// The whole tick: every client's datagram in, the step, every client's snapshot out. Says how many
    /// bytes went out.
    ///
    /// # Panics
    /// Where a datagram of the rehearsal itself does not decode.
    pub fn tick(&mut self) -> usize {
        for slot in slots(self.uplink.len()) {
            let datagram = ClientDatagram::decode(&self.uplink[slot.index()]);
            let datagram = datagram.expect("what the client wrote decodes");
            self.game.receive(slot, &datagram, |_| 0);
        }
        self.game.step(&mut self.expired);
        let mut bytes = 0;
        for slot in slots(self.downlink.len()) {
            let out = &mut self.downlink[slot.index()];
            out.clear();
            self.game.encode_snapshot(slot, DATAGRAM_BYTES, false, out);
            bytes += out.len();
        }
        bytes
    }

    /// Plays so many ticks; gives a hash of every datagram that went out, and of the state they left.
    pub fn play(&mut self, ticks: u64) -> u64 {
        let mut chained = Vec::new();
        for _ in 0..ticks {
            self.prepare();
            self.tick();
            for datagram in &self.downlink {
                chained.extend_from_slice(&hash_bytes(datagram).to_le_bytes());
            }
        }
        chained.extend_from_slice(&state_hash(self.game.game(), &mut Vec::new()).to_le_bytes());
        hash_bytes(&chained)
    }

    /// The match.
    pub fn game(&self) -> &Match<Arena> {
        &self.game
    }

    /// The match alone; its clients are forgotten.
    pub fn into_game(self) -> Match<Arena> {
        self.game
    }

    /// What each client was sent in the last tick, by slot.
    pub fn downlink(&self) -> &[Vec<u8>] {
        &self.downlink
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::play;

    #[test]
    fn every_input_arrives_and_every_client_gets_a_snapshot() {
        let mut rehearsal = Rehearsal::new(play::config(3), TickRate::default());
        rehearsal.play(100);
        let inputs = rehearsal.game().input_totals();
        assert_eq!((inputs.applied, inputs.substituted, inputs.late), (300, 0, 0));
        assert!(rehearsal.downlink().iter().all(|datagram| !datagram.is_empty()));
    }
}
