"""Alerts on their way to one channel, and the line that they wait in: the most severe first."""

import asyncio
import heapq
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Final, Literal

from stream.alert import Alert
from stream.deliver.group import Group
from stream.severity import SEVERITIES

Outcome = Literal["accepted", "duplicate", "rejected", "expired", "withdrawn"]
"""How the way of an alert ends; `withdrawn`: nobody waits for it any more, and its message will come again."""

_FEWEST_TO_COMPACT: Final = 64


@dataclass(slots=True, eq=False)
class Pending:
    """One alert that somebody waits for to be delivered.

    Attributes:
        received_at: when its message was received, on the clock's scale; so are the other moments.
        submitted_at: when the dispatcher took it.
        deadline: the moment at which it is given up.
        delivery: the one that it goes with.
        callers: how many wait for it.
        done: its outcome.
    """

    alert: Alert
    received_at: float
    submitted_at: float
    deadline: float
    delivery: "Delivery"
    callers: int = 0
    done: "asyncio.Future[Outcome]" = field(default_factory=lambda: asyncio.get_running_loop().create_future())


@dataclass(slots=True, eq=False)
class Delivery:
    """What goes to the channel in one request: an alert, or several that are told together.

    Attributes:
        order: its place by arrival.
        key: what its alerts have in common, where they are told together; others may join until it goes.
        late: they are told long after they happened.
        pending: its alerts by their ids; it has come to its end when there are none left.
        attempts: requests made.
        minimal: the whole was rejected; only the minimal payload is sent from now on.
        in_flight: a request is under way.
        probe: that request is to find out whether the channel works again.
        place: the number of its newest place in line; earlier ones are void.
    """

    order: int
    key: Hashable | None = None
    late: bool = False
    pending: dict[str, Pending] = field(default_factory=dict)
    attempts: int = 0
    minimal: bool = False
    in_flight: bool = False
    probe: bool = False
    place: int = 0

    @property
    def waiting(self) -> bool:
        """Whether it is neither finished nor under way."""
        return bool(self.pending) and not self.in_flight

    @property
    def alert(self) -> Alert:
        """The alert that stands for all: the first of the most severe."""
        alerts = (each.alert for each in self.pending.values())
        return max(alerts, key=lambda alert: SEVERITIES.index(alert.severity))

    @property
    def group(self) -> Group | None:
        """All that is told, where that is more than one alert, or late."""
        if len(self.pending) < 2 and not self.late:
            return None
        return Group(tuple(each.alert for each in self.pending.values()), late=self.late)


class WaitingLine:
    """Deliveries whose next request is due now or later.

    One that is finished, or that has got another place, is stepped over; void places are cleared when they are half of
    all, so that a long outage costs no more memory than the alerts that wait.
    """

    def __init__(self) -> None:
        self._due: list[tuple[int, int, int, Delivery]] = []  # by severity, then arrival
        self._later: list[tuple[float, int, int, Delivery]] = []  # by moment

    def __len__(self) -> int:
        """Places taken, void ones included."""
        return len(self._due) + len(self._later)

    def add(self, delivery: Delivery, not_before: float) -> None:
        """Give a delivery a place in line, in exchange for the one it has."""
        delivery.place += 1
        heapq.heappush(self._later, (not_before, delivery.order, delivery.place, delivery))

    def next_at(self, now: float) -> float | None:
        """When the next delivery is due: a moment not after `now` if one is due already, `None` if none waits."""
        self._promote(now)
        if self._due:
            return now
        return self._later[0][0] if self._later else None

    def pop(self, now: float, *, least_tried: bool) -> Delivery | None:
        """Take out the first delivery that is due.

        Args:
            now: the moment that counts as now.
            least_tried: prefer the one with the fewest attempts: a probe of the channel must not be, for ever, the one
                alert that the service chokes on.
        """
        self._promote(now)
        if not self._due:
            return None
        if least_tried:
            valid = (place for place in self._due if _is_valid(place))  # the first in line is: see _promote
            place = min(valid, key=lambda place: (place[3].attempts, *place[:3]))
            self._due.remove(place)
            heapq.heapify(self._due)
            return place[3]
        return heapq.heappop(self._due)[3]

    def compact(self, alive: int) -> None:
        """Clear void places, if they are more than the `alive` ones."""
        if len(self) > max(2 * alive, _FEWEST_TO_COMPACT):
            self._due = [place for place in self._due if _is_valid(place)]
            self._later = [place for place in self._later if _is_valid(place)]
            heapq.heapify(self._due)
            heapq.heapify(self._later)

    def _promote(self, now: float) -> None:
        """Move what has become due, and step over what is void."""
        while self._later and (self._later[0][0] <= now or not _is_valid(self._later[0])):
            place = heapq.heappop(self._later)
            if _is_valid(place):
                delivery = place[3]
                rank = -SEVERITIES.index(delivery.alert.severity)
                heapq.heappush(self._due, (rank, delivery.order, delivery.place, delivery))
        while self._due and not _is_valid(self._due[0]):
            heapq.heappop(self._due)


def _is_valid(place: tuple[float, int, int, Delivery]) -> bool:
    return place[3].waiting and place[3].place == place[2]
