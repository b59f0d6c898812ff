"""A log file in one piece in; out, how many records it has and which of them could match a rule.

Most log files come in one piece: nine of ten have a few records, and CloudTrail begins another at some megabytes of
JSON. Such a file is inflated at once and looked through in a few calls, which takes less than the general way does.
That looks at the text next if there is anything odd about it.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import msgspec
import orjson
from isal import igzip_lib

from stream.decode.beginning import MOST_BYTES
from stream.decode.inflate import WINDOW_BYTES
from stream.decode.scan import Prefilter
from stream.decode.scout import SHORTEST_BYTES, SPACE, Scout
from stream.decode.split import Batch
from stream.decode.texture import has_tiny_elements, has_tiny_values

MOST_JSON_BYTES: Final = 2 * 1024 * 1024
"""Of a text that is made at once; half of a millisecond's inflating for each of its megabytes."""

_SMALL_WINDOW_BYTES: Final = 64 * 1024
_MOST_RECORDS: Final = 4096
"""Of a text that is split at once: records of CloudTrail's have half a KiB at least."""

_TRIED_BYTES: Final = 16 * 1024
_DENSE_BYTES: Final = 2500
"""Where there is a literal in each so many bytes, about two records, most records have one."""

_FLAGS: Final = slice(3, 4)
"""Of a gzip header: what else is in it, such as a name, which CloudTrail's have none of."""

_SIZE_BYTES: Final = 4

# isal's stubs declare its exception as an instance.
_IsalError: Final[type[Exception]] = igzip_lib.IsalError  # type: ignore[assignment]


class _LogFile(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """Nothing but records, as CloudTrail writes them."""

    Records: list[msgspec.Raw]


_parse: Final = msgspec.json.Decoder(_LogFile).decode
_NOTHING: Final = msgspec.Raw(b"")

_HEAD: Final = re.compile(SPACE.join((b"", rb"\{", b'"Records"', b":", rb"(?=\[)")))
_TAIL: Final = re.compile(SPACE.join((b"", rb"\}", b"")))


@dataclass(frozen=True, slots=True)
class Seen:
    """A log file that was looked through.

    Attributes:
        records: how many it has.
        first: the text of the first one; `None` if there is none, or all are parsed.
        batch: all of them, if one of them could match.
        parsed: instead of that, if most of them could.
    """

    records: int
    first: bytes | None
    batch: Batch | None = None
    parsed: Sequence[dict[str, Any]] = ()


def inflated(file: bytes) -> bytes | None:
    """The text of a file that is one gzip member; `None` if it is not that, not whole, or too large.

    A member ends with its text's size (RFC 1952, 2.3.1). What is no whole file ends with four bytes that hardly ever
    are a size that it could have.
    """
    size = int.from_bytes(file[-_SIZE_BYTES:], "little")
    if not len(file) // 2 <= size <= MOST_JSON_BYTES or len(file) > MOST_BYTES or file[_FLAGS] != b"\0":
        return None
    member = igzip_lib.IgzipDecompressor(igzip_lib.DECOMP_GZIP)
    try:
        text = member.decompress(file, size + 1)  # with room for one byte more, it goes on to the end
    except _IsalError:
        return None
    return text if member.eof and not member.unused_data else None


def windows(text: bytes) -> Iterator[bytes]:
    """The text in pieces; in smaller ones where it is no records but tens of thousands of something smaller."""
    for at in range(0, len(text), WINDOW_BYTES):
        window = text[at : at + WINDOW_BYTES]
        if not has_tiny_elements(window):
            yield window
        else:
            yield from (
                window[start : start + _SMALL_WINDOW_BYTES] for start in range(0, len(window), _SMALL_WINDOW_BYTES)
            )


def look(text: bytes, prefilter: Prefilter, *, max_record_bytes: int) -> Seen | None:
    """Look at the text of a whole log file; `None` if there is anything odd about it."""
    if len(text) > max_record_bytes:
        return None  # a record may be too large
    if len(text) >= SHORTEST_BYTES:
        scout = Scout(prefilter, max_record_bytes=max_record_bytes)
        if scout.is_clean(text):
            return Seen(scout.records, scout.first) if scout.is_whole() else None
        if _is_dense(text, prefilter) and (seen := _parse_all(text)):
            return seen
        elements = _split_large(text)
    else:
        elements = _split(text)
    if elements is None:
        return None
    first = bytes(elements[0]) if elements else None
    if not elements or not prefilter.search(text):
        return Seen(len(elements), first)
    array = text.find(b"["), text.rfind(b"]") + 1
    return Seen(len(elements), first, Batch(text, elements, checked=True, array=array))


def _is_dense(text: bytes, prefilter: Prefilter) -> bool:
    """Whether most records could match, by the first few."""
    most = _TRIED_BYTES // _DENSE_BYTES
    return prefilter.ends is not None and prefilter.ends(text[:_TRIED_BYTES], most) is None


def _parse_all(text: bytes) -> Seen | None:
    if has_tiny_values(text):
        return None
    try:
        document = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    records = document.get("Records") if type(document) is dict and len(document) == 1 else None
    if type(records) is not list or not records or not all(type(record) is dict for record in records):
        return None
    return Seen(len(records), None, parsed=records)


def _split(text: bytes) -> Sequence[msgspec.Raw] | None:
    try:
        return _parse(text).Records
    except (msgspec.DecodeError, RecursionError):
        return None


@cache
def _few() -> Callable[[memoryview], Any]:
    """A parser of an array of no more than so many records; made when it is needed, since that takes milliseconds.

    They are in a structure in an array's shape: msgspec looks at a list's length only when it has made all of it, and
    two MiB may be a million elements.
    """
    fields = [(f"_{number}", msgspec.Raw, _NOTHING) for number in range(_MOST_RECORDS)]
    few = msgspec.defstruct("_Few", fields, array_like=True, forbid_unknown_fields=True, gc=False)
    return msgspec.json.Decoder(few).decode


def _split_large(text: bytes) -> Sequence[msgspec.Raw] | None:
    head, end = _HEAD.match(text), text.rfind(b"]") + 1
    if head is None or not _TAIL.fullmatch(text, end):
        return None
    try:
        # The array alone, once: each time that a file names it anew, such a structure takes 30 us to make.
        elements = msgspec.structs.astuple(_few()(memoryview(text)[head.end() : end]))
    except (msgspec.DecodeError, RecursionError):
        return None
    return elements[: elements.index(_NOTHING)] if elements[-1] is _NOTHING else elements
