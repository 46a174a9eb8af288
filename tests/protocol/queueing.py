"""Parties, and modes in which players wait for each other."""

import asyncio
import time

from matchkeep_client import arena
from matchkeep_client.encoding import decode_message
from matchkeep_client.lobby_client import LobbyClient, Place, Refused, Waiting
from matchkeep_client.session import Session
from report import until
from server import HURRY, MODE, PATIENCE, SQUAD

# What a busy machine may add to a time, in ms.
JITTER = 1000


class Seat:
    """A place in a match that was taken, and what the match's events tell of its players there."""

    def __init__(self, session):
        self.session = session
        self.entries = {}  # by slot
        self.first = None  # the name of the first event
        session.on_message = self._message
        for name, fields in session.take_early():
            self._message(name, fields)

    @classmethod
    async def take(cls, place):
        """Joins the match that the lobby led to."""
        return cls(await Session.join(place.endpoint, ("ticket", place.credential)))

    @property
    def teams(self):
        """Each player's team, by name."""
        return {entry["name"]: entry["team"] for entry in self.entries.values()}

    def _message(self, name, fields):
        if name != "Event":
            return
        name, fields = decode_message(arena.EVENT, fields["event"])
        self.first = self.first or name
        if name == "Roster":
            self.entries = {entry["slot"]: entry for entry in fields["entries"]}
        elif name == "Joined":
            self.entries[fields["entry"]["slot"]] = fields["entry"]
        elif name == "Left":
            self.entries.pop(fields["slot"], None)


async def enter(lobby, *names):
    """A conversation with the lobby for each of these players."""
    return [await LobbyClient.enter(lobby, name) for name in names]


def end(*clients):
    """Nobody of these needs the lobby any more."""
    for client in clients:
        client.end()


def names(party):
    """Who is in a party, the leader first."""
    return [member["name"] for member in party["members"]] if party else None


async def check_refused(report, name, request, reason):
    """A request that is to be refused, for this reason."""
    try:
        report.check(name, False, f"the answer was {await request}")
    except Refused as refused:
        report.check(name, refused.reason == reason, refused.reason)


async def check_heard(report, name, clients, expected):
    """All of these hear that the party is this one now."""
    heard = [(await client.news("Party"))[1] for client in clients]
    report.check(name, all(party == expected for party in heard), names(expected))


async def check_party(report, lobby):
    """Who is in a party, who leads it, and that everybody in it is told."""
    ada, bob, cyd, dan = clients = await enter(lobby, "ada", "bob", "cyd", "dan")
    party = await ada.open_party()
    report.check("a party has a code, and who opened it in it", party["code"]
                 and party["members"] == [{"player": ada.player, "name": "ada"}], party)
    report.check("asked again, it is the same party", await ada.open_party() == party)
    two = await bob.join_party(party["code"])
    report.check("the code leads into it, behind its leader",
                 names(two) == ["ada", "bob"] and two["members"][1]["player"] == bob.player, two)
    report.check("all of it have the same code", two["code"] == party["code"]
                 and await bob.open_party() == two)
    await check_heard(report, "the others hear who came", [ada], two)
    await check_refused(report, "its leader alone looks for matches", bob.find(SQUAD), "not_leader")

    other = await dan.open_party()
    await cyd.join_party(other["code"])
    await check_heard(report, "another party is another one", [dan], await cyd.open_party())
    three = await dan.join_party(party["code"])
    report.check("who goes into another party", names(three) == ["ada", "bob", "dan"], names(three))
    await check_heard(report, "is seen to come", [ada, bob], three)
    _, left = await cyd.news("Party")
    report.check("and to go: the next one leads", names(left) == ["cyd"], left)
    await check_refused(report, "a party that is larger than a team", ada.find(SQUAD),
                        "party_too_large")
    report.check("who leaves a party is in none", await dan.leave_party() is None)
    await check_heard(report, "the others hear who left", [ada, bob], two)
    end(*clients)


