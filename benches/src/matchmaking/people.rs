//! Who plays: players with a true skill that nobody sees, in parties that come and go.

use matchkeep_shared::ids::PlayerId;
use matchkeep_shared::rng::Rng;

use super::plan::Plan;

/// Players differ in true skill by so much: as wide as the ratings of newcomers are unsure.
const SKILL_DEVIATION: f64 = 25.0 / 3.0;
/// What luck and form add in a match: the library's own notion of it.
const LUCK: f64 = 25.0 / 6.0;
/// Players who come each second, while they come.
const COME_PER_SECOND: u64 = 16;
/// They come over this time at least, in milliseconds.
const COMING_MS_MIN: u64 = 60_000;
/// One party in so many loses its patience, and after how long at the most.
const IMPATIENT_ONE_IN: u32 = 50;
const PATIENCE_MS_MAX: u32 = 20_000;

/// A player.
#[derive(Clone, Copy, Debug)]
pub(super) struct Person {
    /// The account.
    pub(super) player: PlayerId,
    /// Part of its name.
    pub(super) nth: usize,
    /// How good they really are.
    pub(super) skill: f64,
}

impl Person {
    /// What the account is called.
    pub(super) fn name(&self) -> String {
        format!("player {}", self.nth)
    }
}

/// Players who stay together.
#[derive(Clone, Debug)]
pub(super) struct Party {
    /// The leader first.
    pub(super) members: Vec<Person>,
    /// When they come first, in milliseconds.
    pub(super) comes_ms: u64,
    /// How many matches they want.
    pub(super) matches: u32,
    /// How long they wait before they give up by themselves.
    pub(super) patience_ms: Option<u64>,
    /// They stay connected to the lobby while they play.
    pub(super) stays: bool,
}

/// A number as a normal distribution gives it, by the sum of twelve even ones.
pub(super) fn normal(rng: &mut Rng, mean: f64, deviation: f64) -> f64 {
    let sum: f64 = (0..12).map(|_| f64::from(rng.unit())).sum();
    mean + (sum - 6.0) * deviation
}

/// How well somebody plays today.
pub(super) fn form_of_the_day(rng: &mut Rng, person: &Person) -> f64 {
    normal(rng, person.skill, LUCK)
}

/// A skill.
pub(super) fn skill(rng: &mut Rng) -> f64 {
    normal(rng, 25.0, SKILL_DEVIATION)
}

/// Parties of all these people, in the order in which they come.
pub(super) fn parties(plan: &Plan, rng: &mut Rng, people: &[Person]) -> Vec<Party> {
    let coming_ms = (people.len() as u64 * 1000 / COME_PER_SECOND).max(COMING_MS_MIN);
    let mut parties = Vec::new();
    let mut rest = people;
    while !rest.is_empty() {
        // Of ten parties six are of one player, two of two, one of three and one of four.
        let size = [1, 1, 1, 1, 1, 1, 2, 2, 3, 4][rng.below(10) as usize];
        let (members, others) = rest.split_at(rest.len().min(plan.rules.party_max()).min(size));
        rest = others;
        parties.push(Party {
            members: members.to_vec(),
            comes_ms: rng.below(coming_ms as u32).into(),
            matches: 1 + rng.below(3),
            patience_ms: (rng.below(IMPATIENT_ONE_IN) == 0)
                .then(|| 1 + u64::from(rng.below(PATIENCE_MS_MAX))),
            stays: rng.below(2) == 0,
        });
    }
    parties.sort_by_key(|party| party.comes_ms);
    parties
}
