"""Work in many small steps on the event loop: it turns when they have taken a while, not after each."""

import asyncio
import math
import time
from collections.abc import Callable
from typing import Final

_LONGEST_S: Final = 0.002
"""A turn with nothing to do takes some ten microseconds, a step of work as much or ten times that."""


class Turn:
    """The event loop's present turn, as those know it who share this; `now` tells seconds that only go forward."""

    def __init__(self, now: Callable[[], float] = time.perf_counter) -> None:
        self._now = now
        self._began = -math.inf
        self._awaited = False

    async def end_if_long(self) -> None:
        """Let the event loop turn, if this turn has taken long or nobody knows when it began."""
        if self._now() - self._began < _LONGEST_S:
            return
        if not self._awaited:
            self._awaited = True
            asyncio.get_running_loop().call_soon(self._begin)
        await asyncio.sleep(0)

    def _begin(self) -> None:
        self._began = self._now()
        self._awaited = False
