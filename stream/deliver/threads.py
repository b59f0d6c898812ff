"""The first message of each incident, so that what comes later is told below it.

In memory: a replica knows its own. Where none is known, the message stands by itself, which costs no alert.
"""

import time
from collections.abc import Callable
from typing import Final

_LASTS_S: Final = 24 * 3600.0
_MOST: Final = 10_000


class Threads:
    """Remembers so many incidents, each for so long.

    Args:
        lasts_s: seconds from the first message on; what comes later begins anew.
        most: incidents; the oldest gives way.
        now: tells the time in seconds.
    """

    def __init__(
        self, *, lasts_s: float = _LASTS_S, most: int = _MOST, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._lasts_s = lasts_s
        self._most = most
        self._now = now
        self._first: dict[str, tuple[str, float]] = {}  # in the order of their ends

    def __len__(self) -> int:
        """Incidents remembered."""
        return len(self._first)

    def first(self, incident: str) -> str | None:
        """The service's name for the first message of an incident."""
        self._expire()
        found = self._first.get(incident)
        return None if found is None else found[0]

    def begin(self, incident: str, message: str) -> None:
        """A message was accepted that is the first of its incident."""
        self._first.pop(incident, None)
        self._first[incident] = (message, self._now() + self._lasts_s)
        self._expire()

    def forget(self, incident: str) -> None:
        """The first message is there no more."""
        self._first.pop(incident, None)

    def _expire(self) -> None:
        while self._first:
            oldest = next(iter(self._first))
            if len(self._first) <= self._most and self._first[oldest][1] > self._now():
                return
            del self._first[oldest]
