"""Peak resident memory of `trailstream run` after log files of every size, each in a process of its own."""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass

from stream.demo.emulator import Emulator
from stream.demo.generator import Generator
from stream.demo.principals import ACCOUNTS, REGIONS
from tests.benchmarks.running import put, queue, running
from tests.benchmarks.subject import Target, say

TARGETS = (
    Target("Peak memory of `run`, log files of 10 KB, 1.4 MB, 10 MB, 100 MB and 1 GB of JSON", "≤ 128 MB"),
    Target("The same, 64 log files at once", "≤ 128 MB"),
    Target("Growth of the peak from a log file of 10 MB to one of 1 GB", "≤ 4 MB"),
)

MB = 1_000_000
_BLOCK_RECORDS = 4000  # about five megabytes


@dataclass(frozen=True, slots=True)
class _Case:
    name: str
    json_bytes: int
    messages: int
    at_once: int = 16


_CASES = (
    _Case("10 KB", 10_000, 1000),
    _Case("1.4 MB", 1_400_000, 300),
    _Case("10 MB", 10 * MB, 64),
    _Case("100 MB", 100 * MB, 8),
    _Case("1 GB", 1000 * MB, 1),
)
_MANY = (_Case("10 KB", 10_000, 1000, 64), _Case("1.4 MB", 1_400_000, 300, 64), _Case("10 MB", 10 * MB, 64, 64))


async def measure() -> Sequence[str]:
    with Emulator() as emulator:
        usual = [await _peak(emulator, case) for case in _CASES]
        many = [await _peak(emulator, case) for case in _MANY]
        growth = await _growth(emulator)
    return (
        _text(usual),
        f"{_text(many)} (10 KB, 1.4 MB, 10 MB)",
        f"{growth / MB:.1f} MB",
    )


def giant(json_bytes: int, *, block_records: int = _BLOCK_RECORDS) -> bytes:
    """The gzip of one log file of about that size, whatever it is, in a moment: the same records again and again.

    A block that is deflated on its own, up to a full flush, may follow itself any number of times (RFC 1951); only the
    checksum has to be made for each.
    """
    generator = Generator(seed=1, look_alikes=0.0)
    records = min(block_records, max(1, json_bytes // 1250))
    text = zlib.decompress(b"".join(generator.stream(records)), 31).removeprefix(b'{"Records":[').removesuffix(b"]}")
    first, block, last = b'{"Records":[' + text, b"," + text, b"]}"
    more = max(0, json_bytes - len(first)) // len(block)
    checksum = zlib.crc32(first)
    for _ in range(more):
        checksum = zlib.crc32(block, checksum)
    checksum = zlib.crc32(last, checksum)
    size = len(first) + more * len(block) + len(last)
    header = b"\x1f\x8b\x08\0\0\0\0\0\0\xff"
    trailer = checksum.to_bytes(4, "little") + (size % 2**32).to_bytes(4, "little")
    return header + _deflated(first) + _deflated(block) * more + _deflated(last, zlib.Z_FINISH) + trailer


def key(number: int = 0) -> str:
    """A log file's key of the account whose records `giant` holds."""
    account, region = ACCOUNTS[0], REGIONS[0]
    name = f"{account}_CloudTrail_{region}_20260115T0900Z_{number:016}.json.gz"
    return f"AWSLogs/{account}/CloudTrail/{region}/2026/01/15/{name}"


async def _peak(emulator: Emulator, case: _Case) -> int:
    name = f"memory-{case.json_bytes}-{case.at_once}"
    async with queue(emulator, name) as wiring:
        await put(wiring, {key(): giant(case.json_bytes)})
        async with running(emulator, wiring, {"CONCURRENCY": str(case.at_once)}) as process:
            await process.work([key()] * case.messages)
            peak = process.peak_bytes
    say(f"  {case.name}, {case.at_once} at once: {peak / MB:.0f} MB")
    return peak


async def _growth(emulator: Emulator) -> int:
    """How much more one process has had after one of 1 GB than after several of 10 MB, one at a time."""
    async with queue(emulator, "memory-growth") as wiring:
        await put(wiring, {key(1): giant(10 * MB), key(2): giant(1000 * MB)})
        async with running(emulator, wiring, {"CONCURRENCY": "1"}) as process:
            await process.work([key(1)] * 10)
            small = process.peak_bytes
            await process.work([key(2)])
            large = process.peak_bytes
    say(f"  one at a time: {small / MB:.1f} MB after 10 MB, {large / MB:.1f} MB after 1 GB")
    return large - small


def _deflated(text: bytes, flush: int = zlib.Z_FULL_FLUSH) -> bytes:
    deflate = zlib.compressobj(6, zlib.DEFLATED, -15)
    return deflate.compress(text) + deflate.flush(flush)


def _text(peaks: Sequence[int]) -> str:
    return ", ".join(f"{peak / MB:.0f}" for peak in peaks) + " MB"
