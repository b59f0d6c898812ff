"""The book of accounts: a file that changes is read again, and what is broken leaves the names that were there."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import structlog

from stream.accounts.book import AccountBook
from stream.aws import Aws
from stream.errors import ConfigError
from stream.metrics import Metrics
from tests.accounts.naps import Naps

PROD = "111122223333"


@asynccontextmanager
async def followed(path: Path, metrics: Metrics) -> AsyncIterator[tuple[AccountBook, Naps]]:
    book, naps = AccountBook(str(path)), Naps()
    task = asyncio.create_task(book.keep_fresh(Aws(metrics), metrics, sleep=naps))
    assert await naps.begun() == 30
    try:
        yield book, naps
    finally:
        task.cancel()
        await asyncio.wait([task])


@pytest.mark.parametrize("setting", ["", "  ", f"{PROD}=prod"])
async def test_what_can_not_change_is_not_followed(setting: str) -> None:
    book = AccountBook(setting)
    await book.wait(0)
    async with asyncio.timeout(20):
        await book.keep_fresh(Aws(Metrics()), Metrics())

    assert book.name(PROD) == ("prod" if setting.strip() else None)


def test_what_can_not_be_used_is_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"TRAILSTREAM_ACCOUNTS: can't read .*missing\.yml"):
        AccountBook(str(tmp_path / "missing.yml"))


async def test_a_mounted_config_map_that_is_swapped_is_read_again(tmp_path: Path) -> None:
    for version, name in (("..1", "prod"), ("..2", "production")):
        (tmp_path / version).mkdir()
        (tmp_path / version / "accounts.yml").write_text(f"{PROD}: {name}")
    (tmp_path / "..data").symlink_to("..1")
    (tmp_path / "accounts.yml").symlink_to("..data/accounts.yml")

    async with followed(tmp_path / "accounts.yml", Metrics()) as (book, naps):
        assert book.name(PROD) == "prod"
        (tmp_path / "..new").symlink_to("..2")
        (tmp_path / "..new").rename(tmp_path / "..data")
        await naps.next()

        assert book.name(PROD) == "production"


async def test_a_broken_or_missing_file_leaves_the_old_names_and_is_told_once(tmp_path: Path) -> None:
    file, metrics = tmp_path / "accounts.yml", Metrics()
    file.write_text(f"{PROD}: prod")

    with structlog.testing.capture_logs() as logs:
        async with followed(file, metrics) as (book, naps):
            file.write_text(f"{PROD}: prod\n1234: dev")
            await naps.next()
            await naps.next()
            assert [line["log_level"] for line in logs] == ["error"]
            assert "line 2: '1234' is no account id" in str(logs[0]["cause"])
            assert book.name(PROD) == "prod"

            file.unlink()
            await naps.next()
            await naps.next()
            assert len(logs) == 2

            file.write_text(f"{PROD}: mended")
            await naps.next()
            assert book.name(PROD) == "mended"
            assert [line["event"] for line in logs][2:] == ["account names read again"]
    labels = {"stage": "accounts", "reason": "unreadable"}
    assert metrics.registry.get_sample_value("trailstream_errors_total", labels) == 2
