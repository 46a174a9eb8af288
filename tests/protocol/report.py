"""What a run checks, and what came of it."""

import asyncio
import time


class Report:
    """What was checked, and what came of it."""

    def __init__(self):
        self.checks = []

    def check(self, name, good, detail=""):
        """Notes a check; what failed is the run's failure."""
        self.checks.append({"name": name, "passed": bool(good), "detail": str(detail)})

    @property
    def failed(self):
        """How many checks failed."""
        return sum(not check["passed"] for check in self.checks)


async def until(condition, seconds, what):
    """Waits until something is so."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(what)
        await asyncio.sleep(0.01)
