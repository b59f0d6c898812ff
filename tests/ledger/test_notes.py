"""Replicas that tell one another which trails are off."""

import asyncio
import time
from dataclasses import replace
from functools import partial

import pytest
import structlog

from stream.aws import Aws
from stream.deliver.gaps import FIELD, Gaps
from stream.deliver.trail import incident_id
from stream.metrics import Metrics
from tests.deliver.alerts import make_alert
from tests.ledger.replicas import Time, replica

STOP = make_alert("stop", event_name="StopLogging", event_time="2026-03-01T12:00:00Z")
START = replace(
    make_alert("start", event_name="StartLogging", event_time="2026-03-01T12:00:40Z"), severity="informational"
)
MINISTACK = pytest.mark.parametrize("table", ["ministack"], indirect=True)


async def test_a_start_that_one_replica_reads_ends_the_gap_that_another_has_seen_begin(aws: Aws, table: str) -> None:
    async with replica(aws, table) as one, replica(aws, table) as other:
        assert await Gaps(alone=False, notes=one).told_to_all(STOP) == STOP
        told = await Gaps(alone=False, notes=other).told_to_all(START)
        again = await Gaps(alone=False, notes=one).told_to_all(STOP)

    assert told.severity == "high"
    assert told.summary.endswith("It was off for 40 s (from 2026-03-01T12:00:00Z to 2026-03-01T12:00:40Z).")
    assert told.changes[-1].field == FIELD
    assert again.summary.endswith("It was started again by 2026-03-01T12:00:40Z, 40 s later.")


@MINISTACK
async def test_a_stop_that_is_read_late_does_not_take_the_place_of_a_later_start(aws: Aws, table: str) -> None:
    async with replica(aws, table) as one, replica(aws, table) as other:
        await Gaps(alone=False, notes=one).told_to_all(START)
        late = await Gaps(alone=False, notes=other).told_to_all(STOP)
        later = replace(START, event=replace(START.event, time="2026-03-01T13:00:00Z"))
        told = await Gaps(alone=False, notes=one).told_to_all(later)

    assert late.summary.endswith("It was started again by 2026-03-01T12:00:40Z, 40 s later.")
    assert told == later


@MINISTACK
async def test_replicas_that_write_at_once_lose_nothing(aws: Aws, table: str) -> None:
    def grown(name: str, text: str | None) -> str:
        return ",".join(sorted({*filter(None, (text or "").split(",")), name}))

    async with replica(aws, table) as one, replica(aws, table) as other:
        for round_ in range(3):
            done = await asyncio.gather(
                *(
                    each.revise("n", partial(grown, f"{round_}{number}"))
                    for number, each in enumerate((one, other, one))
                )
            )
            assert all(done)
        note = await other._table.note("n")

    assert note.text == ",".join(f"{round_}{number}" for round_ in range(3) for number in range(3))
    assert note.version == 9


@MINISTACK
async def test_what_has_not_changed_is_not_written(table: str) -> None:
    metrics = Metrics()
    async with replica(Aws(metrics), table, metrics=metrics) as ledger:
        for _ in range(3):
            await Gaps(notes=ledger).told_to_all(STOP)

    def requests(operation: str) -> float | None:
        labels = {"service": "dynamodb", "operation": operation, "code": "200"}
        return metrics.registry.get_sample_value("trailstream_aws_requests_total", labels)

    assert (requests("GetItem"), requests("PutItem")) == (3, 1)


@MINISTACK
async def test_a_note_outlasts_what_was_delivered(aws: Aws, table: str) -> None:
    now = Time()
    async with replica(aws, table, now=now) as ledger:
        await ledger.revise(incident_id(STOP), lambda _: "text")
        now.now += 300 * 86_400
        assert await ledger.revise(incident_id(STOP), lambda text: text or "gone")
        assert (await ledger._table.note(incident_id(STOP))).text == "text"


async def test_while_the_table_is_out_of_reach_no_alert_waits_and_each_replica_knows_its_own(
    aws: Aws, monkeypatch: pytest.MonkeyPatch
) -> None:
    silent = await asyncio.start_server(lambda *_: asyncio.sleep(60), "127.0.0.1", 0)
    port = silent.sockets[0].getsockname()[1]
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
    metrics = Metrics()
    monkeypatch.setattr("stream.ledger.dynamodb._REVISION_S", 0.1)
    async with replica(aws, "ledger", metrics=metrics) as ledger:
        gaps = Gaps(alone=False, notes=ledger)
        began = time.monotonic()
        with structlog.testing.capture_logs() as logs:
            await gaps.told_to_all(STOP)
            told = await gaps.told_to_all(START)
        assert time.monotonic() - began < 10
    silent.close()

    assert told.summary.endswith(
        "It was off for up to 40 s (stopped at 2026-03-01T12:00:00Z, started at 2026-03-01T12:00:40Z)."
    )
    assert [line["reason"] for line in logs] == ["note"], "after a failure the others don't wait"
    assert metrics.registry.get_sample_value("trailstream_errors_total", {"stage": "ledger", "reason": "note"}) == 1
