//! The queue in SQLite.

use std::thread;

use matchkeep_shared::game::{Outcome, PlayerResult};
use matchkeep_shared::ids::MatchId;
use matchkeep_shared::time::Tick;

use super::super::directory::Directory;
use super::super::record::{FinishedMatch, NewMatch};
use super::super::{SqliteDirectory, Store};
use super::*;
use crate::matchmaking::{LobbyId, Placed, ProposalId, QueueState, QueueTicket, Taken};
use matchkeep_shared::limits::QUEUE_PROMISES_MAX;

const LOBBY: LobbyId = LobbyId(u64::MAX);

struct Place {
    folder: tempfile::TempDir,
    directory: SqliteDirectory,
    players: Vec<PlayerId>,
}

/// A store with so many accounts.
fn place(players: usize) -> Place {
    let folder = tempfile::tempdir().expect("the system has a temporary folder");
    let mut directory = SqliteDirectory::open(folder.path()).expect("made");
    let name = |n| format!("p{n}");
    let players = (0..players).map(|n| directory.player(&name(n), 1).expect("made")).collect();
    Place { folder, directory, players }
}

impl Place {
    fn enqueue(&mut self, members: &[usize], unix_ms: u64) -> Result<Queued, StoreError> {
        let new = self.new_ticket(members, unix_ms);
        self.directory.enqueue(&new)
    }

    fn new_ticket(&self, members: &[usize], queued_unix_ms: u64) -> NewTicket {
        let members = members.iter().map(|n| self.players[*n]).collect();
        NewTicket { mode: "squad".to_owned(), members, queued_unix_ms, done_with: None }
    }

    fn state(&self, id: QueueTicketId) -> QueueState {
        let all = self.directory.queue_changes(0, usize::MAX).expect("readable");
        all.iter().find(|queued| queued.ticket.id == id).expect("it is kept").state
    }
}

fn form(match_id: u64, tickets: &[QueueTicketId]) -> FormMatch {
    let placed =
        |(n, ticket): (usize, &QueueTicketId)| Placed { ticket: *ticket, team: Some(n as u8 % 2) };
    FormMatch {
        match_id: MatchId(match_id),
        tickets: tickets.iter().enumerate().map(placed).collect(),
        lobby: LOBBY,
        now_unix_ms: 900,
    }
}

fn new_match(id: u64, ladder: Option<&str>) -> NewMatch {
    NewMatch {
        mode: "squad".to_owned(),
        ladder: ladder.map(str::to_owned),
        created_unix_ms: 1,
        ..NewMatch::sample(id)
    }
}

#[test]
fn who_asks_again_waits_on_and_nobody_waits_twice() {
    let mut place = place(4);
    let first = place.enqueue(&[0, 1], 5).expect("room");
    assert_eq!((first.state, first.ticket.queued_unix_ms), (QueueState::Waiting, 5));
    let names: Vec<&str> = first.ticket.members.iter().map(|m| m.name.as_str()).collect();
    assert_eq!(names, ["p0", "p1"]);
    assert!(first.ticket.members.iter().all(|member| member.rating == Rating::default()));
    assert_eq!(place.enqueue(&[0, 1], 500), Ok(first.clone()));
    // Others, another leader, or alone: that is something else.
    for other in [&[0, 1, 2][..], &[1, 0], &[1], &[2, 1]] {
        let error = place.enqueue(other, 600).expect_err("one of them waits");
        assert!(
            matches!(&error, StoreError::WaitsElsewhere { player, ticket }
                if ["p0", "p1"].contains(&player.as_str()) && *ticket == first.ticket.id),
            "{error}"
        );
    }
    let elsewhere = NewTicket { mode: "duel".to_owned(), ..place.new_ticket(&[0, 1], 7) };
    let error = place.directory.enqueue(&elsewhere).expect_err("they wait in another mode");
    assert!(matches!(error, StoreError::WaitsElsewhere { .. }), "{error}");
    // Once it is cancelled they are free, and wait from then on.
    let id = first.ticket.id;
    assert_eq!(place.directory.cancel_queued(id, QueueEnd::Cancelled, 700), Ok(true));
    assert_eq!(place.directory.cancel_queued(id, QueueEnd::Cancelled, 701), Ok(false));
    assert_eq!(place.state(id), QueueState::Cancelled);
    let again = place.enqueue(&[1], 800).expect("free").ticket;
    assert!(again.id > id && again.queued_unix_ms == 800);
}

