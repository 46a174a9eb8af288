//! Where a fighting bot wants to go: to what it needs most for the way it takes, or to an enemy. Knows
//! what the bot knows; how to get there is another matter.

use matchkeep_shared::arena::movement::RUN_SPEED;
use matchkeep_shared::arena::{OwnView, PickupKind, Weapon};
use matchkeep_shared::glam::Vec3;
use matchkeep_shared::ids::Slot;
use matchkeep_shared::rng::Rng;
use matchkeep_shared::time::Tick;

use super::navigation::{Destination, Navigation};
use super::senses::Senses;

/// How long a bot stays with a decision, in milliseconds.
const STAY_MS: u64 = 500;
/// How long it leaves alone what it could not take, in seconds.
const SPITE_SECONDS: u64 = 10;
/// What an enemy is worth to a bot in good shape, on the scale of [`need`].
const PREY: f32 = 90.0;
/// A bot below this much health and armour is weak.
const WEAK: u32 = 50;

/// What a bot goes for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Aim {
    /// A pick-up of the map.
    Pickup(usize),
    /// A player.
    Enemy(Slot),
    /// Nothing better.
    Anywhere,
}

/// A decision and what it was made from.
#[derive(Debug)]
pub(super) struct Goals {
    current: Option<(Aim, Destination)>,
    decided: Tick,
    /// By pick-up: not before then.
    spited_until: Vec<Tick>,
}

impl Goals {
    pub(super) fn new(pickups: usize) -> Self {
        Self { current: None, decided: Tick(0), spited_until: vec![Tick(0); pickups] }
    }

    /// What the bot goes for.
    pub(super) fn current(&self) -> Option<(Aim, Destination)> {
        self.current
    }

    /// Decides anew at the next occasion.
    pub(super) fn drop(&mut self) {
        self.current = None;
    }

    /// The bot is where it wanted to be.
    pub(super) fn arrived(&mut self, tick: Tick, senses: &Senses) {
        if let Some((Aim::Pickup(index), _)) = self.current
            && senses.lies[index]
        {
            self.spited_until[index] = tick + SPITE_SECONDS * senses.rate.hz();
        }
        self.current = None;
    }

    /// Makes up its mind, if it is time to.
    pub(super) fn decide(
        &mut self,
        tick: Tick,
        senses: &Senses,
        own: &OwnView,
        navigation: &Navigation,
        rng: &mut Rng,
    ) {
        let stays = STAY_MS * senses.rate.hz() / 1000;
        let taken = |(aim, _)| matches!(aim, Aim::Pickup(index) if !senses.lies[index]);
        let fresh = tick.since(self.decided) < stays as i64;
        let roams = matches!(self.current, Some((Aim::Anywhere, _)));
        if self.current.is_some_and(|current| !taken(current)) && fresh {
            return;
        }
        self.decided = tick;
        let mut best = (0.0, None);
        for (index, spot) in senses.map.pickups().iter().enumerate() {
            if !senses.lies[index] || tick < self.spited_until[index] {
                continue;
            }
            let worth = need(own, spot.kind) / (seconds(own.position, spot.at) + 1.0);
            // Who changes their mind all the time gets nowhere.
            let stay = if self.goes_for(Aim::Pickup(index)) { 1.5 } else { 1.0 };
            if worth * stay > best.0
                && let Some(destination) = navigation.pickup(index)
            {
                best = (worth * stay, Some((Aim::Pickup(index), destination)));
            }
        }
        let nearest = senses.enemies().map(|(slot, enemy)| {
            let stay = if self.goes_for(Aim::Enemy(slot)) { 0.7 } else { 1.0 };
            (seconds(own.position, enemy.position) * stay, slot, enemy.position)
        });
        let nearest = nearest.min_by(|a, b| a.0.total_cmp(&b.0));
        if let Some((seconds, slot, at)) = nearest
            && PREY * strength(own) / (seconds + 1.0) > best.0
            && let Some(place) = navigation.locate(at, None)
        {
            best.1 = Some((Aim::Enemy(slot), navigation.region(place)));
        }
        if best.1.is_none() && roams {
            return;
        }
        let anywhere = || {
            let number = rng.below(navigation.destinations());
            (navigation.destinations() > 0).then(|| (Aim::Anywhere, navigation.destination(number)))
        };
        self.current = best.1.or_else(anywhere);
    }

    fn goes_for(&self, aim: Aim) -> bool {
        self.current.is_some_and(|(current, _)| current == aim)
    }
}

/// How long the way about takes, as seen from here: walls are not considered, stairs are.
fn seconds(from: Vec3, to: Vec3) -> f32 {
    let way = to - from;
    (way.truncate().length() + 3.0 * way.z.abs()) / RUN_SPEED
}

/// Whether a bot had better look after itself.
pub(super) fn is_weak(own: &OwnView) -> bool {
    u32::from(own.health) + u32::from(own.armour) / 2 < WEAK
}

/// How ready a bot is to fight: 1 as it comes in.
fn strength(own: &OwnView) -> f32 {
    let body = (f32::from(own.health) + 0.6 * f32::from(own.armour)) / 100.0;
    let armed = [Weapon::RocketLauncher, Weapon::Railgun].iter().any(|w| own.ammo[w.index()] > 0);
    let strength = body.min(2.0) + if armed { 0.5 } else { 0.0 };
    if is_weak(own) { strength * 0.3 } else { strength }
}

/// What a pick-up is worth to a player in this state; 0 where it would stay.
fn need(own: &OwnView, kind: PickupKind) -> f32 {
    let health = f32::from(own.health);
    let armour = f32::from(200 - own.armour.min(200));
    let fear = if is_weak(own) { 2.0 } else { 1.0 };
    let weapon = |weapon: Weapon, worth: f32| {
        if own.weapons & (1 << weapon.index()) == 0 { worth } else { ammunition(own, weapon) }
    };
    match kind {
        PickupKind::Health => (100.0 - health).max(0.0) * fear,
        PickupKind::MegaHealth => (200.0 - health).clamp(0.0, 100.0) * fear,
        PickupKind::Armour => armour.min(50.0) * 0.7,
        PickupKind::HeavyArmour => armour.min(100.0) * 0.7,
        PickupKind::Shotgun => weapon(Weapon::Shotgun, 40.0),
        PickupKind::RocketLauncher => weapon(Weapon::RocketLauncher, 100.0),
        PickupKind::Railgun => weapon(Weapon::Railgun, 80.0),
        PickupKind::Bullets => ammunition(own, Weapon::Machinegun),
        PickupKind::Shells => ammunition(own, Weapon::Shotgun),
        PickupKind::Rockets => ammunition(own, Weapon::RocketLauncher),
        PickupKind::Slugs => ammunition(own, Weapon::Railgun),
    }
}

fn ammunition(own: &OwnView, weapon: Weapon) -> f32 {
    let (has, spec) = (f32::from(own.ammo[weapon.index()]), weapon.spec());
    let held = own.weapons & (1 << weapon.index()) != 0;
    // A magazine is what comes with the weapon; three of them are plenty.
    let enough = 3.0 * f32::from(spec.ammo_found);
    if held { 40.0 * (1.0 - has / enough).max(0.0) } else { 0.0 }
}
