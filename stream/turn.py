"""Work in many small steps on the event loop: it turns when they have taken a while together, not after each."""

import asyncio
from collections import deque
from typing import Final

_LONGEST_S: Final = 0.001
"""A turn in which nothing is done takes some ten microseconds, a step of work as much or a hundred times that."""


class Turn:
    """How much has been done since the event loop last turned for it, by all who share this.

    Those who find that it was enough go on one after the other, in the order in which they came, each in a turn of its
    own: there may be a file full of alerts in each of sixteen messages.
    """

    def __init__(self) -> None:
        self._worked_s = 0.0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._turns = False

    def worked(self, seconds: float) -> None:
        """Say how long a step has taken."""
        self._worked_s += seconds

    async def go_on(self) -> None:
        """To be awaited between two steps: let the event loop turn, if it is time."""
        if self._worked_s < _LONGEST_S:
            return
        loop = asyncio.get_running_loop()
        mine = loop.create_future()
        self._waiting.append(mine)
        if not self._turns:
            self._turns = True
            loop.call_soon(self._begin)
        try:
            await mine
        finally:
            mine.cancel()  # whoever is cancelled while it waits is passed over

    def _begin(self) -> None:
        """Begin a turn: the next who waits may go on."""
        self._worked_s = 0.0
        while self._waiting:
            mine = self._waiting.popleft()
            if not mine.done():
                mine.set_result(None)
                break
        self._turns = bool(self._waiting)
        if self._turns:
            asyncio.get_running_loop().call_soon(self._begin)
