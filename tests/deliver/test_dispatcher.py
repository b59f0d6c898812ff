import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest
from prometheus_client.openmetrics import exposition
from structlog.testing import capture_logs

from stream.alert import Alert
from stream.deliver.channel import Accepted, Answer, Channel, Down, Rejected, Retry
from stream.deliver.channels.webhook import WebhookChannel, WebhookSettings
from stream.deliver.clock import Clock
from stream.deliver.dispatcher import DeliveryFailed, Dispatcher
from stream.errors import ConfigError
from stream.ledger import MemoryLedger
from stream.metrics import DELIVERY_OUTCOMES, Metrics
from stream.severity import Severity
from tests.deliver.alerts import make_alert
from tests.deliver.fakes import FakeChannel, FakeClock, to_all
from tests.receiver import Receiver, Reply


class Bench:
    """A dispatcher with its fake clock, metrics and ledger."""

    def __init__(
        self,
        *channels: Channel,
        clock: Clock | None = None,
        ledger: MemoryLedger | None = None,
        min_severity: Severity = "informational",
        max_pending_alerts: int = 1000,
    ) -> None:
        self.metrics = Metrics()
        self.ledger = ledger or MemoryLedger()
        self.dispatcher = Dispatcher(
            channels,
            self.ledger,
            self.metrics,
            routes=to_all(channels, min_severity),
            max_pending_alerts=max_pending_alerts,
            clock=clock,
        )

    def value(self, name: str, **labels: str) -> float:
        found = self.metrics.registry.get_sample_value(f"trailstream_{name}", labels)
        assert found is not None, f"{name}{labels} is not there"
        return found

    def outcomes(self, channel: str = "fake") -> dict[str, int]:
        """Deliveries that have ended, by outcome; those that never happened left out."""
        counted = {o: int(self.value("deliveries_total", channel=channel, outcome=o)) for o in DELIVERY_OUTCOMES}
        return {outcome: count for outcome, count in counted.items() if count}


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


def _start(work: Any) -> "asyncio.Task[Any]":
    return asyncio.get_running_loop().create_task(work)


async def test_an_alert_is_delivered_when_every_channel_has_accepted_it(clock: FakeClock) -> None:
    first, second = FakeChannel("first"), FakeChannel("second")
    second.gate.clear()
    bench = Bench(first, second, clock=clock)
    async with bench.dispatcher as dispatcher:
        delivering = _start(dispatcher.deliver(make_alert(), clock.now()))
        await clock.settle()
        assert (first.ids, second.ids) == (["alert-1"], ["alert-1"])
        assert not delivering.done()
        second.gate.set()
        await clock.settle()
        assert delivering.done()
        await delivering
    assert bench.outcomes("first") == bench.outcomes("second") == {"accepted": 1}
    assert (first.closed, second.closed) == (True, True)


async def test_an_alert_below_a_channels_severity_is_not_sent_there(clock: FakeClock) -> None:
    strict, lax, usual = (
        FakeChannel("strict", min_severity="critical"),
        FakeChannel("lax", min_severity="low"),
        FakeChannel("usual"),
    )
    bench = Bench(strict, lax, usual, clock=clock, min_severity="high")
    async with bench.dispatcher as dispatcher:
        for severity in ("informational", "low", "high", "critical"):
            await clock.run(dispatcher.deliver(make_alert(severity, severity=severity), clock.now()))
    assert strict.ids == ["critical"]
    assert lax.ids == ["low", "high", "critical"]
    assert usual.ids == ["high", "critical"]


async def test_an_alert_without_a_route_is_done_at_once(clock: FakeClock) -> None:
    bench = Bench(clock=clock)
    async with bench.dispatcher as dispatcher:
        await dispatcher.deliver(make_alert(), clock.now())


