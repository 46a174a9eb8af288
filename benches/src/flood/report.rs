//! What the attacks came to, and whether they took place and the bounds were held.

use std::collections::BTreeMap;

use serde::Serialize;

use super::attack::{Attack, Outcome};
use super::happened;
use crate::load::report::median;

/// Ticks may begin so much later at p99.
const LATENESS_RISE_US_MAX: f64 = 1_000.0;
/// The server may have so much more in memory, in bytes.
const RSS_RISE_BYTES_MAX: u64 = 64 << 20;
/// For a byte from an address that has proved nothing so many may be sent there (RFC 9000, 8.1).
const UNPROVED_SHARE_MAX: f64 = 3.0;

/// A phase of calm and the phase of attack after it.
#[derive(Clone, Debug, Serialize)]
#[expect(missing_docs, reason = "the names say it; units are in them")]
pub struct Pair {
    pub calm_lateness_p99_us: u64,
    pub attack_lateness_p99_us: u64,
    /// That the attacker sent, as long as it did.
    pub datagrams_per_second: f64,
    /// By the lobby and the shards.
    pub first_packets_met: u64,
    /// By the kernel, for the shard's buffer was full.
    pub udp_dropped: u64,
    pub ticks_skipped: u64,
    /// How much of a core was given to others meanwhile, 0 to 1, where it was most.
    pub stolen_share: f64,
}

impl Pair {
    /// How much later ticks begin.
    pub fn rise_us(&self) -> f64 {
        self.attack_lateness_p99_us as f64 - self.calm_lateness_p99_us as f64
    }

    /// The pair in one line.
    pub fn line(&self) -> String {
        format!(
            "tick lateness p99 {} us, in calm {} us; {:.0} datagrams a second, {} dropped, {} ticks skipped; \
             {:.1}% of a core stolen",
            self.attack_lateness_p99_us,
            self.calm_lateness_p99_us,
            self.datagrams_per_second,
            self.udp_dropped,
            self.ticks_skipped,
            self.stolen_share * 100.0,
        )
    }
}

/// What one attack came to.
#[derive(Clone, Debug, Serialize)]
#[expect(missing_docs, reason = "the names say it; units are in them")]
pub struct Measured {
    pub attack: Attack,
    /// The median of the pairs.
    pub lateness_p99_rise_us: f64,
    pub rss_rise_bytes: u64,
    /// To addresses that have proved nothing; absent where the attack has none.
    pub bytes_sent_over_received_unvalidated: Option<f64>,
    pub bots_lost: u64,
    /// Phases of attack: as many as there are pairs, and those that were measured anew.
    pub phases: u64,
    /// That the attack means to send, 0 where their number is not what it is about; and what it sent, at the median.
    pub datagrams_per_second_wanted: u64,
    pub datagrams_per_second: f64,
    pub datagrams_sent: u64,
    /// The median of the pairs.
    pub first_packets_met: f64,
    pub connections: u64,
    /// How the attacker's connections ended, as it saw it.
    pub ended: BTreeMap<String, u64>,
    /// What else the attacker counted.
    pub counts: BTreeMap<String, u64>,
    /// What the server counted as turned away in the phases of attack.
    pub turned_away: BTreeMap<String, u64>,
    pub pairs: Vec<Pair>,
    /// The bounds that were not held, and what of the attack did not take place, in words.
    pub broken: Vec<String>,
}

impl Measured {
    /// What an attack came to in all its phases.
    pub(super) fn new(
        attack: Attack,
        wanted: u64,
        pairs: Vec<Pair>,
        outcomes: &[Outcome],
        turned_away: BTreeMap<String, u64>,
        rss_rise_bytes: u64,
        bots_lost: u64,
    ) -> Self {
        let sum = |of: fn(&Outcome) -> u64| outcomes.iter().map(of).sum::<u64>();
        let merged = |of: fn(&Outcome) -> &BTreeMap<String, u64>| {
            let mut merged = BTreeMap::<String, u64>::new();
            for (what, count) in outcomes.iter().flat_map(of) {
                *merged.entry(what.clone()).or_default() += count;
            }
            merged
        };
        let (sent, received) = (sum(|o| o.unproved_sent_bytes), sum(|o| o.unproved_received_bytes));
        let rises: Vec<f64> = pairs.iter().map(Pair::rise_us).collect();
        let rates: Vec<f64> = pairs.iter().map(|pair| pair.datagrams_per_second).collect();
        let met: Vec<f64> = pairs.iter().map(|pair| pair.first_packets_met as f64).collect();
        let mut measured = Self {
            attack,
            lateness_p99_rise_us: median(&rises),
            rss_rise_bytes,
            bytes_sent_over_received_unvalidated: (sent > 0)
                .then_some(received as f64 / sent as f64),
            bots_lost,
            phases: outcomes.len() as u64,
            datagrams_per_second_wanted: wanted,
            datagrams_per_second: median(&rates),
            datagrams_sent: sum(|o| o.datagrams_sent),
            first_packets_met: median(&met),
            connections: sum(|o| o.connections),
            ended: merged(|o| &o.ended),
            counts: merged(|o| &o.counts),
            turned_away,
            pairs,
            broken: Vec::new(),
        };
        measured.broken = measured.judge();
        measured
    }

