"""Windows of a log file's JSON in; the text of each top-level element of its top-level `Records` array out.

Only what `{"Records": [...]}` holds at its own top level is a record: nothing nested, nothing inside a string, nothing
beside it. Memory is bounded by one window and the largest record allowed. A fault is a `LogFileError`: `bad_json`,
`no_records` or `record_too_large`.

The quick way cuts the buffer where a record seems to end and lets msgspec parse what stands before the cut as a list.
JSON is read from left to right, so if that parses, the cut was between two records: no guess is ever trusted. Where the
guess fails, or msgspec refuses a spelling that the standard library takes (a lone surrogate, NaN), the slow way goes
on token by token.
"""

import itertools
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

import msgspec

from stream.errors import LogFileError

# Possessive quantifiers: without them the engine keeps a way back for each escape of a string, tens of megabytes of it.
_STRING: Final = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)
_BRACKET: Final = re.compile(rb'[^"{}\[\]]*+(?:' + _STRING.pattern + rb'[^"{}\[\]]*+)*+([{}\[\]])', re.DOTALL)
"""The next bracket outside strings, with all that stands before it."""
_SCALAR: Final = re.compile(rb'[^\s"{}\[\],:]+')
_SPACE: Final = re.compile(rb"[ \t\r\n]*")
_FIRST_KEY: Final = re.compile(rb'[ \t\r\n]*\{[ \t\r\n]*"[^"\\]{1,64}"')
_END: Final = re.compile(rb"\][ \t\r\n]*\}[ \t\r\n]*\Z")
_GUESSES: Final = 4
_BRACKETS_A_STEP: Final = 5000  # then whoever drives may do something else: a value may be nothing but brackets
_STEPS_AT_ONCE: Final = 500  # likewise, since there may be nothing but members beside `Records`
_PATIENCE_BYTES: Final = 64 * 1024
# With less than this at hand it waits for more: a small file is then split in one go, at its end.
_ELEMENTS: Final = msgspec.json.Decoder(list[msgspec.Raw])
_ANYTHING: Final = msgspec.json.Decoder(msgspec.Raw)
_BOM: Final = b"\xef\xbb\xbf"


class _At(Enum):
    """Where the reader stands in the file's outermost object."""

    START = auto()
    FIRST_KEY = auto()
    KEY = auto()
    COLON = auto()
    VALUE = auto()
    AFTER_VALUE = auto()
    FIRST_ELEMENT = auto()
    ELEMENT = auto()
    AFTER_ELEMENT = auto()
    END = auto()


@dataclass(frozen=True, slots=True)
class Batch:
    """Elements that follow one another.

    Attributes:
        text: bytes that hold all of them.
        elements: each one's JSON text, in order.
        checked: whether they are known to be JSON; if not, only their brackets and strings are known to be balanced.
        array: where in the text the array of them begins and ends.
    """

    text: bytes
    elements: Sequence[msgspec.Raw | bytes]
    checked: bool
    array: tuple[int, int | None] = (0, None)


