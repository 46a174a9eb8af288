//! What happens once in the arena and must arrive. Knows no rules.

use serde::{Deserialize, Serialize};

use crate::arena::phase::Phase;
use crate::arena::pickup::PickupKind;
use crate::arena::weapon::Weapon;
use crate::ids::{PlayerId, Slot};

/// What happens once and must arrive.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum ArenaEvent {
    /// Everyone who is there. To a player who just came, before anything else.
    Roster(#[serde(deserialize_with = "crate::encoding::list")] Vec<RosterEntry>),
    /// Somebody came. To everyone else.
    Joined(RosterEntry),
    /// Somebody left for good. To everyone.
    Left {
        /// The place that is free again.
        slot: Slot,
    },
    /// A hit. To the one who hit and the one who was hit.
    Hit {
        /// Who fired; the victim itself where a rocket came back.
        attacker: Slot,
        /// Who was hit.
        victim: Slot,
        /// Points of health and armour lost.
        damage: u16,
        /// With what.
        weapon: Weapon,
    },
    /// A death. To everyone.
    Frag {
        /// Who did it; the victim itself after a rocket of its own, `None` for a fall out of the map.
        killer: Option<Slot>,
        /// Who died.
        victim: Slot,
        /// With what; `None` for a fall out of the map.
        weapon: Option<Weapon>,
    },
    /// A thing was picked up. To the one who did.
    Picked {
        /// Who picked it up.
        slot: Slot,
        /// What it was.
        kind: PickupKind,
    },
    /// A new phase began. To everyone.
    Phase(Phase),
}

/// One player, by place.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct RosterEntry {
    /// The place.
    pub slot: Slot,
    /// The account.
    pub player: PlayerId,
    /// The name to show.
    pub name: String,
    /// 1 or 2 in a match with teams, else 0.
    pub team: u8,
}
