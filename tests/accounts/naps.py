"""Sleep as a test would have it: known of when it begins, over when the test says so."""

import asyncio


class Naps:
    """Stands in for `asyncio.sleep`; what is shorter than a second is over at once."""

    def __init__(self) -> None:
        self._begun: asyncio.Queue[float] = asyncio.Queue()
        self._over: asyncio.Queue[None] = asyncio.Queue()

    async def __call__(self, seconds: float) -> None:
        if seconds < 1:
            return
        self._begun.put_nowait(seconds)
        await self._over.get()

    async def begun(self) -> float:
        """Wait until somebody sleeps; for how many seconds."""
        async with asyncio.timeout(20):
            return await self._begun.get()

    async def next(self) -> float:
        """End the sleep, and wait for the one after it."""
        self._over.put_nowait(None)
        return await self.begun()
