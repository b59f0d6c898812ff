"""One alert on its way to one channel, and the line that such deliveries wait in: the most severe first."""

import asyncio
import heapq
from dataclasses import dataclass, field
from typing import Final, Literal

from stream.alert import Alert
from stream.severity import SEVERITIES

Outcome = Literal["accepted", "duplicate", "rejected", "expired", "withdrawn"]
"""How a delivery ends; `withdrawn`: nobody waits for it any more, and its message will come again."""

_FEWEST_TO_COMPACT: Final = 64


@dataclass(slots=True, eq=False)
class Delivery:
    """One alert on its way to one channel.

    Attributes:
        order: its place by arrival.
        received_at: when its message was received, on the clock's scale; so are the other moments.
        submitted_at: when the dispatcher took it.
        deadline: the moment at which it is given up.
        attempts: requests made.
        minimal: the whole alert was rejected; only the minimal payload is sent from now on.
        in_flight: a request is under way.
        callers: how many wait for it.
        done: its outcome.
    """

    alert: Alert
    order: int
    received_at: float
    submitted_at: float
    deadline: float
    attempts: int = 0
    minimal: bool = False
    in_flight: bool = False
    callers: int = 0
    done: "asyncio.Future[Outcome]" = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    @property
    def waiting(self) -> bool:
        """Whether it is neither finished nor under way."""
        return not self.in_flight and not self.done.done()


class WaitingLine:
    """Deliveries whose next request is due now or later.

    One that is finished while it stands in line is stepped over; its place is cleared when half of the places are
    empty, so that a long outage costs no more memory than the alerts that wait.
    """

    def __init__(self) -> None:
        self._due: list[tuple[int, int, Delivery]] = []  # by severity, then arrival
        self._later: list[tuple[float, int, Delivery]] = []  # by moment

    def __len__(self) -> int:
        """Places taken, empty ones included."""
        return len(self._due) + len(self._later)

    def add(self, delivery: Delivery, not_before: float) -> None:
        """Put a delivery in line that has no place in it."""
        heapq.heappush(self._later, (not_before, delivery.order, delivery))

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
            waiting = (place for place in self._due if place[2].waiting)  # the first in line is: see _promote
            place = min(waiting, key=lambda place: (place[2].attempts, *place[:2]))
            self._due.remove(place)
            heapq.heapify(self._due)
            return place[2]
        return heapq.heappop(self._due)[2]

    def compact(self, alive: int) -> None:
        """Clear empty places, if they are more than the `alive` ones."""
        if len(self) > max(2 * alive, _FEWEST_TO_COMPACT):
            self._due = [place for place in self._due if place[2].waiting]
            self._later = [place for place in self._later if place[2].waiting]
            heapq.heapify(self._due)
            heapq.heapify(self._later)

    def _promote(self, now: float) -> None:
        """Move what has become due, and step over what is finished."""
        while self._later and (self._later[0][0] <= now or not self._later[0][2].waiting):
            delivery = heapq.heappop(self._later)[2]
            if delivery.waiting:
                rank = -SEVERITIES.index(delivery.alert.severity)
                heapq.heappush(self._due, (rank, delivery.order, delivery))
        while self._due and not self._due[0][2].waiting:
            heapq.heappop(self._due)
