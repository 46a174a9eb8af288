"""Bits of datagrams: the first is the least significant of the first byte, nothing is aligned.

That is the order of the bits in one large little-endian number, which is what reader and writer use.
"""

from .encoding import DecodeError


class BitReader:
    """Bits that are taken from the front of a datagram."""

    def __init__(self, data):
        self._number = int.from_bytes(data, "little")
        self._left = 8 * len(data)

    def take(self, count):
        """The next `count` bits as a number, its least significant bit first."""
        if count > self._left:
            raise DecodeError(f"{count - self._left} bits are missing at the end")
        value = self._number & (1 << count) - 1
        self._number >>= count
        self._left -= count
        return value

    def flag(self):
        """The next bit."""
        return self.take(1) == 1

    def signed(self, count):
        """The next `count` bits in two's complement."""
        value = self.take(count)
        return value - (1 << count) if value >> count - 1 else value

    def varint(self):
        """Groups of 4 bits, the lowest first, each after a bit that says whether another follows."""
        value = shift = 0
        while True:
            more, group = self.flag(), self.take(4)
            value |= group << shift
            shift += 4
            if not more:
                break
            if shift >= 64:
                raise DecodeError("a varint of more than 64 bits")
        if group == 0 and shift > 4:
            raise DecodeError("a varint with a group too many")
        return value

    def finish(self):
        """Only the zeros that fill the last byte may be left."""
        if self._left >= 8:
            raise DecodeError(f"{self._left // 8} bytes too many")
        if self._number:
            raise DecodeError("the last byte is not filled with zeros")


class BitWriter:
    """Bits that become a datagram."""

    def __init__(self):
        self._number = 0
        self._length = 0

    def put(self, value, count):
        """Adds a number of `count` bits; a negative one in two's complement."""
        if not -(1 << count - 1) <= value < 1 << count:
            raise ValueError(f"{value} does not fit into {count} bits")
        self._number |= (value & (1 << count) - 1) << self._length
        self._length += count

    def flag(self, value):
        """Adds one bit, and returns it."""
        self.put(int(value), 1)
        return value

    def data(self):
        """What was put so far, the last byte filled with zeros."""
        return self._number.to_bytes((self._length + 7) // 8, "little")


def nearest(known, low, count):
    """The number nearest to `known` whose low `count` bits are `low`; never a negative one."""
    span = 1 << count
    value = known + (low - known + span // 2) % span - span // 2
    return value if value >= 0 else value + span
