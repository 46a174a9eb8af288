//! What must never be, judged by what players were told and by what shards saw.
//!
//! Owns: who sat where and when, and the counters of faults. Must not know: lobbies, the store's rows, what anybody
//! meant to do. Of the store it hears one thing: that a lobby's wish for a match was written down, for from then on
//! that match is owed.

use std::collections::{BTreeMap, BTreeSet};

use matchkeep_server::matchmaking::ModeRules;
use matchkeep_shared::ids::{MatchId, PlayerId};
use matchkeep_shared::limits::RESERVATION;

/// So many faults of each kind are told in words; all are counted.
const TOLD_MAX: u64 = 20;

/// What must be zero.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    /// Parties that were neither told of a match, nor given up, nor took their wish back.
    pub lost: u64,
    /// Players who were told of or came into a match while in another that goes on, and matches made twice.
    pub matched_twice: u64,
    /// Parties of which somebody was in a match and the others were not, or not in the same team.
    pub parties_split: u64,
    /// Matches that were made for fewer players than the mode begins with, or that fewer came into.
    pub matches_short: u64,
    /// Teams with more players than places.
    pub teams_overfull: u64,
    /// Matches that were owed and never made.
    pub promises_broken: u64,
    /// Parties that were told that they wait no longer, and had done nothing for it.
    pub turned_out: u64,
    /// The first faults, in words.
    pub told: Vec<String>,
}

/// A match as far as is known.
#[derive(Debug, Default)]
struct Played {
    /// Parties that it was begun with.
    founders: Vec<usize>,
    is_owed: bool,
    is_made: bool,
    /// When it ended, and when its lobby died last, in milliseconds.
    ended_ms: Option<u64>,
    interrupted_ms: Option<u64>,
    /// Everybody who ever came in.
    seats: BTreeMap<PlayerId, Seat>,
    /// Who had a ticket while it went on and came when it was over: nobody's fault.
    late: BTreeSet<PlayerId>,
    overfull: BTreeSet<Option<u8>>,
}

/// Where somebody sits.
#[derive(Clone, Copy, Debug)]
struct Seat {
    team: Option<u8>,
    since_ms: u64,
}

/// Sees everything and says nothing.
#[derive(Debug)]
pub(super) struct Judge {
    rules: ModeRules,
    parties: Vec<Vec<PlayerId>>,
    party_of: BTreeMap<PlayerId, usize>,
    /// The match that a player sits in and that goes on.
    sits_in: BTreeMap<PlayerId, MatchId>,
    matches: BTreeMap<MatchId, Played>,
    faults: Faults,
}

impl Played {
    /// Whether it ended while places were still kept for friends of these, who were on their way back to a lobby that had
    /// died: nobody's fault.
    fn was_cut_short(&self, here: &[Seat]) -> bool {
        let first_ms = here.iter().map(|seat| seat.since_ms).min().unwrap_or(0);
        let kept_ms = RESERVATION.as_millis() as u64;
        let ended_soon = self.ended_ms.is_some_and(|ended_ms| ended_ms < first_ms + kept_ms);
        ended_soon && self.interrupted_ms.is_some_and(|died_ms| died_ms + kept_ms > first_ms)
    }
}

impl Judge {
    /// Of these parties, who play by these rules.
    pub(super) fn new(rules: ModeRules, parties: Vec<Vec<PlayerId>>) -> Self {
        let numbered = parties.iter().enumerate();
        let party_of = numbered
            .flat_map(|(party, players)| players.iter().map(move |player| (*player, party)))
            .collect();
        let (sits_in, matches) = (BTreeMap::new(), BTreeMap::new());
        Self { rules, parties, party_of, sits_in, matches, faults: Faults::default() }
    }

    /// A match is owed to these players from now on: that is durable. Who is added to one later only fills it.
    /// Says whether it is a new one.
    pub(super) fn owes(&mut self, id: MatchId, players: impl Iterator<Item = PlayerId>) -> bool {
        let parties: BTreeSet<usize> =
            players.filter_map(|player| self.party_of.get(&player).copied()).collect();
        let known = self.matches.entry(id).or_default();
        let is_new = !known.is_owed && !known.is_made;
        if is_new {
            known.founders = parties.into_iter().collect();
        }
        known.is_owed = true;
        is_new
    }

    /// A shard has the match.
    pub(super) fn made(&mut self, id: MatchId) {
        let known = self.matches.entry(id).or_default();
        if std::mem::replace(&mut known.is_made, true) {
            self.fault(|faults| &mut faults.matched_twice, format!("match {id} was made twice"));
        }
    }

    /// A player was told of a match.
    pub(super) fn told(&mut self, player: PlayerId, id: MatchId) {
        self.check_free(player, id, "was told of");
    }

    /// A player came into a match, or back to it.
    pub(super) fn joined(&mut self, player: PlayerId, id: MatchId, team: Option<u8>, now_ms: u64) {
        self.check_free(player, id, "came into");
        self.sits_in.insert(player, id);
        let Self { rules, matches, .. } = self;
        let known = matches.entry(id).or_default();
        let since_ms = known.seats.get(&player).map_or(now_ms, |seat| seat.since_ms);
        known.seats.insert(player, Seat { team, since_ms });
        let of_team = known.seats.values().filter(|seat| seat.team == team).count();
        let most = if team.is_some() { rules.party_max() } else { rules.places };
        let is_over = of_team > most || known.seats.len() > rules.places;
        if is_over && known.overfull.insert(team) {
            self.fault(
                |faults| &mut faults.teams_overfull,
                format!("team {team:?} of match {id} has {of_team} players"),
            );
        }
    }

