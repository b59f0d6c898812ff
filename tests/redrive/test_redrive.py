"""`trailstream redrive` against the embedded AWS, which can't move messages itself, and against an SQS that can."""

import asyncio
import json
from typing import Any

import pytest

from stream.aws import Aws
from stream.demo.emulator import Emulator
from stream.demo.wiring import Wiring, wire
from stream.errors import TrailstreamError
from stream.metrics import Metrics
from stream.redrive.moving import Queues, move
from tests.checks.aws_stub import Answer, AwsStub, sqs_error
from tests.commands.running import Finished, invoke, run
from tests.test_end_to_end import FOLDER, log_file, s3_event, stop_logging

QUEUES = Queues("http://x/dead", "arn:aws:sqs:us-east-1:111122223333:dead", "http://x/live")


async def fill(wiring: Wiring) -> None:
    """A dead-letter queue with a message that is readable now, three of missing files, one of garbage, one poison."""
    bucket = next(iter(wiring.buckets.values()))
    await wiring.s3.put_object(Bucket=bucket, Key=f"{FOLDER}good.json.gz", Body=log_file(stop_logging("e1")))
    await wiring.s3.put_object(Bucket=bucket, Key=f"{FOLDER}bad.json.gz", Body=b"garbage")
    bodies = [s3_event(bucket, f"{FOLDER}{name}.json.gz") for name in ("good", "gone-1", "gone-2", "gone-3", "bad")]
    await wiring.sqs.purge_queue(QueueUrl=wiring.queue_url)
    for body in [*bodies, "poison \u202e"]:
        await wiring.sqs.send_message(
            QueueUrl=wiring.dead_letter_url,
            MessageBody=body,
            MessageAttributes={"trailstream.replay": {"DataType": "String", "StringValue": "quiet"}},
        )


async def redrive(wiring: Wiring, emulator: Emulator, *arguments: str) -> Finished:
    environ = {"TRAILSTREAM_QUEUE_URL": wiring.queue_url, "TRAILSTREAM_BUCKETS": "*", **emulator.environ}
    return await asyncio.to_thread(lambda: run("redrive", *arguments, stdin=b"", cwd=None, **environ))


async def test_a_look_groups_by_why_it_would_fail_again_and_takes_nothing(emulator: Emulator) -> None:
    async with wire(emulator.endpoint, "redrive-look", routes=("s3",)) as wiring:
        await fill(wiring)
        text = await redrive(wiring, emulator, "--look-only")
        listed = await redrive(wiring, emulator, "--look-only", "--format", "json")
        unasked = await redrive(wiring, emulator)
        assert (await wiring.depth()).total == 0
        assert await wiring.dead_letters() == 6

    assert (text.code, listed.code, unasked.code) == (1, 1, 1)
    assert "3 would fail again: not found." in text.out
    assert "1 would be worked on now" in text.out
    assert "1 would fail again: not gzip." in text.out
    assert "\u202e" not in text.out
    kinds = {kind["reason"]: kind for kind in json.loads(listed.out)["kinds"]}
    assert {reason: kind["count"] for reason, kind in kinds.items()} == {
        "not_found": 3,
        "readable": 1,
        "not_gzip": 1,
        "poison": 1,
    }
    assert kinds["readable"]["samples"][0]["about"].endswith("/good.json.gz")
    assert "--yes" in unasked.err


async def test_what_is_moved_is_on_the_queue_with_all_that_it_had(emulator: Emulator) -> None:
    async with wire(emulator.endpoint, "redrive-move", routes=("s3",)) as wiring:
        await fill(wiring)
        done = await redrive(wiring, emulator, "--yes", "--rate", "0")
        again = await redrive(wiring, emulator, "--yes")
        assert await wiring.dead_letters() == 0
        found: list[dict[str, Any]] = []
        while messages := (
            await wiring.sqs.receive_message(
                QueueUrl=wiring.queue_url, MaxNumberOfMessages=10, MessageAttributeNames=["All"]
            )
        ).get("Messages"):
            found += messages

    assert done.code == 0, done.err
    assert "6 messages are back" in done.err
    assert len({each["Body"] for each in found}) == 6
    assert {each["MessageAttributes"]["trailstream.replay"]["StringValue"] for each in found} == {"quiet"}
    assert (again.code, again.out) == (0, "The dead-letter queue is empty.\n")


@pytest.fixture
def sqs(monkeypatch: pytest.MonkeyPatch) -> Any:
    with AwsStub() as stub:
        for name, value in (("AWS_ENDPOINT_URL", stub.url), ("AWS_ACCESS_KEY_ID", "x"), ("AWS_SECRET_ACCESS_KEY", "x")):
            monkeypatch.setenv(name, value)
        yield stub


def task(status: str, moved: int, **more: str) -> Answer:
    return 200, {}, json.dumps({"Results": [{"Status": status, "ApproximateNumberOfMessagesMoved": moved, **more}]})


async def moved(told: list[int]) -> int:
    async with Aws(Metrics()).client("sqs", region="us-east-1", attempts=1) as client:
        return await move(client, QUEUES, most=10, rate=5, moved=told.append, poll_s=0)


async def test_sqs_moves_them_itself_where_it_can(sqs: AwsStub) -> None:
    sqs.answers.update(StartMessageMoveTask=(200, {}, '{"TaskHandle":"t"}'), ListMessageMoveTasks=task("RUNNING", 3))

    class Told(list[int]):
        def append(self, count: int) -> None:
            super().append(count)
            sqs.answers["ListMessageMoveTasks"] = task("COMPLETED", 7)

    told = Told()
    assert await moved(told) == 7
    assert told == [3, 7]
    assert set(sqs.asked) == {"StartMessageMoveTask", "ListMessageMoveTasks"}


