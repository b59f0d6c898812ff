"""The interface of a ledger, and for how long it remembers."""

from typing import Final, Literal, Protocol

Claim = Literal["granted", "sent", "held"]
"""`granted`: send it; `sent`: it was accepted before; `held`: somebody else is sending it at this moment."""

REDELIVERY_S: Final = 30 * 86_400.0
"""CloudTrail may deliver an event again for 30 days."""

CLAIM_S: Final = 330.0
"""Longer than the longest request that ChannelSettings.timeout allows."""


class Ledger(Protocol):
    """Remembers deliveries, for one process or for all replicas.

    None of these raise. One that can't reach its memory answers as if it remembered nothing: an alert told twice is
    better than one not told.
    """

    async def sent(self, channel: str, alert_id: str) -> bool:
        """Whether the channel has accepted the alert."""

    async def claim(self, channel: str, alert_id: str) -> Claim:
        """Ask to send the alert; a grant lasts until `accepted`, `release`, or some time has passed."""

    async def accepted(self, channel: str, alert_id: str) -> None:
        """Note that the channel has accepted the alert."""

    async def release(self, channel: str, alert_id: str) -> None:
        """Give a claim back: the alert was not accepted."""
