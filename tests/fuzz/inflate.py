"""Files as they are stored: the same text comes out however they arrive, or the same fault, window by window."""

import gzip
import zlib
from contextlib import suppress
from itertools import pairwise
from typing import Final

from stream.decode.beginning import Beginning
from stream.decode.inflate import WINDOW_BYTES, Inflater
from stream.errors import LogFileError
from tests.fuzz.draw import Draw

_ENOUGH_BYTES: Final = 4 * 1024 * 1024


def TestOneInput(data: bytes) -> None:  # noqa: N802 - libFuzzer's name for it
    """One file, in one piece and in several; the last bytes say where it is cut, and whether we compress it first."""
    body, draw = data[:-6], Draw(data[-6:])
    if draw.byte() % 2:
        middle = draw.byte() % (len(body) + 1)
        members = bytearray(gzip.compress(body[:middle], 6) + gzip.compress(body[middle:], 0))
        members[draw.byte() % len(members)] ^= draw.byte()
        body = bytes(members)
    cuts = sorted({draw.byte() % (len(body) + 1), draw.byte() * 31 % (len(body) + 1)})

    whole, fault = inflated([body])
    pieces, other = inflated([body[start:end] for start, end in pairwise([0, *cuts, len(body)])])
    # What ISA-L says of damage, and how far it comes, depends on how much it has seen; that there is some does not.
    assert (other is None) == (fault is None)
    assert whole.startswith(pieces) or pieces.startswith(whole)
    assert fault or pieces == whole
    if fault is None and body.startswith(b"\x1f\x8b") and len(whole) < _ENOUGH_BYTES:
        with suppress(zlib.error):  # it refuses reserved flags, which do no harm
            assert whole == _by_the_standard_library(body)


def inflated(chunks: list[bytes]) -> tuple[bytes, str | None]:
    """The text, as far as it is read, and the reason of the fault that ended it."""
    beginning, text = Beginning(), bytearray()
    inflater = Inflater(beginning)
    try:
        for chunk in chunks:
            beginning.add(chunk)
            for window in inflater.windows(chunk):
                assert 0 < len(window) <= WINDOW_BYTES
                text += window
                if len(text) > _ENOUGH_BYTES:
                    return bytes(text[:_ENOUGH_BYTES]), None
        inflater.finish()
    except LogFileError as error:
        return bytes(text), error.reason
    return bytes(text), None


def _by_the_standard_library(body: bytes) -> bytes:
    text = b""
    while body:
        inflater = zlib.decompressobj(31)
        text += inflater.decompress(body)
        body = inflater.unused_data.lstrip(b"\0")
    return text
