"""Which log files the replicas were told of lately: log files that a digest lists beyond those were never announced.

Replicas share a note for each minute: short sums of the keys that they heard of, and who of them wrote it. Whoever
looks at a digest reads the notes of the minutes around a log file's delivery and of all since. A minute proves nothing
if nobody wrote it, or not everybody who was there.
"""

import asyncio
import base64
import binascii
import hashlib
import json
import random
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from stream.ledger.interface import ReadableNotes

_MINUTE_S: Final = 60
_SUM_BYTES: Final = 8
_MOST_SUMS: Final = 9_000  # in a note of 100 KB; whoever may write to the bucket can have as many announced as he likes
_SLOTS: Final = 360
"""Minutes that are kept; then a note's name comes round again."""

KEPT_S: Final = 5 * 3600.0
"""For so long one can tell of a log file whether it was announced."""

_SOON: Final = 15
"""Minutes in which S3 announces what was written, nearly always."""

_EARLY: Final = 5
"""Minutes by which a replica's clock may be slow."""

_BEGUN: Final = 30
"""Minutes after which all replicas write who ever will: while a setting is rolled out, some don't."""

_GONE: Final = 60
"""Minutes for which a replica that ended without a word may be there still, and only be unable to write."""

_FINAL: Final = 3
"""Minutes after which nobody adds to a note any more."""

_LATELY: Final = 5
"""Minutes in which a replica says again that messages have to wait, as long as they do."""


@dataclass(frozen=True, slots=True)
class _Minute:
    """What replicas wrote in a minute.

    Attributes:
        sums: of the keys that were announced, one after the other; `None`: of more than a note holds.
        writers: the replicas that wrote.
        left: those of them that ended then.
        behind: whether messages had to wait for one of them, so that what was announced may not be known yet.
    """

    sums: bytes | None = b""
    writers: frozenset[str] = frozenset()
    left: frozenset[str] = frozenset()
    behind: bool = False

    @classmethod
    def read(cls, text: str, minute: int) -> "_Minute | None":
        """A note's text; `None`: it is of another minute, or none."""
        try:
            of, sums, writers, left, behind = json.loads(text)
            if of != minute:
                return None
            known = None if sums is None else base64.b64decode(sums)
            return cls(known, frozenset(map(str, writers)), frozenset(map(str, left)), behind is True)
        except (ValueError, TypeError, AttributeError, binascii.Error):
            return None

    def written(self, minute: int) -> str:
        """Its note's text."""
        sums = None if self.sums is None else base64.b64encode(self.sums).decode()
        return json.dumps([minute, sums, sorted(self.writers), sorted(self.left), self.behind])

    def after(self, heard: bytes, writer: str, *, leaves: bool = False, behind: bool = False) -> "_Minute":
        """When one more has written."""
        full = self.sums is None or len(self.sums) + len(heard) > _MOST_SUMS * _SUM_BYTES
        left = self.left | {writer} if leaves else self.left
        sums = None if full else (self.sums or b"") + heard
        return _Minute(sums, self.writers | {writer}, left, self.behind or behind)


class Known:
    """What was announced since some minute, as far as notes tell.

    Args:
        minutes: the notes that there are.
        now: the minute in which they were read.
    """

    def __init__(self, minutes: dict[int, _Minute], now: int) -> None:
        self._minutes = minutes
        self._now = now
        self._first: dict[str, int] = {}
        self._last: dict[str, int] = {}
        for minute, note in sorted(minutes.items()):
            for writer in note.writers:
                self._first.setdefault(writer, minute)
                self._last[writer] = minute
        self._left = frozenset(writer for note in minutes.values() for writer in note.left)
        self._complete: dict[int, bool] = {}

    def includes(self, bucket: str, key: str, at: float) -> bool | None:
        """Whether a log file was announced to any replica; `None`: that can't be said. Takes some milliseconds at most.

        Args:
            bucket: of the log file, as `key` is.
            key: decoded.
            at: when it was delivered; Unix time.
        """
        wanted, delivered = _sum(bucket, key), int(at) // _MINUTE_S
        full = False
        for minute in range(delivered - _EARLY, self._now + 1):
            note = self._minutes.get(minute)
            if note is None:
                continue
            if note.sums is None:
                full = True
            elif wanted in note.sums:
                return True
        if full or delivered + _SOON >= self._now:
            return None
        begun = all(minute in self._minutes for minute in range(delivered - _BEGUN, delivered - _EARLY))
        complete = begun and all(map(self._is_complete, range(delivered - _EARLY, delivered + _SOON + 1)))
        return False if complete else None

    def was_listened_to(self, at: float) -> bool:
        """Whether anybody wrote down what was announced when a log file was delivered."""
        delivered = int(at) // _MINUTE_S
        return any(minute in self._minutes for minute in range(delivered, delivered + _SOON + 1))

    def _is_complete(self, minute: int) -> bool:
        """Whether everybody who was there then has written what was announced."""
        if minute not in self._complete:
            note = self._minutes.get(minute)
            self._complete[minute] = note is not None and all(
                writer in note.writers
                for writer, first in self._first.items()
                if first <= minute <= self._last[writer] + (0 if writer in self._left else _GONE)
            )
        return self._complete[minute]


