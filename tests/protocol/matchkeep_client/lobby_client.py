"""A conversation with the lobby: requests one after the other, an answer to each, and news."""

import asyncio
import collections
import hashlib
import os
from typing import NamedTuple

from . import arena, frames, lobby
from .connection import Closed, connect
from .encoding import decode_message


# How much news is kept for whoever may ask for it.
NEWS_KEPT = 64
# What the lobby may say to end a waiting: nothing that came before it began is about it.
OUTCOMES = ("Assigned", "Unqueued", "Refused")
# How much later than it should the end of a waiting may be told, in seconds.
LATENESS = 5


class Endpoint(NamedTuple):
    """Where a server is, and the SHA-256 of the certificate it shows."""

    address: str
    port: int
    fingerprint: bytes


class Place(NamedTuple):
    """Where a match is, and the ticket that lets one player into it."""

    match: int
    endpoint: Endpoint
    code: str | None  # what others join a private match with
    credential: bytes  # the ticket, and the secret that shows whose it is


class Waiting(NamedTuple):
    """A match of this mode is looked for; times are in milliseconds."""

    mode: str
    waited: int
    limit: int  # counts from the beginning of the waiting too

    @property
    def left(self):
        """For how many seconds it may go on."""
        return max(self.limit - self.waited, 0) / 1000


class Refused(Exception):
    """The lobby said no, or gave up; `reason` is a name of the table of reasons."""

    def __init__(self, reason):
        super().__init__(reason)
        self.reason = reason


class LobbyClient:
    """An authenticated connection to the lobby."""

    def __init__(self, connection, endpoint):
        self._connection = connection
        self._endpoint = endpoint
        self._answers = asyncio.Queue()
        self._news = collections.deque(maxlen=NEWS_KEPT)
        self._heard = asyncio.Event()  # there is news, or there will be none any more
        # A ticket that somebody else got to see is of no use to them without this.
        self._secret = os.urandom(32)
        self.player = None
        connection.on_message = self._message
        connection.on_closed = self._over

    @classmethod
    async def enter(cls, endpoint, name):
        """Connects and says who is there."""
        connection = await connect(*endpoint, lobby.ALPN, frames.LOBBY)
        client = cls(connection, endpoint)
        fields = await client.ask("Authenticate", game=arena.VERSION, who=("name", name),
                                  binding=hashlib.sha256(client._secret).digest())
        client.player = fields["player"]
        connection.keep_alive()
        return client

    async def ask(self, request, /, **fields):
        """The fields of the answer to a request."""
        return (await self._ask(request, fields))[1]

    async def _ask(self, request, fields):
        self._connection.send_message(lobby.REQUEST.encode((request, fields)), frames.LOBBY)
        answer = await asyncio.wait_for(self._answers.get(), 5)
        if isinstance(answer, Closed):
            raise answer
        name, fields = answer
        if name == "Refused":
            raise Refused(fields["reason"])
        return name, fields

    async def find(self, mode):
        """A place in a match of this mode, however long it takes to find one."""
        found = await self.queue(mode)
        return await self.assigned(found.left + LATENESS) if isinstance(found, Waiting) else found

    async def queue(self, mode):
        """Looks for a match of this mode: a place where there is one at once, else a `Waiting`."""
        name, fields = await self._ask("FindMatch", {"mode": mode})
        return Waiting(**fields) if name == "Queued" else self._place(fields)

    async def assigned(self, timeout):
        """The place that the waiting leads to, of whoever of the party began it."""
        name, fields = await self.news(*OUTCOMES, timeout=timeout)
        if name != "Assigned":
            raise Refused(fields["reason"])
        return self._place(fields)

    async def cancel(self):
        """Ends the waiting of the whole party; returns the reason that all of it is told."""
        return (await self.ask("Cancel"))["reason"]

    async def open_party(self):
        """The party that the player is in; where there was none, a new one."""
        return await self.ask("OpenParty")

    async def join_party(self, code):
        """The party with this code, which the player is in from now on."""
        return await self.ask("JoinParty", code=code)

    async def leave_party(self):
        """Goes on alone."""
        return await self.ask("LeaveParty")

    async def news(self, *names, timeout=5):
        """The oldest news with one of these names that nobody was told of yet, and its fields."""
        async with asyncio.timeout(timeout):
            while True:
                for message in self._news:
                    if message[0] in names:
                        self._news.remove(message)
                        return message
                if self._connection.closed:
                    raise self._connection.closed
                self._heard.clear()
                await self._heard.wait()

    async def locate(self, match):
        """The place in a match that the player is in."""
        return self._place(await self.ask("Locate", match=match))

    async def create_private(self, request, mode):
        """A place in a match that nobody is led to who does not know its code.

        `request` is a number of one's own: the same one again leads to the same match.
        """
        return self._place(await self.ask("CreatePrivate", request=request, mode=mode))

    async def join_private(self, code):
        """A place in the private match with this code."""
        return self._place(await self.ask("JoinPrivate", code=code))

    async def leave(self, match):
        """Gives up the place in a match."""
        await self.ask("Leave", match=match)

    def end(self):
        """The lobby is not needed while a match is played."""
        if not self._connection.closed:
            self._connection.end()

    def _message(self, data):
        kind, message = decode_message(lobby.REPLY, data)
        if kind == "answer":
            self._answers.put_nowait(message)
        if message[0] == "Queued":
            # A stream has an order: what is kept is of an earlier waiting.
            current = [kept for kept in self._news if kept[0] not in OUTCOMES]
            self._news = collections.deque(current, NEWS_KEPT)
        # Whoever waits here is to hear of the end, also where it was asked for here.
        if kind == "news" or message[0] == "Unqueued":
            self._news.append(message)
            self._heard.set()

    def _over(self, closed):
        self._answers.put_nowait(closed)
        self._heard.set()

    def _place(self, fields):
        # No address: the match is where the lobby was reached.
        endpoint = Endpoint(fields["address"] or self._endpoint.address, fields["port"],
                            fields["fingerprint"])
        return Place(fields["match"], endpoint, fields["code"],
                     fields["ticket"] + self._secret)
