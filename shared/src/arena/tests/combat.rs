//! Each weapon, what it hits and what that costs.

use super::*;

/// In tests looking along -z, straight down.
const DOWN: u16 = 16384;

#[test]
fn the_machinegun_hits_at_once_ten_times_a_second() {
    let mut rig = Rig::playing(&config(), 2);
    rig.input(0, ArenaInput { fire: true, ..Default::default() });
    rig.step(1);
    assert_eq!(rig.hits(), [7]);
    rig.step(59);
    assert_eq!(rig.hits().len(), 10);
    assert_eq!(rig.player(1).health, 30);
    assert_eq!(rig.player(0).ammo[0], 90);
    assert_eq!(rig.player(0).stats.damage_given, 70);
    assert_eq!((rig.player(0).stats.shots, rig.player(0).stats.hits), (10, 10));
    assert_eq!(rig.player(1).stats.damage_taken, 70);
}

#[test]
fn a_hit_is_told_to_both_and_a_death_to_all() {
    let mut rig = Rig::playing(&config(), 3);
    rig.player(1).health = 5;
    rig.shoot(0, Weapon::Machinegun);
    let both = SlotSet::one(Slot(0)).with(Slot(1));
    assert_eq!(rig.log[0].0, both);
    assert!(matches!(rig.log[0].1, ArenaEvent::Hit { damage: 5, .. }));
    assert_eq!(rig.log[1].0, SlotSet::ALL);
    assert_eq!(rig.frags(), [(Some(Slot(0)), Slot(1))]);
    assert_eq!((rig.player(0).stats.frags, rig.player(1).stats.deaths), (1, 1));
}

#[test]
fn walls_stop_shots_and_the_nearest_player_takes_them() {
    let wall = test_map(&[([-320.0, -100.0, 0.0], [-300.0, 100.0, 200.0])]);
    let mut rig = Rig::playing(&ArenaConfig { map: Arc::new(wall), ..config() }, 3);
    rig.shoot(0, Weapon::Machinegun);
    assert!(rig.hits().is_empty());
    rig.shoot(1, Weapon::Machinegun);
    assert_eq!(rig.player(2).health, 93);
    assert_eq!(rig.player(0).health, 100);
}

#[test]
fn the_shotgun_spreads_and_counts_as_one_hit() {
    let mut rig = Rig::playing(&config(), 2);
    rig.place(1, -360.0, 0.0);
    rig.shoot(0, Weapon::Shotgun);
    assert_eq!(rig.hits(), [88], "all pellets at arm's length");
    rig.place(1, -50.0, 0.0);
    rig.step(60);
    rig.player(1).health = 100;
    rig.shoot(0, Weapon::Shotgun);
    let far = rig.hits()[1];
    assert!(far < 88 && far.is_multiple_of(8), "{far} far away");
    assert_eq!(rig.player(0).stats.hits, 2);
}

#[test]
fn the_railgun_hits_hard_and_loads_for_90_ticks() {
    let mut rig = Rig::playing(&config(), 2);
    rig.arm(0);
    rig.player(1).armour = 200;
    rig.shoot(0, Weapon::Railgun);
    assert_eq!(rig.hits(), [80]);
    assert_eq!((rig.player(1).armour, rig.player(1).health), (146, 74));
    rig.step(88);
    rig.shoot(0, Weapon::Railgun);
    assert_eq!(rig.hits().len(), 1, "one tick too early");
    rig.shoot(0, Weapon::Railgun);
    assert_eq!(rig.hits().len(), 2);
}

#[test]
fn a_rocket_flies_explodes_and_pushes() {
    let mut rig = Rig::playing(&config(), 2);
    rig.arm(0);
    rig.shoot(0, Weapon::RocketLauncher);
    assert_eq!(rig.arena.rockets.values().count(), 1);
    assert!(rig.entities().iter().any(|e| matches!(e, ArenaEntity::Projectile(_))));
    rig.step(8);
    assert!(rig.hits().is_empty(), "900 units a second take 11 ticks to the box");
    rig.step(5);
    assert_eq!(rig.hits(), [100]);
    assert_eq!(rig.frags(), [(Some(Slot(0)), Slot(1))]);
    assert_eq!(rig.arena.rockets.values().count(), 0);
}

#[test]
fn a_blast_hurts_by_distance_and_not_through_walls() {
    let wall = test_map(&[([-60.0, -500.0, 0.0], [-50.0, 500.0, 200.0])]);
    let mut rig = Rig::playing(&ArenaConfig { map: Arc::new(wall), ..config() }, 3);
    rig.arm(0);
    // A rocket along y = 0 into the wall at x = -60: one beside it, one behind the wall.
    rig.place(1, -90.0, 60.0);
    rig.place(2, 0.0, 0.0);
    rig.shoot(0, Weapon::RocketLauncher);
    rig.step(60);
    let hits = rig.hits();
    assert!(hits.len() == 1 && (40..100).contains(&hits[0]), "{hits:?}");
    assert_eq!(rig.player(2).health, 100);
    assert!(rig.player(1).body.position.y > 70.0, "pushed away");
}

