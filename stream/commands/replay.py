"""`trailstream replay`: log files that are in a bucket in; a notification of each on the queue out."""

import asyncio
import shlex
import sys
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Final

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from stream import logs
from stream.aws import Aws, queue_region
from stream.checks.buckets import unlistable
from stream.checks.outcome import AWS_ERRORS
from stream.configuration import load_settings
from stream.errors import ConfigError, TrailstreamError
from stream.metrics import Metrics
from stream.replay.choice import Choice
from stream.replay.sending import Announced, NotSentError, Sender, batches
from stream.scan.bucket import list_pages
from stream.terminal import inert

_SHOWN_KEY: Final = 60


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line says.

    Attributes:
        url: `s3://bucket/prefix`.
        rate: messages a second; 0: no limit.
        page: people are told of what is found, too.
        after: the key after which to begin.
        dry_run: only count.
        quiet: no progress.
    """

    url: str
    choice: Choice
    rate: float
    page: bool
    after: str
    dry_run: bool
    quiet: bool


def replay(options: Options) -> int:
    """Send a notification of each log file that is wanted.

    Returns:
        the exit code: 0 all are on the queue, 1 no log file is wanted.

    Raises:
        ConfigError: the environment or the address can't be used.
        TrailstreamError: the bucket can't be listed, or the queue takes no more; says from where to go on.
    """
    settings = load_settings()
    logs.configure("error", "console")
    bucket, _, prefix = options.url.removeprefix("s3://").partition("/")
    if not options.url.startswith("s3://") or not bucket:
        raise ConfigError(f"{inert(options.url, 200)!r} is no address of log files: s3://bucket/prefix")
    if settings.queue_url is None and not options.dry_run:
        raise ConfigError("TRAILSTREAM_QUEUE_URL is required: the URL of the SQS queue that the replicas read.")
    run = _Replay(options, bucket, prefix)
    try:
        asyncio.run(run.run(settings.queue_url))
    except KeyboardInterrupt:
        run.say_how_to_go_on()
        raise
    except NotSentError as error:
        run.say_how_to_go_on()
        raise TrailstreamError(f"the queue takes no more messages ({error}); `trailstream check` looks at it") from None
    except (*AWS_ERRORS, ValueError) as error:
        run.say_how_to_go_on()
        raise TrailstreamError(f"s3://{inert(bucket, 80)} can't be listed: {unlistable(error, bucket)}") from None
    done = "would be put" if options.dry_run else "are"
    sys.stderr.write(f"{run.taken:,} of {run.seen:,} objects {done} on the queue\n")
    return 0 if run.taken else 1


class _Replay:
    """One run.

    Attributes:
        seen: objects listed.
        taken: those that were wanted, and are on the queue.
        last: the last key before which everything is done.
    """

    def __init__(self, options: Options, bucket: str, prefix: str) -> None:
        self.seen = self.taken = 0
        self.last = options.after
        self._options = options
        self._bucket = bucket
        self._prefix = prefix

    async def run(self, queue_url: str | None) -> None:
        """List, choose and send."""
        aws = Aws(Metrics())
        progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.fields[taken]} of {task.fields[seen]} objects"),
            TextColumn("{task.fields[key]}", style="dim"),
            TimeElapsedColumn(),
            console=Console(stderr=True),
            transient=True,
            disable=self._options.quiet or not sys.stderr.isatty(),
        )
        with progress:
            task = progress.add_task("", total=None, taken="0", seen="0", key="")

            def tick() -> None:
                key = inert(self.last[-_SHOWN_KEY:])
                progress.update(task, taken=f"{self.taken:,}", seen=f"{self.seen:,}", key=key)

            if queue_url is None or self._options.dry_run:
                async for batch in batches(self._wanted("")):
                    self._done(batch, tick)
                return
            region = await self._bucket_region(aws)
            async with aws.client("sqs", region=queue_region(queue_url), attempts=1) as client:
                sender = Sender(client, queue_url, rate=self._options.rate, page=self._options.page)
                async for batch in batches(self._wanted(region)):
                    await sender.send(batch)
                    self._done(batch, tick)

    def say_how_to_go_on(self) -> None:
        """Which key to begin after."""
        if self.last:
            key = shlex.quote(inert(self.last))
            sys.stderr.write(f"trailstream: {self.taken:,} are on the queue; go on with --start-after {key}\n")

    def _done(self, batch: list[Announced], tick: Any) -> None:
        self.taken += len(batch)
        self.last = batch[-1].key
        tick()

    async def _wanted(self, region: str) -> AsyncIterator[Announced]:
        async with aclosing(list_pages(self._bucket, self._prefix, self._options.after)) as pages:
            async for page in pages:
                for entry in page:
                    self.seen += 1
                    key: str = entry["Key"]
                    if self._options.choice.takes(key):
                        yield Announced(self._bucket, region, key, entry.get("Size", 0), entry.get("ETag", ""))

    async def _bucket_region(self, aws: Aws) -> str:
        async with aws.client("s3") as s3:
            answer = await s3.head_bucket(Bucket=self._bucket)
        found = answer.get("BucketRegion") or answer["ResponseMetadata"]["HTTPHeaders"].get("x-amz-bucket-region")
        return str(found or aws.region)
