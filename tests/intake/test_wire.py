"""Our own requests to SQS are aiobotocore's: the same on the wire, and the same of each answer."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web
from botocore.exceptions import ClientError

from stream.aws import Aws
from stream.intake.faults import FAILURES, sqs_error
from stream.intake.wire import SqsWire
from stream.metrics import Metrics

QUEUE = "https://sqs.eu-west-1.amazonaws.com/111122223333/q"
CALLS: list[tuple[str, dict[str, Any]]] = [
    (
        "receive_message",
        {
            "QueueUrl": QUEUE,
            "MaxNumberOfMessages": 10,
            "WaitTimeSeconds": 20,
            "MessageSystemAttributeNames": ["ApproximateReceiveCount", "SentTimestamp"],
            "MessageAttributeNames": ["x"],
            "VisibilityTimeout": 30,
        },
    ),
    ("delete_message_batch", {"QueueUrl": QUEUE, "Entries": [{"Id": "0", "ReceiptHandle": "h\u00e9"}]}),
    (
        "change_message_visibility_batch",
        {"QueueUrl": QUEUE, "Entries": [{"Id": "0", "ReceiptHandle": "h", "VisibilityTimeout": 7}]},
    ),
    ("get_queue_attributes", {"QueueUrl": QUEUE, "AttributeNames": ["QueueArn", "RedrivePolicy"]}),
    ("get_queue_url", {"QueueName": "q", "QueueOwnerAWSAccountId": "111122223333"}),
]
MESSAGE = {
    "MessageId": "m",
    "ReceiptHandle": "h",
    "Body": "b\u202e",
    "Attributes": {"SentTimestamp": "1"},
    "MessageAttributes": {"x": {"DataType": "String", "StringValue": "quiet"}},
}


class Sqs:
    """Keeps what it is sent, and answers as it is told."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, dict[str, str], Any]] = []
        self.status = 200
        self.headers: dict[str, str] = {}
        self.body = "{}"
        self.cut = False

    async def answer(self, request: web.Request) -> web.Response:
        return await self.handle(request)

    async def handle(self, request: web.Request) -> web.Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.seen.append((request.raw_path, headers, json.loads(await request.read())))
        if self.cut and request.transport is not None:
            request.transport.abort()
        return web.Response(status=self.status, headers=self.headers, text=self.body)


@asynccontextmanager
async def both(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[Sqs, Any, SqsWire]]:
    """A server, and the two clients of it."""
    sqs = Sqs()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", sqs.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    endpoint = "http://{}:{}".format(*runner.addresses[0])
    for name, value in (
        ("AWS_ENDPOINT_URL", endpoint),
        ("AWS_ACCESS_KEY_ID", "AKID"),
        ("AWS_SECRET_ACCESS_KEY", "secret"),
        ("AWS_SESSION_TOKEN", "token"),
    ):
        monkeypatch.setenv(name, value)
    aws = Aws(Metrics())
    async with aws.client("sqs", region="eu-west-1", attempts=1) as client, aws.http(stall_s=5) as http:
        yield sqs, client, SqsWire(aws, http, endpoint=endpoint, region="eu-west-1")
    await runner.cleanup()


async def told(call: Any, parameters: dict[str, Any]) -> Any:
    """What a call gives, or what its fault comes down to."""
    try:
        answer = await call(**parameters)
    except FAILURES as error:
        code = error.response["Error"]["Code"] if isinstance(error, ClientError) else ""
        fault = sqs_error(error)
        return fault.reason, code
    return {name: value for name, value in answer.items() if name != "ResponseMetadata"}


@pytest.mark.parametrize(("operation", "parameters"), CALLS)
async def test_the_same_request_is_made(
    operation: str, parameters: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with both(monkeypatch) as (sqs, client, wire):
        for each in (client, wire):
            await getattr(each, operation)(**parameters)
        (path, theirs, body), (own_path, ours, own_body) = sqs.seen

    assert (path, body) == (own_path, own_body)
    for name in ("x-amz-target", "content-type", "host", "x-amz-security-token"):
        assert theirs[name] == ours[name], name
    assert ours["authorization"].partition("/20")[0] == theirs["authorization"].partition("/20")[0]


ERROR = {"x-amzn-query-error": "AWS.SimpleQueueService.NonExistentQueue;Sender"}
ANSWERS: list[tuple[int, dict[str, str], str]] = [
    (200, {}, json.dumps({"Messages": [MESSAGE]})),
    (200, {}, json.dumps({"Successful": [{"Id": "0"}], "Failed": [{"Id": "1", "Code": "x", "SenderFault": True}]})),
    (200, {}, json.dumps({"Attributes": {"VisibilityTimeout": "30", "RedrivePolicy": "{}"}})),
    (200, {}, json.dumps({"QueueUrl": QUEUE})),
    (200, {}, "{}"),
    (400, ERROR, json.dumps({"__type": "com.amazonaws.sqs#QueueDoesNotExist"})),
    (400, {}, json.dumps({"__type": "com.amazonaws.sqs#ReceiptHandleIsInvalid"})),
    (403, {"x-amzn-query-error": "RequestThrottled;Sender"}, json.dumps({"__type": "com.amazonaws.sqs#Throttled"})),
    (403, {}, json.dumps({"__type": "com.amazon.coral.service#AccessDeniedException"})),
    (500, {}, json.dumps({"__type": "com.amazonaws.sqs#InternalError"})),
    (503, {}, ""),
]


@pytest.mark.parametrize(("status", "headers", "body"), ANSWERS)
async def test_the_same_is_made_of_each_answer(
    status: int, headers: dict[str, str], body: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    told_by = {"Messages": 0, "Attributes": 3, "QueueUrl": 4}
    operation, parameters = CALLS[next((call for name, call in told_by.items() if name in body), 1)]
    async with both(monkeypatch) as (sqs, client, wire):
        sqs.status, sqs.headers, sqs.body = status, headers, body
        theirs, ours = [await told(getattr(each, operation), parameters) for each in (client, wire)]

    if isinstance(theirs, tuple):
        assert theirs[0] == ours[0], (theirs, ours)
    else:
        assert theirs == ours


async def test_a_cut_connection_and_an_answer_that_is_none_are_faults_of_the_connection(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with both(monkeypatch) as (sqs, _, wire):
        sqs.body = "<html>"
        assert (await told(wire.receive_message, CALLS[0][1]))[0] == "other"
        sqs.cut = True
        assert (await told(wire.receive_message, CALLS[0][1]))[0] == "connection"


async def test_a_long_poll_keeps_no_delete_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    async with both(monkeypatch) as (sqs, _, wire):
        waiting = asyncio.Event()
        handle = sqs.handle

        async def held(request: web.Request) -> web.Response:
            if request.headers["X-Amz-Target"].endswith("ReceiveMessage"):
                await waiting.wait()
            return await handle(request)

        sqs.handle = held  # type: ignore[method-assign]  # it is looked up for each request
        polls = [asyncio.create_task(wire.receive_message(**CALLS[0][1])) for _ in range(40)]
        async with asyncio.timeout(30):
            await wire.delete_message_batch(**CALLS[1][1])
        waiting.set()
        await asyncio.gather(*polls)
