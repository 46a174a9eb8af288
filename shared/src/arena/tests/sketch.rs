//! How the arena looks from above, by its own account and without one.

use super::*;
use crate::sketch::{Height, MarkKind};

fn builtin(name: &str) -> ArenaConfig {
    let map = Map::parse(Map::builtin(name).expect("it ships with the game")).expect("it is good");
    ArenaConfig { map: Arc::new(map), ..config() }
}

#[test]
fn everyone_and_everything_is_where_it_is() {
    let mut rig = Rig::playing(&config(), 3);
    rig.arm(0);
    rig.player(1).life = player::Life::Dead { on_fire_from: Tick(9999), at: Tick(9999) };
    rig.player(2).stats.frags = 4;
    rig.shoot(0, Weapon::RocketLauncher);
    let sketch = rig.arena.sketch();
    let marks = |kind: MarkKind| sketch.marks.iter().filter(move |mark| mark.kind == kind);
    let players: Vec<_> = marks(MarkKind::Player).map(|mark| mark.label.as_str()).collect();
    assert_eq!(players, ["player 100", "player 102"]);
    let first = marks(MarkKind::Player).next().expect("two live");
    assert_eq!((first.slot, first.facing_degrees), (Some(Slot(0)), Some(0.0)));
    assert!((first.at[0] + 400.0).abs() < 1.0 && first.at[1].abs() < 1.0, "{first:?}");
    let down: Vec<_> = marks(MarkKind::Down).map(|mark| mark.slot).collect();
    assert_eq!(down, [Some(Slot(1))]);
    let rocket = marks(MarkKind::Shot).next().expect("it flies");
    assert!(rocket.slot == Some(Slot(0)) && rocket.at[0] > first.at[0], "{rocket:?}");
    let best: Vec<_> = sketch.scores.iter().map(|score| (score.slot, score.score)).collect();
    assert_eq!(best[0], (Slot(2), 4));
    assert!(sketch.status.starts_with("playing, "), "{}", sketch.status);
}

#[test]
fn what_was_taken_is_not_shown_until_it_lies_there_again() {
    let mut rig = Rig::playing(&builtin("duel"), 2);
    let items = |rig: &Rig| {
        let marks = rig.arena.sketch().marks;
        marks.iter().filter(|mark| mark.kind == MarkKind::Item).count()
    };
    let before = items(&rig);
    assert_eq!(before, rig.arena.config.map.pickups().len());
    rig.arena.pickups[0].back_at = Some(rig.arena.tick + 60);
    assert_eq!(items(&rig), before - 1);
}

#[test]
fn no_ceiling_hides_a_map_and_nothing_above_closes_a_door() {
    for name in ["duel", "large"] {
        let config = builtin(name);
        let arena = Arena::new(&config, TickRate::default(), 1);
        let sketch = arena.sketch();
        let bounds = sketch.bounds.expect("the arena has them");
        let covers = |at: [f32; 2], height: Height| {
            let within = |axis: usize, area: crate::sketch::Area| {
                area.low[axis] <= at[axis] && at[axis] <= area.high[axis]
            };
            let mut walls = sketch.walls.iter().filter(|wall| wall.height == height);
            walls.any(|wall| within(0, wall.area) && within(1, wall.area))
        };
        // Where one can stand no wall is; all around there is one.
        for spawn in config.map.spawns() {
            assert!(!covers([spawn.at.x, spawn.at.y], Height::Full), "{name}: {spawn:?}");
        }
        for corner in [bounds.low, bounds.high] {
            assert!(covers(corner, Height::Full), "{name}: {corner:?}");
        }
        assert!(sketch.walls.iter().any(|wall| wall.height == Height::Low), "{name}");
    }
    // A door of the duel map, and the wall beside it.
    let sketch = Arena::new(&builtin("duel"), TickRate::default(), 1).sketch();
    let full = |x: f32, y: f32| {
        sketch.walls.iter().any(|wall| {
            let (low, high) = (wall.area.low, wall.area.high);
            wall.height == Height::Full
                && (low[0]..=high[0]).contains(&x)
                && (low[1]..=high[1]).contains(&y)
        })
    };
    assert!(!full(0.0, -320.0) && full(-200.0, -320.0));
}

#[test]
fn a_game_that_says_nothing_is_seen_by_what_it_replicates() {
    let rig = Rig::playing(&builtin("duel"), 2);
    let sketch = crate::sketch::Sketch::of_entities(&rig.arena);
    let of = |label: &str| sketch.marks.iter().filter(|mark| mark.label == label).count();
    // The clock and the scores are nowhere.
    assert_eq!((of("player"), of("clock"), of("score")), (2, 0, 0), "{sketch:?}");
    assert_eq!(of("pickup"), rig.arena.config.map.pickups().len());
    assert!(sketch.scores.is_empty() && sketch.walls.is_empty());
    let player = sketch.marks.iter().find(|mark| mark.label == "player").expect("two are there");
    assert!(player.slot.is_some_and(|slot| slot.0 < 2));
    assert!((player.at[0] + 400.0).abs() < 1.0, "{player:?}");
}
