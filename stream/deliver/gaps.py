"""How long a trail was off: alerts in as they are found, in any order; out, with what is known of before and after.

A start says for how long the trail was off, and is grave for that; a stop, that it was stopped before or has been
started again. Of what this process has seen, and where the ledger is shared, of what any replica has. An alert's id
stays as it is. Nothing is said where nothing is known, and no alert waits long for it.
"""

import json
import time
from bisect import insort
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final, Self

from stream.alert import Alert, Change
from stream.deliver.moment import moment, rfc_3339
from stream.deliver.sharing import Sharing
from stream.deliver.text import cut
from stream.deliver.trail import incident_id, incident_key, trail_arn
from stream.detect.actor import is_root
from stream.detect.finding import shifted, worst
from stream.json_value import at as at_path
from stream.json_value import items
from stream.ledger.interface import Notes
from stream.severity import Severity

FIELD: Final = "loggingGap"
"""The field of the change that an alert is given."""

_SOURCE: Final = "cloudtrail.amazonaws.com"
_MOST_TRAILS: Final = 10_000
_MOST_STOPS: Final = 20  # of one trail, with no start after them
_STOPS: Final = ("StopLogging", "DeleteTrail")
"""A trail that is deleted is off too, until one is made under its name and started."""
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

    def apply(self, name: str, at: datetime) -> _Gap | None:
        """Note an event; return the gap that it ends, if it ends one. Twice the same is as once."""
        if name in _STOPS:
            self.stopped(at)
            return None
        return self.started(at)

    def before(self, at: datetime) -> datetime | None:
        """The first stop before this one, with no start between them that is known."""
        return next((stop for stop in self.stops if stop < at), None)

    def after(self, at: datetime) -> datetime | None:
        """A start after this stop: the first, as far as it is known."""
        if self.gap is not None and self.gap.stops[0] <= at < self.gap.start:
            return self.gap.start
        return self.start if self.start is not None and at < self.start else None

    def merge(self, other: Self) -> None:
        """Learn what somebody else knows."""
        starts = [start for start in (self.start, other.start) if start is not None]
        self.start = max(starts, default=None)
        stops = sorted({*self.stops, *other.stops})
        self.stops = [stop for stop in stops if self.start is None or stop > self.start]
        del self.stops[1 : max(1, len(self.stops) - _MOST_STOPS + 1)]
        gaps = [gap for gap in (self.gap, other.gap) if gap is not None]
        # Of one stop, the start that came first has ended it, however late its file was read.
        self.gap = max(gaps, key=lambda gap: (gap.stops[0], -gap.start.timestamp(), len(gap.stops)), default=None)

    def text(self) -> str:
        """All of it, for others."""
        gap = None if self.gap is None else {"stops": _texts(self.gap.stops), "start": rfc_3339(self.gap.start)}
        start = None if self.start is None else rfc_3339(self.start)
        return json.dumps({"stops": _texts(self.stops), "start": start, "gap": gap}, separators=(",", ":"))

    @classmethod
    def of(cls, text: str | None) -> Self:
        """What `text` gave; of anything else, nothing is known."""
        try:
            told = json.loads(text or "{}")
        except (ValueError, RecursionError):
            return cls()
        stops, start = _moments(at_path(told, "gap", "stops")), _moment(at_path(told, "gap", "start"))
        return cls(
            _moments(at_path(told, "stops"))[:_MOST_STOPS],
            _moment(at_path(told, "start")),
            _Gap(tuple(stops[:_MOST_STOPS]), start) if start is not None and stops and stops[-1] < start else None,
        )


