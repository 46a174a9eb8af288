//! What control asks of journal, store and shards, and in which order.

use matchkeep_shared::arena::Arena;
use matchkeep_shared::ids::PlayerId;
use matchkeep_shared::ticket::Validity;
use matchkeep_shared::time::Tick;
use matchkeep_shared::wire::message::GameVersion;

use super::*;
use crate::accounts::{Account, AccountKey, Standing};
use crate::identity::ServerIdentity;
use crate::journal::{Durable, JournalError, JournalReport};
use crate::lobby::core::{LobbyConfig, ModeEntry, Newer, ShardEntry};
use crate::matchmaking::{LobbyId, ModeRules, QueueAsk, QueueSaid};
use crate::settings::Layers;
use crate::store::StoreError;

const NOW: u64 = 1_000_000;

fn core(is_journaled: bool) -> ControlCore<Arena> {
    let mut core = core_after(is_journaled, Recovered::default());
    core.handle_time(NOW);
    core
}

/// Control of a node that begins with what the process before left.
fn core_after(is_journaled: bool, recovered: Recovered<Arena>) -> ControlCore<Arena> {
    let rules = ModeRules::immediate(2);
    let shard = ShardId(0);
    let lobby = Lobby::new(LobbyConfig {
        lobby: LobbyId(0),
        game: GameVersion::of::<Arena>(),
        modes: vec![ModeEntry { name: "duel".into(), rules }],
        shards: vec![ShardEntry { shard, port: 7778, fingerprint: [0; 32] }],
        address: None,
        signer: ServerIdentity::ephemeral().expect("keys").ticket_signer(),
        provider: None,
        random: Box::new(|| 7),
    });
    let (settings, _) = Layers::default().resolve::<Arena>().expect("defaults are sound");
    let mode = settings.modes.into_iter().next().expect("there is a mode");
    let mode = Mode { name: "duel".into(), rules, ..mode };
    let config = ControlConfig { lobby, modes: vec![mode], shards: vec![shard], is_journaled };
    ControlCore::new(config, recovered, NOW)
}

/// Whether the node is ready, and whether it forgets the watchdog's note, by what control wants now.
fn ready_and_forgetting(core: &mut ControlCore<Arena>) -> (bool, bool) {
    let mut found = (false, false);
    while let Some(action) = core.poll_action() {
        found.0 |= matches!(action, ControlAction::Ready);
        found.1 |= matches!(action, ControlAction::ForgetNote);
    }
    found
}

/// What control wants of journal, store and shards for matches, in order; accounts and the queue are answered.
fn wanted(core: &mut ControlCore<Arena>) -> Vec<&'static str> {
    let mut wanted = Vec::new();
    while let Some(action) = core.poll_action() {
        let answer = match action {
            ControlAction::ToStore(StoreRequest::Account { to, .. }) => {
                let account = Account { player: PlayerId(1), standing: Standing::default() };
                StoreAnswer::Account { to, result: Ok(account) }
            }
            ControlAction::ToStore(StoreRequest::Queue { to, ask }) => {
                let said = match &ask {
                    QueueAsk::Changes { .. } => QueueSaid::Changes(Vec::new()),
                    QueueAsk::Promised { .. } => QueueSaid::Promised(Vec::new()),
                    QueueAsk::Forget { .. } => QueueSaid::Forgotten(0),
                    other => panic!("{other:?}"),
                };
                StoreAnswer::Queue { to, ask, result: Ok(said) }
            }
            ControlAction::ToStore(StoreRequest::Note(Note::Create(_))) => {
                wanted.push("record");
                continue;
            }
            ControlAction::ToJournal(_) => {
                wanted.push("journal");
                continue;
            }
            ControlAction::ToShard { command: Command::Create(_), .. } => {
                wanted.push("match");
                continue;
            }
            _ => continue,
        };
        core.handle_store(NOW, answer).expect("the store goes on");
    }
    wanted
}

