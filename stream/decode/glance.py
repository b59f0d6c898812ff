"""A log file in one piece in; out, what there is to know of it if nothing in it can match a rule.

Most log files come in one piece: nine of ten have a few records, and CloudTrail begins another at some megabytes of
JSON. Such a file is inflated at once and looked through in a few calls, which takes less than the general way does.
That looks at the text next if there is anything about it at all.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import msgspec
import stringzilla
from isal import igzip_lib

from stream.decode.beginning import MOST_BYTES
from stream.decode.inflate import WINDOW_BYTES
from stream.decode.scan import Prefilter
from stream.decode.scout import SHORTEST_BYTES, Scout

MOST_JSON_BYTES: Final = 2 * 1024 * 1024
"""Of a text that is made at once; half of a millisecond's inflating for each of its megabytes."""

_SMALL_WINDOW_BYTES: Final = 64 * 1024
_LEAST_BYTES: Final = 20
"""Between two commas, of which a record of CloudTrail's has one in thirty bytes."""

_FLAGS: Final = slice(3, 4)
"""Of a gzip header: what else is in it, such as a name, which CloudTrail's have none of."""

_SIZE_BYTES: Final = 4

# isal's stubs declare its exception as an instance.
_IsalError: Final[type[Exception]] = igzip_lib.IsalError  # type: ignore[assignment]


class _LogFile(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """Nothing but records, as CloudTrail writes them."""

    Records: list[msgspec.Raw]


_parse: Final = msgspec.json.Decoder(_LogFile).decode


@dataclass(frozen=True, slots=True)
class Harmless:
    """A log file without a literal.

    Attributes:
        records: how many it has.
        first: the text of the first one; `None` if there is none.
    """

    records: int
    first: bytes | None


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
        if stringzilla.count(window, b",") * _LEAST_BYTES < len(window):
            yield window
        else:
            yield from (
                window[start : start + _SMALL_WINDOW_BYTES] for start in range(0, len(window), _SMALL_WINDOW_BYTES)
            )


def harmless(text: bytes, prefilter: Prefilter, *, max_record_bytes: int) -> Harmless | None:
    """Look at the text of a whole log file; `None` if it is not plainly harmless."""
    if len(text) > max_record_bytes:
        return None  # a record may be too large
    if len(text) >= SHORTEST_BYTES:
        scout = Scout(prefilter, max_record_bytes=max_record_bytes)
        return Harmless(scout.records, scout.first) if scout.is_clean(text) and scout.is_whole() else None
    if prefilter.search(text):
        return None
    try:
        records = _parse(text).Records
    except (msgspec.DecodeError, RecursionError):
        return None
    return Harmless(len(records), bytes(records[0]) if records else None)
