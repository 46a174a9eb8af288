"""How the test vectors write values of messages in JSON.

As Python has them, except that bytes are hex, and a choice with fields is an object of one member: its
name, and its fields. Of a choice without any the vectors have both: its name alone, and an object
with no fields. Either is read.
"""

from matchkeep_client.encoding import (Bytes, Choice, FixedBytes, List, Option, Structure)


def to_json(kind, value):
    """A decoded value as the vectors write it."""
    match kind:
        case Bytes() | FixedBytes():
            return value.hex()
        case List():
            return [to_json(kind.element, element) for element in value]
        case Option():
            return None if value is None else to_json(kind.some, value)
        case Structure():
            return {name: to_json(field, value[name]) for name, field in kind.fields.items()}
        case Choice():
            name, fields = value
            return {name: to_json(kind.variants[name], fields)}
    return value


def from_json(kind, value):
    """A value of a vector, to be encoded."""
    match kind:
        case Bytes() | FixedBytes():
            return bytes.fromhex(value)
        case List():
            return [from_json(kind.element, element) for element in value]
        case Option():
            return None if value is None else from_json(kind.some, value)
        case Structure():
            if value.keys() != kind.fields.keys():
                raise ValueError(f"fields {list(value)} where {list(kind.fields)} belong")
            return {name: from_json(field, value[name]) for name, field in kind.fields.items()}
        case Choice():
            (name, fields), = ((value, {}),) if isinstance(value, str) else value.items()
            return name, from_json(kind.variants[name], fields)
    return value
