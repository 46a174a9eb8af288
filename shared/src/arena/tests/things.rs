//! Things to pick up, and what clients see.

use super::*;
use crate::arena::map::Map;

fn map_with(kind: &str) -> Arc<Map> {
    let text = format!(
        r#"
        name = "m"
        boxes = [{{ min = [-900, -900, -10], max = [900, 900, 0] }}]
        spawns = [{{ at = [-800, -800, 25], yaw = 0 }}]
        pickups = [{{ kind = "{kind}", at = [0, 0, 16], respawn = 5 }}]
        "#
    );
    Arc::new(Map::parse(&text).expect("is sound"))
}

fn available(rig: &Rig) -> bool {
    rig.entities().iter().any(|e| matches!(e, ArenaEntity::Pickup(view) if view.available))
}

#[test]
fn a_thing_is_taken_by_one_and_lies_there_again_when_its_time_has_passed() {
    let mut rig = Rig::playing(&ArenaConfig { map: map_with("armour"), ..config() }, 2);
    assert!(available(&rig));
    rig.place(0, 20.0, 0.0);
    rig.place(1, -20.0, 0.0);
    rig.step(1);
    let armour = rig.player(0).armour + rig.player(1).armour;
    assert_eq!(armour, 50);
    assert!(!available(&rig));
    assert_eq!(rig.log.len(), 1);
    assert!(matches!(rig.log[0].1, ArenaEvent::Picked { kind: PickupKind::Armour, .. }));
    assert_eq!(rig.player(0).stats.pickups + rig.player(1).stats.pickups, 1);
    rig.step(299);
    assert!(!available(&rig));
    rig.step(1);
    assert_eq!(rig.player(0).armour + rig.player(1).armour, 100);
}

#[test]
fn what_is_of_no_use_stays() {
    let mut rig = Rig::playing(&ArenaConfig { map: map_with("health"), ..config() }, 2);
    rig.place(0, 0.0, 0.0);
    rig.step(10);
    assert!(available(&rig));
    rig.player(0).health = 80;
    rig.step(1);
    assert_eq!(rig.player(0).health, 100);
    assert!(!available(&rig));
}

#[test]
fn mega_health_wears_off_by_a_point_a_second() {
    let mut rig = Rig::playing(&ArenaConfig { map: map_with("mega_health"), ..config() }, 2);
    rig.place(0, 0.0, 0.0);
    rig.step(1);
    assert_eq!(rig.player(0).health, 200);
    rig.place(0, 500.0, 0.0);
    rig.step(10 * 60);
    assert_eq!(rig.player(0).health, 190);
}

#[test]
fn everyone_is_seen_with_what_only_they_may_know_apart() {
    let mut rig = Rig::playing(&config(), 2);
    rig.input(1, ArenaInput { yaw: 4096, pitch: 65_520, forward: 127, ..Default::default() });
    rig.step(30);
    let mut kinds = [0; 6];
    for entity in rig.entities() {
        use crate::schema::Entity;
        kinds[entity.kind()] += 1;
        if let ArenaEntity::Player(view) = &entity
            && view.slot == Slot(1)
        {
            let exact = rig.arena.players[1].as_ref().expect("is there").body;
            assert!(view.position.distance(exact.position) < 0.125);
            assert!(view.velocity.distance(exact.velocity) < 16.0);
            assert_eq!((view.yaw, view.pitch), (4096, 65_520));
        }
    }
    assert_eq!(kinds, [2, 2, 0, 0, 1, 2]);
}

#[test]
fn the_shot_counter_and_the_reload_are_seen() {
    let mut rig = Rig::playing(&config(), 2);
    rig.shoot(0, Weapon::Shotgun);
    let own = rig.entities().into_iter().find_map(|e| match e {
        ArenaEntity::Own(view) if view.slot == Slot(0) => Some(view),
        _ => None,
    });
    let own = own.expect("slot 0 is there");
    assert_eq!((own.reload_ticks, own.weapon, own.ammo[1]), (53, Weapon::Shotgun, 9));
    assert_eq!(rig.player(0).shots, 1);
}
