"""What replicas tell one another of trails, at a price: texts revised as by `Notes`, a second a minute in all."""

import math
import time
from collections.abc import Callable
from typing import Final

from stream.ledger.interface import Notes

_WINDOW_S: Final = 60.0
_BUDGET_S: Final = 1.0
"""Alerts of one message wait for one another here, and a file may hold thousands of stops."""


class Sharing:
    """One replica's part in it.

    After a failure, and once alerts have waited for a second within a minute, the others are left alone until the
    minute is over: what is seen meanwhile, this process alone knows until it shares something of that trail again.

    Args:
        notes: what all replicas see; `None`: there is no such thing.
        now: tells the time in seconds.
    """

    def __init__(self, notes: Notes | None, *, now: Callable[[], float] = time.monotonic) -> None:
        self._notes = notes
        self._now = now
        self._until = -math.inf
        self._left_s = 0.0

    async def revise(self, name: str, revision: Callable[[str | None], str]) -> bool:
        """See `Notes`; false also if it was not tried."""
        began = self._now()
        if began >= self._until:
            self._until, self._left_s = began + _WINDOW_S, _BUDGET_S
        if self._notes is None or self._left_s <= 0:
            return False
        shared = await self._notes.revise(name, revision)
        self._left_s = self._left_s - (self._now() - began) if shared else 0.0
        return shared