async def check_waiting(report, lobby):
    """How the waiting of a party begins, goes on and ends."""
    ann, ben, cat = clients = await enter(lobby, "ann", "ben", "cat")
    party = await ann.open_party()
    await ben.join_party(party["code"])
    first = await ann.queue(SQUAD)
    report.check("a party of two waits for the other team", isinstance(first, Waiting)
                 and (first.mode, first.limit) == (SQUAD, 60_000) and first.waited <= JITTER, first)
    told = Waiting(**(await ben.news("Queued"))[1])
    report.check("all of the party are told that it waits",
                 (told.mode, told.limit) == (SQUAD, 60_000) and told.waited <= JITTER, told)
    for mode in (HURRY, MODE):
        await check_refused(report, f"who waits is not led elsewhere ({mode})", ann.queue(mode),
                            "queued_elsewhere")
    await asyncio.sleep(0.3)
    for name, client in (("the leader", ann), ("another one of it", ben)):
        again = await client.queue(SQUAD)
        report.check(f"asked again by {name}, the waiting goes on", isinstance(again, Waiting)
                     and 300 <= again.waited <= 300 + JITTER, again)
    reason = await ben.cancel()
    report.check("any of the party can end it", reason == "queue_cancelled", reason)
    await check_refused(report, "the others are told", ann.assigned(5), "queue_cancelled")
    await check_refused(report, "then nobody waits", ann.cancel(), "not_queued")

    found = asyncio.create_task(ann.find(SQUAD))
    await ben.news("Queued")
    await cat.join_party(party["code"])
    await check_refused(report, "a party that changes waits no longer", found, "queue_cancelled")
    await check_refused(report, "nor does anybody of it", ben.assigned(5), "queue_cancelled")
    end(*clients)


async def check_match(report, name, found, party):
    """Four found a match: it is the same one, and each team has two. Returns their seats."""
    places = {player: place for player, place in found.items() if isinstance(place, Place)}
    matches = {place.match for place in places.values()}
    report.check(f"{name}: all four are led to one match", len(places) == 4 and len(matches) == 1,
                 ", ".join(found))
    # The party joins first: a match that evened its teams out by itself would put it into both.
    seats = {player: await Seat.take(places[player])
             for player in sorted(places, key=lambda player: player not in party)}
    welcomes = [seat.session.welcome for seat in seats.values()]
    report.check(f"{name}: they are let in", {welcome["match"] for welcome in welcomes} == matches)
    configs = [decode_message(arena.CONFIG, welcome["config"]) for welcome in welcomes]
    report.check(f"{name}: it is a match with teams",
                 all(config["teams"] == 2 for config in configs))
    await until(lambda: all(len(seat.entries) == 4 for seat in seats.values()), 5,
                "not all four were announced")
    teams = next(iter(seats.values())).teams
    report.check(f"{name}: the roster comes first",
                 all(seat.first == "Roster" for seat in seats.values()))
    report.check(f"{name}: everybody is told the same teams", teams.keys() == found.keys()
                 and all(seat.teams == teams for seat in seats.values()), teams)
    report.check(f"{name}: two in each team", sorted(teams.values()) == [1, 1, 2, 2])
    report.check(f"{name}: a party is in one team", len({teams[player] for player in party}) == 1,
                 ", ".join(party))
    return seats


async def check_found(report, lobby):
    """A party of two and two who come alone find each other. Returns their seats."""
    gil, hal, ida, jon = clients = await enter(lobby, "gil", "hal", "ida", "jon")
    await hal.join_party((await gil.open_party())["code"])
    # One after the other, so that all but the last one have to wait.
    first = asyncio.create_task(gil.find(SQUAD))
    await hal.news("Queued")
    third = await ida.queue(SQUAD)
    report.check("three are no match", isinstance(third, Waiting) and not first.done(), third)
    last = asyncio.create_task(jon.find(SQUAD))
    places = await asyncio.gather(first, hal.assigned(5), ida.assigned(5), last)
    found = dict(zip(("gil", "hal", "ida", "jon"), places))
    again = await gil.queue(SQUAD)
    report.check("who asks again is told of the match", isinstance(again, Place)
                 and again[:2] == found["gil"][:2])
    again = await hal.queue(SQUAD)
    report.check("so is another one of the party",
                 isinstance(again, Place) and again[:2] == found["hal"][:2])
    await check_refused(report, "who was led to a match waits no longer", ida.cancel(),
                        "not_queued")
    seats = await check_match(report, "found", found, ("gil", "hal"))
    end(*clients)
    return seats


