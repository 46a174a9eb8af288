//! Parties, lobbies and matches under virtual time, and what is seen of them.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use matchkeep_server::matchmaking::{NewTicket, QueueTicket, QueueTicketId};
use matchkeep_server::store::{Directory, Queue, SqliteDirectory};
use matchkeep_shared::ids::MatchId;
use matchkeep_shared::rng::Rng;

use super::lobby::{Died, Lobby, News, Request};
use super::people::{Party, form_of_the_day, parties};
use super::plan::{MODE, Plan};
use super::season;

/// From one round of the lobbies to the next, in milliseconds.
const ROUND_MS: u64 = 250;
/// A match takes so long, and up to as long again.
const MATCH_MS: u64 = 120_000;
/// From a match to the next wish for one, at most.
const REST_MS_MAX: u32 = 20_000;
/// A lobby dies about once in so many moments at which it may, five a round with much to do.
const DEATH_ONE_IN: u32 = 150;
/// A dead lobby is back after so long, at most.
const BACK_MS_MAX: u32 = 8_000;
/// A party whose lobby died asks another after so long, at most.
const ASK_AGAIN_MS_MAX: u32 = 4_000;
/// Old parties are let go of so often.
const FORGET_EVERY_MS: u64 = 60_000;
/// So long after the last party came everybody is through with all they wanted; who is not is lost.
const END_MS: u64 = 3_600_000;

/// What came of it all.
#[derive(Clone, Debug, Default)]
pub struct Observed {
    /// Matches that were made.
    pub matches: u64,
    /// Wishes for a match that were neither fulfilled, nor given up or taken back.
    pub lost: u64,
    /// Parties that were told of a second match while they were in one, and matches made twice.
    pub matched_twice: u64,
    /// Parties whose members are not all in the same team of the same match.
    pub parties_split: u64,
    /// Teams with more players than places.
    pub teams_overfull: u64,
    /// Promises of a match that nobody kept.
    pub promises_broken: u64,
    /// Parties that were told that they waited for too long.
    pub given_up: u64,
    /// Parties that took their wish back.
    pub cancelled: u64,
    /// How often a lobby died.
    pub lobby_deaths: u64,
    /// Wishes of a matchmaker that came too late: another lobby had one of the parties, or it was gone.
    pub refused: u64,
    /// Parties that went into running matches.
    pub filled: u64,
    /// From asking to being told of a match, in seconds.
    pub wait_seconds: Vec<f64>,
    /// Between the mean ratings of the two teams of a new match.
    pub rating_difference: Vec<f64>,
    /// Between the best and the worst player of a new match.
    pub rating_spread: Vec<f64>,
    /// Look of a matchmaker, in microseconds of the wall's clock.
    pub look_us: Vec<f64>,
    /// How long it went on.
    pub virtual_seconds: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Wake {
    /// A party wants a match, or asks again.
    Ask(usize),
    /// A party wants none any more: of this wish, if it is still the same.
    Cancel(usize, u32),
    /// A match is over.
    Over(MatchId),
    /// A lobby is back.
    Back(usize),
}

/// A round of the lobbies has two.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Half {
    Look,
    Act,
}

#[derive(Clone, Copy, PartialEq)]
enum Stage {
    Away,
    /// Since when, and where it asked.
    Waits {
        since_ms: u64,
        lobby: usize,
    },
    Plays(MatchId),
    Done,
}

struct World<'a> {
    plan: &'a Plan,
    rng: Rng,
    folder: tempfile::TempDir,
    /// Of the node: accounts, results, and looking up.
    directory: SqliteDirectory,
    parties: Vec<Party>,
    stages: Vec<Stage>,
    /// How many matches each party has wanted, and the one it had last.
    wanted: Vec<(u32, Option<MatchId>)>,
    lobbies: Vec<Option<Lobby>>,
    /// Who made each running match.
    running: BTreeMap<MatchId, usize>,
    seats: BTreeMap<MatchId, Vec<(usize, u8)>>,
    made: BTreeSet<MatchId>,
    wakes: BTreeSet<(u64, Wake)>,
    seen: Observed,
}