async def test_a_failure_is_tried_again_with_growing_waits_until_it_is_accepted(clock: FakeClock) -> None:
    channel = FakeChannel(clock=clock)
    channel.answer(*[Retry("server_error")] * 4)
    bench = Bench(channel, clock=clock)
    async with bench.dispatcher as dispatcher:
        await clock.run(dispatcher.deliver(make_alert(), clock.now()))
    assert len(channel.sent) == 5
    assert bench.outcomes() == {"accepted": 1}
    assert bench.value("delivery_attempts_total", channel="fake", outcome="retry", reason="server_error") == 4
    assert bench.value("delivery_attempts_total", channel="fake", outcome="accepted", reason="ok") == 1
    waits = [later - earlier for earlier, later in zip(channel.moments, channel.moments[1:], strict=False)]
    for number, wait in enumerate(waits):
        assert wait <= 0.5 * 2**number + 0.002


async def test_retry_after_is_the_least_that_the_whole_channel_waits(clock: FakeClock) -> None:
    channel = FakeChannel(clock=clock)
    channel.answer(Retry("throttled", after_s=30))
    bench = Bench(channel, clock=clock)
    async with bench.dispatcher as dispatcher:
        first = _start(dispatcher.deliver(make_alert("first"), clock.now()))
        await clock.settle()
        second = _start(dispatcher.deliver(make_alert("second"), clock.now()))
        await clock.advance(29)
        assert channel.ids == ["first"]
        await clock.run(asyncio.wait_for(asyncio.gather(first, second), None))
    assert sorted(channel.ids) == ["first", "first", "second"]
    assert min(channel.moments[1:]) >= 1030


async def test_a_service_that_reached_all_but_one_is_not_taken_for_ill(clock: FakeClock) -> None:
    partly = Retry("server_error", partial=True)
    channel = FakeChannel(clock=clock, default=lambda alert, _: partly if alert.id == "partly" else Accepted())
    bench = Bench(channel, clock=clock)
    async with bench.dispatcher as dispatcher:
        waiting = _start(dispatcher.deliver(make_alert("partly"), clock.now()))
        await clock.advance(600)
        assert channel.ids.count("partly") > 6
        assert bench.value("circuit_breaker_open", channel="fake") == 0
        began = clock.now()
        await clock.run(dispatcher.deliver(make_alert("whole"), began))
        assert clock.now() == began, "it has waited for nothing"
        assert not waiting.done()
        channel.default = Accepted()
        await clock.run(asyncio.wait_for(waiting, None))
    assert bench.outcomes() == {"accepted": 2}


async def test_a_rejected_alert_is_tried_once_in_its_minimal_form(clock: FakeClock) -> None:
    channel = FakeChannel(clock=clock)
    channel.answer(Rejected("too_large"))
    bench = Bench(channel, clock=clock)
    async with bench.dispatcher as dispatcher:
        await clock.run(dispatcher.deliver(make_alert(), clock.now()))
    assert [minimal for _, _, minimal in channel.sent] == [False, True]
    assert bench.outcomes() == {"accepted": 1}
    assert bench.value("errors_total", stage="deliver", reason="minimal_payload") == 1
    assert bench.value("errors_total", stage="deliver", reason="rejected") == 0


async def test_an_alert_rejected_in_its_minimal_form_too_has_failed(clock: FakeClock) -> None:
    channel = FakeChannel(clock=clock, default=Rejected("bad_request"))
    bench = Bench(channel, FakeChannel("other"), clock=clock)
    async with bench.dispatcher as dispatcher:
        with pytest.raises(DeliveryFailed, match="fake: rejected") as raised:
            await clock.run(dispatcher.deliver(make_alert(), clock.now()))
    assert raised.value.failures == (("fake", "rejected"),)
    assert len(channel.sent) == 2
    assert bench.outcomes() == {"rejected": 1}
    assert bench.outcomes("other") == {"accepted": 1}
    assert bench.value("errors_total", stage="deliver", reason="rejected") == 1
    assert not await bench.ledger.sent("fake", "alert-1")


async def test_a_rejection_is_raised_only_when_the_other_channels_have_had_their_turn(clock: FakeClock) -> None:
    slow = FakeChannel("slow", clock=clock)
    slow.answer(Down("forbidden"))
    bench = Bench(FakeChannel(default=Rejected("payload")), slow, clock=clock)
    async with bench.dispatcher as dispatcher:
        delivering = _start(dispatcher.deliver(make_alert(), clock.now()))
        await clock.settle()
        assert not delivering.done()
        with pytest.raises(DeliveryFailed):
            await clock.run(asyncio.wait_for(delivering, None))
    assert bench.outcomes("slow") == {"accepted": 1}


