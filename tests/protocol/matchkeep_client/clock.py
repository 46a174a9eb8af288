"""When to send the input of which tick."""

# How early inputs should come, in seconds: more than one tick, so that a late wake-up costs nothing.
LEAD = 0.025
# The share of an error that one snapshot corrects. What was sent since is not in it yet: a large share
# would correct the same error several times.
GAIN = 0.04
# The server refuses inputs for more than so many ticks ahead.
AHEAD_MAX = 64


class InputClock:
    """Runs ahead of the server's ticks, so that each input is there when its tick comes."""

    def __init__(self, rate, tick, now):
        """A snapshot of `tick` was just received."""
        self._period = 1 / rate
        self._start(tick, now)

    def due(self, now):
        """The newest tick whose input should have been sent by now."""
        return int((now - self._zero) / self._period)

    def wait(self, now):
        """Seconds until the next tick's input is due."""
        return self._zero + (self.due(now) + 1) * self._period - now

    def correct(self, tick, now, margin):
        """A snapshot of `tick` says how early the newest input came, in seconds."""
        if tick < self.due(now) <= tick + AHEAD_MAX:
            self._zero += GAIN * max(-0.1, min(0.1, margin - LEAD))
        else:
            # What would be sent now is too late, or refused: small steps would take too long.
            self._start(tick, now)

    def _start(self, tick, now):
        self._zero = now - LEAD - (tick + 1) * self._period
