"""A log file's bytes in, as they arrive; windows of its JSON out, never the whole of it.

gzip of any number of members, or plain JSON. A fault is a `LogFileError`: `empty`, `not_gzip`, `bad_gzip`, `bad_crc`
or `truncated`.
"""

import zlib
from collections.abc import Iterator
from contextlib import suppress
from typing import Final

from isal import igzip_lib

from stream.decode.beginning import Beginning
from stream.errors import LogFileError, LogFileReason

WINDOW_BYTES: Final = 256 * 1024
"""Size of a window: inside a core's second-level cache, large enough for calls to cost nothing beside work."""

_SLICE_BYTES: Final = 64 * 1024
_SMALL_BYTES: Final = 8 * 1024
_SMALL_WINDOW_BYTES: Final = 64 * 1024
# Bounds what is copied when a member ends: igzip hands back all that follows it, so a file of tiny members costs the
# square of the slice, not of the chunk.

_UNKEPT_SLICE_BYTES: Final = 8 * 1024
# isal gives nothing of the call that meets a fault, which may be all of a file; the standard library, a byte at a time,
# gives what stands before the fault. Of a file that is not kept so much is lost, at 3 % of inflating it.
_SALVAGE_STEP_BYTES: Final = 512

# isal's stubs declare its exception as an instance.
_IsalError: Final[type[Exception]] = igzip_lib.IsalError  # type: ignore[assignment]

_GZIP_MAGIC: Final = b"\x1f\x8b"
_METHOD_AT, _FLAGS_AT, _DEFLATE = 2, 3, 8
_HEADER_CHECKSUM, _EXTRA_FIELD, _FILE_NAME, _COMMENT = 2, 4, 8, 16
_HEADER_BYTES: Final = 128 * 1024
"""What a header may have; few have more than a dozen. An extra field has 64 KB at most, a file name any length."""

_JSON_SPACE: Final = b" \t\r\n"
_BOM: Final = b"\xef\xbb\xbf"