#[test]
fn a_party_that_cannot_be_is_refused_with_the_reason() {
    let mut place = place(2);
    let error = |members: Vec<PlayerId>, place: &mut Place| {
        let new =
            NewTicket { mode: "squad".to_owned(), members, queued_unix_ms: 1, done_with: None };
        let error = place.directory.enqueue(&new).expect_err("it cannot be");
        assert!(matches!(error, StoreError::PartyInvalid { .. }), "{error}");
        error.to_string()
    };
    let [one, two] = [place.players[0], place.players[1]];
    assert!(error(vec![], &mut place).contains("nobody"));
    assert!(error(vec![one, two, one], &mut place).contains("player 1 is in it twice"));
    assert!(error(vec![one, PlayerId(u64::MAX)], &mut place).contains("has no account"));
    assert_eq!(place.directory.queue_changes(0, 9), Ok(vec![]));
}

#[test]
fn a_match_takes_all_its_parties_or_none() {
    let mut place = place(5);
    let ids: Vec<QueueTicketId> = [&[0, 1][..], &[2], &[3]]
        .iter()
        .map(|members| place.enqueue(members, 1).expect("room").ticket.id)
        .collect();
    assert_eq!(place.directory.cancel_queued(ids[1], QueueEnd::GivenUp, 2), Ok(true));
    let nobody = QueueTicketId(77);
    let refused = place.directory.form(&form(9, &[ids[0], ids[1], nobody, ids[2]]));
    assert_eq!(refused, Ok(Formed::Refused { gone: vec![ids[1], nobody] }));
    assert_eq!(place.state(ids[0]), QueueState::Waiting);
    assert_eq!(place.state(ids[2]), QueueState::Waiting);

    let wanted = form(9, &[ids[0], ids[2]]);
    assert_eq!(place.directory.form(&wanted), Ok(Formed::Taken));
    let changes = place.directory.queue_changes(0, 9);
    assert_eq!(place.directory.form(&wanted), Ok(Formed::Taken), "the answer was lost");
    assert_eq!(place.directory.queue_changes(0, 9), changes, "and nothing changed");
    assert_eq!(
        place.directory.form(&form(10, &[ids[2]])),
        Ok(Formed::Refused { gone: vec![ids[2]] })
    );
    let taken = Taken { match_id: MatchId(9), team: Some(1), lobby: LOBBY, unix_ms: 900 };
    assert_eq!(place.state(ids[2]), QueueState::Taken(taken));
    assert_eq!(place.directory.cancel_queued(ids[0], QueueEnd::Cancelled, 950), Ok(false));
    // Whoever comes back learns where to go; one who never waited is told so.
    let found = place.directory.queue_of(place.players[3]).expect("readable").expect("waited");
    assert_eq!((found.ticket.id, found.state), (ids[2], QueueState::Taken(taken)));
    assert_eq!(place.directory.queue_of(place.players[4]), Ok(None));
    // One more party for the running match is the same write.
    let late = place.enqueue(&[4], 960).expect("room").ticket.id;
    assert_eq!(place.directory.form(&form(9, &[late])), Ok(Formed::Taken));
}

#[test]
fn who_was_taken_and_asks_again_is_told_of_the_match_while_it_goes_on() {
    let mut place = place(2);
    let waiting = place.enqueue(&[0, 1], 1).expect("room");
    let id = waiting.ticket.id;
    place.directory.form(&form(3, &[id])).expect("written");
    // Promised, then running.
    assert_eq!(place.enqueue(&[0, 1], 2).expect("taken").ticket.id, id);
    place.directory.create(&new_match(3, None)).expect("new");
    let taken = place.enqueue(&[0, 1], 2).expect("taken");
    assert!(matches!(taken.state, QueueState::Taken(taken) if taken.match_id == MatchId(3)));
    // Alone it is another party. Who is done with the match waits for another, and so does everybody when it
    // is over.
    let alone = place.enqueue(&[0], 3).expect("free").ticket.id;
    place.directory.cancel_queued(alone, QueueEnd::Cancelled, 4).expect("it waited");
    let done = NewTicket { done_with: Some(MatchId(3)), ..place.new_ticket(&[0, 1], 5) };
    let next = place.directory.enqueue(&done).expect("free").ticket.id;
    assert!(next > alone);
    place.directory.form(&form(3, &[next])).expect("written");
    let players = place.players.clone();
    place.directory.finish(&finished(3, &players, 1)).expect("first");
    let after = place.enqueue(&[0, 1], 6).expect("free");
    assert_eq!(after.state, QueueState::Waiting);
}

