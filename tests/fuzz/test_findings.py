"""What fuzzing has found, each of it once."""

import struct
import zlib

import pytest

from tests.fuzz.inflate import inflated

TEXT = b'{"Records":[]}' * 10


@pytest.mark.parametrize(
    ("flags", "fields"), [(0, b""), (4, b"\3\0abc"), (8, b"name\0"), (16, b"comment\0"), (28, b"\1\0xname\0comment\0")]
)
def test_a_gzip_file_whose_header_has_a_checksum_is_read_wherever_it_is_cut(flags: int, fields: bytes) -> None:
    header = b"\x1f\x8b\x08" + bytes([2 | flags]) + bytes(4) + b"\0\xff" + fields
    checksum = struct.pack("<H", zlib.crc32(header) & 0xFFFF)
    deflate = zlib.compressobj(6, zlib.DEFLATED, -15)
    member = header + checksum + deflate.compress(TEXT) + deflate.flush()
    member += struct.pack("<II", zlib.crc32(TEXT), len(TEXT))
    for body, text in ((member, TEXT), (member * 2, TEXT * 2)):
        for cut in range(1, len(body)):
            assert inflated([body[:cut], body[cut:]]) == (text, None), cut
        assert inflated([body[at : at + 1] for at in range(len(body))]) == (text, None)
