"""A log file's bytes in, in any chunks; out the records that could match, parsed, and what is wrong with the file.

No I/O and no asyncio: whoever has the bytes feeds them. Every record that can match a rule comes out, whatever its
spelling; what the prefilter proves harmless is never parsed.
"""

import hashlib
import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

import orjson

from stream.decode import glance
from stream.decode.beginning import MOST_BYTES, Beginning
from stream.decode.inflate import WINDOW_BYTES, Inflater
from stream.decode.scan import Prefilter
from stream.decode.scout import LEAST_RECORD_BYTES, SHORTEST_BYTES, Scout
from stream.decode.split import Batch, Splitter, is_json
from stream.decode.suspects import suspects
from stream.decode.texture import has_tiny_values
from stream.errors import LogFileError

_HELD_BYTES: Final = 4 * 1024 * 1024
# Records are held until the file ends, since a second `Records` array would replace them; but not more than this of
# their JSON, so that a giant full of matches costs no more memory than one without.

_MOST_UNREADABLE: Final = 20
_EXCERPT_BYTES: Final = 1000

_LARGE_WINDOW_BYTES: Final = 128 * 1024
# Of a file that is not kept whole, and so always split, which copies each window twice: windows of twice the size take
# a MB more, and 4 % less time.

_PARSED_A_STEP: Final = 250  # records: about a millisecond, as below

_SLOW_STEPS: Final = 100  # elements read one by one, about a millisecond, after which the caller may do something else

