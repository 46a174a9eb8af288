//! Looking for matches together: parties, teams, waiting and giving up, and a server that is killed while players
//! wait.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::path::Path;
use std::time::{Duration, Instant};

use matchkeep_client::transport::{
    ClientError, LobbyClient, LobbyNews, MatchClient, Return, Sought, endpoint,
};
use matchkeep_server::matchmaking::QueueState;
use matchkeep_server::store::{Queue, SqliteDirectory};
use matchkeep_shared::disconnect::DisconnectReason;
use matchkeep_shared::ids::{MatchId, PlayerId};
use matchkeep_shared::wire::lobby::Assignment;
use matchkeep_tests::fragile::Fragile;
use matchkeep_tests::player::Player;
use matchkeep_tests::process::ServerProcess;
use matchkeep_tests::server::TestServer;
use matchkeep_tests::within;

/// Two against two, and they wait for each other; and a mode in which nobody waits for long.
const MODES: &str = "
    [modes.squad]
    players_max = 4
    players_min = 1
    teams = 2
    rated = true
    wait_seconds = 60
    rules = { teams = 2, frag_limit = 0, time_limit_seconds = 7200, countdown_seconds = 0 }

    [modes.hasty]
    players_max = 2
    players_min = 1
    form_min = 2
    wait_seconds = 1
    rules = { frag_limit = 0, time_limit_seconds = 7200 }

    [modes.open]
    players_max = 4
    players_min = 1
    rules = { frag_limit = 0, time_limit_seconds = 7200 }
";

fn refusal<T: std::fmt::Debug>(result: Result<T, ClientError>) -> DisconnectReason {
    match result.expect_err("it is refused") {
        ClientError::Refused(reason) => reason,
        other => panic!("{other}"),
    }
}

async fn waits(lobby: &mut LobbyClient, mode: &str) -> u64 {
    match within(20, "an answer", lobby.seek(mode)).await.expect("the mode is known") {
        Sought::Waits(queued) => {
            assert_eq!(queued.mode, mode);
            queued.waited_ms
        }
        Sought::Found(found) => panic!("{found:?}"),
    }
}

async fn found(lobby: &mut LobbyClient) -> Assignment {
    within(20, "a match", lobby.found()).await.expect("there is one")
}

async fn news(lobby: &mut LobbyClient) -> LobbyNews {
    within(20, "news", lobby.news()).await.expect("the lobby is there")
}

/// The team of each player in a match, by name.
async fn teams(server: &TestServer, match_id: MatchId) -> Vec<(String, u64)> {
    let state = server.state(match_id).await.expect("it runs");
    let players = &state["state"]["game"]["players"];
    let players = players.as_array().expect("a list").iter().filter(|it| !it.is_null());
    let team = |player: &serde_json::Value| {
        let name = player["info"]["name"].as_str().expect("a name").to_owned();
        (name, player["team"].as_u64().expect("a number"))
    };
    let mut teams: Vec<_> = players.map(team).collect();
    teams.sort();
    teams
}

