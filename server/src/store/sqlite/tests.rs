//! The directory in SQLite.

use matchkeep_shared::game::{Outcome, PlayerResult};
use matchkeep_shared::ids::ShardId;
use matchkeep_shared::limits::PRIVATE_MATCH_KEPT;
use matchkeep_shared::time::Tick;

use super::super::{History, Store};
use super::*;

fn temporary() -> tempfile::TempDir {
    tempfile::tempdir().expect("the system has a temporary folder")
}

fn new_match(id: u64) -> NewMatch {
    NewMatch {
        mode: if id % 2 == 1 { "duel" } else { "team" }.to_owned(),
        rules_version: 3,
        map: Some("dm2".to_owned()),
        shard: ShardId(1),
        created_unix_ms: 1_800_000_000_000,
        ..NewMatch::sample(id)
    }
}

fn result(id: u64, player: PlayerId) -> FinishedMatch {
    let result = |name: &str, place| PlayerResult {
        player,
        name: name.to_owned(),
        team: Some(255),
        place,
        score: -5,
        stats: vec![("zeal".to_owned(), i64::MIN), ("aim".to_owned(), 2), ("aim".to_owned(), 3)],
    };
    FinishedMatch {
        id: MatchId(id),
        // One account twice: it left and came back.
        outcome: Outcome {
            reason: "frag limit".to_owned(),
            players: vec![result("Ada", 1), result("Eve", u32::MAX)],
        },
        ticks: Tick(3600),
        ended_unix_ms: 1_800_000_060_000,
    }
}

/// Every row there is.
fn dump(directory: &SqliteDirectory) -> Vec<MatchRecord> {
    let list = directory.list(&ListFilter::default()).expect("readable");
    list.iter().map(|summary| directory.show(summary.id).expect("readable")).collect()
}

#[test]
fn a_name_is_one_account_for_ever() {
    let temporary = temporary();
    let mut directory = SqliteDirectory::open(temporary.path()).expect("made");
    let ada = directory.player("Ada", 1).expect("made");
    let eve = directory.player("Eve", 2).expect("made");
    assert_ne!(ada, eve);
    drop(directory);
    let mut directory = SqliteDirectory::open(temporary.path()).expect("ours");
    assert_eq!(directory.player("Ada", 3), Ok(ada));
    assert_eq!(directory.player(" Ada", 3), Err(StoreError::NameInvalid(" Ada".to_owned())));
}

#[test]
fn a_match_reads_back_as_written_after_reopening() {
    let temporary = temporary();
    let mut directory = SqliteDirectory::open(temporary.path()).expect("made");
    let ada = directory.player("Ada", 1).expect("made");
    directory.create(&new_match(u64::MAX)).expect("new");
    let finished = result(u64::MAX, ada);
    directory.finish(&finished).expect("first");
    drop(directory);
    let directory = SqliteDirectory::open(temporary.path()).expect("ours");
    let record = directory.show(MatchId(u64::MAX)).expect("there");
    assert!(is_same_match(&record.summary, &new_match(u64::MAX)));
    assert_eq!(record.players, PlayerRecord::list(&finished.outcome));
    let summary = &record.summary;
    assert_eq!((summary.state, summary.player_count), (MatchState::Finished, 2));
    assert_eq!((summary.ticks, summary.ended_unix_ms), (Some(3600), Some(1_800_000_060_000)));
    assert_eq!(summary.reason.as_deref(), Some("frag limit"));
    assert_eq!(directory.show(MatchId(5)), Err(StoreError::UnknownMatch(MatchId(5))));

    let json = serde_json::to_value(&record).expect("JSON");
    assert_eq!(json["id"], "fzzzzzzzzzzzz", "as displayed, not as a number");
    assert_eq!(json["state"], "finished");
    assert_eq!(json["players"][0]["stats"][0]["name"], "zeal", "in the game's order");
    assert_eq!(serde_json::from_value::<MatchRecord>(json).expect("reads back"), record);
}

#[test]
fn the_same_match_or_result_again_changes_nothing_and_another_is_an_error() {
    let temporary = temporary();
    let mut directory = SqliteDirectory::open(temporary.path()).expect("made");
    let ada = directory.player("Ada", 1).expect("made");
    directory.create(&new_match(1)).expect("new");
    directory.finish(&result(1, ada)).expect("first");
    let before = dump(&directory);
    let changes = directory.connection.total_changes();

    directory.create(&new_match(1)).expect("the same");
    directory.finish(&result(1, ada)).expect("the same");
    let later = FinishedMatch { ended_unix_ms: 1_900_000_000_000, ..result(1, ada) };
    directory.finish(&later).expect("the same, told again after a crash");
    let other = NewMatch { mode: "other".to_owned(), ..new_match(1) };
    assert_eq!(directory.create(&other), Err(StoreError::MatchDiffers(MatchId(1))));
    let mut others = vec![result(1, ada); 4];
    others[0].ticks = Tick(1);
    others[1].outcome.reason.clear();
    others[2].outcome.players.swap(0, 1);
    others[3].outcome.players[1].stats[1].1 = 9;
    for other in others {
        assert_eq!(directory.finish(&other), Err(StoreError::ResultDiffers(MatchId(1))));
    }
    assert_eq!(directory.connection.total_changes(), changes);
    assert_eq!(dump(&directory), before);
}

