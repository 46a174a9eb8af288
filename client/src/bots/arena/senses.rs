//! What a fighting bot knows of its match: what snapshots showed, and which enemies it can see from where
//! it stands. Knows the map, decides nothing.

use std::sync::Arc;
use std::time::Duration;

use matchkeep_shared::arena::movement::EYE;
use matchkeep_shared::arena::{
    ArenaConfig, ArenaEntity, Map, OwnView, Phase, PickupView, PlayerView, ProjectileView,
};
use matchkeep_shared::glam::Vec3;
use matchkeep_shared::ids::{EntityId, Slot};
use matchkeep_shared::time::{Tick, TickRate};

/// A snapshot is looked at so often; a person sees no more either.
const BLINK: Duration = Duration::from_millis(30);
/// Between two looks that are further apart than this nobody knows what a player did: less than it takes to come back
/// to life.
const STEP_MAX: Duration = Duration::from_millis(200);
/// No position is extrapolated further than this, in seconds.
const AHEAD_MAX: f32 = 0.2;
/// Rockets further away are not feared, in units,
const ROCKET_FEAR: f32 = 500.0;
/// nor those that will pass further away than this.
const ROCKET_MISS: f32 = 90.0;

/// Another player.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sighting {
    pub(super) position: Vec3,
    pub(super) velocity: Vec3,
    pub(super) team: u8,
    pub(super) alive: bool,
    /// The newest snapshot that showed the player.
    shown: Option<Tick>,
    /// Since when nothing is between the bot and the player.
    pub(super) visible_since: Option<Tick>,
    /// How far the player was seen to move, in units: on foot and by force, and not from death to a new life.
    moved: f64,
    /// And whoever had the place before, where somebody did.
    moved_before: Option<f64>,
}

/// What a fighting bot knows.
#[derive(Debug)]
pub(super) struct Senses {
    pub(super) map: Arc<Map>,
    pub(super) rate: TickRate,
    slot: Slot,
    team: u8,
    /// The snapshot that all this is from.
    pub(super) read: Tick,
    own: Option<OwnView>,
    pub(super) phase: Phase,
    /// By slot.
    players: Vec<Sighting>,
    /// By pick-up of the map: whether it lies there, as far as is known.
    pub(super) lies: Vec<bool>,
    /// The pick-up behind each entity, by ascending ID.
    pickups: Vec<(EntityId, u16)>,
    /// The pick-up that probably comes next in a snapshot.
    next_pickup: usize,
    /// Where a rocket comes from that will hit: its velocity.
    pub(super) rocket: Option<Vec3>,
    /// Whose visibility is checked next.
    watch: usize,
}

impl Senses {
    pub(super) fn new(config: &ArenaConfig, slot: Slot, rate: TickRate) -> Self {
        Self {
            map: config.map.clone(),
            rate,
            slot,
            team: 0,
            read: Tick(0),
            own: None,
            phase: Phase::Warmup,
            players: vec![Sighting::default(); usize::from(config.players_max)],
            lies: vec![true; config.map.pickups().len()],
            pickups: Vec::with_capacity(config.map.pickups().len()),
            next_pickup: 0,
            rocket: None,
            watch: 0,
        }
    }

    /// Takes in a snapshot, if it is time to.
    pub(super) fn see(
        &mut self,
        tick: Tick,
        entities: &mut dyn Iterator<Item = (EntityId, ArenaEntity)>,
    ) {
        // What is older than the last one comes after a match was taken back: it is looked at.
        let blink = self.rate.ticks_in(BLINK) as i64;
        if self.own.is_some() && (0..blink).contains(&tick.since(self.read)) {
            return;
        }
        self.read = tick;
        self.rocket = None;
        let mut nearest = ROCKET_FEAR;
        for (id, entity) in entities {
            match entity {
                ArenaEntity::Player(player) => self.see_player(&player),
                ArenaEntity::Own(own) if own.slot == self.slot => self.own = Some(own),
                ArenaEntity::Projectile(rocket) => self.see_rocket(&rocket, &mut nearest),
                ArenaEntity::Pickup(pickup) => self.see_pickup(id, &pickup),
                ArenaEntity::Clock(clock) => self.phase = clock.phase,
                ArenaEntity::Own(_) | ArenaEntity::Score(_) => {}
            }
        }
    }

    fn see_player(&mut self, player: &PlayerView) {
        if player.slot == self.slot {
            self.team = player.team;
            return;
        }
        let Some(known) = self.players.get_mut(player.slot.index()) else { return };
        let visible_since = known.visible_since.filter(|_| player.alive);
        let elapsed = known.shown.map_or(-1, |shown| self.read.since(shown));
        let is_on = known.alive
            && player.alive
            && (0..=self.rate.ticks_in(STEP_MAX) as i64).contains(&elapsed);
        let step = if is_on { known.position.distance(player.position) } else { 0.0 };
        let moved = known.moved + f64::from(step);
        *known = Sighting {
            position: player.position,
            velocity: player.velocity,
            team: player.team,
            alive: player.alive,
            shown: Some(self.read),
            visible_since,
            moved,
            moved_before: known.moved_before,
        };
    }

