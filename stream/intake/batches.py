"""Single messages in, batches out: ten at a time, or what there is once the first has waited long enough."""

import asyncio
import heapq
import itertools
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, NoReturn

from stream.intake.hand import Held
from stream.intake.sqs import BATCH

_AT_ONCE: Final = 4  # so that a slow SQS does not make the messages queue up behind one request


class Batches:
    """Hands messages to `send`, which sees to it that each is settled or added again."""

    def __init__(self, send: Callable[[Sequence[Held]], Awaitable[None]], *, linger_s: float) -> None:
        self._send = send
        self._linger_s = linger_s
        self._ready: deque[Held] = deque()
        self._send_at = 0.0
        self._later: list[tuple[float, int, Held]] = []
        self._order = itertools.count()
        self._changed = asyncio.Event()

    def add(self, held: Held, *, after_s: float = 0.0) -> None:
        """Send it with the next batch, or with the one after so many seconds."""
        if after_s > 0:
            now = asyncio.get_running_loop().time()
            heapq.heappush(self._later, (now + after_s, next(self._order), held))
            self._changed.set()
            return
        if not self._ready:
            self._send_at = asyncio.get_running_loop().time() + self._linger_s
        self._ready.append(held)
        if len(self._ready) in (1, BATCH):  # whoever waits does so for its first, or for it to be full
            self._changed.set()

    def hurry(self) -> None:
        """From now on, don't wait for batches to fill."""
        self._linger_s = 0.0
        self._send_at = 0.0
        self._changed.set()

    async def run(self) -> NoReturn:
        """Send batches, for ever."""
        free = asyncio.Semaphore(_AT_ONCE)

        async def send(batch: Sequence[Held]) -> None:
            try:
                await self._send(batch)
            finally:
                free.release()

        async with asyncio.TaskGroup() as requests:
            while True:
                await free.acquire()
                requests.create_task(send(await self._next()))

    async def _next(self) -> list[Held]:
        loop = asyncio.get_running_loop()
        while True:
            now = loop.time()
            while self._later and self._later[0][0] <= now:
                if not self._ready:
                    self._send_at = now + self._linger_s
                self._ready.append(heapq.heappop(self._later)[2])
            if len(self._ready) >= BATCH or (self._ready and now >= self._send_at):
                batch = [self._ready.popleft() for _ in range(min(BATCH, len(self._ready)))]
                self._send_at = now + self._linger_s
                return batch
            wake_at = [self._send_at] if self._ready else []
            wake_at += [self._later[0][0]] if self._later else []
            self._changed.clear()
            try:
                async with asyncio.timeout_at(min(wake_at, default=None)):
                    await self._changed.wait()
            except TimeoutError:
                continue