async def check_timeout(report, lobby):
    """Who waits in vain is told so, in time."""
    client, = await enter(lobby, "kay")
    began = time.monotonic()
    waiting = await client.queue(HURRY)
    report.check("a mode says how long one may wait",
                 isinstance(waiting, Waiting) and waiting.limit == 1000, waiting)
    await check_refused(report, "nobody came", client.assigned(5), "queue_timeout")
    took = time.monotonic() - began
    report.check("it took as long as it may", 0.9 < took < 4, f"{took:.2f} s")
    await check_refused(report, "who was given up waits no longer", client.cancel(), "not_queued")
    end(client)


async def wait_in_vain(report, lobby):
    """Waits for longer than a silent connection lasts."""
    client, = await enter(lobby, "lee")
    await check_refused(report, "a long waiting", client.find(PATIENCE), "queue_timeout")
    end(client)


async def check_kill(report, server, lobby):
    """The server is killed while three wait; they come back, and a fourth comes.

    Returns their seats.
    """
    mia, ned, ova = clients = await enter(lobby, "mia", "ned", "ova")
    await ned.join_party((await mia.open_party())["code"])
    before = {"mia": await mia.queue(SQUAD), "ova": await ova.queue(SQUAD)}
    before["ned"] = Waiting(**(await ned.news("Queued"))[1])
    asked = time.monotonic()
    await asyncio.sleep(1)
    until_kill = (time.monotonic() - asked) * 1000
    await asyncio.to_thread(server.kill)
    end(*clients)
    lobby = await asyncio.to_thread(server.start)

    # The party is not asked for again: its players come back one by one.
    ned, mia, ova = clients = await enter(lobby, "ned", "mia", "ova")
    after = {"ned": Waiting(**(await ned.news("Queued"))[1]),
             "mia": await mia.queue(SQUAD), "ova": await ova.queue(SQUAD)}
    until_now = (time.monotonic() - asked) * 1000
    for player, waiting in after.items():
        more = waiting.waited - before[player].waited if isinstance(waiting, Waiting) else 0
        # What two answers were on their way may differ.
        report.check(f"{player} goes on waiting over a kill",
                     until_kill - 100 <= more <= until_now + JITTER
                     and (waiting.mode, waiting.limit) == (SQUAD, 60_000),
                     f"{more} ms more: {until_kill:.0f} to the kill, {until_now:.0f} in all")
    pia, = await enter(lobby, "pia")
    places = await asyncio.gather(mia.assigned(5), ned.assigned(5), ova.assigned(5),
                                  pia.find(SQUAD))
    found = dict(zip(("mia", "ned", "ova", "pia"), places))
    seats = await check_match(report, "after a kill", found, ("mia", "ned"))
    report.check("the party itself is forgotten", names(await ned.open_party()) == ["ned"])
    end(*clients, pia)
    return seats


async def check_told(report, lobby, match):
    """Who was led to a match before the server was killed, and asks again, is told of the match."""
    client, = await enter(lobby, "hal")
    found = await client.queue(SQUAD)
    report.check("who was led to a match is, after a kill too",
                 isinstance(found, Place) and found.match == match, type(found).__name__)
    end(client)


async def scenario(report, server):
    """All of it, in order."""
    lobby = await asyncio.to_thread(server.start)
    await check_party(report, lobby)
    await check_waiting(report, lobby)
    await check_timeout(report, lobby)
    # Nobody leaves: else who comes later would be led there.
    seats = await check_found(report, lobby)
    match = seats["hal"].session.welcome["match"]
    for seat in seats.values():
        seat.session.abandon()
    seats = await check_kill(report, server, lobby)
    await check_told(report, lobby, match)
    for seat in seats.values():
        seat.session.leave()
    await until(lambda: all(seat.session.closed for seat in seats.values()), 5,
                "who leaves is not let go")
