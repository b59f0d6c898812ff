"""The SQS queue: messages out of it, each to be processed and then settled exactly once, until told to stop.

Nothing is received that can't be started at once: a receiver asks for as many messages as there are free work slots.
"""

import asyncio
import math
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Final, Self

import structlog

from stream.aws import Aws, queue_region
from stream.errors import ConfigError
from stream.intake.depth import Depth
from stream.intake.faults import SqsError
from stream.intake.hand import Hand, Message, Stage
from stream.intake.heartbeat import Heartbeat
from stream.intake.pace import Backoff, Pace
from stream.intake.receiver import Process, Receiver, Room
from stream.intake.settlement import Settlement
from stream.intake.sqs import QueueAttributes, Sqs, queue_arn
from stream.intake.wire import SqsWire
from stream.metrics import Metrics
from stream.settings import Settings

__all__ = ["Message", "Pace", "Process", "Queue", "Room"]

log = structlog.get_logger()

LONGEST_POLL_S: Final = 20
"""https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ReceiveMessage.html"""
_OPENING_TRIES: Final = 3


class Queue:
    """Receives messages of one queue and settles them.

    `async with` opens it; `run` works until a `stop` has been honoured. The pool of connections has no limit, so that
    long polls never keep a delete or an extension waiting for one.

    Raises:
        ConfigError: on opening: there is no such queue, it can't be used, or it has no redrive policy.
    """

    def __init__(self, aws: Aws, settings: Settings, metrics: Metrics, *, pace: Pace | None = None) -> None:
        if settings.queue_url is None:
            raise ConfigError("TRAILSTREAM_QUEUE_URL is required: the URL of the SQS queue to read.")
        self.attributes: QueueAttributes | None = None
        self._aws = aws
        self._url = settings.queue_url
        self._settings = settings
        self._metrics = metrics
        self._pace = pace or Pace()
        self._clients = AsyncExitStack()
        self._hand = Hand(metrics)
        self._stopping = asyncio.Event()
        self._sqs: Sqs | None = None

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as clients:
            region = queue_region(self._url) or self._aws.region
            http = await clients.enter_async_context(self._aws.http(stall_s=LONGEST_POLL_S + self._pace.request_s))
            endpoint = await self._aws.endpoint("sqs", region)
            wire = SqsWire(self._aws, http, endpoint=endpoint, region=region)
            self._sqs = Sqs(self._url, wire=wire, request_s=self._pace.request_s)
            attributes = await self._open(self._sqs, region)
            self._check(attributes)
            self._apply(attributes)
            self._clients = clients.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._clients.aclose()

    @property
    def in_flight(self) -> int:
        """Messages received and not yet settled."""
        return len(self._hand)

    @property
    def last_success(self) -> float:
        """When SQS last answered any request well, as `time.monotonic()` has it."""
        return self._sqs.last_success if self._sqs else -math.inf

    @property
    def last_receive(self) -> float:
        """When SQS last answered a request for messages well, as `time.monotonic()` has it."""
        return self._sqs.last_receive if self._sqs else -math.inf

    def stop(self) -> None:
        """Receive no more, and let `run` come to its end."""
        self._stopping.set()

    async def run(self, process: Process, room: Room) -> None:
        """Receive and process messages until stopped; then everything is settled.

        Whatever `process` raises concerns its own message only. After a stop, what is in hand has
        `TRAILSTREAM_SHUTDOWN_GRACE` to finish; the rest is cancelled and released.
        """
        if self._sqs is None:
            raise RuntimeError("the queue is not open")
        sqs, hand, metrics, pace = self._sqs, self._hand, self._metrics, self._pace
        settlement = Settlement(hand, sqs, metrics, retry_delay_s=self._settings.retry_delay, pace=pace)
        receiver = Receiver(sqs, hand, settlement, metrics, settings=self._settings, pace=pace, stopping=self._stopping)
        heartbeat = Heartbeat(hand, sqs, settlement, metrics, pace=pace)
        async with asyncio.TaskGroup() as upkeep:
            lasting = [upkeep.create_task(each) for each in (settlement.run(), heartbeat.run(), self._measure(sqs))]
            async with asyncio.TaskGroup() as work:
                for _ in range(self._settings.receivers):
                    work.create_task(receiver.run(process, room, work))
                await self._stopping.wait()
                settlement.hurry()
                await self._emptied(self._settings.shutdown_grace)
                for held in hand.all():
                    if held.stage is Stage.WORKING:
                        held.cancel()
            await self._emptied(self._pace.flush_s)
            self._abandon()
            for task in lasting:
                task.cancel()

    async def _emptied(self, within_s: float) -> None:
        try:
            async with asyncio.timeout(within_s):
                await self._hand.empty.wait()
        except TimeoutError:
            return

    def _abandon(self) -> None:
        """Settle what SQS would not confirm in time: it hands those messages out again when their visibility ends."""
        left = self._hand.all()
        for held in left:
            self._hand.settle(held, "released")
        if left:
            log.warning("messages left to their visibility timeout", messages=len(left))

    async def _measure(self, sqs: Sqs) -> None:
        depth = Depth(sqs, self._metrics)
        while True:
            attributes = await depth.measure()
            if attributes is not None:
                self._apply(attributes)
            await asyncio.sleep(self._pace.depth_s)

    def _apply(self, attributes: QueueAttributes) -> None:
        self.attributes = attributes
        # 0 is refused on opening, but may be set later on.
        self._hand.visibility_timeout_s = self._settings.visibility_timeout or max(1, attributes.visibility_timeout_s)

    async def _open(self, sqs: Sqs, region: str) -> QueueAttributes:
        backoff = Backoff(*self._pace.receive_backoff_s)
        tries_left = _OPENING_TRIES
        while True:
            try:
                return await sqs.attributes()
            except SqsError as error:
                tries_left -= 1
                if not tries_left or error.reason in ("no_queue", "forbidden"):
                    raise ConfigError(_explain(error, self._url, region)) from error
            await asyncio.sleep(backoff.next())

    def _check(self, attributes: QueueAttributes) -> None:
        if not attributes.redrive and self._settings.require_dlq:
            raise ConfigError(
                f"TRAILSTREAM_QUEUE_URL: the queue {self._url} has no redrive policy, so a message that can't be "
                "processed would come back for ever. Give it a dead-letter queue (RedrivePolicy with "
                "deadLetterTargetArn and maxReceiveCount, 10 or more), or set TRAILSTREAM_REQUIRE_DLQ=false."
            )
        if not (self._settings.visibility_timeout or attributes.visibility_timeout_s):
            raise ConfigError(
                f"TRAILSTREAM_QUEUE_URL: the queue {self._url} has a visibility timeout of 0 seconds, so every message "
                "would be handed out again while it is worked on. Set the queue's own, or "
                "TRAILSTREAM_VISIBILITY_TIMEOUT, to 60 or more."
            )


def _explain(error: SqsError, url: str, region: str) -> str:
    """What is wrong with the queue, and what to do about it."""
    match error.reason:
        case "forbidden" if error.code == "NoCredentialsError":
            return (
                "no AWS credentials are found: give the pod a role (IRSA or Pod Identity), or set AWS_PROFILE or "
                "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."
            )
        case "no_queue":
            return f"TRAILSTREAM_QUEUE_URL: there is no queue {url} in {region}."
        case "forbidden":
            return (
                f"TRAILSTREAM_QUEUE_URL: the attributes of {url} may not be read ({error.code}): these credentials "
                f"need sqs:GetQueueAttributes on {queue_arn(url, region)}."
            )
        case "connection":
            return f"TRAILSTREAM_QUEUE_URL: SQS in {region} can't be reached for {url} ({error.code})."
        case _:
            return f"TRAILSTREAM_QUEUE_URL: SQS in {region} does not tell the attributes of {url} ({error.code})."