#[tokio::test(flavor = "multi_thread")]
async fn a_party_waits_together_and_plays_in_one_team() {
    let server = TestServer::start(MODES).await;
    let mut lobbies = Vec::new();
    // In the order of their coming ada and dan would be in different teams, and so would ben and cleo.
    for name in ["ada", "ben", "cleo", "dan"] {
        lobbies.push(server.sign_in(name).await);
    }
    let [ada, ben, cleo, dan] = &mut lobbies[..] else { unreachable!("there are four") };

    let party = ada.open_party().await.expect("a party");
    assert_eq!(party.members.len(), 1);
    let joined = dan.join_party(&party.code.to_lowercase()).await.expect("it has room");
    let names: Vec<&str> = joined.members.iter().map(|member| member.name.as_str()).collect();
    assert_eq!(names, ["ada", "dan"]);
    assert_eq!(news(ada).await, LobbyNews::Party(Some(joined.clone())));
    assert_eq!(refusal(dan.find_match("squad").await), DisconnectReason::NotLeader);

    assert!(waits(ada, "squad").await < 5000, "it has just begun");
    assert!(matches!(news(dan).await, LobbyNews::Queued(queued) if queued.limit_ms == 60_000));
    // Once more is the same, for any of them; something else is not.
    waits(dan, "squad").await;
    assert_eq!(refusal(ada.find_match("hasty").await), DisconnectReason::QueuedElsewhere);
    waits(ben, "squad").await;
    waits(cleo, "squad").await;

    let mut matches = BTreeSet::new();
    let mut players = Vec::new();
    for lobby in [ada, ben, cleo, dan] {
        let place = found(lobby).await;
        matches.insert(place.match_id);
        players.push(Player::join_at(place).await.expect("the shard lets the player in"));
    }
    assert_eq!(matches.len(), 1, "all of them are in one match");
    let match_id = players[0].match_id();
    let teams = teams(&server, match_id).await;
    let of = |name: &str| teams.iter().find(|(known, _)| known == name).expect("plays").1;
    assert_eq!(of("ada"), of("dan"), "{teams:?}");
    assert_eq!(of("ben"), of("cleo"), "{teams:?}");
    assert_ne!(of("ada"), of("ben"), "{teams:?}");

    // Whom matchmaking did not send there does not come in, whoever has a place comes back.
    let mut eve = server.sign_in("eve").await;
    assert_eq!(refusal(eve.locate(match_id).await), DisconnectReason::MatchmakingOnly);
    let again = within(20, "a place", lobbies[0].find_match("squad")).await;
    assert_eq!(again.expect("it is ada's, and dan's").match_id, match_id);
    assert_eq!(lobbies[2].locate(match_id).await.expect("it is cleo's").match_id, match_id);
    assert_eq!(lobbies[2].find_match("squad").await.expect("it is cleo's").match_id, match_id);

    // Where somebody leaves there is a place for who comes next, in that team.
    players.swap_remove(1).leave().await;
    let place = within(20, "a place", eve.find_match("squad")).await.expect("ben's");
    assert_eq!(place.match_id, match_id);
    let _eve = Player::join_at(place).await.expect("the shard lets the player in");
    let filled = self::teams(&server, match_id).await;
    let of = |name: &str| filled.iter().find(|(known, _)| known == name).expect("plays").1;
    assert_eq!(of("eve"), of("cleo"), "{filled:?}");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_can_stop_and_is_told_when_it_is_in_vain() {
    let server = TestServer::start(MODES).await;
    let (mut ada, mut ben) = (server.sign_in("ada").await, server.sign_in("ben").await);
    assert_eq!(refusal(ada.cancel().await), DisconnectReason::NotQueued);
    waits(&mut ada, "squad").await;
    ada.cancel().await.expect("she waited");
    assert_eq!(refusal(ada.cancel().await), DisconnectReason::NotQueued);

    let since = Instant::now();
    let alone = within(20, "an end", ada.find_match("hasty")).await;
    assert_eq!(refusal(alone), DisconnectReason::QueueTimeout);
    let waited = since.elapsed();
    assert!(waited >= Duration::from_secs(1) && waited < Duration::from_secs(4), "{waited:?}");

    // A party that changes waits no longer as it was, and everybody hears of that.
    let party = ada.open_party().await.expect("a party");
    ben.join_party(&party.code).await.expect("it has room");
    let mut cleo = server.sign_in("cleo").await;
    assert_eq!(refusal(cleo.join_party("nobody's").await), DisconnectReason::CodeUnknown);
    waits(&mut ada, "squad").await;
    cleo.join_party(&party.code).await.expect("it has room");
    let told = within(20, "an end", ada.found()).await;
    assert_eq!(refusal(told), DisconnectReason::QueueCancelled);
    assert_eq!(refusal(ada.find_match("squad").await), DisconnectReason::PartyTooLarge);

    // A party goes together also where nobody waits.
    let place = within(20, "a place", ada.find_match("open")).await.expect("there is one");
    // They have heard of the party's earlier waiting before.
    for lobby in [&mut ben, &mut cleo] {
        let led = loop {
            if let LobbyNews::Assigned(led) = news(lobby).await {
                break led;
            }
        };
        assert_eq!(led.match_id, place.match_id);
    }
    // The next one leads it.
    ada.leave_party().await.expect("she was in it");
    let left = loop {
        if let LobbyNews::Party(Some(party)) = news(&mut ben).await
            && party.members.len() == 2
            && party.members[0].name == "ben"
        {
            break party;
        }
    };
    assert_eq!(left.members[1].name, "cleo");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn news_of_an_earlier_search_does_not_end_the_next_one() {
    let server = TestServer::start(MODES).await;
    let (mut ada, mut ben) = (server.sign_in("ada").await, server.sign_in("ben").await);
    let party = ada.open_party().await.expect("a party");
    ben.join_party(&party.code).await.expect("it has room");
    waits(&mut ada, "squad").await;
    // He ends ada's search, and she does not look before she begins the next one.
    ben.leave_party().await.expect("he was in it");
    waits(&mut ada, "squad").await;
    let mut others = Vec::new();
    for name in ["cleo", "dan", "eve"] {
        let mut lobby = server.sign_in(name).await;
        waits(&mut lobby, "squad").await;
        others.push(lobby);
    }
    let place = found(&mut ada).await;
    assert_eq!(found(&mut others[0]).await.match_id, place.match_id);

    // The same for who is led: bob is told of two searches before the answer to something else.
    let (mut amy, mut bob) = (server.sign_in("amy").await, server.sign_in("bob").await);
    let party = amy.open_party().await.expect("a party");
    bob.join_party(&party.code).await.expect("it has room");
    waits(&mut amy, "squad").await;
    amy.cancel().await.expect("they waited");
    waits(&mut amy, "squad").await;
    bob.open_party().await.expect("he is in it");
    assert!(matches!(news(&mut bob).await, LobbyNews::Queued(_)));
    let unheard = tokio::time::timeout(Duration::from_millis(200), bob.news()).await;
    assert!(unheard.is_err(), "{unheard:?}");
    server.stop().await;
}

/// The program that serves the game of a process of its own.
const FRAGILE: &str = env!("CARGO_BIN_EXE_fragile");

struct Kept {
    server: Option<ServerProcess>,
    config: std::path::PathBuf,
}

impl Kept {
    fn variables(config: &Path) -> [(&'static str, &OsStr); 1] {
        [("MATCHKEEP_SERVER_CONFIG", config.as_os_str())]
    }

    fn start(folder: &Path) -> Self {
        let config = folder.join("modes.toml");
        let modes = "[modes.squad]\nplayers_max = 4\nplayers_min = 1\nteams = 2\nrated = true\n";
        std::fs::write(&config, modes).expect("a temporary file");
        let variables = Self::variables(&config);
        let server = ServerProcess::start(FRAGILE, &folder.join("data"), &variables);
        Self { server: Some(server), config }
    }

    fn kill(&mut self) {
        let server = self.server.take().expect("it runs");
        self.server = Some(server.kill_and_restart(&Self::variables(&self.config)));
    }

    async fn sign_in(&self, name: &str) -> LobbyClient {
        let server = self.server.as_ref().expect("it runs");
        let socket = endpoint(server.lobby.ip()).expect("a socket");
        let lobby =
            LobbyClient::connect::<Fragile>(&socket, server.lobby, server.fingerprint, name);
        within(20, "signing in", lobby).await.expect("the lobby takes the name")
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_when_the_server_is_killed_comes_back_to_the_same_place_in_the_queue() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut kept = Kept::start(folder.path());
    let mut ada = kept.sign_in("ada").await;
    let mut ben = kept.sign_in("ben").await;
    let party = ada.open_party().await.expect("a party");
    ben.join_party(&party.code).await.expect("it has room");
    let mut cleo = kept.sign_in("cleo").await;
    waits(&mut ada, "squad").await;
    waits(&mut cleo, "squad").await;
    let since = Instant::now();
    tokio::time::sleep(Duration::from_millis(300)).await;
    kept.kill();

    // The party is in the queue as it was: each of them comes back to it alone.
    let mut ben = kept.sign_in("ben").await;
    let waited = waits(&mut ben, "squad").await;
    assert!(waited >= 300 && waited <= since.elapsed().as_millis() as u64 + 1000, "{waited} ms");
    let mut cleo = kept.sign_in("cleo").await;
    assert!(waits(&mut cleo, "squad").await >= 300);
    let mut dan = kept.sign_in("dan").await;
    waits(&mut dan, "squad").await;
    // Nobody plays while one of them is away.
    let early = tokio::time::timeout(Duration::from_millis(1500), dan.found()).await;
    assert!(early.is_err(), "{early:?}");
    let mut ada = kept.sign_in("ada").await;
    let mut matches = BTreeSet::new();
    for lobby in [&mut ada, &mut ben, &mut cleo, &mut dan] {
        let place = found(lobby).await;
        matches.insert(place.match_id);
        let joined =
            within(20, "joining", MatchClient::<Fragile>::join(place, Return::Never)).await;
        joined.expect("the shard lets the player in");
    }
    assert_eq!(matches.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_match_that_was_promised_is_made_once_whenever_the_server_is_killed() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut kept = Kept::start(folder.path());
    // From before the parties are taken to after the match is there.
    for (round, after_ms) in [0, 2, 4, 6, 8, 12, 20, 60].into_iter().enumerate() {
        let names: Vec<String> = (0..4).map(|n| format!("p{round}{n}")).collect();
        let mut lobbies = Vec::new();
        for name in &names {
            lobbies.push(kept.sign_in(name).await);
        }
        // Two of them are a party, which the next process knows nothing of but from the queue.
        let party = lobbies[0].open_party().await.expect("a party");
        lobbies[1].join_party(&party.code).await.expect("it has room");
        for nth in [0, 2] {
            waits(&mut lobbies[nth], "squad").await;
        }
        // The last one completes the match; the answer may never come.
        let last = &mut lobbies[3];
        let sought = last.seek("squad");
        let _ = tokio::time::timeout(Duration::from_millis(after_ms), sought).await;
        kept.kill();
        drop(lobbies);

        let mut matches = BTreeSet::new();
        let mut players = BTreeSet::new();
        let mut back = Vec::new();
        for name in &names {
            let lobby = kept.sign_in(name).await;
            players.insert(lobby.player());
            back.push(lobby);
        }
        let seek = |mut lobby: LobbyClient| {
            tokio::spawn(async move { within(20, "a match", lobby.find_match("squad")).await })
        };
        for seeking in back.into_iter().map(seek).collect::<Vec<_>>() {
            let place = seeking.await.expect("no panic");
            matches.insert(place.expect("there is one").match_id);
        }
        assert_eq!(matches.len(), 1, "round {round}: {matches:?}");
        // Each of them was taken once, for the match that they are led to: it was promised, kept, and promised no
        // second time.
        let taken = taken_tickets(&folder.path().join("data"), &players);
        let led: BTreeSet<MatchId> = taken.iter().map(|(match_id, _)| *match_id).collect();
        assert_eq!(led, matches, "round {round}: {taken:?}");
        let mut sizes: Vec<usize> = taken.iter().map(|(_, members)| members.len()).collect();
        sizes.sort_unstable();
        assert_eq!(sizes, [1, 1, 2], "round {round}: {taken:?}");
        let members: BTreeSet<PlayerId> = taken.into_iter().flat_map(|(_, it)| it).collect();
        assert_eq!(members, players, "round {round}");
    }
}

/// Tickets that were taken for a match with any of these players, as the store has them: the match and who goes there.
fn taken_tickets(data: &Path, players: &BTreeSet<PlayerId>) -> Vec<(MatchId, Vec<PlayerId>)> {
    let store = SqliteDirectory::open(data).expect("the server works on it, and it can be read");
    let (mut after, mut taken) = (0, Vec::new());
    loop {
        let page = store.queue_changes(after, usize::MAX).expect("it can be read");
        let Some(last) = page.last() else { return taken };
        after = last.change;
        for queued in page {
            let QueueState::Taken(of) = queued.state else { continue };
            let members: Vec<PlayerId> =
                queued.ticket.members.iter().map(|member| member.player).collect();
            if members.iter().any(|player| players.contains(player)) {
                taken.push((of.match_id, members));
            }
        }
    }
}
