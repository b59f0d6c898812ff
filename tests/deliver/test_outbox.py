import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from stream.deliver.backoff import Backoff
from stream.deliver.channel import Accepted, Down, Retry
from stream.deliver.delivery import Outcome
from stream.deliver.dispatcher import Dispatcher
from stream.deliver.outbox import Outbox
from stream.ledger import Claim, MemoryLedger
from stream.metrics import Metrics
from tests.deliver.alerts import make_alert
from tests.deliver.fakes import FakeChannel, FakeClock, to_all


class _SlowLedger(MemoryLedger):
    """Answers only after others have had a turn, as one across the network does."""

    async def sent(self, channel: str, alert_id: str) -> bool:
        await asyncio.sleep(0)
        return await super().sent(channel, alert_id)


class _BrokenLedger(MemoryLedger):
    async def claim(self, channel: str, alert_id: str) -> Claim:
        raise RuntimeError(f"no claim on {alert_id} for {channel}")


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@asynccontextmanager
async def _running(outbox: Outbox) -> AsyncIterator[Outbox]:
    async with asyncio.TaskGroup() as tasks:
        runner = tasks.create_task(outbox.run(tasks))
        try:
            yield outbox
        finally:
            runner.cancel()
            outbox.close()


def _deliver(outbox: Outbox, clock: FakeClock, alert_id: str = "alert-1") -> "asyncio.Task[Outcome]":
    return asyncio.ensure_future(outbox.deliver(make_alert(alert_id), clock.now()))


async def test_after_an_outage_alerts_wait_for_the_next_probe_and_not_for_their_own_backoff(clock: FakeClock) -> None:
    channel = FakeChannel(clock=clock, default=Retry("connection"))
    longest = Backoff(cap_s=1_000_000, uniform=lambda _low, high: high)
    outbox = Outbox(channel, MemoryLedger(), Metrics(), clock, backoff=longest)
    async with _running(outbox):
        deliveries = [_deliver(outbox, clock, f"alert-{n}") for n in range(10)]
        await clock.advance(7200)
        channel.default = Accepted()
        await clock.advance(61)
        assert [delivery.result() for delivery in deliveries] == ["accepted"] * 10


async def test_an_answer_that_comes_after_the_deadline_still_counts(clock: FakeClock) -> None:
    channel = FakeChannel(clock=clock, deadline=10)
    channel.gate.clear()
    outbox = Outbox(channel, MemoryLedger(), Metrics(), clock)
    async with _running(outbox):
        under_way = _deliver(outbox, clock)
        await clock.advance(20)
        other = _deliver(outbox, clock, "other")
        await clock.settle()
        assert not under_way.done()
        channel.gate.set()
        await clock.settle()
        assert (under_way.result(), other.result()) == ("accepted", "accepted")


async def test_a_failure_that_comes_after_the_deadline_is_the_end(clock: FakeClock) -> None:
    channel = FakeChannel(clock=clock, deadline=10, default=Retry("timeout"))
    channel.gate.clear()
    outbox = Outbox(channel, MemoryLedger(), Metrics(), clock)
    async with _running(outbox):
        under_way = _deliver(outbox, clock)
        await clock.advance(20)
        channel.gate.set()
        await clock.settle()
        assert under_way.result() == "expired"
    assert len(channel.sent) == 1


async def test_callers_who_come_while_the_ledger_thinks_share_one_delivery_all_the_same(clock: FakeClock) -> None:
    channel = FakeChannel(clock=clock)
    outbox = Outbox(channel, _SlowLedger(), Metrics(), clock)
    async with _running(outbox):
        deliveries = [_deliver(outbox, clock) for _ in range(5)]
        await clock.settle()
        assert [delivery.result() for delivery in deliveries] == ["accepted"] * 5
    assert channel.ids == ["alert-1"]


async def test_callers_who_come_and_go_through_an_outage_leave_nothing_behind(clock: FakeClock) -> None:
    channel = FakeChannel(clock=clock, default=Down("gone"))
    outbox = Outbox(channel, MemoryLedger(), Metrics(), clock)
    async with _running(outbox):
        waiting = _deliver(outbox, clock, "waiting")
        await clock.settle()
        for number in range(300):
            gone = _deliver(outbox, clock, f"alert-{number}")
            await asyncio.sleep(0)
            gone.cancel()
            await asyncio.sleep(0)
        assert len(outbox._line) < 100
        assert repr(outbox).startswith("<Outbox fake: 1 pending, 0 in flight, <CircuitBreaker open")
        channel.default = Accepted()
        await clock.advance(61)
        assert waiting.result() == "accepted"


async def test_a_fault_of_our_own_is_not_survived_in_silence(clock: FakeClock) -> None:
    channel = FakeChannel(clock=clock)
    dispatcher = Dispatcher(
        [channel], _BrokenLedger(), Metrics(), routes=to_all([channel]), max_pending_alerts=10, clock=clock
    )
    with pytest.raises(BaseExceptionGroup) as raised:
        async with dispatcher:
            await dispatcher.deliver(make_alert(), clock.now())
    assert raised.group_contains(RuntimeError, match="no claim on alert-1 for fake")
    assert channel.closed
