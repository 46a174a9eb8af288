#!/usr/bin/env python3
"""Plays on a real server, which is killed on the way, and says whether all of it made sense.

    play.py PROGRAM [--json]
"""

import argparse
import asyncio
import json
import math
import pathlib
import signal
import sys
import tempfile
import time
import traceback

from matchkeep_client import frames
from matchkeep_client.arena import Input
from matchkeep_client.connection import Closed, connect
from matchkeep_client.lobby_client import LobbyClient, Refused
from matchkeep_client.player import Player
from matchkeep_client.session import Session
import queueing
from losses import Losses
from observer import TOLERANCE, Observer, differences, distance, position, walked
from report import Report, until
from server import MODE, Server
from walker import TURN, Walker

RUN_SPEED = 320  # units a second


class Participant:
    """A player who walks, and who is observed."""

    def __init__(self, lobby, name):
        self.walker = Walker()
        self.player = Player(lobby, name, MODE, self.walker.steer)
        self.observer = Observer(self.player, self.walker)
        self.task = None

    async def enter(self):
        """Joins through the lobby, and plays from then on."""
        await self.player.enter()
        self.walker.knows(self.player.config)
        self.observer.knows(self.player.config)
        self.task = asyncio.create_task(self.player.play())
        await until(lambda: self.observer.own, 5, "no snapshot came")

    @property
    def slot(self):
        """The place in the match."""
        return self.player.welcome["slot"]

    async def ticks(self, count):
        """Waits until so many ticks were seen."""
        epoch, tick = self.observer.newest
        await until(lambda: self.observer.newest >= (epoch, tick + count), 5 + count / 30, "ticks stopped coming")


async def check_certificate(report, lobby):
    """A server with another certificate than it should have is not spoken to."""
    try:
        await connect(lobby.address, lobby.port, bytes(32), "matchkeep-lobby/1", frames.LOBBY)
        report.check("another fingerprint is refused", False, "the connection was taken")
    except Closed as closed:
        report.check("another fingerprint is refused", closed.reason == "certificate", closed)


async def check_private(report, lobby):
    """A private match is led to by its code, and by nothing else."""
    host, guest = await LobbyClient.enter(lobby, "host"), await LobbyClient.enter(lobby, "guest")
    place = await host.create_private(1, MODE)
    again, other = await host.create_private(1, MODE), await host.create_private(2, MODE)
    report.check("a private match has a code", place.code is not None and len(place.code) == 8, place.code)
    report.check("the same request leads to the same match", again[:3] == place[:3])
    report.check("another request leads to another match", place.match != other.match and place.code != other.code)
    joined = await guest.join_private(place.code.lower())
    report.check("the code leads to it, in small letters too", joined.match == place.match)
    found = await guest.find(MODE)
    report.check("whoever looks for a match is not led to it", found.match not in (place.match, other.match))
    try:
        await guest.join_private("AAAAAAAA")
        report.check("another code is refused", False)
    except Refused as refused:
        report.check("another code is refused", refused.reason == "code_unknown", refused.reason)
    try:
        # The ticket without the secret, but as long as with it.
        await Session.join(joined.endpoint, ("ticket", joined.credential[:-32] + bytes(32)))
        report.check("a ticket without its secret is refused", False)
    except Closed as closed:
        report.check("a ticket without its secret is refused", closed.reason == "ticket_stolen", closed.reason)
    session = await Session.join(joined.endpoint, ("ticket", joined.credential))
    report.check("the ticket is for it", session.welcome["match"] == place.match)
    session.leave()
    await until(lambda: session.closed, 5, "who leaves is not let go")
    for client, match in ((host, place.match), (host, other.match), (guest, found.match)):
        await client.leave(match)
    host.end()
    guest.end()


def check_arrival(report, first, second):
    """The roster comes before anything else, and others are told of who joins."""
    for participant in (first, second):
        tick, name, fields = participant.player.events[0]
        names = [entry["name"] for entry in fields.get("entries", [])]
        report.check(f"{participant.player.name}: the roster comes first",
                     name == "Roster" and participant.player.name in names, f"{name} {names}")
    joined = [fields["entry"] for _, name, fields in first.player.events if name == "Joined"]
    report.check("who joins is announced",
                 {"slot": second.slot, "player": second.player.welcome["player"],
                  "name": second.player.name, "team": 0} in joined, joined)


