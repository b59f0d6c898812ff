"""Work slots: how many messages may be worked on at once; taken by the ten, given back one by one."""

import asyncio
import contextlib


class Slot:
    """One of them, in somebody's hand; given back once, however often that is asked for."""

    __slots__ = ("_slots",)

    def __init__(self, slots: "Slots") -> None:
        self._slots: Slots | None = slots

    def give_back(self) -> None:
        """Let somebody else have it."""
        slots, self._slots = self._slots, None
        if slots is not None:
            slots.add_one()


class Slots:
    """All of them. Whoever waits is woken when there is enough, and not for each."""

    def __init__(self, number: int) -> None:
        self._number = self._free = number
        self._turn = asyncio.Lock()
        self._wanted = 0
        self._enough: asyncio.Future[None] | None = None

    async def take(self, most: int, *, gather_s: float) -> list[Slot]:
        """From one to `most`: waits for the first as long as it takes, and a moment for the others.

        Without that moment a busy replica would ask for one message whenever one was finished.
        """
        most = min(most, self._number)
        async with self._turn:
            await self._until(1)
            if self._free < most:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(gather_s):
                        await self._until(most)
            taken = [Slot(self) for _ in range(min(most, self._free))]
            self._free -= len(taken)
            return taken

    def add_one(self) -> None:
        """One is free again."""
        self._free += 1
        if self._enough is not None and self._free >= self._wanted and not self._enough.done():
            self._enough.set_result(None)

    async def _until(self, free: int) -> None:
        while self._free < free:
            self._wanted, self._enough = free, asyncio.get_running_loop().create_future()
            try:
                await self._enough
            finally:
                self._enough = None
