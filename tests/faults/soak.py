"""`python -m tests.faults.soak --minutes 60`: one replica under steady load; whether anything of it grows.

Prints a table of samples and, after the first fifth of the time, the slope of memory and by how much the mean count of
descriptors, threads and tasks in the last third is above that of the third before. Exit code 1: memory grows by a
megabyte an hour or more, or a count by more than it comes and goes with the load, or something was lost.

What people were told is remembered while SQS may hand it out again: a quarter of a KB an alert, 100,000 of them
at most. One log file in 500 holds a change, so that this fills no tenth of the megabyte.
"""

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import astuple, dataclass
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from statistics import fmean
from typing import Final

from stream.demo.emulator import Emulator
from stream.demo.wiring import Wiring, wire
from stream.demo.workload import Workload
from tests.receiver import Receiver
from tests.test_end_to_end import FOLDER, log_file, settings, stop_logging

_MATCHING: Final = 500  # of so many log files one holds a change
_RECORDS: Final = 20
_HOUR_S: Final = 3600.0
_MOST_MB_AN_HOUR: Final = 1.0
_COMES_AND_GOES: Final = {"fds": 3, "threads": 1, "tasks": 10}
"""Connections are kept for a while, and there are as many as were needed at once: 30 or so."""


@dataclass(frozen=True, slots=True)
class Sample:
    """What the replica is made of at one moment."""

    minutes: float
    rss_mb: float
    descriptors: int
    threads: int
    tasks: int
    log_files: int
    alerts: int


async def soak(minutes: float, rate: float, every_s: float, folder: Path) -> tuple[list[Sample], int]:
    """Load one replica; its samples, and how many planted changes were not told.

    Args:
        minutes: how long.
        rate: log files a second.
        every_s: between samples.
        folder: for its log.
    """
    async with AsyncExitStack() as stack:
        emulator = stack.enter_context(Emulator(folder))
        wiring = await stack.enter_async_context(wire(emulator.endpoint, "soak", routes=("s3",)))
        receiver = await stack.enter_async_context(Receiver())
        wanted = settings(wiring, WEBHOOK_URL=receiver.url, STATUS_PORT="off")
        workload = await stack.enter_async_context(Workload(wanted, emulator.environ, folder))
        samples: list[Sample] = []
        heard: set[str] = set()
        async with asyncio.TaskGroup() as tasks:
            load = tasks.create_task(_load(wiring, minutes * 60, rate))
            began = time.monotonic()
            while not load.done():
                await asyncio.wait({load}, timeout=every_s)
                heard.update(request.json()["data"]["event"]["id"] for request in receiver.requests)
                receiver.requests.clear()  # so that this process does not grow
                samples.append(await _sample(workload, (time.monotonic() - began) / 60))
                _print(samples[-1])
        planted = load.result()
        async with asyncio.timeout(120):
            while (await wiring.depth()).total:  # noqa: ASYNC110 - it is another process that changes
                await asyncio.sleep(0.2)
        heard.update(request.json()["data"]["event"]["id"] for request in receiver.requests)
    return samples, planted - len(heard)


async def _load(wiring: Wiring, seconds: float, rate: float) -> int:
    """Put log files at this rate; how many changes were in them."""
    began, planted = time.monotonic(), 0
    for number in count():
        due = began + number / rate
        if due - began > seconds:
            return planted
        await asyncio.sleep(max(due - time.monotonic(), 0))
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        changed = number % _MATCHING == 0
        planted += changed
        harmless = {"eventName": "GetTrail"}
        records = [
            stop_logging(f"{number}-{each}", eventTime=now, **({} if changed and not each else harmless))
            for each in range(_RECORDS)
        ]
        # The emulator keeps what it is given: the keys come round again.
        await wiring.put("s3", f"{FOLDER}{number % 200}.json.gz", log_file(*records))
    raise AssertionError


async def _sample(workload: Workload, minutes: float) -> Sample:
    seen = await workload.scrape()
    process = workload._process
    pid = process.pid if process else 0
    return Sample(
        minutes,
        seen.total("process_resident_memory_bytes") / 1e6,
        int(seen.total("process_open_fds")),
        _threads(pid),
        int(seen.total("event_loop_tasks")),
        int(seen.total("log_files_total", outcome="read")),
        int(seen.total("alerts_total")),
    )


def _threads(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/task").iterdir()))


def slope(samples: Sequence[Sample], column: int) -> float:
    """Growth an hour, by least squares, after the first fifth."""
    rows = [astuple(each) for each in samples[len(samples) // 5 :]]
    hours = [row[0] / 60 for row in rows]
    values = [row[column] for row in rows]
    mean_x, mean_y = sum(hours) / len(rows), sum(values) / len(rows)
    spread = sum((x - mean_x) ** 2 for x in hours)
    return sum((x - mean_x) * (y - mean_y) for x, y in zip(hours, values, strict=True)) / spread if spread else 0.0


def rise(samples: Sequence[Sample], column: int) -> float:
    """By how much the mean of the last third is above that of the third before."""
    values: list[float] = [astuple(each)[column] for each in samples]
    third = max(len(values) // 3, 1)
    return fmean(values[-third:]) - fmean(values[-2 * third : -third] or values)


def _print(sample: Sample) -> None:
    sys.stdout.write(
        f"{sample.minutes:7.1f} {sample.rss_mb:8.1f} {sample.descriptors:5} {sample.threads:7} {sample.tasks:5} "
        f"{sample.log_files:9} {sample.alerts:6}\n"
    )
    sys.stdout.flush()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=60.0, help="how long (60)")
    parser.add_argument("--rate", type=float, default=80.0, help="log files a second (80)")
    parser.add_argument("--every", type=float, default=30.0, help="seconds between samples (30)")
    options = parser.parse_args()
    sys.stdout.write("minutes   rss MB   fds threads tasks log files alerts\n")
    with tempfile.TemporaryDirectory(prefix="trailstream-soak-") as folder:
        samples, lost = asyncio.run(soak(options.minutes, options.rate, options.every, Path(folder)))
    memory = slope(samples, 1)
    rises = {name: rise(samples, column) for column, name in ((2, "fds"), (3, "threads"), (4, "tasks"))}
    told = ", ".join(f"{value:+.0f} {name}" for name, value in rises.items())
    sys.stdout.write(
        f"after warm-up: {memory:+.2f} MB an hour; from the second third to the last: {told}; lost {lost}\n"
    )
    steady = memory < _MOST_MB_AN_HOUR and all(value <= _COMES_AND_GOES[name] for name, value in rises.items())
    return 0 if steady and not lost else 1


if __name__ == "__main__":
    sys.exit(main())
