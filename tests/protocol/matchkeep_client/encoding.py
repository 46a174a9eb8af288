"""The encoding of messages: integers in as few bytes as hold them, everything else made of those.

A type here is an object with `encode(value) -> bytes` and `decode(reader) -> value`. Messages are
described with them field by field, in the order of the document; nothing else is needed to encode
or decode one.

In Python a structure is a dict, a choice with fields is a pair `(name, fields)`, a choice without
fields is its name, and an option that is absent is None.
"""

import ipaddress


class DecodeError(ValueError):
    """What came is not what the protocol says."""


class Reader:
    """Bytes that are taken from the front."""

    def __init__(self, data):
        self._data = bytes(data)
        self._position = 0

    def take(self, count):
        """The next `count` bytes."""
        end = self._position + count
        if end > len(self._data):
            raise DecodeError(f"{end - len(self._data)} bytes are missing at the end")
        taken = self._data[self._position:end]
        self._position = end
        return taken

    def finish(self):
        """Nothing may be left: a message fills its frame."""
        left = len(self._data) - self._position
        if left:
            raise DecodeError(f"{left} bytes too many")


class Byte:
    """`u8`: as it is."""

    def encode(self, value):
        return value.to_bytes(1, "little")

    def decode(self, reader):
        return reader.take(1)[0]


class Unsigned:
    """An unsigned integer of 16 bits or more: a byte below 251, or a mark and 2, 4 or 8 bytes."""

    _SIZES = {251: 2, 252: 4, 253: 8}

    def __init__(self, bits):
        self._bits = bits

    def encode(self, value):
        if not 0 <= value < 1 << self._bits:
            raise ValueError(f"{value} does not fit into {self._bits} bits")
        if value < 251:
            return bytes([value])
        for mark, size in self._SIZES.items():
            if value < 1 << 8 * size:
                return bytes([mark]) + value.to_bytes(size, "little")

    def decode(self, reader):
        first = reader.take(1)[0]
        if first < 251:
            return first
        if first not in self._SIZES:
            raise DecodeError(f"{first} begins no integer")
        value = int.from_bytes(reader.take(self._SIZES[first]), "little")
        if value >= 1 << self._bits:
            raise DecodeError(f"{value} does not fit into {self._bits} bits")
        # There is one way to write a number, so that two encodings of one message never differ.
        if self.encode(value)[0] != first:
            raise DecodeError(f"{value} is not in its shortest form")
        return value


class Signed:
    """A signed integer: zigzag, so that small numbers of either sign stay short."""

    def __init__(self, bits):
        self._bits = bits
        self._unsigned = Unsigned(bits)

    def encode(self, value):
        if not -(1 << self._bits - 1) <= value < 1 << self._bits - 1:
            raise ValueError(f"{value} does not fit into {self._bits} bits")
        return self._unsigned.encode(2 * value if value >= 0 else -2 * value - 1)

    def decode(self, reader):
        zigzag = self._unsigned.decode(reader)
        return zigzag // 2 if zigzag % 2 == 0 else -(zigzag // 2) - 1


class FixedBytes:
    """An array of bytes: as many as were agreed, without a length."""

    def __init__(self, count):
        self._count = count

    def encode(self, value):
        if len(value) != self._count:
            raise ValueError(f"{len(value)} bytes where {self._count} belong")
        return bytes(value)

    def decode(self, reader):
        return reader.take(self._count)


class Bytes:
    """A list of bytes: its length, then the bytes."""

    def __init__(self, most=None):
        self._most = most

    def encode(self, value):
        return LENGTH.encode(len(value)) + bytes(value)

    def decode(self, reader):
        length = LENGTH.decode(reader)
        if self._most is not None and length > self._most:
            raise DecodeError(f"{length} bytes where {self._most} are allowed")
        return reader.take(length)


class Text:
    """A text: the length of its UTF-8 in bytes, then those."""

    def __init__(self, most=None):
        self._bytes = Bytes(most)

    def encode(self, value):
        return self._bytes.encode(value.encode())

    def decode(self, reader):
        try:
            return self._bytes.decode(reader).decode()
        except UnicodeDecodeError as error:
            raise DecodeError("the text is not UTF-8") from error


class List:
    """A list: its length, then its elements."""

    def __init__(self, element):
        self.element = element

    def encode(self, value):
        return LENGTH.encode(len(value)) + b"".join(map(self.element.encode, value))

    def decode(self, reader):
        # One by one: a length that lies is found out at the end of the bytes, before it costs anything.
        return [self.element.decode(reader) for _ in range(LENGTH.decode(reader))]


class Option:
    """A value or none: 1 and the value, or 0."""

    def __init__(self, some):
        self.some = some

    def encode(self, value):
        return b"\0" if value is None else b"\1" + self.some.encode(value)

    def decode(self, reader):
        tag = reader.take(1)[0]
        if tag > 1:
            raise DecodeError(f"an option begins with 0 or 1, not {tag}")
        return self.some.decode(reader) if tag else None


class Structure:
    """A structure: its fields, one after the other."""

    def __init__(self, **fields):
        self.fields = fields

    def encode(self, value):
        if value.keys() != self.fields.keys():
            raise ValueError(f"fields {list(value)} where {list(self.fields)} belong")
        return b"".join(kind.encode(value[name]) for name, kind in self.fields.items())

    def decode(self, reader):
        return {name: kind.decode(reader) for name, kind in self.fields.items()}


class Choice:
    """One of several, each with fields of its own: its number, then those."""

    def __init__(self, **variants):
        self.variants = variants
        self._names = list(variants)

    def encode(self, value):
        name, fields = value
        return NUMBER.encode(self._names.index(name)) + self.variants[name].encode(fields)

    def decode(self, reader):
        number = NUMBER.decode(reader)
        if number >= len(self._names):
            raise DecodeError(f"there is no choice {number}")
        name = self._names[number]
        return name, self.variants[name].decode(reader)


class Names:
    """One of several without fields: its number."""

    def __init__(self, *names):
        self.names = names

    def encode(self, value):
        return NUMBER.encode(self.names.index(value))

    def decode(self, reader):
        number = NUMBER.decode(reader)
        if number >= len(self.names):
            raise DecodeError(f"there is no choice {number}")
        return self.names[number]


class IpAddress:
    """An IP address: 0 and 4 bytes, or 1 and 16."""

    def encode(self, value):
        address = ipaddress.ip_address(value)
        return NUMBER.encode({4: 0, 6: 1}[address.version]) + address.packed

    def decode(self, reader):
        version = NUMBER.decode(reader)
        if version > 1:
            raise DecodeError(f"there is no IP address of kind {version}")
        return str(ipaddress.ip_address(reader.take((4, 16)[version])))


BYTE = Byte()
U16, U32, U64 = Unsigned(16), Unsigned(32), Unsigned(64)
I64 = Signed(64)
LENGTH, NUMBER = U64, U32
BYTES = Bytes()
TEXT = Text()
NOTHING = Structure()


def decode_message(kind, data):
    """The one message that is all of `data`."""
    reader = Reader(data)
    value = kind.decode(reader)
    reader.finish()
    return value