class Announcements:
    """One replica's part in it.

    Args:
        notes: what replicas share; `None`: this process is alone.
        behind: whether messages have to wait, so that what was announced may not be known yet.
        unix_time: tells the time.
    """

    def __init__(
        self,
        notes: ReadableNotes | None,
        *,
        behind: Callable[[], bool] = lambda: False,
        unix_time: Callable[[], float] = time.time,
    ) -> None:
        self._notes: ReadableNotes = notes or _Own()
        self._behind = behind
        self._unix_time = unix_time
        self._reading = asyncio.Lock()
        self._writer = uuid.uuid4().hex[:8]
        self._second = random.uniform(1, _MINUTE_S / 2)  # noqa: S311 - replicas don't all write at once
        self._heard = bytearray()
        self._minutes: dict[int, _Minute | None] = {}

    def hear(self, bucket: str, key: str) -> None:
        """A log file was announced."""
        if len(self._heard) <= _MOST_SUMS * _SUM_BYTES:  # one more than a note holds says that it is not all
            self._heard += _sum(bucket, key)

    async def run(self) -> None:
        """Write down what was heard, minute by minute, until cancelled."""
        while True:
            await self.write()
            # Once in each minute, so that none looks as if we had not listened.
            await asyncio.sleep(_MINUTE_S - self._unix_time() % _MINUTE_S + self._second)

    async def write(self, *, leaves: bool = False) -> None:
        """Write down what was heard since the last time; what can't be written now is written the next time.

        Args:
            leaves: this replica ends.
        """
        minute, heard, self._heard = self._minute(), bytes(self._heard), bytearray()

        def written(text: str | None) -> str:
            before = _Minute.read(text or "", minute) or _Minute()
            return before.after(heard, self._writer, leaves=leaves, behind=self._behind()).written(minute)

        done = False
        try:
            done = await self._notes.revise(_name(minute), written)
        finally:  # also when a shutdown cuts it short
            if not done:
                self._heard = bytearray(heard[: (_MOST_SUMS + 1) * _SUM_BYTES]) + self._heard

    async def known(self, since: float) -> Known | None:
        """What was announced since then; `None` if that can't be had now, or messages have to wait for any replica."""
        now = self._minute()
        if self._behind():
            return None
        async with self._reading:  # several digests come at once, and ask for the same minutes
            found = await self._found(since, now)
        if found is None or any(minute > now - _LATELY and note.behind for minute, note in found.items()):
            return None
        if self._heard:
            found[now] = found.get(now, _Minute()).after(bytes(self._heard), self._writer)
        return Known(found, now)

    async def _found(self, since: float, now: int) -> dict[int, _Minute] | None:
        """The notes of the minutes that tell of log files since then; `None`: they can't be had."""
        first = max(int(since) // _MINUTE_S - _BEGUN - _GONE, now - _SLOTS + 1)
        self._minutes = {minute: note for minute, note in self._minutes.items() if minute > now - _SLOTS}
        found: dict[int, _Minute] = {}
        for minute in range(first, now + 1):
            if minute in self._minutes:
                note = self._minutes[minute]
            else:
                text = await self._notes.read(_name(minute))
                if text is None:
                    return None
                note = _Minute.read(text, minute)
                if minute <= now - _FINAL:
                    self._minutes[minute] = note
            if note is not None:
                found[minute] = note
        return found

    async def until(self, bucket: str, root: str) -> float | None:
        """Up to when the log files beside a folder of digests were looked at; 0: never; `None`: nobody can say now."""
        text = await self._notes.read(_folder(bucket, root))
        return None if text is None else _seconds(text)

    async def advance(self, bucket: str, root: str, until: float) -> None:
        """Say that those up to then were looked at, and read where they were not announced."""
        await self._notes.revise(_folder(bucket, root), lambda text: repr(max(until, _seconds(text))))

    def _minute(self) -> int:
        return int(self._unix_time()) // _MINUTE_S


class _Own:
    """The notes of a process that is alone."""

    _MOST: Final = 50_000  # names of folders may be made up, by whoever may write to the bucket

    def __init__(self) -> None:
        self._texts: dict[str, str] = {}

    async def revise(self, name: str, revision: Callable[[str | None], str]) -> bool:
        """See `Notes`."""
        self._texts[name] = revision(self._texts.pop(name, None))
        if len(self._texts) > self._MOST:
            del self._texts[next(iter(self._texts))]
        return True

    async def read(self, name: str) -> str | None:
        """See `ReadableNotes`."""
        return self._texts.get(name, "")


def _sum(bucket: str, key: str) -> bytes:
    return hashlib.blake2b(f"{bucket}\n{key}".encode("utf-8", "surrogatepass"), digest_size=_SUM_BYTES).digest()


def _name(minute: int) -> str:
    return f"announced-{minute % _SLOTS}"


def _folder(bucket: str, root: str) -> str:
    identity = f"{bucket}\n{root}"
    return f"announced-until-{hashlib.sha256(identity.encode()).hexdigest()[:40]}"


def _seconds(text: str | None) -> float:
    try:
        return float(text or 0)
    except ValueError:
        return 0.0
