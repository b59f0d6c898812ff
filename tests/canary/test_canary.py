"""A call of ours that has to come back in a log file: seen, missed, told once, and back again."""

import asyncio
import json
import math
from collections.abc import Callable
from typing import Any

import pytest
from aiohttp import web
from structlog.testing import capture_logs

from stream.aws import Aws
from stream.canary.call import call
from stream.canary.mark import Heard, fresh, user_agent
from stream.canary.watch import EVERY_S, MISSING_S, Canary, CanaryError, State
from stream.detect.detection import Detection
from stream.detect.detector import Detector
from stream.detect.surroundings import Surroundings
from stream.metrics import ERRORS, Metrics
from stream.notice import KINDS, Notice
from stream.settings import Settings
from tests.checks.aws_stub import IDENTITY
from tests.deliver.fakes import FakeClock
from tests.sources.test_watch import Notes

ACCOUNT = "111122223333"


def record(token: str) -> dict[str, Any]:
    agent = f"Boto3/1.35 md/Botocore#1.35 {user_agent(token)}"
    return {"eventSource": "sts.amazonaws.com", "eventName": "GetCallerIdentity", "userAgent": agent}


class Trail:
    """CloudTrail: what was called, and is recorded unless it is stopped."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.fails: str | None = None

    async def call(self, token: str) -> str:
        if self.fails:
            raise CanaryError(self.fails)
        self.calls.append(token)
        return ACCOUNT


class Replica:
    def __init__(self, trail: Trail, clock: FakeClock, notes: Notes | None = None) -> None:
        self.heard, self.metrics, self.settled, self.heed = Heard(), Metrics(), True, True
        self.told: list[Notice] = []
        self.on_told: Callable[[], None] = lambda: None
        self.canary = Canary(
            trail.call, self.heard, lambda: self.settled, self.tell, self.metrics, clock=clock, notes=notes
        )

    async def tell(self, notice: Notice) -> bool:
        if self.heed:
            self.told.append(notice)
        self.on_told()
        return self.heed

    @property
    def events(self) -> list[str]:
        return [notice.event_name for notice in self.told]

    def value(self, name: str, **labels: str) -> float | None:
        return self.metrics.registry.get_sample_value(f"trailstream_{name}", labels)


class World:
    """Replicas that look once a minute, at a trail that delivers after five, if it records."""

    def __init__(self, count: int = 1, *, shared: bool = False) -> None:
        self.clock, self.trail, self.notes = FakeClock(), Trail(), Notes() if shared else None
        self.replicas = [Replica(self.trail, self.clock, self.notes) for _ in range(count)]
        self.records = True
        self._delivered = 0
        self._turn = 0

    async def live(self, minutes: int) -> None:
        for _ in range(minutes):
            self.clock.moment += 60
            if self.records and int(self.clock.moment) // 60 % 5 == 0:
                for token in self.trail.calls[self._delivered :]:
                    self._turn += 1
                    self.replicas[self._turn % len(self.replicas)].heard.hear(record(token))
                self._delivered = len(self.trail.calls)
            elif not self.records:
                self._delivered = len(self.trail.calls)
            async with asyncio.TaskGroup() as deliveries:
                for replica in self.replicas:
                    await replica.canary.look(deliveries)


@pytest.mark.parametrize(("count", "shared"), [(1, False), (3, True)])
async def test_while_calls_come_back_nobody_is_told(count: int, shared: bool) -> None:
    world = World(count, shared=shared)
    await world.live(24 * 60)
    replica = world.replicas[0]

    assert [each.told for each in world.replicas] == [[]] * count
    assert len(world.trail.calls) == 24 * 60 * 60 // EVERY_S, "one call a quarter of an hour, of all replicas together"
    last_seen = replica.value("canary_last_seen_timestamp_seconds") or 0.0
    assert world.clock.unix() - last_seen <= EVERY_S + 5 * 60
    assert 0 < max(each.value("canary_round_trip_seconds") or 0.0 for each in world.replicas) <= 5 * 60


@pytest.mark.parametrize(("count", "shared"), [(1, False), (3, True)])
async def test_a_call_that_does_not_come_back_is_told_and_so_is_the_return(count: int, shared: bool) -> None:
    world = World(count, shared=shared)
    await world.live(120)
    world.records = False
    await world.live(int(MISSING_S + EVERY_S) // 60)
    told = [notice for replica in world.replicas for notice in replica.told]
    (alert,) = {notice.alert().id: notice.alert() for notice in told}.values()

    assert (alert.event.name, alert.severity, alert.event.account_id) == ("CanaryMissing", "high", ACCOUNT)
    assert "The last that came back was of 2026-03-01T1" in alert.summary
    await world.live(600)
    assert [notice for replica in world.replicas for notice in replica.told] == told, "once, however long it lasts"

    world.records = True
    await world.live(60)
    back = {
        notice.alert().id: notice
        for replica in world.replicas
        for notice in replica.told
        if notice.event_name != "CanaryMissing"
    }
    (notice,) = back.values()
    assert (notice.event_name, notice.severity) == ("CanaryBack", "low")
    assert notice.alert().event.id == alert.event.id, "one incident"
    world.records = False
    await world.live(120)
    assert any("CanaryMissing" in replica.events[1:] for replica in world.replicas)


async def test_a_trail_that_never_recorded_it_is_asked_for() -> None:
    world = World()
    world.records = False
    await world.live(60)
    (notice,) = world.replicas[0].told

    assert "None ever has" in notice.summary
    assert "TRAILSTREAM_CANARY" in notice.summary
    assert notice.kind in KINDS


async def test_who_is_behind_with_the_queue_misses_nothing() -> None:
    world = World()
    await world.live(60)
    world.records, world.replicas[0].settled = False, False
    await world.live(180)
    assert world.replicas[0].told == []

    world.replicas[0].settled = True
    await world.live(1)
    assert world.replicas[0].events == ["CanaryMissing"]


async def test_what_nobody_took_is_told_again() -> None:
    world = World()
    world.records, world.replicas[0].heed = False, False
    await world.live(120)
    world.replicas[0].heed = True
    await world.live(1)

    assert world.replicas[0].events == ["CanaryMissing"]


async def test_a_call_that_can_not_be_made_is_counted_and_is_no_sign() -> None:
    world = World()
    world.trail.fails = "refused"
    with capture_logs() as logs:
        await world.live(180)

    assert world.replicas[0].told == []
    assert world.replicas[0].value("errors_total", stage="canary", reason="refused") == 180
    assert [line["event"] for line in logs] == ["canary not sent"]


async def test_a_forged_record_stands_in_for_none() -> None:
    world = World()
    world.records = False
    for _ in range(4):
        world.replicas[0].heard.hear(record(fresh()))
        await world.live(30)

    assert world.replicas[0].events == ["CanaryMissing"]


async def test_what_is_heard_while_the_ledger_is_away_counts_once_it_is_back() -> None:
    world = World(1, shared=True)
    assert world.notes is not None
    await world.live(61)
    world.notes.there = False
    await world.live(10)
    world.notes.there = True
    world.records = False
    await world.live(1)

    assert State.read(world.notes.texts["canary"]).seen >= world.clock.unix() - EVERY_S - 12 * 60


@pytest.mark.parametrize("count", [1, 3])
async def test_while_the_ledger_is_away_nothing_is_missed_and_no_call_is_made_too_often(count: int) -> None:
    world = World(count, shared=True)
    assert world.notes is not None
    await world.live(61)
    made = len(world.trail.calls)
    world.notes.there = False
    await world.live(120)
    assert len(world.trail.calls) - made == count * 120 * 60 // EVERY_S, "each replica by itself"
    waiting = [replica.value("canary_waiting_since_timestamp_seconds") or 0.0 for replica in world.replicas]
    assert all(map(math.isnan, waiting)), "not known"

    world.notes.there = True
    await world.live(120)
    assert [replica.told for replica in world.replicas] == [[]] * count, "all of them came back"

    world.records = False
    await world.live(int(MISSING_S + EVERY_S) // 60)
    assert {event for replica in world.replicas for event in replica.events} == {"CanaryMissing"}


async def test_what_is_told_as_the_ledger_goes_away_is_taken_back() -> None:
    world = World(1, shared=True)
    (replica,), notes = world.replicas, world.notes
    assert notes is not None
    await world.live(60)
    world.records, replica.settled = False, False
    await world.live(120)
    replica.settled, replica.on_told = True, lambda: setattr(notes, "there", False)
    async with asyncio.TaskGroup() as deliveries:
        await replica.canary.look(deliveries)
        await world.clock.settle()
        replica.on_told = lambda: None
        world.records = notes.there = True
        await world.live(1)
        await world.clock.advance(60)
        await world.live(30)

    assert replica.events == ["CanaryMissing", "CanaryBack"]


async def test_what_another_replica_heard_while_the_ledger_was_away_is_waited_for() -> None:
    world = World(2, shared=True)
    world.records = False
    assert world.notes is not None
    await world.live(20)
    world.notes.there = False
    await world.live(60)
    for token in world.trail.calls:
        world.replicas[1].heard.hear(record(token))
    world.notes.there = True
    await world.live(10)

    assert [replica.told for replica in world.replicas] == [[], []]


@pytest.mark.parametrize("text", ["", "null", "[]", '{"sent": 1}', '{"sent":{"a":"x"},"seen":0,"told":0,"account":""}'])
def test_a_note_that_can_not_be_read_is_none(text: str) -> None:
    assert State.read(text) == State()


def test_its_records_are_found_if_it_is_on_and_only_then() -> None:
    text = json.dumps(record(fresh())).encode()
    found = {
        on: Detection.load(Settings(canary=on), lambda rules: Detector(rules, Surroundings)).prefilter.search(text)
        for on in (False, True)
    }

    assert found == {False: False, True: True}


async def test_the_call_is_marked_and_its_faults_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    heard, token, status = Heard(), fresh(), 200

    async def answer(request: web.Request) -> web.Response:
        heard.hear({"userAgent": request.headers["User-Agent"]})
        return web.Response(text=IDENTITY, status=status, content_type="text/xml")

    app = web.Application()
    app.router.add_post("/", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    port = runner.addresses[0][1]
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    assert await call(Aws(Metrics()), token) == ACCOUNT
    assert heard.take() == {token}

    status = 403
    reasons = []
    for _ in range(2):
        with pytest.raises(CanaryError) as fault:
            await call(Aws(Metrics()), token)
        reasons.append(fault.value.reason)
        await runner.cleanup()
    assert reasons == ["refused", "connection"]
    assert set(reasons) == set(ERRORS["canary"])
