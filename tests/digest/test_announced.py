"""What replicas were told of, shared minute by minute, and how sure one can be that a log file was not among it."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Final

import pytest

from stream.digest import announced
from stream.digest.announced import Announcements
from tests.sources.test_watch import Notes

BUCKET: Final = "trail"
MINUTE: Final = 60.0
START: Final = 1_800_000_000.0


class World:
    """Replicas that share notes, or one that is alone, and a clock that is turned minute by minute."""

    def __init__(self, notes: Notes | None) -> None:
        self.notes = notes
        self.at = START

    def replica(self, *, slow_s: float = 0.0) -> Announcements:
        return Announcements(self.notes, unix_time=lambda: self.at - slow_s)

    async def pass_by(self, minutes: int, *replicas: Announcements) -> None:
        for _ in range(minutes):
            for replica in replicas:
                await replica.write()
            self.at += MINUTE

    async def asked(self, asks: Announcements, key: str, at: float, *, bucket: str = BUCKET) -> bool | None:
        known = await asks.known(at)
        return None if known is None else known.includes(bucket, key, at)


@pytest.fixture
def shared() -> World:
    return World(Notes())


@pytest.fixture(params=["alone", "sharing"])
def world(request: pytest.FixtureRequest) -> World:
    return World(Notes() if request.param == "sharing" else None)


@pytest.fixture
def pair(world: World) -> tuple[Announcements, Announcements]:
    """Who hears, and who asks."""
    hears = world.replica()
    return hears, world.replica() if world.notes else hears


async def test_what_was_announced_is_known_and_what_was_not(
    world: World, pair: tuple[Announcements, Announcements]
) -> None:
    hears, asks = pair
    await world.pass_by(35, hears)
    delivered = world.at
    await world.pass_by(1, hears)
    hears.hear(BUCKET, "a")
    await world.pass_by(20, hears)
    hears.hear(BUCKET, "late")
    await world.pass_by(20, hears)
    hears.hear(BUCKET, "now")

    assert await world.asked(asks, "a", delivered) is True
    assert await world.asked(asks, "late", delivered) is True
    assert await world.asked(hears, "now", delivered) is True, "though it is not written yet"
    assert await world.asked(asks, "a", delivered, bucket="other") is False
    assert await world.asked(asks, "\udcff", delivered) is False


async def test_before_everybody_listened_and_of_what_is_new_nothing_is_known(
    world: World, pair: tuple[Announcements, Announcements]
) -> None:
    hears, asks = pair
    await world.pass_by(90, hears)

    assert await world.asked(asks, "a", START - MINUTE) is None
    assert await world.asked(asks, "a", START + 20 * MINUTE) is None, "others may have begun later"
    assert await world.asked(asks, "a", START + 40 * MINUTE) is False
    assert await world.asked(asks, "a", world.at - MINUTE) is None, "it may be announced yet"
    assert await world.asked(asks, "a", world.at + 60 * MINUTE) is None
    world.at += 24 * 60 * MINUTE
    assert await world.asked(asks, "a", START + 40 * MINUTE) is None, "that is long ago"
    assert await world.asked(asks, "a", world.at - 60 * MINUTE) is None, "notes of another day"


async def test_a_time_in_which_nobody_listened_proves_nothing(
    world: World, pair: tuple[Announcements, Announcements]
) -> None:
    hears, asks = pair
    await world.pass_by(60, hears)
    await world.pass_by(2)
    await world.pass_by(60, hears)

    assert await world.asked(asks, "a", START + 40 * MINUTE) is False
    assert await world.asked(asks, "a", START + 50 * MINUTE) is None
    assert await world.asked(asks, "a", START + 70 * MINUTE) is None
    assert await world.asked(asks, "a", START + 100 * MINUTE) is False


async def test_a_minute_that_holds_more_than_is_kept_proves_nothing(
    world: World, pair: tuple[Announcements, Announcements], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(announced, "_MOST_SUMS", 3)
    hears, asks = pair
    await world.pass_by(40, hears)
    delivered = world.at
    for number in range(10):
        hears.hear(BUCKET, str(number))
    await world.pass_by(1, hears)
    hears.hear(BUCKET, "after")
    await world.pass_by(40, hears)

    assert await world.asked(asks, "0", delivered) is None
    assert await world.asked(asks, "after", delivered) is True


async def test_replicas_add_to_one_note_and_what_could_not_be_shared_is_shared_later(shared: World) -> None:
    replicas = [shared.replica() for _ in range(3)]
    await shared.pass_by(40, *replicas)
    delivered = shared.at
    for number, replica in enumerate(replicas):
        replica.hear(BUCKET, str(number))
    await shared.pass_by(20, *replicas)
    assert shared.notes
    shared.notes.there = False
    replicas[0].hear(BUCKET, "later")
    await shared.pass_by(1, *replicas)
    assert await shared.asked(replicas[1], "later", delivered) is None, "nobody can be asked"
    shared.notes.there = True
    await shared.pass_by(30, *replicas)

    assert [await shared.asked(replicas[2], key, delivered) for key in "012"] == [True] * 3
    assert await shared.asked(replicas[2], "never", delivered) is False
    assert await shared.asked(replicas[2], "later", delivered + 20 * MINUTE) is True
    assert await shared.asked(replicas[2], "never", delivered + 20 * MINUTE) is None, "one minute nobody could write"
    assert max(map(len, shared.notes.texts.values())) < 150
    asked_before = len(shared.notes.texts)
    await shared.asked(shared.replica(), "never", delivered)
    assert len(shared.notes.texts) == asked_before, "to ask writes nothing"


async def test_a_minute_that_one_of_them_did_not_write_proves_nothing(shared: World) -> None:
    one, other = shared.replica(), shared.replica()
    await shared.pass_by(60, one, other)
    await shared.pass_by(1, one)
    await shared.pass_by(60, one, other)

    assert await shared.asked(one, "a", START + 40 * MINUTE) is False
    assert await shared.asked(one, "a", START + 50 * MINUTE) is None
    assert await shared.asked(one, "a", START + 80 * MINUTE) is False


@pytest.mark.parametrize("leaves", [True, False])
async def test_whoever_ends_says_so_or_proves_nothing_for_an_hour(shared: World, leaves: bool) -> None:
    """One that was killed has taken with it what it heard in its last minute, or may be there still."""
    one, other = shared.replica(), shared.replica()
    await shared.pass_by(60, one, other)
    if leaves:
        await other.write(leaves=True)
    await shared.pass_by(200, one)

    assert await shared.asked(one, "a", START + 40 * MINUTE) is False
    assert await shared.asked(one, "a", START + 62 * MINUTE) is (False if leaves else None)
    assert await shared.asked(one, "a", START + 110 * MINUTE) is (False if leaves else None)
    assert await shared.asked(one, "a", START + 130 * MINUTE) is False


async def test_a_clock_that_is_slow_makes_nothing_unannounced(shared: World) -> None:
    one, slow = shared.replica(), shared.replica(slow_s=3 * MINUTE)
    await shared.pass_by(60, one, slow)
    for number in range(20):
        (one, slow)[number % 2].hear(BUCKET, str(number))
        await shared.pass_by(1, one, slow)
    await shared.pass_by(60, one, slow)

    found = [await shared.asked(one, str(number), START + (60 + number) * MINUTE) for number in range(20)]
    assert found == [True] * 20


async def test_of_what_came_in_a_minute_that_was_too_full_nothing_is_known(
    world: World, pair: tuple[Announcements, Announcements], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(announced, "_MOST_SUMS", 3)
    hears, asks = pair
    await world.pass_by(40, hears)
    delivered = world.at
    await world.pass_by(40, hears)
    for number in range(10):
        hears.hear(BUCKET, str(number))  # as when a backlog is worked off
    await world.pass_by(20, hears)

    assert await world.asked(asks, "9", delivered) is None


async def test_while_messages_wait_for_any_replica_nothing_is_known(shared: World) -> None:
    late, other = Announcements(shared.notes, behind=lambda: True, unix_time=lambda: shared.at), shared.replica()
    await shared.pass_by(90, other)
    assert await shared.asked(other, "a", START + 40 * MINUTE) is False
    assert await shared.asked(late, "a", START + 40 * MINUTE) is None
    await shared.pass_by(1, other, late)
    assert await shared.asked(other, "a", START + 40 * MINUTE) is None
    await late.write(leaves=True)
    await shared.pass_by(10, other)
    assert await shared.asked(other, "a", START + 40 * MINUTE) is False


async def test_what_was_heard_outlives_a_write_that_is_cut_short(
    shared: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    replica = shared.replica()
    replica.hear(BUCKET, "a")
    assert shared.notes

    async def cut_short(*_: object) -> bool:
        raise asyncio.CancelledError

    with monkeypatch.context() as patch:
        patch.setattr(shared.notes, "revise", cut_short)
        with pytest.raises(asyncio.CancelledError):
            await replica.write()
    await replica.write(leaves=True)

    assert await shared.asked(shared.replica(), "a", START) is True


async def test_a_setting_that_is_rolled_out_makes_nothing_unannounced(shared: World) -> None:
    """For eight minutes one of two replicas does not write yet; what it hears is in no note."""
    new = shared.replica()
    await shared.pass_by(8, new)
    replaced = shared.replica()
    await shared.pass_by(120, new, replaced)

    assert [await shared.asked(new, "a", START + minute * MINUTE) for minute in range(8)] == [None] * 8
    known = await new.known(START)
    assert known
    assert known.was_listened_to(START)
    assert not known.was_listened_to(START - 20 * MINUTE)


@pytest.mark.parametrize(
    "text",
    ["", "3", "[]", "[30000000]", '["a",1,[],[],0]', "{}", '[30000043,"\\u00e9",[],[],0]', "[30000043,7,[],[],0]"],
)
async def test_a_note_that_can_not_be_read_is_none(shared: World, text: str) -> None:
    replica = shared.replica()
    await shared.pass_by(120, replica)
    assert shared.notes
    assert int(START // 60) + 43 == 30_000_043
    shared.notes.texts[f"announced-{30_000_043 % 360}"] = text

    assert await shared.asked(shared.replica(), "a", START + 43 * MINUTE) is None
    assert await shared.asked(shared.replica(), "a", START + 90 * MINUTE) is False


async def test_how_far_was_looked_only_goes_forward(world: World, pair: tuple[Announcements, Announcements]) -> None:
    one, other = pair
    assert await other.until(BUCKET, "root/") == 0
    await one.advance(BUCKET, "root/", 7200.5)
    await one.advance(BUCKET, "root/", 3600.0)

    assert await other.until(BUCKET, "root/") == 7200.5
    assert await other.until(BUCKET, "other/") == 0
    if world.notes:
        world.notes.there = False
        assert await other.until(BUCKET, "root/") is None


async def test_each_minute_is_written_once_wherever_in_it_one_began(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[int] = []

    async def nap(seconds: float) -> None:
        world.at += seconds
        if len(written) == 100:
            raise StopAsyncIteration

    monkeypatch.setattr("stream.digest.announced.asyncio.sleep", nap)
    world.at += 59.9
    replica = world.replica()
    monkeypatch.setattr(replica, "write", _noting(lambda: written.append(int(world.at // 60))))
    with pytest.raises((StopAsyncIteration, RuntimeError)):
        await replica.run()

    assert written == list(range(written[0], written[0] + 100))


def _noting(note: Callable[[], None]) -> Callable[[], Coroutine[Any, Any, None]]:
    async def write() -> None:
        note()

    return write
