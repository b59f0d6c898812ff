"""How long a trail was off: alerts in as they are found, in any order; those of its start out with the gap said.

In memory, of what this process has seen; an alert's id stays as it is. Nothing is said where no stop is known.
"""

from bisect import insort
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

from stream.alert import Alert, Change
from stream.deliver.moment import moment, rfc_3339
from stream.deliver.text import cut
from stream.deliver.trail import incident_key, trail_arn

FIELD: Final = "loggingGap"
"""The field of the change that an alert is given."""

_SOURCE: Final = "cloudtrail.amazonaws.com"
_MOST_TRAILS: Final = 10_000
_MOST_STOPS: Final = 20  # of one trail, with no start after them
_MAX_SUMMARY: Final = 480  # characters, with the gap at the end of it: no channel cuts a summary below that at first


@dataclass(frozen=True, slots=True)
class _Gap:
    """Of the events' own times: the stops, from the first on, and the start that ended it."""

    stops: tuple[datetime, ...]
    start: datetime

    @property
    def seconds(self) -> int:
        return int((self.start - self.stops[0]).total_seconds())


@dataclass(slots=True)
class _Trail:
    """What is known of one trail.

    Attributes:
        stops: with no start after them, the earliest first.
        start: the latest.
        gap: the last that was told, to tell it again when its start is found again.
    """

    stops: list[datetime] = field(default_factory=list)
    start: datetime | None = None
    gap: _Gap | None = None

    def stopped(self, at: datetime) -> None:
        """Note a stop, unless it is there already or a later start has answered it."""
        if at in self.stops or (self.start is not None and at <= self.start):
            return
        insort(self.stops, at)
        if len(self.stops) > _MOST_STOPS:
            del self.stops[1]  # what counts are the first and the last

    def started(self, at: datetime) -> _Gap | None:
        """Note a start; return the gap that it ends, if a stop before it is known."""
        if self.gap is not None and self.gap.start == at:
            return self.gap
        stops = tuple(stop for stop in self.stops if stop < at)
        if not stops and self.gap is not None and at < self.gap.start:  # the file of an earlier start came late
            stops = tuple(stop for stop in self.gap.stops if stop < at)
        self.stops = [stop for stop in self.stops if stop > at]
        self.start = at if self.start is None else max(self.start, at)
        if stops:
            self.gap = _Gap(stops, at)
            return self.gap
        return None


class Gaps:
    """Remembers which trails were stopped.

    Args:
        alone: no other replica works on the same queue. One that does may have seen a start in between, so that the
            time since the first stop is only the longest that the trail can have been off.
    """

    def __init__(self, *, alone: bool = True) -> None:
        self._alone = alone
        self._trails: dict[str, _Trail] = {}  # the one seen last is the last

    def __len__(self) -> int:
        """Trails remembered."""
        return len(self._trails)

    def told(self, alert: Alert) -> Alert:
        """Note what an alert tells of its trail; return it, with the gap said where it ends one."""
        event = alert.event
        if event.outcome != "success" or event.source != _SOURCE or event.name not in ("StopLogging", "StartLogging"):
            return alert
        at = moment(event.time)
        if at is None or trail_arn(alert) is None:
            return alert
        trail = self._trail(incident_key(alert))
        if event.name == "StopLogging":
            trail.stopped(at)
            return alert
        gap = trail.started(at)
        return alert if gap is None else self._said(alert, gap)

    def _trail(self, key: str) -> _Trail:
        trail = self._trails.pop(key) if key in self._trails else _Trail()
        self._trails[key] = trail
        if len(self._trails) > _MOST_TRAILS:
            del self._trails[next(iter(self._trails))]
        return trail

    def _said(self, alert: Alert, gap: _Gap) -> Alert:
        first, last, start = rfc_3339(gap.stops[0]), rfc_3339(gap.stops[-1]), rfc_3339(gap.start)
        longest = duration(gap.seconds)
        if self._alone and len(gap.stops) == 1:
            off, when = f"off for {longest}", f"from {first} to {start}"
        else:
            again = f", last stopped at {last}" if len(gap.stops) > 1 else ""
            off, when = f"off for up to {longest}", f"stopped at {first}{again}, started at {start}"
        sentence = f"It was {off} ({when})."
        summary = f"{cut(alert.summary, _MAX_SUMMARY - len(sentence) - 1)} {sentence}"
        value = {"from": first, "to": start, "seconds": gap.seconds, "stops": len(gap.stops)}
        change = Change(FIELD, value, f"the trail was {off}, in which it recorded nothing")
        return replace(alert, summary=summary, changes=(*alert.changes, change))


def duration(seconds: int) -> str:
    """So many whole seconds for people, in its two largest units: `2 h 13 min`."""
    minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86_400
    if days:
        return f"{days} d {hours % 24} h"
    if hours:
        return f"{hours} h {minutes % 60} min"
    return f"{minutes} min {seconds % 60} s" if minutes else f"{seconds} s"
