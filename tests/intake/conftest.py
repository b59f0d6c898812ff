"""Queues to read: the stub, the embedded AWS and moto's server; and a workload that may be watched."""

import asyncio
import json
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import pytest
from aiobotocore.session import get_session

from stream.aws import Aws
from stream.demo.emulator import Emulator
from stream.intake.queue import Message, Pace, Queue
from stream.metrics import SETTLEMENTS, Metrics
from stream.settings import Settings
from tests.intake.sqs_stub import SqsStub

QUICK: Final = Pace(
    long_poll_s=1,
    request_s=5.0,
    extend_at=0.2,
    gather_s=0.01,
    linger_s=0.02,
    depth_s=0.4,
    idle_s=0.05,
    receive_backoff_s=(0.01, 0.05),
    settle_backoff_s=(0.01, 0.05),
    flush_s=2.0,
)


_LOADER: Final = get_session().get_component("data_loader")


def aws(metrics: Metrics) -> Aws:
    """A session of its own, but for botocore's descriptions of services: reading them takes a tenth of a second."""
    made = Aws(metrics)
    made.session.register_component("data_loader", _LOADER)
    return made


async def until(condition: Callable[[], object], *, within_s: float = 30.0) -> None:
    """Wait for a condition, and fail if it does not come true in time."""
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true in time"
        await asyncio.sleep(0.005)


async def plenty() -> None:
    """There is always room."""


def tasks() -> set[asyncio.Task[Any]]:
    """Those under way, but not the stub's own."""
    return {task for task in asyncio.all_tasks() if not task.done() and "RequestHandler" not in repr(task.get_coro())}


@dataclass
class Work:
    """A queue that is being read, and what has been seen of it.

    Attributes:
        gate: while it is closed, messages are being worked on.
        fate: for a body, what befalls it: called once the gate is open.
    """

    queue: Queue
    metrics: Metrics
    gate: asyncio.Event
    fate: Callable[[Message], Awaitable[None]] | None = None
    room: Callable[[], Awaitable[None]] = plenty
    begun: list[Message] = field(default_factory=list)
    done: list[Message] = field(default_factory=list)
    cancelled: list[Message] = field(default_factory=list)
    at_once: int = 0
    most_at_once: int = 0
    checks: int = 0

    async def process(self, message: Message) -> None:
        self.begun.append(message)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            await self.gate.wait()
            if self.fate is not None:
                await self.fate(message)
        except asyncio.CancelledError:
            self.cancelled.append(message)
            raise
        finally:
            self.at_once -= 1
        self.done.append(message)

    def value(self, name: str, **labels: str) -> float:
        # Not get_sample_value: collecting the whole registry every other millisecond takes all of the CPU.
        name = f"trailstream_{name}"
        metrics = self.metrics.registry.restricted_registry([name]).collect()
        (found,) = (
            sample.value
            for metric in metrics
            for sample in metric.samples
            if sample.name == name and sample.labels == labels
        )
        return float(found)

    def settled(self, outcome: str) -> float:
        return self.value("messages_settled_total", outcome=outcome)

    @property
    def received(self) -> float:
        return self.value("messages_received_total")

    def check(self) -> None:
        """Received = settled + in flight: it must hold whenever somebody looks."""
        in_flight = self.value("messages_in_flight")
        assert in_flight == self.queue.in_flight
        assert self.received == sum(map(self.settled, SETTLEMENTS)) + in_flight
        self.checks += 1

    async def watch(self) -> None:
        while True:
            self.check()
            await asyncio.sleep(0.01)


@asynccontextmanager
async def working(url: str, *, pace: Pace = QUICK, open_: bool = True, **settings: Any) -> AsyncIterator[Work]:
    """Read a queue until the block is left; then nothing may be in flight any more, and no task left over."""
    metrics = Metrics()
    before = tasks()
    options: dict[str, Any] = {"queue_url": url, "retry_delay": 0.0, "shutdown_grace": 5.0} | settings
    async with Queue(aws(metrics), Settings(**options), metrics, pace=pace) as queue:
        work = Work(queue, metrics, asyncio.Event())
        if open_:
            work.gate.set()

        async def room() -> None:
            await work.room()

        watch = asyncio.create_task(work.watch())
        run = asyncio.create_task(queue.run(work.process, room))
        try:
            yield work
        finally:
            queue.stop()
            try:
                async with asyncio.timeout(60):
                    await run
            finally:
                watch.cancel()
                await asyncio.wait({watch})
        if not watch.cancelled():
            watch.result()
        work.check()
        assert queue.in_flight == 0
        assert work.checks > 1
    assert tasks() - before == set()


@pytest.fixture
async def stub(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[SqsStub]:
    """An SQS that fails as told; this process's AWS clients are pointed at it."""
    async with SqsStub() as running:
        monkeypatch.setenv("AWS_ENDPOINT_URL", running.endpoint)
        yield running
        assert running.violations == []


@dataclass(frozen=True)
class Backend:
    """A real emulator's queue with a dead-letter queue after three receives, and a client to look at both."""

    client: Any
    url: str
    dead_letter_url: str

    async def send(self, *bodies: str) -> None:
        for body in bodies:
            await self.client.send_message(QueueUrl=self.url, MessageBody=body)

    async def count(self, url: str | None = None) -> tuple[int, int]:
        """Messages in the queue that are visible, and that are not."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        # In one request: between two, a message might slip from the one state to the other.
        answer = await self.client.get_queue_attributes(QueueUrl=url or self.url, AttributeNames=names)
        visible, hidden = (int(answer["Attributes"][name]) for name in names)
        return visible, hidden

    async def emptied(self) -> None:
        """Wait until there is nothing in the queue, neither visible nor hidden."""
        deadline = time.monotonic() + 30
        while await self.count() != (0, 0):
            assert time.monotonic() < deadline
            await asyncio.sleep(0.02)


@pytest.fixture(params=["ministack", "moto"])
async def backend(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, emulator: Emulator, moto_endpoint: str
) -> AsyncIterator[Backend]:
    """The same queue in either emulator; messages reappear after a second."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", emulator.endpoint if request.param == "ministack" else moto_endpoint)
    async with aws(Metrics()).client("sqs") as client:
        name = f"trail-{uuid.uuid4()}"
        dead = (await client.create_queue(QueueName=f"{name}-dead"))["QueueUrl"]
        attributes = await client.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])
        policy = {"deadLetterTargetArn": attributes["Attributes"]["QueueArn"], "maxReceiveCount": 3}
        url = (
            await client.create_queue(
                QueueName=name, Attributes={"VisibilityTimeout": "1", "RedrivePolicy": json.dumps(policy)}
            )
        )["QueueUrl"]
        yield Backend(client, url, dead)