#[test]
fn changes_are_read_on_from_the_last_one_seen_and_never_numbered_twice() {
    let mut place = place(3);
    let ids: Vec<QueueTicketId> =
        (0..3).map(|n| place.enqueue(&[n], 1).expect("room").ticket.id).collect();
    let seen = place.directory.queue_changes(0, 2).expect("readable");
    assert_eq!(seen.iter().map(|q| q.ticket.id).collect::<Vec<_>>(), ids[..2]);
    let last = seen[1].change;
    place.directory.cancel_queued(ids[0], QueueEnd::Cancelled, 5).expect("it waited");
    let new = place.directory.queue_changes(last, 9).expect("readable");
    assert_eq!(new.iter().map(|q| q.ticket.id).collect::<Vec<_>>(), [ids[2], ids[0]]);
    let last = new[1].change;
    assert_eq!(place.directory.queue_changes(last, 9), Ok(vec![]));
    // The last change's row is let go of, after its time and not before.
    assert_eq!(place.directory.forget_queued(5), Ok(0));
    assert_eq!(place.directory.forget_queued(6), Ok(1));
    assert_eq!(place.directory.forget_queued(u64::MAX), Ok(0), "who waits is kept");
    let again = place.enqueue(&[0], 9).expect("room");
    assert!(again.change > last && again.ticket.id > ids[2]);
    assert_eq!(place.directory.queue_changes(u64::MAX, 9), Ok(vec![]));
}

#[test]
fn a_promise_is_kept_in_mind_until_its_match_is_made() {
    let mut place = place(3);
    let ids: Vec<QueueTicketId> =
        (0..3).map(|n| place.enqueue(&[n], 1).expect("room").ticket.id).collect();
    place.directory.form(&form(8, &ids[..2])).expect("written");
    place.directory.form(&form(7, &ids[2..])).expect("written");
    let promised = place.directory.promised().expect("readable");
    let list: Vec<(u64, usize)> =
        promised.iter().map(|p| (p.match_id.0, p.tickets.len())).collect();
    assert_eq!(list, [(7, 1), (8, 2)]);
    assert_eq!(promised[1].lobby, LOBBY);
    assert_eq!(promised[1].tickets[1].1, Some(1));
    place.directory.create(&new_match(8, None)).expect("new");
    let promised = place.directory.promised().expect("readable");
    assert_eq!(promised.iter().map(|p| p.match_id).collect::<Vec<_>>(), [MatchId(7)]);
}

#[test]
fn a_promise_to_who_looked_for_another_match_since_is_over() {
    let mut place = place(4);
    let pair = place.enqueue(&[0, 1], 1).expect("room").ticket.id;
    let others: Vec<QueueTicketId> =
        (2..4).map(|n| place.enqueue(&[n], 1).expect("room").ticket.id).collect();
    place.directory.form(&form(7, &[pair, others[0]])).expect("written");
    place.directory.form(&form(8, &others[1..])).expect("written");
    // One of the pair looks alone, one of the others for another match.
    place.enqueue(&[1], 2).expect("room");
    let again = NewTicket { done_with: Some(MatchId(8)), ..place.new_ticket(&[3], 2) };
    let again = place.directory.enqueue(&again).expect("room").ticket.id;
    let promised = |place: &Place| -> Vec<(u64, Vec<QueueTicketId>)> {
        let promised = place.directory.promised().expect("readable");
        let ids =
            |tickets: &[(QueueTicket, Option<u8>)]| tickets.iter().map(|it| it.0.id).collect();
        promised.iter().map(|it| (it.match_id.0, ids(&it.tickets))).collect()
    };
    assert_eq!(promised(&place), [(7, vec![others[0]])]);
    // Whether that still waits or not.
    place.directory.form(&form(9, &[again])).expect("written");
    assert_eq!(promised(&place), [(7, vec![others[0]]), (9, vec![again])]);
}

