//! How often somebody may do something: a bucket for each address or player that time fills, by `governor`.
//!
//! Owns: what an address is counted as, and that the buckets of however many addresses take a bounded amount of
//! memory. Must not know: what is counted, sockets, clocks (`now` is an argument).

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use governor::clock::Clock;
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::StateStore;
use governor::state::keyed::ShrinkableKeyedStateStore;
use governor::{Quota, RateLimiter};
use matchkeep_shared::limits::{RATE_KEYS_MAX, RATES_FORGOTTEN_EVERY};

/// How often something may be done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rate {
    /// So often a second, in the long run; 0: as often as one likes.
    pub per_second: u32,
    /// So often at once, after a while without.
    pub at_once: u32,
}

impl Rate {
    /// As often as one likes.
    pub const ANY: Self = Self { per_second: 0, at_once: 1 };

    fn quota(self) -> Option<Quota> {
        let per_second = NonZeroU32::new(self.per_second)?;
        let at_once = NonZeroU32::new(self.at_once).unwrap_or(NonZeroU32::MIN);
        Some(Quota::per_second(per_second).allow_burst(at_once))
    }
}

/// What an address is counted as: itself, or the network that somebody with IPv6 has to choose addresses from.
pub fn counted_as(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => {
            let network = address.segments();
            IpAddr::V6(Ipv6Addr::new(network[0], network[1], network[2], network[3], 0, 0, 0, 0))
        }
    }
}

type Limiter<K> = RateLimiter<Asked<K>, Buckets<K>, Told, NoOpMiddleware<Duration>>;

/// Who may do something how often, each for oneself.
#[derive(Debug)]
pub struct Rates<K: Clone + Eq + Hash> {
    /// `None`: as often as one likes.
    limiter: Option<Limiter<K>>,
    begun: Instant,
    forgotten: Instant,
}

impl<K: Clone + Eq + Hash> Rates<K> {
    /// Nobody has done anything yet.
    pub fn new(rate: Rate, now: Instant) -> Self {
        let limiter = |quota| RateLimiter::new(quota, Buckets::default(), Told::default());
        Self { limiter: rate.quota().map(limiter), begun: now, forgotten: now }
    }

    /// Counts one; whether that was not one too many.
    pub fn spend(&mut self, now: Instant, key: &K) -> bool {
        self.check(now, key, true)
    }

    /// Whether one more would be too many.
    pub fn is_spent(&mut self, now: Instant, key: &K) -> bool {
        !self.check(now, key, false)
    }

    fn check(&mut self, now: Instant, key: &K, counts: bool) -> bool {
        let Some(limiter) = &self.limiter else { return true };
        limiter.clock().0.set(now.saturating_duration_since(self.begun));
        if now.saturating_duration_since(self.forgotten) >= RATES_FORGOTTEN_EVERY {
            self.forgotten = now;
            limiter.retain_recent();
        }
        limiter.check_key(&Asked { key: key.clone(), counts }).is_ok()
    }
}

/// Who asks, and whether it counts.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Asked<K> {
    key: K,
    counts: bool,
}

/// The time as it was told, since the beginning.
#[derive(Debug, Default)]
struct Told(Cell<Duration>);

impl Clock for Told {
    type Instant = Duration;

    fn now(&self) -> Duration {
        self.0.get()
    }
}

/// When each bucket will be full again. Those who find no room for one of their own share the last: whoever
/// chooses many addresses fills it for strangers, and for nobody who was here before.
#[derive(Debug)]
struct Buckets<K> {
    own: RefCell<HashMap<K, Nanos>>,
    shared: Cell<Option<Nanos>>,
}

impl<K> Default for Buckets<K> {
    fn default() -> Self {
        Self { own: RefCell::default(), shared: Cell::default() }
    }
}

impl<K: Clone + Eq + Hash> StateStore for Buckets<K> {
    type Key = Asked<K>;

