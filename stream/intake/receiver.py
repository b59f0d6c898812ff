"""Long polls of the queue, and the work on what they bring; neither can harm the other, nor one message its sibling."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

from stream.intake.faults import SqsError, Streak
from stream.intake.hand import Hand, Held, Message
from stream.intake.pace import Backoff, Pace
from stream.intake.settlement import Settlement
from stream.intake.slots import Slot, Slots
from stream.intake.sqs import BATCH, Received, Sqs
from stream.metrics import Metrics
from stream.settings import Settings

Process = Callable[[Message], Awaitable[None]]
"""Returns: the message is acknowledged. Raises an Exception: it has failed, and comes back later."""

Room = Callable[[], Awaitable[None]]
"""Returns when there is room for what one more message may bring."""

_FIRST_IDLE_S = 0.05
_T = TypeVar("_T")


class Receiver:
    """Receives no more than can be started at once: it takes work slots first, then asks for as many messages.

    When `stopping` is set, whatever its loops wait for is cut short, long polls included.
    """

    def __init__(
        self,
        sqs: Sqs,
        hand: Hand,
        settlement: Settlement,
        metrics: Metrics,
        *,
        settings: Settings,
        pace: Pace,
        stopping: asyncio.Event,
    ) -> None:
        self._sqs = sqs
        self._hand = hand
        self._settlement = settlement
        self._errors = metrics.errors
        self._visibility_timeout_s = settings.visibility_timeout
        self._pace = pace
        self._slots = Slots(settings.concurrency)
        self._stopping = stopping
        self._streak = Streak("receiving fails", "receiving again")

    async def run(self, process: Process, room: Room, work: asyncio.TaskGroup) -> None:
        """One loop of long polls, until stopped; messages are worked on by tasks of `work`."""
        failing = Backoff(*self._pace.receive_backoff_s)
        idle = Backoff(min(_FIRST_IDLE_S, self._pace.idle_s), self._pace.idle_s)
        stopped = asyncio.ensure_future(self._stopping.wait())
        try:
            while not self._stopping.is_set():
                slots: list[Slot] = []
                try:
                    answer = await self._unless(stopped, self._receive(slots, room))
                    if answer is None:
                        continue
                    failing.reset()
                    self._streak.ended()
                    received, took_s = answer
                    begun = [self._begin(message, slots, process, work) for message in received]
                    if any(begun):
                        idle.reset()
                        continue
                    quick = took_s < min(self._pace.idle_s, self._pace.long_poll_s / 2)
                    pause_s = idle.next() if quick else 0.0
                except SqsError as error:
                    self._errors.labels("receive", error.reason).inc()
                    self._streak.failed(reason=error.reason, code=error.code)
                    pause_s = failing.next()
                finally:
                    for slot in slots:
                        slot.give_back()
                if pause_s:
                    await self._unless(stopped, asyncio.sleep(pause_s))
        finally:
            stopped.cancel()

    async def _receive(self, slots: list[Slot], room: Room) -> tuple[list[Received], float]:
        """One long poll, for as many messages as slots could be taken; and the seconds that it took."""
        slots += await self._slots.take(BATCH, gather_s=self._pace.gather_s)
        await self._hand.uncongested.wait()
        await room()
        loop = asyncio.get_running_loop()
        asked_at = loop.time()
        received = await self._sqs.receive(
            len(slots), wait_s=self._pace.long_poll_s, visibility_timeout_s=self._visibility_timeout_s
        )
        return received, loop.time() - asked_at

    async def _unless(self, stopped: asyncio.Future[Any], waiting: Coroutine[Any, Any, _T]) -> _T | None:
        """Its result; `None` if the stop cut it short. An answer that is already there is never thrown away."""
        task = asyncio.ensure_future(waiting)
        try:
            await asyncio.wait((task, stopped), return_when=asyncio.FIRST_COMPLETED)
        finally:
            if not task.done():
                task.cancel()
                await asyncio.wait((task,))
        return None if task.cancelled() else task.result()

    def _begin(self, received: Received, slots: list[Slot], process: Process, work: asyncio.TaskGroup) -> bool:
        """Whether there is new work by it."""
        if self._hand.join(received) is not None:
            return False
        if self._stopping.is_set() or not slots:
            self._settlement.release(self._hand.take(received))
            return False
        held = self._hand.take(received, slots.pop().give_back)
        work.create_task(self._work(held, process))
        return True

    async def _work(self, held: Held, process: Process) -> None:
        held.task = asyncio.current_task()
        settle = self._settlement.acknowledge
        try:
            if held.cancelled:  # before it could begin
                settle = self._settlement.release
            else:
                await process(held.message)
        except asyncio.CancelledError:
            if not held.cancelled and held.task is not None and held.task.cancelling():
                raise  # it is all of `run` that is being cancelled
            settle = self._settlement.release if held.cancelled else self._settlement.fail
        except Exception:  # noqa: BLE001 - the pipeline has reported it; from here on it concerns no sibling
            settle = self._settlement.release if held.cancelled else self._settlement.fail
        finally:
            held.message.waiting()
        if not held.settled:
            settle(held)