Record = dict[str, Any]
"""One CloudTrail record, as its JSON says."""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A record that could match and that no parser takes.

    Attributes:
        excerpt: its first bytes.
        digest: SHA-256 of all of them.
    """

    excerpt: bytes
    digest: bytes


class LogDecoder:
    """Decodes one log file.

    Attributes:
        records: top-level elements of `Records` seen so far.
        not_objects: those of them that are not JSON objects.
        unreadable: those that could match and that no parser takes; the file then fails with `unreadable_record`.
        unreadable_first: the first few of them.
        beginning: the file's first bytes, as they are stored.

    Args:
        stored_bytes: how large the file is said to be; nothing but speed hangs on it.
        scouting: whether a quick look may spare the splitting.
    """

    def __init__(
        self,
        prefilter: Prefilter,
        *,
        max_record_bytes: int,
        max_log_bytes: int,
        stored_bytes: int | None = None,
        scouting: bool = True,
    ) -> None:
        self.records = 0
        self.not_objects = 0
        self.unreadable = 0
        self.unreadable_first: list[Unreadable] = []
        self._prefilter = prefilter
        self._max_log_bytes = max_log_bytes
        self.beginning = Beginning()
        self._splitter = Splitter(max_record_bytes)
        able = scouting and prefilter.literals is not None and max_record_bytes >= LEAST_RECORD_BYTES
        able = able and self.beginning.has_room_for(stored_bytes or 0)  # or it could not begin anew
        self._max_record_bytes = max_record_bytes
        self._scout = Scout(prefilter, max_record_bytes=max_record_bytes) if able else None
        self._window_bytes = WINDOW_BYTES if able or (stored_bytes or 0) <= MOST_BYTES else _LARGE_WINDOW_BYTES
        self._inflater = Inflater(self.beginning, window_bytes=self._window_bytes)
        self._seen: tuple[int, bytes | Record | None] | None = None
        self._arrays = 0
        self._held: list[Record] = []
        self._held_bytes = 0
        self._given = 0
        self._broken = 0
        self._first: bytes | Record | None = None

    @property
    def compressed_bytes(self) -> int:
        """Bytes of the log file fed so far."""
        return self._inflater.compressed_bytes

    @property
    def json_bytes(self) -> int:
        """Bytes of JSON inflated so far."""
        return self._inflater.json_bytes

    def steps(self, chunk: bytes) -> Iterator[list[Record]]:
        """Feed a chunk lazily: each step does some work and gives what may be handed on already.

        A step is a window's work, or that of inflating a file that came at once, about a millisecond. The iterator has
        to be exhausted before the next chunk. A caller with an event loop stops between two steps and goes on in a
        thread when there is much to do.

        Raises:
            LogFileError: the file can't be read further; `take` still gives the records found before the fault.
        """
        fits = self.beginning.add(chunk)
        if self._seen is not None:  # it was not the whole file
            self._seen = None
            self._forget()
            yield from self._start_over()
            if not fits:
                yield from self._look_through(chunk)
            return
        if self._scout is not None and len(self.beginning.chunks) == 1:
            text = glance.inflated(chunk)
            if text is not None and len(text) <= self._max_log_bytes:
                yield from self._look_at_all(chunk, text)
                return
        if self._scout is not None and fits:
            yield from self._look_over(self._scout, self._inflater.windows(chunk))
            return
        if self._scout is not None:
            yield from self._start_over()
        yield from self._look_through(chunk)

    def _look_at_all(self, file: bytes, text: bytes) -> Iterator[list[Record]]:
        """Look at what is all of the file, unless more comes."""
        self._inflater.inflated(file, text)
        self._scout = None
        seen = glance.look(text, self._prefilter, max_record_bytes=self._max_record_bytes)
        if seen is None:
            yield from self._look_into_all(glance.windows(text))
            return
        self._seen = seen.records, seen.parsed[0] if seen.parsed else seen.first  # and not its text
        self._held += seen.parsed
        if seen.batch is not None:
            yield []
            for _ in self._look_for_suspects(seen.batch):
                yield []

    def _look_over(self, scout: Scout, windows: Iterator[bytes]) -> Iterator[list[Record]]:
        """See whether the file needs splitting at all; if it does, begin it anew and catch up."""
        try:
            while (window := next(windows, None)) is not None:
                if self.json_bytes > self._max_log_bytes:
                    break
                if not scout.begun and len(window) < SHORTEST_BYTES:
                    self._scout = None
                    yield from self._look_into(window)
                    yield from self._look_into_all(windows)
                    return
                if not scout.is_clean(window):
                    break
                yield []
            else:
                return
        except LogFileError:
            if self._scout is None:
                raise
            # It comes again, after the records before it.
        if scout.named:
            yield from self._look_again(Scout(self._prefilter, max_record_bytes=self._max_record_bytes, by_texts=True))
        else:
            yield from self._start_over()

    def _look_again(self, scout: Scout) -> Iterator[list[Record]]:
        self._scout, self._inflater = scout, Inflater(self.beginning)
        for chunk in tuple(self.beginning.chunks):
            yield from self._look_over(scout, self._inflater.windows(chunk))
            if self._scout is not scout:
                return

    def _start_over(self) -> Iterator[list[Record]]:
        self._scout = None
        if not self.beginning.whole:
            self._window_bytes = _LARGE_WINDOW_BYTES
        self._inflater = Inflater(self.beginning, window_bytes=self._window_bytes)
        for chunk in tuple(self.beginning.chunks):
            yield from self._look_through(chunk)

    def _look_through(self, chunk: bytes) -> Iterator[list[Record]]:
        yield from self._look_into_all(self._inflater.windows(chunk))

    def _look_into_all(self, windows: Iterator[bytes]) -> Iterator[list[Record]]:
        while True:
            try:
                window = self._inflated(windows)
            except LogFileError:  # the records before it come first
                yield from self._drain()
                raise
            if window is None:
                return
            yield from self._look_into(window)

    def _look_into(self, window: bytes) -> Iterator[list[Record]]:
        yield from self._look_at(self._splitter.feed(window))
        yield self.take() if self._held_bytes > _HELD_BYTES else []

    def _look_at(self, batches: Iterator[Batch]) -> Iterator[list[Record]]:
        for slow, batch in enumerate(batches):
            for _ in self._look(batch):
                yield []
            if slow % _SLOW_STEPS == _SLOW_STEPS - 1 or not batch.elements:
                yield []

    def feed(self, chunk: bytes) -> list[Record]:
        """Feed a chunk and do all its work; see `steps`."""
        return [record for records in self.steps(chunk) for record in records]

    def last_steps(self) -> Iterator[list[Record]]:
        """Say that no more chunks come: steps as those of `steps`, after which `take` gives the rest of the records.

        Raises:
            LogFileError: as `steps`; also when single records were unreadable.
        """
        if self._seen is not None:
            self.records, self._first = self._seen
            self._check_all_are_readable()
            return
        if self._scout is not None:
            if self._is_harmless(self._scout):
                return
            yield from self._start_over()
        try:
            self._inflater.finish()
        except LogFileError:
            yield from self._drain()
            raise
        yield from self._look_at_the_rest()
        self._check_all_are_readable()

    def finish(self) -> list[Record]:
        """Say that no more chunks come, do all the work that is left, and get the rest of the records.

        Raises:
            LogFileError: as `last_steps`; `take` gives the records then.
        """
        found: list[Record] = []
        try:
            for records in self.last_steps():
                found += records
        finally:
            self._held = found + self._held
        return self.take()

    def _check_all_are_readable(self) -> None:
        if self.unreadable:
            raise LogFileError("unreadable_record", f"{self.unreadable} of {self.records} records can't be parsed")
        if self._broken:
            raise LogFileError("bad_json", f"{self._broken} of {self.records} records are not JSON")

    def _is_harmless(self, scout: Scout) -> bool:
        try:
            self._inflater.finish()
        except LogFileError:
            return False
        self.records, self._first = scout.records, scout.first
        return scout.is_whole()

    def take(self) -> list[Record]:
        """The records found and not given out yet: the last ones, also of a file that is at fault."""
        records, self._held, self._held_bytes = self._held, [], 0
        self._given += len(records)
        return records

    def first_record(self) -> Record:
        """The file's first record, whether it could match or not; empty if there is none that can be read."""
        try:
            data = self._first if isinstance(self._first, dict) else parse(self._first or b"{}")
        except ValueError:
            return {}
        return data if isinstance(data, dict) else {}

    def _inflated(self, windows: Iterator[bytes]) -> bytes | None:
        """The next window, if there is one."""
        window = next(windows, None)
        if self.json_bytes > self._max_log_bytes:
            raise LogFileError(
                "log_too_large", f"more than TRAILSTREAM_MAX_LOG_BYTES ({self._max_log_bytes}) bytes of JSON"
            )
        return window

    def _drain(self) -> Iterator[list[Record]]:
        """Find the records in what the splitter still holds: of a file that is at fault they are the last."""
        with suppress(LogFileError):
            yield from self._look_at_the_rest()

    def _look_at_the_rest(self) -> Iterator[list[Record]]:
        yield from self._look_at(self._splitter.finish())
        if self._splitter.arrays != self._arrays:  # the last one is empty
            self._begin_array()

    def _look(self, batch: Batch) -> Iterator[None]:
        """Find the records in a batch that could match; steps are of a few milliseconds at most."""
        if self._splitter.arrays != self._arrays:
            self._begin_array()
        if self._first is None and batch.elements:
            self._first = bytes(batch.elements[0])
        self.records += len(batch.elements)
        if self._prefilter.search(batch.text):
            yield from self._look_for_suspects(batch)
        elif not batch.checked:
            self._broken += sum(not is_json(bytes(element)) for element in batch.elements)

    def _look_for_suspects(self, batch: Batch) -> Iterator[None]:
        """Find the records in a batch, one of which could match."""
        found = suspects(batch, self._prefilter)
        if found is None and self._parse_all(batch):
            return
        if found is None:
            found = (text for text in map(bytes, batch.elements) if self._prefilter.search(text))
        for number, text in enumerate(found):
            if text is not None:
                self._parse(text)
            if text is None or number % _PARSED_A_STEP == _PARSED_A_STEP - 1:
                yield

    def _begin_array(self) -> None:
        self._arrays = self._splitter.arrays
        if self._given:
            raise LogFileError("bad_json", "a second Records array after records of the first were handed on")
        self._forget()

    def _forget(self) -> None:
        self._held.clear()
        self.unreadable_first.clear()
        self._first = None
        self.records = self.not_objects = self.unreadable = self._broken = self._held_bytes = 0

    def _parse_all(self, batch: Batch) -> bool:
        """Parse a batch at once, if the parser is not too strict for it and all of them are objects."""
        if not batch.checked or has_tiny_values(batch.text):
            return False
        try:
            parsed = orjson.loads(memoryview(batch.text)[slice(*batch.array)])
        except orjson.JSONDecodeError:
            return False
        if not all(type(data) is dict for data in parsed):
            return False
        self._held += parsed
        self._held_bytes += len(batch.text)
        return True

    def _parse(self, text: bytes) -> None:
        try:
            data = parse(text)
        except ValueError:
            if not self._prefilter.search(text):
                return  # it was never looked at: see `suspects`
            self.unreadable += 1
            if len(self.unreadable_first) < _MOST_UNREADABLE:
                digest = hashlib.sha256(text).digest()
                self.unreadable_first.append(Unreadable(text[:_EXCERPT_BYTES], digest))
            return
        if not isinstance(data, dict):
            self.not_objects += self._prefilter.search(text)
            return
        self._held.append(data)
        self._held_bytes += len(text)


def parse(text: bytes) -> Any:
    """One record's JSON, by orjson or, where that is too strict, by the standard library.

    orjson refuses lone surrogates, NaN and nesting beyond 1,024; bytes that are not UTF-8 become U+FFFD, which no
    rule's text can match.

    Raises:
        ValueError: no parser takes it.
    """
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        try:
            return json.loads(text.decode("utf-8", "replace"))
        except RecursionError as error:
            raise ValueError("nested too deeply") from error
