"""Whatever a channel answers and whoever gives up waiting: every alert comes to one end, and is counted once."""

import asyncio
from collections import Counter
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from stream.deliver.channel import Accepted, Answer, Down, Rejected, Retry
from stream.deliver.dispatcher import DeliveryFailed, Dispatcher
from stream.ledger import MemoryLedger
from stream.metrics import DELIVERY_OUTCOMES, Metrics
from stream.severity import SEVERITIES
from tests.deliver.alerts import make_alert
from tests.deliver.fakes import FakeChannel, FakeClock, FakePeople, to_all

answers = st.one_of(
    st.just(Accepted()),
    st.builds(Retry, st.sampled_from(["timeout", "throttled", "server_error"]), st.none() | st.floats(0, 900)),
    st.builds(Rejected, st.sampled_from(["bad_request", "too_large"])),
    st.builds(Down, st.sampled_from(["unauthorized", "gone"])),
)
channel_settings = st.fixed_dictionaries(
    {"rate": st.sampled_from([0, 0.1, 5]), "deadline": st.sampled_from([1.0, 60.0, 36_000.0])}
)


@given(
    script=st.lists(answers, max_size=30),
    last=answers,
    severities=st.lists(st.sampled_from(SEVERITIES), min_size=1, max_size=12),
    options=channel_settings,
    people=st.booleans(),
)
@settings(max_examples=80, deadline=None)
def test_every_alert_ends_accepted_rejected_or_expired_and_is_counted_once(
    script: list[Answer], last: Answer, severities: list[str], options: dict[str, Any], people: bool
) -> None:
    channel = FakePeople("fake", **options) if people else FakeChannel("fake", **options)
    channel.default = last
    asyncio.run(_each_ends_once(channel, script, severities))


async def _each_ends_once(channel: FakeChannel | FakePeople, script: list[Answer], severities: list[str]) -> None:
    clock, metrics, ledger = FakeClock(), Metrics(), MemoryLedger()
    channel.answer(*script)
    seen: Counter[str] = Counter()
    dispatcher = Dispatcher([channel], ledger, metrics, routes=to_all([channel]), max_pending_alerts=1000, clock=clock)
    async with dispatcher:

        async def deliver(number: int, severity: str) -> None:
            try:
                await dispatcher.deliver(make_alert(f"alert-{number}", severity=severity), clock.now())
                seen["accepted"] += 1
                assert await ledger.sent("fake", f"alert-{number}")
            except DeliveryFailed as failed:
                ((_, outcome),) = failed.failures
                seen[outcome] += 1
                assert not await ledger.sent("fake", f"alert-{number}")

        async def deliver_all() -> None:
            await asyncio.gather(*(deliver(number, severity) for number, severity in enumerate(severities)))

        await clock.run(deliver_all())
        assert dispatcher.pending_alerts == 0
    counted = {
        outcome: metrics.registry.get_sample_value(
            "trailstream_deliveries_total", {"channel": "fake", "outcome": outcome}
        )
        for outcome in DELIVERY_OUTCOMES
    }
    assert sum(seen.values()) == len(severities)
    assert set(seen) <= {"accepted", "rejected", "expired"}
    assert {outcome: count for outcome, count in counted.items() if count} == dict(seen)
    assert metrics.registry.get_sample_value("trailstream_deliveries_pending", {"channel": "fake"}) == 0


@given(
    script=st.lists(answers, max_size=20),
    steps=st.lists(st.tuples(st.integers(0, 3), st.booleans(), st.floats(0, 100)), min_size=1, max_size=15),
)
@settings(max_examples=60, deadline=None)
def test_whoever_gives_up_waiting_spoils_nothing_for_whoever_asks_again(
    script: list[Answer], steps: list[tuple[int, bool, float]]
) -> None:
    asyncio.run(_asked_again(script, steps))


async def _asked_again(script: list[Answer], steps: list[tuple[int, bool, float]]) -> None:
    """Callers come for one of four alerts and go again at random; at the end, somebody asks for all of them."""
    clock, metrics, ledger = FakeClock(), Metrics(), MemoryLedger()
    channel = FakeChannel(clock=clock)
    channel.answer(*script)
    dispatcher = Dispatcher([channel], ledger, metrics, routes=to_all([channel]), max_pending_alerts=1000, clock=clock)
    callers: list[asyncio.Task[None]] = []
    async with dispatcher:
        for number, give_up, pause_s in steps:
            callers.append(asyncio.ensure_future(dispatcher.deliver(make_alert(f"alert-{number}"), clock.now())))
            await clock.advance(pause_s)
            if give_up:
                callers[0].cancel()
                callers = callers[1:] + callers[:1]
        channel.script.clear()

        async def ask_for_all() -> None:
            await asyncio.gather(*(dispatcher.deliver(make_alert(f"alert-{n}"), clock.now()) for n in range(4)))

        await clock.run(ask_for_all())
        await asyncio.gather(*callers, return_exceptions=True)
        for number in range(4):
            assert await ledger.sent("fake", f"alert-{number}")
    accepted = metrics.registry.get_sample_value(
        "trailstream_deliveries_total", {"channel": "fake", "outcome": "accepted"}
    )
    assert accepted == 4