async def test_a_rejected_alert_may_be_tried_again_when_it_comes_again(clock: FakeClock) -> None:
    channel = FakeChannel(clock=clock)
    channel.answer(Rejected("payload"), Rejected("payload"))
    bench = Bench(channel, clock=clock)
    async with bench.dispatcher as dispatcher:
        with pytest.raises(DeliveryFailed):
            await clock.run(dispatcher.deliver(make_alert(), clock.now()))
        await clock.run(dispatcher.deliver(make_alert(), clock.now()))
    assert bench.outcomes() == {"rejected": 1, "accepted": 1}


async def test_an_alert_that_nobody_accepts_in_time_expires(clock: FakeClock) -> None:
    channel = FakeChannel(clock=clock, default=Retry("connection"), deadline=3600)
    bench = Bench(channel, clock=clock)
    async with bench.dispatcher as dispatcher:
        with pytest.raises(DeliveryFailed, match="fake: expired"):
            await clock.run(dispatcher.deliver(make_alert(), clock.now()))
    assert clock.moment == pytest.approx(4600, abs=1)
    assert bench.outcomes() == {"expired": 1}
    assert bench.value("errors_total", stage="deliver", reason="expired") == 1


async def test_an_outage_costs_one_probe_a_minute_and_no_alert(clock: FakeClock) -> None:
    channel = FakeChannel(clock=clock, default=Retry("connection"))
    bench = Bench(channel, clock=clock)
    async with bench.dispatcher as dispatcher:
        alerts = [_start(dispatcher.deliver(make_alert(f"alert-{n}"), clock.now())) for n in range(50)]
        await clock.advance(3600)
        assert bench.value("circuit_breaker_open", channel="fake") == 1
        assert bench.value("deliveries_pending", channel="fake") == 50
        assert bench.value("oldest_pending_delivery_seconds", channel="fake") == 3600
        assert len(channel.sent) < 150
        assert bench.outcomes() == {}
        channel.default = Accepted()
        await clock.advance(61)
        assert all(alert.done() for alert in alerts)
        assert bench.value("circuit_breaker_open", channel="fake") == 0
        assert bench.value("deliveries_pending", channel="fake") == 0
        assert bench.value("oldest_pending_delivery_seconds", channel="fake") == 0
    assert bench.outcomes() == {"accepted": 50}


async def test_a_channel_that_is_down_gets_one_request_and_then_only_probes(clock: FakeClock) -> None:
    channel = FakeChannel(clock=clock, default=Down("gone"))
    channel.gate.clear()
    bench = Bench(channel, clock=clock)
    async with bench.dispatcher as dispatcher:
        first = _start(dispatcher.deliver(make_alert("first"), clock.now()))
        await clock.settle()
        channel.gate.set()
        await clock.settle()
        assert bench.value("circuit_breaker_open", channel="fake") == 1
        rest = [_start(dispatcher.deliver(make_alert(f"alert-{n}"), clock.now())) for n in range(20)]
        await clock.advance(0.4)
        assert channel.ids == ["first"]
        await clock.advance(0.7)
        assert len(channel.sent) == 2
        channel.default = Accepted()
        await clock.advance(4)
        assert first.done()
        assert all(alert.done() for alert in rest)
    assert channel.most_under_way <= 8


async def test_the_one_alert_that_a_service_chokes_on_holds_the_others_up_for_no_more_than_a_probe(
    clock: FakeClock,
) -> None:
    def choke(alert: Alert, _minimal: bool) -> Answer:
        return Retry("server_error") if alert.id == "choking" else Accepted()

    channel = FakeChannel(clock=clock, default=choke)
    bench = Bench(channel, clock=clock)
    async with bench.dispatcher as dispatcher:
        choking = _start(dispatcher.deliver(make_alert("choking", severity="critical"), clock.now()))
        await clock.advance(1000)
        assert bench.value("circuit_breaker_open", channel="fake") == 1
        began = clock.moment
        await clock.run(dispatcher.deliver(make_alert("good", severity="low"), clock.now()))
        assert clock.moment - began <= 60
        assert not choking.done()
        choking.cancel()


