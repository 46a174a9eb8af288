//! Made-up histories: a good one, and for each counter one that must move it.

use super::*;

/// Two teams of two; a match begins with one in each.
const RULES: ModeRules = ModeRules {
    places: 4,
    teams: 2,
    form_min: 2,
    fill_seconds: 10,
    is_rated: true,
    window_start: 1.0,
    window_per_second: 0.0,
    wait_seconds_max: 60,
};
const MATCH: MatchId = MatchId(7);
const OTHER: MatchId = MatchId(8);
/// When everybody joins, and when matches end: later than any place is kept.
const NOW: u64 = 1_000_000;
const END: u64 = NOW + 2 * RESERVATION.as_millis() as u64;

/// Party 0 is players 1 and 2, party 1 is 3 and 4, parties 2 and 3 are 5 and 6 alone.
fn judge() -> Judge {
    let parties = [vec![1, 2], vec![3, 4], vec![5], vec![6]];
    let players = |party: Vec<u64>| party.into_iter().map(PlayerId).collect();
    Judge::new(RULES, parties.into_iter().map(players).collect())
}

fn owes(judge: &mut Judge, id: MatchId, players: &[u64]) {
    judge.owes(id, players.iter().map(|player| PlayerId(*player)));
}

fn join(judge: &mut Judge, id: MatchId, team: u8, players: &[u64]) {
    for player in players {
        judge.told(PlayerId(*player), id);
        judge.joined(PlayerId(*player), id, Some(team), NOW);
    }
}

/// Both parties of two, of which this is known.
fn begun() -> Judge {
    let mut judge = judge();
    owes(&mut judge, MATCH, &[1, 2, 3, 4]);
    judge.made(MATCH);
    judge
}

fn over(mut judge: Judge) -> Faults {
    judge.ended(MATCH, END);
    judge.settle(MATCH);
    let mut faults = judge.conclude([].into_iter());
    assert_eq!(faults.told.is_empty(), faults == Faults::default(), "{:?}", faults.told);
    faults.told.clear();
    faults
}

#[test]
fn a_good_match_has_no_fault() {
    let mut judge = begun();
    join(&mut judge, MATCH, 0, &[1, 2]);
    join(&mut judge, MATCH, 1, &[3, 4]);
    // Back after a restart, in the same place; then on to the next.
    join(&mut judge, MATCH, 1, &[3]);
    judge.ended(MATCH, END);
    owes(&mut judge, OTHER, &[1, 2, 5]);
    judge.made(OTHER);
    join(&mut judge, OTHER, 0, &[1, 2]);
    join(&mut judge, OTHER, 1, &[5]);
    owes(&mut judge, OTHER, &[6]);
    join(&mut judge, OTHER, 1, &[6]);
    judge.ended(OTHER, END);
    judge.settle(OTHER);
    assert_eq!(over(judge), Faults::default());
}

#[test]
fn who_is_in_two_matches_at_once_is_seen_when_told_and_when_coming_in() {
    let mut judge = begun();
    join(&mut judge, MATCH, 0, &[1, 2]);
    join(&mut judge, MATCH, 1, &[3, 4]);
    judge.told(PlayerId(3), OTHER);
    judge.joined(PlayerId(4), OTHER, Some(0), NOW);
    assert_eq!(judge.faults.matched_twice, 2);
}

#[test]
fn a_match_that_two_shards_have_is_one_too_many() {
    let mut judge = begun();
    judge.made(MATCH);
    assert_eq!(judge.faults.matched_twice, 1);
}

#[test]
fn a_party_in_two_teams_is_split() {
    let mut judge = begun();
    join(&mut judge, MATCH, 0, &[1, 3]);
    join(&mut judge, MATCH, 1, &[2, 4]);
    assert_eq!(over(judge), Faults { parties_split: 2, ..Faults::default() });
}

#[test]
fn a_party_of_which_somebody_is_left_behind_is_split() {
    let mut judge = begun();
    join(&mut judge, MATCH, 0, &[1]);
    join(&mut judge, MATCH, 1, &[3, 4]);
    assert_eq!(over(judge), Faults { parties_split: 1, ..Faults::default() });
}

#[test]
fn a_party_in_two_matches_is_split_in_both() {
    let mut judge = begun();
    join(&mut judge, MATCH, 0, &[1]);
    join(&mut judge, MATCH, 1, &[3, 4]);
    owes(&mut judge, OTHER, &[2, 5]);
    judge.made(OTHER);
    join(&mut judge, OTHER, 0, &[2]);
    join(&mut judge, OTHER, 1, &[5]);
    judge.ended(OTHER, END);
    judge.settle(OTHER);
    assert_eq!(over(judge), Faults { parties_split: 2, ..Faults::default() });
}

