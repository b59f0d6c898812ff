"""Log lines in; out, the same without a flood of those that say one thing again and again, and how many were left out.

What names a message, an object or an alert is never left out: each such line is the only one about what it names.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import structlog
from structlog.typing import EventDict, WrappedLogger

MOST: Final = 20
"""Lines of one kind within `WINDOW_S`."""

WINDOW_S: Final = 60.0
_MOST_KINDS: Final = 1000
_NAMING: Final = frozenset({"message_id", "key", "alert_id", "event_id", "filter"})
_KIND: Final = ("level", "event", "reason", "channel")

_Kind = tuple[str, ...]


@dataclass(slots=True)
class _Seen:
    until: float
    lines: int = 0
    left_out: int = 0
    last: EventDict = field(default_factory=dict)


class Repeats:
    """A processor of structlog's, the last before the renderer.

    Args:
        write: writes a line by itself: the last one of a kind, with `repeated`, when nothing else carries that number.
        now: tells the time in seconds.
    """

    def __init__(self, write: Callable[[EventDict], None], *, now: Callable[[], float] = time.monotonic) -> None:
        self._write = write
        self._now = now
        self._seen: dict[_Kind, _Seen] = {}  # the oldest window comes first

    def __call__(self, _: WrappedLogger, __: str, event: EventDict) -> EventDict:
        """Let a line pass, with the number of those before it that did not; or raise `DropEvent`."""
        now = self._now()
        kind = tuple(str(event.get(name, "")) for name in _KIND)
        ended = self._seen.get(kind)
        if ended is not None and ended.until <= now:  # the line itself can say it
            del self._seen[kind]
            if ended.left_out:
                event["repeated"] = ended.left_out
        self._tell(now)
        if not _NAMING.isdisjoint(event) or (kind not in self._seen and len(self._seen) >= _MOST_KINDS):
            return event
        seen = self._seen.setdefault(kind, _Seen(now + WINDOW_S))
        seen.lines += 1
        if seen.lines <= MOST:
            return event
        seen.left_out += 1
        seen.last = event
        raise structlog.DropEvent

    def flush(self) -> None:
        """Write how many of each kind were left out and not told yet."""
        self._tell(float("inf"))

    def _tell(self, now: float) -> None:
        while self._seen:
            kind, seen = next(iter(self._seen.items()))
            if seen.until > now:
                return
            del self._seen[kind]
            if seen.left_out:
                self._write({**seen.last, "repeated": seen.left_out})