/// Plays it, and says how it goes.
///
/// # Errors
/// Where the store fails.
pub fn play(plan: &Plan, say: impl Fn(&str)) -> Result<Observed> {
    let folder = tempfile::tempdir()?;
    let mut directory = SqliteDirectory::open(folder.path())?;
    let mut rng = Rng::new(plan.seed);
    say(&format!("{} players play the season before", plan.players));
    let people = season::play(plan, &mut rng, &mut directory)?;
    let parties = parties(plan, &mut rng, &people);
    let wakes = parties.iter().enumerate().map(|(n, party)| (party.comes_ms, Wake::Ask(n)));
    let mut world = World {
        plan,
        folder,
        directory,
        stages: vec![Stage::Away; parties.len()],
        wanted: vec![(0, None); parties.len()],
        lobbies: (0..plan.lobbies).map(|_| None).collect(),
        running: BTreeMap::new(),
        seats: BTreeMap::new(),
        made: BTreeSet::new(),
        wakes: wakes.collect(),
        seen: Observed::default(),
        rng,
        parties,
    };
    for lobby in 0..plan.lobbies {
        world.begin(lobby)?;
    }
    let mut now_ms = 0;
    let end_ms = world.parties.iter().map(|party| party.comes_ms).max().unwrap_or(0) + END_MS;
    while now_ms < end_ms && world.stages.iter().any(|stage| *stage != Stage::Done) {
        world.turn(now_ms)?;
        now_ms += ROUND_MS;
        if now_ms.is_multiple_of(60_000) {
            let (matches, waiting) = (world.seen.matches, world.waiting());
            say(&format!("minute {}: {matches} matches, {waiting} wait", now_ms / 60_000));
        }
    }
    world.seen.virtual_seconds = now_ms / 1000;
    world.conclude()
}

