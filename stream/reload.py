"""Files that change while the program runs: paths in; told what to read again, and when, by looking every few seconds.

What is in force stays so until all of what comes in its place is built; a set that can't be used changes nothing.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NoReturn

import structlog

from stream.errors import ConfigError
from stream.metrics import Metrics

log = structlog.get_logger()

_POLL_S: Final = 10.0

_Seen = tuple[str, str, int, int, int] | tuple[str]

Fingerprint = tuple[_Seen, ...]
"""Of each file its path, where that leads to, inode, size and time of change; of one that isn't there the path."""


@dataclass(frozen=True, slots=True)
class Reloadable:
    """Something that files make.

    Attributes:
        name: what log lines call it.
        paths: files and folders.
        seen: their fingerprint, taken before they were read first.
        build: reads everything and builds it, in a thread; returns what puts it in force, which is called on the event
            loop. Raises `ConfigError` if it can't be used.
    """

    name: str
    paths: tuple[str, ...]
    seen: Fingerprint
    build: Callable[[], Callable[[], None]]


class Reloader:
    """Reads again what has changed.

    Args:
        parts: each is looked at by itself.
        metrics: where it is counted that something can't be used.
        poll_s: seconds between looks.
    """

    def __init__(self, parts: Sequence[Reloadable], metrics: Metrics, *, poll_s: float = _POLL_S) -> None:
        self._parts = tuple(parts)
        self._seen = {part.name: part.seen for part in parts}
        self._metrics = metrics
        self._poll_s = poll_s
        self._asked = asyncio.Event()

    def ask(self) -> None:
        """Have everything read again soon, changed or not."""
        self._asked.set()

    async def run(self) -> NoReturn:
        """Look until cancelled."""
        while True:
            await self.look(asked=await self._due())

    async def look(self, *, asked: bool = False) -> None:
        """Read again what has changed since the last look; `asked`: everything."""
        for part in self._parts:
            await self._look_at(part, asked=asked)

    async def _due(self) -> bool:
        try:
            await asyncio.wait_for(self._asked.wait(), self._poll_s)
        except TimeoutError:
            return False
        self._asked.clear()
        return True

    async def _look_at(self, part: Reloadable, *, asked: bool) -> None:
        seen = await asyncio.to_thread(fingerprint, part.paths)
        if seen == self._seen[part.name] and not asked:
            return
        # What changes while it is read is seen the next time; what can't be used is not tried twice.
        self._seen[part.name] = seen
        try:
            put_in_force = await asyncio.to_thread(part.build)
            put_in_force()
        except ConfigError as error:
            self._failed(part, cause=str(error))
        except Exception as error:  # noqa: BLE001 - whatever stands in a file, what is in force goes on
            self._failed(part, cause=type(error).__name__, exc_info=error)

    def _failed(self, part: Reloadable, **why: object) -> None:
        self._metrics.errors.labels("rules", "reload").inc()
        log.error("changed files can't be used, what was in force stays", what=part.name, reason="reload", **why)


def fingerprint(paths: Iterable[str]) -> Fingerprint:
    """What tells whether any file of these paths has changed, the swap of a ConfigMap's links among it."""
    return tuple(_seen(file) for path in paths for file in _files(Path(path).expanduser()))


def _files(root: Path) -> list[Path]:
    try:
        return sorted(root.rglob("*")) if root.is_dir() else [root]
    except OSError:
        return [root]


def _seen(file: Path) -> _Seen:
    try:
        found = file.stat()
        if file.is_dir():  # changes with its files only
            return (str(file),)
        return str(file), str(file.resolve()), found.st_ino, found.st_size, found.st_mtime_ns
    except (OSError, RuntimeError):  # links that go in a circle are a RuntimeError
        return (str(file),)
