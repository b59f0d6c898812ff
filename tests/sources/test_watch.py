"""Silence is noticed, told once, and its end too; whatever is our own fault is no silence."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, nullcontext
from typing import Any

import pytest

from stream.intake.hand import Message
from stream.intake.notification import ObjectRef
from stream.metrics import Metrics
from stream.notice import Notice
from stream.sources.hearing import MINUTE, Hearing, delivered, source_of
from stream.sources.rhythm import DAY
from stream.sources.sharing import pack, unpack
from stream.sources.silences import EVERYTHING, Silences
from stream.sources.watch import Watch
from tests.deliver.fakes import FakeClock

KEY = "AWSLogs/{account}/CloudTrail/{region}/2024/05/02/{account}_CloudTrail_{region}_20240502T1205Z_x.json.gz"
BUSY = [f"{account:012}/{region}" for account in (1, 2, 3) for region in ("eu-west-1", "us-east-1")]


class Notes:
    """What replicas share, or fail to."""

    def __init__(self) -> None:
        self.texts: dict[str, str] = {}
        self.there = True

    async def revise(self, name: str, revision: Callable[[str | None], str]) -> bool:
        if self.there:
            self.texts[name] = revision(self.texts.get(name))
        return self.there

    async def read(self, name: str) -> str | None:
        return self.texts.get(name, "") if self.there else None


class Replica:
    """One process, its clock turned minute by minute."""

    def __init__(self, notes: Notes | None, clock: FakeClock) -> None:
        self.clock = clock
        self.polled_at: float | None = None
        self.hearing = Hearing(
            lambda: self.clock.now() if self.polled_at is None else self.polled_at,
            now=clock.now,
            unix_time=clock.unix,
        )
        self.metrics = Metrics()
        self.told: list[Notice] = []
        self.heed = True
        self.slow: asyncio.Event | None = None
        self.watch = Watch(self.hearing, self._tell, self.metrics, clock=clock, notes=notes, by_source=3)

    async def _tell(self, notice: Notice) -> bool:
        if self.heed:
            self.told.append(notice)
        if self.slow:
            await self.slow.wait()
        return self.heed

    @property
    def events(self) -> list[str]:
        return [notice.event_name for notice in self.told]


async def live(
    replicas: list[Replica],
    minutes: int,
    hears: Callable[[int], list[str]],
    *,
    every: int = 5,
    unfinished: asyncio.TaskGroup | None = None,
) -> None:
    """Let minutes pass, some at a time; what is heard goes to the replicas in turn. Deliveries end, or may go on."""
    for step in range(0, minutes, every):
        for replica in replicas[:1]:
            replica.clock.moment += every * MINUTE
        now = replicas[0].hearing.minute()
        for number, source in enumerate(hears(step)):
            replicas[number % len(replicas)].hearing.hear(source, now)
        async with asyncio.TaskGroup() if unfinished is None else nullcontext(unfinished) as deliveries:
            for replica in replicas:
                await replica.watch.look(deliveries)


def all_but(*silent: str) -> Callable[[int], list[str]]:
    return lambda _: [source for source in BUSY if source not in silent]


@asynccontextmanager
async def lived(count: int = 1, *, shared: bool = False) -> AsyncIterator[list[Replica]]:
    """Replicas that have heard everybody for ten days."""
    clock, notes = FakeClock(), Notes() if shared else None
    replicas = [Replica(notes, clock) for _ in range(count)]
    await live(replicas, 10 * DAY, all_but())
    assert [replica.told for replica in replicas] == [[] for _ in replicas]
    yield replicas


async def test_a_source_that_falls_silent_is_told_once_and_so_is_its_return() -> None:
    async with lived() as [replica]:
        await live([replica], 120, all_but(BUSY[0]))
        assert replica.events == ["SourceSilent"]
        (notice,) = replica.told
        assert notice.severity == "high"
        assert (notice.account_id, notice.region) == tuple(BUSY[0].split("/"))
        assert replica.watch.quiet() == [BUSY[0]]

        await live([replica], 30, all_but())
        assert replica.events == ["SourceSilent", "SourceHeard"]
        assert replica.told[0].alert().event.id == replica.told[1].alert().event.id, "one incident"
        assert replica.watch.quiet() == []


@pytest.mark.parametrize("heed", [True, False])
@pytest.mark.parametrize(
    ("silent", "events"),
    [(BUSY[:1], ["SourceSilent", "SourceHeard"]), (BUSY, ["EverythingSilent", "EverythingHeard"])],
)
async def test_what_is_on_its_way_is_not_told_again_and_its_end_is_told(
    silent: list[str], events: list[str], heed: bool
) -> None:
    async with lived() as [replica], asyncio.TaskGroup() as deliveries:
        replica.slow = asyncio.Event()
        await live([replica], 180, all_but(*silent), unfinished=deliveries)
        await asyncio.sleep(0)
        assert replica.events == events[:1], "once, under one id"

        await live([replica], 60, all_but(), unfinished=deliveries)
        await asyncio.sleep(0)
        assert replica.events == events, "a channel that is down keeps it from none of the others"
        replica.heed = heed
        replica.slow.set()
        await asyncio.sleep(0.01)
        replica.heed = True
        await live([replica], 60, all_but())
        assert set(replica.events) == set(events)
        assert replica.watch._silences is not None
        assert replica.watch._silences.current == {}


async def test_one_region_among_many_notices_is_one_region() -> None:
    async with lived() as [replica]:
        many = [f"{account:012}/eu-west-1" for account in range(100, 105)]
        await live([replica], 10 * DAY, lambda _: [*BUSY, *many])
        await live([replica], 45, all_but())
        assert replica.events == ["SourceSilent"] * 5
        await live([replica], 45, all_but(BUSY[0]))
        assert replica.told[5].title == "No more log files come from 1 region of 1 account"


async def test_nothing_at_all_is_one_critical_alert_and_no_other() -> None:
    async with lived() as [replica]:
        await live([replica], 1440, lambda _: [])
        assert replica.events == ["EverythingSilent"]
        assert replica.told[0].severity == "critical"

        await live([replica], 60, all_but())
        assert replica.events == ["EverythingSilent", "EverythingHeard"]


async def test_many_at_once_are_one_message() -> None:
    async with lived() as [replica]:
        many = [f"{account:012}/eu-west-1" for account in range(100, 140)]
        await live([replica], 10 * DAY, lambda _: [*BUSY, *many])
        await live([replica], 180, all_but())
        assert replica.events == ["SourcesSilent"]
        assert (replica.told[0].facts or {})["count"] == 40


async def test_what_nobody_has_taken_comes_up_again() -> None:
    async with lived() as [replica]:
        replica.heed = False
        await live([replica], 120, all_but(BUSY[0]))
        assert replica.events == []
        replica.heed = True
        await live([replica], 30, all_but(BUSY[0]))
        assert replica.events == ["SourceSilent"]


async def test_while_sqs_does_not_answer_or_there_is_a_backlog_nobody_is_silent() -> None:
    async with lived() as [replica]:
        replica.polled_at = replica.clock.now()
        await live([replica], 600, lambda _: [])
        assert replica.events == [], "it is we who don't hear"

        replica.polled_at = None
        old = Message("m", "", 1, replica.clock.unix() - 3600, replica.clock.now())

        def behind(_: int) -> list[str]:
            replica.hearing.received(old)
            return []

        await live([replica], 600, behind)
        assert replica.events == [], "what has not been read yet may be theirs"


async def test_files_that_can_not_be_read_are_no_silence() -> None:
    async with lived() as [replica]:
        account, region = BUSY[0].split("/")
        ref = ObjectRef("b", KEY.format(account=account, region=region), None, None, None, account)

        def unreadable(step: int) -> list[str]:
            replica.hearing.failed(ref)
            return all_but(BUSY[0])(step)

        await live([replica], 300, unreadable)
        assert replica.events == []


async def test_replicas_put_together_what_they_hear_and_one_of_them_tells() -> None:
    async with lived(2, shared=True) as replicas:
        await live(replicas, 30, all_but(), every=1)
        await live(replicas, 120, all_but(BUSY[0]), every=1)
        assert sorted(len(replica.told) for replica in replicas) == [0, 1]
        tracked = [
            replica.metrics.registry.get_sample_value("trailstream_sources_tracked") or 0.0 for replica in replicas
        ]
        assert len(BUSY) in tracked


async def test_another_replica_goes_on_where_one_has_ended() -> None:
    async with lived(1, shared=True) as [first]:
        exchange = first.watch._exchange
        assert exchange is not None
        await first.watch._leave()
        second = Replica(exchange._notes, first.clock)  # type: ignore[arg-type]  # it is ours
        await live([second], 20, all_but())
        await live([second], 120, all_but(BUSY[0]))
        assert second.events == ["SourceSilent"]


async def test_without_the_table_nothing_is_judged() -> None:
    clock, notes = FakeClock(), Notes()
    replica = Replica(notes, clock)
    await live([replica], 9 * DAY, all_but())
    notes.there = False
    await live([replica], 600, lambda _: [])
    assert replica.events == []


def test_a_file_is_of_its_account_and_region_and_of_the_minute_in_its_name() -> None:
    ref = ObjectRef("b", KEY.format(account="111122223333", region="eu-west-1"), None, None, None, "111122223333")
    assert source_of(ref) == "111122223333/eu-west-1"
    assert delivered(ref.key) == 1_714_651_500 // MINUTE
    assert delivered("x_20249999T9999Z_y.json.gz") is None


def test_history_that_is_read_again_is_no_sign_of_life() -> None:
    clock = FakeClock()
    hearing = Hearing(clock.now, now=clock.now, unix_time=clock.unix)
    hearing.read(ObjectRef("b", KEY.format(account="1" * 12, region="eu-west-1"), None, None, None, "1" * 12))
    assert hearing.heard == {}


@pytest.mark.parametrize("text", [None, "", "x", pack(7), pack({"a": 1}), "0" * 100])
def test_what_nobody_of_us_has_written_is_no_knowledge(text: str | None) -> None:
    silences = Silences()
    silences.learn(unpack(text))
    assert silences.rhythms == {}


def test_what_is_written_is_learnt_again() -> None:
    silences = Silences()
    for minute in range(0, 9 * DAY, 5):
        silences.hear({BUSY[0]: 1000 + minute})
    silences.judge(1000 + 9 * DAY + 600)
    again = Silences()
    again.learn(unpack(pack(silences.written(silences.rhythms))))
    assert again.silent == silences.silent != []
    assert EVERYTHING in again.rhythms


def value(metrics: Metrics, name: str, **labels: Any) -> float | None:
    return metrics.registry.get_sample_value(f"trailstream_{name}", labels)


async def test_some_sources_may_have_a_metric_of_their_own() -> None:
    async with lived() as [replica]:
        account, region = BUSY[0].split("/")
        assert value(replica.metrics, "source_age_seconds", account=account, region=region) == 0
        assert value(replica.metrics, "sources_tracked") == len(BUSY)
        assert value(replica.metrics, "sources_silent") == 0
