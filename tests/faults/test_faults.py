"""A short spell of everything that can fail, with replicas killed in the middle of it."""

from pathlib import Path

from tests.faults.harness import torment
from tests.faults.phases import PHASES


async def test_nothing_is_lost_whatever_fails_and_whoever_is_killed(tmp_path: Path) -> None:
    books = await torment(7, seconds=20.8, kills=5, folder=tmp_path, rate=6.0, phase_s=20.8 / len(PHASES), shared=False)

    assert books.balanced, books
    assert len(books.planted) > 50
    assert books.kills >= 3
    assert books.injected > 50
    assert books.doubled <= len(books.planted) / 2, books
