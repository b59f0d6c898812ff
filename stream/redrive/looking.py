"""Messages of the dead-letter queue in; for each, what would become of it if it went back now, out.

Nothing is taken away: what was looked at is visible again at once, and after `_HIDDEN_S` in any case.
"""

import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any, Final

from stream.decode import LogDecoder, Prefilter
from stream.errors import LogFileError, PoisonMessage
from stream.intake.notification import ObjectRef, parse
from stream.intake.objects import Objects
from stream.intake.sqs import BATCH
from stream.settings import Settings

READABLE: Final = "readable"
"""The reason of a message of which all that it announces can be read now."""

_HIDDEN_S: Final = 300
_WAIT_S: Final = 1
_EMPTY: Final = 2  # answers in a row: SQS asks only some of its servers at a time
_SHOWN: Final = 5


@dataclass(frozen=True, slots=True)
class Letter:
    """A message of the dead-letter queue.

    Attributes:
        reason: why it would fail again: `poison`, or one of `LOG_FILE_REASONS`; `readable` if it would not.
        about: what it announces first, as `s3://bucket/key`, or why it is poison.
        sent_at: Unix time at which it came to the queue at first.
    """

    id: str
    reason: str
    about: str
    sent_at: float | None


@dataclass(slots=True)
class Kind:
    """Messages that are there for one reason; the first few of them."""

    reason: str
    count: int = 0
    samples: list[Letter] = field(default_factory=list)

    def add(self, letter: Letter) -> None:
        """Count one more."""
        self.count += 1
        if len(self.samples) < _SHOWN:
            self.samples.append(letter)


class Look:
    """Judges messages by the pipeline's own parts.

    Args:
        objects: reads what is announced.
        settings: say which buckets may be read, and how large a file may be.
    """

    def __init__(self, objects: Objects, settings: Settings) -> None:
        self._objects = objects
        self._settings = settings
        self._prefilter = Prefilter(frozenset())

    async def at(self, client: Any, url: str, most: int, seen: Callable[[int], None]) -> dict[str, Kind]:
        """The kinds of up to `most` messages, by reason, the most frequent first.

        Args:
            client: aiobotocore's, of SQS.
            url: of the dead-letter queue.
            most: messages to look at.
            seen: is told how many were looked at.
        """
        kinds: dict[str, Kind] = {}
        handles: list[str] = []
        looked = 0
        try:
            async for raw in _messages(client, url, most):
                handles.append(raw["ReceiptHandle"])
                letter = await self._judge(raw)
                kinds.setdefault(letter.reason, Kind(letter.reason)).add(letter)
                looked += 1
                seen(looked)
        finally:
            await _give_back(client, url, handles)
        return dict(sorted(kinds.items(), key=lambda item: -item[1].count))

    async def _judge(self, raw: dict[str, Any]) -> Letter:
        sent_ms = raw.get("Attributes", {}).get("SentTimestamp")
        sent_at = int(sent_ms) / 1000 if sent_ms else None
        try:
            notification = parse(raw.get("Body", ""))
        except PoisonMessage as error:
            return Letter(raw["MessageId"], "poison", str(error), sent_at)
        about = next((f"s3://{ref.bucket}/{ref.key}" for ref in notification.objects), notification.envelope)
        for ref in notification.objects:
            try:
                await self._read(ref)
            except LogFileError as error:
                return Letter(raw["MessageId"], error.reason, f"s3://{ref.bucket}/{ref.key}", sent_at)
        return Letter(raw["MessageId"], READABLE, about, sent_at)

    async def _read(self, ref: ObjectRef) -> None:
        """Read a log file to its end.

        Raises:
            LogFileError: it can't be.
        """
        settings = self._settings
        if not any(fnmatchcase(ref.bucket, glob) for glob in settings.buckets):
            raise LogFileError("foreign_bucket", "TRAILSTREAM_BUCKETS does not name this bucket")
        decoder = LogDecoder(
            self._prefilter, max_record_bytes=settings.max_record_bytes, max_log_bytes=settings.max_log_bytes
        )
        async with self._objects.open(ref) as log_file:
            while chunk := await log_file.read():
                for _ in decoder.steps(chunk):
                    pass
        decoder.finish()


async def _messages(client: Any, url: str, most: int) -> AsyncIterator[dict[str, Any]]:
    received = empty = 0
    ends_at = time.monotonic() + _HIDDEN_S / 2  # before the first is visible again
    ids: set[str] = set()
    while received < most and empty < _EMPTY and time.monotonic() < ends_at:
        answer = await client.receive_message(
            QueueUrl=url,
            MaxNumberOfMessages=min(BATCH, most - received),
            VisibilityTimeout=_HIDDEN_S,
            WaitTimeSeconds=_WAIT_S,
            MessageSystemAttributeNames=["SentTimestamp"],
        )
        found = [raw for raw in answer.get("Messages", ()) if raw["MessageId"] not in ids]
        empty = 0 if found else empty + 1
        for raw in found:
            ids.add(raw["MessageId"])
            received += 1
            yield raw


async def _give_back(client: Any, url: str, handles: list[str]) -> None:
    for first in range(0, len(handles), BATCH):
        entries = [
            {"Id": str(number), "ReceiptHandle": handle, "VisibilityTimeout": 0}
            for number, handle in enumerate(handles[first : first + BATCH])
        ]
        await client.change_message_visibility_batch(QueueUrl=url, Entries=entries)
