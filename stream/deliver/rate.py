"""How often a channel may be asked: a token bucket that says when the next request is due. No clock of its own."""


class TokenBucket:
    """Allows `rate` requests a second, and `burst` at once after a pause.

    It keeps the moment at which it would be full again instead of a sum of tokens ("generic cell rate algorithm"), so
    that nothing drifts.
    """

    def __init__(self, rate: float, burst: int = 1) -> None:
        """Make a full bucket; a `rate` of 0 sets no limit."""
        self._interval_s = 1.0 / rate if rate > 0 else 0.0
        self._credit_s = self._interval_s * (max(burst, 1) - 1)
        self._full_at = float("-inf")
        self._paused_until = float("-inf")

    def ready_at(self) -> float:
        """The moment from which the next request may go."""
        return max(self._full_at - self._credit_s, self._paused_until)

    def take(self, now: float) -> None:
        """Count one request."""
        self._full_at = max(self._full_at, now) + self._interval_s

    def pause(self, until: float) -> None:
        """Let nothing go before this moment: the service said so, and to all of our requests alike."""
        self._paused_until = max(self._paused_until, until)
