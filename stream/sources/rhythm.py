"""How often one source's log files come: moments in; out, for how long it may say nothing before that is a silence.

What is remembered of each of the last 28 days is the longest gap that began on it. A region that is busy by day and
quiet by night has a long one each evening, and one that is hardly used has one at any time.
"""

import math
import statistics
from array import array
from typing import Any, Final, Self

DAY: Final = 1440
"""Minutes, in which all of this reckons: CloudTrail's keys tell no more."""

SHORTEST: Final = 30
"""Minutes that are no silence in any region: CloudTrail delivers about every 5 minutes, and late at times.

https://docs.aws.amazon.com/awscloudtrail/latest/userguide/how-cloudtrail-works.html
"""
LONGEST: Final = 7 * DAY
"""A region that is so quiet that it would take longer to tell is not judged by itself."""

_DAYS: Final = 28  # whole weeks, so that a day's place in the ring keeps its day of the week
_MOST: Final = 65_535  # what an entry can hold: 45 days
_KNOWN: Final = 8 * DAY  # a weekend was seen, and what comes after it
_TIMES: Final = 3

_SPREADS: Final = 20.0
_MAX_SPREAD: Final = 10 * DAY
# Where files come by chance, the longest gaps of days follow Gumbel's distribution, whose scale is sqrt(6)/pi of their
# standard deviation; one that is 20 scales above the usual comes about once in e^20 days, five hundred million.
_GUMBEL: Final = math.sqrt(6) / math.pi
_FEW: Final = 14  # degrees of freedom below which the spread itself is known badly
_FEW_SPREADS: Final = 1.5
_EARLY: Final = DAY
_EARLY_SHORTEST: Final = 360
_EARLY_TIMES: Final = 6


class Rhythm:
    """Of one source.

    Attributes:
        first: minute in which it was first heard of.
        last: minute in which it was last heard of.
    """

    __slots__ = ("_longest", "first", "last")

    def __init__(self, minute: int) -> None:
        self.first = self.last = minute
        self._longest = array("H", bytes(2 * _DAYS))

    def hear(self, minute: int, *, at_most: int = _MOST) -> None:
        """Learn that a file came. One that came before the last teaches nothing.

        Args:
            minute: since 1970.
            at_most: minutes that the gap counts for: what was told as a silence is not to become usual at once.
        """
        gap = minute - self.last
        if gap <= 0:
            return
        began, ended = self.last // DAY, minute // DAY
        learnt = min(gap, at_most, _MOST)
        if learnt > self._longest[began % _DAYS]:
            self._longest[began % _DAYS] = learnt
        for day in range(max(began + 1, ended - _DAYS + 1), ended + 1):
            self._longest[day % _DAYS] = 0  # of four weeks ago
        self.last = minute

    def limit(self, *, early: bool = False) -> int | None:
        """Minutes after the last file from which on it is silent; `None` if that can't be said.

        Args:
            early: say something after one day already, and be generous: before a week is over nobody knows what a
                weekend is like.
        """
        known = self.last - self.first
        if known < _KNOWN:
            return max(_EARLY_SHORTEST, _EARLY_TIMES * max(self._longest)) if early and known >= _EARLY else None
        return self._by_days(known)

    def _by_days(self, known: int) -> int | None:
        """By the longest gaps of all days: three times the longest, unless chance alone may make a longer one."""
        weekdays = [[gap for gap in self._longest[weekday::7] if gap] for weekday in range(7)]
        longest = sorted(gap for gaps in weekdays for gap in gaps)
        if len(longest) < 7:
            return None
        if known >= 3 * 7 * DAY:  # by then a single day's accident is known from what every week brings
            weekdays = [[min(gap, longest[-2]) for gap in gaps] for gaps in weekdays]
            longest[-1] = longest[-2]
        usual = max(statistics.fmean(gaps) for gaps in weekdays if gaps)
        by_chance = usual + _SPREADS * _GUMBEL * _spread(weekdays, longest)
        if by_chance > _MAX_SPREAD or longest[-1] > LONGEST // 2:
            return None
        return min(LONGEST, max(SHORTEST, _TIMES * longest[-1], math.ceil(by_chance)))

    def written(self) -> list[int]:
        """All of it, as JSON."""
        return [self.first, self.last, *self._longest]

    @classmethod
    def read(cls, value: Any) -> Self | None:
        """What `written` gave; `None` of anything else."""
        numbers = value if isinstance(value, list) and len(value) == 2 + _DAYS else []
        if not numbers or not all(type(number) is int and number >= 0 for number in numbers):
            return None
        rhythm = cls(numbers[0])
        rhythm.last = max(numbers[:2])
        rhythm._longest = array("H", (min(number, _MOST) for number in numbers[2:]))
        return rhythm


def _spread(weekdays: list[list[int]], longest: list[int]) -> float:
    """Standard deviation of the days' longest gaps: within each day of the week, if enough weeks are known for that."""
    freedom = sum(len(gaps) - 1 for gaps in weekdays if gaps)
    if freedom < 7:
        return _FEW_SPREADS * statistics.stdev(longest)
    squares = sum((gap - statistics.fmean(gaps)) ** 2 for gaps in weekdays if gaps for gap in gaps)
    return math.sqrt(squares / freedom) * (_FEW_SPREADS if freedom < _FEW else 1.0)
