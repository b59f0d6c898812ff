"""When a storm of alerts becomes a few messages: an alert goes in, and out comes whether it goes by itself. No clock.

The first few of a kind go at once, the rest of a window together; while the storm lasts, windows grow longer.
"""

import re
from collections.abc import Hashable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from stream.alert import Alert, Change
from stream.deliver.trail import trail_arn
from stream.json_value import shown
from stream.notice import is_notice

FEW: Final = 5
"""So many of a kind go by themselves."""

FIRST_WINDOW_S: Final = 5.0
LONGEST_WINDOW_S: Final = 960.0

LATE: Final = ("late",)
"""The kind of all that happened too long ago to call anybody for."""

# Names of sessions are free: whoever makes a thousand calls gives each another one. An id of a role's stands for the
# ARN where a stranger calls: https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-user-identity.html
_SESSION: Final = re.compile(r"(:assumed-role/[^/]+|:federated-user)/.*", re.DOTALL)
_SESSION_OF_ID: Final = re.compile(r"(AROA[A-Z0-9]+):.*", re.DOTALL)
_WORD: Final = re.compile(r'[^\s,;:(){}\[\]"]+')
_DIGIT: Final = re.compile(r"\d")
_VALUE_CHARACTERS: Final = 4096
_MOST_STORMS: Final = 10_000


@dataclass(slots=True)
class _Storm:
    """Alerts of one kind, one after the other.

    Attributes:
        alone: how many more go by themselves.
        window_s: length of the window, in seconds.
        ends: when it ends, on the clock's scale.
    """

    alone: int
    window_s: float
    ends: float


class Grouping:
    """Decides for the alerts of one channel.

    Args:
        max_event_age_s: what happened earlier than so many seconds ago is late; 0: nothing is.
    """

    def __init__(self, max_event_age_s: float = 0.0) -> None:
        self._max_event_age_s = max_event_age_s
        self._storms: dict[Hashable, _Storm] = {}

    def gather(self, alert: Alert, now: float, unix: float) -> tuple[Hashable, float] | None:
        """What an alert is told together with, and the moment until which others may join; `None`: it goes at once.

        Args:
            alert: the next to tell.
            now: the moment, on the clock's scale.
            unix: the same in Unix time.
        """
        key = LATE if self._is_late(alert, unix) else kind_of(alert)
        storm = self._storms.get(key)
        if storm is None or now >= storm.ends + storm.window_s:  # a whole window has passed without any
            self._forget(now)
            alone = 0 if key is LATE else FEW
            storm = self._storms[key] = _Storm(alone, FIRST_WINDOW_S, now + FIRST_WINDOW_S)
        if storm.alone:
            storm.alone -= 1
            return None
        if now >= storm.ends:
            longest = FIRST_WINDOW_S if alert.severity == "critical" and key is not LATE else LONGEST_WINDOW_S
            storm.window_s = min(2 * storm.window_s, longest)
            storm.ends = now + storm.window_s
        return key, storm.ends

    def _is_late(self, alert: Alert, unix: float) -> bool:
        happened = unix_time(alert.event.time)
        return bool(self._max_event_age_s) and happened is not None and unix - happened > self._max_event_age_s

    def _forget(self, now: float) -> None:
        """Storms that are over, when there are many, and the oldest: whoever makes them chooses how many there are."""
        if len(self._storms) >= _MOST_STORMS:
            lasting = {key: storm for key, storm in self._storms.items() if now < storm.ends + storm.window_s}
            self._storms = dict(list(lasting.items())[-_MOST_STORMS // 2 :])


def kind_of(alert: Alert) -> Hashable:
    """What alerts have in common that may be told in one message.

    A critical one is told only with repeats of itself, on the same trail. For the others the trail does not count:
    who changes a thousand trails is one story. The sessions of a role count as one, since their names are free, and so
    do all whom another account has and who are refused: it has as many of them as it likes.

    What was changed counts by what it does, and not by the names, times and amounts that each repeat has of its own.
    Of a call that changed nothing it does not: whoever is refused may ask for as many changes as he likes.
    """
    if is_notice(alert):
        return (alert.rule.id, alert.severity)  # the key of a file may name any account
    trail = trail_arn(alert) if alert.severity == "critical" else None
    event = alert.event
    return (
        alert.rule.id,
        event.account_id,
        _who(alert),
        event.outcome,
        alert.severity,
        event.source,
        event.name,
        trail,
        frozenset(map(_does, alert.changes)) if event.outcome == "success" else None,
    )


def _does(change: Change) -> tuple[str, str]:
    """A change's field, and its effect in our words alone: without those of the value, cut ones and amounts."""
    given = set(_WORD.findall(shown(change.value, _VALUE_CHARACTERS)))
    words = _WORD.findall(change.effect)
    ours = [word for word in words if word not in given and not word.endswith("…") and not _DIGIT.search(word)]
    return change.field, " ".join(ours)


def _who(alert: Alert) -> str:
    actor, event = alert.actor, alert.event
    if event.outcome == "denied" and actor.account_id and actor.account_id != event.account_id:
        return actor.account_id
    if actor.arn:
        return _SESSION.sub(r"\1", actor.arn)
    return _SESSION_OF_ID.sub(r"\1", actor.principal_id) if actor.principal_id else actor.name


def unix_time(text: str) -> float | None:
    """Seconds of an ISO 8601 time; `None` for a forged or damaged one."""
    try:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (TypeError, ValueError, OverflowError):
        return None
