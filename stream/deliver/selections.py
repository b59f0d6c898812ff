"""Whether a trail records fewer data events than before: alerts in as they are found; out, with what is lost.

A call of PutEventSelectors tells what is so after it. What was so before is known from the call before it, where this
process (or, where the ledger is shared, any replica) has seen that one. Nothing is said where nothing is known.
"""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final, Self

from stream.alert import Alert, Change
from stream.deliver.gaps import graded_here, saying
from stream.deliver.moment import moment, rfc_3339
from stream.deliver.sharing import Sharing
from stream.deliver.trail import incident_id, incident_key, trail_arn
from stream.detect.data_events import Recorded, lost, recorded, writes_to
from stream.detect.finding import worst
from stream.json_value import at as at_path
from stream.json_value import flag, items, shown
from stream.ledger.interface import Notes

FIELD: Final = "dataEvents"
"""The field of the change that an alert is given."""

_SOURCE: Final = "cloudtrail.amazonaws.com"
_MOST_TRAILS: Final = 1_000  # of some ten KB each
_LONGEST_NOTE: Final = 100_000
_SHOWN: Final = 10


@dataclass(frozen=True, slots=True)
class _Selection:
    """What is recorded since a call, and was before it; `before` is `None` where nobody knows."""

    since: datetime
    after: frozenset[Recorded]
    before: frozenset[Recorded] | None = None

    def then(self, since: datetime, after: frozenset[Recorded]) -> "_Selection":
        """What is known with a call more; of one that is older than the last, nothing is learnt."""
        return _Selection(since, after, self.after) if since > self.since else self

    def text(self) -> str:
        def listed(events: frozenset[Recorded]) -> list[list[str]]:
            return [[one.kind, one.type, one.prefix, one.more] for one in sorted(events)]

        before = None if self.before is None else listed(self.before)
        told = {"since": rfc_3339(self.since), "after": listed(self.after), "before": before}
        return json.dumps(told, separators=(",", ":"))

    @classmethod
    def of(cls, text: str | None) -> Self | None:
        """What `text` gave; of anything else, nothing is known."""
        try:
            told = json.loads(text or "{}")
        except (ValueError, RecursionError):
            return None
        since, after = at_path(told, "since"), _read(at_path(told, "after"))
        when = moment(since) if isinstance(since, str) else None
        if when is None or after is None:
            return None
        return cls(when, after, _read(at_path(told, "before")))


class Selections:
    """Remembers which data events trails record.

    Args:
        notes: by which replicas tell one another; while they can't, each knows what it has seen itself.
        now: tells the time in seconds.
    """

    def __init__(self, notes: Notes | None = None, *, now: Callable[[], float] = time.monotonic) -> None:
        self._sharing = Sharing(notes, now=now)
        self._known: dict[str, _Selection] = {}  # the one seen last is the last

    async def told_to_all(self, alert: Alert) -> Alert:
        """Note what an alert tells of its trail; return it, with what is lost."""
        call = _call(alert)
        if call is None:
            return alert
        key = incident_key(alert)

        def revision(text: str | None) -> str:
            self._learn(key, _Selection.of(text))
            revised = self._apply(key, call).text()
            return revised if len(revised) <= _LONGEST_NOTE else text or ""

        await self._sharing.revise(f"{incident_id(alert)}-data", revision)
        selection = self._apply(key, call)
        if selection.since != call.since or selection.before is None:
            return alert
        return _with_loss(alert, selection, selection.before)

    def _learn(self, key: str, other: _Selection | None) -> None:
        """Take what another replica knows for the state before, if that is newer than what we know."""
        known = self._known.get(key)
        if other is not None and (known is None or other.since >= known.since):
            self._known[key] = other

    def _apply(self, key: str, call: _Selection) -> _Selection:
        known = self._known.pop(key, None)
        self._known[key] = selection = call if known is None else known.then(call.since, call.after)
        if len(self._known) > _MOST_TRAILS:
            del self._known[next(iter(self._known))]
        return selection


def _call(alert: Alert) -> _Selection | None:
    event = alert.event
    parameters = alert.record.get("requestParameters")
    if event.outcome != "success" or event.source != _SOURCE or event.name != "PutEventSelectors":
        return None
    if trail_arn(alert) is None or flag(at_path(parameters, "omitted")):
        return None
    when, events = moment(event.time), recorded(parameters)
    return None if when is None or events is None else _Selection(when, events)


def _with_loss(alert: Alert, selection: _Selection, before: frozenset[Recorded]) -> Alert:
    gone = lost(before, selection.after)
    if not gone:
        return alert
    bucket = alert.log_file.bucket if alert.log_file else ""
    own = bool(bucket) and writes_to(bucket, before) and not writes_to(bucket, selection.after)
    told = list(dict.fromkeys(one.prefix or f"all of {one.type}" for one in gone))
    what = ", ".join(shown(one, 60) for one in told[:2]) + (f" and {len(told) - 2} more" if len(told) > 2 else "")
    effect = f"data events that were recorded no longer are, or only in part: {what}"
    if own:
        effect += "; what is done to the log files themselves is unseen"
    value: list[dict[str, Any]] = [{"kind": one.kind, "type": one.type, "prefix": one.prefix} for one in gone[:_SHOWN]]
    return replace(
        saying(alert, f"{effect[0].upper()}{effect[1:]}."),
        severity=worst(alert.severity, graded_here(alert, "high" if own else "medium")),
        changes=(*alert.changes, Change(FIELD, value, effect)),
    )


def _read(value: Any) -> frozenset[Recorded] | None:
    if not isinstance(value, list):
        return None
    read = []
    for one in value:
        texts = items(one)
        if len(texts) != 4 or not all(isinstance(text, str) for text in texts):
            return None
        read.append(Recorded(*texts))
    return frozenset(read)