#[test]
fn whose_join_was_undone_and_never_came_back_is_left_behind() {
    let mut judge = begun();
    join(&mut judge, MATCH, 0, &[1, 2]);
    join(&mut judge, MATCH, 1, &[3, 4]);
    judge.undone(PlayerId(2), MATCH);
    assert_eq!(over(judge), Faults { parties_split: 1, ..Faults::default() });
}

#[test]
fn who_comes_to_a_match_that_just_ended_is_not_split_off() {
    let mut judge = begun();
    join(&mut judge, MATCH, 0, &[1]);
    join(&mut judge, MATCH, 1, &[3, 4]);
    judge.ended(MATCH, END);
    judge.came_late(PlayerId(2), MATCH);
    assert_eq!(over(judge), Faults::default());
}

#[test]
fn who_is_on_the_way_back_when_the_match_ends_is_not_split_off() {
    // Only where the lobby died, and the place was kept until the end.
    for (died, ended_ms, split) in [(true, NOW + 5_000, 0), (false, NOW + 5_000, 1), (true, END, 1)]
    {
        let mut judge = begun();
        join(&mut judge, MATCH, 0, &[1]);
        join(&mut judge, MATCH, 1, &[3, 4]);
        if died {
            judge.interrupted(&[MATCH], NOW + 1_000);
        }
        judge.ended(MATCH, ended_ms);
        judge.settle(MATCH);
        assert_eq!(judge.faults.parties_split, split, "{died} {ended_ms}");
    }
}

#[test]
fn a_match_that_too_few_were_taken_for_is_short() {
    let mut judge = judge();
    owes(&mut judge, MATCH, &[5]);
    judge.made(MATCH);
    join(&mut judge, MATCH, 0, &[5]);
    // Who fills it later makes it no better.
    owes(&mut judge, MATCH, &[6]);
    join(&mut judge, MATCH, 1, &[6]);
    assert_eq!(over(judge), Faults { matches_short: 1, ..Faults::default() });
}

#[test]
fn a_match_with_an_empty_team_is_short() {
    let mut judge = judge();
    owes(&mut judge, MATCH, &[1, 2]);
    judge.made(MATCH);
    join(&mut judge, MATCH, 0, &[1, 2]);
    assert_eq!(over(judge), Faults { matches_short: 1, ..Faults::default() });
}

#[test]
fn a_match_whose_parties_went_elsewhere_is_short() {
    let mut judge = begun();
    // Taken twice: the second match has them, and the first one nobody.
    owes(&mut judge, OTHER, &[1, 2, 3, 4]);
    judge.made(OTHER);
    join(&mut judge, OTHER, 0, &[1, 2]);
    join(&mut judge, OTHER, 1, &[3, 4]);
    judge.ended(OTHER, END);
    judge.settle(OTHER);
    assert_eq!(over(judge), Faults { matches_short: 1, ..Faults::default() });
}

#[test]
fn a_match_that_nobody_is_owed_is_short() {
    let mut judge = judge();
    judge.made(MATCH);
    join(&mut judge, MATCH, 0, &[1, 2]);
    join(&mut judge, MATCH, 1, &[3, 4]);
    assert_eq!(over(judge), Faults { matches_short: 1, ..Faults::default() });
}

#[test]
fn more_players_than_places_are_seen_once_for_each_team() {
    let mut judge = begun();
    join(&mut judge, MATCH, 0, &[1, 2]);
    join(&mut judge, MATCH, 1, &[3, 4]);
    join(&mut judge, MATCH, 1, &[5, 6]);
    assert_eq!(over(judge), Faults { teams_overfull: 1, ..Faults::default() });
}

#[test]
fn a_match_that_was_owed_and_never_made_is_a_broken_promise() {
    let mut judge = judge();
    owes(&mut judge, MATCH, &[1, 2, 3, 4]);
    let faults = judge.conclude([].into_iter());
    assert_eq!((faults.promises_broken, faults.matches_short), (1, 0));
}

#[test]
fn who_never_got_through_is_lost_and_who_was_sent_off_is_turned_out() {
    let mut judge = judge();
    judge.turned_out(1);
    let faults = judge.conclude([2, 3].into_iter());
    assert_eq!((faults.lost, faults.turned_out), (2, 1));
}