#[test]
fn a_result_that_cannot_be_leaves_no_trace() {
    let temporary = temporary();
    let mut directory = SqliteDirectory::open(temporary.path()).expect("made");
    let ada = directory.player("Ada", 1).expect("made");
    directory.create(&new_match(1)).expect("new");
    let before = dump(&directory);
    assert_eq!(directory.finish(&result(2, ada)), Err(StoreError::UnknownMatch(MatchId(2))));
    for nobody in [PlayerId(99), PlayerId(u64::MAX)] {
        let mut finished = result(1, ada);
        finished.outcome.players[1].player = nobody;
        let error = StoreError::UnknownPlayer { match_id: MatchId(1), player: nobody };
        assert_eq!(directory.finish(&finished), Err(error));
    }
    let endless = FinishedMatch { ticks: Tick(u64::MAX), ..result(1, ada) };
    let error = StoreError::TooLarge { what: "ticks", value: u64::MAX };
    assert_eq!(directory.finish(&endless), Err(error));
    assert_eq!(dump(&directory), before);
}

#[test]
fn lists_are_newest_first_in_pages_by_mode_and_state() {
    let temporary = temporary();
    let mut directory = SqliteDirectory::open(temporary.path()).expect("made");
    let ada = directory.player("Ada", 1).expect("made");
    // IDs are random: the order is that of creation.
    for id in [5, 2, 9, 1, 8] {
        directory.create(&new_match(id)).expect("new");
    }
    directory.finish(&result(9, ada)).expect("first");
    let ids = |filter: ListFilter| -> Vec<u64> {
        let list = directory.list(&filter).expect("readable");
        list.iter().map(|summary| summary.id.0).collect()
    };
    let all = ListFilter::default();
    assert_eq!(ids(all.clone()), [8, 1, 9, 2, 5]);
    assert_eq!(ids(ListFilter { limit: 2, ..all.clone() }), [8, 1]);
    let second = ListFilter { limit: 2, before: Some(MatchId(1)), ..all.clone() };
    assert_eq!(ids(second.clone()), [9, 2]);
    assert_eq!(ids(ListFilter { mode: Some("duel".to_owned()), ..second }), [9, 5]);
    assert_eq!(ids(ListFilter { state: Some(MatchState::Finished), ..all.clone() }), [9]);
    assert_eq!(ids(ListFilter { limit: usize::MAX, ..all.clone() }).len(), 5);
    let lost = ListFilter { before: Some(MatchId(77)), ..all };
    assert_eq!(directory.list(&lost), Err(StoreError::UnknownMatch(MatchId(77))));
}

#[test]
fn what_was_running_is_interrupted_at_the_next_start_and_may_still_get_its_result() {
    let temporary = temporary();
    let directory = SqliteDirectory::open(temporary.path()).expect("made");
    let (store, interrupted) = Store::open(directory).expect("started");
    assert_eq!(interrupted, 0);
    let ada = store.player("Ada", 1).expect("room").wait().expect("made");
    for id in 1..=3 {
        store.create(new_match(id)).expect("room").wait().expect("new");
    }
    store.finish(result(1, ada)).expect("room").wait().expect("first");
    store.close().expect("closed");

    let directory = SqliteDirectory::open(temporary.path()).expect("ours");
    let (store, interrupted) = Store::open(directory).expect("started");
    assert_eq!(interrupted, 2);
    let history = History::open(temporary.path()).expect("there");
    let state = |id| history.show(MatchId(id)).expect("there").summary.state;
    assert_eq!(state(1), MatchState::Finished);
    assert_eq!(state(2), MatchState::Interrupted);
    store.finish(result(2, ada)).expect("room").wait().expect("from the journal");
    assert_eq!(state(2), MatchState::Finished);
    store.close().expect("closed");
}

#[test]
fn an_answer_means_that_a_reader_sees_it() {
    let temporary = temporary();
    let directory = SqliteDirectory::open(temporary.path()).expect("made");
    let (store, _) = Store::open(directory).expect("started");
    let history = History::open(temporary.path()).expect("there");
    for id in 1..=20 {
        store.create(new_match(id)).expect("room").wait().expect("new");
        history.show(MatchId(id)).expect("committed before it was answered");
    }
    store.close().expect("closed");
    assert_eq!(history.list(&ListFilter::default()).expect("readable").len(), 20);
    drop(history);
    let history = History::open(temporary.path()).expect("without a server too");
    assert_eq!(history.list(&ListFilter::default()).expect("readable").len(), 20);
}