fn find_match(core: &mut ControlCore<Arena>) {
    let (from, game) = (ConnectionKey(1), GameVersion::of::<Arena>());
    let enter = LobbyRequest::Authenticate { game, who: "ada".into(), binding: [7; 32] };
    core.handle_request(NOW, from, enter);
    assert_eq!(wanted(core), [""; 0]);
    core.handle_request(NOW, from, LobbyRequest::FindMatch { mode: "duel".into() });
}

#[test]
fn a_match_has_its_record_when_it_has_its_journal_and_is_played_then() {
    let mut core = core(true);
    find_match(&mut core);
    assert_eq!(wanted(&mut core), ["journal"]);
    let claimed = vec![(MatchId(7), Epoch(1))];
    let report = JournalReport { claimed, ..JournalReport::default() };
    core.handle_journal(NOW, report.clone()).expect("the journal goes on");
    assert_eq!(wanted(&mut core), ["record", "match"]);
    core.handle_journal(NOW, report).expect("the journal goes on");
    assert_eq!(wanted(&mut core), [""; 0], "once");
}

#[test]
fn without_journals_a_match_has_its_record_at_once() {
    let mut core = core(false);
    find_match(&mut core);
    assert_eq!(wanted(&mut core), ["record", "match"]);
}

#[test]
fn the_watchdogs_note_goes_when_the_journal_has_what_it_says_and_not_before() {
    let recovered = crate::recovery::tests::hung();
    let (match_id, epoch) = (recovered.matches[0].spec.id, recovered.matches[0].epoch());
    let mut core = core_after(true, recovered);
    assert_eq!(ready_and_forgetting(&mut core), (false, false));
    // The disk is full behind the claim: the match goes on, and the incident waits.
    let claimed = vec![(match_id, epoch)];
    let trouble = Some(JournalError::Full { place: "matches.db".to_owned() });
    let report = JournalReport { claimed, trouble, ..JournalReport::default() };
    core.handle_journal(NOW, report).expect("the journal goes on");
    let (tick, players) = (Tick(0), Vec::new());
    core.handle_report(NOW, ShardId(0), ShardEvent::Resumed { match_id, epoch, tick, players });
    assert_eq!(ready_and_forgetting(&mut core), (true, false));
    for (incidents, forgets) in [(0, false), (1, true), (1, false)] {
        let durable =
            vec![Durable { match_id, epoch, tick, incidents, is_finished: false, shard: None }];
        let report = JournalReport { durable, ..JournalReport::default() };
        core.handle_journal(NOW, report).expect("the journal goes on");
        assert_eq!(ready_and_forgetting(&mut core), (false, forgets), "{incidents}");
    }
}

#[test]
fn a_note_that_nobody_waits_for_goes_at_once() {
    for is_journaled in [true, false] {
        let mut core = core_after(is_journaled, Recovered::default());
        assert_eq!(ready_and_forgetting(&mut core), (true, true));
    }
}

/// A token that was made at `issued_unix_ms` and is good for a while.
fn newer(issued_unix_ms: u64) -> Newer {
    let (issuer, name) = ("https://id.example".to_owned(), "ada".to_owned());
    let key = AccountKey::Identity { issuer, subject: name.clone(), name };
    let validity = Validity { issued_unix_ms, until_unix_ms: issued_unix_ms + 60_000 };
    Newer { key, validity }
}

/// What the store is asked of newer tokens, and what shards are told of them.
fn vouched(core: &mut ControlCore<Arena>) -> (Vec<u64>, Vec<Result<u64, DisconnectReason>>) {
    let (mut asked, mut told) = (Vec::new(), Vec::new());
    while let Some(action) = core.poll_action() {
        match action {
            ControlAction::ToStore(StoreRequest::Vouch { newer, .. }) => {
                asked.push(newer.validity.issued_unix_ms);
            }
            ControlAction::ToShard { command: Command::Identified { identity, .. }, .. } => {
                told.push(identity.map(|validity| validity.issued_unix_ms));
            }
            _ => {}
        }
    }
    (asked, told)
}

