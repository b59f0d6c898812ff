"""One SQS queue as its API shows it: requests in, plain values out, and every failure an `SqsError` with a reason."""

import asyncio
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

from stream.intake.faults import FAILURES, Reason, SqsError, reason_of, sqs_error

BATCH: Final = 10
"""Entries that SQS takes in one request, and messages that it hands out in one answer."""

REPLAY: Final = "trailstream.replay"
"""Message attribute of what `trailstream replay` has put on the queue: `quiet` or `page`."""

_ATTRIBUTES: Final = (
    "QueueArn",
    "VisibilityTimeout",
    "RedrivePolicy",
    "KmsMasterKeyId",
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesNotVisible",
    "ApproximateNumberOfMessagesDelayed",
)
_ODD: Final = (AttributeError, LookupError, TypeError, ValueError, OverflowError)
# What comes of reading JSON that has not the form of an answer: a proxy's, or that of an SQS which is not AWS's.

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Received:
    """A message as ReceiveMessage hands it out.

    Attributes:
        sent_at: Unix time.
        quiet: it is of history, and no people are to be told of what is found.
        replayed: `trailstream replay` wrote it: how the log file was announced at the time, it does not tell.
    """

    id: str
    handle: str
    body: str
    receive_count: int
    sent_at: float | None
    quiet: bool = False
    replayed: bool = False


@dataclass(frozen=True, slots=True)
class QueueAttributes:
    """What GetQueueAttributes says; the three counts are SQS's estimates.

    Attributes:
        visibility_timeout_s: the queue's own.
        redrive: whether there is a redrive policy at all.
        dead_letter_arn: its queue, if it names one.
    """

    arn: str | None
    visibility_timeout_s: int
    kms_key: str | None
    redrive: bool
    dead_letter_arn: str | None
    visible: int
    in_flight: int
    delayed: int


class Sqs:
    """The requests that intake makes of one queue.

    Args:
        url: of the queue.
        wire: makes them: an aiobotocore client, or what has its methods (`SqsWire`).
        request_s: for so long a request may take, besides a poll's own time.

    Attributes:
        last_success: monotonic time of the last request of any kind that SQS answered well.
        last_receive: of the last one for messages.
    """

    def __init__(self, url: str, *, wire: Any, request_s: float) -> None:
        self.url = url
        self.last_success = self.last_receive = float("-inf")
        self._wire = wire
        self._request_s = request_s

    async def receive(self, most: int, *, wait_s: int, visibility_timeout_s: int | None) -> list[Received]:
        """Long-poll for up to `most` messages; `visibility_timeout_s` unset leaves it to the queue.

        Raises:
            SqsError: nothing was received. (SQS may have handed messages out all the same: they come back.)
        """
        parameters: dict[str, Any] = {} if visibility_timeout_s is None else {"VisibilityTimeout": visibility_timeout_s}
        received = await self._request(
            self._wire.receive_message,
            lambda answer: [_received(raw) for raw in answer.get("Messages", ())],
            timeout_s=wait_s + self._request_s,
            MaxNumberOfMessages=most,
            WaitTimeSeconds=wait_s,
            MessageSystemAttributeNames=["ApproximateReceiveCount", "SentTimestamp"],
            MessageAttributeNames=[REPLAY],
            **parameters,
        )
        self.last_receive = time.monotonic()
        return received

    async def delete(self, handles: Sequence[str]) -> list[Reason | None]:
        """Delete up to 10 messages; for each handle `None`, or why it was not.

        Raises:
            SqsError: the request failed as a whole.
        """
        return await self._batch(self._wire.delete_message_batch, [{"ReceiptHandle": handle} for handle in handles])

    async def change_visibility(
        self, changes: Sequence[tuple[str, int]], *, timeout_s: float | None = None
    ) -> list[Reason | None]:
        """Hide up to 10 messages for so many seconds from now on; for each handle `None`, or why it was not.

        Raises:
            SqsError: the request failed as a whole.
        """
        return await self._batch(
            self._wire.change_message_visibility_batch,
            [{"ReceiptHandle": handle, "VisibilityTimeout": seconds} for handle, seconds in changes],
            timeout_s,
        )

    async def attributes(self) -> QueueAttributes:
        """The queue's attributes, now.

        Raises:
            SqsError: they can't be had.
        """
        return await self._request(self._wire.get_queue_attributes, _queue_attributes, AttributeNames=list(_ATTRIBUTES))

    async def depth_of(self, arn: str) -> int:
        """How many messages wait in another queue of the same region.

        Raises:
            SqsError: it can't be had.
        """
        *_, account_id, name = arn.split(":")
        url = await self._request(
            self._wire.get_queue_url,
            lambda answer: _text(answer["QueueUrl"]),
            QueueUrl=None,
            QueueName=name,
            QueueOwnerAWSAccountId=account_id,
        )
        return await self._request(
            self._wire.get_queue_attributes,
            lambda answer: int(answer.get("Attributes", {}).get("ApproximateNumberOfMessages", 0)),
            QueueUrl=url,
            AttributeNames=["ApproximateNumberOfMessages"],
        )

    async def _batch(
        self, operation: Any, entries: Sequence[dict[str, Any]], timeout_s: float | None = None
    ) -> list[Reason | None]:
        # SQS wants Ids that are distinct within the request; a position is.
        outcome = await self._request(
            operation,
            _outcome,
            timeout_s=timeout_s,
            Entries=[{"Id": str(position), **entry} for position, entry in enumerate(entries)],
        )
        return [outcome.get(str(position), "other") for position in range(len(entries))]

    async def _request(
        self, operation: Any, read: Callable[[Any], _T], *, timeout_s: float | None = None, **parameters: Any
    ) -> _T:
        """Make one request; `read` makes something of its answer."""
        parameters = {"QueueUrl": self.url} | parameters
        try:
            async with asyncio.timeout(timeout_s or self._request_s):
                answer = await operation(**{name: value for name, value in parameters.items() if value is not None})
        except FAILURES as error:
            raise sqs_error(error) from error
        try:
            found = read(answer)
        except _ODD as error:
            raise SqsError("other", "OddAnswer") from error
        self.last_success = time.monotonic()
        return found


