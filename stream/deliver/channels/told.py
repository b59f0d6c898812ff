"""Who has been told what already, where one message goes to several and not all of them take it at once."""

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from typing import Final

_MOST: Final = 10_000


class Told:
    """For each alert, those who have it; of the alerts before the last `most`, nothing.

    Args:
        most: alerts that are remembered.
    """

    def __init__(self, most: int = _MOST) -> None:
        self._most = most
        self._have: OrderedDict[str, frozenset[str]] = OrderedDict()

    def __len__(self) -> int:
        """Alerts remembered."""
        return len(self._have)

    def missing(self, alert_ids: Sequence[str], everybody: Iterable[str]) -> list[str]:
        """Those who lack at least one of these alerts."""
        have = [self._have.get(alert_id, frozenset[str]()) for alert_id in alert_ids]
        return [each for each in everybody if not all(each in who for who in have)]

    def add(self, alert_ids: Iterable[str], who: Iterable[str]) -> None:
        """Note that these have got these alerts."""
        told = frozenset(who)
        for alert_id in alert_ids:
            self._have[alert_id] = self._have.pop(alert_id, frozenset[str]()) | told
        while len(self._have) > self._most:
            self._have.popitem(last=False)

    def forget(self, alert_ids: Iterable[str]) -> None:
        """Everybody has these alerts: they won't be asked for again."""
        for alert_id in alert_ids:
            self._have.pop(alert_id, None)
