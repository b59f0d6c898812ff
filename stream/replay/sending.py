"""Notifications of objects in S3's own form, sent to the queue in batches, not faster than asked for.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html
"""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import quote_plus

import orjson

from stream.intake.faults import FAILURES, sqs_error
from stream.intake.sqs import BATCH, REPLAY

_ATTEMPTS: Final = 6
_BACKOFF_S: Final = 0.5


@dataclass(frozen=True, slots=True)
class Announced:
    """An object that is there."""

    bucket: str
    region: str
    key: str
    size_bytes: int
    etag: str


class NotSentError(Exception):
    """SQS takes a message no more; the reason is bounded."""


def body(found: Announced, now: float) -> str:
    """What S3 would have sent of it."""
    moment = datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    record = {
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "awsRegion": found.region,
        "eventTime": moment,
        "eventName": "ObjectCreated:Put",
        "s3": {
            "s3SchemaVersion": "1.0",
            "bucket": {"name": found.bucket, "arn": f"arn:aws:s3:::{found.bucket}"},
            "object": {
                "key": quote_plus(found.key, safe="/"),
                "size": found.size_bytes,
                "eTag": found.etag.strip('"'),
            },
        },
    }
    return orjson.dumps({"Records": [record]}).decode()


class Sender:
    """Sends to one queue.

    Args:
        client: aiobotocore's, of SQS.
        queue_url: of the queue.
        rate: messages a second, at most; 0: no limit.
        page: people are told of what is found, too.
    """

    def __init__(self, client: Any, queue_url: str, *, rate: float, page: bool) -> None:
        self._client = client
        self._queue_url = queue_url
        self._rate = rate
        self._attributes = {REPLAY: {"DataType": "String", "StringValue": "page" if page else "quiet"}}
        self._began_s: float | None = None
        self.sent = 0

    async def send(self, batch: Sequence[Announced]) -> None:
        """Send at most `BATCH` of them, each once at least; returns when all are on the queue.

        Raises:
            NotSentError: some are not, whatever was tried.
        """
        waiting = {
            str(number): {
                "Id": str(number),
                "MessageBody": body(found, time.time()),
                "MessageAttributes": self._attributes,
            }
            for number, found in enumerate(batch)
        }
        reason = "other"
        for attempt in range(_ATTEMPTS):
            if attempt:
                await asyncio.sleep(_BACKOFF_S * 2**attempt)
            try:
                answer = await self._client.send_message_batch(QueueUrl=self._queue_url, Entries=list(waiting.values()))
            except FAILURES as error:
                failed = sqs_error(error)
                reason = f"{failed.reason}: {failed.code}"
                if failed.reason in ("no_queue", "forbidden"):
                    break
                continue
            for entry in answer.get("Successful", ()):
                waiting.pop(entry["Id"], None)
            if not waiting:
                self.sent += len(batch)
                await self._pace()
                return
            reason = str(next((entry.get("Code") for entry in answer.get("Failed", ())), "other"))[:80]
        raise NotSentError(reason)

    async def _pace(self) -> None:
        now = time.monotonic()
        if self._began_s is None:
            self._began_s = now
        if self._rate:
            await asyncio.sleep(max(self._began_s + self.sent / self._rate - now, 0.0))


async def batches(found: AsyncIterator[Announced]) -> AsyncIterator[list[Announced]]:
    """The same in lists of `BATCH`."""
    batch: list[Announced] = []
    async for one in found:
        batch.append(one)
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch
