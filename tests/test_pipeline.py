"""One message's faults are its own, and within it one record's, one object's and one alert's."""

import asyncio
import json
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any

import pytest

from stream.alert import Alert
from stream.aws import Aws
from stream.decode import Prefilter
from stream.deliver.channel import Accepted, Answer, Channel
from stream.deliver.dispatcher import Dispatcher
from stream.detect.detector import Detector
from stream.detect.rules import RuleSet
from stream.errors import PoisonMessage
from stream.intake.objects import Objects
from stream.intake.queue import Message
from stream.ledger import MemoryLedger
from stream.metrics import Metrics
from stream.pipeline import MessageFailed, Pipeline
from stream.settings import ChannelSettings, Settings
from tests.intake.s3_stub import S3Stub, s3_stub
from tests.test_end_to_end import FOLDER, log_file, s3_event, stop_logging


class _Ears(Channel):
    """A channel that keeps what it is told."""

    name = "ears"
    section = ChannelSettings

    def __init__(self) -> None:
        super().__init__(ChannelSettings())
        self.heard: list[str] = []

    async def send(self, alert: Alert, *, minimal: bool = False) -> Answer:
        assert not minimal
        self.heard.append(alert.event.id)
        return Accepted()

    async def probe(self) -> Answer:
        return Accepted()


class _Touchy(Detector):
    """A detector with a bug: it can't stand one of the records."""

    def alerts(self, record: dict[str, Any], **more: Any) -> list[Alert]:
        if record.get("eventID") == "unbearable":
            raise ZeroDivisionError
        return super().alerts(record, **more)


class _Bench:
    """A pipeline with real parts, an S3 that breaks as told, and one channel."""

    def __init__(self, pipeline: Pipeline, stub: S3Stub, ears: _Ears, metrics: Metrics) -> None:
        self.pipeline, self.stub, self.ears, self.metrics = pipeline, stub, ears, metrics

    async def process(self, body: str) -> None:
        await self.pipeline.process(Message("message-1", body, receive_count=1, sent_at=None, received_at=0.0))

    def errors(self, stage: str, reason: str) -> float:
        return (
            self.metrics.registry.get_sample_value("trailstream_errors_total", {"stage": stage, "reason": reason})
            or 0.0
        )


@asynccontextmanager
async def _open(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[_Bench]:
    metrics, ears, rules = Metrics(), _Ears(), RuleSet.load(("ct-013",), ())
    async with s3_stub() as stub:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", stub.url)
        with ThreadPoolExecutor(1) as threads:
            async with (
                Objects(Aws(metrics), backoff_s=0.001) as objects,
                Dispatcher(
                    [ears], MemoryLedger(), metrics, min_severity="informational", max_pending_alerts=10
                ) as dispatcher,
            ):
                pipeline = Pipeline(
                    Settings(buckets=("logs",)),
                    metrics,
                    objects=objects,
                    prefilter=Prefilter(rules.literals),
                    detector=_Touchy(rules, buckets=("logs",), log_buckets=()),
                    dispatcher=dispatcher,
                    threads=threads,
                )
                yield _Bench(pipeline, stub, ears, metrics)


@pytest.fixture
async def bench(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[_Bench]:
    async with _open(monkeypatch) as made:
        yield made


async def test_a_record_that_can_not_be_judged_hides_none_beside_it(bench: _Bench) -> None:
    bench.stub.body = log_file(*(stop_logging(each) for each in ("before", "unbearable", "behind")))

    with pytest.raises(MessageFailed, match="unexpected"):
        await bench.process(s3_event("logs", f"{FOLDER}a.json.gz"))

    assert sorted(bench.ears.heard) == ["before", "behind"]
    assert bench.errors("process", "unexpected") == 1
    assert bench.metrics.registry.get_sample_value("trailstream_records_total") == 3


async def test_an_object_that_can_not_be_read_hides_none_beside_it(bench: _Bench) -> None:
    bench.stub.body = log_file(stop_logging("there"))
    bench.stub.script.extend(["404", "ok"])
    keys = [f"{FOLDER}{name}.json.gz" for name in ("gone", "there")]

    with pytest.raises(MessageFailed, match="not_found"):
        await bench.process(json.dumps({"s3Bucket": "logs", "s3ObjectKey": keys}))

    assert bench.ears.heard == ["there"]
    assert bench.errors("log_file", "not_found") == 1


async def test_an_inline_record_that_can_not_be_judged_fails_its_message(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRAILSTREAM_INLINE_EVENTS", "true")
    async with _open(monkeypatch) as bench:
        event = {"detail-type": "AWS API Call via CloudTrail", "source": "aws.cloudtrail", "version": "0", "id": "1"}
        with pytest.raises(MessageFailed, match="unexpected"):
            await bench.process(json.dumps(event | {"detail": stop_logging("unbearable")}))


async def test_a_stranger_s_bucket_is_not_asked(bench: _Bench) -> None:
    with pytest.raises(MessageFailed, match="foreign_bucket"):
        await bench.process(s3_event("strangers", f"{FOLDER}a.json.gz"))

    assert bench.stub.gets == []


async def test_poison_is_counted_and_raised(bench: _Bench) -> None:
    with pytest.raises(PoisonMessage):
        await bench.process("poison")

    assert bench.errors("notification", "poison") == 1


@pytest.mark.parametrize("recipient", ["111122223333", "999999999999"])
async def test_records_of_another_account_than_the_key_says_are_counted_and_told(bench: _Bench, recipient: str) -> None:
    bench.stub.body = log_file(stop_logging("whose", recipientAccountId=recipient))

    await bench.process(s3_event("logs", f"{FOLDER}a.json.gz"))

    assert bench.ears.heard == ["whose"]
    assert bench.errors("record", "account_mismatch") == (recipient != "111122223333")


async def test_a_cancelled_message_leaves_nothing_running(bench: _Bench) -> None:
    bench.stub.body = log_file(stop_logging("x"))
    bench.stub.otherwise = "stall:10"
    running = asyncio.create_task(bench.process(s3_event("logs", f"{FOLDER}a.json.gz")))
    async with asyncio.timeout(10):
        while not bench.stub.gets:  # noqa: ASYNC110 - the stub is a server, and sets no event
            await asyncio.sleep(0)
    before = len(asyncio.all_tasks())
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running

    assert len(asyncio.all_tasks()) < before
