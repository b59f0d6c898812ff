"""Time as the dispatcher sees it, so that a test may own it; and a sleep that can be cut short."""

import asyncio
import math
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
    """Lets one task sleep until a moment has come or somebody rings; `stop` is its end.

    Whoever is rung for often, and sleeps until ever later moments, must not pay for a timer each time: one that is set
    for an earlier moment stays, and is set anew when it goes off.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._rung = False
        self._sleeper: asyncio.Future[None] | None = None
        self._timer: asyncio.Task[None] | None = None
        self._set_for = math.inf

    def ring(self) -> None:
        """Wake the sleeper, or keep it from falling asleep the next time."""
        self._rung = True
        self._wake()

    async def wait_until(self, moment: float) -> None:
        """Sleep until `clock.now()` is about `moment` (which may be infinite) or `ring` is called."""
        now = self._clock.now()
        until = now + min(max(moment - now, _TICK_S), _DAY_S)
        while not self._rung:
            if self._timer is None or self._set_for > until:
                self._set_timer(until)
            self._sleeper = asyncio.get_running_loop().create_future()
            try:
                await self._sleeper
            except asyncio.CancelledError:
                self.stop()
                raise
            if self._timer is None and self._set_for >= until:
                break
        self._rung = False

    def stop(self) -> None:
        """Leave no timer behind; to be called when nobody will sleep any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _set_timer(self, moment: float) -> None:
        self.stop()
        self._set_for = moment
        self._timer = asyncio.ensure_future(self._clock.sleep(moment - self._clock.now()))
        self._timer.add_done_callback(self._went_off)

    def _went_off(self, timer: asyncio.Task[None]) -> None:
        if timer is self._timer:
            self._timer = None
            self._wake()

    def _wake(self) -> None:
        if self._sleeper is not None and not self._sleeper.done():
            self._sleeper.set_result(None)
