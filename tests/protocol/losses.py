"""A network that loses some datagrams, and delays others so that they are overtaken."""

import asyncio
import random

LOST, DELAYED = 0.2, 0.1
DELAY = 0.1  # seconds at most


class Losses:
    """Stands between a session and its connection."""

    def __init__(self, session, seed=1):
        self._random = random.Random(seed)
        self.lost = self.delayed = 0
        connection = session._connection
        connection.on_datagram = self._between(connection, connection.on_datagram)
        connection.send_datagram = self._between(connection, connection.send_datagram)

    def _between(self, connection, deliver):
        def later(data):
            if not connection.closed:
                deliver(data)

        def chance(data):
            fate = self._random.random()
            if fate < LOST:
                self.lost += 1
            elif fate < LOST + DELAYED:
                self.delayed += 1
                asyncio.get_running_loop().call_later(self._random.uniform(0, DELAY), later, data)
            else:
                deliver(data)

        return chance
