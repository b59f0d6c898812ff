"""Messages back from the dead-letter queue to the one they came from: by SQS itself, or by hand where it can't.

https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_StartMessageMoveTask.html
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from botocore.exceptions import ClientError

from stream.errors import TrailstreamError
from stream.intake.sqs import BATCH

_MOST_PER_SECOND: Final = 500  # that a task takes
_POLL_S: Final = 2.0
_HIDDEN_S: Final = 120
_WAIT_S: Final = 1
_EMPTY: Final = 2
_DELETES: Final = 3
_UNKNOWN: Final = frozenset(
    {"InvalidAction", "UnknownOperationException", "UnsupportedOperation", "NotImplemented", "501"}
)
"""What says that this SQS (an emulator, an older one) has no such call."""


@dataclass(frozen=True, slots=True)
class Queues:
    """Where from and where to."""

    dead_letter_url: str
    dead_letter_arn: str
    source_url: str


async def move(
    client: Any, queues: Queues, *, most: int, rate: float, moved: Callable[[int], None], poll_s: float = _POLL_S
) -> int:
    """Move messages back; how many were.

    Args:
        client: aiobotocore's, of SQS.
        queues: where from and where to.
        most: by hand, no more than so many: what comes back again meanwhile stays.
        rate: messages a second, at most; 0: no limit of ours.
        moved: is told how many have been by now.
        poll_s: how often a task is asked how far it is.

    Raises:
        TrailstreamError: not all could be moved, or one could not be deleted; what was not moved is still there.
        ClientError, …: SQS refuses.
    """
    limit = {"MaxNumberOfMessagesPerSecond": max(1, min(int(rate), _MOST_PER_SECOND))} if rate else {}
    try:
        await client.start_message_move_task(SourceArn=queues.dead_letter_arn, **limit)
    except ClientError as error:
        response = error.response
        code = str(response.get("Error", {}).get("Code", ""))
        status = str(response.get("ResponseMetadata", {}).get("HTTPStatusCode", ""))
        if not _UNKNOWN & {code.rpartition(".")[2], status}:
            raise
        return await _by_hand(client, queues, most=most, rate=rate, moved=moved)
    return await _follow(client, queues.dead_letter_arn, moved, poll_s)


async def _follow(client: Any, arn: str, moved: Callable[[int], None], poll_s: float) -> int:
    while True:
        tasks = (await client.list_message_move_tasks(SourceArn=arn, MaxResults=1)).get("Results", ())
        task = tasks[0] if tasks else {"Status": "COMPLETED"}
        count = int(task.get("ApproximateNumberOfMessagesMoved", 0))
        moved(count)
        if task["Status"] == "COMPLETED":
            return count
        if task["Status"] not in ("RUNNING", "CANCELLING"):
            reason = str(task.get("FailureReason", "no reason given"))[:200]
            raise TrailstreamError(f"SQS has ended the move after {count:,} messages ({task['Status']}: {reason})")
        await asyncio.sleep(poll_s)


async def _by_hand(client: Any, queues: Queues, *, most: int, rate: float, moved: Callable[[int], None]) -> int:
    """Each is deleted only when its copy is on the queue: one that is there twice is better than one that is lost."""
    count = empty = 0
    refused: dict[str, str] = {}  # a message's id, and why; it is seen again if this lasts longer than it is hidden
    twice: dict[str, str] = {}
    began_s = time.monotonic()
    while count < most and empty < _EMPTY:
        answer = await client.receive_message(
            QueueUrl=queues.dead_letter_url,
            MaxNumberOfMessages=min(BATCH, most - count),
            VisibilityTimeout=_HIDDEN_S,
            WaitTimeSeconds=_WAIT_S,
            MessageAttributeNames=["All"],
        )
        messages = {str(number): raw for number, raw in enumerate(answer.get("Messages", ()))}
        empty = 0 if messages else empty + 1
        if not messages:
            continue
        unsent = {number: raw for number, raw in messages.items() if raw["MessageId"] not in twice}
        faults = await _send(client, queues.source_url, unsent)
        sent = {number: raw for number, raw in messages.items() if number not in faults}
        left = await _delete(client, queues.dead_letter_url, sent)
        for number, raw in messages.items():
            for found, known in ((faults, refused), (left, twice)):
                known.pop(raw["MessageId"], None)
                if number in found:
                    known[raw["MessageId"]] = found[number]
        count += len(unsent) - len(faults)
        moved(count)
        if len(faults) + len(left) == len(messages):  # so will be what comes next
            break
        if rate:
            await asyncio.sleep(max(began_s + count / rate - time.monotonic(), 0.0))
    if refused or twice:
        raise TrailstreamError(_told(count, refused, twice))
    return count


async def _send(client: Any, url: str, messages: dict[str, Any]) -> dict[str, str]:
    """Those that the queue did not take, and why."""
    if not messages:
        return {}
    answer = await client.send_message_batch(
        QueueUrl=url, Entries=[_copy(number, raw) for number, raw in messages.items()]
    )
    done = {entry["Id"] for entry in answer.get("Successful", ())}
    return {number: _code(answer, number) for number in messages if number not in done}


async def _delete(client: Any, url: str, messages: dict[str, Any]) -> dict[str, str]:
    """Those that could not be deleted, and why, after a few attempts."""
    faults = dict.fromkeys(messages, "")
    for _ in range(_DELETES):
        if not faults:
            break
        entries = [{"Id": number, "ReceiptHandle": messages[number]["ReceiptHandle"]} for number in faults]
        answer = await client.delete_message_batch(QueueUrl=url, Entries=entries)
        faults = {entry["Id"]: _code(answer, entry["Id"]) for entry in answer.get("Failed", ())}
    return faults


def _code(answer: dict[str, Any], number: str) -> str:
    codes = (str(entry.get("Code"))[:80] for entry in answer.get("Failed", ()) if entry.get("Id") == number)
    return next(codes, "no answer")


def _told(count: int, refused: dict[str, str], twice: dict[str, str]) -> str:
    parts = [f"{count:,} messages were moved"]
    if refused:
        why = ", ".join(sorted(set(refused.values())))
        parts.append(f"{len(refused):,} are still in the dead-letter queue, since the other did not take them ({why})")
    if twice:
        why = ", ".join(sorted(set(twice.values())))
        parts.append(f"{len(twice):,} are on both queues, since they could not be deleted ({why})")
    return f"{'; '.join(parts)}. They can be seen there again in {_HIDDEN_S} seconds"


def _copy(number: str, raw: dict[str, Any]) -> dict[str, Any]:
    attributes = {
        name: {key: each[key] for key in ("DataType", "StringValue", "BinaryValue") if key in each}
        for name, each in raw.get("MessageAttributes", {}).items()
    }
    return {"Id": number, "MessageBody": raw["Body"], **({"MessageAttributes": attributes} if attributes else {})}
