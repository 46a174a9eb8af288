"""Someone who walks where there is room."""

import math

from matchkeep_client.arena import Input

# Half of a player's box to each side, and how far its top and bottom are from its origin.
SIDE, UP, DOWN = 16, 32, 24
TURN = 65536
YAWS = 32
# Not a simple part of a turn, so that the next tries differ.
STUCK_TURN = TURN * 3 // 8 + 1000


def clear_distance(boxes, origin, yaw):
    """How far a player can go from `origin` at this yaw before a box is in the way."""
    x, y, z = origin
    dx, dy = math.cos(yaw * math.tau / TURN), math.sin(yaw * math.tau / TURN)
    return min((_distance_to(box, x, y, dx, dy) for box in boxes
                if box["lowest"]["z"] < z + UP and box["highest"]["z"] > z - DOWN + 1), default=math.inf)


def clearest_yaw(boxes, origin):
    """The yaw at which a player can go farthest."""
    return max((i * TURN // YAWS for i in range(YAWS)),
               key=lambda yaw: clear_distance(boxes, origin, yaw))


def _distance_to(box, x, y, dx, dy):
    """How far along a ray the origin of a player meets a box, which is wider for it by half a player."""
    enters, leaves = 0, math.inf
    for axis, start, step in (("x", x, dx), ("y", y, dy)):
        low, high = box["lowest"][axis] - SIDE, box["highest"][axis] + SIDE
        if abs(step) < 1e-9:
            if not low < start < high:
                return math.inf
        else:
            first, second = sorted(((low - start) / step, (high - start) / step))
            enters, leaves = max(enters, first), min(leaves, second)
    return enters if enters < leaves else math.inf


def player_box(player):
    """The box that a player takes up."""
    x, y, z = (player.value(axis) for axis in "xyz")
    return {"lowest": {"x": x - SIDE, "y": y - SIDE, "z": z - DOWN},
            "highest": {"x": x + SIDE, "y": y + SIDE, "z": z + UP}}


class Walker:
    """Decides each tick's input: what it is told, or a walk of its own."""

    def __init__(self):
        self._boxes = None
        self.ordered = None  # the input of each tick, while someone else decides
        self._yaw = 0
        self._position = None
        self._alive = True
        self._others = []
        self._looked = 0  # the tick of the last look around, and where that was
        self._looked_from = None
        self.given = {}  # the input given for each tick

    def knows(self, config):
        """The map to walk on."""
        self._boxes = config["map"]["boxes"]

    def sees(self, own, others):
        """Its own entity and the other players, from the newest snapshot."""
        self._position = tuple(own.value(axis) for axis in "xyz")
        self._alive = own.value("alive") == 1
        self._others = others

    def direction(self):
        """The clearest yaw from where it is: players are in the way too."""
        return clearest_yaw(self._boxes + [player_box(other) for other in self._others], self._position)

    def steer(self, tick):
        """The input of a tick."""
        self.given[tick] = self.ordered or self._walk(tick)
        return self.given[tick]

    def _walk(self, tick):
        if not self._alive:
            # Pressed and let go in turns: fire asks to be back sooner.
            return Input(yaw=self._yaw, fire=tick % 8 == 0)
        if self._position is not None and tick >= self._looked + 10:
            if self._looked_from is not None and math.dist(self._position, self._looked_from) < 8:
                # Something is in the way that is not on the map, or lower than one looks.
                self._yaw = (self._yaw + STUCK_TURN) % TURN
            elif clear_distance(self._boxes, self._position, self._yaw) < 64:
                self._yaw = self.direction()
            self._looked, self._looked_from = tick, self._position
        return Input(yaw=self._yaw, forward=127, fire=tick % 32 < 4)
