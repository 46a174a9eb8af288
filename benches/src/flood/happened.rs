//! Whether an attack took place: a server that was not attacked holds every bound.
//!
//! Owns: what shows it, for each attack, by the attacker's count and the server's. Must not know: the bounds.

use super::attack::{Attack, COPIED_PLAYS_ON};
use super::report::Measured;

/// Of what an attack means to send, and of the handshakes it means to begin, so much must have come about.
const SHARE_MIN: f64 = 0.9;
/// Of first packets from ever other addresses so many must have been asked to prove theirs; in the first moments they
/// are let in.
const RETRIED_SHARE_MIN: f64 = 0.5;

/// What of an attack did not take place, in words; nothing where it did.
pub(super) fn missing(measured: &Measured) -> Vec<String> {
    let mut missing = Vec::new();
    let name = measured.attack.name();
    let mut unless = |is_so: bool, what: String| {
        if !is_so {
            missing.push(format!("{name}: {what}"));
        }
    };
    let (rate, wanted) = (measured.datagrams_per_second, measured.datagrams_per_second_wanted);
    let least = SHARE_MIN * wanted as f64;
    unless(
        rate >= least,
        format!("{rate:.0} of {wanted} datagrams a second sent, wanted are at least {least:.0}"),
    );
    let counted = |what: &str| measured.counts.get(what).copied().unwrap_or(0);
    // By the server.
    let away = |what: &str| {
        let places = ["lobby", "shard"].map(|place| format!("{place}_{what}"));
        let counts = places.iter().filter_map(|name| measured.turned_away.get(name));
        counts.sum::<u64>()
    };
    match measured.attack {
        Attack::Garbage => {
            unless(away("datagrams_foreign") > 0, "no shard met any of it".into());
        }
        Attack::Valid => {
            unless(counted("copies") > 0, "there was no packet to be sent again".into());
            let playing = measured.ended.get(COPIED_PLAYS_ON).copied().unwrap_or(0);
            let phases = measured.phases;
            unless(
                phases > 0 && playing == phases,
                format!(
                    "the player who is copied played to the end of {playing} in {phases} phases"
                ),
            );
            unless(
                away("closed_datagram_flood") > 0,
                "nobody was sent away for sending as fast as QUIC lets".into(),
            );
        }
        Attack::HalfOpen => {
            let (met, wanted) = (measured.first_packets_met, Attack::HANDSHAKES);
            let least = SHARE_MIN * wanted as f64;
            unless(
                met >= least,
                format!(
                    "the server met {met:.0} of {wanted} first packets, wanted are at least {least:.0}"
                ),
            );
        }
        Attack::Spoofed => {
            let (retried, sent) = (away("retried"), measured.datagrams_sent);
            let least = RETRIED_SHARE_MIN * sent as f64;
            unless(
                retried > 0 && retried as f64 >= least,
                format!(
                    "{retried} of {sent} addresses were to prove themselves, wanted are at least {least:.0}"
                ),
            );
        }
        Attack::Streams => {
            unless(measured.connections > 0, "nobody was let in".into());
            unless(counted("streams") > 0, "no stream was opened".into());
            unless(away("closed_unexpected_message") > 0, "nobody was sent away for it".into());
        }
        Attack::SlowReader => {
            unless(away("closed_slow_reader") > 0, "nobody was sent away for it".into());
        }
        Attack::OptimisticAck => {
            unless(
                counted("acknowledgements_of_what_did_not_come") > 0,
                "nothing was acknowledged that did not come".into(),
            );
            unless(away("closed_transport_violation") > 0, "nobody was sent away for it".into());
        }
    }
    missing
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::flood::attack::Outcome;
    use crate::flood::report::Pair;

    const PHASES: usize = 3;

    /// An attack that took place, as attacker and server counted it in each of three phases.
    fn counted(attack: Attack) -> (Pair, Outcome, BTreeMap<String, u64>) {
        let pair = Pair {
            calm_lateness_p99_us: 100,
            attack_lateness_p99_us: 100,
            datagrams_per_second: attack.datagrams_per_second() as f64,
            first_packets_met: 2000,
            udp_dropped: 0,
            ticks_skipped: 0,
            stolen_share: 0.0,
        };
        let named = |counts: &[(&str, u64)]| {
            counts.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect()
        };
        let outcome = Outcome {
            datagrams_sent: 2000,
            connections: 2,
            ended: named(&[(COPIED_PLAYS_ON, 1), ("datagram_flood", 7)]),
            counts: named(&[
                ("copies", 2000),
                ("streams", 4),
                ("acknowledgements_of_what_did_not_come", 9),
            ]),
            ..Outcome::default()
        };
        let turned_away = named(&[
            ("lobby_retried", 3000),
            ("shard_retried", 3000),
            ("shard_datagrams_foreign", 10),
            ("shard_closed_datagram_flood", 1),
            ("lobby_closed_unexpected_message", 1),
            ("lobby_closed_slow_reader", 1),
            ("shard_closed_transport_violation", 1),
        ]);
        (pair, outcome, turned_away)
    }

    /// What is missing where attacker and server counted otherwise.
    fn missing_where(
        attack: Attack,
        change: impl Fn(&mut Pair, &mut Outcome, &mut BTreeMap<String, u64>),
    ) -> Vec<String> {
        let (mut pair, mut outcome, mut turned_away) = counted(attack);
        change(&mut pair, &mut outcome, &mut turned_away);
        let wanted = attack.datagrams_per_second();
        let (pairs, outcomes) = (vec![pair; PHASES], vec![outcome; PHASES]);
        let measured = Measured::new(attack, wanted, pairs, &outcomes, turned_away, 0, 0);
        let missing = missing(&measured);
        assert_eq!(measured.broken, missing, "all of that, and nothing else, breaks it");
        missing
    }

    #[test]
    fn nothing_is_missing_of_attacks_that_took_place() {
        for attack in Attack::ALL {
            let missing = missing_where(attack, |_, _, _| {});
            assert!(missing.is_empty(), "{missing:?}");
        }
        // What is short of it by less than a tenth will do.
        for attack in [Attack::Garbage, Attack::Valid, Attack::HalfOpen, Attack::Spoofed] {
            let missing = missing_where(attack, |pair, _, _| {
                pair.datagrams_per_second *= 0.9;
                pair.first_packets_met = 1800;
            });
            assert!(missing.is_empty(), "{missing:?}");
        }
    }

    #[test]
    fn too_slow_an_attacker_is_named() {
        for (attack, rate, wanted) in [
            (
                Attack::Garbage,
                44_999.0,
                "garbage: 44999 of 50000 datagrams a second sent, wanted are at least 45000",
            ),
            (
                Attack::Valid,
                30_000.0,
                "valid: 30000 of 50000 datagrams a second sent, wanted are at least 45000",
            ),
            (
                Attack::HalfOpen,
                1799.0,
                "half-open: 1799 of 2000 datagrams a second sent, wanted are at least 1800",
            ),
            (
                Attack::Spoofed,
                4499.0,
                "spoofed: 4499 of 5000 datagrams a second sent, wanted are at least 4500",
            ),
        ] {
            let missing = missing_where(attack, |pair, _, _| pair.datagrams_per_second = rate);
            assert_eq!(missing, [wanted]);
        }
    }

    #[test]
    fn the_median_phase_is_fast_enough_or_not() {
        let (pair, outcome, turned_away) = counted(Attack::Garbage);
        let at = |datagrams_per_second| Pair { datagrams_per_second, ..pair.clone() };
        for (rates, count) in [([50e3, 10e3, 49e3], 0), ([10e3, 50e3, 44e3], 1)] {
            let pairs = rates.map(at).to_vec();
            let outcomes = [outcome.clone(), outcome.clone(), outcome.clone()];
            let turned_away = turned_away.clone();
            let measured =
                Measured::new(Attack::Garbage, 50_000, pairs, &outcomes, turned_away, 0, 0);
            assert_eq!(measured.broken.len(), count, "{:?}", measured.broken);
        }
    }

    #[test]
    fn garbage_that_no_shard_met_is_named() {
        let missing = missing_where(Attack::Garbage, |_, _, away| away.clear());
        assert_eq!(missing, ["garbage: no shard met any of it"]);
    }

    #[test]
    fn a_copied_player_who_was_lost_or_had_no_packets_is_named() {
        let lost = missing_where(Attack::Valid, |_, outcome, _| {
            outcome.ended.remove(COPIED_PLAYS_ON);
            outcome.ended.insert("the copied one: timed out".into(), 1);
        });
        let wanted = "valid: the player who is copied played to the end of 0 in 3 phases";
        assert_eq!(lost, [wanted]);
        let none = missing_where(Attack::Valid, |pair, outcome, _| {
            pair.datagrams_per_second = 0.0;
            outcome.counts.remove("copies");
        });
        let wanted = [
            "valid: 0 of 50000 datagrams a second sent, wanted are at least 45000",
            "valid: there was no packet to be sent again",
        ];
        assert_eq!(none, wanted);
        let slow = missing_where(Attack::Valid, |_, _, away| away.clear());
        assert_eq!(slow, ["valid: nobody was sent away for sending as fast as QUIC lets"]);
    }

    #[test]
    fn a_player_lost_in_one_phase_of_three_is_enough() {
        let (pair, outcome, turned_away) = counted(Attack::Valid);
        let mut outcomes = [outcome.clone(), outcome.clone(), outcome];
        outcomes[1].ended.clear();
        let pairs = vec![pair; PHASES];
        let measured = Measured::new(Attack::Valid, 50_000, pairs, &outcomes, turned_away, 0, 0);
        let wanted = "valid: the player who is copied played to the end of 2 in 3 phases";
        assert_eq!(measured.broken, [wanted]);
    }

    #[test]
    fn handshakes_that_did_not_begin_are_named() {
        let missing = missing_where(Attack::HalfOpen, |pair, _, _| pair.first_packets_met = 1799);
        let wanted =
            "half-open: the server met 1799 of 2000 first packets, wanted are at least 1800";
        assert_eq!(missing, [wanted]);
    }

    #[test]
    fn spoofed_packets_that_nobody_was_asked_about_are_named() {
        let none = missing_where(Attack::Spoofed, |_, _, away| away.clear());
        let wanted =
            "spoofed: 0 of 6000 addresses were to prove themselves, wanted are at least 3000";
        assert_eq!(none, [wanted]);
        let few = missing_where(Attack::Spoofed, |_, _, away| {
            away.remove("lobby_retried");
            away.insert("shard_retried".into(), 2999);
        });
        assert_eq!(few.len(), 1, "{few:?}");
        let unsent = missing_where(Attack::Spoofed, |_, outcome, away| {
            outcome.datagrams_sent = 0;
            away.clear();
        });
        assert_eq!(unsent.len(), 1, "{unsent:?}");
    }

    #[test]
    fn streams_that_nobody_opened_are_named() {
        let missing = missing_where(Attack::Streams, |_, outcome, away| {
            outcome.connections = 0;
            outcome.counts.clear();
            away.clear();
        });
        let wanted = [
            "streams: nobody was let in",
            "streams: no stream was opened",
            "streams: nobody was sent away for it",
        ];
        assert_eq!(missing, wanted);
    }

    #[test]
    fn a_server_that_sends_away_neither_slow_readers_nor_liars_is_named() {
        for attack in [Attack::SlowReader, Attack::OptimisticAck] {
            let missing = missing_where(attack, |_, _, away| away.clear());
            assert_eq!(missing, [format!("{}: nobody was sent away for it", attack.name())]);
        }
        let honest = missing_where(Attack::OptimisticAck, |_, outcome, _| outcome.counts.clear());
        assert_eq!(honest, ["optimistic-ack: nothing was acknowledged that did not come"]);
    }
}