class Inflater:
    """Inflates one log file.

    Attributes:
        compressed_bytes: bytes fed so far.
        json_bytes: bytes of JSON given out so far.

    Args:
        beginning: what is kept of the file; whoever feeds chunks here adds them there first.
        window_bytes: the most that a window has.
    """

    def __init__(self, beginning: Beginning, *, window_bytes: int = WINDOW_BYTES) -> None:
        self._beginning = beginning
        self._window_bytes = window_bytes
        self.compressed_bytes = 0
        self.json_bytes = 0
        self._head = b""
        self._blank = False
        self._plain: bool | None = None
        self._member: igzip_lib.IgzipDecompressor | None = None
        self._between_members = b""
        self._members = 0
        self._member_at = 0
        self._member_json_bytes = 0
        self._padded = False

    def windows(self, chunk: bytes) -> Iterator[bytes]:
        """Inflate one chunk lazily: at most a window of JSON is made for each step of the iterator.

        The iterator has to be exhausted before the next chunk is fed.

        Raises:
            LogFileError: the bytes are neither gzip nor JSON, or gzip that is damaged.
        """
        self.compressed_bytes += len(chunk)
        if self._plain is None:
            self._plain, chunk = self._recognise(self._head + chunk)
            self._head = chunk if self._plain is None else b""
            if self._plain is None:
                return
        slice_bytes = _SLICE_BYTES if self._beginning.whole else _UNKEPT_SLICE_BYTES
        for start in range(0, len(chunk), slice_bytes):
            piece = chunk[start : start + slice_bytes]
            if self._plain:
                self.json_bytes += len(piece)
                yield piece
            else:
                end = self.compressed_bytes - len(chunk) + start + len(piece)
                yield from self._inflate(piece, end)

    def inflated(self, file: bytes, text: bytes) -> None:
        """Say that the file begins with this gzip member, of which somebody else has made this text."""
        self.compressed_bytes, self.json_bytes = len(file), len(text)
        self._plain, self._members = False, 1

    def finish(self) -> None:
        """Say that no more bytes come.

        Raises:
            LogFileError: `empty`, or `truncated` in the middle of a gzip member.
        """
        if self.compressed_bytes == 0:
            raise LogFileError("empty", "the object has no bytes")
        if self._plain is None:
            if self._head.startswith(_GZIP_MAGIC[:1]) and len(self._head) == 1:
                raise LogFileError("truncated", "the file ends within its first two bytes")
            raise LogFileError("bad_json", "nothing but white space")
        if not self._plain and (self._member is not None or self._between_members):
            raise LogFileError("truncated", f"the gzip data ends early, after {self.json_bytes} bytes of JSON")

    def _recognise(self, start: bytes) -> tuple[bool | None, bytes]:
        """Whether it is plain JSON by the first bytes, if they can tell; and these without white space before it."""
        if not self._blank and start.startswith(_GZIP_MAGIC):
            return False, start
        text = (start if self._blank else start.removeprefix(_BOM)).lstrip(_JSON_SPACE)
        if text[:1] in (b"{", b"["):
            self.json_bytes += len(start) - len(text)
            return True, text
        if text and (self._blank or not (start == _GZIP_MAGIC[:1] or _BOM.startswith(start))):
            raise LogFileError("not_gzip", f"neither gzip nor JSON: it begins with {start[:8].hex(' ')}")
        if not text and len(start) > len(_BOM):
            self._blank = True
            self.json_bytes += len(start)  # it counts, however little there is in it
            return None, b""
        return None, start

    def _inflate(self, piece: bytes, end: int) -> Iterator[bytes]:
        """Inflate a piece of the file that ends at this offset."""
        piece = self._between_members + piece
        self._between_members = b""
        while piece:
            if self._member is None:
                piece = self._after_padding(piece)
                if not piece:
                    return
                self._member = igzip_lib.IgzipDecompressor(igzip_lib.DECOMP_GZIP)
                self._member_at, self._member_json_bytes = end - len(piece), 0
            member = self._member
            # Room for a whole window costs sixty page faults, which are half of a small file's time.
            room = self._window_bytes if len(piece) >= _SMALL_BYTES else _SMALL_WINDOW_BYTES
            while True:
                try:
                    window = member.decompress(piece, room)
                except _IsalError as error:
                    yield from self._salvage()
                    # -6 is ISA-L's ISAL_INCORRECT_CHECKSUM (igzip_lib.h).
                    reason: LogFileReason = "bad_crc" if "-6" in str(error) else "bad_gzip"
                    raise LogFileError(reason, f"after {self.json_bytes} bytes of JSON: {error}") from error
                piece = b""
                if window:
                    self.json_bytes += len(window)
                    self._member_json_bytes += len(window)
                    yield window
                if member.eof:
                    piece = member.unused_data
                    self._member = None
                    break
                if member.needs_input:
                    return

    def _salvage(self) -> Iterator[bytes]:
        """What stands in the broken member before its fault and was not given out yet."""
        given = self._member_json_bytes
        for text in _until_fault(self._beginning.since(self._member_at)):
            fresh = text[given:]
            given = max(given - len(text), 0)
            for start in range(0, len(fresh), self._window_bytes):
                window = fresh[start : start + self._window_bytes]
                self.json_bytes += len(window)
                yield window

    def _after_padding(self, piece: bytes) -> bytes:
        """The start of the next member; empty while there is too little of it to tell.

        Zeros may pad a gzip file (gzip's own manual allows it); anything else that isn't a member is damage.
        """
        if self._members:
            rest = piece.lstrip(b"\0")
            self._padded = self._padded or len(rest) < len(piece)
            piece = rest
        if not piece:
            return b""
        if self._padded or not (piece.startswith(_GZIP_MAGIC) or piece == _GZIP_MAGIC[:1]):
            raise LogFileError("bad_gzip", f"bytes that are not gzip follow after {self.json_bytes} bytes of JSON")
        if not _header_is_whole(piece):
            if len(piece) > _HEADER_BYTES:
                raise LogFileError("bad_gzip", f"a gzip header of more than {_HEADER_BYTES} bytes")
            self._between_members = piece
            return b""
        self._members += 1
        return piece


def _header_is_whole(member: bytes) -> bool:
    """Whether isal may have a member's beginning (RFC 1952, 2.3), or has to wait for more of it.

    In pieces, it takes a header's checksum for wrong, and a comment that comes after half a file name for the data:
    there, another text could be hidden from it than every other reader finds.
    """
    if len(member) <= _FLAGS_AT:
        return False
    flags, at = member[_FLAGS_AT], 10
    if member[_METHOD_AT] != _DEFLATE:
        return True
    if flags & _EXTRA_FIELD:
        at += 2 + int.from_bytes(member[at : at + 2], "little")
    for flag in (_FILE_NAME, _COMMENT):
        if flags & flag:
            end = member.find(b"\0", at)
            if end < 0:
                return False
            at = end + 1
    return len(member) >= at + (2 if flags & _HEADER_CHECKSUM else 0)


def _until_fault(member: bytes) -> Iterator[bytes]:
    """The texts of a gzip member, in steps, up to the very byte at which it is broken."""
    inflater = zlib.decompressobj(zlib.MAX_WBITS | 16)
    for start in range(0, len(member), _SALVAGE_STEP_BYTES):
        step = member[start : start + _SALVAGE_STEP_BYTES]
        before = inflater.copy()
        try:
            yield inflater.decompress(step)
        except zlib.error:
            with suppress(zlib.error):
                for byte in step:
                    yield before.decompress(bytes([byte]))
            return
