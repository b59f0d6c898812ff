"""What every ledger promises, and what a shared one promises besides: one grant among all replicas."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from stream.aws import Aws
from stream.demo.emulator import Emulator
from stream.ledger import Ledger, MemoryLedger
from stream.metrics import Metrics
from tests.ledger.replicas import CLAIM_S, MARGIN_S, TTL_S, Time, create_table, replica


@pytest.fixture
def now() -> Time:
    return Time()


@pytest.fixture(params=["memory", "dynamodb"])
async def ledger(
    request: pytest.FixtureRequest, now: Time, aws: Aws, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[tuple[Ledger, Ledger]]:
    """The ledger that notes something, and the one that is asked about it: if it can be, another replica's."""
    if request.param == "memory":
        memory = MemoryLedger(TTL_S + MARGIN_S, claim_s=CLAIM_S + MARGIN_S, now=now)
        yield memory, memory
        return
    monkeypatch.setenv("AWS_ENDPOINT_URL", emulator.endpoint)
    async with aws.client("dynamodb") as client:
        name = await create_table(client)
    async with replica(aws, name, now=now) as one, replica(aws, name, now=now) as other:
        yield one, other


async def test_a_claim_is_granted_once_until_it_is_released(ledger: tuple[Ledger, Ledger]) -> None:
    one, other = ledger
    assert await one.claim("slack", "a") == "granted"
    assert await other.claim("slack", "a") == "held"
    assert await other.claim("webhook", "a") == "granted"
    assert await other.claim("slack", "b") == "granted"
    assert not await other.sent("slack", "a")
    await one.release("slack", "a")
    assert await other.claim("slack", "a") == "granted"


async def test_what_was_accepted_is_not_sent_again_until_it_is_forgotten(
    ledger: tuple[Ledger, Ledger], now: Time
) -> None:
    one, other = ledger
    await one.claim("slack", "a")
    await one.accepted("slack", "a")
    assert await other.sent("slack", "a")
    assert await other.claim("slack", "a") == "sent"
    await other.release("slack", "a")  # which is not a claim of anybody's any more
    assert await one.claim("slack", "a") == "sent"
    now.now += TTL_S - 1
    assert await other.claim("slack", "a") == "sent"
    now.now += 2 + MARGIN_S
    assert not await one.sent("slack", "a")
    assert await one.claim("slack", "a") == "granted"


async def test_a_claim_that_nobody_came_back_for_lapses(ledger: tuple[Ledger, Ledger], now: Time) -> None:
    one, other = ledger
    await one.claim("slack", "a")
    now.now += CLAIM_S + 14
    assert await other.claim("slack", "a") == "held"
    now.now += 2
    assert await other.claim("slack", "a") == "granted"


async def test_of_two_replicas_racing_for_each_of_many_claims_exactly_one_is_granted(aws: Aws, table: str) -> None:
    async with replica(aws, table) as one, replica(aws, table) as other:
        alerts = [str(number) for number in range(10)]
        claims = await asyncio.gather(*(each.claim("sms", alert) for alert in alerts for each in (one, other)))
        for number in range(len(alerts)):
            assert sorted(claims[2 * number : 2 * number + 2]) == ["granted", "held"]
        winners = [one if claims[2 * number] == "granted" else other for number in range(len(alerts))]
        await asyncio.gather(*(each.accepted("sms", alert) for each, alert in zip(winners, alerts, strict=True)))
        for each in (one, other):
            assert all(await asyncio.gather(*(each.sent("sms", alert) for alert in alerts)))


@pytest.mark.parametrize("table", ["ministack"], indirect=True)
async def test_a_replica_gives_back_its_own_claims_only_and_takes_its_own_again(
    aws: Aws, table: str, now: Time
) -> None:
    async with replica(aws, table, now=now) as one, replica(aws, table, now=now) as other:
        assert await one.claim("sms", "a") == "granted"
        await other.release("sms", "a")
        assert await other.claim("sms", "a") == "held"
        await one._memory.release("sms", "a")  # as if the answer to its claim had been lost
        assert await one.claim("sms", "a") == "granted"
        await one.release("sms", "a")
        assert await other.claim("sms", "a") == "granted"


@pytest.mark.parametrize("table", ["ministack"], indirect=True)
async def test_an_alert_costs_one_read_and_two_writes_and_nothing_once_this_process_knows(table: str) -> None:
    metrics = Metrics()
    counted = Aws(metrics)

    def requests(operation: str) -> float:
        return (
            metrics.registry.get_sample_value(
                "trailstream_aws_requests_total", {"service": "dynamodb", "operation": operation, "code": "200"}
            )
            or 0.0
        )

    async with replica(counted, table, metrics=metrics) as ledger:
        assert not await ledger.sent("sms", "a")
        assert await ledger.claim("sms", "a") == "granted"
        await ledger.accepted("sms", "a")
        for _ in range(3):
            assert await ledger.sent("sms", "a")
            assert await ledger.claim("sms", "a") == "sent"
    assert (requests("GetItem"), requests("PutItem"), requests("DeleteItem")) == (1, 2, 0)
