"""Which log files the replicas were told of lately: log files that a digest lists beyond those were never announced.

What replicas hear in a minute, as short sums of keys, goes into that minute's note, which they share. Whoever looks at
a digest reads the notes of the minutes from a file's own on. Minutes in which nobody wrote prove nothing.
"""

import asyncio
import base64
import binascii
import json
import random
import time
from collections.abc import Callable
from hashlib import blake2b
from typing import Final

from stream.ledger.interface import Notes

_MINUTE_S: Final = 60
_SUM_BYTES: Final = 8
_MOST_SUMS: Final = 9_000  # in a note of 100 KB; whoever may write to the bucket can have as many announced as he likes
_SLOTS: Final = 360
"""Minutes that are kept; then a note's name comes round again."""

_SOON: Final = 15
"""Minutes in which S3 announces what was written, nearly always."""

_FINAL: Final = 3
"""Minutes after which nobody adds to a note any more."""


class Announcements:
    """One replica's part in it.

    Args:
        notes: what replicas share; `None`: this process is alone.
        unix_time: tells the time.
    """

    def __init__(self, notes: Notes | None, *, unix_time: Callable[[], float] = time.time) -> None:
        self._notes = notes
        self._unix_time = unix_time
        self._second = random.uniform(1, _MINUTE_S / 2)  # noqa: S311 - replicas don't all write at once
        self._heard = bytearray()
        self._minutes: dict[int, bytes | None] = {}

    def hear(self, bucket: str, key: str) -> None:
        """A log file was announced."""
        if len(self._heard) <= _MOST_SUMS * _SUM_BYTES:  # one more than a note holds says that it is not all
            self._heard += _sum(bucket, key)

    async def run(self) -> None:
        """Write down what was heard, minute by minute, until cancelled."""
        while True:
            await self.write()
            # Once in each minute, so that none looks as if nobody had listened.
            await asyncio.sleep(_MINUTE_S - self._unix_time() % _MINUTE_S + self._second)

    async def write(self) -> None:
        """Write down what was heard since the last time; what can't be written now is written the next time."""
        minute, heard, self._heard = self._minute(), bytes(self._heard), bytearray()
        self._minutes = {each: sums for each, sums in self._minutes.items() if each > minute - _SLOTS}
        if self._notes is None:
            self._minutes[minute] = _joined(self._minutes.get(minute, b""), heard)
        elif not await self._notes.revise(
            _name(minute), lambda text: _written(minute, _joined(_sums(text, minute, b""), heard))
        ):
            self._heard = bytearray(heard[: (_MOST_SUMS + 1) * _SUM_BYTES]) + self._heard

    async def includes(self, bucket: str, key: str, at: float) -> bool | None:
        """Whether a log file was announced to any replica; `None`: nobody wrote down all that was.

        Args:
            bucket: of the log file, as `key` is.
            key: decoded.
            at: when it was delivered; Unix time.
        """
        wanted, first, now = _sum(bucket, key), int(at) // _MINUTE_S - 1, self._minute()
        if not _SOON < now - first < _SLOTS:
            return None
        complete = True
        if wanted in self._heard:
            return True
        for minute in range(first, now + 1):
            sums = await self._known(minute, now)
            if sums is not None and wanted in sums:
                return True
            if sums is None and minute <= first + _SOON:
                complete = False
        return False if complete else None

    def _minute(self) -> int:
        return int(self._unix_time()) // _MINUTE_S

    async def _known(self, minute: int, now: int) -> bytes | None:
        """The sums of a minute; `None`: nobody wrote them down, or not all."""
        if self._notes is None or minute in self._minutes:
            return self._minutes.get(minute)
        texts: list[str] = []

        def kept(text: str | None) -> str:
            texts.append(text or "")
            return texts[-1]

        if not await self._notes.revise(_name(minute), kept):
            return None
        sums = _sums(texts[-1], minute, None)
        if minute <= now - _FINAL:
            self._minutes[minute] = sums
        return sums


def _sum(bucket: str, key: str) -> bytes:
    return blake2b(f"{bucket}\n{key}".encode("utf-8", "surrogatepass"), digest_size=_SUM_BYTES).digest()


def _joined(sums: bytes | None, more: bytes) -> bytes | None:
    """All of them; `None`: more than are kept."""
    return None if sums is None or len(sums) + len(more) > _MOST_SUMS * _SUM_BYTES else sums + more


def _name(minute: int) -> str:
    return f"announced-{minute % _SLOTS}"


def _written(minute: int, sums: bytes | None) -> str:
    return json.dumps([minute, None if sums is None else base64.b85encode(sums).decode()])


def _sums(text: str | None, minute: int, otherwise: bytes | None) -> bytes | None:
    """What a note says of this minute; `otherwise`: it is of another one, or none."""
    try:
        of, sums = json.loads(text or "")
        if of != minute:
            return otherwise
        return None if sums is None else base64.b85decode(sums)
    except (ValueError, TypeError, AttributeError, binascii.Error):
        return otherwise
