//! Tickets: good, stale, forged, used.

use std::time::Duration;

use matchkeep_shared::ids::PlayerId;
use matchkeep_shared::limits::{TICKET_CLOCK_AHEAD_MAX, TICKET_VALID};
use proptest::prelude::*;
use ring::rand::SystemRandom;

use super::*;
use matchkeep_shared::disconnect::DisconnectReason;
use matchkeep_shared::ids::{MatchId, Slot};
use matchkeep_shared::ticket::{NEVER, TICKET_BYTES_MAX, TOKEN_BYTES_MAX, Validity};

const NOW: u64 = 1_800_000_000_000;

fn signer() -> TicketSigner {
    let pkcs8 = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).expect("a key is made");
    TicketSigner::from_pkcs8(pkcs8.as_ref()).expect("the key is one")
}

fn claims(id: u8) -> TicketClaims {
    TicketClaims {
        id: [id; 16],
        match_id: MatchId(7),
        player: PlayerId(3),
        name: "Ada".to_owned(),
        expires_unix_ms: NOW + 60_000,
        binding: [id; 32],
        identity: Validity { issued_unix_ms: NOW, until_unix_ms: NEVER },
        team: None,
    }
}

#[test]
fn a_ticket_says_what_was_signed() {
    let signer = signer();
    let ticket = signer.sign(&claims(1)).expect("the name is one");
    assert_eq!(signer.verifier().verify(&ticket, NOW), Ok(claims(1)));
}

fn token(period: u64) -> TokenClaims {
    TokenClaims {
        match_id: MatchId(u64::MAX),
        player: PlayerId(u64::MAX),
        slot: Slot(127),
        period,
        expires_unix_ms: NOW + 60_000,
        identity: Validity { issued_unix_ms: NOW, until_unix_ms: NEVER },
    }
}

#[test]
fn a_token_says_what_was_signed_until_its_time_is_over() {
    let signer = signer();
    let sealed = signer.sign_token(&token(u64::MAX));
    assert!(sealed.len() <= TOKEN_BYTES_MAX);
    let verifier = signer.verifier();
    assert_eq!(verifier.verify_token(&sealed, NOW), Ok(token(u64::MAX)));
    let over = verifier.verify_token(&sealed, NOW + 60_000);
    assert_eq!(over, Err(DisconnectReason::TokenExpired));
}

#[test]
fn a_flipped_bit_or_a_ticket_is_no_token() {
    let signer = signer();
    let verifier = signer.verifier();
    let sealed = signer.sign_token(&token(3));
    for bit in 0..8 * sealed.len() {
        let mut forged = sealed.clone();
        forged[bit / 8] ^= 1 << (bit % 8);
        let refused = verifier.verify_token(&forged, NOW);
        assert_eq!(refused, Err(DisconnectReason::TokenInvalid), "bit {bit}");
    }
    let ticket = signer.sign(&claims(1)).expect("the name is one");
    assert_eq!(verifier.verify_token(&ticket, NOW), Err(DisconnectReason::TokenInvalid));
    assert_eq!(verifier.verify(&sealed, NOW), Err(DisconnectReason::TicketInvalid));
}

#[test]
fn the_largest_ticket_fits_its_limit() {
    let signer = signer();
    let largest = TicketClaims {
        id: [255; 16],
        match_id: MatchId(u64::MAX),
        player: PlayerId(u64::MAX),
        name: "n".repeat(PLAYER_NAME_BYTES_MAX),
        expires_unix_ms: u64::MAX,
        binding: [255; 32],
        identity: Validity { issued_unix_ms: u64::MAX, until_unix_ms: NEVER },
        team: Some(1),
    };
    let ticket = signer.sign(&largest).expect("the name is one");
    assert!(ticket.len() <= TICKET_BYTES_MAX);
    assert_eq!(signer.verifier().verify(&ticket, u64::MAX - 1), Ok(largest));
}

#[test]
fn each_refusal_names_its_reason() {
    let signer = signer();
    let verifier = signer.verifier();
    let ticket = signer.sign(&claims(1)).expect("the name is one");
    let verify = |now| verifier.verify(&ticket, now);
    assert!(verify(NOW + 59_999).is_ok());
    assert_eq!(verify(NOW + 60_000), Err(DisconnectReason::TicketExpired));
    let other = self::signer().verifier();
    assert_eq!(other.verify(&ticket, NOW), Err(DisconnectReason::TicketInvalid));
}

