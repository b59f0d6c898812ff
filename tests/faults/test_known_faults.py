"""Faults that others were found to have, each by its number in their tracker, and that we don't have them."""

import asyncio
import gzip
import itertools
import json
import tracemalloc
import uuid
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

import pytest

from stream.aws import Aws
from stream.decode import Prefilter
from stream.deliver.channel import Channel
from stream.deliver.channels.alertmanager import AlertmanagerChannel, AlertmanagerSettings
from stream.deliver.channels.webhook import WebhookChannel, WebhookSettings
from stream.deliver.dispatcher import Dispatcher
from stream.demo.emulator import Emulator
from stream.detect.detection import Detection
from stream.detect.detector import Detector
from stream.detect.rules import RuleSet
from stream.detect.suppressions import Suppressions
from stream.detect.surroundings import Surroundings
from stream.intake.objects import Objects
from stream.intake.queue import Message, Queue
from stream.ledger import MemoryLedger
from stream.metrics import Metrics
from stream.pipeline import Pipeline
from stream.settings import Settings
from tests.deliver.fakes import to_all
from tests.intake.conftest import QUICK, Backend, aws, until, working
from tests.intake.s3_stub import S3Stub, s3_stub
from tests.intake.sqs_stub import SqsStub, gate
from tests.receiver import Receiver, Reply
from tests.test_end_to_end import FOLDER, log_file, s3_event, stop_logging

CHANGE: Final = "ChangeMessageVisibilityBatch"
DELETE: Final = "DeleteMessageBatch"
RULES: Final = RuleSet.load(("ct-013",), ())


