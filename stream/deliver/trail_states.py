"""What an UpdateTrail changed: alerts in as they are found; out, with the settings that were different before it.

The response to a call says what is so after it, and never what was so before.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

from stream.alert import Alert, Change
from stream.deliver.gaps import graded_here, saying
from stream.deliver.memory import Memory
from stream.deliver.moment import moment
from stream.deliver.trail import trail_arn
from stream.json_value import flag, shown
from stream.ledger.interface import Notes

FIELD: Final = "before"
"""The field of the change that an alert is given."""

_SOURCE: Final = "cloudtrail.amazonaws.com"
_TOLD: Final = ("CreateTrail", "UpdateTrail")
# As requests and as responses name them: https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_UpdateTrail.html
_SETTINGS: Final[Mapping[str, tuple[str, str]]] = {
    "isOrganizationTrail": ("isOrganizationTrail", "organisation's trail"),
    "isMultiRegionTrail": ("isMultiRegionTrail", "all regions"),
    "enableLogFileValidation": ("logFileValidationEnabled", "log file validation"),
    "includeGlobalServiceEvents": ("includeGlobalServiceEvents", "global events"),
    "s3BucketName": ("s3BucketName", "bucket"),
    "s3KeyPrefix": ("s3KeyPrefix", "prefix"),
    "kmsKeyId": ("kmsKeyId", "key"),
    "snsTopicName": ("snsTopicARN", "topic"),
    "cloudWatchLogsLogGroupArn": ("cloudWatchLogsLogGroupArn", "log group"),
}
_IDENTIFIER: Final = "name"
_VALUE_CHARACTERS: Final = 60
_LONGEST_VALUE: Final = 2_048

State = dict[str, bool | str]
"""Settings by the request's names; what a trail does not have is an empty text."""


class TrailStates:
    """Remembers the settings of trails.

    Args:
        notes: by which replicas tell one another; while they can't, each knows what it has seen itself.
        now: tells the time in seconds.
    """

    def __init__(self, notes: Notes | None = None, *, now: Callable[[], float] = time.monotonic) -> None:
        self._memory: Memory[State] = Memory("state", dict, _read, notes, now=now)

    async def told_to_all(self, alert: Alert) -> Alert:
        """Note what an alert tells of its trail; return it, with what was different before."""
        after, when = _state(alert), moment(alert.event.time)
        if after is None or when is None:
            return alert
        before = await self._memory.before(alert, when, after)
        return alert if before is None or alert.event.name != "UpdateTrail" else _compared(alert, before, after)


def _state(alert: Alert) -> State | None:
    """The settings after the call that the alert tells of; `None` of every other call, and where nobody can say."""
    event, response = alert.event, alert.record.get("responseElements")
    if event.outcome != "success" or event.source != _SOURCE or event.name not in _TOLD or trail_arn(alert) is None:
        return None
    if not isinstance(response, Mapping) or flag(response.get("omitted")) or not response.get("s3BucketName"):
        return None
    return _read({setting: response.get(name, "") for setting, (name, _) in _SETTINGS.items()})


def _compared(alert: Alert, before: State, after: State) -> Alert:
    different = [setting for setting in _SETTINGS if before[setting] != after[setting]]
    if not different:
        return _the_same(alert)
    told = "; ".join(f"{_words(setting, before[setting])} before" for setting in different)
    return replace(
        saying(alert, f"Known from before: {told}."),
        changes=(*alert.changes, Change(FIELD, {setting: before[setting] for setting in different}, told)),
    )


def _the_same(alert: Alert) -> Alert:
    """Nothing weakens a trail that was like that already, if all that was sent can be compared."""
    parameters = alert.record.get("requestParameters")
    sent = [name for name, value in parameters.items() if value is not None] if isinstance(parameters, Mapping) else []
    if not set(sent) - {_IDENTIFIER} <= set(_SETTINGS):
        return alert
    return replace(
        saying(alert, "The trail was like that already: nothing is known to have changed."),
        severity=graded_here(alert, "informational"),
    )


def _words(setting: str, value: bool | str) -> str:
    words = _SETTINGS[setting][1]
    if isinstance(value, bool):
        return f"{words}: {'yes' if value else 'no'}"
    return f"{words} {shown(value, _VALUE_CHARACTERS)}" if value else f"no {words}"


def _read(value: Any) -> State | None:
    """A state that is whole: a truth or a text for each setting."""
    if not isinstance(value, Mapping) or set(value) != set(_SETTINGS):
        return None
    if not all(isinstance(each, bool | str) for each in value.values()):
        return None
    return dict(value) if all(len(str(each)) <= _LONGEST_VALUE for each in value.values()) else None
