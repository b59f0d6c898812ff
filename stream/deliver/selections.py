"""Whether a trail records fewer data events than before: alerts in as they are found; out, with what is lost."""

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from stream.alert import Alert, Change
from stream.deliver.gaps import graded_here, saying
from stream.deliver.memory import Memory
from stream.deliver.moment import moment
from stream.deliver.trail import trail_arn
from stream.detect.data_events import Recorded, lost, recorded, writes_to
from stream.detect.finding import worst
from stream.json_value import at as at_path
from stream.json_value import flag, items, shown
from stream.ledger.interface import Notes

FIELD: Final = "dataEvents"
"""The field of the change that an alert is given."""

_SOURCE: Final = "cloudtrail.amazonaws.com"
_SHOWN: Final = 10


class Selections:
    """Remembers which data events trails record.

    Args:
        notes: by which replicas tell one another; while they can't, each knows what it has seen itself.
        now: tells the time in seconds.
    """

    def __init__(self, notes: Notes | None = None, *, now: Callable[[], float] = time.monotonic) -> None:
        self._memory = Memory("data", _written, _read, notes, now=now)

    async def told_to_all(self, alert: Alert) -> Alert:
        """Note what an alert tells of its trail; return it, with what is lost."""
        events = _selected(alert)
        when = moment(alert.event.time)
        if events is None or when is None:
            return alert
        before = await self._memory.before(alert, when, events)
        return alert if before is None else _with_loss(alert, before, events)


def _selected(alert: Alert) -> frozenset[Recorded] | None:
    """What is recorded after the call that the alert tells of; `None` of every other call."""
    event = alert.event
    parameters = alert.record.get("requestParameters")
    if event.outcome != "success" or event.source != _SOURCE or event.name != "PutEventSelectors":
        return None
    if trail_arn(alert) is None or flag(at_path(parameters, "omitted")):
        return None
    return recorded(parameters)


def _with_loss(alert: Alert, before: frozenset[Recorded], after: frozenset[Recorded]) -> Alert:
    gone = lost(before, after)
    if not gone:
        return alert
    bucket = alert.log_file.bucket if alert.log_file else ""
    own = bool(bucket) and writes_to(bucket, before) and not writes_to(bucket, after)
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


def _written(events: frozenset[Recorded]) -> list[list[str]]:
    return [[one.kind, one.type, one.prefix, one.more] for one in sorted(events)]


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
