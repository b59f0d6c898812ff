"""A ledger that all replicas share: this process's own memory first, then a DynamoDB table.

It never raises, and an outage of the table slows nothing down: then the memory alone answers, and the acceptances
that the table has missed are written when it answers again.
"""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final, Self, TypeVar

import structlog

from stream.ledger.faults import TableError
from stream.ledger.interface import Claim
from stream.ledger.memory import MemoryLedger
from stream.ledger.outage import Outage
from stream.ledger.table import Table
from stream.metrics import Metrics

log = structlog.get_logger()

CONNECTIONS: Final = 32
"""Requests at once. Those that wait for one don't age meanwhile."""

_MOST_MISSED: Final = 10_000  # at about 200 bytes each
_FLUSH_S: Final = 3.0
_REVISION_S: Final = 1.0
_REVISIONS: Final = 4  # of one note, where replicas get in each other's way

T = TypeVar("T")


class DynamoLedger:
    """To be entered with `async with`; at its end what the table has missed is written, if it answers.

    Args:
        table: the shared memory.
        metrics: where failures are counted.
        memory: this process's own.
        outage: leaves the table alone while it is out of reach.
        most_missed: acceptances kept for the table at most; the oldest are forgotten first.
    """

    def __init__(
        self,
        table: Table,
        metrics: Metrics,
        *,
        memory: MemoryLedger | None = None,
        outage: Outage | None = None,
        most_missed: int = _MOST_MISSED,
    ) -> None:
        self._table = table
        self._metrics = metrics
        self._memory = memory or MemoryLedger()
        self._outage = outage or Outage(metrics, table.address.table)
        self._most_missed = most_missed
        self._missed: dict[tuple[str, str], None] = {}  # the oldest comes first
        self._has_missed = asyncio.Event()
        self._forgetting = False
        self._slots = asyncio.Semaphore(CONNECTIONS)
        self._tasks = asyncio.TaskGroup()
        self._writer: asyncio.Task[None] | None = None

    @property
    def missed(self) -> int:
        """Acceptances that are still to be written to the table."""
        return len(self._missed)

    async def __aenter__(self) -> Self:
        await self._tasks.__aenter__()
        self._writer = self._tasks.create_task(self._write_missed())
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._writer is not None:
            self._writer.cancel()
        # Not told how the body ended: its error goes on its way by itself, not wrapped into an ExceptionGroup.
        await self._tasks.__aexit__(None, None, None)
        await self._flush()

    async def sent(self, channel: str, alert_id: str) -> bool:
        """See `Ledger`."""
        if await self._memory.sent(channel, alert_id):
            return True
        if not await self._ask(partial(self._table.sent, channel, alert_id), otherwise=False):
            return False
        await self._memory.accepted(channel, alert_id)
        return True

    async def claim(self, channel: str, alert_id: str) -> Claim:
        """See `Ledger`."""
        own = await self._memory.claim(channel, alert_id)
        if own != "granted":
            return own
        granted: Claim = "granted"
        claim = await self._ask(partial(self._table.claim, channel, alert_id), otherwise=granted)
        if claim == "sent":
            await self._memory.accepted(channel, alert_id)
        elif claim == "held":
            await self._memory.release(channel, alert_id)
        return claim

    async def accepted(self, channel: str, alert_id: str) -> None:
        """See `Ledger`."""
        await self._memory.accepted(channel, alert_id)
        written = False
        try:
            written = await self._ask(partial(self._write, channel, alert_id), otherwise=False)
        finally:  # also when a shutdown cuts it short
            if not written:
                self._remember(channel, alert_id)

    async def release(self, channel: str, alert_id: str) -> None:
        """See `Ledger`."""
        await self._memory.release(channel, alert_id)
        await self._ask(partial(self._table.release, channel, alert_id), otherwise=None)

    async def revise(self, name: str, revision: Callable[[str | None], str]) -> bool:
        """See `Notes`."""
        try:
            async with asyncio.timeout(_REVISION_S):
                for _ in range(_REVISIONS):
                    note = await self._ask(partial(self._table.note, name), otherwise=None)
                    if note is None:
                        return False
                    text = revision(note.text)
                    if text == note.text:
                        return True
                    put = partial(self._table.put_note, name, text, note.version)
                    if await self._ask(put, otherwise=False):
                        return True
        except TimeoutError:
            pass
        self._metrics.errors.labels("ledger", "note").inc()
        log.warning("a trail's state is not shared with the other replicas", reason="note")
        return False

    async def read(self, name: str) -> str | None:
        """See `ReadableNotes`."""
        try:
            async with asyncio.timeout(_REVISION_S):
                note = await self._ask(partial(self._table.note, name), otherwise=None)
        except TimeoutError:
            return None
        return None if note is None else note.text or ""

    async def _ask(self, request: Callable[[], Awaitable[T]], *, otherwise: T) -> T:
        """What the table says, or, if it can't be asked, what is said instead."""
        async with self._slots:
            if self._outage.may_ask():
                return await self._request(request, otherwise=otherwise)
        return otherwise

    async def _request(self, request: Callable[[], Awaitable[T]], *, otherwise: T) -> T:
        try:
            answer = await request()
        except TableError as error:
            self._outage.failed(error)
            return otherwise
        self._outage.succeeded()
        return answer

    # What the table has missed

    async def _write(self, channel: str, alert_id: str) -> bool:
        await self._table.accept(channel, alert_id)
        return True

    def _remember(self, channel: str, alert_id: str) -> None:
        self._missed[channel, alert_id] = None
        self._has_missed.set()
        if len(self._missed) <= self._most_missed:
            return
        del self._missed[next(iter(self._missed))]
        self._metrics.errors.labels("ledger", "forgotten").inc()
        if not self._forgetting:
            self._forgetting = True
            log.warning("ledger forgets what it could not write: others may repeat it", limit=self._most_missed)

    async def _write_missed(self) -> None:
        while True:
            await self._has_missed.wait()
            await asyncio.sleep(self._outage.remaining_s)
            channel, alert_id = next(iter(self._missed))
            if await self._ask(partial(self._write, channel, alert_id), otherwise=False):
                self._written(channel, alert_id)

    def _written(self, channel: str, alert_id: str) -> None:
        self._missed.pop((channel, alert_id), None)
        if not self._missed:
            self._forgetting = False
            self._has_missed.clear()

    async def _flush(self) -> None:
        """Try once more before the end, pause or not, as long as it goes well and doesn't take long."""
        try:
            async with asyncio.timeout(_FLUSH_S):
                for channel, alert_id in list(self._missed):
                    if not await self._request(partial(self._write, channel, alert_id), otherwise=False):
                        break
                    self._written(channel, alert_id)
        except TimeoutError:
            pass
        if self._missed:
            log.warning("not written to the ledger: others may repeat it", acceptances=len(self._missed))
