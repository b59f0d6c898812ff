"""Keeps SQS from handing out what is in hand: each message's visibility is extended when half of it has passed.

Ends at the first answer that a handle is dead, and for good at `Pace.hold_s`, below the 12 hours that SQS allows.
"""

import asyncio
import time
from collections.abc import Sequence
from typing import Final, NoReturn

import structlog

from stream.intake.faults import Reason, SqsError
from stream.intake.hand import Hand, Held, Stage
from stream.intake.pace import Pace
from stream.intake.settlement import Settlement
from stream.intake.sqs import BATCH, Sqs
from stream.metrics import Metrics

log = structlog.get_logger()

_LONGEST_HIDDEN_S: Final = 43_200 - 60
"""SQS refuses an extension that ends later than 12 hours after the receipt; a minute is for clocks and network."""
_AT_ONCE: Final = 4
_LONGEST_BEAT_S: Final = 30.0


class Heartbeat:
    """Extends visibility until cancelled; meant to be the last thing that stops."""

    def __init__(self, hand: Hand, sqs: Sqs, settlement: Settlement, metrics: Metrics, *, pace: Pace) -> None:
        self._hand = hand
        self._sqs = sqs
        self._settlement = settlement
        self._extensions = metrics.visibility_extensions
        self._hold_s = pace.hold_s
        self._extend_at = pace.extend_at
        self._free = asyncio.Semaphore(_AT_ONCE)

    async def run(self) -> NoReturn:
        """Beat ten times in a visibility timeout, so that an extension that fails is tried again before it is over."""
        while True:
            await asyncio.sleep(min(self._hand.visibility_timeout_s / 10, _LONGEST_BEAT_S))
            await self._beat()

    async def _beat(self) -> None:
        now = time.monotonic()
        for held in self._hand.all():
            if now - held.received_at >= self._hold_s:
                self._let_go(held)
        due = [
            held
            for held in self._hand.all()
            if held.extendable and now - held.hidden_at >= held.hidden_s * self._extend_at
        ]
        async with asyncio.TaskGroup() as requests:
            for start in range(0, len(due), BATCH):
                requests.create_task(self._extend(due[start : start + BATCH]))

    async def _extend(self, batch: Sequence[Held]) -> None:
        async with self._free:
            batch = [held for held in batch if held.extendable]
            asked_at = time.monotonic()
            changes = [(held.handle, self._seconds(held, asked_at)) for held in batch]
            for held in batch:
                held.extending = True
            reasons: list[Reason | None]
            try:
                # A request that hangs must not cost the next try, before the messages become visible.
                timeout_s = max(0.5, self._hand.visibility_timeout_s / 8)
                reasons = await self._sqs.change_visibility(changes, timeout_s=timeout_s) if changes else []
            except SqsError as error:
                self._settlement.failed(error.reason, error.code)
                reasons = ["other"] * len(batch)
            else:
                for reason in reasons:
                    if reason is not None and reason != "handle_expired":
                        self._settlement.failed(reason)
            finally:
                for held in batch:
                    held.extending = False
        for held, (handle, seconds), reason in zip(batch, changes, reasons, strict=True):
            if reason is None and held.handle == handle:
                held.hidden_at, held.hidden_s = asked_at, seconds
            self._answered(held, handle, reason)

    def _answered(self, held: Held, handle: str, reason: Reason | None) -> None:
        if held.settled:
            return
        if held.stage is Stage.RETURNING:
            self._settlement.resume(held)
        elif held.handle != handle:
            return  # received again meanwhile, and so hidden anew
        elif reason is None:
            self._extensions.labels("extended").inc()
        elif reason == "handle_expired":
            self._extensions.labels("expired").inc()
            held.handle_dead = True
            # A delete under way may be what killed it: its own answer decides.
            if held.stage is Stage.WORKING:
                self._settlement.expire(held)
        else:
            self._extensions.labels("failed").inc()

    def _seconds(self, held: Held, now: float) -> int:
        left_s = _LONGEST_HIDDEN_S - (now - held.received_at)
        return max(1, min(self._hand.visibility_timeout_s, int(left_s)))

    def _let_go(self, held: Held) -> None:
        if held.stage is Stage.DELETING:
            self._settlement.expire(held)
        elif held.stage is Stage.WORKING and not held.cancelled:
            log.warning("message held too long", message_id=held.message.id, receive_count=held.receive_count)
            held.cancel()
