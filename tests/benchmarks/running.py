"""The real `trailstream run` on the emulator's queue: announce objects, wait until all are acknowledged, look at it.

CPU-seconds and peak memory are the kernel's own (`/proc`), so that reading them costs the process nothing.
"""

import asyncio
import json
import os
import tempfile
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from stream.demo.emulator import Emulator
from stream.demo.wiring import Wiring, wire
from stream.demo.workload import Samples, Workload

_PATIENCE_S = 300
_POLL_S = 0.05
_TICKS = os.sysconf("SC_CLK_TCK")


_sizes: dict[tuple[str, str], int] = {}  # of what was put, by bucket and key, as S3 would announce it


@dataclass(frozen=True, slots=True)
class Process:
    """A `trailstream run` that is ready, and the queue that it reads."""

    workload: Workload
    wiring: Wiring

    async def work(self, keys: Iterable[str]) -> float:
        """CPU-seconds (user + system) from the announcement of these objects until all are acknowledged."""
        before = self.cpu_seconds
        await announce(self.wiring, keys)
        await self.emptied()
        return self.cpu_seconds - before

    async def emptied(self) -> None:
        """Wait until the queue holds nothing, neither waiting nor in flight."""
        async with asyncio.timeout(_PATIENCE_S):
            while (await self.wiring.depth()).total:
                self.workload.check()
                await asyncio.sleep(_POLL_S)
        if dead := await self.wiring.dead_letters():
            raise RuntimeError(f"{dead} messages are in the dead-letter queue")

    async def scrape(self) -> Samples:
        """Its metrics."""
        return await self.workload.scrape()

    @property
    def cpu_seconds(self) -> float:
        """User and system, of all of its threads, since it began (proc(5): fields 14 and 15 of `stat`)."""
        fields = Path(f"/proc/{self.workload.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS

    @property
    def peak_bytes(self) -> int:
        """The most resident memory that it ever had (proc(5): VmHWM)."""
        status = Path(f"/proc/{self.workload.pid}/status").read_text().splitlines()
        return 1024 * next(int(line.split()[1]) for line in status if line.startswith("VmHWM:"))


@asynccontextmanager
async def queue(emulator: Emulator, name: str) -> AsyncIterator[Wiring]:
    """A bucket and a queue of this name, which nothing is announced to but by `announce`."""
    async with wire(emulator.endpoint, name, routes=("s3",), visibility_timeout_s=600) as wiring:
        unannounced = {"Bucket": wiring.buckets["s3"], "NotificationConfiguration": {}}
        await wiring.s3.put_bucket_notification_configuration(**unannounced)
        await wiring.sqs.purge_queue(QueueUrl=wiring.queue_url)
        yield wiring


@asynccontextmanager
async def running(
    emulator: Emulator, wiring: Wiring, settings: Mapping[str, str] | None = None, *, sqs: str | None = None
) -> AsyncIterator[Process]:
    """`trailstream run` on that queue with its default settings and these; alerts go to /dev/null by default.

    `sqs` is another endpoint of SQS than the emulator's own.
    """
    environ = emulator.environ | ({} if sqs is None else {"AWS_ENDPOINT_URL_SQS": sqs})
    usual = {"QUEUE_URL": wiring.queue_url, "BUCKETS": "*", "STDOUT": "true", "LOG_LEVEL": "error"}
    with tempfile.TemporaryDirectory(prefix="trailstream-bench-") as folder:
        (Path(folder) / "trailstream.log").symlink_to(os.devnull)
        own = usual | dict(settings or {})
        async with Workload(own, environ, Path(folder), stop_timeout_s=30) as workload:
            yield Process(workload, wiring)


async def put(wiring: Wiring, objects: Mapping[str, bytes]) -> None:
    """Write objects, by key, without announcing them."""
    for key, body in objects.items():
        await wiring.s3.put_object(Bucket=wiring.buckets["s3"], Key=key, Body=body)
        _sizes[wiring.buckets["s3"], key] = len(body)


async def announce(wiring: Wiring, keys: Iterable[str]) -> None:
    """One message for each of these keys, all at once, so that there is a backlog as after a delivery wave."""
    bodies = [_body(wiring.buckets["s3"], key) for key in keys]
    batches = [bodies[start : start + 10] for start in range(0, len(bodies), 10)]
    await asyncio.gather(*(_send(wiring, batch) for batch in batches))


async def _send(wiring: Wiring, bodies: Sequence[str]) -> None:
    entries = [{"Id": str(number), "MessageBody": body} for number, body in enumerate(bodies)]
    await wiring.sqs.send_message_batch(QueueUrl=wiring.queue_url, Entries=entries)


def _body(bucket: str, key: str) -> str:
    entity = {"bucket": {"name": bucket}, "object": {"key": key, "size": _sizes.get((bucket, key), 1)}}
    entry = {"eventSource": "aws:s3", "eventName": "ObjectCreated:Put", "awsRegion": "us-east-1", "s3": entity}
    return json.dumps({"Records": [entry]})
