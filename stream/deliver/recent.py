"""The last alerts of this process and what became of them, for people to look at; bounded, lost with the process."""

from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from time import time
from typing import Final

from stream.alert import Alert

MOST: Final = 50
_MOST_CHARACTERS: Final = 600


@dataclass(frozen=True, slots=True)
class ChannelState:
    """One channel as its outbox sees it.

    Attributes:
        last_failure: reason, of those that `delivery_attempts_total` counts; `None`: it never failed.
        last_failure_at: Unix time.
    """

    name: str
    last_failure: str | None = None
    last_failure_at: float | None = None


@dataclass(frozen=True, slots=True)
class Delivered:
    """How a delivery ended, and how many seconds after its message was received."""

    channel: str
    outcome: str
    seconds: float


@dataclass(slots=True)
class Shown:
    """An alert as it is shown.

    Attributes:
        found_at: Unix time.
        waiting: names of the channels that have not answered yet.
        delivered: those that have, in the order of their answers.
    """

    id: str
    severity: str
    title: str
    summary: str
    event_time: str
    account: str
    region: str
    found_at: float
    waiting: set[str] = field(default_factory=set)
    delivered: list[Delivered] = field(default_factory=list)


class Recent:
    """Remembers the last `MOST` alerts, and counts those of today.

    Args:
        unix_time: tells the time.
    """

    def __init__(self, unix_time: Callable[[], float] = time) -> None:
        self._unix_time = unix_time
        self._shown: OrderedDict[str, Shown] = OrderedDict()
        self._day = ""
        self._today = 0

    def found(self, alert: Alert, channels: tuple[str, ...]) -> None:
        """An alert is on its way to these channels; one that is on its way again is shown once."""
        now = self._unix_time()
        known = self._shown.pop(alert.id, None)
        if known is None:
            self._roll(now)
            self._today += 1
            event = alert.event
            known = Shown(
                id=alert.id,
                severity=alert.severity,
                title=alert.title[:_MOST_CHARACTERS],
                summary=alert.summary[:_MOST_CHARACTERS],
                event_time=event.time[:40],
                account=(event.account_name or event.account_id)[:100],
                region=event.region[:40],
                found_at=now,
            )
        known.waiting.update(channels)
        self._shown[alert.id] = known
        if len(self._shown) > MOST:
            self._shown.popitem(last=False)

    def ended(self, alert_id: str, channel: str, outcome: str, seconds: float) -> None:
        """A delivery has come to its end."""
        if (shown := self._shown.get(alert_id)) is not None:
            shown.waiting.discard(channel)
            shown.delivered = [each for each in shown.delivered if each.channel != channel]
            shown.delivered.append(Delivered(channel, outcome, seconds))

    @property
    def today(self) -> int:
        """Alerts since midnight, UTC."""
        self._roll(self._unix_time())
        return self._today

    def __iter__(self) -> Iterator[Shown]:
        """The last first."""
        return reversed(self._shown.values())

    def _roll(self, now: float) -> None:
        day = datetime.fromtimestamp(now, UTC).date().isoformat()
        if day != self._day:
            self._day, self._today = day, 0
