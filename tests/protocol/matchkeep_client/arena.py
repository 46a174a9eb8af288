"""The arena: what is this game's own in datagrams, events and the welcome."""

import struct
from typing import NamedTuple

from .encoding import BYTE, TEXT, U16, U64, Choice, DecodeError, List, Names, Option, Structure
from .snapshot import Field, Kind

VERSION = {"name": "arena", "rules": 1, "schema": 17195496005661348429}


class Input(NamedTuple):
    """What a player does in one tick. Angles are parts of 65536 of a full turn."""

    yaw: int = 0
    pitch: int = 0
    forward: int = 0
    side: int = 0
    jump: bool = False
    fire: bool = False
    weapon: int | None = None  # selects it


def encode_input(bits, value):
    """Writes an input, at most 53 bits."""
    bits.put(value.yaw, 16)
    bits.put(value.pitch, 16)
    bits.put(value.forward, 8)
    bits.put(value.side, 8)
    bits.flag(value.jump)
    bits.flag(value.fire)
    if bits.flag(value.weapon is not None):
        bits.put(value.weapon, 2)


def decode_input(bits):
    """Reads an input."""
    value = Input(bits.take(16), bits.take(16), bits.signed(8), bits.signed(8), bits.flag(), bits.flag(),
                  bits.take(2) if bits.flag() else None)
    if -128 in (value.forward, value.side):
        raise DecodeError("forward and side go from -127 to 127")
    return value


def _position(bits, small, step):
    return tuple(Field(axis, bits, small, -4096, step) for axis in "xyz")


def _velocity(bits, small, step):
    return tuple(Field(axis, bits, small, -2048, step) for axis in ("vx", "vy", "vz"))


SCHEMA = (
    Kind("player", (
        Field("slot", 7),
        Field("team", 2),
        *_position(16, 9, 0.125),
        *_velocity(8, 4, 16),
        Field("yaw", 12, 8, 0, 0.087890625),
        Field("pitch", 12, 7, 0, 0.087890625),
        Field("alive", 1),
        Field("weapon", 2),
        Field("shots", 8, 2),
    )),
    Kind("own", (
        Field("slot", 7),
        *_position(18, 11, 0.03125),
        *_velocity(15, 9, 0.125),
        Field("on_ground", 1),
        Field("alive", 1),
        Field("health", 8),
        Field("armour", 8),
        Field("ammo_machinegun", 8, 3),
        Field("ammo_shotgun", 8, 3),
        Field("ammo_rocket_launcher", 8, 3),
        Field("ammo_railgun", 8, 3),
        Field("weapons", 4),
        Field("weapon", 2),
        Field("reload_ticks", 8, 4),
    )),
    Kind("projectile", (
        Field("slot", 7),
        *_position(16, 10, 0.125),
        *_velocity(13, 0, 0.5),
    )),
    Kind("pickup", (
        Field("kind", 4),
        *_position(16, 0, 0.125),
        Field("available", 1),
    )),
    Kind("clock", (
        Field("phase", 2),
        Field("timed", 1),
        Field("seconds_left", 16, 2),
        Field("frag_limit", 12),
    )),
    Kind("score", (
        Field("slot", 7),
        Field("team", 2),
        Field("frags", 12, 3, -2048),
        Field("deaths", 12, 3),
    )),
)

WEAPON = Names("machinegun", "shotgun", "rocket launcher", "railgun")
ITEM = Names("health", "mega health", "armour", "heavy armour", "shotgun", "rocket launcher", "railgun",
             "bullets", "shells", "rockets", "slugs")
PHASE = Names("warm-up", "countdown", "playing", "ended")

ENTRY = Structure(slot=BYTE, player=U64, name=TEXT, team=BYTE)

EVENT = Choice(
    Roster=Structure(entries=List(ENTRY)),
    Joined=Structure(entry=ENTRY),
    Left=Structure(slot=BYTE),
    Hit=Structure(attacker=BYTE, victim=BYTE, damage=U16, weapon=WEAPON),
    Frag=Structure(killer=Option(BYTE), victim=BYTE, weapon=Option(WEAPON)),
    Picked=Structure(slot=BYTE, item=ITEM),
    Phase=Structure(phase=PHASE),
)


class Single:
    """A number of IEEE 754 single precision: 4 bytes."""

    def encode(self, value):
        return struct.pack("<f", value)

    def decode(self, reader):
        return struct.unpack("<f", reader.take(4))[0]


POINT = Structure(x=Single(), y=Single(), z=Single())

MAP = Structure(
    name=TEXT,
    boxes=List(Structure(lowest=POINT, highest=POINT)),
    spawns=List(Structure(origin=POINT, yaw=U16)),
    pickups=List(Structure(item=ITEM, origin=POINT, respawn=U16)),
)

CONFIG = Structure(map=MAP, players_max=U16, players_min=U16, teams=BYTE, frag_limit=U16, time_limit=U16,
                   warmup=U16, countdown=U16)