async def test_a_secret_is_read_again_when_the_service_refuses_it_and_tried_at_once(clock: FakeClock) -> None:
    class Rotating(FakeChannel):
        async def refresh(self) -> None:
            await super().refresh()
            if self.refreshed == 7:
                self.default = Accepted()
                self.settings = self.settings.model_copy(update={"timeout": 11.0})

    channel = Rotating(clock=clock, default=Down("unauthorized"))
    bench = Bench(channel, clock=clock)
    async with bench.dispatcher as dispatcher:
        await clock.run(dispatcher.deliver(make_alert(), clock.now()))
    assert (channel.refreshed, len(channel.sent)) == (7, 8)
    assert channel.moments[7] - channel.moments[6] < 0.01
    assert channel.moments[6] - channel.moments[5] > 10


@pytest.mark.parametrize(
    ("reason", "times"),
    [("unauthorized", 1), ("forbidden", 1), ("not_found", 1), ("gone", 1), ("redirect", 0), ("tls", 0)],
)
async def test_only_a_refused_secret_is_read_again(reason: Any, times: int, clock: FakeClock) -> None:
    channel = FakeChannel(clock=clock)
    channel.answer(Down(reason))
    bench = Bench(channel, clock=clock)
    async with bench.dispatcher as dispatcher:
        await clock.run(dispatcher.deliver(make_alert(), clock.now()))
    assert channel.refreshed == times


async def test_a_secret_that_cannot_be_read_again_leaves_the_old_one_in_use(clock: FakeClock) -> None:
    class Unreadable(FakeChannel):
        async def refresh(self) -> None:
            raise ConfigError("TRAILSTREAM_FAKE_URL_FILE: the file '/x' is empty")

    channel = Unreadable(clock=clock)
    channel.answer(Down("forbidden"))
    bench = Bench(channel, clock=clock)
    with capture_logs() as logs:
        async with bench.dispatcher as dispatcher:
            await clock.run(dispatcher.deliver(make_alert(), clock.now()))
    assert bench.outcomes() == {"accepted": 1}
    assert [line["reason"] for line in logs if line["event"] == "secrets can't be read again"] == [
        "TRAILSTREAM_FAKE_URL_FILE: the file '/x' is empty"
    ]


async def test_requests_at_once_are_bounded_and_the_most_severe_go_first(clock: FakeClock) -> None:
    channel = FakeChannel(clock=clock)
    channel.gate.clear()
    bench = Bench(channel, clock=clock)
    async with bench.dispatcher as dispatcher:
        waiting = [_start(dispatcher.deliver(make_alert(f"low-{n}", severity="low"), clock.now())) for n in range(10)]
        await clock.settle()
        waiting.append(_start(dispatcher.deliver(make_alert("critical"), clock.now())))
        await clock.settle()
        assert channel.under_way == 8
        channel.gate.set()
        await clock.settle()
        await asyncio.gather(*waiting)
    assert channel.most_under_way == 8
    assert channel.ids[8] == "critical"
    assert bench.outcomes() == {"accepted": 11}


async def test_a_rate_spaces_requests_out(clock: FakeClock) -> None:
    channel = FakeChannel(clock=clock, rate=2)
    bench = Bench(channel, clock=clock)
    async with bench.dispatcher as dispatcher:
        waiting = [_start(dispatcher.deliver(make_alert(f"alert-{n}"), clock.now())) for n in range(5)]
        await clock.advance(10)
        assert all(each.done() for each in waiting)
    assert channel.moments == pytest.approx([1000, 1000.5, 1001, 1001.5, 1002], abs=0.01)


async def test_an_alert_that_was_accepted_before_is_not_sent_again(clock: FakeClock) -> None:
    channel = FakeChannel(clock=clock)
    bench = Bench(channel, clock=clock)
    async with bench.dispatcher as dispatcher:
        await clock.run(dispatcher.deliver(make_alert(), clock.now()))
        await clock.run(dispatcher.deliver(make_alert(), clock.now()))
    assert channel.ids == ["alert-1"]
    assert bench.outcomes() == {"accepted": 1, "duplicate": 1}


