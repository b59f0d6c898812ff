"""What replicas were told of, shared minute by minute, and how sure one can be that a log file was not among it."""

from collections.abc import Callable
from typing import Final

import pytest

from stream.digest import announced
from stream.digest.announced import Announcements
from tests.sources.test_watch import Notes

BUCKET: Final = "trail"
START: Final = 1_800_000_000.0


class Time:
    def __init__(self) -> None:
        self.at = START

    async def pass_by(self, minutes: int, *replicas: Announcements) -> None:
        for _ in range(minutes):
            for replica in replicas:
                await replica.write()
            self.at += 60


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture(params=["alone", "sharing"])
def replicas(request: pytest.FixtureRequest, time: Time) -> tuple[Announcements, Announcements]:
    """Who hears, and who asks."""
    if request.param == "alone":
        one = Announcements(None, unix_time=lambda: time.at)
        return one, one
    notes = Notes()
    first, second = (Announcements(notes, unix_time=lambda: time.at) for _ in range(2))
    return first, second


async def test_what_was_announced_is_known_and_what_was_not(
    replicas: tuple[Announcements, Announcements], time: Time
) -> None:
    hears, asks = replicas
    await time.pass_by(5, hears)
    delivered = time.at
    await time.pass_by(1, hears)
    hears.hear(BUCKET, "a")
    await time.pass_by(20, hears)
    hears.hear(BUCKET, "late")
    await time.pass_by(20, hears)

    assert await asks.includes(BUCKET, "a", delivered) is True
    assert await asks.includes(BUCKET, "late", delivered) is True
    assert await asks.includes("other", "a", delivered) is False
    assert await asks.includes(BUCKET, "\udcff", delivered) is False


async def test_before_anybody_listened_nothing_is_known(
    replicas: tuple[Announcements, Announcements], time: Time
) -> None:
    hears, asks = replicas
    await time.pass_by(60, hears)

    assert await asks.includes(BUCKET, "a", START - 60) is None
    assert await asks.includes(BUCKET, "a", START + 60) is False
    assert await asks.includes(BUCKET, "a", time.at - 60) is None, "it may be announced yet"
    assert await asks.includes(BUCKET, "a", time.at + 3600) is None
    time.at += 24 * 3600
    assert await asks.includes(BUCKET, "a", START + 60) is None, "that is long ago"
    assert await asks.includes(BUCKET, "a", time.at - 3600) is None, "notes of another day"


async def test_a_time_in_which_nobody_listened_proves_nothing(
    replicas: tuple[Announcements, Announcements], time: Time
) -> None:
    hears, asks = replicas
    await time.pass_by(30, hears)
    await time.pass_by(2)
    await time.pass_by(60, hears)

    assert await asks.includes(BUCKET, "a", START + 60) is False
    assert await asks.includes(BUCKET, "a", START + 20 * 60) is None
    assert await asks.includes(BUCKET, "a", START + 40 * 60) is False


async def test_a_minute_that_holds_more_than_is_kept_proves_nothing(
    replicas: tuple[Announcements, Announcements], time: Time, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(announced, "_MOST_SUMS", 3)
    hears, asks = replicas
    for number in range(10):
        hears.hear(BUCKET, str(number))
    await time.pass_by(1, hears)
    hears.hear(BUCKET, "after")
    await time.pass_by(30, hears)

    assert await asks.includes(BUCKET, "0", START + 60) is None
    assert await asks.includes(BUCKET, "after", START + 60) is True


async def test_replicas_add_to_one_note_and_what_could_not_be_shared_is_shared_later(time: Time) -> None:
    notes = Notes()
    replicas = [Announcements(notes, unix_time=lambda: time.at) for _ in range(3)]
    for number, replica in enumerate(replicas):
        replica.hear(BUCKET, str(number))
    await time.pass_by(1, *replicas)
    notes.there = False
    replicas[0].hear(BUCKET, "later")
    await time.pass_by(1, *replicas)
    assert await replicas[1].includes(BUCKET, "later", START + 120) is None, "nobody can be asked"
    notes.there = True
    await time.pass_by(30, *replicas)

    assert [await replicas[2].includes(BUCKET, key, START) for key in "012"] == [True] * 3
    assert await replicas[2].includes(BUCKET, "later", START + 60) is True
    assert await replicas[2].includes(BUCKET, "never", START + 60) is None, "in one minute nobody could write"
    assert max(map(len, notes.texts.values())) < 100


@pytest.mark.parametrize("text", ["", "3", "[]", "[30000000]", '["a",1]', "{}", '[30000000,"\\u00e9"]', "[30000000,7]"])
async def test_a_note_that_can_not_be_read_is_none(time: Time, text: str) -> None:
    notes = Notes()
    replica = Announcements(notes, unix_time=lambda: time.at)
    await time.pass_by(30, replica)
    notes.texts[f"announced-{int(START // 60 + 3) % 360}"] = text
    fresh = Announcements(notes, unix_time=lambda: time.at)

    assert await fresh.includes(BUCKET, "a", START + 180) is None
    assert await fresh.includes(BUCKET, "a", START + 600) is False


async def test_each_minute_is_written_once_wherever_in_it_one_began(
    time: Time, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[int] = []

    async def nap(seconds: float) -> None:
        time.at += seconds
        if len(written) == 100:
            raise StopAsyncIteration

    monkeypatch.setattr("stream.digest.announced.asyncio.sleep", nap)
    time.at += 59.9
    replica = Announcements(None, unix_time=lambda: time.at)
    monkeypatch.setattr(replica, "write", _noting(lambda: written.append(int(time.at // 60))))
    with pytest.raises((StopAsyncIteration, RuntimeError)):
        await replica.run()

    assert written == list(range(written[0], written[0] + 100))


def _noting(note: Callable[[], None]) -> Callable[[], object]:
    async def write() -> None:
        note()

    return write
