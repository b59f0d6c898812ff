"""One message's faults are its own, and within it one record's, one object's and one alert's."""

import asyncio
import gzip
import json
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import structlog

from stream import pipeline
from stream.alert import Alert
from stream.aws import Aws
from stream.decode import LogDecoder, Prefilter, Record
from stream.deliver.channel import Accepted, Answer, Channel
from stream.deliver.dispatcher import Dispatcher
from stream.detect.detection import Detection
from stream.detect.detector import Detector
from stream.detect.rules import RuleSet
from stream.detect.suppressions import Suppressions
from stream.detect.surroundings import Surroundings
from stream.errors import PoisonMessage
from stream.intake.download import Download
from stream.intake.notification import ObjectRef
from stream.intake.objects import Objects
from stream.intake.queue import Message
from stream.ledger import MemoryLedger
from stream.metrics import Metrics
from stream.pipeline import MessageFailed, Pipeline
from stream.settings import ChannelSettings, Settings
from tests.deliver.fakes import FakePeople, to_all
from tests.intake.conftest import until
from tests.intake.s3_stub import S3Stub, s3_stub
from tests.test_end_to_end import FOLDER, log_file, s3_event, stop_logging

FILTER = """
title: Alice at work
logsource: {product: aws, service: cloudtrail}
until: 2026-11-24T12:00:00Z
filter:
    rules: any
    selection: {userIdentity.userName: alice}
    condition: not selection
"""


class _Ears(Channel):
    """A channel that keeps what it is told."""

    kind = "ears"
    section = ChannelSettings

    def __init__(self) -> None:
        super().__init__(ChannelSettings())
        self.heard: list[str] = []
        self.then: Callable[[], None] | None = None
        self.told: list[Alert] = []

    async def send(self, alert: Alert, *, minimal: bool = False) -> Answer:
        assert not minimal
        self.heard.append(alert.event.id)
        self.told.append(alert)
        if self.then is not None:
            self.then()
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

    def count(self, name: str, **labels: str) -> float:
        return self.metrics.registry.get_sample_value(f"trailstream_{name}", labels) or 0.0

    def errors(self, stage: str, reason: str) -> float:
        return self.count("errors_total", stage=stage, reason=reason)


@asynccontextmanager
async def _open(
    monkeypatch: pytest.MonkeyPatch,
    suppress: Sequence[str] = (),
    unix_time: Callable[[], float] = time.time,
    others: Sequence[Channel] = (),
) -> AsyncIterator[_Bench]:
    metrics, ears, rules = Metrics(), _Ears(), RuleSet.load(("ct-013",), ())
    channels = (ears, *others)
    suppressions = Suppressions.load(suppress, rules.rules)
    metrics.declare_filters(suppression.id for suppression in suppressions.all)
    async with s3_stub() as stub:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", stub.url)
        with ThreadPoolExecutor(1) as threads:
            async with (
                Objects(Aws(metrics), backoff_s=0.001) as objects,
                Dispatcher(
                    channels, MemoryLedger(), metrics, routes=to_all(channels), max_pending_alerts=10
                ) as dispatcher,
            ):
                pipeline = Pipeline(
                    Settings(buckets=("logs",)),
                    metrics,
                    objects=objects,
                    detection=Detection(
                        Prefilter(rules.literals), _Touchy(rules, lambda: Surroundings(buckets=("logs",))), suppressions
                    ),
                    dispatcher=dispatcher,
                    threads=threads,
                    unix_time=unix_time,
                )
                yield _Bench(pipeline, stub, ears, metrics)


