"""What is asked of every snapshot that a player receives."""

import math

# What quantising may move a player by: half a step of `player` and half a step of `own`, and the rest of
# a step where both are rounded the same way.
TOLERANCE = 0.125 + 0.03125
# Ticks whose snapshots are kept to be compared with what others saw.
KEPT = 600


class Observer:
    """Looks at each snapshot, counts, and notes what makes no sense."""

    def __init__(self, player, walker):
        self._player = player
        self._walker = walker
        self._bounds = None
        self._last = None  # epoch and tick of the newest
        self.seen = {}  # (epoch, tick): entities
        self.headers = {}  # (epoch, tick): header
        self.own = {}  # (epoch, tick): the player's own entity
        self.snapshots = self.whole = self.gaps = 0
        self.faults = []
        player.on_snapshot = self.look

    def knows(self, config):
        """The map's bounds: nobody alive is anywhere else."""
        corners = [corner for box in config["map"]["boxes"] for corner in (box["lowest"], box["highest"])]
        self._bounds = {axis: (min(corner[axis] for corner in corners), max(corner[axis] for corner in corners))
                        for axis in "xyz"}

    @property
    def newest(self):
        """Epoch and tick of the newest snapshot."""
        return self._last

    def look(self, header, entities):
        """A snapshot came."""
        at = header.epoch, header.tick
        self._count(header)
        self.headers[at], self.seen[at] = header, entities
        while len(self.seen) > KEPT:
            del self.seen[next(iter(self.seen))]
        for entity_id, entity in entities.items():
            self._check_position(at, entity_id, entity)
        own = [entity for entity in entities.values() if entity.kind.name == "own"]
        if len(own) != 1:
            self._fault(at, f"{len(own)} entities are one's own")
            return
        self.own[at] = own[0]
        slot = self._player.welcome["slot"]
        self._walker.sees(own[0], [player for other, player in self.players(at).items() if other != slot])
        self._check_own(at, own[0], entities)

    def players(self, at):
        """The players seen in a snapshot, by slot."""
        return {entity.value("slot"): entity for entity in self.seen[at].values()
                if entity.kind.name == "player"}

    def path(self, slot, epoch, since=0):
        """Where the player of a slot was seen, tick by tick."""
        return [(tick, position(self.players((seen_epoch, tick))[slot]))
                for seen_epoch, tick in sorted(self.seen)
                if seen_epoch == epoch and tick > since and slot in self.players((seen_epoch, tick))]

    def _count(self, header):
        self.snapshots += 1
        self.whole += header.baseline is None
        at = header.epoch, header.tick
        if self._last is not None and self._last[0] == header.epoch:
            if header.tick <= self._last[1] and not header.still:
                self._fault(at, f"tick {header.tick} comes after {self._last[1]}")
            self.gaps += header.tick > self._last[1] + 1
        if header.durable is not None and header.durable > header.tick:
            self._fault(at, "what is durable has not happened yet")
        self._last = at

    def _check_position(self, at, entity_id, entity):
        for axis in "xyz" if "x" in (field.name for field in entity.kind.fields) else "":
            value = entity.value(axis)
            low, high = self._bounds[axis]
            if not math.isfinite(value) or not low - 512 <= value <= high + 512:
                self._fault(at, f"{entity.kind.name} {entity_id} is at {axis} = {value}")

    def _check_own(self, at, own, entities):
        slot = self._player.welcome["slot"]
        if own.value("slot") != slot:
            self._fault(at, f"one's own entity is of slot {own.value('slot')}, not {slot}")
        seen = self.players(at).get(slot)
        # Who is dead need not be seen.
        if own.value("alive") and seen is not None and distance(position(own), position(seen)) > 2 * TOLERANCE:
            self._fault(at, f"one is at {position(own)} and seen at {position(seen)}")

    def _fault(self, at, what):
        self.faults.append(f"epoch {at[0]}, tick {at[1]}: {what}")


def position(entity):
    """Where an entity is."""
    return tuple(entity.value(axis) for axis in "xyz")


def distance(a, b):
    """How far two points are apart."""
    return math.dist(a, b)


def walked(path):
    """How long a path is: steps that are too long for walking are someone coming back to life."""
    steps = (distance(a, b) for (_, a), (_, b) in zip(path, path[1:]))
    return sum(step for step in steps if step < 32)


def differences(entities, state, slot):
    """How what a client decoded differs from the server's own state of the same tick."""
    own = next(entity for entity in entities.values() if entity.kind.name == "own")
    eye = position(own)
    found = []
    for entity_id in sorted(entities.keys() | state.keys()):
        decoded, stored = entities.get(entity_id), state.get(entity_id)
        if stored is None:
            found.append(f"entity {entity_id} is not in the state")
        elif decoded is None:
            if _is_seen(stored["seen_by"], slot, eye):
                found.append(f"{stored['kind']} {entity_id} is missing")
        elif decoded.kind.name != stored["kind"]:
            found.append(f"entity {entity_id} is a {stored['kind']}, not a {decoded.kind.name}")
        else:
            found += [f"{stored['kind']} {entity_id}: {field.name} is {stored['fields'][field.name]}, "
                      f"not {decoded.value(field.name)}"
                      for field in decoded.kind.fields
                      if abs(decoded.value(field.name) - stored["fields"][field.name]) > 1e-6]
    return found


def _is_seen(seen_by, slot, eye):
    if seen_by == "everyone":
        return True
    if "slots" in seen_by:
        return slot in seen_by["slots"]
    # Well within: at the rim a step decides.
    return distance(seen_by["at"], eye) < seen_by["radius"] - 64
