"""A model of settlement: whatever happens to messages, in any order, each is settled once, and none too early."""

import asyncio
import logging
import random
from contextlib import ExitStack
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, cast
from unittest.mock import patch

import structlog
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from stream.aws import Aws
from stream.intake import faults, hand, heartbeat, pace, settlement, sqs
from stream.intake.hand import Message
from stream.intake.pace import Pace
from stream.intake.queue import Queue
from stream.intake.sqs import Sqs
from stream.metrics import SETTLEMENTS, Metrics
from stream.settings import Settings
from tests.intake.virtual_sqs import Fault, VirtualLoop, VirtualSqs

GRACE_S = 5.0
PACE = Pace(hold_s=400.0)
SETTLED_WITHIN_S = 60.0
MOMENTS = st.sampled_from([0.0, 0.01, 0.2, 3.0, 16.0])
ENDS = st.sampled_from(["returns", "fails", "is cancelled"])
TEMPERS = ("obeys", "returns", "fails")


@dataclass(eq=False)
class Work:
    """A process at work on a message.

    Attributes:
        temper: what it does when it is cancelled.
        end: how it ended, once it has.
    """

    message: Message
    temper: str
    verdict: "asyncio.Future[None]"
    end: str | None = None


class Settling(RuleBasedStateMachine):
    """Replicas, one after the other, read one queue in virtual time."""

    @initialize()
    def start(self) -> None:
        self.loop = VirtualLoop()
        self.parts = ExitStack()
        clock = SimpleNamespace(monotonic=self.loop.time, time=self.loop.time)
        for module in (faults, hand, heartbeat, settlement, sqs):
            self.parts.enter_context(patch.object(module, "time", clock))
        self.parts.enter_context(patch.object(pace, "_RANDOM", random.Random(0)))
        structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
        self.works: list[Work] = []
        self.temper = "obeys"
        self.generous = False
        self.sent = 0
        self.queue: Queue | None = None
        self.sqs = VirtualSqs(self.loop, deleting=self.deleting, extending=self.extending, step=self.check_identity)
        self.begin()

    def begin(self) -> None:
        self.metrics = Metrics()
        self.stopped_at: float | None = None
        self.works_before = len(self.works)
        self.handed_out_before = self.sqs.handed_out
        options: dict[str, Any] = {"queue_url": "https://sqs.example/1/trail", "retry_delay": 100.0}
        setup = Settings(**options, shutdown_grace=GRACE_S, concurrency=4, receivers=2)
        self.queue = Queue(cast("Aws", None), setup, self.metrics, pace=PACE)
        self.queue._sqs = Sqs("url", wire=self.sqs.wire, request_s=PACE.request_s)
        self.run_task = self.loop.create_task(self.queue.run(self.process, self.room))
        self.loop.advance(1.0)

    async def room(self) -> None:
        """There always is some."""

    async def process(self, message: Message) -> None:
        work = Work(message, self.temper, self.loop.create_future())
        self.works.append(work)
        try:
            if not self.generous:
                await work.verdict
        except asyncio.CancelledError:
            work.end = {"obeys": "cancelled", "returns": "returned", "fails": "failed"}[work.temper]
            if work.temper == "obeys":
                raise
            if work.temper == "fails":
                raise ValueError from None
        except ValueError:
            work.end = "failed"
            raise
        else:
            work.end = "returned"

    # What must never be

    def settled(self) -> float:
        return float(sum(self.metrics.messages_settled.labels(outcome)._value.get() for outcome in SETTLEMENTS))

    def received(self) -> float:
        return float(self.metrics.messages_received._value.get())

    def check_identity(self) -> None:
        assert self.queue is not None
        if self.received() != self.settled() + self.queue.in_flight:
            self.sqs.violations.append("received is not settled and in flight")

    def _work_on(self, id_: str, receipt: int) -> Work | None:
        """The last work that had begun by this receipt; a redelivery may have joined it."""
        works = [work for work in self.works if work.message.id == id_ and work.message.receive_count <= receipt]
        return works[-1] if works else None

    def deleting(self, id_: str, receipt: int) -> str | None:
        work = self._work_on(id_, receipt)
        return None if work and work.end == "returned" else "acknowledged before its process has returned"

    def extending(self, id_: str, receipt: int) -> str | None:
        work = self._work_on(id_, receipt)
        return None if work and work.end in (None, "returned") else "extended though its process has failed"

    @invariant()
    def nothing_is_wrong(self) -> None:
        if not hasattr(self, "sqs"):
            return
        self.check_identity()
        assert self.sqs.violations == []
        assert self.received() <= self.sqs.handed_out - self.handed_out_before
        if self.stopped_at is not None and self.loop.time() > self.stopped_at + GRACE_S + PACE.flush_s + 1.0:
            assert self.run_task.done()
        if self.run_task.done():
            self.run_task.result()

    # What may happen

    def open_works(self) -> list[Work]:
        return [work for work in self.works if work.end is None and not work.verdict.done()]

    @rule(number=st.integers(1, 12), seconds=MOMENTS)
    def send(self, number: int, seconds: float) -> None:
        for _ in range(number):
            self.sent += 1
            self.sqs.send(f"m{self.sent}")
        self.loop.advance(seconds)

    @rule(seconds=st.sampled_from([31.0, 200.0]))
    def time_passes(self, seconds: float) -> None:
        self.loop.advance(seconds)

    @precondition(lambda self: self.open_works())
    @rule(pick=st.integers(0, 9), end=ENDS, seconds=MOMENTS)
    def a_process_ends(self, pick: int, end: str, seconds: float) -> None:
        self.end(self.an_open_work(pick), end)
        self.loop.advance(seconds)

    @precondition(lambda self: self.open_works())
    @rule(pick=st.integers(0, 9), end=ENDS, dies=st.booleans(), refused=st.sampled_from([0, 12]))
    def a_process_ends_while_it_is_extended(self, pick: int, end: str, dies: bool, refused: int) -> None:
        work = self.an_open_work(pick)
        self.sqs.faults["change"].appendleft("slow")
        self.sqs.faults["delete"].extend(["refused"] * refused)
        before = self.sqs.extensions
        for _ in range(40):
            if self.sqs.extensions == before:
                self.loop.advance(0.5)
        if dies and work.message.id in self.sqs.messages:
            self.sqs.kill_handle(work.message.id)
        if work in self.open_works():
            self.end(work, end)
        self.loop.advance(0.01)

    def end(self, work: Work, end: str) -> None:
        if end == "returns":
            work.verdict.set_result(None)
        elif end == "fails":
            work.verdict.set_exception(ValueError())
        else:
            work.verdict.cancel()

    def an_open_work(self, pick: int) -> Work:
        works = self.open_works()
        return works[pick % len(works)]

    @precondition(lambda self: self.open_works())
    @rule(pick=st.integers(0, 9))
    def a_process_waits_for_deliveries(self, pick: int) -> None:
        self.an_open_work(pick).message.waiting()
        self.loop.advance(0.01)

    @rule(temper=st.sampled_from(TEMPERS))
    def the_next_processes_take_cancellation_so(self, temper: str) -> None:
        self.temper = temper

    @precondition(lambda self: self.sqs.messages)
    @rule(pick=st.integers(0, 9), seconds=MOMENTS)
    def redeliver(self, pick: int, seconds: float) -> None:
        self.sqs.redeliver(self.an_id(pick))
        self.loop.advance(seconds)

    @precondition(lambda self: self.sqs.messages)
    @rule(pick=st.integers(0, 9), seconds=MOMENTS)
    def a_handle_dies(self, pick: int, seconds: float) -> None:
        self.sqs.kill_handle(self.an_id(pick))
        self.loop.advance(seconds)

    @rule(
        operation=st.sampled_from(["receive", "delete", "change"]),
        fault=st.sampled_from(["refused", "hangs", "slow", "lost", "partly", "passed over"]),
        times=st.sampled_from([1, 2, 12]),
    )
    def the_next_requests_fail(self, operation: str, fault: Fault, times: int) -> None:
        self.sqs.faults[operation].extend([fault] * times)

    @precondition(lambda self: len(self.works) - self.works_before >= 8 and self.stopped_at is None)
    @rule(seconds=MOMENTS)
    def stop(self, seconds: float) -> None:
        assert self.queue is not None
        self.queue.stop()
        self.stopped_at = self.loop.time()
        self.loop.advance(seconds)

    @precondition(lambda self: self.run_task.done())
    @rule()
    def another_replica_starts(self) -> None:
        self.came_to_its_end()
        self.begin()

    def an_id(self, pick: int) -> str:
        ids = list(self.sqs.messages)
        return ids[pick % len(ids)]

    # The end

    def came_to_its_end(self) -> None:
        self.run_task.result()
        self.nothing_is_wrong()
        assert self.queue is not None
        assert self.queue.in_flight == 0
        assert self.received() == self.settled() == self.sqs.handed_out - self.handed_out_before
        assert self.open_works() == []

    def teardown(self) -> None:
        try:
            self.everything_is_settled_once_faults_are_over()
        finally:
            self.run_task.cancel()
            self.loop.run_until_complete(asyncio.wait({self.run_task}))
            self.loop.close()
            self.parts.close()

    def everything_is_settled_once_faults_are_over(self) -> None:
        assert self.queue is not None
        self.sqs.faults.clear()
        self.generous = True
        if self.stopped_at is not None:
            self.the_replica_ends()
            self.begin()
        for work in self.open_works():
            work.verdict.set_result(None)
        self.loop.advance(SETTLED_WITHIN_S)
        now = self.loop.time()
        assert [held for held in self.queue._hand.all() if held.received_at < now - SETTLED_WITHIN_S] == []
        while self.sqs.messages and self.loop.time() < now + 2000.0:
            self.loop.advance(10.0)
        self.nothing_is_wrong()
        assert self.sqs.messages == {}
        returned = {work.message.id for work in self.works if work.end == "returned"}
        assert returned == {f"m{number}" for number in range(1, self.sent + 1)}
        self.queue.stop()
        self.the_replica_ends()

    def the_replica_ends(self) -> None:
        self.loop.advance(GRACE_S + PACE.flush_s + 1.0)
        assert self.run_task.done()
        self.came_to_its_end()


TestSettling = Settling.TestCase
TestSettling.settings = settings(max_examples=60, stateful_step_count=40)