#[test]
fn a_newer_token_is_judged_when_the_store_can_say_again() {
    const LATER: u64 = NOW + 1000;
    let mut core = core(false);
    find_match(&mut core);
    wanted(&mut core);
    let showing = Showing { shard: ShardId(0), match_id: MatchId(7), player: PlayerId(1) };
    let answer = |newer, result| StoreAnswer::Vouched { showing, newer, result };
    let busy = || Err(StoreError::Busy { database: "matches.db".into() });
    let ada = || Ok(Account { player: PlayerId(1), standing: Standing::default() });

    core.handle_store(NOW, answer(newer(NOW), busy())).expect("the store goes on");
    assert_eq!(vouched(&mut core), (vec![], vec![Err(DisconnectReason::Internal)]));
    core.handle_time(LATER - 1);
    assert_eq!(vouched(&mut core), (vec![], vec![]), "not all the time");
    core.handle_time(LATER);
    assert_eq!(vouched(&mut core), (vec![NOW], vec![]));
    core.handle_store(LATER, answer(newer(NOW), ada())).expect("the store goes on");
    assert_eq!(vouched(&mut core), (vec![], vec![Ok(NOW)]));
    core.handle_time(LATER + 60_000);
    assert_eq!(vouched(&mut core), (vec![], vec![]), "once");

    // Of two that wait the newer one is judged, in whatever order the answers come.
    for order in [[NOW, NOW + 1], [NOW + 1, NOW]] {
        for issued in order {
            core.handle_store(NOW, answer(newer(issued), busy())).expect("the store goes on");
        }
        vouched(&mut core);
        core.handle_time(LATER);
        assert_eq!(vouched(&mut core), (vec![NOW + 1], vec![]));
    }
    // An older one that is good puts an end to no newer one that waits.
    core.handle_store(NOW, answer(newer(NOW + 1), busy())).expect("the store goes on");
    core.handle_store(NOW, answer(newer(NOW), ada())).expect("the store goes on");
    vouched(&mut core);
    core.handle_time(LATER);
    assert_eq!(vouched(&mut core), (vec![NOW + 1], vec![]));

    // What has ended, and what was shown in a match that is no more, is of no use.
    core.handle_store(NOW, answer(newer(NOW), busy())).expect("the store goes on");
    vouched(&mut core);
    core.handle_time(NOW + 60_000);
    assert_eq!(vouched(&mut core), (vec![], vec![]));
    core.handle_store(NOW, answer(newer(NOW), busy())).expect("the store goes on");
    core.handle_report(NOW, ShardId(0), ShardEvent::Closed { match_id: MatchId(7) });
    vouched(&mut core);
    core.handle_time(LATER);
    assert_eq!(vouched(&mut core), (vec![], vec![]));
}

#[test]
fn what_the_store_says_of_a_newer_token_for_good_is_not_asked_again() {
    let mut core = core(false);
    find_match(&mut core);
    wanted(&mut core);
    let showing = Showing { shard: ShardId(0), match_id: MatchId(7), player: PlayerId(1) };
    let other = Ok(Account { player: PlayerId(2), standing: Standing::default() });
    let result = Err(StoreError::NameInvalid("ada".into()));
    for (result, told) in
        [(other, DisconnectReason::IdentityMismatch), (result, DisconnectReason::Internal)]
    {
        let answer = StoreAnswer::Vouched { showing, newer: newer(NOW), result };
        core.handle_store(NOW, answer).expect("the store goes on");
        assert_eq!(vouched(&mut core), (vec![], vec![Err(told)]));
        core.handle_time(NOW + 1000);
        assert_eq!(vouched(&mut core), (vec![], vec![]));
    }
}