async def test_an_alert_that_was_accepted_before_does_not_wait_for_a_channel_that_is_down(clock: FakeClock) -> None:
    channel = FakeChannel(clock=clock)
    bench = Bench(channel, clock=clock)
    async with bench.dispatcher as dispatcher:
        await clock.run(dispatcher.deliver(make_alert("old"), clock.now()))
        channel.default = Down("gone")
        new = _start(dispatcher.deliver(make_alert("new"), clock.now()))
        await clock.settle()
        await dispatcher.deliver(make_alert("old"), clock.now())
        assert not new.done()
        new.cancel()


async def test_callers_with_the_same_alert_share_one_delivery(clock: FakeClock) -> None:
    channel = FakeChannel(clock=clock)
    channel.gate.clear()
    bench = Bench(channel, clock=clock)
    async with bench.dispatcher as dispatcher:
        callers = [_start(dispatcher.deliver(make_alert(), clock.now())) for _ in range(3)]
        await clock.settle()
        assert dispatcher.pending_alerts == 3
        channel.gate.set()
        await asyncio.gather(*callers)
        assert dispatcher.pending_alerts == 0
    assert channel.ids == ["alert-1"]
    assert bench.outcomes() == {"accepted": 1}


async def test_two_replicas_with_one_ledger_send_an_alert_once(clock: FakeClock) -> None:
    ledger = MemoryLedger(now=clock.now)
    channels = [FakeChannel(clock=clock), FakeChannel(clock=clock)]
    benches = [Bench(channel, clock=clock, ledger=ledger) for channel in channels]
    for channel in channels:
        channel.gate.clear()
    async with benches[0].dispatcher as one, benches[1].dispatcher as other:
        delivering = [_start(replica.deliver(make_alert(), clock.now())) for replica in (one, other)]
        await clock.advance(5)
        assert not any(each.done() for each in delivering)
        for channel in channels:
            channel.gate.set()
        await clock.advance(5)
        await asyncio.gather(*delivering)
    assert len(channels[0].sent) + len(channels[1].sent) == 1
    assert [bench.outcomes() for bench in benches] == [{"accepted": 1}, {"duplicate": 1}]


async def test_an_alert_whose_sender_died_is_sent_by_another_once_the_claim_has_lapsed(clock: FakeClock) -> None:
    ledger = MemoryLedger(claim_s=60, now=clock.now)
    await ledger.claim("fake", "alert-1")
    channel = FakeChannel(clock=clock)
    bench = Bench(channel, clock=clock, ledger=ledger)
    async with bench.dispatcher as dispatcher:
        await clock.run(dispatcher.deliver(make_alert(), clock.now()))
    assert len(channel.sent) == 1
    assert 1060 <= channel.moments[0] <= 1063


async def test_a_claim_held_elsewhere_does_not_use_up_the_probe(clock: FakeClock) -> None:
    ledger = MemoryLedger(claim_s=1000, now=clock.now)
    channel = FakeChannel(clock=clock)
    channel.answer(Down("gone"))
    bench = Bench(channel, clock=clock, ledger=ledger)
    async with bench.dispatcher as dispatcher:
        first = _start(dispatcher.deliver(make_alert("first"), clock.now()))
        await clock.settle()
        await ledger.claim("fake", "held")
        held = _start(dispatcher.deliver(make_alert("held"), clock.now()))
        await clock.advance(10)
        assert first.done()
        assert not held.done()
        held.cancel()
    assert channel.ids == ["first", "first"]


async def test_a_caller_who_goes_away_takes_a_waiting_delivery_back(clock: FakeClock) -> None:
    channel = FakeChannel(clock=clock, default=Retry("timeout"))
    bench = Bench(channel, clock=clock)
    async with bench.dispatcher as dispatcher:
        delivering = _start(dispatcher.deliver(make_alert(), clock.now()))
        await clock.advance(5)
        assert bench.value("deliveries_pending", channel="fake") == 1
        delivering.cancel()
        with pytest.raises(asyncio.CancelledError):
            await delivering
        assert bench.value("deliveries_pending", channel="fake") == 0
        assert dispatcher.pending_alerts == 0
        requests = len(channel.sent)
        channel.default = Accepted()
        await clock.advance(1000)
        assert len(channel.sent) == requests
        assert bench.outcomes() == {}
        await clock.run(dispatcher.deliver(make_alert(), clock.now()))
    assert bench.outcomes() == {"accepted": 1}