    fn measure_and_replace<T, F, E>(&self, asked: &Asked<K>, decide: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        let mut own = self.own.borrow_mut();
        let held = own.get(&asked.key).copied();
        let is_shared = held.is_none() && own.len() >= RATE_KEYS_MAX;
        let (outcome, full_at) = decide(if is_shared { self.shared.get() } else { held })?;
        match (asked.counts, is_shared) {
            (false, _) => {}
            (true, true) => self.shared.set(Some(full_at)),
            (true, false) => {
                own.insert(asked.key.clone(), full_at);
            }
        }
        Ok(outcome)
    }
}

impl<K: Clone + Eq + Hash> ShrinkableKeyedStateStore<Asked<K>> for Buckets<K> {
    fn retain_recent(&self, full_before: Nanos) {
        self.own.borrow_mut().retain(|_, full_at| *full_at > full_before);
    }

    fn len(&self) -> usize {
        self.own.borrow().len()
    }

    fn is_empty(&self) -> bool {
        self.own.borrow().is_empty()
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "an arbitrary origin for made-up times")]
mod tests {
    use super::*;

    const RATE: Rate = Rate { per_second: 10, at_once: 30 };

    fn kept<K: Clone + Eq + Hash>(rates: &Rates<K>) -> usize {
        rates.limiter.as_ref().map_or(0, RateLimiter::len)
    }

    #[test]
    fn a_burst_passes_then_the_rate_and_others_do_not_notice() {
        let start = Instant::now();
        let mut rates = Rates::new(RATE, start);
        assert_eq!((0..100).filter(|_| rates.spend(start, &"eve")).count(), 30);
        assert!(rates.is_spent(start, &"eve") && !rates.is_spent(start, &"ada"));
        let later = start + Duration::from_secs(1);
        assert!(!rates.is_spent(later, &"eve"), "looking costs nothing");
        assert_eq!((0..100).filter(|_| rates.spend(later, &"eve")).count(), 10);
        assert!(rates.spend(later, &"ada"));
    }

    #[test]
    fn without_a_rate_everything_passes_and_nothing_is_kept() {
        let start = Instant::now();
        let mut rates = Rates::new(Rate::ANY, start);
        assert!((0..10_000).all(|_| rates.spend(start, &1) && !rates.is_spent(start, &1)));
        assert_eq!(kept(&rates), 0);
    }

    #[test]
    fn however_many_come_memory_is_bounded_and_strangers_share_what_is_left() {
        let start = Instant::now();
        let mut rates = Rates::new(RATE, start);
        assert!((0..RATE_KEYS_MAX).all(|key| rates.spend(start, &key)));
        assert_eq!(kept(&rates), RATE_KEYS_MAX);
        let strangers = RATE_KEYS_MAX..RATE_KEYS_MAX + 1000;
        assert_eq!(strangers.filter(|key| rates.spend(start, key)).count(), 30);
        assert_eq!(kept(&rates), RATE_KEYS_MAX);
        assert!(rates.spend(start, &7), "who was here before has a bucket");
        // In the end all is forgotten that time has filled.
        let later = start + RATES_FORGOTTEN_EVERY + Duration::from_secs(3);
        assert!(rates.spend(later, &RATE_KEYS_MAX));
        assert_eq!(kept(&rates), 1);
    }

    #[test]
    fn an_address_counts_for_itself_and_one_of_the_new_kind_for_its_network() {
        let of = |text: &str| counted_as(text.parse().expect("an address"));
        assert_eq!(of("192.0.2.7"), of("::ffff:192.0.2.7"));
        assert_ne!(of("192.0.2.7"), of("192.0.2.8"));
        assert_eq!(of("2001:db8:1:2::7"), of("2001:db8:1:2:ffff:1:2:3"));
        assert_ne!(of("2001:db8:1:2::7"), of("2001:db8:1:3::7"));
    }
}