impl World<'_> {
    fn waiting(&self) -> usize {
        self.stages.iter().filter(|stage| matches!(stage, Stage::Waits { .. })).count()
    }

    fn turn(&mut self, now_ms: u64) -> Result<()> {
        while let Some(&(due_ms, wake)) = self.wakes.first()
            && due_ms <= now_ms
        {
            self.wakes.pop_first();
            match wake {
                Wake::Ask(party) => self.ask(party, now_ms),
                Wake::Cancel(party, wish) => self.cancel(party, wish),
                Wake::Over(match_id) => self.end(match_id, now_ms)?,
                Wake::Back(lobby) => self.begin(lobby)?,
            }
        }
        // All look before any of them acts: so they want the same parties, and one is too late.
        let mut order: Vec<usize> = (0..self.lobbies.len()).collect();
        let first = self.rng.below(order.len() as u32) as usize;
        order.rotate_left(first);
        for half in [Half::Look, Half::Act] {
            for index in &order {
                self.round(*index, half, now_ms)?;
            }
        }
        Ok(())
    }

    fn begin(&mut self, index: usize) -> Result<()> {
        let own = self.running.iter().filter(|(_, by)| **by == index).map(|(id, _)| *id);
        let seed = u64::from(self.rng.next_u32());
        let (folder, own) = (self.folder.path(), own.collect());
        self.lobbies[index] = Some(Lobby::begin(self.plan, index, folder, seed, &own)?);
        Ok(())
    }

    fn round(&mut self, index: usize, half: Half, now_ms: u64) -> Result<()> {
        let Some(mut lobby) = self.lobbies[index].take() else { return Ok(()) };
        if half == Half::Look && now_ms.is_multiple_of(FORGET_EVERY_MS) {
            lobby.forget(now_ms)?;
        }
        // One of two dies, so that somebody is always there to ask.
        let may_die = index > 0;
        let mut news = Vec::new();
        let rng = &mut self.rng;
        let dies = || may_die && rng.below(DEATH_ONE_IN) == 0;
        let outcome = match half {
            Half::Look => lobby.look(now_ms, dies, &mut news)?,
            Half::Act => lobby.act(now_ms, dies, &mut news)?,
        };
        // What was said before it died was heard.
        for news in news {
            self.hear(news, index, now_ms)?;
        }
        match outcome {
            Ok(()) => self.lobbies[index] = Some(lobby),
            Err(Died) => {
                self.note(&lobby);
                drop(lobby);
                self.seen.lobby_deaths += 1;
                let back_ms = now_ms + ROUND_MS + u64::from(self.rng.below(BACK_MS_MAX));
                self.wakes.insert((back_ms, Wake::Back(index)));
                for party in 0..self.stages.len() {
                    if matches!(self.stages[party], Stage::Waits { lobby, .. } if lobby == index) {
                        let again_ms = now_ms + u64::from(self.rng.below(ASK_AGAIN_MS_MAX));
                        self.wakes.insert((again_ms, Wake::Ask(party)));
                    }
                }
            }
        }
        Ok(())
    }

    fn note(&mut self, lobby: &Lobby) {
        self.seen.look_us.extend(&lobby.look_us);
        self.seen.refused += lobby.refused;
        self.seen.filled += lobby.filled;
    }

    fn ask(&mut self, party: usize, now_ms: u64) {
        let alive = (0..self.lobbies.len()).filter(|lobby| self.lobbies[*lobby].is_some());
        let alive: Vec<usize> = alive.collect();
        let lobby = alive[self.rng.below(alive.len() as u32) as usize];
        let since_ms = match self.stages[party] {
            Stage::Waits { since_ms, .. } => since_ms,
            Stage::Away => {
                self.wanted[party].0 += 1;
                if let Some(patience_ms) = self.parties[party].patience_ms {
                    let wish = self.wanted[party].0;
                    self.wakes.insert((now_ms + patience_ms, Wake::Cancel(party, wish)));
                }
                now_ms
            }
            Stage::Plays(_) | Stage::Done => return,
        };
        self.stages[party] = Stage::Waits { since_ms, lobby };
        let members = self.parties[party].members.iter().map(|person| person.player).collect();
        let done_with = self.wanted[party].1;
        let mode = MODE.to_owned();
        let new = NewTicket { mode, members, queued_unix_ms: now_ms, done_with };
        if let Some(lobby) = &mut self.lobbies[lobby] {
            lobby.inbox.push(Request::Find { party, new });
        }
    }

    fn cancel(&mut self, party: usize, wish: u32) {
        if let Stage::Waits { lobby, .. } = self.stages[party]
            && self.wanted[party].0 == wish
            && let Some(lobby) = &mut self.lobbies[lobby]
        {
            lobby.inbox.push(Request::Cancel { party });
        }
    }

    fn hear(&mut self, news: News, from: usize, now_ms: u64) -> Result<()> {
        // Only who is connected there hears it.
        let listens = |stage| match stage {
            Stage::Waits { since_ms, lobby } if lobby == from => Some(since_ms),
            _ => None,
        };
        match news {
            News::Made { match_id, by, tickets } => self.made(match_id, by, &tickets, now_ms),
            News::Matched { party, ticket, match_id, team } => {
                if let Stage::Plays(other) = self.stages[party]
                    && other != match_id
                {
                    self.seen.matched_twice += 1;
                }
                let Some(since_ms) = listens(self.stages[party]) else { return Ok(()) };
                self.seen.wait_seconds.push((now_ms - since_ms) as f64 / 1000.0);
                self.stages[party] = Stage::Plays(match_id);
                self.wanted[party].1 = Some(match_id);
                self.check_whole(party, ticket)?;
                if self.made.contains(&match_id) && !self.running.contains_key(&match_id) {
                    // It heard of its match when that was over.
                    self.rest(party, now_ms);
                } else {
                    self.seats.entry(match_id).or_default().push((party, team.unwrap_or(0)));
                }
            }
            News::GivenUp { party } => {
                if listens(self.stages[party]).is_some() {
                    self.seen.given_up += 1;
                    self.rest(party, now_ms);
                }
            }
            News::Cancelled { party } => {
                if listens(self.stages[party]).is_some() {
                    self.seen.cancelled += 1;
                    self.rest(party, now_ms);
                }
            }
        }
        Ok(())
    }

    /// Every member of the party must be where its leader is.
    fn check_whole(&mut self, party: usize, ticket: QueueTicketId) -> Result<()> {
        let mut is_whole = true;
        for person in &self.parties[party].members {
            let found = self.directory.queue_of(person.player)?;
            is_whole &= found.is_some_and(|found| {
                found.ticket.id == ticket
                    && found.ticket.members.len() == self.parties[party].members.len()
            });
        }
        self.seen.parties_split += u64::from(!is_whole);
        Ok(())
    }

    fn made(
        &mut self,
        match_id: MatchId,
        by: usize,
        tickets: &[(QueueTicket, Option<u8>)],
        now_ms: u64,
    ) {
        if !self.made.insert(match_id) {
            self.seen.matched_twice += 1;
            return;
        }
        self.seen.matches += 1;
        self.running.insert(match_id, by);
        let over_ms = now_ms + MATCH_MS + u64::from(self.rng.below(MATCH_MS as u32));
        self.wakes.insert((over_ms, Wake::Over(match_id)));
        let mean_of = |wanted: u8| {
            let team = tickets.iter().filter(|(_, team)| *team == Some(wanted));
            let ratings: Vec<f64> = team
                .flat_map(|(ticket, _)| ticket.members.iter().map(|member| member.rating.mean))
                .collect();
            ratings.iter().sum::<f64>() / ratings.len() as f64
        };
        self.seen.rating_difference.push((mean_of(0) - mean_of(1)).abs());
        let members = tickets.iter().flat_map(|(ticket, _)| &ticket.members);
        let means = members.map(|member| member.rating.mean);
        let best = means.clone().fold(f64::NEG_INFINITY, f64::max);
        self.seen.rating_spread.push(best - means.fold(f64::INFINITY, f64::min));
    }

    /// The better team of the day wins, and everybody goes on.
    fn end(&mut self, match_id: MatchId, now_ms: u64) -> Result<()> {
        if let Some(by) = self.running.remove(&match_id)
            && let Some(lobby) = &mut self.lobbies[by]
        {
            lobby.over(match_id);
        }
        let seats = self.seats.remove(&match_id).unwrap_or_default();
        let (mut strength, mut players) = ([0.0; 2], [0; 2]);
        for (party, team) in &seats {
            for person in &self.parties[*party].members {
                strength[usize::from(*team)] += form_of_the_day(&mut self.rng, person);
                players[usize::from(*team)] += 1;
            }
        }
        let most = self.plan.rules.party_max();
        self.seen.teams_overfull += players.iter().filter(|team| **team > most).count() as u64;
        let winner = u8::from(strength[1] > strength[0]);
        let place = |team: u8| if team == winner { 1 } else { 2 };
        let mut lines: Vec<_> = seats
            .iter()
            .flat_map(|(party, team)| {
                let members = self.parties[*party].members.iter();
                members.map(|person| (person, Some(*team), place(*team)))
            })
            .collect();
        lines.sort_by_key(|line| line.2);
        self.directory.begin()?;
        self.directory.finish(&season::result(match_id, lines.into_iter(), now_ms))?;
        self.directory.commit()?;
        for (party, _) in seats {
            self.rest(party, now_ms);
        }
        Ok(())
    }

    /// A party goes, and may come again.
    fn rest(&mut self, party: usize, now_ms: u64) {
        if self.wanted[party].0 >= self.parties[party].matches {
            self.stages[party] = Stage::Done;
            return;
        }
        self.stages[party] = Stage::Away;
        let again_ms = now_ms + 1 + u64::from(self.rng.below(REST_MS_MAX));
        self.wakes.insert((again_ms, Wake::Ask(party)));
    }

    /// Who is still on the way when nothing more can happen is lost.
    fn conclude(mut self) -> Result<Observed> {
        for lobby in self.lobbies.iter_mut().filter_map(Option::take).collect::<Vec<_>>() {
            self.note(&lobby);
        }
        let unfinished = self.stages.iter().filter(|stage| **stage != Stage::Done);
        self.seen.lost += unfinished.count() as u64;
        self.seen.promises_broken = self.directory.promised()?.len() as u64;
        Ok(self.seen)
    }
}
