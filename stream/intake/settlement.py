"""Settles what is in hand: deletes it, or gives it back with a time to return; in batches, until SQS confirms."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, TypeVar

import structlog

from stream.intake.batches import Batches
from stream.intake.faults import Reason, SqsError, Streak
from stream.intake.hand import Hand, Held, Stage
from stream.intake.pace import Pace, pause, retry_delay
from stream.intake.sqs import Sqs
from stream.metrics import Metrics

log = structlog.get_logger()

_LONGEST_RETRY_S: Final = 900.0
_Entry = TypeVar("_Entry")


class Settlement:
    """Settles messages; none of its methods waits for SQS but `run`, which does the work."""

    def __init__(self, hand: Hand, sqs: Sqs, metrics: Metrics, *, retry_delay_s: float, pace: Pace) -> None:
        self._hand = hand
        self._sqs = sqs
        self._metrics = metrics
        self._retry_delay_s = retry_delay_s
        self._backoff_s = pace.settle_backoff_s
        self._deletes = Batches(self._delete, linger_s=pace.linger_s)
        self._returns = Batches(self._return, linger_s=pace.linger_s)
        self._streak = Streak("settling messages fails", "settling messages works again")

    async def run(self) -> None:
        """Send what there is to send, until cancelled."""
        async with asyncio.TaskGroup() as batches:
            batches.create_task(self._deletes.run())
            batches.create_task(self._returns.run())

    def hurry(self) -> None:
        """From now on, send every request at once."""
        self._deletes.hurry()
        self._returns.hurry()
        self._backoff_s = (self._backoff_s[0], min(self._backoff_s[1], 0.5))

    def acknowledge(self, held: Held) -> None:
        """It was processed: delete it. It is settled when SQS has confirmed that."""
        self._hand.begin_to_settle(held, Stage.DELETING)
        self._deletes.add(held)

    def fail(self, held: Held) -> None:
        """It could not be processed: let it come back, later each time; the queue's redrive policy ends that."""
        held.returns_as = "failed"
        held.returns_after_s = retry_delay(self._retry_delay_s, held.receive_count, _LONGEST_RETRY_S)
        self._hand.begin_to_settle(held, Stage.RETURNING)
        self._returns.add(held)

    def release(self, held: Held) -> None:
        """It was not processed to its end, through no fault of its own: let it come back at once."""
        held.returns_as = "released"
        held.returns_after_s = 0
        self._hand.begin_to_settle(held, Stage.RETURNING)
        self._returns.add(held)

    def expire(self, held: Held) -> None:
        """Its handle is dead, so nothing can be done about it any more: end its work; SQS hands it out again."""
        self._metrics.errors.labels("settle", "handle_expired").inc()
        log.warning("message expired", message_id=held.message.id, receive_count=held.receive_count)
        working = held.stage is Stage.WORKING
        self._hand.settle(held, "expired")
        if working:
            held.cancel()

    def resume(self, held: Held) -> None:
        """Send again what an extension under way had held up."""
        self._returns.add(held)

    def failed(self, reason: Reason, code: str = "") -> None:
        """Count and log a request about messages in hand that failed."""
        self._metrics.errors.labels("settle", reason).inc()
        self._streak.failed(reason=reason, code=code)

    async def _delete(self, batch: Sequence[Held]) -> None:
        batch = [held for held in dict.fromkeys(batch) if not held.settled]
        handles = [held.handle for held in batch]
        for held, handle, reason in zip(batch, handles, await self._ask(self._sqs.delete, handles), strict=True):
            if held.settled:
                continue
            if held.handle != handle:
                # It was received again meanwhile. A delete by an older handle succeeds, "but the message might not be
                # deleted": https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_DeleteMessage.html
                held.deleted = held.deleted or reason is None
                self._deletes.add(held)
            elif reason is None or (reason == "handle_expired" and held.deleted):
                self._hand.settle(held, "acknowledged")
                self._metrics.notification_to_ack.observe(time.monotonic() - held.message.received_at)
            elif reason == "handle_expired":
                self.expire(held)
            else:
                self._again(self._deletes, held)

    async def _return(self, batch: Sequence[Held]) -> None:
        # A request that extends one of these is waited for: arriving later, it would undo ours.
        batch = [held for held in dict.fromkeys(batch) if not held.settled and not held.extending]
        changes = [(held.handle, held.returns_after_s) for held in batch]
        reasons = await self._ask(self._sqs.change_visibility, changes)
        for held, reason in zip(batch, reasons, strict=True):
            if held.settled:
                continue
            if reason is None:
                self._hand.settle(held, held.returns_as)
            elif reason == "handle_expired":
                self._metrics.errors.labels("settle", reason).inc()
                self._hand.settle(held, held.returns_as)
            elif time.monotonic() - held.hidden_at >= held.hidden_s:
                self._hand.settle(held, held.returns_as)  # SQS has it again without our asking
            else:
                self._again(self._returns, held)

    async def _ask(
        self, request: Callable[[Sequence[_Entry]], Awaitable[list[Reason | None]]], entries: Sequence[_Entry]
    ) -> list[Reason | None]:
        """The answer for each entry: `None`, or why not."""
        if not entries:
            return []
        try:
            reasons = await request(entries)
        except SqsError as error:
            self.failed(error.reason, error.code)
            return [error.reason] * len(entries)
        refused = [reason for reason in reasons if reason is not None and reason != "handle_expired"]
        for reason in refused:
            self.failed(reason)
        if not refused:
            self._streak.ended()
        return reasons

    def _again(self, batches: Batches, held: Held) -> None:
        batches.add(held, after_s=pause(held.failures, *self._backoff_s))
        held.failures += 1
