//! The season before: matches of everybody against everybody, so that ratings are spread when it begins.

use anyhow::Result;
use matchkeep_server::store::{Directory, FinishedMatch, NewMatch, SqliteDirectory};
use matchkeep_shared::game::{Outcome, PlayerResult};
use matchkeep_shared::ids::{MatchId, PlayerId, ShardId};
use matchkeep_shared::rng::Rng;
use matchkeep_shared::time::{Tick, TickRate};

use super::people::{Person, form_of_the_day, skill};
use super::plan::{MODE, Plan};

/// Matches that each player has behind them.
const ROUNDS: usize = 12;
/// Players of each.
const TOGETHER: usize = 100;

/// Makes accounts, and ratings for them from results.
pub(super) fn play(
    plan: &Plan,
    rng: &mut Rng,
    directory: &mut SqliteDirectory,
) -> Result<Vec<Person>> {
    directory.begin()?;
    let mut people = Vec::with_capacity(plan.players);
    for n in 0..plan.players {
        let mut person = Person { player: PlayerId(0), nth: n, skill: skill(rng) };
        person.player = directory.player(&person.name(), 0)?;
        people.push(person);
    }
    directory.commit()?;
    let mut order: Vec<usize> = (0..people.len()).collect();
    for round in 0..ROUNDS {
        for n in (1..order.len()).rev() {
            order.swap(n, rng.below(n as u32 + 1) as usize);
        }
        directory.begin()?;
        for (nth, group) in order.chunks(TOGETHER).enumerate() {
            let mut ranked: Vec<(f64, &Person)> = group
                .iter()
                .map(|index| (form_of_the_day(rng, &people[*index]), &people[*index]))
                .collect();
            ranked.sort_by(|a, b| b.0.total_cmp(&a.0));
            let lines = ranked.iter().enumerate();
            let lines = lines.map(|(n, (_, person))| (*person, None, n as u32 + 1));
            // Numbers that no match of the season itself has: those are drawn from all of 64 bits.
            let id = MatchId((round * order.len() + nth) as u64);
            directory.create(&new_match(id, ShardId(0), 0))?;
            directory.finish(&result(id, lines, 0))?;
        }
        directory.commit()?;
    }
    Ok(people)
}

/// A match of the ladder.
pub(super) fn new_match(id: MatchId, shard: ShardId, created_unix_ms: u64) -> NewMatch {
    NewMatch {
        id,
        mode: MODE.to_owned(),
        ladder: Some(MODE.to_owned()),
        game: "played by true skill".to_owned(),
        rules_version: 1,
        map: None,
        shard,
        tick_rate: TickRate::default(),
        created_unix_ms,
    }
}

/// Its result, from players with team and place, the best first.
pub(super) fn result<'a>(
    id: MatchId,
    lines: impl Iterator<Item = (&'a Person, Option<u8>, u32)>,
    ended_unix_ms: u64,
) -> FinishedMatch {
    let line = |(person, team, place): (&Person, Option<u8>, u32)| PlayerResult {
        player: person.player,
        name: person.name(),
        team,
        place,
        score: 0,
        stats: Vec::new(),
    };
    let outcome = Outcome { reason: "played".to_owned(), players: lines.map(line).collect() };
    FinishedMatch { id, outcome, ticks: Tick(1), ended_unix_ms }
}

/// An outcome for who only wants to know that a match is over.
pub(super) fn nothing() -> Outcome {
    Outcome { reason: "played".to_owned(), players: Vec::new() }
}
