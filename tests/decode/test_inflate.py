"""gzip in every form: headers of any size, cut anywhere."""

import zlib

import pytest

from stream.errors import LogFileError
from tests.decode.logs import read


def with_header(flags: int, extra: bytes, name: bytes, comment: bytes, text: bytes) -> bytes:
    """A gzip member; flags as in RFC 1952: 2 for a checksum of the header, 4 an extra field, 8 a name, 16 a comment."""
    header = bytes((0x1F, 0x8B, 8, flags, 0, 0, 0, 0, 0, 255))
    header += (len(extra).to_bytes(2, "little") + extra) if flags & 4 else b""
    header += (name + b"\0") if flags & 8 else b""
    header += (comment + b"\0") if flags & 16 else b""
    header += (zlib.crc32(header) & 0xFFFF).to_bytes(2, "little") if flags & 2 else b""
    deflated = zlib.compressobj(6, wbits=-15)
    body = deflated.compress(text) + deflated.flush()
    return header + body + zlib.crc32(text).to_bytes(4, "little") + len(text).to_bytes(4, "little")


@pytest.mark.parametrize("flags", range(32))
def test_a_header_may_be_cut_anywhere(flags: int) -> None:
    text = b'{"Records":[{"eventName":"StopLogging"}]}'
    member = with_header(flags, b"a\0\x03\0b", b"trail.json", b"\x03@ delivered", text)

    for cut in range(len(member)):
        assert read(member, [cut]) == [{"eventName": "StopLogging"}], cut
    assert read(member, list(range(len(member)))) == [{"eventName": "StopLogging"}]


def test_a_comment_is_no_data_however_the_name_before_it_is_cut() -> None:
    """isal takes it for data if the name came in two pieces: here, an empty file; for everybody else it is damaged."""
    body = bytes.fromhex("1f8b0818323632383530") + b"22,3\xef\xef\0" + b"\x03@\0" + bytes(17)

    for cut in range(len(body)):
        with pytest.raises(LogFileError) as fault:
            read(body, [cut])
        assert fault.value.reason == "bad_gzip", cut


@pytest.mark.parametrize("chunk_bytes", [4096, 70_000, 1 << 20])
def test_the_largest_extra_field_may_be_cut_anywhere(chunk_bytes: int) -> None:
    body = with_header(12, b"x" * 65_535, b"trail.json", b"", b'{"Records":[{"eventName":"StopLogging"}]}')

    assert read(body, list(range(0, len(body), chunk_bytes))) == [{"eventName": "StopLogging"}]


@pytest.mark.parametrize("chunk_bytes", [4096, 70_000, 1 << 20])
def test_a_header_without_an_end_is_refused(chunk_bytes: int) -> None:
    body = with_header(8, b"", b"n" * 200_000, b"", b'{"Records":[]}')

    with pytest.raises(LogFileError, match="a gzip header of more than 131072 bytes") as fault:
        read(body, list(range(0, len(body), chunk_bytes)))
    assert fault.value.reason == "bad_gzip"
