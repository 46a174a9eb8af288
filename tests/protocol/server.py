"""The server program as a process that can be killed and started again."""

import json
import signal
import subprocess
import time

from matchkeep_client.lobby_client import Endpoint

MODE = "proof"
# Modes in which players wait for each other: with two teams of two; for a moment; and for longer
# than a connection lasts on which nothing is said.
SQUAD, HURRY, PATIENCE = "squad", "hurry", "patience"
# A small map, so that everybody is in sight of everybody, and a match that begins soon.
SETTINGS = f"""
[modes.{MODE}]
players_max = 8
players_min = 2
map = "duel"

[modes.{MODE}.rules]
warmup_seconds = 6
countdown_seconds = 1

[modes.{SQUAD}]
players_max = 4
teams = 2
wait_seconds = 60
map = "duel"

[modes.{HURRY}]
players_max = 2
form_min = 2
wait_seconds = 1

[modes.{PATIENCE}]
players_max = 2
form_min = 2
wait_seconds = 10
"""


class Server:
    """A server on a folder of its own, at the same addresses each time it is started."""

    def __init__(self, program, folder):
        self._program = program
        self._folder = folder
        self._lobby_port = self._shard_port = 0
        self._process = None
        (folder / "matchkeep.toml").write_text(SETTINGS)

    def start(self):
        """Starts it, and returns when it can be reached: where the lobby is."""
        with open(self._folder / "log", "ab") as log:
            self._process = subprocess.Popen(
                [self._program, "serve", "--config", self._folder / "matchkeep.toml",
                 "--data", self._data(), "--lobby-port", str(self._lobby_port),
                 "--shard-port", str(self._shard_port), "--admin", "127.0.0.1:0", "--shards", "1",
                 "--pin", "false", "--json"],
                stdout=subprocess.PIPE, stderr=log, text=True)
        endpoints = json.loads(self._process.stdout.readline())
        # A client that comes back by itself looks where it was before.
        address, self._lobby_port = _split(endpoints["lobby"])
        _, self._shard_port = _split(endpoints["shards"][0])
        fingerprint = (self._data() / "lobby.fingerprint").read_text().strip()
        return Endpoint(address, self._lobby_port, bytes.fromhex(fingerprint))

    def kill(self):
        """SIGKILL: it gets to say and to write nothing."""
        self._process.kill()
        self._process.wait()

    def stop(self):
        """SIGTERM, as an operator would; returns the exit code."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        return self._process.returncode

    def bots(self, count, seconds):
        """Bots that play to win."""
        return subprocess.Popen(
            [self._program, "bots", "--count", str(count), "--mode", MODE, "--seconds", str(seconds),
             "--data", self._data()],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def watcher(self, seconds):
        """One bot that plays to win, and prints at the end how far it saw whom move."""
        return subprocess.Popen(
            [self._program, "bots", "--count", "1", "--name", "watcher", "--mode", MODE, "--seconds", str(seconds),
             "--data", self._data(), "--json"],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)

    def matches(self):
        """The running matches, as the server sees them."""
        return self._ask("match", "ls")

    def entities(self, match):
        """The tick that the server is at, and all entities of the match there, by ID."""
        answer = self._ask("match", "inspect", match, "--field", "entities")
        return answer["tick"], {int(entity_id): entity for entity_id, entity in answer["value"].items()}

    def log(self, lines=20):
        """The end of what it logged."""
        return (self._folder / "log").read_text().splitlines()[-lines:]

    def _ask(self, *arguments):
        answer = subprocess.run([self._program, *arguments, "--json", "--data", self._data()],
                                capture_output=True, text=True, timeout=20)
        if answer.returncode:
            raise RuntimeError(f"{' '.join(arguments)}: {answer.stderr.strip()}")
        return json.loads(answer.stdout)

    def _data(self):
        return self._folder / "data"


def wait_for(condition, seconds, what):
    """Waits until something is so."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(what)
        time.sleep(0.05)


def _split(address):
    host, port = address.rsplit(":", 1)
    return host, int(port)
