"""Time as the dispatcher sees it, so that a test may own it; and a sleep that can be cut short."""

import asyncio
import time
from typing import Final, Protocol

_TICK_S: Final = 0.001  # shortest sleep: a sum of floats that falls short of its due time must not make a busy loop
_DAY_S: Final = 86_400.0


class Clock(Protocol):
    """What tells the time."""

    def now(self) -> float:
        """Seconds that only go forward, on the scale of `time.monotonic()`."""

    def unix(self) -> float:
        """Unix time in seconds."""

    async def sleep(self, seconds: float) -> None:
        """Return after that many seconds."""


class SystemClock:
    """The machine's own clock."""

    def now(self) -> float:
        """See `Clock`."""
        return time.monotonic()

    def unix(self) -> float:
        """See `Clock`."""
        return time.time()

    async def sleep(self, seconds: float) -> None:
        """See `Clock`."""
        await asyncio.sleep(seconds)


class Alarm:
    """Lets one task sleep until a moment has come or somebody rings."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._rung = False
        self._sleep: asyncio.Future[None] | None = None

    def ring(self) -> None:
        """Wake the sleeper, or keep it from falling asleep the next time."""
        self._rung = True
        if self._sleep is not None:
            self._sleep.cancel()

    async def wait_until(self, moment: float) -> None:
        """Sleep until `clock.now()` is about `moment` (which may be infinite) or `ring` is called."""
        if not self._rung:
            seconds = min(max(moment - self._clock.now(), _TICK_S), _DAY_S)
            self._sleep = asyncio.ensure_future(self._clock.sleep(seconds))
            try:
                await asyncio.wait([self._sleep])
            finally:
                self._sleep.cancel()
                self._sleep = None
        self._rung = False
