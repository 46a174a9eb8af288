//! How good a player is, as far as results tell: an estimate and how sure it is.
//!
//! Owns: which rating system is used (Weng and Lin's, of the library `skillratings`) and how a result of a
//! match becomes games between its sides. Must not know: where ratings are kept, and which matches count.
//!
//! A result is rated as games of every two sides. With more than three sides each game weighs less, so that all
//! of them weigh as much as [`GAMES_MAX`]: else sixteen newcomers would be thrown as far as by fifteen matches,
//! and be held to be known for certain after one.

use std::collections::BTreeSet;

use matchkeep_shared::ids::PlayerId;
use serde::{Deserialize, Serialize};
use skillratings::MultiTeamOutcome;
use skillratings::weng_lin::{WengLinConfig, WengLinRating, weng_lin_multi_team};

/// What a match adds to the doubt about everybody in it: people change. Without it ratings would freeze.
const DRIFT: f64 = 25.0 / 300.0;
/// As how many games a match counts at the most, however many sides it has.
const GAMES_MAX: f64 = 2.0;
/// The share of a rating's variance that a match leaves at least.
const VARIANCE_LEFT_MIN: f64 = 0.25;

/// A player's rating. A newcomer is at 25; who is 4 higher wins two matches of three.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rating {
    /// The estimate.
    pub mean: f64,
    /// Its standard deviation.
    pub deviation: f64,
}

impl Default for Rating {
    fn default() -> Self {
        WengLinRating::new().into()
    }
}

impl From<WengLinRating> for Rating {
    fn from(rating: WengLinRating) -> Self {
        Self { mean: rating.rating, deviation: rating.uncertainty }
    }
}

/// One line of a result.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Finisher {
    /// The account. One that is there twice left and came back: its best line counts.
    pub player: PlayerId,
    /// What it was rated before.
    pub rating: Rating,
    /// The team, in a game that has them. Whoever has none is a side alone.
    pub team: Option<u8>,
    /// 1 for the best; equals share a place. A team's place is the best of its players'.
    pub place: u32,
}

/// Those who stand or fall together.
struct Side {
    place: u32,
    team: Option<u8>,
    players: Vec<PlayerId>,
    ratings: Vec<Rating>,
    /// What the games do to each of them.
    moves: Vec<Move>,
}

/// What a result makes of its players' ratings: each account once, in the order of the places. Nobody's is
/// changed where there is nobody to be compared with.
pub fn rate(finishers: &[Finisher]) -> Vec<(PlayerId, Rating)> {
    let mut sides = sides(finishers);
    for first in 0..sides.len() {
        for second in first + 1..sides.len() {
            let (before, after) = sides.split_at_mut(second);
            play(&mut before[first], &mut after[0]);
        }
    }
    let opponents = sides.len().saturating_sub(1) as f64;
    let weight = if opponents > 0.0 { (GAMES_MAX / opponents).min(1.0) } else { 0.0 };
    let rated = |side: Side| {
        let Side { players, ratings, moves, .. } = side;
        let after =
            ratings.into_iter().zip(moves).map(move |(rating, by)| by.apply(rating, weight));
        players.into_iter().zip(after)
    };
    sides.into_iter().flat_map(rated).collect()
}

/// One game of two sides, as the library rates it.
fn play(one: &mut Side, other: &mut Side) {
    let doubted = [one.doubted(), other.doubted()];
    let games = [
        (doubted[0].as_slice(), MultiTeamOutcome::new(one.place as usize)),
        (doubted[1].as_slice(), MultiTeamOutcome::new(other.place as usize)),
    ];
    let after = weng_lin_multi_team(&games, &WengLinConfig::new());
    for ((side, before), after) in [one, other].into_iter().zip(&doubted).zip(&after) {
        for ((moved, before), after) in side.moves.iter_mut().zip(before).zip(after) {
            moved.mean += after.rating - before.rating;
            moved.certainty += 1.0 - (after.uncertainty / before.uncertainty).powi(2);
        }
    }
}

/// What games do to a rating.
#[derive(Clone, Copy, Default)]
struct Move {
    /// What is added to the mean.
    mean: f64,
    /// Which shares of the variance they take away, added up.
    certainty: f64,
}

impl Move {
    /// The rating after it, where each game weighs so much; without games it stays.
    fn apply(self, rating: Rating, weight: f64) -> Rating {
        if weight == 0.0 {
            return rating;
        }
        let left = (1.0 - weight * self.certainty).max(VARIANCE_LEFT_MIN);
        let mean = rating.mean + weight * self.mean;
        let deviation = doubt(rating.deviation) * left.sqrt();
        // Sums beyond what the library's exponentials can hold give no number: such a result says nothing.
        if mean.is_finite() && deviation.is_finite() { Rating { mean, deviation } } else { rating }
    }
}

/// How unsure a rating is when a match begins: a little less certain than it was.
fn doubt(deviation: f64) -> f64 {
    deviation.hypot(DRIFT).min(Rating::default().deviation)
}

impl Side {
    /// What the library is told.
    fn doubted(&self) -> Vec<WengLinRating> {
        let doubted = |rating: &Rating| WengLinRating {
            rating: rating.mean,
            uncertainty: doubt(rating.deviation),
        };
        self.ratings.iter().map(doubted).collect()
    }
}

