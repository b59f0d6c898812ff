"""Several alerts for one message: a storm of repeats, or what is told late."""

from dataclasses import dataclass

from stream.alert import Alert
from stream.deliver.grouping import kind_of


@dataclass(frozen=True, slots=True)
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

    @property
    def mixed(self) -> bool:
        """Whether they are of several kinds, so that what one of them says is not to be taken for everybody's."""
        return self.late and len(set(map(kind_of, self.alerts))) > 1

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
