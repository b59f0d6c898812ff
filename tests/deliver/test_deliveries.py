"""Alerts on their way: all are waited for, and those of a message that is given up end with it."""

import asyncio

import pytest

from stream.deliver import deliveries
from stream.deliver.deliveries import Deliveries


async def nothing() -> None:
    """Nobody waits for company."""


async def test_what_was_begun_has_ended_when_they_are_left() -> None:
    ended: list[int] = []

    async def deliver(number: int) -> None:
        await asyncio.sleep(0.01)
        ended.append(number)

    async with Deliveries(nothing) as them:
        for number in range(3):
            await them.begin(lambda number=number: deliver(number))  # type: ignore[misc]
        assert ended == []
    assert sorted(ended) == [0, 1, 2]
    async with Deliveries(nothing):
        pass


async def test_only_so_many_are_on_their_way_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deliveries, "_AT_ONCE", 2)
    under_way = most = 0

    async def deliver() -> None:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0)
        under_way -= 1

    async with Deliveries(nothing) as them:
        for _ in range(20):
            await them.begin(deliver)
    assert (most, under_way) == (2, 0)


async def test_room_is_made_once_one_has_to_wait_and_until_all_are_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deliveries, "_AT_ONCE", 2)
    go = asyncio.Event()
    made: list[str] = []

    async def make_room() -> None:
        made.append("begun")
        go.set()
        try:
            await asyncio.Event().wait()
        finally:
            made.append("ended")

    async def deliver() -> None:
        await go.wait()

    async with Deliveries(make_room) as them:
        for _ in range(2):
            await them.begin(deliver)
        await asyncio.sleep(0)
        assert made == []
        for _ in range(10):
            await them.begin(deliver)
        assert made == ["begun"]
    assert made == ["begun", "ended"]


async def test_they_are_cancelled_with_whoever_waits_for_them() -> None:
    cancelled = asyncio.Event()

    async def deliver() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    async def work() -> None:
        async with Deliveries(nothing) as them:
            await them.begin(deliver)
            await asyncio.sleep(0)

    task = asyncio.create_task(work())
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert cancelled.is_set()