#[test]
fn a_rocket_jump_costs_half_the_damage_and_is_higher_than_a_jump() {
    let mut rig = Rig::playing(&config(), 2);
    rig.arm(0);
    let press = ArenaInput { pitch: DOWN, jump: true, fire: true, ..Default::default() };
    rig.input(0, ArenaInput { weapon: Some(Weapon::RocketLauncher), ..press });
    rig.step(1);
    rig.input(0, ArenaInput { pitch: DOWN, ..Default::default() });
    let mut highest = 0.0_f32;
    for _ in 0..60 {
        rig.step(1);
        highest = highest.max(rig.player(0).body.position.z);
    }
    assert!(highest > 24.0 + 150.0, "{highest}");
    let health = rig.player(0).health;
    assert!((50..70).contains(&health), "{health}");
    assert_eq!((rig.player(0).stats.hits, rig.player(0).stats.damage_given), (0, 0));
}

#[test]
fn who_kills_themselves_loses_a_frag() {
    let mut rig = Rig::playing(&config(), 2);
    rig.arm(0);
    rig.player(0).health = 5;
    rig.input(0, ArenaInput { pitch: DOWN, ..Default::default() });
    rig.shoot(0, Weapon::RocketLauncher);
    rig.step(5);
    assert_eq!(rig.frags(), [(Some(Slot(0)), Slot(0))]);
    let stats = rig.player(0).stats;
    assert_eq!((stats.frags, stats.deaths, stats.suicides), (-1, 1, 1));
}

#[test]
fn who_falls_out_of_the_map_dies() {
    let mut rig = Rig::playing(&config(), 2);
    rig.player(0).body.position = Vec3::new(900.0, 0.0, 0.0);
    rig.step(60);
    assert_eq!(rig.frags(), [(None, Slot(0))]);
    assert_eq!(rig.player(0).stats.suicides, 1);
}

#[test]
fn an_empty_weapon_is_changed_for_a_loaded_one() {
    let mut rig = Rig::playing(&config(), 2);
    rig.player(0).ammo[Weapon::Machinegun.index()] = 0;
    rig.shoot(0, Weapon::Machinegun);
    assert!(rig.hits().is_empty());
    assert_eq!(rig.player(0).weapon, Weapon::Shotgun);
    rig.player(0).ammo = [0; Weapon::COUNT];
    rig.step(60);
    rig.shoot(0, Weapon::Shotgun);
    assert_eq!((rig.hits().len(), rig.player(0).weapon), (0, Weapon::Shotgun));
}

#[test]
fn a_weapon_that_is_not_held_is_not_selected() {
    let mut rig = Rig::playing(&config(), 2);
    rig.input(0, ArenaInput { weapon: Some(Weapon::Railgun), ..Default::default() });
    rig.step(1);
    assert_eq!(rig.player(0).weapon, Weapon::Machinegun);
}

#[test]
fn the_dead_come_back_on_firing_after_a_second_or_by_themselves() {
    for (fire, ticks) in [(true, 60), (false, 90)] {
        let mut rig = Rig::playing(&config(), 2);
        rig.player(1).health = 1;
        rig.shoot(0, Weapon::Machinegun);
        rig.input(1, ArenaInput { fire, yaw: 77, ..Default::default() });
        rig.step(ticks - 1);
        assert!(!rig.player(1).is_alive());
        assert_eq!(rig.player(1).yaw, 77, "the view is the player's, dead or alive");
        let shots = rig.player(1).shots;
        rig.step(1);
        assert!(rig.player(1).is_alive());
        assert_eq!((rig.player(1).health, rig.player(1).shots), (100, shots));
        assert_eq!(rig.player(1).yaw, 77, "nor does coming back turn it");
    }
}

#[test]
fn team_mates_do_not_hurt_each_other() {
    let mut rig = Rig::playing(&ArenaConfig { teams: 2, ..config() }, 3);
    let teams = [0, 1, 2].map(|slot| rig.player(slot).team);
    assert_eq!(teams, [1, 2, 1]);
    rig.place(2, -300.0, 0.0);
    rig.shoot(0, Weapon::Machinegun);
    assert_eq!((rig.hits().len(), rig.player(2).health), (0, 100));
    rig.place(2, 300.0, 300.0);
    rig.player(1).health = 5;
    rig.step(10);
    rig.shoot(0, Weapon::Machinegun);
    assert_eq!(rig.arena.team_frags, [1, 0]);
}
