"""A conversation with the lobby: requests one after the other, an answer to each."""

import asyncio
import hashlib
import os
from typing import NamedTuple

from . import arena, frames, lobby
from .connection import Closed, connect
from .encoding import decode_message


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


class Refused(Exception):
    """The lobby said no; `reason` is a name of the table of reasons."""

    def __init__(self, reason):
        super().__init__(reason)
        self.reason = reason


class LobbyClient:
    """An authenticated connection to the lobby."""

    def __init__(self, connection, endpoint):
        self._connection = connection
        self._endpoint = endpoint
        self._answers = asyncio.Queue()
        # A ticket that somebody else got to see is of no use to them without this.
        self._secret = os.urandom(32)
        self.player = None
        connection.on_message = self._message
        connection.on_closed = self._answers.put_nowait

    @classmethod
    async def enter(cls, endpoint, name):
        """Connects and says who is there."""
        connection = await connect(*endpoint, lobby.ALPN, frames.LOBBY)
        client = cls(connection, endpoint)
        fields = await client.ask("Authenticate", game=arena.VERSION, who=("name", name),
                                  binding=hashlib.sha256(client._secret).digest())
        client.player = fields["player"]
        return client

    async def ask(self, request, /, **fields):
        """The fields of the answer to a request."""
        self._connection.send_message(lobby.REQUEST.encode((request, fields)), frames.LOBBY)
        answer = await asyncio.wait_for(self._answers.get(), 5)
        if isinstance(answer, Closed):
            raise answer
        name, fields = answer
        if name == "Refused":
            raise Refused(fields["reason"])
        return fields

    async def find(self, mode):
        """A place in a match of this mode."""
        return self._place(await self.ask("FindMatch", mode=mode))

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
        # This client expects no news, and drops what there is.
        if kind == "answer":
            self._answers.put_nowait(message)

    def _place(self, fields):
        # No address: the match is where the lobby was reached.
        endpoint = Endpoint(fields["address"] or self._endpoint.address, fields["port"],
                            fields["fingerprint"])
        return Place(fields["match"], endpoint, fields["code"],
                     fields["ticket"] + self._secret)