    fn see_rocket(&mut self, rocket: &ProjectileView, nearest: &mut f32) {
        let shooter = self.players.get(rocket.owner.index());
        let mate = self.team != 0 && shooter.is_some_and(|p| p.team == self.team);
        let Some(own) = self.own.as_ref().filter(|_| rocket.owner != self.slot && !mate) else {
            return;
        };
        let way = own.position - rocket.position;
        let along = rocket.velocity.normalize_or_zero();
        let ahead = way.dot(along);
        let miss = (way - along * ahead).length();
        if ahead > 0.0 && ahead < *nearest && miss < ROCKET_MISS {
            *nearest = ahead;
            self.rocket = Some(rocket.velocity);
        }
    }

    fn see_pickup(&mut self, id: EntityId, pickup: &PickupView) {
        // They come in the order of their IDs, so the one after the last is most often the right one.
        let expected = self.pickups.get(self.next_pickup).filter(|known| known.0 == id);
        let index = match expected {
            Some((_, index)) => usize::from(*index),
            None => match self.pickups.binary_search_by_key(&id, |known| known.0) {
                Ok(place) => {
                    self.next_pickup = place;
                    usize::from(self.pickups[place].1)
                }
                Err(place) => {
                    let mut spots = self.map.pickups().iter();
                    // Within the rounding of the wire.
                    let Some(index) = spots.position(|spot| {
                        spot.kind == pickup.kind && spot.at.distance_squared(pickup.position) < 1.0
                    }) else {
                        return;
                    };
                    self.pickups.insert(place, (id, index as u16));
                    self.next_pickup = place;
                    index
                }
            },
        };
        self.next_pickup += 1;
        self.lies[index] = pickup.available;
    }

    /// The places of others that were shown, and how far the last who had each was seen to move, in units.
    pub(super) fn seen(&self) -> impl Iterator<Item = (Slot, f64)> {
        self.players.iter().enumerate().filter_map(|(index, player)| {
            let moved = player.shown.map(|_| player.moved).or(player.moved_before)?;
            Some((Slot(index as u8), moved))
        })
    }

    /// Forgets a player who left.
    pub(super) fn forget(&mut self, slot: Slot) {
        if let Some(known) = self.players.get_mut(slot.index()) {
            let moved_before = known.shown.map_or(known.moved_before, |_| Some(known.moved));
            *known = Sighting { moved_before, ..Sighting::default() };
        }
    }

    /// The bot's own state, where it lives.
    pub(super) fn alive(&self) -> Option<&OwnView> {
        self.own.as_ref().filter(|own| own.alive)
    }

    /// Whether the bot is known to be dead.
    pub(super) fn is_dead(&self) -> bool {
        self.own.as_ref().is_some_and(|own| !own.alive)
    }

    /// Seconds from the snapshot to a tick, as far as extrapolating goes.
    pub(super) fn age(&self, tick: Tick) -> f32 {
        (tick.since(self.read) as f32 * self.rate.tick_seconds()).clamp(0.0, AHEAD_MAX)
    }

    /// An enemy who was shown lately and lives.
    pub(super) fn enemy(&self, slot: Slot) -> Option<&Sighting> {
        self.players.get(slot.index()).filter(|player| self.is_enemy(player))
    }

    /// All of those.
    pub(super) fn enemies(&self) -> impl Iterator<Item = (Slot, &Sighting)> {
        let players = self.players.iter().enumerate().filter(|(_, player)| self.is_enemy(player));
        players.map(|(index, player)| (Slot(index as u8), player))
    }

    fn is_enemy(&self, player: &Sighting) -> bool {
        player.shown == Some(self.read)
            && player.alive
            && (self.team == 0 || player.team != self.team)
    }

