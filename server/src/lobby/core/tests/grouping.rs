//! Parties: coming together, and what becomes of what they wait for.

use matchkeep_shared::limits::PARTY_PLAYERS_MAX;

use super::*;
use crate::matchmaking::{QueueState, QueueTicketId};

#[test]
fn who_finds_a_party_full_stays_in_the_one_before_which_waits_on() {
    let mut h = Harness::new();
    let places = PARTY_PLAYERS_MAX as u64;
    (1..=places + 2).for_each(|connection| h.log_in(connection));
    let all: Vec<u64> = (1..=places).collect();
    h.team_up(&all);
    h.team_up(&[places + 1, places + 2]);
    let find = LobbyRequest::FindMatch { mode: "squad".into() };
    assert!(matches!(h.request(places + 1, find), Some(LobbyReply::Queued(_))));
    h.heard(places + 1);
    let before = h.lobby.parties.of(PlayerId(places + 2));
    let code = h.lobby.parties.of(PlayerId(1)).expect("a party").code;
    let full = LobbyReply::Refused { reason: DisconnectReason::PartyFull };
    assert_eq!(h.request(places + 2, LobbyRequest::JoinParty { code }), Some(full));
    assert_eq!(h.lobby.parties.of(PlayerId(places + 2)), before);
    assert_eq!(h.heard(places + 1), [], "nothing changed for the others");
    assert_eq!(h.table.rows[&QueueTicketId(1)].state, QueueState::Waiting);
}
