"""Files that change are read again, once a change, and what can't be used changes nothing."""

import asyncio
import contextlib
import itertools
import os
from collections.abc import Callable
from pathlib import Path

import structlog

from stream.errors import ConfigError
from stream.metrics import Metrics
from stream.reload import Reloadable, Reloader, fingerprint


class Part:
    """A file's text, as the last reading that went well has it."""

    def __init__(self, *paths: Path) -> None:
        self.paths = tuple(map(str, paths))
        self.readings = 0
        self.text = ""
        self.replaced = asyncio.Event()

    def reloadable(self, name: str = "part") -> Reloadable:
        return Reloadable(name, self.paths, fingerprint(self.paths), self.build)

    def build(self) -> Callable[[], None]:
        self.readings += 1
        text = Path(self.paths[0]).read_text(encoding="utf-8")
        if text == "bad":
            raise ConfigError("it is bad")
        if text == "worse":
            raise ZeroDivisionError

        def put_in_force() -> None:
            self.text = text
            self.replaced.set()

        return put_in_force


async def test_a_change_is_read_once_and_nothing_that_has_not_changed(tmp_path: Path) -> None:
    one, other = Part(tmp_path / "one"), Part(tmp_path / "other")
    (tmp_path / "one").write_text("a")
    (tmp_path / "other").write_text("x")
    reloader = Reloader([one.reloadable("one"), other.reloadable("other")], Metrics())

    await reloader.look()
    assert (one.readings, other.readings) == (0, 0)
    (tmp_path / "one").write_text("longer")
    for _ in range(3):
        await reloader.look()
    assert (one.text, one.readings, other.readings) == ("longer", 1, 0)
    await reloader.look(asked=True)
    assert (one.readings, other.readings, other.text) == (2, 1, "x")


async def test_what_can_not_be_used_changes_nothing_and_is_said_once(tmp_path: Path) -> None:
    metrics, part = Metrics(), Part(tmp_path / "one")
    (tmp_path / "one").write_text("good")
    reloader = Reloader([part.reloadable()], metrics)

    with structlog.testing.capture_logs() as logged:
        await reloader.look(asked=True)
        for text in ("bad", "worse"):
            (tmp_path / "one").write_text(text)
            for _ in range(3):
                await reloader.look()
        (tmp_path / "one").unlink()
        await reloader.look()
        assert part.text == "good"
        (tmp_path / "one").write_text("better")
        await reloader.look()

    assert part.text == "better"
    assert [(line["what"], line["reason"], line["cause"]) for line in logged] == [
        ("part", "reload", "it is bad"),
        ("part", "reload", "ZeroDivisionError"),
        ("part", "reload", "FileNotFoundError"),
    ]
    assert metrics.errors.labels("rules", "reload")._value.get() == 3


def test_every_way_to_change_a_file_is_seen(tmp_path: Path) -> None:
    first, second = tmp_path / "..first", tmp_path / "..second"
    for folder in (first, second):
        folder.mkdir()
        (folder / "rule.yml").write_text("same")
        os.utime(folder / "rule.yml", ns=(1, 1))
    (tmp_path / "..data").symlink_to("..first")
    (tmp_path / "rule.yml").symlink_to("..data/rule.yml")

    def swap() -> None:  # as the kubelet does it
        (tmp_path / "..new").symlink_to("..second")
        (tmp_path / "..new").rename(tmp_path / "..data")

    changes: list[Callable[[], object]] = [
        lambda: (second / "rule.yml").write_text("other"),
        lambda: os.utime(second / "rule.yml", ns=(2, 2)),
        swap,
        lambda: (tmp_path / "new.yml").write_text(""),
        (tmp_path / "new.yml").unlink,
        lambda: (tmp_path / "circle").symlink_to("circle"),
        (tmp_path / "rule.yml").unlink,
    ]
    seen = [fingerprint([str(tmp_path)])]
    for change in changes:
        assert fingerprint([str(tmp_path)]) == seen[-1]
        change()
        seen.append(fingerprint([str(tmp_path)]))

    assert all(before != after for before, after in itertools.pairwise(seen))
    assert fingerprint([str(tmp_path / "missing")]) == fingerprint([str(tmp_path / "missing")])


async def test_it_looks_by_itself_and_when_asked(tmp_path: Path) -> None:
    part = Part(tmp_path / "one")
    (tmp_path / "one").write_text("a")

    for poll_s, ask in ((0.01, False), (3600.0, True)):
        reloader = Reloader([part.reloadable()], Metrics(), poll_s=poll_s)
        (tmp_path / "one").write_text(f"after {poll_s}")
        if ask:
            reloader.ask()
        task = asyncio.ensure_future(reloader.run())
        async with asyncio.timeout(30):
            await part.replaced.wait()
        assert part.text == f"after {poll_s}"
        part.replaced.clear()
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        assert task.cancelled()