async def test_one_of_two_callers_going_away_changes_nothing_for_the_other(clock: FakeClock) -> None:
    channel = FakeChannel(clock=clock)
    channel.answer(Retry("timeout"))
    bench = Bench(channel, clock=clock)
    async with bench.dispatcher as dispatcher:
        gone = _start(dispatcher.deliver(make_alert(), clock.now()))
        stays = _start(dispatcher.deliver(make_alert(), clock.now()))
        await clock.settle()
        gone.cancel()
        await clock.advance(10)
        assert stays.done()
        await stays
    assert bench.outcomes() == {"accepted": 1}


async def test_a_request_under_way_finishes_after_its_caller_has_gone_and_is_remembered(clock: FakeClock) -> None:
    channel = FakeChannel(clock=clock)
    channel.gate.clear()
    bench = Bench(channel, clock=clock)
    async with bench.dispatcher as dispatcher:
        delivering = _start(dispatcher.deliver(make_alert(), clock.now()))
        await clock.settle()
        delivering.cancel()
        await clock.settle()
        channel.gate.set()
        await clock.settle()
        assert bench.outcomes() == {"accepted": 1}
        await dispatcher.deliver(make_alert(), clock.now())
    assert channel.ids == ["alert-1"]


async def test_a_caller_may_come_back_while_the_request_is_still_under_way(clock: FakeClock) -> None:
    channel = FakeChannel(clock=clock)
    channel.gate.clear()
    channel.answer(Retry("timeout"))
    bench = Bench(channel, clock=clock)
    async with bench.dispatcher as dispatcher:
        gone = _start(dispatcher.deliver(make_alert(), clock.now()))
        await clock.settle()
        gone.cancel()
        await clock.settle()
        back = _start(dispatcher.deliver(make_alert(), clock.now()))
        await clock.settle()
        channel.gate.set()
        await clock.advance(5)
        assert back.done()
    assert channel.ids == ["alert-1", "alert-1"]
    assert bench.outcomes() == {"accepted": 1}


async def test_a_request_that_fails_after_its_caller_has_gone_is_not_repeated(clock: FakeClock) -> None:
    channel = FakeChannel(clock=clock, default=Retry("timeout"))
    channel.gate.clear()
    bench = Bench(channel, clock=clock)
    async with bench.dispatcher as dispatcher:
        delivering = _start(dispatcher.deliver(make_alert(), clock.now()))
        await clock.settle()
        delivering.cancel()
        await clock.settle()
        channel.gate.set()
        await clock.advance(1000)
    assert channel.ids == ["alert-1"]
    assert bench.outcomes() == {}
    assert await bench.ledger.claim("fake", "alert-1") == "granted"


async def test_closing_lets_go_of_callers_and_remembers_nothing_that_was_not_accepted(clock: FakeClock) -> None:
    channel = FakeChannel(clock=clock)
    channel.gate.clear()
    bench = Bench(channel, clock=clock)
    async with bench.dispatcher as dispatcher:
        delivering = _start(dispatcher.deliver(make_alert(), clock.now()))
        await clock.settle()
    with pytest.raises(DeliveryFailed, match="withdrawn"):
        await delivering
    with pytest.raises(DeliveryFailed, match="withdrawn"):
        await dispatcher.deliver(make_alert(), clock.now())
    assert not await bench.ledger.sent("fake", "alert-1")
    assert bench.outcomes() == {}
    assert channel.under_way == 0
    assert channel.closed


async def test_an_error_of_the_body_comes_out_as_it_is(clock: FakeClock) -> None:
    channel = FakeChannel(clock=clock)
    with pytest.raises(ZeroDivisionError):
        async with Bench(channel, clock=clock).dispatcher:
            raise ZeroDivisionError
    assert channel.closed


