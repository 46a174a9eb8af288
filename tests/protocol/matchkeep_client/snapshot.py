"""The plain codec: the entities of a snapshot, as what changed since one that the client holds."""

from typing import NamedTuple

from .encoding import DecodeError


class Field(NamedTuple):
    """One field of an entity. A number q of it stands for origin + q x step."""

    name: str
    bits: int
    small: int = 0  # the bits of the small form; 0: there is none
    origin: float = 0
    step: float = 1


class Kind(NamedTuple):
    """One kind of entity; its number is its place in the schema."""

    name: str
    fields: tuple


class Entity(NamedTuple):
    """One entity as it was sent: numbers, not yet lengths or angles."""

    kind: Kind
    numbers: tuple

    def value(self, name):
        """What a field stands for."""
        for field, number in zip(self.kind.fields, self.numbers):
            if field.name == name:
                return field.origin + number * field.step
        raise KeyError(name)


def decode_entities(bits, schema, baseline):
    """What a snapshot holds: entities by ID, given those of its baseline."""
    entities = {}
    for entity_id in sorted(baseline):
        before = baseline[entity_id]
        if not bits.flag():
            entities[entity_id] = before
        elif not bits.flag():
            entities[entity_id] = _changed(bits, before)
        elif bits.flag():
            entities[entity_id] = _whole(bits, schema)
    last = None
    while bits.flag():
        distance = bits.varint()
        if last is not None and distance == 0:
            raise DecodeError("new entities are in ascending order of their IDs")
        last = distance + (last or 0)
        if last in baseline:
            raise DecodeError(f"entity {last} is in the baseline, and said to be new")
        entities[last] = _whole(bits, schema)
    return entities


def _whole(bits, schema):
    """An entity all anew: its kind, and each field in all its bits."""
    number = bits.take((len(schema) - 1).bit_length())
    if number >= len(schema):
        raise DecodeError(f"there is no kind {number}")
    kind = schema[number]
    return Entity(kind, tuple(bits.take(field.bits) for field in kind.fields))


def _changed(bits, before):
    """An entity of which some fields changed."""
    return Entity(before.kind, tuple(
        _changed_field(bits, field, number) if bits.flag() else number
        for field, number in zip(before.kind.fields, before.numbers)))


def _changed_field(bits, field, number):
    """A field that changed: by a small difference, or all anew."""
    if field.small and bits.flag():
        difference = bits.take(field.small) - (1 << field.small - 1)
        # Modulo the width: an angle that turns past its end is a small change too.
        return (number + difference) % (1 << field.bits)
    return bits.take(field.bits)