def queue_arn(url: str, region: str) -> str:
    """The ARN of the queue with this URL."""
    account_id, name = ("/*/" + urlsplit(url).path.strip("/")).rsplit("/", 2)[-2:]
    partition = {"cn": "aws-cn", "us-gov": "aws-us-gov"}.get(region.rsplit("-", 2)[0], "aws")
    return f"arn:{partition}:sqs:{region}:{account_id}:{name}"


def _received(raw: Any) -> Received:
    attributes = raw.get("Attributes", {})
    sent_ms = attributes.get("SentTimestamp")
    replay = raw.get("MessageAttributes", {}).get(REPLAY)
    return Received(
        id=_text(raw["MessageId"]),
        handle=_text(raw["ReceiptHandle"]),
        body=_text(raw.get("Body", "")),
        receive_count=int(attributes.get("ApproximateReceiveCount", 1)),
        sent_at=int(sent_ms) / 1000 if sent_ms else None,
        quiet=(replay or {}).get("StringValue") == "quiet",
        replayed=replay is not None,
    )


def _queue_attributes(answer: Any) -> QueueAttributes:
    found = {name: _text(value) for name, value in answer.get("Attributes", {}).items()}
    if not found:
        raise SqsError("other", "NoAttributes")
    return QueueAttributes(
        arn=found.get("QueueArn"),
        visibility_timeout_s=int(found.get("VisibilityTimeout", 30)),
        kms_key=found.get("KmsMasterKeyId"),
        redrive=bool(found.get("RedrivePolicy")),
        dead_letter_arn=_dead_letter_arn(found.get("RedrivePolicy", "")),
        visible=int(found.get("ApproximateNumberOfMessages", 0)),
        in_flight=int(found.get("ApproximateNumberOfMessagesNotVisible", 0)),
        delayed=int(found.get("ApproximateNumberOfMessagesDelayed", 0)),
    )


def _outcome(answer: Any) -> dict[str, Reason | None]:
    """For the Id of each entry of a batch `None`, or why it was not carried out."""
    done: dict[str, Reason | None] = {entry["Id"]: None for entry in answer.get("Successful", ())}
    return done | {entry["Id"]: reason_of(entry.get("Code", "")) for entry in answer.get("Failed", ())}


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _dead_letter_arn(policy: str) -> str | None:
    try:
        arn = json.loads(policy)["deadLetterTargetArn"]
    except (ValueError, TypeError, KeyError):
        return None
    return arn if isinstance(arn, str) and arn.count(":") == 5 else None
