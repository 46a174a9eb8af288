//! Who is let in and for how long, against decisions and clocks that change meanwhile.

use matchkeep_shared::ids::ShardId;
use matchkeep_shared::limits::LOBBY_CONNECTIONS_PER_PLAYER_MAX;
use matchkeep_shared::wire::lobby::{LobbyMessage, LobbyRequest};

use super::super::{LobbyConfig, ModeEntry, ShardEntry};
use super::*;
use crate::accounts::Bar;
use crate::identity::ServerIdentity;
use crate::matchmaking::{LobbyId, ModeRules};

const NOW: u64 = 1_000_000;
const ADA: PlayerId = PlayerId(7);

fn lobby() -> Lobby {
    Lobby::new(LobbyConfig {
        game: GameVersion { name: "test".into(), rules: 1, schema: 2 },
        modes: vec![ModeEntry { name: "duel".into(), rules: ModeRules::immediate(2) }],
        shards: vec![ShardEntry { shard: ShardId(0), port: 7778, fingerprint: [0; 32] }],
        address: None,
        signer: ServerIdentity::ephemeral().expect("keys").ticket_signer(),
        provider: None,
        lobby: LobbyId(0),
        random: Box::new(|| 4),
    })
}

/// Ada asks to be let in; the store has not answered yet.
fn ask(lobby: &mut Lobby, connection: u64) {
    let game = lobby.config.game.clone();
    let request =
        LobbyRequest::Authenticate { game, who: "ada".into(), binding: [7; BINDING_BYTES] };
    lobby.handle_request(NOW, ConnectionKey(connection), request);
}

/// The store knows of nothing against her.
fn answer(lobby: &mut Lobby, connection: u64) {
    let account = Account { player: ADA, standing: Standing::default() };
    lobby.handle_account(NOW, ConnectionKey(connection), Ok(account));
}

/// What became of connections since the last look: let in, or closed and why.
fn outcomes(lobby: &mut Lobby) -> Vec<(u64, Option<DisconnectReason>)> {
    let mut outcomes = Vec::new();
    while let Some(action) = lobby.poll_action() {
        match action {
            Action::Say { to, message: LobbyMessage::Answer(LobbyReply::Authenticated { .. }) } => {
                outcomes.push((to.0, None));
            }
            Action::Close { connection, reason, .. } => {
                outcomes.push((connection.0, Some(reason)));
            }
            _ => {}
        }
    }
    outcomes
}

fn barred(reason: DisconnectReason, since_unix_ms: u64) -> Barred {
    Barred::from([(ADA, Bar { reason, since_unix_ms })])
}

#[test]
fn what_was_decided_while_the_store_looked_counts() {
    for (reason, since, is_out) in [
        (DisconnectReason::Banned, NOW - 1, true),
        (DisconnectReason::IdentityRevoked, NOW, true),
        (DisconnectReason::IdentityRevoked, NOW - 1, false),
    ] {
        let mut lobby = lobby();
        ask(&mut lobby, 1);
        lobby.set_barred(barred(reason, since));
        answer(&mut lobby, 1);
        assert_eq!(outcomes(&mut lobby), [(1, is_out.then_some(reason))], "{reason:?} {since}");
    }
}

#[test]
fn what_was_shown_is_judged_by_the_clock_of_who_revokes_it() {
    // The system's clock was set forward by an hour since the server was started.
    let skew = 3_600_000;
    for (since, is_out) in [(NOW + 1, false), (NOW + skew, true)] {
        let mut lobby = lobby();
        lobby.set_clock_skew(skew as i64);
        ask(&mut lobby, 1);
        answer(&mut lobby, 1);
        assert_eq!(outcomes(&mut lobby), [(1, None)]);
        lobby.set_barred(barred(DisconnectReason::IdentityRevoked, since));
        assert_eq!(outcomes(&mut lobby).len(), usize::from(is_out), "{since}");
    }
}

#[test]
fn the_end_of_an_identity_is_told_by_the_servers_clock() {
    let identity = Identity {
        issuer: "https://id.example".into(),
        subject: "ada".into(),
        name: "Ada".into(),
        issued_unix_ms: 10_000,
        expires_unix_ms: 70_000,
    };
    // The world's clock is behind, then ahead: a minute is a minute.
    for (skew, until) in [(0, 70_000), (-5_000, 75_000), (20_000, 50_000)] {
        let Validity { issued_unix_ms, until_unix_ms } = Shown::of(&identity, skew).validity;
        assert_eq!((issued_unix_ms, until_unix_ms), (10_000, until), "{skew}");
    }
}

#[test]
fn whose_identity_ended_is_sent_away_without_asking_for_anything() {
    let mut lobby = lobby();
    for connection in [1, 2] {
        ask(&mut lobby, connection);
        answer(&mut lobby, connection);
    }
    if let Some(Session::Authenticated(player)) = lobby.sessions.get_mut(&ConnectionKey(2)) {
        player.newcomer.shown.validity.until_unix_ms = NOW + 1000;
    }
    outcomes(&mut lobby);
    lobby.handle_time(NOW + 999);
    assert_eq!(outcomes(&mut lobby), []);
    lobby.handle_time(NOW + 1000);
    assert_eq!(outcomes(&mut lobby), [(2, Some(DisconnectReason::IdentityExpired))]);
}

#[test]
fn one_player_does_not_fill_the_lobby() {
    let mut lobby = lobby();
    let most = LOBBY_CONNECTIONS_PER_PLAYER_MAX as u64;
    for connection in 1..=most + 2 {
        ask(&mut lobby, connection);
        answer(&mut lobby, connection);
        let mut expected = vec![(connection, None)];
        if connection > most {
            let oldest = connection - most;
            expected.insert(0, (oldest, Some(DisconnectReason::Replaced)));
        }
        assert_eq!(outcomes(&mut lobby), expected);
    }
    assert_eq!(lobby.sessions.len(), LOBBY_CONNECTIONS_PER_PLAYER_MAX);
}
