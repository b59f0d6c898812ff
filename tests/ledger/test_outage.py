"""A DynamoDB that is out of reach: nobody waits for it, this process still repeats nothing, and it learns of all."""

import asyncio
import json
import time

import pytest
import structlog

from stream.aws import Aws
from stream.ledger.dynamodb import CONNECTIONS
from stream.ledger.faults import TableError
from stream.ledger.outage import Outage
from stream.metrics import Metrics
from tests.intake.conftest import until
from tests.ledger.replicas import Time, replica
from tests.receiver import Receiver, Reply, Request

JSON = {"Content-Type": "application/x-amz-json-1.0"}
UP = Reply(200, "{}", JSON)


def error(code: str, status: int = 400) -> Reply:
    return Reply(status, json.dumps({"__type": f"com.amazonaws.dynamodb.v20120810#{code}", "message": "SECRET"}), JSON)


DOWN = {
    "throttled": error("ProvisionedThroughputExceededException"),
    "forbidden": error("AccessDeniedException"),
    "no_table": error("ResourceNotFoundException"),
    "server_error": error("InternalServerError", 500),
    "connection": Reply(close=True),
}


@pytest.fixture
async def dynamodb(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> Receiver:
    """A DynamoDB that answers as told: everything is well, and nothing is there."""
    receiver.default = UP
    monkeypatch.setenv("AWS_ENDPOINT_URL", receiver.url)
    return receiver


def operation(request: Request) -> str:
    return request.headers["X-Amz-Target"].rpartition(".")[2]


def accepted_alerts(receiver: Receiver) -> list[str]:
    """What was written as accepted, in order."""
    writes = [request.json()["Item"] for request in receiver.requests if operation(request) == "PutItem"]
    return [item["id"]["S"] for item in writes if item["state"]["S"] == "accepted"]


def errors(metrics: Metrics, reason: str) -> float:
    found = metrics.registry.get_sample_value("trailstream_errors_total", {"stage": "ledger", "reason": reason})
    assert found is not None, reason
    return found


@pytest.mark.parametrize("reason", DOWN)
async def test_without_the_table_a_process_remembers_its_own_and_the_table_learns_of_it_later(
    aws: Aws, dynamodb: Receiver, reason: str
) -> None:
    dynamodb.default, metrics = DOWN[reason], Metrics()
    with structlog.testing.capture_logs() as logs:
        async with replica(aws, "t", metrics=metrics) as ledger:
            for alert in ("a", "b", "c"):
                assert not await ledger.sent("sms", alert)
                assert await ledger.claim("sms", alert) == "granted"
                assert await ledger.claim("sms", alert) == "held"
                await ledger.accepted("sms", alert)
                assert await ledger.claim("sms", alert) == "sent"
            await ledger.claim("sms", "d")
            await ledger.release("sms", "d")
            assert await ledger.claim("sms", "d") == "granted"
            assert ledger.missed == 3
            dynamodb.default = UP
            await until(lambda: ledger.missed == 0, within_s=60)
    assert accepted_alerts(dynamodb)[-3:] == ["sms#a", "sms#b", "sms#c"]
    assert errors(metrics, reason) >= 2
    events = [(entry["log_level"], entry["event"].partition(":")[0]) for entry in logs]
    assert events == [("warning", "ledger out of reach"), ("info", "ledger reached again")]
    assert "SECRET" not in str(logs)


async def test_a_table_that_hangs_costs_two_requests_and_no_more(aws: Aws, dynamodb: Receiver) -> None:
    dynamodb.default, metrics = Reply(hang=True), Metrics()
    began = time.monotonic()
    async with replica(aws, "t", metrics=metrics, request_s=0.1, pause_s=1000) as ledger:
        for number in range(100):
            assert not await ledger.sent("sms", str(number))
            assert await ledger.claim("sms", str(number)) == "granted"
            await ledger.accepted("sms", str(number))
        assert errors(metrics, "connection") == 2
        assert ledger.missed == 100
    assert time.monotonic() - began < 20  # three hundred requests would take thirty seconds


async def test_two_hundred_at_once_wait_no_longer_than_one(aws: Aws, dynamodb: Receiver) -> None:
    dynamodb.default, metrics = Reply(hang=True), Metrics()
    async with replica(aws, "t", metrics=metrics, request_s=0.2, pause_s=1000) as ledger:
        assert not any(await asyncio.gather(*(ledger.sent("sms", str(number)) for number in range(200))))
    assert errors(metrics, "connection") <= CONNECTIONS + 1  # which only those who had begun have waited for


async def test_what_was_missed_is_bounded_and_what_is_forgotten_is_counted(aws: Aws, dynamodb: Receiver) -> None:
    dynamodb.default, metrics = DOWN["throttled"], Metrics()
    with structlog.testing.capture_logs() as logs:
        async with replica(aws, "t", metrics=metrics, pause_s=1000, most_missed=2) as ledger:
            for alert in "abcd":
                await ledger.accepted("sms", alert)
            assert ledger.missed == 2
            dynamodb.default = UP
    assert accepted_alerts(dynamodb)[-2:] == ["sms#c", "sms#d"]  # written at the end, pause or not
    assert errors(metrics, "forgotten") == 2
    assert sum("forgets" in entry["event"] for entry in logs) == 1


async def test_an_acceptance_that_a_shutdown_cuts_short_is_written_before_the_end(aws: Aws, dynamodb: Receiver) -> None:
    dynamodb.default = Reply(hang=True)
    async with replica(aws, "t") as ledger:
        noting = asyncio.create_task(ledger.accepted("sms", "a"))
        await dynamodb.wait_for(1, timeout_s=20)
        noting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await noting
        assert await ledger.sent("sms", "a")
        dynamodb.default = UP
    assert accepted_alerts(dynamodb)[-1] == "sms#a"
    assert ledger.missed == 0


async def test_what_can_not_be_written_at_the_end_either_is_said(aws: Aws, dynamodb: Receiver) -> None:
    dynamodb.default = DOWN["forbidden"]
    with structlog.testing.capture_logs() as logs:
        async with replica(aws, "t", pause_s=1000) as ledger:
            await ledger.accepted("sms", "a")
    assert logs[-1]["event"].startswith("not written to the ledger")
    assert logs[-1]["acceptances"] == 1


async def test_an_error_on_the_way_out_is_not_wrapped(aws: Aws, dynamodb: Receiver) -> None:
    assert dynamodb.url
    with pytest.raises(KeyError):
        async with replica(aws, "t"):
            raise KeyError


async def test_a_refusal_that_does_not_say_what_is_there_is_looked_into(aws: Aws, dynamodb: Receiver) -> None:
    now = Time()
    there = {"id": {"S": "sms#a"}, "state": {"S": "accepted"}, "expires_at": {"N": str(int(now.now) + 60)}}
    dynamodb.default = lambda request: (
        error("ConditionalCheckFailedException")
        if operation(request) == "PutItem"
        else Reply(200, json.dumps({"Item": there}), JSON)
    )
    async with replica(aws, "t", now=now) as ledger:
        assert await ledger.claim("sms", "a") == "sent"
    async with replica(aws, "t", now=now) as ledger:
        there["state"] = {"S": "claimed"}
        assert await ledger.claim("sms", "a") == "held"
    reads = [request.json() for request in dynamodb.requests if operation(request) == "GetItem"]
    assert [read["ConsistentRead"] for read in reads] == [True, True]


def test_pauses_grow_and_one_request_at_a_time_ends_them() -> None:
    now = Time()
    metrics = Metrics()
    outage = Outage(metrics, "t", now=now)
    fault = TableError("throttled", "X")
    outage.failed(fault)
    assert outage.may_ask()  # one failure is nobody's outage
    outage.failed(fault)
    pauses = []
    for _ in range(7):
        assert not outage.may_ask()
        outage.failed(fault)  # one that was under way when the pause began
        pauses.append(round(outage.remaining_s))
        now.now += outage.remaining_s + 0.001
        assert outage.may_ask()
        assert not outage.may_ask()  # while the first one tries it
        outage.failed(fault)
    assert pauses == [1, 2, 4, 8, 16, 30, 30]
    now.now += outage.remaining_s + 0.001
    assert outage.may_ask()
    outage.succeeded()
    assert outage.may_ask()
    assert outage.may_ask()


def test_an_outage_that_comes_and_goes_is_told_once_a_minute() -> None:
    now = Time()
    outage = Outage(Metrics(), "t", now=now)
    with structlog.testing.capture_logs() as logs:
        for _ in range(50):
            outage.failed(TableError("throttled", "X"))
            outage.succeeded()
            now.now += 1
        assert len(logs) == 2
        now.now += 60
        outage.failed(TableError("throttled", "X"))
    assert logs[-1]["failures"] == 50