@pytest.fixture
async def bench(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[_Bench]:
    async with _open(monkeypatch) as made:
        yield made


@pytest.mark.parametrize(("size", "at_once"), [(256 * 1024 + 1, 2), (256 * 1024, 6)])
async def test_large_log_files_are_read_a_few_at_once(size: int, at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stream.pipeline._LARGE_AT_ONCE", 2)
    async with _open(monkeypatch) as bench:
        bench.stub.body = log_file(stop_logging("one"))
        open_, reading, most = Objects.open, 0, 0

        @asynccontextmanager
        async def opened(self: Objects, ref: ObjectRef) -> AsyncIterator[Download]:
            nonlocal reading, most
            reading += 1
            most = max(most, reading)
            await asyncio.sleep(0.05)
            async with open_(self, ref) as download:
                yield download
            reading -= 1

        monkeypatch.setattr(Objects, "open", opened)
        bodies = [s3_event("logs", f"{FOLDER}{number}.json.gz", size=size) for number in range(6)]
        await asyncio.gather(*map(bench.process, bodies))

    assert most == at_once
    assert bench.ears.heard == ["one"]


@pytest.mark.parametrize(("records", "own_thread"), [(10, False), (4000, True)])
async def test_that_a_large_file_has_no_end_is_not_found_out_on_the_event_loop(
    records: int, own_thread: bool, bench: _Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    last_steps, threads = LogDecoder.last_steps, set()

    def taken(self: LogDecoder) -> Iterator[list[Record]]:
        threads.add(threading.get_ident())
        for records in last_steps(self):
            yield records
            threads.add(threading.get_ident())

    monkeypatch.setattr(LogDecoder, "last_steps", taken)
    monkeypatch.setattr(pipeline, "_INLINE_S", 60.0)  # it is the size that decides here
    text = json.dumps({"Records": [describe(str(number), x="x" * 1000) for number in range(records)]})
    bench.stub.body = gzip.compress(text[:-2].encode(), 1)
    with pytest.raises(MessageFailed, match="bad_json"):
        await bench.process(s3_event("logs", f"{FOLDER}a.json.gz", size=len(bench.stub.body)))

    assert (threads == {threading.get_ident()}) != own_thread


async def test_of_a_file_full_of_one_story_none_waits_until_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stream.deliver.deliveries._AT_ONCE", 20)
    monkeypatch.setattr("stream.deliver.dispatcher._MOMENT_S", 0.02)
    async with _open(monkeypatch, others=[FakePeople()]) as bench:
        bench.stub.body = log_file(*(stop_logging(str(number)) for number in range(200)))
        processing = asyncio.create_task(bench.process(s3_event("logs", f"{FOLDER}a.json.gz")))
        await until(lambda: "199" in bench.ears.heard, within_s=4)  # a group's first window is five seconds
        bench.pipeline._dispatcher.flush()
        await processing


async def test_a_record_that_can_not_be_judged_hides_none_beside_it(bench: _Bench) -> None:
    bench.stub.body = log_file(*(stop_logging(each) for each in ("before", "unbearable", "behind")))

    with pytest.raises(MessageFailed, match="unexpected"):
        await bench.process(s3_event("logs", f"{FOLDER}a.json.gz"))

    assert sorted(bench.ears.heard) == ["before", "behind"]
    assert bench.errors("process", "unexpected") == 1
    assert bench.metrics.registry.get_sample_value("trailstream_records_total") == 3


async def test_a_message_goes_on_with_the_rules_that_it_began_with(bench: _Bench) -> None:
    began = bench.pipeline.detection
    nothing = Detection(Prefilter(frozenset()), Detector(RuleSet([])), Suppressions())
    found_before: list[float] = []

    def replace_rules() -> None:
        bench.pipeline.detection = nothing
        found_before.append(bench.metrics.alerts.labels(began.rules.rules[0].info.id, "critical")._value.get())

    bench.ears.then = replace_rules
    bench.stub.body = log_file(*(stop_logging(f"stop-{number}") for number in range(300)))
    await bench.process(s3_event("logs", f"{FOLDER}a.json.gz"))
    assert len(bench.ears.heard) == 300
    assert found_before[0] < 300

    await bench.process(s3_event("logs", f"{FOLDER}b.json.gz"))
    assert len(bench.ears.heard) == 300


async def test_an_object_that_can_not_be_read_hides_none_beside_it(bench: _Bench) -> None:
    bench.stub.body = log_file(stop_logging("there"))
    bench.stub.script.extend(["404", "ok"])
    keys = [f"{FOLDER}{name}.json.gz" for name in ("gone", "there")]

    with pytest.raises(MessageFailed, match="not_found"):
        await bench.process(json.dumps({"s3Bucket": "logs", "s3ObjectKey": keys}))

    assert bench.ears.heard == ["there"]
    assert bench.errors("log_file", "not_found") == 1


def inline(record: dict[str, Any]) -> str:
    event = {"detail-type": "AWS API Call via CloudTrail", "source": "aws.cloudtrail", "version": "0", "id": "1"}
    return json.dumps(event | {"detail": record})


async def test_an_inline_record_that_can_not_be_judged_fails_its_message(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRAILSTREAM_INLINE_EVENTS", "true")
    async with _open(monkeypatch) as bench:
        with pytest.raises(MessageFailed, match="unexpected"):
            await bench.process(inline(stop_logging("unbearable")))


async def test_a_record_by_eventbridge_and_later_by_s3_is_one_alert(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRAILSTREAM_INLINE_EVENTS", "true")
    async with _open(monkeypatch) as bench:
        record = stop_logging("both-ways")
        bench.stub.body = log_file(record)
        await bench.process(inline(record))
        await bench.process(s3_event("logs", f"{FOLDER}late.json.gz"))

    assert [(alert.event.id, alert.provenance, alert.log_file) for alert in bench.ears.told] == [
        ("both-ways", "inline", None)
    ]
    assert bench.count("deliveries_total", channel="ears", outcome="accepted") == 1
    assert bench.count("deliveries_total", channel="ears", outcome="duplicate") == 1


async def test_inline_records_are_passed_over_unless_wanted_and_that_is_said_once(bench: _Bench) -> None:
    with structlog.testing.capture_logs() as logs:
        for number in range(3):
            await bench.process(inline(stop_logging(f"inline-{number}")))

    assert bench.ears.heard == []
    assert bench.errors("notification", "inline_disabled") == 3
    assert str(logs).count("TRAILSTREAM_INLINE_EVENTS") == 1


async def test_a_stranger_s_bucket_is_not_asked(bench: _Bench) -> None:
    with pytest.raises(MessageFailed, match="foreign_bucket"):
        await bench.process(s3_event("strangers", f"{FOLDER}a.json.gz"))

    assert bench.stub.gets == []


@pytest.mark.parametrize(("replayed", "envelope"), [(False, "s3"), (True, None)])
async def test_what_replay_wrote_does_not_tell_how_the_reader_hears_of_files(
    replayed: bool, envelope: str | None, bench: _Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str | None] = []

    def judge(*_: object, **more: Any) -> list[Alert]:
        told.append(more["envelope"])
        return []

    monkeypatch.setattr(_Touchy, "alerts", judge)
    bench.stub.body = log_file(stop_logging("one"))

    body = s3_event("logs", f"{FOLDER}a.json.gz")
    await bench.pipeline.process(Message("1", body, receive_count=1, sent_at=None, received_at=0.0, replayed=replayed))

    assert told == [envelope]


async def test_poison_is_counted_and_raised(bench: _Bench) -> None:
    with pytest.raises(PoisonMessage):
        await bench.process("poison")

    assert bench.errors("notification", "poison") == 1


@pytest.mark.parametrize("recipient", ["111122223333", "999999999999"])
async def test_records_of_another_account_than_the_key_says_are_counted_and_told(bench: _Bench, recipient: str) -> None:
    bench.stub.body = log_file(stop_logging("whose", recipientAccountId=recipient))

    await bench.process(s3_event("logs", f"{FOLDER}a.json.gz"))

    assert bench.ears.heard[0] == "whose"
    assert bench.errors("record", "account_mismatch") == (recipient != "111122223333")


async def test_a_cancelled_message_leaves_nothing_running(bench: _Bench) -> None:
    bench.stub.body = log_file(stop_logging("x"))
    bench.stub.otherwise = "stall:10"
    running = asyncio.create_task(bench.process(s3_event("logs", f"{FOLDER}a.json.gz")))
    async with asyncio.timeout(60):
        while not bench.stub.gets:  # noqa: ASYNC110 - the stub is a server, and sets no event
            await asyncio.sleep(0)
    before = len(asyncio.all_tasks())
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running

    assert len(asyncio.all_tasks()) < before


async def test_what_a_filter_says_is_all_right_is_counted_and_told_and_not_delivered_until_the_filter_ends(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "filter.yml").write_text(FILTER)
    now = [datetime(2026, 11, 24, 11, 59, 59, tzinfo=UTC).timestamp()]
    alice = {"type": "IAMUser", "userName": "alice", "accountId": "111122223333"}
    async with _open(monkeypatch, [str(tmp_path)], lambda: now[0]) as bench:
        bench.stub.body = log_file(stop_logging("by-mallory"), stop_logging("by-alice", userIdentity=alice))

        def count(name: str, **labels: str) -> float | None:
            return bench.metrics.registry.get_sample_value(f"trailstream_{name}", labels)

        assert count("alerts_suppressed_total", filter="alice-at-work") == 0
        with structlog.testing.capture_logs() as logs:
            await bench.process(s3_event("logs", f"{FOLDER}a.json.gz"))

        assert bench.ears.heard == ["by-mallory"]
        rule = RuleSet.load(("ct-013",), ()).rules[0].info.id
        assert count("records_matched_total", rule=rule) == 2
        assert count("alerts_suppressed_total", filter="alice-at-work") == 1
        told = {line["event_id"]: line["alert_id"] for line in logs if line["event"] == "change found"}
        assert [line for line in logs if line["event"] == "alert suppressed"] == [
            {
                "event": "alert suppressed",
                "log_level": "info",
                "filter": "alice-at-work",
                "until": "2026-11-24T12:00:00+00:00",
                "alert_id": told["by-alice"],
                "bucket": "logs",
                "key": f"{FOLDER}a.json.gz",
                "message_id": "message-1",
            }
        ]

        now[0] += 1
        bench.stub.body = log_file(stop_logging("by-alice-later", userIdentity=alice))
        await bench.process(s3_event("logs", f"{FOLDER}b.json.gz"))
        assert bench.ears.heard == ["by-mallory", "by-alice-later"]
        assert count("alerts_suppressed_total", filter="alice-at-work") == 1


async def test_who_is_told_of_a_start_is_told_for_how_long_the_trail_was_off(bench: _Bench) -> None:
    start = stop_logging("start", eventName="StartLogging", eventTime="2026-11-24T12:13:00Z")
    bench.stub.body = log_file(stop_logging("stop"), start)

    await bench.process(s3_event("logs", f"{FOLDER}a.json.gz"))

    told = {alert.event.id: alert.summary for alert in bench.ears.told}
    assert "It was off" not in told["stop"]
    assert told["start"].endswith("It was off for 2 h 13 min (from 2026-11-24T10:00:00Z to 2026-11-24T12:13:00Z).")
    rule = bench.pipeline.detection.rules.rules[0].info.id
    assert {alert.event.id: alert.severity for alert in bench.ears.told} == {"stop": "critical", "start": "high"}
    assert bench.count("alerts_total", rule=rule, severity="high") == 1


def describe(event_id: str, **fields: Any) -> dict[str, Any]:
    return stop_logging(event_id, eventName="DescribeTrails", readOnly=True, **fields)


@pytest.mark.parametrize("padding", [0, 400_000], ids=["on the event loop", "in a thread"])
async def test_people_are_told_what_else_the_same_principal_did_in_that_file(bench: _Bench, padding: int) -> None:
    other = {"type": "IAMUser", "principalId": "AIDAOTHER", "userName": "other", "accountId": "111122223333"}
    bench.stub.body = log_file(
        describe("before"), stop_logging("stop"), describe("other", userIdentity=other), describe("x", x="x" * padding)
    )

    await bench.process(s3_event("logs", f"{FOLDER}a.json.gz"))

    (context,) = [alert.context for alert in bench.ears.told]
    assert context is not None
    assert (context["scope"], context["records"]) == ("this log file", 3)
    assert list(context["calls"].items()) == [("StopLogging", 1), ("DescribeTrails", 2)]


async def test_an_alert_does_not_wait_long_for_its_context(bench: _Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    over = threading.Event()

    def endless(*_: object, **__: object) -> dict[str, Any]:
        assert over.wait(60)
        return {}

    monkeypatch.setattr("stream.detect.context.contexts", endless)
    monkeypatch.setattr("stream.pipeline._CONTEXT_S", 0.01)
    bench.stub.body = log_file(stop_logging("one"), stop_logging("two"), describe("x", x="x" * 400_000))
    try:
        await bench.process(s3_event("logs", f"{FOLDER}a.json.gz"))
    finally:
        over.set()

    assert [(alert.event.id, alert.context) for alert in bench.ears.told] == [("one", None), ("two", None)]
    assert bench.errors("context", "timeout") == 1