    /// Checks whether one enemy can be seen from `at`: `target` every other time, else the next one.
    pub(super) fn watch(&mut self, tick: Tick, at: Vec3, target: Option<Slot>) {
        let checked = target.filter(|_| tick.0.is_multiple_of(2)).map(Slot::index).or_else(|| {
            let places = self.players.len();
            let from = self.watch;
            let mut turn = (1..=places).map(|step| (from + step) % places);
            turn.find(|index| self.is_enemy(&self.players[*index]))
        });
        let Some(index) = checked else { return };
        self.watch = if target.map(Slot::index) == Some(index) { self.watch } else { index };
        let eyes = self.players[index].position + EYE;
        let visible = !self.map.trace_line(at + EYE, eyes).hit();
        let player = &mut self.players[index];
        player.visible_since = visible.then(|| player.visible_since.unwrap_or(tick));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use matchkeep_shared::arena::{Arena, Weapon};
    use matchkeep_shared::game::{Game, MapSource, ModeSpec};

    fn senses() -> Senses {
        let rules = toml::Table::new();
        let map = Some(MapSource::Named("duel"));
        let mode = ModeSpec { players_max: 4, players_min: 2, teams: 2, map, rules: &rules };
        let config = Arena::configure(&mode).expect("sound");
        Senses::new(&config, Slot(0), TickRate::default())
    }

    /// The bot in the middle of the hall, a team-mate and two enemies around it, the second behind the
    /// southern wall.
    fn shown() -> Vec<(EntityId, ArenaEntity)> {
        let own = OwnView {
            slot: Slot(0),
            position: Vec3::new(0.0, -240.0, 24.0),
            velocity: Vec3::ZERO,
            on_ground: true,
            alive: true,
            health: 100,
            armour: 0,
            ammo: [0; Weapon::COUNT],
            weapons: 1,
            weapon: Weapon::Machinegun,
            reload_ticks: 0,
        };
        let players = [(0, 1, [0.0, -240.0]), (1, 1, [90.0, -240.0]), (2, 2, [-300.0, -240.0])];
        let players = players.into_iter().chain([(3, 2, [0.0, -600.0])]);
        let players = players.map(|(slot, team, [x, y])| {
            let player = PlayerView {
                slot: Slot(slot),
                team,
                position: Vec3::new(x, y, 24.0),
                velocity: Vec3::ZERO,
                yaw: 0,
                pitch: 0,
                alive: true,
                weapon: Weapon::Machinegun,
                shots: 0,
            };
            (EntityId(10 + u32::from(slot)), ArenaEntity::Player(player))
        });
        players.chain([(EntityId(20), ArenaEntity::Own(own))]).collect()
    }

    fn enemies(senses: &Senses) -> Vec<u8> {
        senses.enemies().map(|(slot, _)| slot.0).collect()
    }

    #[test]
    fn enemies_are_those_of_the_other_team_who_are_shown_and_have_not_left() {
        let mut senses = senses();
        senses.see(Tick(10), &mut shown().into_iter());
        assert_eq!(enemies(&senses), [2, 3]);
        senses.see(Tick(20), &mut shown().into_iter().filter(|(id, _)| *id != EntityId(13)));
        assert_eq!(enemies(&senses), [2]);
        senses.forget(Slot(2));
        assert!(enemies(&senses).is_empty() && senses.alive().is_some());
    }

    #[test]
    fn how_far_others_move_is_counted_in_units_while_they_live_and_are_shown() {
        let mut senses = senses();
        let look = |senses: &mut Senses, tick: u64, x: f32, alive: bool| {
            let shown = shown().into_iter().map(|(id, mut entity)| {
                if let ArenaEntity::Player(player) = &mut entity
                    && player.slot == Slot(2)
                {
                    (player.position.x, player.alive) = (x, alive);
                }
                (id, entity)
            });
            senses.see(Tick(tick), &mut shown.collect::<Vec<_>>().into_iter());
        };
        // A walk of 10 units, a death and a life elsewhere, one unit, and a second in which nothing came.
        for (tick, x, alive) in [(2, 0.0, true), (4, 6.0, true), (6, 2.0, true), (8, 2.0, false)] {
            look(&mut senses, tick, x, alive);
        }
        for (tick, x) in [(10, 500.0), (12, 501.0), (72, 900.0)] {
            look(&mut senses, tick, x, true);
        }
        let seen: Vec<_> = senses.seen().collect();
        assert_eq!(seen, [(Slot(1), 0.0), (Slot(2), 11.0), (Slot(3), 0.0)]);
        // Who comes into the place of somebody who left begins anew.
        senses.forget(Slot(2));
        assert_eq!(senses.seen().nth(1), Some((Slot(2), 11.0)), "who left was seen");
        for (tick, x) in [(74, 0.0), (76, 3.0)] {
            look(&mut senses, tick, x, true);
        }
        assert_eq!(senses.seen().nth(1), Some((Slot(2), 3.0)));
    }

    #[test]
    fn an_enemy_behind_a_wall_is_known_and_not_visible() {
        let mut senses = senses();
        senses.see(Tick(10), &mut shown().into_iter());
        for tick in 10..20 {
            senses.watch(Tick(tick), Vec3::new(-300.0, -200.0, 24.0), None);
        }
        let visible = |slot| senses.enemy(Slot(slot)).and_then(|enemy| enemy.visible_since);
        assert!(visible(2).is_some() && visible(3).is_none());
    }

    #[test]
    fn a_rocket_is_feared_that_comes_near_and_is_no_team_mates() {
        let position = Vec3::new(-300.0, -240.0, 30.0);
        for (owner, velocity, feared) in [
            (2, Vec3::new(900.0, 0.0, 0.0), true),
            (2, Vec3::new(0.0, 900.0, 0.0), false),
            (2, Vec3::new(-900.0, 0.0, 0.0), false),
            (1, Vec3::new(900.0, 0.0, 0.0), false),
            (0, Vec3::new(900.0, 0.0, 0.0), false),
        ] {
            let mut senses = senses();
            let rocket = ProjectileView { owner: Slot(owner), position, velocity };
            let rocket = (EntityId(30), ArenaEntity::Projectile(rocket));
            senses.see(Tick(10), &mut shown().into_iter().chain([rocket]));
            assert_eq!(senses.rocket.is_some(), feared, "{owner} {velocity}");
        }
    }
}
