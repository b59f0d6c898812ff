"""Storms, what is late, and what happens when a channel can't be reached: the dispatcher over channels for people."""

import asyncio
from functools import partial
from typing import Any

import pytest

from stream.alert import Alert
from stream.deliver import deliveries
from stream.deliver.channel import Accepted, Down, Rejected, Retry
from stream.deliver.deliveries import Deliveries
from stream.deliver.dispatcher import DeliveryFailed, Dispatcher
from stream.deliver.grouping import FEW
from stream.deliver.outages import DEAD_AFTER_S, RULE_ID
from stream.ledger import MemoryLedger
from stream.metrics import Metrics
from tests.deliver.alerts import make_alert
from tests.deliver.fakes import FakeChannel, FakeClock, FakePeople, to_all


class Bench:
    """A dispatcher, its clock and its metrics."""

    def __init__(self, *channels: Any, ledger: MemoryLedger | None = None, max_pending: int = 1000) -> None:
        self.clock = FakeClock()
        self.metrics = Metrics()
        self.dispatcher = Dispatcher(
            channels,
            ledger or MemoryLedger(),
            self.metrics,
            routes=to_all(channels),
            max_pending_alerts=max_pending,
            max_event_age_s=86_400,
            clock=self.clock,
        )

    def start(self, *alerts: Alert) -> "list[asyncio.Task[None]]":
        loop = asyncio.get_running_loop()
        tasks = [loop.create_task(self.dispatcher.deliver(alert, self.clock.now())) for alert in alerts]
        for task in tasks:
            task.add_done_callback(lambda task: task.cancelled() or task.exception())  # some outlive their test
        return tasks

    def value(self, name: str, **labels: str) -> float:
        return self.metrics.registry.get_sample_value(f"trailstream_{name}", labels) or 0.0


def storm(count: int, first: int = 0, **changes: Any) -> list[Alert]:
    return [make_alert(f"storm-{number}", **changes) for number in range(first, first + count)]


async def test_a_storm_is_a_handful_of_messages_to_people_and_every_alert_to_machines() -> None:
    people, machine = FakePeople(), FakeChannel("machine")
    bench = Bench(people, machine, max_pending=20_000)
    async with bench.dispatcher:
        tasks = bench.start(*storm(5000, severity="high"))
        await bench.clock.advance(60)
        while not all(task.done() for task in tasks):
            await bench.clock.settle()
        assert sorted(machine.ids) == sorted(f"storm-{number}" for number in range(5000))
        assert people.sizes[:FEW] == [1] * FEW
        assert len(people.told) <= FEW + 10
        told = [alert_id for ids, _ in people.told for alert_id in ids]
        assert sorted(told) == sorted(machine.ids), "everything is told, and nothing twice"
    assert bench.value("alerts_grouped_total") == 5000 - FEW
    assert bench.value("deliveries_total", channel="people", outcome="accepted") == 5000


async def test_no_message_is_settled_before_its_group_is_accepted() -> None:
    people = FakePeople()
    bench = Bench(people)
    async with bench.dispatcher:
        tasks = bench.start(*storm(FEW + 5))
        await bench.clock.settle()
        assert [task.done() for task in tasks] == [True] * FEW + [False] * 5
        people.default = Retry("server_error")
        await bench.clock.advance(30)
        assert not any(task.done() for task in tasks[FEW:])
        people.default = Accepted()
        await bench.clock.advance(120)
        assert all(task.done() for task in tasks)
    assert people.sizes == [1] * FEW + [5]


async def test_the_one_success_goes_at_once_among_a_thousand_denied() -> None:
    people = FakePeople()
    bench = Bench(people)
    async with bench.dispatcher:
        bench.start(*storm(900, severity="high", event_outcome="denied"))
        await bench.clock.settle()
        (success,) = bench.start(make_alert("success"))
        await bench.clock.settle()
        assert success.done()
        assert (("success",), False) in people.told


async def test_a_full_house_lets_groups_go_so_that_reading_goes_on() -> None:
    people = FakePeople()
    bench = Bench(people, max_pending=100)
    async with bench.dispatcher as dispatcher:
        bench.start(*storm(FEW + 100))
        await bench.clock.settle()
        assert people.sizes == [1] * FEW
        await asyncio.wait_for(dispatcher.room(), 20)
    assert people.sizes == [1] * FEW + [100]


