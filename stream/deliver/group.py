"""Several alerts for one message: a storm of repeats, or what is told late."""

from dataclasses import dataclass
from functools import cached_property

from stream.alert import Alert
from stream.deliver.grouping import kind_of


@dataclass(frozen=True)
class Group:
    """Alerts that are told in one message, for which one of them stands.

    Attributes:
        alerts: all of them, in the order of their arrival, two at least unless it is late.
        late: they are told long after they happened, so that nobody is called to hurry; they may be of many kinds.
            Otherwise they are repeats of one another.
    """

    alerts: tuple[Alert, ...]
    late: bool = False

    @property
    def count(self) -> int:
        """How many."""
        return len(self.alerts)

    @cached_property  # there may be thousands, and several parts of a message ask
    def mixed(self) -> bool:
        """Whether they are of several kinds, so that what one of them says is not to be taken for everybody's."""
        kinds = map(kind_of, self.alerts if self.late else ())
        first = next(kinds, None)
        return any(kind != first for kind in kinds)

    @property
    def first(self) -> str:
        """When the earliest of the events happened."""
        return min(alert.event.time for alert in self.alerts)

    @property
    def last(self) -> str:
        """When the latest of the events happened."""
        return max(alert.event.time for alert in self.alerts)

    @property
    def ids(self) -> tuple[str, ...]:
        """The alerts' ids."""
        return tuple(alert.id for alert in self.alerts)