/// The sides of a result, best first.
fn sides(finishers: &[Finisher]) -> Vec<Side> {
    let mut lines: Vec<&Finisher> = finishers.iter().collect();
    lines.sort_by_key(|line| (line.place, line.player));
    let mut known = BTreeSet::new();
    let mut sides: Vec<Side> = Vec::new();
    for line in lines {
        if !known.insert(line.player) {
            continue;
        }
        let is_own = |side: &&mut Side| line.team.is_some() && side.team == line.team;
        match sides.iter_mut().find(is_own) {
            Some(side) => {
                side.players.push(line.player);
                side.ratings.push(line.rating);
                side.moves.push(Move::default());
            }
            None => sides.push(Side {
                place: line.place,
                team: line.team,
                players: vec![line.player],
                ratings: vec![line.rating],
                moves: vec![Move::default()],
            }),
        }
    }
    sides
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finisher(player: u64, team: Option<u8>, place: u32) -> Finisher {
        Finisher { player: PlayerId(player), rating: Rating::default(), team, place }
    }

    fn mean(rated: &[(PlayerId, Rating)], player: u64) -> f64 {
        rated.iter().find(|(id, _)| *id == PlayerId(player)).expect("rated").1.mean
    }

    #[test]
    fn a_duel_is_rated_as_the_library_does_it() {
        let rated = rate(&[finisher(7, None, 2), finisher(5, None, 1)]);
        // Both are newcomers, about whom nothing makes more doubt.
        assert_eq!(rated.len(), 2);
        assert!((mean(&rated, 5) - 27.635_231_383_473_65).abs() < 1e-9, "{rated:?}");
        assert!((mean(&rated, 7) - 22.364_768_616_526_35).abs() < 1e-9, "{rated:?}");
        assert!(rated.iter().all(|(_, rating)| rating.deviation < Rating::default().deviation));
    }

    #[test]
    fn a_team_stands_or_falls_together_however_many_it_is() {
        let team = |player, team, place| finisher(player, Some(team), place);
        let rated =
            rate(&[team(1, 1, 1), team(2, 1, 1), team(3, 2, 2), team(4, 2, 2), team(5, 2, 2)]);
        assert!(mean(&rated, 1) > 25.0 && mean(&rated, 1) == mean(&rated, 2));
        assert!(mean(&rated, 3) < 25.0 && mean(&rated, 3) == mean(&rated, 5));
        let drawn = rate(&[team(1, 1, 1), team(3, 2, 1)]);
        assert_eq!((mean(&drawn, 1), mean(&drawn, 3)), (25.0, 25.0));
    }

    #[test]
    fn many_sides_do_not_throw_a_newcomer_out_of_reach() {
        let many: Vec<Finisher> = (0..64).map(|n| finisher(n, None, n as u32 + 1)).collect();
        let rated = rate(&many);
        assert_eq!(rated.len(), 64);
        for (player, rating) in &rated {
            assert!((rating.mean - 25.0).abs() < 5.5, "{player}: {rating:?}");
            assert!(rating.deviation > 6.0, "{player}: {rating:?}");
        }
        // Whoever did better is rated higher, in the middle too.
        assert!((1..64).all(|n| mean(&rated, n - 1) > mean(&rated, n)), "{rated:?}");
    }

    #[test]
    fn who_came_back_counts_once_with_the_better_line() {
        let rated = rate(&[finisher(1, None, 1), finisher(2, None, 2), finisher(1, None, 3)]);
        assert_eq!(rated.iter().map(|(id, _)| id.0).collect::<Vec<_>>(), [1, 2]);
        assert!(mean(&rated, 1) > 25.0);
    }

    #[test]
    fn with_nobody_to_be_compared_with_nothing_changes() {
        assert!(rate(&[]).is_empty());
        for alone in
            [&[finisher(1, None, 1)][..], &[finisher(1, Some(1), 1), finisher(2, Some(1), 1)]]
        {
            assert!(rate(alone).iter().all(|(_, rating)| *rating == Rating::default()));
        }
    }

    #[test]
    fn numbers_beyond_all_bounds_change_nothing() {
        let far = |player, mean, place| Finisher {
            rating: Rating { mean, deviation: 1.0 },
            ..finisher(player, None, place)
        };
        let rated = rate(&[far(1, 1e9, 1), far(2, -1e9, 2)]);
        assert_eq!((mean(&rated, 1), mean(&rated, 2)), (1e9, -1e9));
    }

    #[test]
    fn a_rating_never_freezes() {
        let mut both = [Rating::default(); 2];
        for n in 0..2_000 {
            let line = |i: usize| Finisher {
                rating: both[i],
                ..finisher(i as u64, None, 1 + u32::from((n % 2 == 0) == (i == 0)))
            };
            let rated = rate(&[line(0), line(1)]);
            for (player, rating) in rated {
                both[player.0 as usize] = rating;
            }
        }
        for rating in both {
            assert!(rating.deviation > 0.3 && rating.deviation < 3.0, "{rating:?}");
            assert!((rating.mean - 25.0).abs() < 2.0, "{rating:?}");
        }
    }
}