async def check_steps(report, participant):
    """The own entity does what the inputs say, from the very tick that they say."""
    walker = participant.walker
    walker.ordered = Input()
    for name, yaw_offset, forward, side in (
            ("forward", 0, 127, 0), ("right", TURN // 4, 0, 127), ("backward", TURN // 2, -127, 0)):
        # A machine that is busy may keep the inputs of some ticks from being sent in time; the snapshots
        # say so, and what was meant is not what was played then.
        for _ in range(5):
            await standing(participant)
            heading = walker.direction()
            order = Input(yaw=(heading + yaw_offset) % TURN, forward=forward, side=side)
            # Looking for the way takes longer than inputs are early.
            await participant.ticks(10)
            begin, missing = await walk(participant, order)
            if not missing:
                break
        check_step(report, participant, name, heading, begin, missing)
    await standing(participant)
    await check_jump(report, participant)
    walker.ordered = None


async def walk(participant, order):
    """Gives an order for some ticks. Returns the first of them, and for how many of 40 no input came."""
    walker, observer = participant.walker, participant.observer
    begin = max(walker.given) + 1
    walker.ordered = order
    await participant.ticks(45)
    walker.ordered = Input(yaw=order.yaw)
    epoch = observer.newest[0]
    headers = [observer.headers.get((epoch, tick)) for tick in range(begin - 1, begin + 40)]
    return begin, sum(header is None or header.missing & 1 for header in headers)


async def standing(participant):
    """Waits until someone who does nothing stands: off a ledge, that takes a moment."""
    def stands():
        own = participant.observer.own[participant.observer.newest]
        return speed(own) == 0 and own.value("vz") == 0 and own.value("on_ground")

    await until(stands, 5, "the player does not come to stand")


def check_step(report, participant, name, heading, begin, missing):
    """From standing, an order leads along `heading`, within 40 ticks at running speed."""
    report.check(f"{name}: all inputs come", not missing, f"{missing} of 40 did not" if missing else "")
    if missing:
        return
    own, epoch = participant.observer.own, participant.observer.newest[0]
    before, first = own[epoch, begin - 1], own[epoch, begin]
    # Up to where it is fastest: who falls off a ledge may meet something down there.
    last = max((own[epoch, tick] for tick in range(begin, begin + 40)), key=speed)
    x, y, _ = (b - a for a, b in zip(position(before), position(last)))
    off = math.degrees(math.atan2(y, x)) - heading * 360 / TURN
    off = (off + 180) % 360 - 180
    report.check(f"{name}: along the yaw", abs(off) < 1, f"{off:.2f} degrees off after {math.hypot(x, y):.0f} units")
    report.check(f"{name}: from its own tick on", speed(before) == 0 and speed(first) > 0,
                 f"at once {speed(first):.1f} units/s")
    report.check(f"{name}: at running speed", abs(speed(last) - RUN_SPEED) < 2, f"{speed(last):.1f} units/s")


async def check_jump(report, participant):
    """A jump leaves the ground and comes back to it."""
    ground = position(participant.observer.own[participant.observer.newest])[2]
    since = participant.observer.newest
    participant.walker.ordered = Input(jump=True)
    await participant.ticks(8)
    participant.walker.ordered = Input()
    await participant.ticks(60)
    heights = [position(own)[2] - ground for at, own in participant.observer.own.items() if at > since]
    report.check("a jump goes up and comes down", max(heights) > 20 and abs(heights[-1]) < 1,
                 f"{max(heights):.1f} units high")


def speed(own):
    """How fast someone is over ground."""
    return math.hypot(own.value("vx"), own.value("vy"))


def check_sight(report, name, walker, witness, epoch, since):
    """The witness sees the walker where the walker is told to be, tick by tick, and on the move."""
    path = witness.observer.path(walker.slot, epoch, since)
    both = [(distance(where, position(walker.observer.own[epoch, tick]))) for tick, where in path
            if (epoch, tick) in walker.observer.own]
    report.check(f"{name}: seen where it is", len(both) > 100 and max(both) <= 2 * TOLERANCE,
                 f"{len(both)} ticks, {max(both, default=math.nan):.3f} units apart at most")
    report.check(f"{name}: seen to walk", walked(path) > 150, f"{walked(path):.0f} units")


async def check_watched(report, server, walker, watcher):
    """A bot of the server's own program, which decodes by itself, sees the walker move."""
    printed, _ = await asyncio.to_thread(watcher.communicate, timeout=20)
    key = await busiest(server)
    moved = [row["moved_units"] for row in json.loads(printed)["seen"]
             if (row["match"], row["slot"]) == (key, walker.slot)]
    report.check("the walker is seen to move by a bot", len(moved) == 1 and moved[0] > 150,
                 ", ".join(f"{units:.0f} units" for units in moved) or "it was not seen")


async def busiest(server):
    """The match that is played. Private ones may be there still; nobody plays in them."""
    matches = await asyncio.to_thread(server.matches)
    return max(matches, key=lambda row: row["players"] + row["held"])["id"]


async def check_state(report, name, server, participant):
    """What was decoded is what the server has, field by field. Returns where the server has the player."""
    key = await busiest(server)
    # Not every tick is sent, and not every one that is sent arrives.
    for _ in range(10):
        tick, state = await asyncio.to_thread(server.entities, key)
        epoch = participant.observer.newest[0]
        await until(lambda: participant.observer.newest >= (epoch, tick), 5, "the state's tick did not come")
        if (epoch, tick) in participant.observer.seen:
            break
    entities = participant.observer.seen[epoch, tick]
    found = differences(entities, state, participant.slot)
    report.check(f"{name}: as in the server's state", not found,
                 "; ".join(found[:3]) or f"{len(entities)} entities of tick {tick}")
    return next((tuple(entity["fields"][axis] for axis in "xyz") for entity in state.values()
                 if entity["kind"] == "player" and entity["fields"]["slot"] == participant.slot), None)


async def check_losses(report, server, lobby):
    """On a network that loses and delays, what is decoded is right as well."""
    loser = Participant(lobby, "loser")
    await loser.enter()
    losses = Losses(loser.player.session)
    for number in range(3):
        await asyncio.sleep(0.7)
        await check_state(report, f"with losses, look {number + 1}", server, loser)
    distances = {header.tick - header.baseline for header in loser.observer.headers.values()
                 if header.baseline is not None}
    report.check("with losses: baselines of several distances", len(distances) > 2,
                 f"{sorted(distances)} ticks; {losses.lost} datagrams lost, {losses.delayed} delayed")
    report.check("with losses: snapshots make sense", not loser.observer.faults,
                 "; ".join(loser.observer.faults[:3]) or f"{loser.observer.snapshots} snapshots")
    loser.player.leave()
    await asyncio.wait_for(loser.task, 5)


def check_bots(report, participant, epoch):
    """Other players are seen, and they move."""
    slots = {slot for at in participant.observer.seen if at[0] == epoch
             for slot in participant.observer.players(at)} - {participant.slot}
    far = {slot: walked(participant.observer.path(slot, epoch)) for slot in slots}
    moving = [slot for slot, length in far.items() if length > 100]
    report.check("bots are seen to play", len(moving) >= 3,
                 ", ".join(f"slot {slot}: {far[slot]:.0f} units" for slot in sorted(far)))
    kinds = {name for _, name, _ in participant.player.events}
    report.check("events come", len(kinds) >= 3, ", ".join(sorted(kinds)))


async def check_return(report, server, participants):
    """The server is killed and started anew: players come back to the same places in the same match."""
    before = [dict(participant.player.welcome) for participant in participants]
    await asyncio.to_thread(server.kill)
    killed = time.monotonic()
    last = [participant.observer.newest for participant in participants]
    # One is to come back by its token alone, the other by way of the lobby.
    participants[1].player.lose_token()
    await asyncio.sleep(0.5)
    await asyncio.to_thread(server.start)
    await until(lambda: all(participant.player.returns for participant in participants), 15, "nobody came back")
    took = time.monotonic() - killed
    await until(lambda: all(participant.observer.newest[0] == participant.player.epoch
                            for participant in participants), 5, "no snapshot came")
    for participant, old, (epoch, tick), how in zip(participants, before, last, ("token", "ticket")):
        player, new = participant.player, participant.player.welcome
        report.check(f"{player.name}: comes back", player.returns == [how],
                     f"by {', '.join(player.returns)}, {took:.2f} s after the kill")
        same = [(old[field], new[field]) for field in ("match", "player", "slot")]
        report.check(f"{player.name}: to the same place", all(a == b for a, b in same),
                     f"slot {new['slot']}")
        report.check(f"{player.name}: in a higher epoch", new["epoch"] > epoch, f"{epoch}, now {new['epoch']}")
        report.check(f"{player.name}: what was told had happened", tick - 120 <= new["resumed"] <= new["tick"],
                     f"seen up to tick {tick}, resumed from {new['resumed']}")
        beyond = [event for event in player.events_of(epoch) if event[0] > new["resumed"]]
        report.check(f"{player.name}: what did not happen is dropped", not beyond, f"{player.undone} events")


def check_snapshots(report, participant):
    """Of all snapshots that were received, over both epochs."""
    observer, name = participant.observer, participant.player.name
    report.check(f"{name}: snapshots make sense", not observer.faults,
                 "; ".join(observer.faults[:3]) or f"{observer.snapshots} snapshots")
    report.check(f"{name}: ticks rise by one", observer.gaps < 0.05 * observer.snapshots,
                 f"{observer.gaps} gaps in {observer.snapshots}")
    report.check(f"{name}: nearly all build on a baseline", observer.whole < 0.1 * observer.snapshots,
                 f"{observer.whole} do not")
    substituted = sum(header.missing & 1 for header in observer.headers.values())
    report.check(f"{name}: inputs come in time", substituted < 0.3 * observer.snapshots,
                 f"{substituted} of {observer.snapshots} ticks had none")


async def check_leave(report, walker, witness):
    """Who leaves is let go, and the others are told."""
    walker.player.leave()
    reason = await asyncio.wait_for(walker.task, 5)
    report.check("who leaves is let go", reason == "left", reason)
    try:
        await until(lambda: any(name == "Left" and fields["slot"] == walker.slot
                                for _, name, fields in witness.player.events), 5, "nothing was told")
        report.check("the others are told", True)
    except TimeoutError as error:
        report.check("the others are told", False, error)
    witness.player.leave()
    await asyncio.wait_for(witness.task, 5)


async def scenario(report, server):
    """All of it, in order."""
    lobby = await asyncio.to_thread(server.start)
    patient = asyncio.create_task(queueing.wait_in_vain(report, lobby))
    await check_certificate(report, lobby)
    await check_private(report, lobby)
    walker, witness = Participant(lobby, "walker"), Participant(lobby, "witness")
    walker.walker.ordered = witness.walker.ordered = Input()
    await walker.enter()
    await witness.enter()
    await until(lambda: any(name == "Joined" for _, name, _ in walker.player.events), 5, "nobody was announced")
    check_arrival(report, walker, witness)
    await check_steps(report, walker)

    bots, watcher = server.bots(3, 40), server.watcher(4)
    try:
        witness.walker.ordered = None
        epoch, since = walker.observer.newest
        await walker.ticks(300)
        check_bots(report, walker, epoch)
        check_sight(report, "the walker", walker, witness, epoch, since)
        await check_watched(report, server, walker, watcher)
        await check_state(report, "the walker's view", server, walker)
        await check_state(report, "the witness's view", server, witness)
        await check_losses(report, server, lobby)
        await patient

        await check_return(report, server, (walker, witness))
        epoch, since = walker.observer.newest
        before = await check_state(report, "the walker's view, afterwards", server, walker)
        await walker.ticks(240)
        await check_state(report, "the witness's view, afterwards", server, witness)
        after = await check_state(report, "the walker's view, in the end", server, walker)
        report.check("the server's own state has the walker move", None not in (before, after) and before != after,
                     f"from {before} to {after}")
        check_sight(report, "the walker, afterwards", walker, witness, epoch, since)
        for participant in (walker, witness):
            check_snapshots(report, participant)
        await check_leave(report, walker, witness)
    finally:
        for process in (bots, watcher):
            process.terminate()
            process.wait()


def run(report, program, part):
    """Plays one part on a server of its own. Returns the end of its log, where something failed."""
    failed = report.failed
    with tempfile.TemporaryDirectory() as folder:
        server = Server(program, pathlib.Path(folder))
        try:
            asyncio.run(part(report, server))
        except (TimeoutError, ConnectionError, RuntimeError, KeyError, Refused) as error:
            where = traceback.extract_tb(error.__traceback__)
            report.check("the scenario runs to its end", False, f"{type(error).__name__}: {error} "
                         + "; ".join(f"{frame.name}, line {frame.lineno}" for frame in where
                                     if frame.filename in (__file__, queueing.__file__)))
        finally:
            code = server.stop()
        report.check("the server stops in order", code == 0, f"exit code {code}")
        return server.log() if report.failed > failed else []


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program", type=pathlib.Path, help="the server program")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    arguments = parser.parse_args()
    # A server must not outlive who started it.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    report = Report()
    began = time.monotonic()
    log = []
    for part in (scenario, queueing.scenario):
        log += run(report, arguments.program.resolve(), part)
    seconds = round(time.monotonic() - began, 1)
    if arguments.json:
        print(json.dumps({"passed": not report.failed, "seconds": seconds, "checks": report.checks, "log": log}))
    else:
        for check in report.checks:
            print(f"{'ok    ' if check['passed'] else 'FAILED'}  {check['name']}"
                  + (f": {check['detail']}" if check["detail"] else ""))
        print(*log, sep="\n", end="\n" if log else "")
        print(f"{len(report.checks)} checks, {report.failed} failed, {seconds} s")
    return 1 if report.failed else 0


if __name__ == "__main__":
    sys.exit(main())