#[test]
fn a_full_disk_is_named_rolled_back_and_passes() {
    let temporary = temporary();
    let mut directory = SqliteDirectory::open(temporary.path()).expect("made");
    let pages = |directory: &SqliteDirectory, max: i64| -> i64 {
        directory
            .connection
            .pragma_update_and_check(None, "max_page_count", max, |row| row.get(0))
            .expect("set")
    };
    // SQLite goes no lower than what is there.
    pages(&directory, 1);
    let mut created = 0;
    let error = loop {
        directory.begin().expect("free");
        match directory.create(&new_match(created)).and_then(|()| directory.commit()) {
            Ok(()) => created += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(&error, StoreError::Full { database } if database.contains("matches.db")));
    directory.roll_back().expect("nothing is left behind");
    assert_eq!(dump(&directory).len() as u64, created);

    pages(&directory, 10_000);
    directory.begin().expect("free");
    directory.create(&new_match(created)).expect("there is space");
    directory.commit().expect("there is space");
    assert_eq!(dump(&directory).len() as u64, created + 1);
}

#[test]
fn what_a_killed_server_leaves_in_the_log_is_there_for_a_reader() {
    let (alive, killed) = (temporary(), temporary());
    let mut directory = SqliteDirectory::open(alive.path()).expect("made");
    directory.create(&new_match(1)).expect("new");
    for file in [DATABASE_FILE.to_owned(), format!("{DATABASE_FILE}-wal")] {
        std::fs::copy(alive.path().join(&file), killed.path().join(&file)).expect("there");
    }
    let history = History::open(killed.path()).expect("there");
    assert_eq!(history.show(MatchId(1)).expect("there").summary.id, MatchId(1));
}

#[test]
fn another_programs_transaction_is_named() {
    let temporary = temporary();
    let mut directory = SqliteDirectory::open(temporary.path()).expect("made");
    directory.connection.busy_timeout(std::time::Duration::ZERO).expect("set");
    let other = Connection::open(temporary.path().join(DATABASE_FILE)).expect("there");
    other.execute_batch("BEGIN IMMEDIATE").expect("free");
    assert!(matches!(directory.begin(), Err(StoreError::Busy { .. })));
    other.execute_batch("ROLLBACK").expect("ended");
    directory.begin().expect("free again");
}

#[test]
fn a_request_for_a_private_match_leads_to_one_match_until_that_is_long_over() {
    let temporary = temporary();
    let mut directory = SqliteDirectory::open(temporary.path()).expect("made");
    let (ada, ben) = (directory.player("Ada", 1).expect("made"), directory.player("Ben", 1));
    let ben = ben.expect("made");
    let wanted = |owner, request, id| PrivateMatch {
        owner,
        request,
        match_id: MatchId(id),
        code: format!("CODE{id}"),
    };
    let reserved =
        |id, was_made| Reserved { match_id: MatchId(id), code: format!("CODE{id}"), was_made };
    assert_eq!(directory.reserve(&wanted(ada, u64::MAX, 1), 50), Ok(reserved(1, false)));
    assert_eq!(directory.reserve(&wanted(ada, u64::MAX, 2), 50), Ok(reserved(1, false)));
    assert_eq!(directory.reserve(&wanted(ben, u64::MAX, 3), 50), Ok(reserved(3, false)));
    assert_eq!(directory.reserve(&wanted(ada, 0, 4), 50), Ok(reserved(4, false)));
    directory.create(&new_match(1)).expect("new");
    drop(directory);

    let mut directory = SqliteDirectory::open(temporary.path()).expect("it is there");
    assert_eq!(directory.reserve(&wanted(ada, u64::MAX, 5), 50), Ok(reserved(1, true)));
    assert_eq!(directory.private(MatchId(3)), Ok(Some(wanted(ben, u64::MAX, 3))));
    assert_eq!(directory.private(MatchId(2)), Ok(None), "its request led to another");

    let outcome = Outcome { reason: "time limit".to_owned(), players: vec![] };
    let (ticks, ended_unix_ms) = (Tick(9), 100);
    let finished = FinishedMatch { id: MatchId(1), outcome, ticks, ended_unix_ms };
    directory.finish(&finished).expect("it goes on");
    let kept_ms = PRIVATE_MATCH_KEPT.as_millis() as u64;
    let late = 100 + kept_ms;
    assert_eq!(directory.reserve(&wanted(ada, u64::MAX, 6), late), Ok(reserved(1, true)));
    assert_eq!(directory.reserve(&wanted(ben, 7, 7), late + 1), Ok(reserved(7, false)));
    assert_eq!(directory.private(MatchId(1)), Ok(Some(wanted(ada, u64::MAX, 1))), "ada's");
    assert_eq!(directory.reserve(&wanted(ada, u64::MAX, 8), late + 1), Ok(reserved(8, false)));
    assert_eq!(directory.private(MatchId(1)), Ok(None));
    assert_eq!(directory.private(MatchId(4)), Ok(Some(wanted(ada, 0, 4))));
}
