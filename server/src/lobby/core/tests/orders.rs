//! Many players who do anything, a store that answers in any order: what must hold whatever happens.

use std::collections::BTreeMap;

use super::*;
use crate::matchmaking::QueueState;

const PLAYERS: u64 = 14;
const STEPS: usize = 120;
const SEEDS: u64 = 300;
const MODES: [&str; 4] = ["four", "pair", "slow", "squad"];

/// xorshift: enough to draw what happens next.
struct Draw(u64);

impl Draw {
    fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % n
    }
}

impl Harness {
    /// The store does one thing of what was asked, or the lobby hears of one, whichever it is.
    fn shuffle(&mut self, draw: &mut Draw) {
        if self.asked.is_empty() {
            return;
        }
        let index = draw.below(self.asked.len() as u64) as usize;
        if self.asked[index].said.is_none() {
            let said = self.table.carry_out(&self.asked[index].ask);
            self.asked[index].said = Some(said);
            return;
        }
        let Asked { to, ask, said } = self.asked.remove(index);
        self.lobby.handle_queue(self.now, to, ask, said.expect("it was written"));
        self.settle(ConnectionKey(0));
    }

    fn step(&mut self, draw: &mut Draw) {
        let player = 1 + draw.below(PLAYERS);
        let code_of = |h: &Self, player| h.lobby.parties.of(PlayerId(player)).map(|it| it.code);
        let request = match draw.below(20) {
            0..=4 => {
                let mode = MODES[draw.below(4) as usize].to_owned();
                LobbyRequest::FindMatch { mode }
            }
            5 => LobbyRequest::Cancel,
            6 => LobbyRequest::LeaveParty,
            7 => LobbyRequest::OpenParty,
            8 => match code_of(self, 1 + draw.below(PLAYERS)) {
                Some(code) => LobbyRequest::JoinParty { code },
                None => return,
            },
            9 => return self.pass(draw.below(400)),
            10 => {
                self.table.is_full = draw.below(4) == 0;
                let is_storage_full = draw.below(4) == 0;
                self.lobby.set_storage_full(is_storage_full);
                self.making = [Making::AtOnce, Making::Refused][usize::from(draw.below(4) == 0)];
                return;
            }
            11 => {
                let matches = self.created.len() as u64;
                if let Some((match_id, _)) = self.created.get(draw.below(matches.max(1)) as usize) {
                    let (match_id, tick) = (*match_id, Tick(9));
                    let outcome = Outcome { reason: "time limit".into(), players: vec![] };
                    self.table.records.insert(match_id, false);
                    self.event(ShardEvent::Ended { match_id, tick, outcome });
                    if draw.below(2) == 0 {
                        self.event(ShardEvent::Closed { match_id });
                    }
                }
                return;
            }
            _ => return self.shuffle(draw),
        };
        // Who waits for an answer does not ask again.
        let waits = |asked: &Asked| asked.to == Some(ConnectionKey(player));
        let is_held = self.lobby.held.iter().any(|held| held.from == ConnectionKey(player));
        if !is_held && !self.asked.iter().any(waits) {
            self.request(player, request);
        }
    }

    /// Everything is answered, and time passes until nothing more comes of it.
    fn calm_down(&mut self, draw: &mut Draw) {
        self.table.is_full = false;
        self.lobby.set_storage_full(false);
        self.making = Making::AtOnce;
        // Longer than it is waited for after a shard had no room.
        for _ in 0..12 {
            while !self.asked.is_empty() {
                self.shuffle(draw);
            }
            self.pass(600);
        }
        assert!(self.asked.is_empty());
    }
}

/// Whoever the store says waits, waits here, in the same party, and nobody else does.
fn agrees_with_the_store(h: &Harness) {
    let mut waiting = BTreeMap::new();
    for (id, row) in &h.table.rows {
        if row.state == QueueState::Waiting {
            waiting.extend(row.new.members.iter().map(|player| (*player, *id)));
        }
    }
    for player in (1..=PLAYERS).map(PlayerId) {
        let here = h.lobby.hall.of(player).map(|ticket| ticket.id);
        assert_eq!(here, waiting.get(&player).copied(), "{player}");
    }
}

/// The newest that a party was taken for, where that goes on, has all of it in one team.
fn parties_are_whole(h: &Harness) {
    let mut newest = BTreeMap::new();
    for (id, row) in &h.table.rows {
        newest.extend(row.new.members.iter().map(|player| (*player, *id)));
    }
    for (id, row) in &h.table.rows {
        let QueueState::Taken(taken) = row.state else { continue };
        let Some(placed) = h.lobby.placement.find(taken.match_id) else { continue };
        let is_newest = row.new.members.iter().all(|player| newest[player] == *id);
        if !is_newest || h.table.records.get(&taken.match_id) == Some(&false) {
            continue;
        }
        for player in &row.new.members {
            assert!(placed.expects(*player), "{player} of ticket {id} has no place");
            assert_eq!(placed.team_of(*player), taken.team, "{player} of ticket {id}");
        }
    }
}

#[test]
fn whatever_the_order_of_answers_lobby_and_store_agree_and_parties_stay_whole() {
    for seed in 1..=SEEDS {
        let mut draw = Draw(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let mut h = Harness::new();
        (1..=PLAYERS).for_each(|connection| h.log_in(connection));
        h.is_slow = true;
        for _ in 0..STEPS {
            h.step(&mut draw);
        }
        h.calm_down(&mut draw);
        let check = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            agrees_with_the_store(&h);
            parties_are_whole(&h);
            assert_eq!(h.lobby.held.len(), 0, "somebody has no answer");
            assert_eq!(h.table.promised(None), [], "somebody makes a match that was refused");
            // No mode is held up by what came to nothing.
            h.is_slow = false;
            for mode in ["pair", "squad"] {
                let newcomers: Vec<u64> = (0..4).map(|n| 1000 * (mode.len() as u64) + n).collect();
                for connection in &newcomers {
                    h.log_in(*connection);
                    h.request(*connection, LobbyRequest::FindMatch { mode: mode.into() });
                }
                h.pass(600);
                h.pass(600);
                // Some may wait on, where others did already.
                let waits = |newcomer: &u64| h.lobby.hall.of(PlayerId(*newcomer)).is_some();
                assert!(!newcomers.iter().all(waits), "nobody gets a match of {mode}");
            }
        }));
        assert!(check.is_ok(), "seed {seed}");
    }
}