#[test]
fn a_ticket_that_a_clock_dated_which_was_set_back_is_good_no_longer_than_it_was_meant_to_be() {
    let signer = signer();
    let verifier = signer.verifier();
    let ms = |duration: Duration| duration.as_millis() as u64;
    let ticket = |expires_unix_ms| {
        let ticket = signer.sign(&TicketClaims { expires_unix_ms, ..claims(1) });
        verifier.verify(&ticket.expect("the name is one"), NOW).map(|_| ())
    };
    let token = |expires_unix_ms| {
        let token = signer.sign_token(&TokenClaims { expires_unix_ms, ..token(3) });
        verifier.verify_token(&token, NOW).map(|_| ())
    };
    // Given just now, by a clock that is a little ahead.
    for ahead in [0, 1, ms(TICKET_CLOCK_AHEAD_MAX)] {
        assert_eq!(ticket(NOW + ms(TICKET_VALID) + ahead), Ok(()), "{ahead}");
    }
    for ahead in [ms(TICKET_CLOCK_AHEAD_MAX) + 1, 3_600_000] {
        let expired = Err(DisconnectReason::TicketExpired);
        assert_eq!(ticket(NOW + ms(TICKET_VALID) + ahead), expired, "{ahead}");
    }
    assert_eq!(ticket(u64::MAX), Err(DisconnectReason::TicketExpired));
    // The match says which of its tokens are good: nobody loses the way back over a clock.
    assert_eq!(token(NOW + 3_600_000), Ok(()));
}

#[test]
fn the_key_before_is_believed_until_its_time_is_over_and_no_other_key_is() {
    let (first, second, third) = (signer(), signer(), signer());
    let keys = TicketKeys::new(second.clone()).after(first.verifying_key(), NOW + 1000);
    assert_eq!(keys.id(), second.verifying_key().id());
    let verifier = keys.verifier();
    for believed in [&first, &second] {
        let ticket = believed.sign(&claims(1)).expect("the name is one");
        assert_eq!(verifier.verify(&ticket, NOW + 999), Ok(claims(1)));
        assert_eq!(verifier.verify_token(&believed.sign_token(&token(3)), NOW), Ok(token(3)));
    }
    let own = keys.signer().sign(&claims(1)).expect("the name is one");
    assert_eq!(own[..4], second.verifying_key().id().0);
    let old = first.sign(&claims(1)).expect("the name is one");
    assert_eq!(verifier.verify(&old, NOW + 1000), Err(DisconnectReason::TicketInvalid));
    assert_eq!(
        verifier.verify_token(&first.sign_token(&token(3)), NOW + 1000),
        Err(DisconnectReason::TokenInvalid)
    );
    let foreign = third.sign(&claims(1)).expect("the name is one");
    assert_eq!(verifier.verify(&foreign, NOW), Err(DisconnectReason::TicketInvalid));
    // The name of a key alone opens nothing.
    let mut renamed = foreign;
    renamed[..4].copy_from_slice(&second.verifying_key().id().0);
    assert_eq!(verifier.verify(&renamed, NOW), Err(DisconnectReason::TicketInvalid));
}

#[test]
fn a_name_no_shard_accepts_is_not_signed() {
    for name in ["", " Ada", "Ada\n", "a name that is much too long"] {
        let claims = TicketClaims { name: name.to_owned(), ..claims(1) };
        assert!(matches!(signer().sign(&claims), Err(TicketError::NameInvalid(_))), "{name}");
    }
}

#[test]
fn a_signature_without_the_context_is_refused() {
    let pkcs8 = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).expect("a key is made");
    let key = Ed25519KeyPair::from_pkcs8(pkcs8.as_ref()).expect("the key is one");
    let signer = TicketSigner { key: Arc::new(key) };
    let mut ticket = [&signer.verifying_key().id().0[..], &encoding::encode(&claims(1))].concat();
    let signature = signer.key.sign(&ticket);
    ticket.extend_from_slice(signature.as_ref());
    let verifier = signer.verifier();
    let refused = Err(DisconnectReason::TicketInvalid);
    assert_eq!(verifier.verify(&ticket, NOW), refused);
}

