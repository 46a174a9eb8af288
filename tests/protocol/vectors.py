#!/usr/bin/env python3
"""Decodes and encodes every test vector of docs/vectors, and says which came out otherwise.

    vectors.py [FOLDER] [--json]
"""

import argparse
import json
import pathlib
import re
import sys

from json_form import from_json, to_json
from matchkeep_client import arena, lobby, match
from matchkeep_client.bits import BitReader, nearest
from matchkeep_client.datagrams import Acknowledgement, InputDatagram, decode_header
from matchkeep_client.encoding import DecodeError, decode_message
from matchkeep_client.frames import FrameReader, frame
from matchkeep_client.snapshot import Entity, decode_entities

MESSAGES = {
    "lobby request": lobby.REQUEST,
    "lobby reply": lobby.REPLY,
    "client message": match.CLIENT_MESSAGE,
    "server message": match.SERVER_MESSAGE,
    "arena event": arena.EVENT,
    "arena configuration": arena.CONFIG,
}
BIT_PACKED = {"input datagram", "snapshot datagram"}
KINDS = {kind.name: kind for kind in arena.SCHEMA}


def decode(vector, data):
    """What this client reads in the bytes, as the vectors write it."""
    what, given = vector["what"], vector.get("given", {})
    if what in MESSAGES:
        return to_json(MESSAGES[what], decode_message(MESSAGES[what], data))
    if what == "frame":
        reader = FrameReader(given["limit"])
        messages = reader.feed(data)
        return {"messages": [message.hex() for message in messages], "left": reader.pending()}
    if what == "low bits":
        return nearest(given["known"], int.from_bytes(data, "little"), given["bits"])
    if what == "input datagram":
        return _input_to_json(InputDatagram.decode(data, arena.decode_input, given["epoch"], given["tick"]))
    if what == "snapshot datagram":
        return _decode_snapshot(data, given)
    raise ValueError(f"no vectors are known of a {what}")


def encode(vector):
    """What this client writes for the value; None where a client writes no such thing."""
    what, value = vector["what"], vector["value"]
    if what in MESSAGES:
        return MESSAGES[what].encode(from_json(MESSAGES[what], value))
    if what == "frame" and not value["left"]:
        return b"".join(frame(bytes.fromhex(message), vector["given"]["limit"]) for message in value["messages"])
    if what == "input datagram":
        return _input_from_json(value).encode(arena.encode_input)
    return None


def faults(vector):
    """What is wrong with a vector, or with how this client reads and writes it."""
    data = bytes.fromhex(vector["hex"])
    if _add_up(vector) != data:
        yield "the working does not add up to the bytes"
    if vector.get("malformed"):
        try:
            yield f"was taken, as {decode(vector, data)}"
        except DecodeError:
            pass
        return
    try:
        value = decode(vector, data)
    except DecodeError as error:
        yield f"was refused: {error}"
        return
    if value != _meant(vector):
        yield f"was read as {value}"
    encoded = encode(vector)
    if encoded not in (None, data):
        yield f"was written as {encoded.hex()}"
    yield from _stands_for_otherwise(vector)


def _meant(vector):
    """The value of a vector, in the form in which this client's are written."""
    kind = MESSAGES.get(vector["what"])
    return to_json(kind, from_json(kind, vector["value"])) if kind else vector["value"]


def _add_up(vector):
    """The bytes of the working: what stands before two spaces in each line."""
    pieces = "".join(re.split(r"\s{2,}", line)[0].replace(" ", "") for line in vector["working"])
    if vector["what"] not in BIT_PACKED:
        return bytes.fromhex(pieces)
    # In the order in which they are sent: the first is the lowest of all.
    return int(pieces[::-1] or "0", 2).to_bytes((len(pieces) + 7) // 8, "little")


def _input_to_json(datagram):
    acknowledged = datagram.acknowledged
    return {"epoch": datagram.epoch,
            "acknowledged": None if acknowledged is None else acknowledged._asdict(),
            "tick": datagram.tick,
            "inputs": [value._asdict() for value in datagram.inputs]}


def _input_from_json(value):
    acknowledged = value["acknowledged"]
    return InputDatagram(value["epoch"], None if acknowledged is None else Acknowledgement(**acknowledged),
                         value["tick"], [arena.Input(**fields) for fields in value["inputs"]])


def _decode_snapshot(data, given):
    bits = BitReader(data)
    header = decode_header(bits, given["epoch"], given["tick"])
    baseline = {int(entity_id): _entity_from_json(entity)
                for entity_id, entity in given.get("baseline", {}).items()}
    entities = decode_entities(bits, arena.SCHEMA, baseline)
    bits.finish()
    return {**header._asdict(),
            "entities": {str(entity_id): _entity_to_json(entity) for entity_id, entity in entities.items()}}


def _entity_to_json(entity):
    return {"kind": entity.kind.name,
            "fields": {field.name: number for field, number in zip(entity.kind.fields, entity.numbers)}}


def _entity_from_json(value):
    kind = KINDS[value["kind"]]
    return Entity(kind, tuple(value["fields"][field.name] for field in kind.fields))


def _stands_for_otherwise(vector):
    for entity_id, fields in vector.get("stands_for", {}).items():
        entity = _entity_from_json(vector["value"]["entities"][entity_id])
        for name, stands_for in fields.items():
            if entity.value(name) != stands_for:
                yield f"{name} of entity {entity_id} stands for {entity.value(name)}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    default = pathlib.Path(__file__).parents[2] / "docs" / "vectors"
    parser.add_argument("folder", nargs="?", type=pathlib.Path, default=default)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    arguments = parser.parse_args()
    counts, failed = {}, []
    for path in sorted(arguments.folder.glob("*.json")):
        for vector in json.loads(path.read_text()):
            counts[path.name] = counts.get(path.name, 0) + 1
            failed += [{"file": path.name, "name": vector["name"], "fault": fault} for fault in faults(vector)]
    passed = bool(counts) and not failed
    if arguments.json:
        print(json.dumps({"passed": passed, "vectors": counts, "failed": failed}))
    else:
        for failure in failed:
            print(f"FAILED  {failure['file']}: {failure['name']}: {failure['fault']}")
        files = ", ".join(f"{count} of {name}" for name, count in counts.items())
        print(f"{sum(counts.values())} vectors, {len(failed)} faults: {files}")
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