class Splitter:
    """Splits one log file.

    Attributes:
        arrays: how many `Records` arrays have begun: with more than one the last one counts, as in every JSON parser.
    """

    def __init__(self, max_record_bytes: int, *, patience_bytes: int = _PATIENCE_BYTES) -> None:
        self.arrays = 0
        self._max = max_record_bytes
        self._patience = patience_bytes
        self._buffer = b""
        self._at = 0
        self._waiting: list[bytes] = []
        self._waiting_bytes = 0
        self._state = _At.START
        self._key = b""
        self._array_is_last = False
        self._element_end = -1
        self._separator = b""
        self._short_separator = b""
        # A value that is begun and not ended: how far it was looked through, and how deep it stood there.
        self._looked = 0
        self._depth = 0
        self._slow_until = 0
        self._tired = False

    def feed(self, window: bytes) -> Iterator[Batch]:
        """Take one window; give elements that are complete by now, perhaps later than they could be.

        A batch without any is given after a millisecond in which there was none.

        Raises:
            LogFileError: `bad_json` or `record_too_large`; what was given before stands.
        """
        self._waiting.append(window)
        self._waiting_bytes += len(window)
        # A record that isn't whole yet is looked through again from its last bracket on. Waiting for a quarter more of
        # it each time keeps that linear, however small the windows are.
        if self._waiting_bytes >= max(self._patience, (len(self._buffer) - self._at) // 4):
            self._gather()
            yield from self._advance(last=False)
            if len(self._buffer) - self._at > self._max + self._patience:
                raise self._too_large(len(self._buffer) - self._at)

    def finish(self) -> Iterator[Batch]:
        """Say that no more windows come; give the elements that are left.

        Raises:
            LogFileError: as `feed`; `bad_json` if the text stops early, `no_records` if it has no such array.
        """
        self._gather()
        yield from self._advance(last=True)
        if self._state is not _At.END or not _SPACE.fullmatch(self._buffer, self._at):
            raise LogFileError("bad_json", "the JSON text stops before its end")
        if not self._array_is_last:
            raise LogFileError("no_records", "no array named Records at the top of the file")

    def _gather(self) -> None:
        """Drop what is done with from the buffer, and add what has come."""
        self._looked = max(self._looked - self._at, 0)
        self._slow_until = max(self._slow_until - self._at, 0)
        self._element_end -= self._at
        rest = memoryview(self._buffer)[self._at :]
        self._buffer = b"".join((rest, *self._waiting)) if rest or len(self._waiting) != 1 else self._waiting[0]
        self._at = self._waiting_bytes = 0
        self._waiting.clear()

    def _advance(self, *, last: bool) -> Iterator[Batch]:
        for steps in itertools.count(1):
            if self._state in (_At.FIRST_ELEMENT, _At.ELEMENT):
                batch = (self._quick_end() if last else None) or self._quick()
                if batch is not None:
                    yield batch
                    if not last and len(self._buffer) - self._at < self._patience:
                        return  # most likely the start of a record: the next window brings its end
                    continue
            before = (self._at, self._state)
            element = self._step()
            if element is not None:
                yield Batch(element, (element,), checked=False)
            elif self._tired or steps % _STEPS_AT_ONCE == 0:
                self._tired = False
                yield Batch(b"", (), checked=True)
            elif (self._at, self._state) == before:
                return

    # The quick way ---------------------------------------------------------------------------------------------------

    def _quick(self) -> Batch | None:
        """Take as many elements at once as stand before a likely end of a record, if that proves to be one."""
        start = self._at
        if self._looked > start or start < self._slow_until:
            return None
        self._learn_separator()
        length = len(self._buffer) - start
        for halving in range(_GUESSES):
            end, mark = self._guess(start, start + (length >> halving))
            if end < 0:
                return None
            batch = self._decode(start, end + 1)
            if batch is not None and batch.elements:
                self._go(_At.ELEMENT, end + mark.index(b",") + 1 - start)
                return batch
        # What the parser refuses is in here: token by token past it, so that it costs no further guesses.
        self._slow_until = start + (length >> _GUESSES)
        return None

    def _learn_separator(self) -> None:
        """See how this file writes the end of a record and the start of the next, by the last two that were read."""
        head = _FIRST_KEY.match(self._buffer, self._at)
        if head is None:
            return
        before = self._buffer[self._element_end - 1 : self._at] if 0 < self._element_end < self._at else b"},"
        if before.startswith(b"}"):
            self._separator = before + head.group()
            self._short_separator = before + head.group()[: head.group().index(b'"') + 1]

    def _guess(self, start: int, end: int) -> tuple[int, bytes]:
        """Where the last record before `end` is likely to end, and the separator seen there; -1 if there is none."""
        for separator in (self._separator, self._short_separator, b"},"):
            found = self._buffer.rfind(separator, start, end) if separator else -1
            if found >= 0:
                return found, separator
        # No objects at all: any comma may be the one, as it is between numbers.
        return self._buffer.rfind(b",", start, end) - 1, b" ,"

    def _quick_end(self) -> Batch | None:
        """Take all that is left at once, if it is elements, `]` and `}`: the end of most files, all of small ones."""
        end = _END.search(self._buffer, self._at)
        batch = self._decode(self._at, end.start()) if end and self._looked <= self._at else None
        if batch is None or not (batch.elements or self._state is _At.FIRST_ELEMENT):
            return None
        self._go(_At.END, len(self._buffer) - self._at)
        return batch

    def _decode(self, start: int, end: int) -> Batch | None:
        text = b"".join((b"[", memoryview(self._buffer)[start:end], b"]"))
        try:
            elements = _ELEMENTS.decode(text)
        except (msgspec.DecodeError, RecursionError):
            return None
        if len(text) > self._max and any(len(memoryview(element)) > self._max for element in elements):
            return None  # the slow way gives those before the fault and names it
        return Batch(text, elements, checked=True)

    # The slow way ----------------------------------------------------------------------------------------------------

    def _step(self) -> bytes | None:
        """Read one token or one whole value; the element, if it was one. Stands still if the buffer is too short."""
        if self._looked <= self._at and (space := _SPACE.match(self._buffer, self._at)):
            self._at = self._looked = space.end()
        if self._at >= len(self._buffer):
            return None
        match self._state:
            case _At.VALUE | _At.ELEMENT | _At.FIRST_ELEMENT:
                return self._read_value()
            case _At.KEY | _At.FIRST_KEY:
                self._read_key()
            case _:
                self._read_mark()
        return None

    def _read_mark(self) -> None:
        mark = self._buffer[self._at : self._at + 1]
        match self._state, mark:
            case _At.START, b"{":
                self._go(_At.FIRST_KEY)
            case _At.START, b"\xef" if _BOM.startswith(self._buffer[self._at : self._at + 3]):
                if len(self._buffer) - self._at < len(_BOM):
                    return
                self._go(_At.START, len(_BOM))
            case _At.START, b"[":
                raise LogFileError("no_records", "the file is an array, not an object with Records")
            case _At.COLON, b":":
                self._go(_At.VALUE)
            case _At.AFTER_VALUE, b",":
                self._go(_At.KEY)
            case _At.AFTER_VALUE, b"}":
                self._go(_At.END)
            case _At.AFTER_ELEMENT, b",":
                self._go(_At.ELEMENT)
            case _At.AFTER_ELEMENT, b"]":
                self._go(_At.AFTER_VALUE)
            case _:
                raise self._bad(mark)

    def _read_key(self) -> None:
        mark = self._buffer[self._at : self._at + 1]
        if mark == b"}" and self._state is _At.FIRST_KEY:
            self._go(_At.END)
            return
        if mark != b'"':
            raise self._bad(mark)
        found = _STRING.match(self._buffer, self._at)
        if found is None:
            return
        self._key = found.group()
        self._go(_At.COLON, len(self._key))

    def _read_value(self) -> bytes | None:
        mark = self._buffer[self._at : self._at + 1]
        if self._state is _At.FIRST_ELEMENT and mark == b"]":
            self._go(_At.AFTER_VALUE)
            return None
        records = self._state is _At.VALUE and _is_records(self._key)
        if records and mark == b"[":
            self.arrays += 1
            self._array_is_last = True
            self._element_end = -1
            self._go(_At.FIRST_ELEMENT)
            return None
        end = self._value_end(mark)
        if end is None:
            return None
        text = self._buffer[self._at : end]
        if len(text) > self._max:
            raise self._too_large(len(text))
        if self._state is _At.VALUE:
            if not is_json(text):
                raise LogFileError("bad_json", "a value beside Records is not JSON")
            if records:
                self._array_is_last = False
            self._go(_At.AFTER_VALUE, len(text))
            return None
        self._element_end = end
        self._go(_At.AFTER_ELEMENT, len(text))
        return text

    def _value_end(self, mark: bytes) -> int | None:
        """Where the value that begins here ends, or `None` if the buffer ends first."""
        if mark not in b'{["':
            scalar = _SCALAR.match(self._buffer, self._at)
            if scalar is None:
                raise self._bad(mark)
            return scalar.end() if scalar.end() < len(self._buffer) else None
        if mark == b'"':
            string = _STRING.match(self._buffer, self._at)
            return string.end() if string else None
        for _ in range(_BRACKETS_A_STEP):
            bracket = _BRACKET.match(self._buffer, self._looked)
            if bracket is None:
                return None
            self._looked = bracket.end()
            self._depth += 1 if bracket[1] in b"{[" else -1
            if self._depth == 0:
                return self._looked
        self._tired = True
        return None

    def _go(self, state: _At, length: int = 1) -> None:
        self._at += length
        self._looked = self._at
        self._depth = 0
        self._state = state

    def _too_large(self, size: int) -> LogFileError:
        return LogFileError(
            "record_too_large",
            f"a record of {size} bytes or more: TRAILSTREAM_MAX_RECORD_BYTES is {self._max}",
        )

    def _bad(self, mark: bytes) -> LogFileError:
        return LogFileError("bad_json", f"unexpected {mark!r} at {self._state.name.lower().replace('_', ' ')}")


def is_json(text: bytes) -> bool:
    """Whether the standard library would take these bytes as JSON; deeper nesting than it follows counts as JSON."""
    try:
        _ANYTHING.decode(text)
    except RecursionError:
        return True
    except msgspec.DecodeError:
        try:
            json.loads(text.decode("utf-8", "replace"))
        except RecursionError:
            return True
        except ValueError:
            return False
    return True


def _is_records(key: bytes) -> bool:
    if b"\\" not in key:
        return key == b'"Records"'
    try:
        return bool(json.loads(key.decode("utf-8", "replace")) == "Records")
    except ValueError:
        return False