async def test_a_move_that_fails_says_how_far_it_came(sqs: AwsStub) -> None:
    sqs.answers.update(
        StartMessageMoveTask=(200, {}, '{"TaskHandle":"t"}'),
        ListMessageMoveTasks=task("FAILED", 3, FailureReason="AccessDenied"),
    )
    with pytest.raises(TrailstreamError, match=r"after 3 messages .*AccessDenied"):
        await moved([])


async def test_a_refusal_is_no_reason_to_move_by_hand(sqs: AwsStub) -> None:
    sqs.answers["StartMessageMoveTask"] = sqs_error("AccessDenied", 403)
    with pytest.raises(Exception, match="AccessDenied"):
        await moved([])
    assert set(sqs.asked) == {"StartMessageMoveTask"}


async def test_nothing_is_deleted_that_the_queue_did_not_take(sqs: AwsStub) -> None:
    received = {"Messages": [{"MessageId": "m", "ReceiptHandle": "h", "Body": "b"}]}
    refused = {"Failed": [{"Id": "0", "Code": "OverLimit", "SenderFault": True}], "Successful": []}
    sqs.answers.update(
        StartMessageMoveTask=sqs_error("UnsupportedOperation"),
        ReceiveMessage=(200, {}, json.dumps(received)),
        SendMessageBatch=(200, {}, json.dumps(refused)),
    )
    with pytest.raises(TrailstreamError, match="OverLimit"):
        await moved([])
    assert "DeleteMessageBatch" not in sqs.asked


def by_hand(sqs: AwsStub, received: int, sent: dict[str, Any], deleted: dict[str, Any]) -> "Once":
    """An SQS that moves nothing itself, with so many messages; what is to be told of them how many were moved."""
    messages = [{"MessageId": f"m{number}", "ReceiptHandle": "h", "Body": "b"} for number in range(received)]
    sqs.answers.update(
        StartMessageMoveTask=sqs_error("UnsupportedOperation"),
        ReceiveMessage=(200, {}, json.dumps({"Messages": messages})),
        SendMessageBatch=(200, {}, json.dumps({"Failed": [], "Successful": [], **sent})),
        DeleteMessageBatch=(200, {}, json.dumps({"Failed": [], "Successful": [], **deleted})),
    )
    return Once(sqs)


class Once(list[int]):
    """After the first messages there are others, if any."""

    def __init__(self, sqs: AwsStub) -> None:
        super().__init__()
        self._sqs = sqs
        self.then: list[Answer] = []

    def append(self, count: int) -> None:
        super().append(count)
        self._sqs.answers["ReceiveMessage"] = self.then.pop(0) if self.then else (200, {}, "{}")


def taken(*numbers: int) -> list[dict[str, str]]:
    return [{"Id": str(number), "MessageId": "x", "MD5OfMessageBody": ""} for number in numbers]


FAILED = {"Code": "InternalError", "SenderFault": False}


async def test_what_the_queue_did_not_take_of_a_batch_is_told(sqs: AwsStub) -> None:
    told = by_hand(sqs, 3, {"Successful": taken(0, 2), "Failed": [{"Id": "1", **FAILED}]}, {})
    with pytest.raises(TrailstreamError, match=r"2 messages were moved; 1 are still .*InternalError"):
        await moved(told)
    assert told == [2]


async def test_what_the_queue_takes_when_it_is_seen_again_is_moved(sqs: AwsStub) -> None:
    told = by_hand(sqs, 2, {"Successful": taken(0), "Failed": [{"Id": "1", **FAILED}]}, {})
    told.then = [(200, {}, json.dumps({"Messages": [{"MessageId": "m1", "ReceiptHandle": "h", "Body": "b"}]}))]
    assert await moved(told) == 2


async def test_what_could_not_be_deleted_is_tried_again_told_and_never_sent_twice(sqs: AwsStub) -> None:
    told = by_hand(sqs, 2, {"Successful": taken(0, 1)}, {"Failed": [{"Id": "0", **FAILED}]})
    told.then = [(200, {}, json.dumps({"Messages": [{"MessageId": "m0", "ReceiptHandle": "h", "Body": "b"}]}))]
    with pytest.raises(TrailstreamError, match=r"2 messages were moved; 1 are on both queues.*InternalError"):
        await moved(told)
    assert told == [2, 2]
    assert (sqs.asked.count("SendMessageBatch"), sqs.asked.count("DeleteMessageBatch")) == (1, 6)


async def test_the_exit_code_says_that_not_all_are_back(sqs: AwsStub) -> None:
    by_hand(sqs, 2, {"Successful": taken(0), "Failed": [{"Id": "1", **FAILED}]}, {})
    sqs.answers["ChangeMessageVisibilityBatch"] = (200, {}, "{}")
    done = await asyncio.to_thread(
        invoke,
        "redrive",
        "--yes",
        "--samples",
        2,
        TRAILSTREAM_QUEUE_URL=f"{sqs.url}/111122223333/trail",
        TRAILSTREAM_BUCKETS="*",
        AWS_REGION="us-east-1",
    )

    assert (done.code, "are back" in done.err) == (1, False), done
    assert "1 are still in the dead-letter queue" in done.err
