"""How often and how long: every interval of intake in one place, and the backoff that failures share."""

import random
from dataclasses import dataclass
from typing import Final

_RANDOM: Final = random.SystemRandom()


@dataclass(frozen=True, slots=True)
class Pace:
    """Intervals in seconds, all of them ours to choose; tests shorten them.

    Attributes:
        long_poll_s: SQS allows 20 at most.
        request_s: a request that isn't a long poll is given up after this.
        extend_at: part of a visibility timeout (no duration, this one) after which it is extended.
        gather_s: a receiver that has one free work slot waits this long for as many as a request can fill.
        linger_s: a batch that is not full is sent after this.
        depth_s: between two looks at the queue's depth.
        idle_s: empty answers that come back sooner than a long poll should are spaced by up to this.
        receive_backoff_s, settle_backoff_s: first and longest pause after a failed request.
        hold_s: a message is let go of after this, well before SQS's 12 hours from its receipt are over.
        flush_s: what shutting down may add to its grace, for the last requests.
    """

    long_poll_s: int = 20
    request_s: float = 10.0
    extend_at: float = 0.5
    gather_s: float = 0.05
    linger_s: float = 0.2
    depth_s: float = 30.0
    idle_s: float = 1.0
    receive_backoff_s: tuple[float, float] = (0.5, 30.0)
    settle_backoff_s: tuple[float, float] = (0.2, 10.0)
    hold_s: float = 11 * 3600.0
    flush_s: float = 3.0


class Backoff:
    """Pauses that double from the first to the longest, each made up to half as long by chance."""

    def __init__(self, first_s: float, longest_s: float) -> None:
        self._first_s = first_s
        self._longest_s = longest_s
        self._count = 0

    def next(self) -> float:
        """Seconds to wait before the next try."""
        pause_s = pause(self._count, self._first_s, self._longest_s)
        self._count += 1
        return pause_s

    def reset(self) -> None:
        """The last try went well."""
        self._count = 0


def pause(failures: int, first_s: float, longest_s: float) -> float:
    """Seconds to wait after that many failures before this one."""
    return min(first_s * 2.0 ** min(failures, 32), longest_s) * _RANDOM.uniform(0.5, 1.0)


def retry_delay(first_s: float, receive_count: int, longest_s: float) -> int:
    """Whole seconds until a failed message comes back: doubled with each receive, give or take a quarter."""
    delay_s = min(first_s * 2.0 ** min(receive_count - 1, 32), longest_s)
    return round(min(delay_s * _RANDOM.uniform(0.75, 1.25), longest_s))
