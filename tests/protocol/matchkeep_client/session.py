"""A session: one connection to a match, from the join to the end."""

import asyncio
import collections

from . import arena, frames, match
from .clock import LEAD, InputClock
from .connection import Closed, connect
from .datagrams import INPUTS_MAX, InputDatagram, Snapshots
from .encoding import DecodeError, decode_message


class Session:
    """A player's connection to a match.

    `on_snapshot(header, entities)` and `on_message(name, fields)` are called with what comes. Messages
    that come before anybody asks for them wait for `take_early`.
    """

    def __init__(self, connection):
        self._connection = connection
        self._welcome = asyncio.get_running_loop().create_future()
        self._first_snapshot = asyncio.get_running_loop().create_future()
        self._inputs = collections.deque(maxlen=INPUTS_MAX)  # the newest first
        self._sent = None  # the tick of the newest input
        self._snapshots = None
        self._clock = None
        self._still = False
        self.welcome = None
        self.heard = asyncio.get_running_loop().time()
        self.dropped = 0
        self._early = []
        self.on_message = lambda name, fields: self._early.append((name, fields))
        self.on_snapshot = lambda *_: None
        connection.on_message = self._message
        connection.on_datagram = self._datagram
        connection.on_closed = self._over

    @classmethod
    async def join(cls, endpoint, credential):
        """Connects and joins with `("ticket", bytes)` or `("token", bytes)`."""
        connection = await connect(*endpoint, match.ALPN, frames.MATCH_TO_CLIENT)
        session = cls(connection)
        session._send("Join", game=arena.VERSION, codecs=bytes([match.PLAIN_CODEC]), credential=credential)
        try:
            async with asyncio.timeout(5):
                session.welcome = await session._welcome
        except TimeoutError as error:
            raise Closed("unreachable", "no welcome came") from error
        finally:
            if session.welcome is None:
                session.abandon()
        return session

    @property
    def closed(self):
        """Why the connection is over, or None."""
        return self._connection.closed

    @property
    def epoch(self):
        """The newest epoch that the server told of."""
        return self._snapshots.epoch

    async def first_snapshot(self):
        """Waits until the match is there to be seen."""
        await asyncio.shield(self._first_snapshot)

    def take_early(self):
        """The messages that came before `on_message` was set, the welcome first."""
        early, self._early = self._early, []
        return early

    def leave(self):
        """Gives up the place. The server closes the connection with `left`."""
        self._send("Leave")

    def abandon(self):
        """Ends this connection and keeps the place."""
        if not self.closed:
            self._connection.end()

    async def wait(self):
        """Waits until the next input is due."""
        now = asyncio.get_running_loop().time()
        await asyncio.sleep(self._clock.wait(now) if self._clock else 0.01)

    def send_inputs(self, next_input):
        """Sends what is due: `next_input(tick)` is asked for each tick's input, once and in order.

        Each datagram has the inputs before the newest one too, so that one that is lost costs nothing.
        """
        if self.closed or self._clock is None:
            return
        if not self._still:
            due = self._clock.due(asyncio.get_running_loop().time())
            if self._sent is None or due - self._sent > INPUTS_MAX:
                self._sent = due - 1
                self._inputs.clear()
            while self._sent < due:
                self._sent += 1
                self._inputs.appendleft(next_input(self._sent))
        inputs = [] if self._still else list(self._inputs)
        datagram = InputDatagram(self.epoch, self._snapshots.acknowledgement(), self._sent, inputs)
        self._connection.send_datagram(datagram.encode(arena.encode_input))

    def _send(self, name, **fields):
        self._connection.send_message(match.CLIENT_MESSAGE.encode((name, fields)), frames.CLIENT_TO_MATCH)

    def _message(self, data):
        name, fields = decode_message(match.SERVER_MESSAGE, data)
        self.heard = asyncio.get_running_loop().time()
        if name == "Welcome":
            if self._snapshots is not None:
                raise DecodeError("a second welcome")
            self._begin(fields["epoch"], fields["tick"])
            self._rate = fields["rate"]
            self._welcome.set_result(fields)
        elif name == "Resumed":
            self._begin(fields["epoch"], fields["tick"])
        self.on_message(name, fields)

    def _begin(self, epoch, tick):
        """An epoch begins: nothing held of one before it is of use."""
        self._snapshots = Snapshots(arena.SCHEMA, epoch, tick)
        self._clock = None
        self._still = False
        self._sent = None
        self._inputs.clear()

    def _datagram(self, data):
        now = asyncio.get_running_loop().time()
        self.heard = now
        # Datagrams may overtake the stream: without the welcome nothing is known of their epoch.
        received = self._snapshots.receive(data) if self._snapshots else None
        if received is None:
            self.dropped += 1
            return
        header, entities = received
        # One that was overtaken is held, to build on; it is no news.
        overtaken = header.tick < self._snapshots.newest
        if self._clock is None or self._still != header.still:
            # At the first snapshot, and where ticks stop or go on again.
            self._clock = InputClock(self._rate, header.tick, now)
        elif not overtaken and not header.still:
            # Before any input came the margin says 0, which is no measurement.
            margin = header.margin / 10_000 if header.margin or header.applied is not None else LEAD
            self._clock.correct(header.tick, now, margin)
        self._still = header.still
        if not self._first_snapshot.done():
            self._first_snapshot.set_result(None)
        if not overtaken:
            self.on_snapshot(header, entities)

    def _over(self, closed):
        for future in (self._welcome, self._first_snapshot):
            if not future.done():
                future.set_exception(closed)
                future.exception()  # nobody may be waiting for it