async def test_a_cancellation_of_the_body_comes_out_as_it_is(clock: FakeClock) -> None:
    channel = FakeChannel(clock=clock)

    async def body() -> None:
        async with Bench(channel, clock=clock).dispatcher:
            await asyncio.Event().wait()

    running = _start(body())
    await clock.settle()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert channel.closed


async def test_a_channel_with_a_fault_costs_its_alert_alone_and_tells_no_secret(clock: FakeClock) -> None:
    class Faulty(FakeChannel):
        async def send(self, alert: Alert, *, minimal: bool = False) -> Answer:
            if alert.id == "strange":
                raise ValueError("https://hooks.example/sEcReT")
            return await super().send(alert, minimal=minimal)

    bench = Bench(Faulty(clock=clock), clock=clock)
    with capture_logs() as logs:
        async with bench.dispatcher as dispatcher:
            with pytest.raises(DeliveryFailed, match="fake: rejected"):
                await clock.run(dispatcher.deliver(make_alert("strange"), clock.now()))
            await clock.run(dispatcher.deliver(make_alert("usual"), clock.now()))
    assert bench.outcomes() == {"accepted": 1, "rejected": 1}
    faults = [line for line in logs if line["event"] == "channel has a fault"]
    assert [fault["error"] for fault in faults] == ["ValueError", "ValueError"]
    assert faults[0]["at"].startswith("test_dispatcher.py:")
    assert "sEcReT" not in repr(logs)


async def test_receiving_pauses_at_the_limit_and_says_so_once_each_way(clock: FakeClock) -> None:
    channel = FakeChannel(clock=clock)
    channel.gate.clear()
    bench = Bench(channel, clock=clock, max_pending_alerts=2)
    with capture_logs() as logs:
        async with bench.dispatcher as dispatcher:
            await dispatcher.room()
            delivering = [_start(dispatcher.deliver(make_alert("a"), clock.now()))]
            await clock.settle()
            await dispatcher.room()
            assert bench.value("intake_paused") == 0
            delivering.append(_start(dispatcher.deliver(make_alert("a"), clock.now())))  # held twice, if sent once
            await clock.settle()
            rooms = [_start(dispatcher.room()) for _ in range(3)]
            await clock.settle()
            assert not any(room.done() for room in rooms)
            assert bench.value("intake_paused") == 1
            channel.gate.set()
            await asyncio.gather(*delivering, *rooms)
            assert bench.value("intake_paused") == 0
    events = [line["event"] for line in logs]
    assert (events.count("intake paused"), events.count("intake resumed")) == (1, 1)


async def test_an_outage_is_told_in_a_few_lines_whatever_its_length(clock: FakeClock) -> None:
    channel = FakeChannel(clock=clock, default=Retry("connection"))
    bench = Bench(channel, clock=clock)
    with capture_logs() as logs:
        async with bench.dispatcher as dispatcher:
            waiting = [_start(dispatcher.deliver(make_alert(f"alert-{n}"), clock.now())) for n in range(30)]
            await clock.advance(7200)
            assert 1 <= len(logs) <= 3
            channel.default = Accepted()
            await clock.advance(100)
            await asyncio.gather(*waiting)
    events = [line["event"] for line in logs]
    assert [event for event in events if event != "alert delivered"] == [
        "channel fails",
        "circuit breaker opened",
        "channel recovered",
    ]
    assert events.count("alert delivered") == 30
    assert {line["channel"] for line in logs} == {"fake"}


async def test_latency_is_measured_from_the_event_and_from_the_messages_receipt(clock: FakeClock) -> None:
    channel = FakeChannel(clock=clock)
    bench = Bench(channel, clock=clock)
    async with bench.dispatcher as dispatcher:
        received_at = clock.now() - 20
        await clock.advance(100)
        await clock.run(dispatcher.deliver(make_alert(event_time="2026-03-01T12:00:00Z"), received_at))
    assert bench.value("alert_latency_seconds_sum", channel="fake") == pytest.approx(100)
    assert bench.value("alert_processing_seconds_sum", channel="fake") == pytest.approx(120)
    assert bench.value("channel_last_success_timestamp_seconds", channel="fake") == pytest.approx(clock.unix())
    assert bench.value("delivery_duration_seconds_count", channel="fake") == 1