async def test_what_is_gathered_while_there_is_no_room_keeps_none_from_being_read_either() -> None:
    people = FakePeople()
    bench = Bench(people, max_pending=100)
    async with bench.dispatcher as dispatcher:
        for first in range(0, 700, 10):  # a storm that has lasted, whose windows have grown
            bench.start(*storm(10, first=first, severity="low"))
            await bench.clock.advance(5)
        bench.start(*storm(100, first=1000, severity="low"))
        await asyncio.sleep(0)
        room = asyncio.create_task(dispatcher.room())
        await asyncio.sleep(0)
        bench.start(*storm(100, first=2000, severity="low"))  # of the messages in hand
        await bench.clock.settle()
        assert not room.done()
        await bench.clock.advance(2)
        assert room.done()
    assert people.sizes[-1] == 100


def one_message(bench: Bench, *alerts: Alert) -> "asyncio.Task[None]":
    """Deliver them as those of one message are: only so many are on their way at once."""

    async def tell() -> None:
        async with Deliveries(bench.dispatcher.make_room) as them:
            for alert in alerts:
                await them.begin(partial(bench.dispatcher.deliver, alert, bench.clock.now()))

    return asyncio.get_running_loop().create_task(tell())


async def test_what_waits_for_company_holds_back_nothing_of_its_own_message(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deliveries, "_AT_ONCE", 100)
    people, machine = FakePeople(), FakeChannel("machine")
    bench = Bench(people, machine, max_pending=100)
    async with bench.dispatcher:
        for first in range(0, 700, 10):  # a storm that has lasted, whose windows have grown
            bench.start(*storm(10, first=first, severity="low"))
            await bench.clock.advance(5)
        before = len(people.told)
        telling = one_message(bench, *storm(1000, first=1000, severity="low"), make_alert("behind"))
        await bench.clock.advance(15)
        assert "behind" in machine.ids
        assert (("behind",), False) in people.told
        assert len(people.told) - before < 15, "it is still told in a few messages"
        bench.dispatcher.flush()
        await bench.clock.settle()
        assert telling.done()


