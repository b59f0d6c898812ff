"""When to leave a channel alone: answers go in, and out comes whether and when a request may go. No clock of its own.

Nothing is refused while it is open: alerts wait.
"""

import math
from typing import Final, Literal

from stream.deliver.backoff import Backoff

State = Literal["closed", "open", "half_open"]

_THRESHOLD: Final = 5
_PROBES: Final = Backoff(base_s=1.0, cap_s=60.0, floor=0.5)


class CircuitBreaker:
    """Opens after some failures in a row, or at once when the channel is down; then lets one probe through at a time.

    closed ── failures in a row, or down ──▶ open ── after a while ──▶ half-open: one probe ──▶ closed, or open again
    """

    def __init__(self, threshold: int = _THRESHOLD, probes: Backoff = _PROBES) -> None:
        self._threshold = threshold
        self._probes = probes
        self._failures = 0  # in a row, while closed
        self._openings = 0  # in a row, without a success between
        self._probe_at = 0.0
        self.state: State = "closed"

    def __repr__(self) -> str:
        return f"<CircuitBreaker {self.state}, {self._failures} failures, {self._openings} openings>"

    @property
    def failing(self) -> bool:
        """Whether the last answer was a failure."""
        return self._failures > 0 or self.state != "closed"

    def ready_at(self) -> float:
        """The moment from which a request may go; never, while a probe is out."""
        if self.state == "closed":
            return -math.inf
        return self._probe_at if self.state == "open" else math.inf

    def enter(self) -> bool:
        """Count a request that goes now; whether it is the probe, the first one after an open period."""
        if self.state != "open":
            return False
        self.state = "half_open"
        return True

    def abandon(self) -> None:
        """Take back the probe, which was let through and then not made."""
        if self.state == "half_open":
            self.state = "open"

    def succeed(self) -> None:
        """Close: the channel has answered, be it to refuse an alert."""
        self._failures = self._openings = 0
        self.state = "closed"

    def fail(self, now: float, at_least_s: float | None = None) -> None:
        """Count a failure. One that was under way when the breaker opened changes nothing."""
        if self.state == "closed":
            self._failures += 1
            if self._failures >= self._threshold:
                self._open(now, at_least_s)
        elif self.state == "half_open":
            self._open(now, at_least_s)

    def trip(self, now: float) -> None:
        """Open at once: the channel is down."""
        if self.state != "open":
            self._open(now, None)

    def probe_now(self, now: float) -> None:
        """Don't wait for the next probe: something has changed that may have repaired the channel."""
        self._probe_at = min(self._probe_at, now)

    def _open(self, now: float, at_least_s: float | None) -> None:
        self.state = "open"
        self._failures = 0
        self._openings += 1
        self._probe_at = now + self._probes.delay_s(self._openings, at_least_s)
