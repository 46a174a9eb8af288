"""Datagrams: inputs to the server, snapshots from it.

Both carry epochs and ticks cut to their low bits, and are read by someone who knows roughly which
are meant.
"""

from typing import NamedTuple

from .bits import BitReader, BitWriter, nearest
from .encoding import DecodeError
from .snapshot import decode_entities

INPUT, SNAPSHOT = 1, 2
INPUTS_MAX = 4
INPUT_DATAGRAM_MAX = 128


class Acknowledgement(NamedTuple):
    """Which snapshots a client holds: the newest, and which of the 32 ticks before it."""

    tick: int
    held: int  # bit i: the snapshot i + 1 ticks before


class InputDatagram(NamedTuple):
    """What a client sends once a tick: what it holds, and its newest inputs, the newest first."""

    epoch: int
    acknowledged: Acknowledgement | None
    tick: int | None  # of the newest input
    inputs: list

    def encode(self, encode_input):
        """The datagram; `encode_input(bits, input)` writes an input of the game."""
        bits = BitWriter()
        bits.put(INPUT, 8)
        bits.put(self.epoch % 256, 8)
        if bits.flag(self.acknowledged is not None):
            bits.put(self.acknowledged.tick % 65536, 16)
            bits.put(self.acknowledged.held, 32)
        if len(self.inputs) > INPUTS_MAX:
            raise ValueError(f"{len(self.inputs)} inputs where {INPUTS_MAX} are allowed")
        bits.put(len(self.inputs), 3)
        if self.inputs:
            bits.put(self.tick % 65536, 16)
            encode_input(bits, self.inputs[0])
            for newer, older in zip(self.inputs, self.inputs[1:]):
                if bits.flag(older != newer):
                    encode_input(bits, older)
        return bits.data()

    @staticmethod
    def decode(data, decode_input, epoch, tick):
        """What a server reads. A client has no need of it; it is here to check the writing."""
        if len(data) > INPUT_DATAGRAM_MAX:
            raise DecodeError(f"an input datagram of {len(data)} bytes")
        bits = BitReader(data)
        if bits.take(8) != INPUT:
            raise DecodeError("not an input datagram")
        epoch = nearest(epoch, bits.take(8), 8)
        acknowledged = None
        if bits.flag():
            acknowledged = Acknowledgement(nearest(tick, bits.take(16), 16), bits.take(32))
        count = bits.take(3)
        if count > INPUTS_MAX:
            raise DecodeError(f"{count} inputs in one datagram")
        newest, inputs = None, []
        if count:
            newest = nearest(tick, bits.take(16), 16)
            inputs.append(decode_input(bits))
            while len(inputs) < count:
                inputs.append(decode_input(bits) if bits.flag() else inputs[-1])
        bits.finish()
        return InputDatagram(epoch, acknowledged, newest, inputs)


class SnapshotHeader(NamedTuple):
    """What a snapshot says before its entities."""

    epoch: int
    tick: int
    baseline: int | None  # the tick it builds on
    applied: int | None  # the tick of the newest input that was applied
    missing: int  # bit i: the input of the tick i before this was substituted
    margin: int  # how early the newest input came, in units of 100 us
    durable: int | None  # the newest tick that is on stable storage
    still: bool
    hash: int | None


def decode_header(bits, epoch, tick):
    """The part before the entities; `epoch` and `tick` are the newest that the client knows."""
    if bits.take(8) != SNAPSHOT:
        raise DecodeError("not a snapshot")
    epoch = nearest(epoch, bits.take(8), 8)
    tick = nearest(tick, bits.take(16), 16)
    baseline = bits.take(7)
    applied = bits.take(8)
    return SnapshotHeader(
        epoch=epoch,
        tick=tick,
        baseline=tick - baseline if baseline else None,
        applied=tick - applied if applied != 255 else None,
        missing=bits.take(16),
        margin=bits.signed(16),
        durable=tick - bits.varint() if bits.flag() else None,
        still=bits.flag(),
        hash=bits.take(64) if bits.flag() else None,
    )


class Snapshots:
    """The snapshots that a client holds, to build others on and to acknowledge."""

    KEPT = 64

    def __init__(self, schema, epoch, tick):
        self._schema = schema
        self._held = {}
        self.epoch = epoch
        self.newest = tick

    def receive(self, data):
        """Header and entities of a datagram; None of one that has to be dropped."""
        bits = BitReader(data)
        header = decode_header(bits, self.epoch, self.newest)
        if header.epoch != self.epoch:
            return None
        if header.baseline is None:
            baseline = {}
        elif header.baseline in self._held:
            baseline = self._held[header.baseline]
        else:
            return None
        entities = decode_entities(bits, self._schema, baseline)
        bits.finish()
        self._held[header.tick] = entities
        self.newest = max(self.newest, header.tick)
        for tick in [tick for tick in self._held if tick <= self.newest - self.KEPT]:
            del self._held[tick]
        return header, entities

    def acknowledgement(self):
        """What the next datagram says is held."""
        if not self._held:
            return None
        newest = max(self._held)
        return Acknowledgement(newest, sum(
            1 << i for i in range(32) if newest - 1 - i in self._held))
