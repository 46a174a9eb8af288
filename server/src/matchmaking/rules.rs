//! What a mode asks of its matches.
//!
//! Owns: the rules, whether they can be, and how the window widens. Must not know: where they are written
//! down, and what a game is.

use matchkeep_shared::limits::{PLAYERS_PER_MATCH_MAX, QUEUE_WAIT_MAX, TEAMS_PER_MATCH_MAX};

use super::ticket::TicketError;

/// How matches of a mode are formed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ModeRules {
    /// Places in a match.
    pub places: usize,
    /// Teams of equal size, 2 to [`TEAMS_PER_MATCH_MAX`]; 0 where everyone plays for themselves.
    pub teams: u8,
    /// Players with whom a match is formed that nobody waits any longer to be full, spread over its teams.
    pub form_min: usize,
    /// How long the first of a match waits for it to be full, in seconds. 0 forms it at once with those who
    /// are there.
    pub fill_seconds: u64,
    /// Whether ratings decide who plays whom. Otherwise the window is as wide as can be.
    pub is_rated: bool,
    /// How far from the rating of the one who waited longest another may be, at first.
    pub window_start: f64,
    /// What each second of that one's waiting adds to it.
    pub window_per_second: f64,
    /// Who waited so long is given up and told so, in seconds.
    pub wait_seconds_max: u64,
}

/// Rules that cannot be; the text names the key, its value and what is allowed.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{key} = {value}: {allowed}")]
pub struct RulesError {
    /// Which rule.
    pub key: &'static str,
    /// What it is.
    pub value: String,
    /// What it may be.
    pub allowed: String,
}

impl ModeRules {
    /// Nobody waits: who comes goes into the fullest running match with a free place, and else begins a new
    /// one.
    pub fn immediate(places: usize) -> Self {
        Self {
            places,
            teams: 0,
            form_min: 1,
            fill_seconds: 0,
            is_rated: false,
            window_start: 0.0,
            window_per_second: 0.0,
            wait_seconds_max: 60,
        }
    }

    /// Whether nobody waits: who comes alone has a place at once.
    pub fn is_immediate(&self) -> bool {
        self.form_min == 1 && self.fill_seconds == 0 && !self.is_rated
    }

    /// Whether matches can be formed by these rules.
    ///
    /// # Errors
    /// [`RulesError`] names the first rule that cannot be.
    pub fn check(&self) -> Result<(), RulesError> {
        let error = |key, value: &dyn std::fmt::Display, allowed: String| {
            Err(RulesError { key, value: value.to_string(), allowed })
        };
        if !(1..=PLAYERS_PER_MATCH_MAX).contains(&self.places) {
            let allowed = format!("allowed are 1 to {PLAYERS_PER_MATCH_MAX}");
            return error("places", &self.places, allowed);
        }
        let teams = usize::from(self.teams);
        let can_be = teams == 0
            || (2..=TEAMS_PER_MATCH_MAX).contains(&self.teams) && self.places.is_multiple_of(teams);
        if !can_be {
            let places = self.places;
            let allowed = format!(
                "allowed are 0, or 2 to {TEAMS_PER_MATCH_MAX} where they divide {places} places"
            );
            return error("teams", &self.teams, allowed);
        }
        if !(1..=self.places).contains(&self.form_min) {
            let allowed = format!("allowed are 1 to {} places", self.places);
            return error("form_min", &self.form_min, allowed);
        }
        let most = QUEUE_WAIT_MAX.as_secs();
        if !(1..=most).contains(&self.wait_seconds_max) {
            let allowed = format!("allowed are 1 to {most}");
            return error("wait_seconds_max", &self.wait_seconds_max, allowed);
        }
        if self.fill_seconds > self.wait_seconds_max {
            let allowed = format!("at most wait_seconds_max, which is {}", self.wait_seconds_max);
            return error("fill_seconds", &self.fill_seconds, allowed);
        }
        for (key, value) in
            [("window_start", self.window_start), ("window_per_second", self.window_per_second)]
        {
            if !value.is_finite() || value < 0.0 {
                return error(key, &value, "a number from 0 on is expected".to_owned());
            }
        }
        Ok(())
    }

    /// The most players who can come together: a team's, or a match's without teams.
    pub fn party_max(&self) -> usize {
        self.places / usize::from(self.teams).max(1)
    }

    /// Whether so many can come together.
    ///
    /// # Errors
    /// [`TicketError::Empty`] and [`TicketError::TooLarge`].
    pub fn check_party(&self, members: usize) -> Result<(), TicketError> {
        let most = self.party_max();
        match members {
            0 => Err(TicketError::Empty),
            members if members > most => Err(TicketError::TooLarge { members, most }),
            _ => Ok(()),
        }
    }

    /// How far another's rating may be from that of one who waited for `waited_ms`.
    pub fn window(&self, waited_ms: u64) -> f64 {
        if !self.is_rated {
            return f64::INFINITY;
        }
        self.window_start + self.window_per_second * (waited_ms as f64 / 1000.0)
    }

    /// How many places each team has; the one "team" of a mode without teams has all.
    pub(super) fn sides(&self) -> (usize, usize) {
        (usize::from(self.teams).max(1), self.party_max())
    }

    /// The fewest that a team of a match that is not full begins with.
    pub(super) fn side_min(&self) -> usize {
        self.form_min / usize::from(self.teams).max(1)
    }

    /// Whether one who waited so long waits for a full match no longer.
    pub(super) fn is_filled_up(&self, waited_ms: u64) -> bool {
        waited_ms >= self.fill_seconds * 1000
    }

    /// Whether one who waited so long is given up.
    pub(super) fn is_over(&self, waited_ms: u64) -> bool {
        waited_ms >= self.wait_seconds_max * 1000
    }
}
