"""The interface of a ledger, and for how long it remembers."""

from collections.abc import Callable
from typing import Final, Literal, Protocol

Claim = Literal["granted", "sent", "held"]
"""`granted`: send it; `sent`: it was accepted before; `held`: somebody else is sending it at this moment."""

REDELIVERY_S: Final = 30 * 86_400.0
"""CloudTrail may deliver an event again for 30 days."""

NOTE_S: Final = 400 * 86_400.0
"""A trail that has been off for longer is not one that anybody waits for."""

CLAIM_S: Final = 330.0
"""Longer than the longest request that ChannelSettings.timeout allows."""


class Notes(Protocol):
    """Short texts that replicas share, by name."""

    async def revise(self, name: str, revision: Callable[[str | None], str]) -> bool:
        """Put in a note's place what `revision` makes of it (of `None`, if there is none), and tell all replicas.

        It is asked again if another replica has been faster. Takes about a second at most and never raises: false says
        that others have not been told.

        Args:
            name: at most 200 letters, digits and hyphens.
            revision: gives at most 100 KB of text; up to 350 KB where many may have much to say: DynamoDB takes 400.
        """


class ReadableNotes(Notes, Protocol):
    """Notes that may be read without revising them."""

    async def read(self, name: str) -> str | None:
        """A note as it is, empty if there is none; `None`: it can't be had now. Never raises."""


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
