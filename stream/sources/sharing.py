"""How replicas put together what they hear: reports of each go into the ledger, and one of them reads all of it.

In each minute a replica writes one note, and the one that holds the lease reads the notes of the others. What is
learnt of the sources is kept in some notes more, by account, so that another replica can go on with it.
"""

import base64
import binascii
import json
import uuid
import zlib
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from stream.ledger.interface import Notes
from stream.sources.hearing import MOST_SOURCES
from stream.sources.silences import EVERYTHING, Silences

SHARDS: Final = 64
_LEASE: Final = 3  # minutes
_LATE: Final = 3  # a report that is older is missed
_GONE: Final = 20  # a replica that has been missed for longer is not waited for
_RECENT: Final = 30  # what a report holds: if nobody reads them for longer, a gap looks longer than it was
_REGISTERED: Final = 10
_MOST_BYTES: Final = 8 * 1024 * 1024  # of a note's JSON: nobody of ours writes as much

# DynamoDB takes 400 KB, and the names may be made up. 20,000 real sources take 250 KB to report, the fullest shard of
# theirs 40 KB.
_LONGEST_NOTE: Final = 350_000
_LONGEST_HEARD: Final = 260_000

T = TypeVar("T")

REPLICAS: Final = "sources-replicas"
LEASE: Final = "sources-lease"


@dataclass(slots=True)
class Report:
    """What one replica has heard.

    Attributes:
        at: the minute in which it says so.
        settled: it keeps up with the queue.
        heard: for each source the last minute; those that come last are left out where there are too many.
        unread: sources with files that could not be read; likewise.
    """

    at: int
    settled: bool
    heard: dict[str, int] = field(default_factory=dict)
    unread: Collection[str] = ()


class Exchange:
    """One replica's part in it.

    Args:
        notes: what all replicas see.
        owner: tells this replica from the others.
    """

    def __init__(self, notes: Notes, owner: str | None = None) -> None:
        self._notes = notes
        self._owner = owner or uuid.uuid4().hex
        self._registered_at = -_REGISTERED
        self._replicas: dict[str, int] = {}
        self._written: dict[int, str] = {}

    async def report(self, report: Report) -> bool:
        """Tell the others; whether that went well."""
        if not await self._register(report.at):
            return False
        text = pack([report.at, report.settled, report.heard, sorted(report.unread)])
        if len(text) > _LONGEST_NOTE:
            text = _shortened(report)
        return await self._notes.revise(f"sources-report-{self._owner}", lambda _: text)

    async def leave(self, now: int) -> None:
        """Say that this replica ends, so that it isn't missed, and let another go on at once."""

        def without(text: str | None) -> str:
            return pack({name: at_ for name, at_ in _replicas(text, now).items() if name != self._owner})

        def released(text: str | None) -> str:
            return pack(["", 0]) if _holder(text, now) == self._owner else text or pack(["", 0])

        await self._notes.revise(REPLICAS, without)
        await self._notes.revise(LEASE, released)

    async def holds_lease(self, now: int) -> bool:
        """Whether this replica is the one that judges; asked each minute, it stays so."""
        holder = ""

        def taken(text: str | None) -> str:
            nonlocal holder
            holder = _holder(text, now) or self._owner
            return pack([holder, now + _LEASE]) if holder == self._owner else text or ""

        return await self._notes.revise(LEASE, taken) and holder == self._owner

    async def reports(self, now: int) -> list[Report]:
        """What all the replicas have said; of one whose word is missing, that it is not settled."""
        reports = []
        self._replicas = _replicas(await self._read(REPLICAS), now)
        for name in self._replicas:
            report = _report(await self._read(f"sources-report-{name}"))
            if report is None or now - report.at > _LATE:
                report = Report(now, settled=False, heard=report.heard if report else {})
            reports.append(report)
        return reports

    async def load(self) -> Silences | None:
        """What is known of all sources; `None` if that can't be had now."""
        silences = Silences()
        self._written.clear()
        for shard in range(SHARDS):
            text = await self._read(f"sources-rhythms-{shard}")
            if text is None:
                return None
            silences.learn(unpack(text))
        return silences

    async def save(self, silences: Silences) -> None:
        """Write down what is known of all sources, as far as it has changed."""
        shards: dict[int, list[str]] = {shard: [] for shard in range(SHARDS)}
        for source in silences.rhythms:
            shards[shard_of(source)].append(source)
        for shard, sources in shards.items():
            text = pack(silences.written(sources))
            if len(text) > _LONGEST_NOTE:
                sources.sort(key=lambda source: (source != EVERYTHING, silences.rhythms[source].first))
                text = pack(silences.written(_fitting(sources, silences.written, _LONGEST_NOTE)))
            if self._written.get(shard, pack({})) == text:
                continue
            if await self._notes.revise(f"sources-rhythms-{shard}", _being(text)):
                self._written[shard] = text

    async def _register(self, now: int) -> bool:
        if now - self._registered_at < _REGISTERED:
            return True
        registered = await self._notes.revise(
            REPLICAS, lambda text: pack(_replicas(text, now) | {self._owner: now + _GONE})
        )
        if registered:
            self._registered_at = now
        return registered

    async def _read(self, name: str) -> str | None:
        """A note as it is, empty if there is none; `None` if it can't be had."""
        read: list[str] = []

        def kept(text: str | None) -> str:
            read.append(text or pack(None))
            return read[-1]

        return read[-1] if await self._notes.revise(name, kept) else None


