"""Frames: how messages follow each other on a stream."""

from .encoding import DecodeError

# The longest message, in bytes, by who sends it.
CLIENT_TO_MATCH, MATCH_TO_CLIENT, LOBBY = 4096, 49152, 4096


def frame(message, limit):
    """A message with its length before it."""
    if len(message) > limit:
        raise ValueError(f"a message of {len(message)} bytes where {limit} are allowed")
    return len(message).to_bytes(2, "little") + message


class FrameReader:
    """Cuts what a stream delivers, in pieces of any size, into messages."""

    def __init__(self, limit):
        self._limit = limit
        self._pending = bytearray()

    def feed(self, data):
        """Adds a piece, and returns the messages that are whole now."""
        self._pending += data
        messages = []
        while len(self._pending) >= 2:
            length = int.from_bytes(self._pending[:2], "little")
            # Seen before the message is there: nothing that is too long is ever kept.
            if length > self._limit:
                raise DecodeError(f"a message of {length} bytes where {self._limit} are allowed")
            if len(self._pending) < 2 + length:
                break
            messages.append(bytes(self._pending[2:2 + length]))
            del self._pending[:2 + length]
        return messages

    def pending(self):
        """How many bytes wait for the rest of their message."""
        return len(self._pending)