    fn judge(&self) -> Vec<String> {
        let name = self.attack.name();
        let mut broken = Vec::new();
        let rise = self.lateness_p99_rise_us;
        if rise > LATENESS_RISE_US_MAX {
            broken.push(format!(
                "{name}: ticks begin {rise:.0} us later at p99, allowed are {LATENESS_RISE_US_MAX:.0}"
            ));
        }
        let rss = self.rss_rise_bytes;
        if rss > RSS_RISE_BYTES_MAX {
            broken.push(format!(
                "{name}: {rss} bytes more in memory, allowed are {RSS_RISE_BYTES_MAX}"
            ));
        }
        if let Some(share) = self.bytes_sent_over_received_unvalidated
            && share > UNPROVED_SHARE_MAX
        {
            broken.push(format!(
                "{name}: {share:.2} bytes sent for each from an address that proved nothing, allowed are \
                 {UNPROVED_SHARE_MAX:.0}"
            ));
        }
        if self.bots_lost > 0 {
            broken.push(format!("{name}: {} bots lost, allowed are none", self.bots_lost));
        }
        broken.extend(happened::missing(self));
        broken
    }

    /// The attack in one line.
    pub fn line(&self) -> String {
        let share = self
            .bytes_sent_over_received_unvalidated
            .map_or_else(String::new, |share| format!(", {share:.2} bytes back for each"));
        let wanted = match self.datagrams_per_second_wanted {
            0 => String::new(),
            wanted => format!(" of {wanted}"),
        };
        format!(
            "{}: ticks {:.0} us later at p99, {:.1} MiB more, {} bots lost; {:.0}{wanted} datagrams a second{share}",
            self.attack.name(),
            self.lateness_p99_rise_us,
            self.rss_rise_bytes as f64 / f64::from(1 << 20),
            self.bots_lost,
            self.datagrams_per_second,
        )
    }
}

/// The outcome of all attacks: of each figure the worst.
#[derive(Clone, Debug, Serialize)]
#[expect(missing_docs, reason = "the names say it; units are in them")]
pub struct Report {
    pub lateness_p99_rise_us: f64,
    pub rss_rise_bytes: u64,
    pub bytes_sent_over_received_unvalidated: f64,
    pub bots_lost: u64,
    /// Whether every attack took place and every bound was held.
    pub holds: bool,
    pub attacks: Vec<Measured>,
}

impl Report {
    /// What these attacks come to.
    pub fn new(attacks: Vec<Measured>) -> Self {
        let worst = |of: fn(&Measured) -> f64| attacks.iter().map(of).fold(f64::MIN, f64::max);
        Self {
            lateness_p99_rise_us: worst(|m| m.lateness_p99_rise_us),
            rss_rise_bytes: attacks.iter().map(|m| m.rss_rise_bytes).max().unwrap_or(0),
            bytes_sent_over_received_unvalidated: worst(|m| {
                m.bytes_sent_over_received_unvalidated.unwrap_or(0.0)
            }),
            bots_lost: attacks.iter().map(|m| m.bots_lost).sum(),
            holds: attacks.iter().all(|m| m.broken.is_empty()),
            attacks,
        }
    }

    /// Every bound that was not held, and what did not take place, in words.
    pub fn broken(&self) -> impl Iterator<Item = &str> {
        self.attacks.iter().flat_map(|measured| measured.broken.iter().map(String::as_str))
    }

    /// The report as a person reads it.
    pub fn table(&self) -> String {
        let mut text = String::new();
        for measured in &self.attacks {
            text += &measured.line();
            text += "\n";
            for (what, counts) in [
                ("the attacker saw", &measured.ended),
                ("and counted", &measured.counts),
                ("the server counted", &measured.turned_away),
            ] {
                if !counts.is_empty() {
                    let counts = counts.iter().map(|(name, count)| format!("{name} {count}"));
                    text += &format!("  {what}: {}\n", counts.collect::<Vec<_>>().join(", "));
                }
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(attack: Attack, attack_us: [u64; 3], rss: u64, back: u64, lost: u64) -> Measured {
        let pair = |us| Pair {
            calm_lateness_p99_us: 100,
            attack_lateness_p99_us: us,
            datagrams_per_second: 50_000.0,
            first_packets_met: 2000,
            udp_dropped: 0,
            ticks_skipped: 0,
            stolen_share: 0.0,
        };
        let outcome = Outcome {
            unproved_sent_bytes: 1000,
            unproved_received_bytes: back,
            ..Outcome::default()
        };
        let pairs = attack_us.map(pair).to_vec();
        let turned_away = ["shard_datagrams_foreign", "shard_retried"];
        let turned_away = turned_away.map(|name| (name.to_owned(), 1)).into();
        Measured::new(attack, 50_000, pairs, &[outcome], turned_away, rss, lost)
    }

    #[test]
    fn the_median_pair_counts_and_every_bound_is_looked_at() {
        let good = measured(Attack::Garbage, [90, 1100, 9000], 1 << 20, 3000, 0);
        assert_eq!((good.lateness_p99_rise_us, good.broken.len()), (1000.0, 0));
        assert_eq!(good.bytes_sent_over_received_unvalidated, Some(3.0));
        let bad = measured(Attack::Spoofed, [1102; 3], (64 << 20) + 1, 3001, 2);
        assert_eq!(bad.broken.len(), 4, "{:?}", bad.broken);
        let report = Report::new(vec![good, bad]);
        assert!(!report.holds && report.bots_lost == 2 && report.broken().count() == 4);
    }

    #[test]
    fn an_attack_that_did_not_take_place_holds_nothing() {
        let good = measured(Attack::Garbage, [100; 3], 0, 0, 0);
        assert!(Report::new(vec![good.clone()]).holds);
        let unnoticed = measured(Attack::SlowReader, [100; 3], 0, 0, 0);
        let report = Report::new(vec![good, unnoticed]);
        assert!(!report.holds);
        assert!(report.broken().eq(["slow-reader: nobody was sent away for it"]));
    }
}