class Gaps:
    """Remembers which trails were stopped.

    Args:
        alone: no other replica works on the same queue. One that does may have seen a start in between, so that the
            time since the first stop is only the longest that the trail can have been off.
        notes: by which replicas tell one another; while they can't, each knows what it has seen itself.
        now: tells the time in seconds.
    """

    def __init__(
        self, *, alone: bool = True, notes: Notes | None = None, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._alone = alone
        self._sharing = Sharing(notes, now=now)
        self._trails: dict[str, _Trail] = {}  # the one seen last is the last

    def __len__(self) -> int:
        """Trails remembered."""
        return len(self._trails)

    def told(self, alert: Alert) -> Alert:
        """Note what an alert tells of its trail; return it, with what is known of before and after."""
        at = _when(alert)
        return alert if at is None else self._told(alert, at, exact=self._alone)

    async def told_to_all(self, alert: Alert) -> Alert:
        """The same, by what every replica has seen."""
        at = _when(alert)
        if at is None:
            return alert
        shared = await self._sharing.revise(incident_id(alert), lambda text: self._revised(alert, at, text))
        return self._told(alert, at, exact=self._alone or shared)

    def _revised(self, alert: Alert, at: datetime, text: str | None) -> str:
        trail = self._trail(incident_key(alert))
        trail.merge(_Trail.of(text))
        trail.apply(alert.event.name, at)
        return trail.text()

    def _told(self, alert: Alert, at: datetime, *, exact: bool) -> Alert:
        trail = self._trail(incident_key(alert))
        gap = trail.apply(alert.event.name, at)
        if gap is not None:
            return _with_gap(alert, gap, exact=exact)
        if alert.event.name in _STOPS:
            return _with_neighbours(alert, at, trail.before(at), trail.after(at))
        return alert

    def _trail(self, key: str) -> _Trail:
        trail = self._trails.pop(key) if key in self._trails else _Trail()
        self._trails[key] = trail
        if len(self._trails) > _MOST_TRAILS:
            del self._trails[next(iter(self._trails))]
        return trail


def _when(alert: Alert) -> datetime | None:
    """When a trail was stopped or started; `None` of every other alert, and where nobody can say."""
    event = alert.event
    if event.outcome != "success" or event.source != _SOURCE or event.name not in (*_STOPS, "StartLogging"):
        return None
    return moment(event.time) if trail_arn(alert) is not None else None


def _with_gap(alert: Alert, gap: _Gap, *, exact: bool) -> Alert:
    first, last, start = rfc_3339(gap.stops[0]), rfc_3339(gap.stops[-1]), rfc_3339(gap.start)
    longest = duration(gap.seconds)
    if exact and len(gap.stops) == 1:
        off, when = f"off for {longest}", f"from {first} to {start}"
    else:
        again = f", last stopped at {last}" if len(gap.stops) > 1 else ""
        off, when = f"off for up to {longest}", f"stopped at {first}{again}, started at {start}"
    value = {"from": first, "to": start, "seconds": gap.seconds, "stops": len(gap.stops)}
    change = Change(FIELD, value, f"the trail was {off}, in which it recorded nothing")
    return replace(
        saying(alert, f"It was {off} ({when})."),
        severity=worst(alert.severity, graded_here(alert, "high")),
        changes=(*alert.changes, change),
    )


def graded_here(alert: Alert, severity: Severity) -> Severity:
    """What is so grave on a protected trail, by whose and by whom it was done."""
    protected = any(resource.protected is not False for resource in alert.resources)
    actor, event = alert.actor, alert.event
    foreign = bool(actor.account_id and event.account_id and actor.account_id != event.account_id)
    severity = shifted(severity, 0 if protected else -2)
    return shifted(severity, 1) if foreign or is_root(alert.record, actor) else severity


def _with_neighbours(alert: Alert, at: datetime, before: datetime | None, after: datetime | None) -> Alert:
    if after is not None:
        later = duration(int((after - at).total_seconds()))
        return saying(alert, f"It was started again by {rfc_3339(after)}, {later} later.")
    if before is not None:
        return saying(alert, f"It had been stopped before, at {rfc_3339(before)}; no start since then is known.")
    return alert


def saying(alert: Alert, sentence: str) -> Alert:
    """The alert with a sentence more, which stays whole where the summary has to give way."""
    return replace(alert, summary=f"{cut(alert.summary, _MAX_SUMMARY - len(sentence) - 1)} {sentence}")


def _texts(moments: "list[datetime] | tuple[datetime, ...]") -> list[str]:
    return [rfc_3339(one) for one in moments]


def _moment(value: Any) -> datetime | None:
    return moment(value) if isinstance(value, str) else None


def _moments(value: Any) -> list[datetime]:
    return sorted(one for each in items(value) if (one := _moment(each)) is not None)


def duration(seconds: int) -> str:
    """So many whole seconds for people, in its two largest units: `2 h 13 min`."""
    minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86_400
    if days:
        return f"{days} d {hours % 24} h"
    if hours:
        return f"{hours} h {minutes % 60} min"
    return f"{minutes} min {seconds % 60} s" if minutes else f"{seconds} s"