@pytest.fixture
async def stub(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[SqsStub]:
    """An SQS that objects to what the real one would not take."""
    async with SqsStub() as running:
        monkeypatch.setenv("AWS_ENDPOINT_URL", running.endpoint)
        yield running
        assert running.violations == []


@pytest.fixture
def brief(stub: SqsStub) -> SqsStub:
    """It hides messages for two seconds only, in which they are extended four times."""
    stub.attributes["VisibilityTimeout"] = "2"
    return stub


@pytest.fixture
async def s3(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[S3Stub]:
    """An S3 whose every object is the same."""
    async with s3_stub() as running:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", running.url)
        yield running


@pytest.fixture
async def dying_out(monkeypatch: pytest.MonkeyPatch, emulator: Emulator) -> AsyncIterator[Backend]:
    """An emulator's queue that gives a message up after three receives."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", emulator.endpoint)
    async with aws(Metrics()).client("sqs") as client:
        name = f"known-{uuid.uuid4()}"
        dead = (await client.create_queue(QueueName=f"{name}-dead"))["QueueUrl"]
        known = await client.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])
        policy = json.dumps({"deadLetterTargetArn": known["Attributes"]["QueueArn"], "maxReceiveCount": 3})
        made = await client.create_queue(QueueName=name, Attributes={"VisibilityTimeout": "5", "RedrivePolicy": policy})
        yield Backend(client, made["QueueUrl"], dead)


@dataclass(frozen=True)
class Replica:
    """All of the program's parts at work, from the queue to one channel."""

    metrics: Metrics

    def count(self, name: str, **labels: str) -> float:
        return self.metrics.registry.get_sample_value(f"trailstream_{name}", labels) or 0.0

    def settled(self, outcome: str) -> float:
        return self.count("messages_settled_total", outcome=outcome)


@asynccontextmanager
async def replica(queue_url: str, channel: Channel, **more: Any) -> AsyncIterator[Replica]:
    options: dict[str, Any] = {"queue_url": queue_url, "buckets": ("logs",), "retry_delay": 0.0} | more
    metrics, settings = Metrics(), Settings(**options)
    detector = Detector(RULES, lambda: Surroundings(buckets=settings.buckets))
    with ThreadPoolExecutor(2) as threads:
        async with (
            Objects(Aws(metrics), backoff_s=0.001) as objects,
            Dispatcher(
                [channel], MemoryLedger(), metrics, routes=to_all([channel]), max_pending_alerts=1000
            ) as dispatcher,
            Queue(aws(metrics), settings, metrics, pace=QUICK) as queue,
        ):
            pipeline = Pipeline(
                settings,
                metrics,
                objects=objects,
                detection=Detection(Prefilter(RULES.literals), detector, Suppressions.load((), RULES.rules)),
                dispatcher=dispatcher,
                threads=threads,
            )
            run = asyncio.create_task(queue.run(pipeline.process, dispatcher.room))
            try:
                yield Replica(metrics)
            finally:
                queue.stop()
                async with asyncio.timeout(60):
                    await run
        assert queue.in_flight == 0


def webhook(receiver: Receiver, **settings: Any) -> WebhookChannel:
    return WebhookChannel(WebhookSettings.model_validate({"url": receiver.url, "rate": 0, **settings}))


def announced(number: int = 0) -> str:
    return s3_event("logs", f"{FOLDER}{number}.json.gz")


def extensions_of(stub: SqsStub, handle: str) -> int:
    handles = [entry["ReceiptHandle"] for request in stub.of(CHANGE) for entry in request.entries]
    return handles.count(handle)


# What is in hand


async def test_vector_4910_visibility_is_extended_while_a_message_is_worked_on(brief: SqsStub) -> None:
    (id_,) = brief.send("takes longer than the queue hides it")
    async with working(brief.url, open_=False) as work:
        await until(lambda: extensions_of(brief, f"{id_}:1") >= 5)
        assert (work.received, brief.messages[id_].receives) == (1, 1)
        work.gate.set()
        await until(lambda: not brief.messages)


async def test_redpanda_connect_4468_visibility_is_extended_while_a_message_waits_for_its_deliveries(
    brief: SqsStub,
) -> None:
    (id_,) = brief.send("body")
    taken = asyncio.Event()

    async def fate(message: Message) -> None:
        message.waiting()
        await taken.wait()

    async with working(brief.url) as work:
        work.fate = fate
        await until(lambda: extensions_of(brief, f"{id_}:1") >= 5)
        assert (work.received, brief.messages[id_].receives) == (1, 1)
        taken.set()
        await until(lambda: not brief.messages)


async def test_beats_29480_visibility_is_not_extended_once_the_handle_is_dead(brief: SqsStub) -> None:
    lost, kept = brief.send("lost", "kept")
    brief.faults[CHANGE].append(brief.partly("ReceiptHandleIsInvalid", 0, sender=True))
    async with working(brief.url, open_=False) as work:
        await until(lambda: work.cancelled)
        assert work.settled("expired") == 1
        (first,) = (message.id for message in work.cancelled)
        other = kept if first == lost else lost
        brief.messages[first].visible_at = float("inf")
        await until(lambda: extensions_of(brief, f"{other}:1") >= 3)
        assert extensions_of(brief, f"{first}:1") == 1
        work.gate.set()
        await until(lambda: list(brief.messages) == [first])


async def test_data_prepper_3861_visibility_is_not_extended_once_the_message_is_deleted(brief: SqsStub) -> None:
    async with working(brief.url, open_=False) as work:
        (done,) = brief.send("done")
        await until(lambda: extensions_of(brief, f"{done}:1"))
        work.gate.set()
        await until(lambda: work.settled("acknowledged") == 1)
        before = extensions_of(brief, f"{done}:1")
        work.gate.clear()
        (slow,) = brief.send("slow")
        await until(lambda: extensions_of(brief, f"{slow}:1") >= 2)
        assert extensions_of(brief, f"{done}:1") == before
        work.gate.set()
        await until(lambda: not brief.messages)


async def test_redpanda_connect_182_ids_in_a_batch_are_distinct_even_of_one_message_received_twice(
    stub: SqsStub,
) -> None:
    ids = stub.send(*map(str, range(10)))
    async with working(stub.url, open_=False, concurrency=20) as work:
        await until(lambda: len(work.begun) == 10)
        for id_ in ids[:3]:
            stub.redeliver(id_)
        await until(lambda: work.received == 13)
        work.gate.set()
        await until(lambda: not stub.messages)
    for request in stub.of(DELETE):
        assert len({entry["Id"] for entry in request.entries}) == len(request.entries)
    assert max(len(request.entries) for request in stub.of(DELETE)) > 1


async def test_beats_39414_a_worker_goes_on_while_its_acknowledgement_is_under_way(stub: SqsStub) -> None:
    came, go, fault = gate()
    stub.faults[DELETE].append(fault)
    stub.send("first")
    async with working(stub.url, concurrency=1, receivers=1) as work:
        await came.wait()
        stub.send("second", "third")
        await until(lambda: len(work.done) == 3)
        assert work.begun[0].id in stub.messages
        go.set()
        await until(lambda: not stub.messages)


async def test_data_prepper_2484_the_queues_own_visibility_timeout_is_left_alone(stub: SqsStub) -> None:
    stub.attributes["VisibilityTimeout"] = "77"
    stub.send("body")
    async with working(stub.url, open_=False) as work:
        await until(lambda: work.begun)
        assert work.queue.attributes is not None
        assert work.queue.attributes.visibility_timeout_s == 77
        assert all("VisibilityTimeout" not in request.payload for request in stub.of("ReceiveMessage"))
        work.gate.set()
        await until(lambda: not stub.messages)


# Objects


async def test_falcosecurity_plugins_298_several_objects_are_downloaded_at_once_by_default(
    stub: SqsStub, s3: S3Stub, receiver: Receiver
) -> None:
    s3.body = log_file(stop_logging("one"))
    s3.script.extend(["stall:5"] * 8)
    stub.send(*map(announced, range(8)))
    async with replica(stub.url, webhook(receiver), shutdown_grace=0.0):
        # None of them comes to its end, and all the same there are eight.
        await until(lambda: len({request.path for request in s3.gets}) == 8)


async def test_newrelic_aws_s3_log_ingestion_lambda_99_a_file_is_never_in_memory_as_a_whole(
    stub: SqsStub, s3: S3Stub, receiver: Receiver
) -> None:
    filler = b'{"eventName":"DescribeInstances","requestParameters":"' + b"x" * 1200 + b'"},'
    text = b'{"Records":[' + filler * 50_000 + json.dumps(stop_logging("at the end")).encode() + b"]}"
    s3.body = gzip.compress(text, 1)
    size = len(text)
    assert size > 60_000_000
    del text
    stub.send(announced())
    async with replica(stub.url, webhook(receiver)):
        tracemalloc.start()
        try:
            (request,) = await receiver.wait_for(1)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert request.json()["data"]["event"]["id"] == "at the end"
        assert peak < size / 4
        await until(lambda: not stub.messages)


async def test_redpanda_connect_3221_an_object_deleted_meanwhile_is_given_up_and_its_message_kept(
    dying_out: Backend, s3: S3Stub, receiver: Receiver
) -> None:
    s3.otherwise = "404:NoSuchKey"
    await dying_out.send(announced())
    async with replica(dying_out.url, webhook(receiver), receivers=1) as running:
        await until(lambda: running.settled("failed") == 3)
        await dying_out.emptied()
        assert await dying_out.count(dying_out.dead_letter_url) == (1, 0)
        assert running.count("log_files_total", outcome="failed", reason="not_found") == 3
    assert len(s3.gets) < 30


# Deliveries


async def test_vector_19711_nothing_is_acknowledged_that_could_not_be_delivered(
    stub: SqsStub, s3: S3Stub, receiver: Receiver
) -> None:
    s3.body = log_file(stop_logging("one"))
    receiver.default = Reply(400)
    (id_,) = stub.send(announced())
    async with replica(stub.url, webhook(receiver)) as running:
        await until(lambda: running.settled("failed") >= 2)
        assert running.settled("acknowledged") == 0
        assert id_ in stub.messages
        assert stub.of(DELETE) == []
        receiver.default = Reply(200)
        await until(lambda: running.settled("acknowledged") == 1)
    assert stub.messages == {}


async def test_falco_1333_what_is_throttled_is_late_and_not_lost(stub: SqsStub, s3: S3Stub, receiver: Receiver) -> None:
    wanted = {f"event-{number}" for number in range(20)}
    s3.body = log_file(*map(stop_logging, sorted(wanted)))
    replies = itertools.cycle([Reply(200), Reply(200), Reply(429, headers={"Retry-After": "0"})])
    receiver.default = lambda _: next(replies)
    stub.send(announced())
    async with replica(stub.url, webhook(receiver)) as running:
        await until(lambda: not stub.messages)
        assert running.count("deliveries_total", channel="webhook", outcome="accepted") == len(wanted)
        throttled = running.count("delivery_attempts_total", channel="webhook", outcome="retry", reason="throttled")
        assert throttled >= len(wanted) / 3
    assert len(receiver.requests) == len(wanted) + throttled
    assert {request.json()["data"]["event"]["id"] for request in receiver.requests} == wanted


async def test_alertmanager_2111_too_many_requests_is_no_final_answer(
    stub: SqsStub, s3: S3Stub, receiver: Receiver
) -> None:
    s3.body = log_file(stop_logging("one"))
    receiver.answer(429, 429, headers={"Retry-After": "0"})
    stub.send(announced())
    channel = AlertmanagerChannel(AlertmanagerSettings.model_validate({"url": receiver.url}))
    async with replica(stub.url, channel) as running:
        await until(lambda: running.settled("acknowledged") == 1)
        # It is the request that was made again: the message did not have to come back for it.
        assert running.count("messages_received_total") == 1
        attempts = {"channel": "alertmanager", "outcome": "retry", "reason": "throttled"}
        assert running.count("delivery_attempts_total", **attempts) == 2
    assert len(receiver.requests) == 3
