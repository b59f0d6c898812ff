"""The process's own housekeeping."""

import asyncio
import gc
import weakref
from collections.abc import Iterator
from contextlib import suppress

import pytest

from stream.process import spare_the_collector, tidy


class Knot:
    """Something that only the collector frees."""

    def __init__(self) -> None:
        self.itself = self


@pytest.fixture
def collector() -> Iterator[None]:
    before = gc.get_threshold()
    yield
    gc.unfreeze()
    gc.set_threshold(*before)


def old_knot() -> "weakref.ref[Knot]":
    knot = Knot()
    gc.collect(1)
    gc.collect(1)  # it is of the oldest by now
    return weakref.ref(knot)


@pytest.mark.usefixtures("collector")
@pytest.mark.parametrize(("busy", "naps"), [(False, 6), (True, 120)])
async def test_what_is_old_is_looked_through_when_there_is_nothing_to_do_and_now_and_then(
    monkeypatch: pytest.MonkeyPatch, busy: bool, naps: int
) -> None:
    spare_the_collector()
    knot = old_knot()
    slept: list[float] = []

    async def nap(seconds: float) -> None:
        if knot() is None:
            raise asyncio.CancelledError
        slept.append(seconds)

    monkeypatch.setattr("stream.process.asyncio.sleep", nap)
    with suppress(asyncio.CancelledError):
        await tidy(lambda: busy)

    assert len(slept) == naps


@pytest.mark.usefixtures("collector")
async def test_much_garbage_is_not_left_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    spare_the_collector()
    knot = old_knot()
    naps = 0

    async def nap(_: float) -> None:
        nonlocal naps
        naps += 1
        if knot() is None:
            raise asyncio.CancelledError
        assert [[number] for number in range(500_000)]

    monkeypatch.setattr("stream.process.asyncio.sleep", nap)
    with suppress(asyncio.CancelledError):
        await tidy(lambda: True)

    assert naps < 10


@pytest.mark.usefixtures("collector")
def test_by_itself_the_collector_looks_at_what_is_new_alone() -> None:
    spare_the_collector()
    knot = old_knot()
    held = [[number] for number in range(100_000)]

    assert knot() is not None
    assert len(held) == 100_000
    gc.collect()
    assert knot() is None
