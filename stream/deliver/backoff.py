"""How long to wait before trying again: a number of failures goes in, seconds come out."""

import random
from collections.abc import Callable
from dataclasses import dataclass

Uniform = Callable[[float, float], float]
"""Draws a number between two others, as `random.uniform` does."""


@dataclass(frozen=True, slots=True)
class Backoff:
    """Doubling from `base_s` to `cap_s`, with jitter from a `floor` part of that to the whole.

    A floor of 0 is full jitter, which spreads a crowd best:
    https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
    """

    base_s: float = 0.5
    cap_s: float = 60.0
    floor: float = 0.0
    uniform: Uniform = random.uniform

    def delay_s(self, failures: int, at_least_s: float | None = None) -> float:
        """Seconds to wait after so many failures in a row (1 or more), but no less than the service asked for."""
        # Beyond 2**30 the cap has been reached for certain, and a float would overflow at 2**1024.
        ceiling = min(self.cap_s, self.base_s * 2.0 ** min(failures - 1, 30))
        return max(self.uniform(self.floor * ceiling, ceiling), at_least_s or 0.0)
