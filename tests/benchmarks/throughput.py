"""Notification to acknowledgement: `trailstream run` and the plain loop on the same queue, files a CPU-second."""

import asyncio
import json
import platform
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from isal import igzip_lib

from stream.demo.emulator import Emulator
from stream.demo.generator import Generator, LogFile
from stream.demo.wiring import Wiring, wire
from stream.demo.workload import Workload

_OBJECTS = 20  # written once each and announced again and again: the emulator's puts are the slow part


@dataclass(frozen=True, slots=True)
class Case:
    """A size of log file, and how many messages it takes to measure it."""

    name: str
    records: int
    messages: int


CASES = (Case("1.4 MB", 1100, 300), Case("10 KB", 8, 2000))


async def main() -> None:
    print(f"{platform.processor() or platform.machine()}, Python {platform.python_version()}")
    print("CPU-seconds (user + system) of the process; the embedded AWS runs in its own\n")
    with Emulator() as emulator:
        for case in CASES:
            await measure(emulator, case)


async def measure(emulator: Emulator, case: Case) -> None:
    generator = Generator(seed=1, look_alikes=0.0)
    files = [generator.log_file(case.records) for _ in range(_OBJECTS)]
    async with wire(emulator.endpoint, f"bench-{case.records}", routes=("s3",), visibility_timeout_s=600) as wiring:
        for file in files:
            await wiring.s3.put_object(Bucket=wiring.buckets["s3"], Key=file.key, Body=file.body)
        await wiring.sqs.purge_queue(QueueUrl=wiring.queue_url)
        await _announce(wiring, files, case.messages)
        plain_s = await _plain_loop(emulator, wiring, case.messages)
        ours_s = await _trailstream(emulator, wiring, files, case.messages)
    json_bytes = sum(file.json_bytes for file in files) / len(files) * case.messages
    inflate_s = _inflate(files) / len(files) * case.messages
    print(f"{case.name} of JSON a file, {case.records} records, {case.messages} messages, nothing to alert on")
    for name, seconds in (("plain loop", plain_s), ("trailstream run", ours_s), ("isal inflate only", inflate_s)):
        print(f"  {name:18} {case.messages / seconds:8.0f} files/s {json_bytes / seconds / 1e6:8.0f} MB/s")
    print(f"  trailstream is {plain_s / ours_s:.1f} x the plain loop, {inflate_s / ours_s:.0%} of bare inflate\n")


async def _announce(wiring: Wiring, files: list[LogFile], messages: int) -> None:
    bodies = [_body(wiring.buckets["s3"], files[number % len(files)].key) for number in range(messages)]
    for batch in _batches(bodies):
        entries = [{"Id": str(number), "MessageBody": body} for number, body in enumerate(batch)]
        await wiring.sqs.send_message_batch(QueueUrl=wiring.queue_url, Entries=entries)


def _body(bucket: str, key: str) -> str:
    entity = {"bucket": {"name": bucket}, "object": {"key": key, "size": 1}}
    entry = {"eventSource": "aws:s3", "eventName": "ObjectCreated:Put", "awsRegion": "us-east-1", "s3": entity}
    return json.dumps({"Records": [entry]})


def _batches(bodies: list[str]) -> Iterator[list[str]]:
    for start in range(0, len(bodies), 10):
        yield bodies[start : start + 10]


async def _plain_loop(emulator: Emulator, wiring: Wiring, messages: int) -> float:
    command = (sys.executable, "-m", "tests.benchmarks.plain_loop", wiring.queue_url, str(messages))
    child = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE, env=emulator.environ)
    output, _ = await child.communicate()
    return float(output.splitlines()[-1])


async def _trailstream(emulator: Emulator, wiring: Wiring, files: list[LogFile], messages: int) -> float:
    settings = {"QUEUE_URL": wiring.queue_url, "BUCKETS": "*", "STDOUT": "true", "LOG_LEVEL": "warning"}
    with tempfile.TemporaryDirectory() as folder:
        async with Workload(settings, emulator.environ, Path(folder)) as workload, asyncio.timeout(300):
            before = await workload.scrape()
            await _announce(wiring, files, messages)
            after = before
            while after.total("messages_settled_total", outcome="acknowledged") < messages:
                await asyncio.sleep(0.5)  # a scrape costs the process a little, too
                after = await workload.scrape()
    return after.total("process_cpu_seconds_total") - before.total("process_cpu_seconds_total")


def _inflate(files: list[LogFile]) -> float:
    began = time.process_time()
    for file in files:
        member = igzip_lib.IgzipDecompressor(igzip_lib.DECOMP_GZIP)
        member.decompress(file.body, 256 * 1024)
        while not member.eof:
            member.decompress(b"", 256 * 1024)
    return time.process_time() - began


if __name__ == "__main__":
    asyncio.run(main())
