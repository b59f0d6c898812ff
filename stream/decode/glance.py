"""A small log file in one piece in; out, what there is to know of it if nothing in it can match a rule.

Most log files are of a few records and come in one piece. Inflated, searched and parsed in three calls, such a file
takes half of what the general way takes, which looks at it next if there is anything about it at all.
"""

from dataclasses import dataclass
from typing import Final

import msgspec
from isal import igzip_lib

from stream.decode.scan import Prefilter

MOST_BYTES: Final = 8 * 1024
"""Of a file as it is stored."""

_MOST_JSON_BYTES: Final = 64 * 1024

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
        json_bytes: of its JSON.
    """

    records: int
    first: bytes | None
    json_bytes: int


def glance(file: bytes, prefilter: Prefilter) -> Harmless | None:
    """Look at a whole file of one gzip member; `None` if it is not that, not whole, or not plainly harmless."""
    member = igzip_lib.IgzipDecompressor(igzip_lib.DECOMP_GZIP)
    try:
        text = member.decompress(file, _MOST_JSON_BYTES)
        if not member.eof or member.unused_data or prefilter.search(text):
            return None
        records = _parse(text).Records
    except (_IsalError, msgspec.DecodeError, RecursionError):
        return None
    return Harmless(len(records), bytes(records[0]) if records else None, len(text))
