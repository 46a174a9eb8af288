//! The arena's rules, played: each test is a short match on a bare floor. `Rig` is what they share.

mod combat;
mod flow;
mod sketch;
mod things;

use std::sync::Arc;

use super::map::tests::test_map;
use super::*;
use crate::ids::PlayerId;
use crate::world::World;

/// A match in which tests place players, hand in inputs and read events.
struct Rig {
    arena: Arena,
    inputs: Inputs<ArenaInput>,
    /// Everything that happened so far.
    log: Vec<(SlotSet, ArenaEvent)>,
}

fn config() -> ArenaConfig {
    ArenaConfig {
        map: Arc::new(test_map(&[])),
        players_max: 8,
        players_min: 2,
        teams: 0,
        frag_limit: 0,
        time_limit_seconds: 60,
        warmup_seconds_max: 20,
        countdown_seconds: 1,
    }
}

fn info(account: u64) -> PlayerInfo {
    PlayerInfo { id: PlayerId(account), name: format!("player {account}"), team: None }
}

impl Rig {
    fn new(config: &ArenaConfig) -> Self {
        let arena = Arena::new(config, TickRate::default(), 1);
        let inputs = Inputs::new(arena.players.len());
        Self { arena, inputs, log: Vec::new() }
    }

    /// A match that counts, with so many players 200 units apart along x, looking along +x.
    fn playing(config: &ArenaConfig, players: u8) -> Self {
        let mut rig = Self::new(config);
        for slot in 0..players {
            rig.join(slot, u64::from(slot) + 100);
        }
        while rig.arena.phase() != Phase::Playing {
            rig.step(1);
        }
        for slot in 0..players {
            rig.place(slot, f32::from(slot) * 200.0 - 400.0, 0.0);
        }
        rig.step(1);
        rig.log.clear();
        rig
    }

    fn join(&mut self, slot: u8, account: u64) {
        self.arena.join(Slot(slot), &info(account));
        self.inputs.set(Slot(slot), Some(ArenaInput::default()));
    }

    fn leave(&mut self, slot: u8) {
        self.arena.leave(Slot(slot));
        self.inputs.set(Slot(slot), None);
    }

    fn place(&mut self, slot: u8, x: f32, y: f32) {
        let position = Vec3::new(x, y, 24.1);
        self.player(slot).body = movement::Body { position, ..Default::default() };
    }

    fn player(&mut self, slot: u8) -> &mut Player {
        self.arena.player_mut(Slot(slot)).expect("the test put a player there")
    }

    fn input(&mut self, slot: u8, input: ArenaInput) {
        self.inputs.set(Slot(slot), Some(input));
    }

    fn step(&mut self, ticks: u64) {
        for _ in 0..ticks {
            let mut events = Events::default();
            self.arena.step(self.arena.tick, &self.inputs, &mut events);
            self.log.extend(events.iter().cloned());
        }
    }

    /// One tick with the trigger pulled, then let go.
    fn shoot(&mut self, slot: u8, weapon: Weapon) {
        let before = self.inputs.get(Slot(slot)).expect("the test put a player there");
        self.input(slot, ArenaInput { fire: true, weapon: Some(weapon), ..before });
        self.step(1);
        self.input(slot, before);
    }

    /// Arms a player with everything.
    fn arm(&mut self, slot: u8) {
        let player = self.player(slot);
        player.weapons = 0b1111;
        player.ammo = [50; Weapon::COUNT];
    }

    fn hits(&self) -> Vec<u16> {
        let damage = |event: &ArenaEvent| match event {
            ArenaEvent::Hit { damage, .. } => Some(*damage),
            _ => None,
        };
        self.log.iter().filter_map(|(_, event)| damage(event)).collect()
    }

    fn frags(&self) -> Vec<(Option<Slot>, Slot)> {
        let frag = |event: &ArenaEvent| match event {
            ArenaEvent::Frag { killer, victim, .. } => Some((*killer, *victim)),
            _ => None,
        };
        self.log.iter().filter_map(|(_, event)| frag(event)).collect()
    }

    fn entities(&self) -> Vec<ArenaEntity> {
        use crate::schema::Entity;
        let mut world = World::default();
        world.fill::<ArenaEntity>(self.arena.tick, |writer| self.arena.replicate(writer));
        let rows = (0..world.len()).map(|i| world.entity(i, ArenaEntity::KINDS));
        rows.map(|row| ArenaEntity::read(row.kind.into(), row.fields).expect("is ours")).collect()
    }
}