#[test]
fn every_flipped_bit_and_every_cut_is_refused() {
    let signer = signer();
    let verifier = signer.verifier();
    let ticket = signer.sign(&claims(1)).expect("the name is one");
    let refused = Err(DisconnectReason::TicketInvalid);
    for bit in 0..ticket.len() * 8 {
        let mut flipped = ticket.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(verifier.verify(&flipped, NOW), refused, "bit {bit}");
    }
    for len in 0..ticket.len() {
        assert_eq!(verifier.verify(&ticket[..len], NOW), refused, "{len} bytes");
    }
    let longer = [ticket.as_slice(), &[0]].concat();
    assert_eq!(verifier.verify(&longer, NOW), refused);
}

proptest! {
    #[test]
    fn random_bytes_are_no_ticket(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let verifier = TicketVerifier::new(VerifyingKey([9; VERIFYING_KEY_BYTES]));
        let refused = Err(DisconnectReason::TicketInvalid);
        prop_assert_eq!(verifier.verify(&bytes, NOW), refused);
    }

    #[test]
    fn random_bytes_under_a_good_signature_do_not_panic(
        bytes in proptest::collection::vec(any::<u8>(), 0..120)
    ) {
        let signer = signer();
        let said = [&signer.verifying_key().id().0, bytes.as_slice()].concat();
        let signature = signer.key.sign(&[SIGNING_CONTEXT, &said].concat());
        let ticket = [&said, signature.as_ref()].concat();
        if let Ok(claims) = signer.verifier().verify(&ticket, NOW) {
            prop_assert!(is_player_name(&claims.name));
        }
    }
}

#[test]
fn a_ticket_is_good_once_until_it_expires_and_never_after() {
    let mut used = UsedTickets::new();
    assert_eq!(used.insert(claims(1).id, claims(1).expires_unix_ms, NOW), Ok(()));
    assert_eq!(
        used.insert(claims(1).id, claims(1).expires_unix_ms, NOW),
        Err(DisconnectReason::TicketUsed)
    );
    assert_eq!(
        used.insert(claims(1).id, claims(1).expires_unix_ms, NOW + 59_999),
        Err(DisconnectReason::TicketUsed)
    );
    assert_eq!(
        used.insert(claims(1).id, claims(1).expires_unix_ms, NOW + 60_000),
        Err(DisconnectReason::TicketExpired)
    );
    assert!(used.is_empty(), "what expired is forgotten");
}

#[test]
fn a_clock_set_back_makes_no_ticket_good_again() {
    let mut used = UsedTickets::new();
    assert_eq!(used.insert(claims(1).id, claims(1).expires_unix_ms, NOW), Ok(()));
    let later = TicketClaims { expires_unix_ms: NOW + 200_000, ..claims(2) };
    assert_eq!(used.insert(later.id, later.expires_unix_ms, NOW + 100_000), Ok(()));
    assert_eq!(used.len(), 1);
    assert_eq!(
        used.insert(claims(1).id, claims(1).expires_unix_ms, NOW),
        Err(DisconnectReason::TicketExpired)
    );
}

#[test]
fn a_full_memory_refuses_and_has_room_again_after_expiry() {
    let mut used = UsedTickets::with_room_for(2);
    assert_eq!(used.insert(claims(1).id, claims(1).expires_unix_ms, NOW), Ok(()));
    assert_eq!(used.insert(claims(2).id, claims(2).expires_unix_ms, NOW), Ok(()));
    assert_eq!(
        used.insert(claims(3).id, claims(3).expires_unix_ms, NOW),
        Err(DisconnectReason::ServerFull)
    );
    assert_eq!(
        used.insert(claims(1).id, claims(1).expires_unix_ms, NOW),
        Err(DisconnectReason::TicketUsed)
    );
    let later = TicketClaims { expires_unix_ms: NOW + 120_000, ..claims(3) };
    assert_eq!(used.insert(later.id, later.expires_unix_ms, NOW + 60_000), Ok(()));
}
