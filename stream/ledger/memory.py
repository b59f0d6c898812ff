"""A ledger of this process alone: deliveries in, what became of them out, within bounds of time and number."""

import time
from collections.abc import Callable

from stream.ledger.interface import CLAIM_S, REDELIVERY_S, Claim


class MemoryLedger:
    """A ledger of this process alone; it forgets the oldest acceptances first.

    Args:
        ttl_s: seconds for which an acceptance is remembered.
        max_entries: acceptances remembered at most, at about 300 bytes each.
        claim_s: seconds for which a claim holds.
        now: tells the time in seconds.
    """

    def __init__(
        self,
        ttl_s: float = REDELIVERY_S,
        max_entries: int = 100_000,
        *,
        claim_s: float = CLAIM_S,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._ttl_s = ttl_s
        self._max_entries = max_entries
        self._claim_s = claim_s
        self._now = now
        self._accepted: dict[tuple[str, str], float] = {}  # until when; the oldest comes first
        self._claims: dict[tuple[str, str], float] = {}

    @property
    def entries(self) -> int:
        """Acceptances remembered."""
        return len(self._accepted)

    async def sent(self, channel: str, alert_id: str) -> bool:
        """See `Ledger`."""
        until = self._accepted.get((channel, alert_id))
        return until is not None and until > self._now()

    async def claim(self, channel: str, alert_id: str) -> Claim:
        """See `Ledger`."""
        if await self.sent(channel, alert_id):
            return "sent"
        now = self._now()
        if self._claims.get((channel, alert_id), now) > now:
            return "held"
        self._claims[channel, alert_id] = now + self._claim_s
        return "granted"

    async def accepted(self, channel: str, alert_id: str) -> None:
        """See `Ledger`."""
        await self.release(channel, alert_id)
        self._accepted.pop((channel, alert_id), None)
        self._accepted[channel, alert_id] = self._now() + self._ttl_s
        self._forget()

    async def release(self, channel: str, alert_id: str) -> None:
        """See `Ledger`."""
        self._claims.pop((channel, alert_id), None)

    def _forget(self) -> None:
        now = self._now()
        while self._accepted:
            oldest, until = next(iter(self._accepted.items()))
            if until > now and len(self._accepted) <= self._max_entries:
                return
            del self._accepted[oldest]