def _being(text: str) -> Callable[[str | None], str]:
    return lambda _: text


def shard_of(source: str) -> int:
    """Where an account is kept: all of its regions are in one note."""
    return zlib.crc32(source.partition("/")[0].encode()) % SHARDS


def pack(value: Any) -> str:
    """JSON as a short text."""
    return base64.b85encode(zlib.compress(json.dumps(value, separators=(",", ":")).encode(), 6)).decode()


def unpack(text: str | None) -> Any:
    """What `pack` was given; `None` of anything else."""
    try:
        inflater = zlib.decompressobj()
        data = inflater.decompress(base64.b85decode(text or ""), _MOST_BYTES)
        return json.loads(data) if inflater.eof else None
    except (ValueError, zlib.error, binascii.Error, RecursionError):
        return None


def _shortened(report: Report) -> str:
    heard = dict(_fitting(list(report.heard.items()), dict, _LONGEST_HEARD))
    rest = _LONGEST_NOTE - len(pack([report.at, report.settled, heard, []]))
    return pack([report.at, report.settled, heard, sorted(_fitting(list(report.unread), sorted, rest))])


def _fitting(values: Sequence[T], told: Callable[[Sequence[T]], Any], most: int) -> Sequence[T]:
    """The first of these, as many as can be told in so many bytes."""
    while values and (size := len(pack(told(values)))) > most:
        values = values[: len(values) * most // size * 9 // 10]
    return values


def _replicas(text: str | None, now: int) -> dict[str, int]:
    told = unpack(text)
    found = told.items() if isinstance(told, dict) else ()
    return {name: until for name, until in found if isinstance(name, str) and type(until) is int and until > now}


def _holder(text: str | None, now: int) -> str:
    told = unpack(text)
    if isinstance(told, list) and len(told) == 2 and isinstance(told[0], str) and type(told[1]) is int:
        return told[0] if told[1] > now else ""
    return ""


def _report(text: str | None) -> Report | None:
    told = unpack(text)
    if not isinstance(told, list) or len(told) != 4 or type(told[0]) is not int or not isinstance(told[2], dict):
        return None
    heard = dict(_minutes(told[2].items()))
    unread = frozenset(source for source in told[3] if isinstance(source, str)) if isinstance(told[3], list) else ()
    return Report(told[0], told[1] is True, heard, frozenset(unread))


def _minutes(found: Iterable[tuple[str, Any]]) -> Iterable[tuple[str, int]]:
    for number, (source, minute) in enumerate(found):
        if number < MOST_SOURCES and type(minute) is int and source != EVERYTHING:
            yield source, minute