async def test_a_storm_that_a_slow_channel_holds_up_is_still_a_handful_of_messages_to_people(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(deliveries, "_AT_ONCE", 100)
    people, machine = FakePeople(), FakeChannel("machine", rate=20)
    bench = Bench(people, machine, max_pending=100)
    async with bench.dispatcher:
        messages = [one_message(bench, *storm(500, first=first)) for first in (0, 1000, 2000, 3000)]
        await bench.clock.settle()
        room = asyncio.create_task(bench.dispatcher.room())
        await bench.clock.advance(2000)
        assert all(telling.done() for telling in (*messages, room))
    assert len(machine.ids) == sum(people.sizes) == 2000
    assert len(people.told) < FEW + 2000 / 50 + 10


async def test_at_the_end_nothing_waits_long_for_company() -> None:
    people = FakePeople()
    bench = Bench(people)
    async with bench.dispatcher as dispatcher:
        tasks = bench.start(*storm(FEW + 3))
        await bench.clock.settle()
        dispatcher.flush(for_good=True)
        await bench.clock.settle()
        assert all(task.done() for task in tasks)
        tasks += bench.start(*storm(2, first=100))
        await bench.clock.advance(1)
        assert all(task.done() for task in tasks)


async def test_a_storm_at_the_end_is_still_a_handful_of_messages_to_people() -> None:
    people = FakePeople()
    bench = Bench(people)
    async with bench.dispatcher as dispatcher:
        dispatcher.flush(for_good=True)
        tasks = []
        for first in range(0, 900, 100):  # a file is read on while the process ends
            tasks += bench.start(*storm(100, first=first))
            await bench.clock.advance(0.2)
        await bench.clock.advance(1)
        await asyncio.wait_for(asyncio.gather(*tasks), 20)
    assert sum(people.sizes) == 900
    assert len(people.sizes) < FEW + 5


async def test_a_member_that_was_told_before_is_not_told_again() -> None:
    people, ledger = FakePeople(), MemoryLedger()
    bench = Bench(people, ledger=ledger)
    async with bench.dispatcher:
        tasks = bench.start(*storm(FEW + 4))
        await bench.clock.settle()
        for number in (FEW, FEW + 1):  # another replica has told these since
            await ledger.accepted("people", f"storm-{number}")
        assert await ledger.claim("people", f"storm-{FEW + 2}") == "granted"  # and is telling this one
        await bench.clock.advance(11)
        assert people.told[FEW:] == [((f"storm-{FEW + 3}",), False)]
        await ledger.release("people", f"storm-{FEW + 2}")
        await bench.clock.advance(5)
        assert people.told[FEW + 1 :] == [((f"storm-{FEW + 2}",), False)]
        assert all(task.done() for task in tasks)
    assert bench.value("deliveries_total", channel="people", outcome="duplicate") == 2


async def test_whoever_does_not_wait_any_more_is_in_no_group() -> None:
    people = FakePeople()
    bench = Bench(people)
    async with bench.dispatcher:
        tasks = bench.start(*storm(FEW + 4))
        await bench.clock.settle()
        for task in tasks[FEW : FEW + 2]:
            task.cancel()
        await bench.clock.advance(6)
        assert people.told[FEW:] == [((f"storm-{FEW + 2}", f"storm-{FEW + 3}"), False)]
        for task in bench.start(*storm(2, first=500)):  # a group of which nobody is left is none
            await bench.clock.settle()
            task.cancel()
        await bench.clock.advance(60)
        assert len(people.told) == FEW + 1


async def test_a_group_that_is_refused_is_tried_in_its_minimal_form_and_then_fails_every_message() -> None:
    people = FakePeople()
    bench = Bench(people)
    async with bench.dispatcher:
        tasks = bench.start(*storm(FEW + 3))
        await bench.clock.settle()
        people.default = Rejected("too_large")
        await bench.clock.advance(11)
        for task in tasks[FEW:]:
            with pytest.raises(DeliveryFailed, match="people: rejected"):
                await task
    assert people.minimal[FEW:] == [False, True]


async def test_people_are_told_of_what_is_old_in_one_digest_and_machines_at_once() -> None:
    people, machine = FakePeople(), FakeChannel("machine")
    bench = Bench(people, machine)
    async with bench.dispatcher:
        old = [make_alert(f"old-{n}", event_time="2026-02-27T00:00:00Z", event_name=f"Event{n}") for n in range(7)]
        tasks = bench.start(*old, make_alert("new"))
        await bench.clock.settle()
        assert people.told == [(("new",), False)]
        assert len(machine.ids) == 8
        await bench.clock.advance(11)
        assert people.told[1:] == [(tuple(alert.id for alert in old), True)]
        assert all(task.done() for task in tasks)


async def test_after_its_deadline_an_alert_goes_to_the_channel_that_it_falls_back_to() -> None:
    first = FakeChannel("first", default=Retry("server_error"), deadline=60, fallback="second")
    second = FakeChannel("second", min_severity="critical")
    bench = Bench(first, second)
    async with bench.dispatcher:
        (task,) = bench.start(make_alert(severity="low"))
        await bench.clock.advance(59)
        assert (task.done(), second.ids) == (False, [])
        await bench.clock.advance(60)
        assert task.done()
        await task
        assert second.ids == ["alert-1"]


async def test_a_fallback_that_has_the_alert_already_does_not_get_it_twice() -> None:
    first = FakeChannel("first", default=Rejected("bad_request"), fallback="second")
    second = FakeChannel("second")
    bench = Bench(first, second)
    async with bench.dispatcher:
        (task,) = bench.start(make_alert())
        await bench.clock.advance(1)
        await task
    assert second.ids == ["alert-1"]


async def test_channels_that_fall_back_to_each_other_end_all_the_same() -> None:
    first = FakeChannel("first", default=Rejected("bad_request"), fallback="second")
    second = FakeChannel("second", default=Rejected("bad_request"), fallback="first")
    bench = Bench(first, second)
    async with bench.dispatcher:
        (task,) = bench.start(make_alert())
        await bench.clock.advance(5)
        with pytest.raises(DeliveryFailed, match="rejected"):
            await task


async def test_a_channel_that_stays_down_is_an_alert_on_the_others_once_and_once_when_it_is_back() -> None:
    dead, other = FakeChannel("dead", default=Down("unauthorized")), FakeChannel("other")
    bench = Bench(dead, other)
    async with bench.dispatcher:
        (task,) = bench.start(make_alert())
        await bench.clock.advance(DEAD_AFTER_S - 1)
        assert other.ids == ["alert-1"]
        await bench.clock.advance(3600)
        assert len(other.sent) == 2, "once, however long it lasts"
        dead.default = Accepted()
        await bench.clock.advance(61)
        assert len(other.sent) == 3
        assert task.done()
        assert dead.ids.count("alert-1") == len(dead.ids), "a channel is not told of itself"


async def test_a_short_outage_is_nobodys_business() -> None:
    dead, other = FakeChannel("dead", default=Down("unauthorized")), FakeChannel("other")
    bench = Bench(dead, other)
    async with bench.dispatcher:
        bench.start(make_alert())
        await bench.clock.advance(100)
        dead.default = Accepted()
        await bench.clock.advance(3600)
        assert other.ids == ["alert-1"]
        assert bench.value("alerts_total", rule=RULE_ID, severity="high") == 0
