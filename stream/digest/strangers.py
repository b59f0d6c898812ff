"""Log files that no digest lists: forged, or of a trail that has no digests and writes beside one that has."""

from dataclasses import dataclass
from typing import Final

from stream.digest.chain import HOUR_S

BESIDE_S: Final = 4 * HOUR_S
"""Digests of so long are looked at. A trail that was deleted has left log files that its last digest does not list: as
long as that one is among them nothing is said, and then not of a time that it was there."""

_USUAL_S: Final = 24 * HOUR_S


@dataclass(frozen=True, slots=True)
class Strangers:
    """What is known of them in one folder.

    Nothing tells a forged one from one of another trail, but that such a trail writes all the time: they are told where
    there were none for a day.

    Attributes:
        until: Unix time up to which they were looked for; 0: never.
        seen: when there were some last.
    """

    until: float = 0.0
    seen: float = 0.0

    def usual(self, until: float) -> bool:
        """Whether it is nothing new that there are some, or may be nothing new."""
        return not self.until or until - self.seen < _USUAL_S

    def after(self, until: float, *, found: bool) -> "Strangers":
        """When they were looked for once more."""
        return Strangers(until, until if found else self.seen)


UNKNOWN: Final = Strangers()
"""Before they were looked for."""