@pytest.mark.parametrize("time", ["", "yesterday", "9999-99-99T00:00:00Z", "0001-01-01T00:00:00+23:59", "\ud800"])
async def test_a_forged_time_spoils_no_latency(time: str, clock: FakeClock) -> None:
    bench = Bench(FakeChannel(clock=clock), clock=clock)
    async with bench.dispatcher as dispatcher:
        await clock.run(dispatcher.deliver(make_alert(event_time=time), clock.now()))
    assert bench.outcomes() == {"accepted": 1}
    assert bench.value("alert_processing_seconds_count", channel="fake") == 1


@pytest.mark.parametrize("event_id", ["x" * 10_000, "\ud800", "a\nb", ""])
async def test_a_forged_event_id_breaks_no_exemplar(event_id: str, clock: FakeClock) -> None:
    generate: Callable[..., bytes] = exposition.generate_latest
    bench = Bench(FakeChannel(clock=clock), clock=clock)
    async with bench.dispatcher as dispatcher:
        await clock.run(dispatcher.deliver(make_alert(event_id=event_id), clock.now()))
        assert b"alert_latency_seconds_bucket" in generate(bench.metrics.registry)
    assert bench.outcomes() == {"accepted": 1}


async def test_every_label_child_of_a_channel_is_there_from_the_start(clock: FakeClock) -> None:
    bench = Bench(FakeChannel("a"), FakeChannel("b"), clock=clock)
    for channel in ("a", "b"):
        assert bench.outcomes(channel) == {}
        for gauge in ("deliveries_pending", "oldest_pending_delivery_seconds", "circuit_breaker_open"):
            assert bench.value(gauge, channel=channel) == 0


async def _webhook(stack: AsyncExitStack, name: str, **settings: Any) -> tuple[WebhookChannel, Receiver]:
    receiver = await stack.enter_async_context(Receiver())
    return WebhookChannel(WebhookSettings.model_validate({"url": receiver.url, **settings}), name=name), receiver


async def _eventually(condition: Callable[[], bool]) -> None:
    """Wait for a condition, ten seconds at most."""
    for _ in range(2000):
        if condition():
            return
        await asyncio.sleep(0.005)
    raise AssertionError("it never came true")


@pytest.mark.parametrize("outage", [Reply(hang=True), Reply(close=True), Reply(503), Reply(401)])
async def test_one_channels_outage_never_delays_anothers(outage: Reply) -> None:
    async with AsyncExitStack() as stack:
        ill, ill_receiver = await _webhook(stack, "ill", timeout=300)
        well, well_receiver = await _webhook(stack, "well")
        ill_receiver.default = outage
        bench = Bench(ill, well)
        dispatcher = await stack.enter_async_context(bench.dispatcher)
        began = asyncio.get_running_loop().time()
        waiting = [_start(dispatcher.deliver(make_alert(f"alert-{n}"), began)) for n in range(100)]
        await well_receiver.wait_for(100)
        await _eventually(lambda: bench.outcomes("well") == {"accepted": 100})
        assert asyncio.get_running_loop().time() - began < 5
        assert bench.outcomes("ill") == {}
        assert not any(each.done() for each in waiting)
        assert ill_receiver.most_open_requests <= 8
        for each in waiting:
            each.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)


async def test_alerts_reach_a_real_service_once_each_through_its_bad_moments() -> None:
    async with AsyncExitStack() as stack:
        channel, receiver = await _webhook(stack, "webhook", timeout=5)
        receiver.answer(500, 429, 503)
        receiver.answer(close=True)
        bench = Bench(channel)
        dispatcher = await stack.enter_async_context(bench.dispatcher)
        alerts = [make_alert(f"alert-{n}") for n in range(20)]
        async with asyncio.timeout(20):
            await asyncio.gather(*(dispatcher.deliver(alert, 0.0) for alert in alerts))
        assert bench.outcomes("webhook") == {"accepted": 20}
        assert len(receiver.requests) == 24
        assert {request.headers.get("webhook-id") for request in receiver.requests} == {None}
        assert {request.json()["id"] for request in receiver.requests} == {alert.id for alert in alerts}
