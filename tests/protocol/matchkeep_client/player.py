"""A player who keeps their place: comes back where the connection, or the server, is lost."""

import asyncio
import math

from . import arena
from .connection import Closed
from .encoding import decode_message
from .lobby_client import LobbyClient, Refused
from .session import Session

# Silence after which a second connection is tried beside the first, in seconds.
SILENCE = 0.3
# How long to wait between two attempts that failed, in seconds.
PAUSE = 0.2
# After these there is nothing to come back to, or someone does not want the player there.
FINAL = {"left", "match_ended", "match_over", "replaced", "kicked", "match_quarantined", "game_mismatch",
         "codec_unknown", "undecodable"}
# For so long after a second connection was tried, in seconds, `replaced` is by that one.
OWN_REPLACEMENT = 5


class Gone(Exception):
    """There is nothing to come back to; `reason` is a name of the table of reasons."""

    def __init__(self, reason):
        super().__init__(reason)
        self.reason = reason


class Player:
    """Plays one match until it is over.

    `steer(tick)` is asked for each tick's input. `on_snapshot(header, entities)` sees what comes.
    """

    def __init__(self, lobby, name, mode, steer):
        self._lobby = lobby
        self.name = name
        self._mode = mode
        self._steer = steer
        self._endpoint = None
        self._token = None
        self._leaving = False
        self._rescue = None
        self._rescued = -math.inf  # when a second connection was last tried
        self._match = None
        self.session = None
        self.welcome = None
        self.config = None
        self.epoch = 0
        self._told = []  # (epoch, tick, name, fields), of what has happened
        self.undone = 0  # events that were told, and then did not happen
        self.returns = []  # how the player came back: "token" or "ticket"
        self.on_snapshot = lambda *_: None

    @property
    def events(self):
        """What has happened: tick, name and fields of each event."""
        return [event[1:] for event in self._told]

    def events_of(self, epoch):
        """What has happened in one epoch."""
        return [event[1:] for event in self._told if event[0] == epoch]

    async def enter(self):
        """Finds a match through the lobby and joins it."""
        lobby = await LobbyClient.enter(self._lobby, self.name)
        try:
            place = await lobby.find(self._mode)
        finally:
            lobby.end()
        await self._take_place(place)

    async def play(self):
        """Plays until the connection ends for good; returns the reason."""
        while True:
            await self.session.wait()
            self.session.send_inputs(self._steer)
            if self.session.closed and self._is_final(self.session.closed.reason):
                self._forget_rescue()
                return self.session.closed.reason
            if self._rescue is None and self._is_lost() and not self._leaving:
                self._rescue = asyncio.create_task(self._come_back())
            if self._rescue is not None:
                self._rescued = _now()
                try:
                    self._finish_rescue()
                except Gone as gone:
                    return gone.reason

    def leave(self):
        """Gives up the place."""
        self._leaving = True
        if not self.session.closed:
            self.session.leave()

    def lose_token(self):
        """For tests: what a client is in whose token is refused."""
        self._token = None

    def _is_lost(self):
        return self.session.closed is not None or _now() - self.session.heard > SILENCE

    def _is_final(self, reason):
        # The server ends the older connection as soon as the newer one joins: before the newer one has
        # brought a snapshot, and also where it was given up in that moment.
        if self._leaving and self._rescue is None:
            return True
        if reason == "replaced" and _now() - self._rescued < OWN_REPLACEMENT:
            return False
        return reason in FINAL

    def _finish_rescue(self):
        """Keeps whichever connection brought a snapshot first."""
        if self._rescue.done():
            how, session = self._rescue.result()
            self._rescue = None
            self.session.abandon()
            self.returns.append(how)
            self._use(session)
        elif not self._is_lost():
            self._forget_rescue()

    def _forget_rescue(self):
        if self._rescue is not None:
            self._rescue.cancel()
            self._rescue = None

    async def _come_back(self):
        """A new session, once it has brought a snapshot, and what it was joined with."""
        while True:
            session = None
            try:
                if self._token is not None:
                    how = "token"
                    session = await Session.join(self._endpoint, ("token", self._token))
                else:
                    how = "ticket"
                    session = await self._locate()
                await session.first_snapshot()
                return how, session
            except Refused as refused:
                # The lobby knows of every match that there is.
                raise Gone(refused.reason) from refused
            except Closed as closed:
                if closed.reason in FINAL:
                    raise Gone(closed.reason) from closed
                # A server that does not answer may be back in a moment. One that refuses the token leads to
                # the lobby, which knows where the match is now.
                if closed.reason != "unreachable":
                    self._token = None
            except asyncio.CancelledError:
                if session is not None:
                    session.abandon()
                raise
            await asyncio.sleep(PAUSE)

    async def _locate(self):
        lobby = await LobbyClient.enter(self._lobby, self.name)
        try:
            place = await lobby.locate(self._match)
        finally:
            lobby.end()
        self._endpoint = place.endpoint
        return await Session.join(place.endpoint, ("ticket", place.credential))

    async def _take_place(self, place):
        self._endpoint, self._match = place.endpoint, place.match
        session = await Session.join(place.endpoint, ("ticket", place.credential))
        self.config = decode_message(arena.CONFIG, session.welcome["config"])
        self._use(session)

    def _use(self, session):
        """Goes on with this session, and with what it heard before it was the one."""
        self.session = session
        self.welcome = session.welcome
        session.on_message = self._message
        session.on_snapshot = lambda header, entities: self.on_snapshot(header, entities)
        for name, fields in session.take_early():
            self._message(name, fields)
        if self._leaving:
            # What was said on the connection before was not heard.
            session.leave()

    def _message(self, name, fields):
        if name == "Welcome":
            self._token = fields["token"]
            self._begin(fields["epoch"], fields["resumed"])
        elif name == "Token":
            self._token = fields
        elif name == "Resumed":
            self._begin(fields["epoch"], fields["tick"])
        elif name == "Event":
            event = decode_message(arena.EVENT, fields["event"])
            self._told.append((fields["epoch"], fields["tick"], *event))

    def _begin(self, epoch, resumed):
        """A higher epoch: what was told of ticks beyond `resumed` did not happen."""
        if epoch > self.epoch > 0:
            happened = [event for event in self._told if event[1] <= resumed]
            self.undone += len(self._told) - len(happened)
            self._told = happened
        self.epoch = epoch


def _now():
    return asyncio.get_running_loop().time()
