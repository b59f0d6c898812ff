"""Batches: ten as soon as there are ten, fewer when the first has waited, later ones later."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from stream.intake.batches import Batches
from stream.intake.hand import Hand, Held
from stream.intake.sqs import Received
from stream.metrics import Metrics
from tests.intake.conftest import until


class Sent:
    """Keeps what is sent."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.under_way = 0
        self.most_under_way = 0
        self.open = asyncio.Event()
        self.open.set()

    async def __call__(self, batch: Sequence[Held]) -> None:
        self.batches.append([held.message.id for held in batch])
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        await self.open.wait()
        self.under_way -= 1

    @property
    def ids(self) -> list[str]:
        return [id_ for batch in self.batches for id_ in batch]


def held(*ids: str) -> list[Held]:
    hand = Hand(Metrics())
    return [hand.take(Received(id_, "handle", "body", 1, None)) for id_ in ids]


@asynccontextmanager
async def sending(*, linger_s: float) -> AsyncIterator[tuple[Batches, Sent]]:
    sent = Sent()
    batches = Batches(sent, linger_s=linger_s)
    run = asyncio.create_task(batches.run())
    try:
        yield batches, sent
    finally:
        run.cancel()
        await asyncio.wait({run})


async def test_ten_are_sent_at_once_and_the_rest_waits_for_company() -> None:
    async with sending(linger_s=60.0) as (batches, sent):
        for each in held(*map(str, range(23))):
            batches.add(each)
        await until(lambda: len(sent.batches) == 2)
        assert [len(batch) for batch in sent.batches] == [10, 10]
        batches.hurry()
        await until(lambda: len(sent.batches) == 3)
    assert sent.ids == [str(number) for number in range(23)]


async def test_a_batch_that_does_not_fill_is_sent_when_its_first_has_waited() -> None:
    loop = asyncio.get_running_loop()
    async with sending(linger_s=0.05) as (batches, sent):
        added_at = loop.time()
        first, second = held("first", "second")
        batches.add(first)
        batches.add(second)
        await until(lambda: sent.batches)
        assert loop.time() - added_at >= 0.05
    assert sent.batches == [["first", "second"]]


async def test_what_is_to_be_sent_later_is_sent_later_and_holds_nothing_up() -> None:
    loop = asyncio.get_running_loop()
    async with sending(linger_s=0.0) as (batches, sent):
        added_at = loop.time()
        later, latest, now = held("later", "latest", "now")
        batches.add(latest, after_s=0.1)
        batches.add(later, after_s=0.05)
        batches.add(now)
        await until(lambda: sent.ids == ["now", "later", "latest"])
        assert loop.time() - added_at >= 0.1


async def test_a_request_that_hangs_does_not_stop_the_others_but_only_so_many_are_under_way() -> None:
    async with sending(linger_s=0.0) as (batches, sent):
        sent.open.clear()
        for each in held(*map(str, range(100))):
            batches.add(each)
        await until(lambda: sent.under_way == 4)
        sent.open.set()
        await until(lambda: len(sent.ids) == 100)
    assert sent.most_under_way == 4