#[test]
fn promises_come_in_pages_of_whole_matches() {
    let matches = QUEUE_PROMISES_MAX + 2;
    let mut place = place(4 * matches);
    for nth in 0..matches {
        let ids: Vec<QueueTicketId> =
            (0..4).map(|n| place.enqueue(&[4 * nth + n], 1).expect("room").ticket.id).collect();
        // The last one came when the match had been promised already.
        let id = 1000 + nth as u64;
        place.directory.form(&form(id, &ids[..3])).expect("written");
        let late = FormMatch { now_unix_ms: 950, ..form(id, &ids[3..]) };
        place.directory.form(&late).expect("written");
    }
    let first = place.directory.promised_after(None).expect("readable");
    let rest = place.directory.promised_after(first.last().map(|last| last.match_id));
    let rest = rest.expect("readable");
    assert_eq!((first.len(), rest.len()), (QUEUE_PROMISES_MAX, 2));
    assert!(first.iter().chain(&rest).all(|promised| promised.tickets.len() == 4));
    let last = rest.last().map(|last| last.match_id);
    assert_eq!(place.directory.promised_after(last), Ok(vec![]));
}

#[test]
fn of_two_lobbies_that_want_the_same_parties_one_gets_them() {
    const ROUNDS: u64 = 40;
    let mut place = place(6);
    for round in 0..ROUNDS {
        let ids: Vec<QueueTicketId> =
            (0..6).map(|n| place.enqueue(&[n], round).expect("free").ticket.id).collect();
        // Each wants four, and two of them are the other's too.
        let wanted = [form(2 * round + 1, &ids[..4]), form(2 * round + 2, &ids[2..])];
        let answers: Vec<Formed> = thread::scope(|scope| {
            let write = |wanted: FormMatch| {
                let folder = place.folder.path();
                scope.spawn(move || {
                    let mut lobby = SqliteDirectory::open(folder).expect("ours");
                    lobby.begin().expect("in turn");
                    let formed = lobby.form(&wanted).expect("written");
                    lobby.commit().expect("durable");
                    formed
                })
            };
            let threads = wanted.clone().map(write);
            threads.map(|thread| thread.join().expect("no panic")).into()
        });
        let taken = answers.iter().filter(|answer| **answer == Formed::Taken).count();
        assert_eq!(taken, 1, "round {round}: {answers:?}");
        let winner = usize::from(answers[1] == Formed::Taken);
        let gone = ids[2..4].to_vec();
        assert_eq!(answers[1 - winner], Formed::Refused { gone });
        for (n, id) in ids.iter().enumerate() {
            let is_winners = wanted[winner].tickets.iter().any(|placed| placed.ticket == *id);
            let state = place.state(*id);
            assert_eq!(matches!(state, QueueState::Taken(_)), is_winners, "{round}: {n} {state:?}");
            place.directory.cancel_queued(*id, QueueEnd::Cancelled, round).expect("written");
        }
        place.directory.forget_queued(u64::MAX).expect("written");
    }
}

#[test]
fn a_lobby_that_dies_before_its_commit_leaves_everybody_waiting() {
    let mut place = place(4);
    let ids: Vec<QueueTicketId> =
        (0..4).map(|n| place.enqueue(&[n], 1).expect("room").ticket.id).collect();
    let mut lobby = SqliteDirectory::open(place.folder.path()).expect("ours");
    lobby.begin().expect("free");
    assert_eq!(lobby.form(&form(1, &ids)), Ok(Formed::Taken));
    drop(lobby);
    assert!(ids.iter().all(|id| place.state(*id) == QueueState::Waiting));
    assert_eq!(place.directory.promised(), Ok(vec![]));
    assert_eq!(place.directory.form(&form(2, &ids)), Ok(Formed::Taken));
}

fn finished(id: u64, players: &[PlayerId], winner: u8) -> FinishedMatch {
    let result = |(n, player): (usize, &PlayerId)| {
        let team = 1 + (n % 2) as u8;
        PlayerResult {
            player: *player,
            name: format!("p{n}"),
            team: Some(team),
            place: if team == winner { 1 } else { 2 },
            score: 0,
            stats: Vec::new(),
        }
    };
    let mut results: Vec<PlayerResult> = players.iter().enumerate().map(result).collect();
    results.sort_by_key(|result| result.place);
    let outcome = Outcome { reason: "frag limit".to_owned(), players: results };
    FinishedMatch { id: MatchId(id), outcome, ticks: Tick(60), ended_unix_ms: 77 }
}

