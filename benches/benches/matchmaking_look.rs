//! One look of the matchmaker at 4,096 parties: a queue in which nobody can have a match, in teams of four and as
//! trios in two teams of 32, and queues from which matches are formed.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use matchkeep_server::matchmaking::{
    Matchmaker, Member, ModeRules, QueueTicket, QueueTicketId, Rating, Wish,
};
use matchkeep_shared::ids::PlayerId;
use matchkeep_shared::limits::MATCHMAKING_EVERY;

const PARTIES: u64 = 4096;
const MODE: &str = "look";
const EVERY_MS: u64 = MATCHMAKING_EVERY.as_millis() as u64;
/// They come later than any look: nobody has waited, so that windows stay as they are and nobody is given up.
const QUEUED_UNIX_MS: u64 = u64::MAX / 2;

/// A queue and what it is in.
struct Queue {
    teams: u8,
    team_places: usize,
    is_rated: bool,
    /// Size and mean rating of a party, by its number.
    party: fn(u64) -> (usize, f64),
}

/// Singles in groups of seven, each group far from the others: with one more they could play.
const SEVENS: Queue = Queue {
    teams: 2,
    team_places: 4,
    is_rated: true,
    party: |nth| (1, 100.0 * (nth % (PARTIES / 7 + 1)) as f64),
};
/// Ten trios leave two places of a team of 32, and nobody comes alone.
const TRIOS: Queue = Queue { teams: 2, team_places: 32, is_rated: false, party: |_| (3, 25.0) };
/// Parties of one to four of all ratings.
const SQUADS: Queue = Queue {
    teams: 2,
    team_places: 4,
    is_rated: true,
    party: |nth| (1 + (nth * 7 % 4) as usize, 10.0 + (nth * 31 % 301) as f64 / 10.0),
};
/// Trios, and enough players alone to fill their teams.
const TRIOS_AND_SINGLES: Queue =
    Queue { party: |nth| (if nth % 6 == 0 { 1 } else { 3 }, 25.0), ..TRIOS };

impl Queue {
    fn places(&self) -> usize {
        usize::from(self.teams) * self.team_places
    }

    fn size(&self, id: QueueTicketId) -> usize {
        (self.party)(id.0).0
    }

    fn matchmaker(&self) -> Matchmaker {
        let places = self.places();
        let rules = ModeRules {
            teams: self.teams,
            form_min: places,
            is_rated: self.is_rated,
            window_start: 2.0,
            ..ModeRules::immediate(places)
        };
        let mut matchmaker = Matchmaker::new([(MODE.to_owned(), rules)]).expect("they can be");
        for id in 1..=PARTIES {
            matchmaker.handle_ticket(&self.ticket(id)).expect("a team has room for it");
        }
        matchmaker
    }

    fn ticket(&self, id: u64) -> QueueTicket {
        let (size, mean) = (self.party)(id);
        let member = |nth| Member {
            player: PlayerId(id * 100 + nth),
            name: format!("player {id}-{nth}"),
            rating: Rating { mean, deviation: 1.0 },
        };
        QueueTicket {
            id: QueueTicketId(id),
            mode: MODE.to_owned(),
            members: (0..size as u64).map(member).collect(),
            queued_unix_ms: QUEUED_UNIX_MS,
        }
    }
}

/// Nobody can have a match: what every look costs while they stand there.
fn standing(c: &mut Criterion) {
    let mut group = c.benchmark_group("matchmaking_look_standing");
    group.throughput(Throughput::Elements(PARTIES));
    for (name, queue) in [("singles_in_2x4", SEVENS), ("trios_in_2x32", TRIOS)] {
        let (mut matchmaker, mut now_unix_ms) = (queue.matchmaker(), EVERY_MS);
        group.bench_function(format!("{PARTIES}_{name}"), |b| {
            b.iter_custom(|iterations| {
                let mut time = Duration::ZERO;
                for _ in 0..iterations {
                    let start = Instant::now();
                    matchmaker.handle_time(now_unix_ms);
                    time += start.elapsed();
                    now_unix_ms += EVERY_MS;
                    assert_eq!(matchmaker.next_time_unix_ms(), Some(now_unix_ms), "not through");
                }
                time
            });
        });
        assert!(matchmaker.poll().is_none(), "nobody can have a match");
        assert_eq!(matchmaker.waiting() as u64, PARTIES);
    }
    group.finish();
}

/// The first look at a crowd that came at once.
fn forming(c: &mut Criterion) {
    let mut group = c.benchmark_group("matchmaking_look_forming");
    group.throughput(Throughput::Elements(PARTIES));
    for (name, queue) in [("squads_in_2x4", SQUADS), ("trios_in_2x32", TRIOS_AND_SINGLES)] {
        group.bench_function(format!("{PARTIES}_{name}"), |b| {
            b.iter_custom(|iterations| {
                let mut time = Duration::ZERO;
                for _ in 0..iterations {
                    let mut matchmaker = queue.matchmaker();
                    let start = Instant::now();
                    matchmaker.handle_time(EVERY_MS);
                    time += start.elapsed();
                    check(&queue, &mut matchmaker);
                }
                time
            });
        });
    }
    group.finish();
}

/// It formed matches, all of them full, with every party in one at most.
fn check(queue: &Queue, matchmaker: &mut Matchmaker) {
    let (mut matches, mut known) = (0, BTreeSet::new());
    while let Some(wish) = matchmaker.poll() {
        let Wish::Form { tickets, .. } = wish else { panic!("a new match is expected: {wish:?}") };
        let mut teams = vec![0; usize::from(queue.teams)];
        for placed in &tickets {
            assert!(known.insert(placed.ticket), "{} is in two matches", placed.ticket);
            let team = placed.team.expect("the mode has teams");
            teams[usize::from(team)] += queue.size(placed.ticket);
        }
        assert!(teams.iter().all(|players| *players == queue.team_places), "{teams:?}");
        matches += 1;
    }
    assert!(matches >= 10, "{matches} matches");
}

fn settings() -> Criterion {
    Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
}

criterion_group! { name = benches; config = settings(); targets = standing, forming }
criterion_main!(benches);