    /// That a player came into a match was undone with the process that saw it.
    pub(super) fn undone(&mut self, player: PlayerId, id: MatchId) {
        self.sits_in.remove(&player);
        if let Some(known) = self.matches.get_mut(&id) {
            known.seats.remove(&player);
        }
    }

    /// A player came with a ticket to a match that had just ended.
    pub(super) fn came_late(&mut self, player: PlayerId, id: MatchId) {
        if let Some(known) = self.matches.get_mut(&id) {
            known.late.insert(player);
        }
    }

    /// The lobby of these matches died.
    pub(super) fn interrupted(&mut self, matches: &[MatchId], now_ms: u64) {
        for id in matches {
            if let Some(known) = self.matches.get_mut(id) {
                known.interrupted_ms = Some(now_ms);
            }
        }
    }

    /// The match is over.
    pub(super) fn ended(&mut self, id: MatchId, now_ms: u64) {
        self.matches.entry(id).or_default().ended_ms = Some(now_ms);
        self.sits_in.retain(|_, sits_in| *sits_in != id);
    }

    /// A party was told that it waits no longer, and neither had enough of it nor changed nor was away.
    pub(super) fn turned_out(&mut self, party: usize) {
        self.fault(
            |faults| &mut faults.turned_out,
            format!("party {party} was turned out of the queue"),
        );
    }

    /// Nobody has a ticket to the match any more: who was there?
    pub(super) fn settle(&mut self, id: MatchId) {
        let Some(played) = self.matches.remove(&id) else { return };
        let came: BTreeSet<usize> =
            played.seats.keys().filter_map(|player| self.party_of.get(player).copied()).collect();
        for party in came {
            self.check_whole(id, &played, party);
        }
        if played.is_made {
            self.check_full_enough(id, &played);
        } else {
            self.fault(
                |faults| &mut faults.promises_broken,
                format!("match {id} was owed and never made"),
            );
        }
    }

    /// It is over: so many parties never got through with what they wanted.
    pub(super) fn conclude(mut self, unfinished: impl Iterator<Item = usize>) -> Faults {
        for party in unfinished {
            self.fault(|faults| &mut faults.lost, format!("party {party} is lost"));
        }
        // What goes on still may yet be filled; what was never made will never be.
        let unmade =
            self.matches.iter().filter(|(_, known)| !known.is_made || known.ended_ms.is_some());
        for id in unmade.map(|(id, _)| *id).collect::<Vec<_>>() {
            self.settle(id);
        }
        self.faults
    }

    fn check_free(&mut self, player: PlayerId, id: MatchId, what: &str) {
        if let Some(other) = self.sits_in.get(&player).filter(|other| **other != id) {
            let text = format!("player {player} {what} match {id} while in {other}");
            self.fault(|faults| &mut faults.matched_twice, text);
        }
    }

    /// All of a party must have come, and into one team.
    fn check_whole(&mut self, id: MatchId, played: &Played, party: usize) {
        let members = &self.parties[party];
        let here: Vec<Seat> =
            members.iter().filter_map(|player| played.seats.get(player).copied()).collect();
        let is_late =
            |player: &&PlayerId| !played.seats.contains_key(player) && played.late.contains(player);
        let late = members.iter().filter(is_late).count();
        let is_missed = here.len() + late < members.len() && !played.was_cut_short(&here);
        if is_missed || here.windows(2).any(|two| two[0].team != two[1].team) {
            let teams: Vec<Option<u8>> = here.iter().map(|seat| seat.team).collect();
            let text = format!("party {party} of {} came into {id} as {teams:?}", members.len());
            self.fault(|faults| &mut faults.parties_split, text);
        }
    }

    /// Of those whom it was begun with enough must have come.
    fn check_full_enough(&mut self, id: MatchId, played: &Played) {
        let founders = played.founders.iter().flat_map(|party| &self.parties[*party]);
        let teams: Vec<Option<u8>> =
            founders.filter_map(|player| Some(played.seats.get(player)?.team)).collect();
        let sides = usize::from(self.rules.teams);
        let side_min = self.rules.form_min / sides.max(1);
        let of_side = |side: u8| teams.iter().filter(|team| **team == Some(side)).count();
        let is_short = teams.len() < self.rules.form_min
            || (0..self.rules.teams).any(|side| of_side(side) < side_min);
        if is_short {
            let parties = played.founders.clone();
            self.fault(
                |faults| &mut faults.matches_short,
                format!("match {id} of parties {parties:?} began with {teams:?}"),
            );
        }
    }

    fn fault(&mut self, count: impl Fn(&mut Faults) -> &mut u64, text: String) {
        let count = count(&mut self.faults);
        *count += 1;
        if *count <= TOLD_MAX {
            self.faults.told.push(text);
        }
    }
}

#[cfg(test)]
mod tests;