#[test]
fn a_result_changes_ratings_once_and_where_it_counts() {
    let mut place = place(4);
    let players = place.players.clone();
    let directory = &mut place.directory;
    directory.create(&new_match(1, Some("squad"))).expect("new");
    directory.create(&new_match(1, Some("squad"))).expect("the same");
    let other = directory.create(&new_match(1, None));
    assert_eq!(other, Err(StoreError::MatchDiffers(MatchId(1))));
    directory.create(&new_match(2, None)).expect("new");

    directory.finish(&finished(2, &players, 1)).expect("first");
    let newcomers = vec![Rating::default(); 4];
    assert_eq!(directory.ratings("squad", &players), Ok(newcomers.clone()));

    let result = finished(1, &players, 2);
    // Undone with the result, written with it, and not again when it is told again.
    directory.begin().expect("free");
    directory.finish(&result).expect("first");
    directory.roll_back().expect("undone");
    assert_eq!(directory.ratings("squad", &players), Ok(newcomers.clone()));
    directory.finish(&result).expect("first");
    let rated = directory.ratings("squad", &players).expect("readable");
    assert!(rated[1].mean > 25.0 && rated[3] == rated[1], "{rated:?}");
    assert!(rated[0].mean < 25.0 && rated[2] == rated[0], "{rated:?}");
    for _ in 0..2 {
        directory.finish(&result).expect("the same");
    }
    let error = directory.finish(&finished(1, &players, 1));
    assert_eq!(error, Err(StoreError::ResultDiffers(MatchId(1))));
    assert_eq!(directory.ratings("squad", &players), Ok(rated.clone()));
    assert_eq!(directory.ratings("duel", &players), Ok(newcomers));
    // They are what the party waits with.
    let queued = place.enqueue(&[1], 1).expect("room");
    assert_eq!(queued.ticket.members[0].rating, rated[1]);
}

#[test]
fn the_store_answers_for_the_queue_when_it_is_durable() {
    let Place { folder, directory, players } = place(2);
    let (store, _) = Store::open(directory).expect("started");
    let ask = |ask| store.queue(ask).expect("room").wait().expect("written");
    let new = |player| NewTicket {
        mode: "squad".to_owned(),
        members: vec![player],
        queued_unix_ms: 3,
        done_with: None,
    };
    let enqueue = |player| match ask(QueueAsk::Enqueue(new(player))) {
        QueueSaid::Enqueued(queued) => queued,
        other => panic!("{other:?}"),
    };
    let (one, two) = (enqueue(players[0]), enqueue(players[1]));
    let ids = [one.ticket.id, two.ticket.id];
    let beside = SqliteDirectory::open(folder.path()).expect("ours");
    assert_eq!(beside.queue_changes(0, 9).expect("readable"), [one.clone(), two]);
    let wish = QueueAsk::Form { proposal: ProposalId(1), fills: false, form: form(4, &ids) };
    assert_eq!(ask(wish), QueueSaid::Formed(Formed::Taken));
    assert_eq!(beside.promised().expect("readable").len(), 1);
    let (ticket, end) = (ids[0], QueueEnd::Cancelled);
    assert_eq!(ask(QueueAsk::End { ticket, end, now_unix_ms: 9 }), QueueSaid::Ended(false));
    let found = beside.queue_of(players[0]).expect("readable");
    assert!(matches!(found.expect("it waited").state, QueueState::Taken(_)));
    let changes = ask(QueueAsk::Changes { after: one.change });
    assert!(matches!(&changes, QueueSaid::Changes(changes) if changes.len() == 2), "{changes:?}");
    let promised = ask(QueueAsk::Promised { after: None });
    assert!(
        matches!(&promised, QueueSaid::Promised(it) if it[0].match_id == MatchId(4)),
        "{promised:?}"
    );
    let (match_id, ladder) = (MatchId(4), "squad".to_owned());
    let ratings = ask(QueueAsk::Ratings { match_id, ladder, players: players.clone() });
    assert_eq!(ratings, QueueSaid::Ratings(vec![Rating::default(); 2]));
    assert_eq!(ask(QueueAsk::Forget { before_unix_ms: u64::MAX }), QueueSaid::Forgotten(2));
    store.close().expect("closed");
}
