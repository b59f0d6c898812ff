"""Notification to acknowledgement: `trailstream run`, the plain loop and inflate alone on the same log files."""

import asyncio
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle, islice

from isal import igzip_lib

from stream.demo.emulator import Emulator
from stream.demo.generator import Generator, LogFile
from tests.benchmarks.running import announce, put, queue, running
from tests.benchmarks.subject import Target, say

TARGETS = (
    Target(
        "Notification to acknowledgement, log files of 1.4 MB (1,100 records), nothing to alert on",
        "≥ 9 x the plain loop, ≥ 65 % of isal inflating the same bytes",
    ),
    Target(
        "The same, log files of 10 KB (8 records)",
        "≥ 5 x the plain loop, ≥ 4,000 files a CPU-second",
    ),
    Target("Requests to AWS a log file", "≤ 1.25"),
)

_OBJECTS = 20  # written once each and announced again and again: the emulator's puts are the slow part
_ROUNDS = 5
_PLAIN_ROUNDS = 2
_WARM_UP = 40


@dataclass(frozen=True, slots=True)
class Case:
    """A size of log file, and how many messages a round has."""

    name: str
    records: int
    messages: int
    plain_messages: int


LARGE = Case("1.4 MB", 1100, 600, 200)
SMALL = Case("10 KB", 8, 2000, 1000)


@dataclass(frozen=True, slots=True)
class Speed:
    """CPU-seconds a log file, and requests to AWS a log file, of `trailstream run`."""

    seconds: float
    json_bytes: float
    requests: float

    @property
    def text(self) -> str:
        return f"{1 / self.seconds:,.0f} files, {self.json_bytes / self.seconds / 1e6:,.0f} MB of JSON a CPU-second"


async def measure() -> Sequence[str]:
    with Emulator() as emulator:
        large, large_plain_s, inflate_s = await _compare(emulator, LARGE)
        small, small_plain_s, _ = await _compare(emulator, SMALL)
    return (
        f"{large_plain_s / large.seconds:.1f} x the plain loop, {inflate_s / large.seconds:.0%} of isal; {large.text}",
        f"{small_plain_s / small.seconds:.1f} x the plain loop; {small.text}",
        f"{large.requests:.2f} (1.4 MB), {small.requests:.2f} (10 KB)",
    )


async def service_times() -> tuple[Speed, Speed]:
    """What `trailstream run` takes for a small log file and for a large one."""
    with Emulator() as emulator:
        return await trailstream(emulator, SMALL), await trailstream(emulator, LARGE)


async def trailstream(emulator: Emulator, case: Case) -> Speed:
    """The best of several rounds; what is shared with other work on the machine can only add to one."""
    files = _files(case)
    async with queue(emulator, f"speed-{case.records}") as wiring:
        await put(wiring, {file.key: file.body for file in files})
        async with running(emulator, wiring) as process:
            await process.work(_keys(files, _WARM_UP))
            before = await process.scrape()
            seconds = [await process.work(_keys(files, case.messages)) for _ in range(_ROUNDS)]
            after = await process.scrape()
    requests = after.total("aws_requests_total") - before.total("aws_requests_total")
    say(f"  {case.name}: " + ", ".join(f"{each / case.messages * 1e3:.3f}" for each in seconds) + " ms of CPU a file")
    return Speed(
        seconds=min(seconds) / case.messages,
        json_bytes=sum(file.json_bytes for file in files) / len(files),
        requests=requests / (case.messages * _ROUNDS),
    )


async def _compare(emulator: Emulator, case: Case) -> tuple[Speed, float, float]:
    """Ours, and CPU-seconds a log file of the plain loop and of inflate alone."""
    ours = await trailstream(emulator, case)
    files = _files(case)
    plain_s = min([await _plain_loop(emulator, case, files) for _ in range(_PLAIN_ROUNDS)])
    inflate_s = min(_inflate(files) for _ in range(10)) / len(files)
    say(f"  {case.name}: plain loop {plain_s * 1e3:.3f}, isal alone {inflate_s * 1e3:.3f}")
    return ours, plain_s, inflate_s


def _files(case: Case) -> list[LogFile]:
    generator = Generator(seed=1, look_alikes=0.0)
    return [generator.log_file(case.records) for _ in range(_OBJECTS)]


def _keys(files: Sequence[LogFile], messages: int) -> list[str]:
    return [file.key for file in islice(cycle(files), messages)]


async def _plain_loop(emulator: Emulator, case: Case, files: Sequence[LogFile]) -> float:
    async with queue(emulator, f"plain-{case.records}") as wiring:
        await put(wiring, {file.key: file.body for file in files})
        await announce(wiring, _keys(files, case.plain_messages))
        command = ("-m", "tests.benchmarks.plain_loop", wiring.queue_url, str(case.plain_messages))
        child = await asyncio.create_subprocess_exec(
            sys.executable, *command, stdout=asyncio.subprocess.PIPE, env=emulator.environ
        )
        output, _ = await child.communicate()
    return float(output.splitlines()[-1]) / case.plain_messages


def _inflate(files: Sequence[LogFile]) -> float:
    began = time.process_time()
    for file in files:
        member = igzip_lib.IgzipDecompressor(igzip_lib.DECOMP_GZIP)
        member.decompress(file.body, 256 * 1024)
        while not member.eof:
            member.decompress(b"", 256 * 1024)
    return time.process_time() - began
