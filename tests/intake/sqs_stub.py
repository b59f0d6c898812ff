"""A small SQS on loopback that fails as it is told: a real queue in memory behind SQS's JSON protocol.

It is stricter than the emulators: Ids must be distinct, a batch has 10 entries at most, a handle is dead once the
message was handed out again or became visible, and a poll whose client is gone hands out nothing.
"""

import asyncio
import itertools
import json
import time
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from aiohttp import web

ACCOUNT = "111122223333"
ARN = f"arn:aws:sqs:us-east-1:{ACCOUNT}:trail"
DEAD_LETTER_ARN = f"{ARN}-dead"

Fault = Callable[[dict[str, Any]], Awaitable[web.Response | None]]
"""Given the request, answers in the queue's stead; `None` lets the queue answer after all."""


@dataclass
class Stored:
    """A message in the stub's queue."""

    id: str
    body: str
    sent_at: float
    visible_at: float = 0.0
    handle: str = ""
    receives: int = 0


@dataclass
class Request:
    """A request that the stub has got."""

    operation: str
    payload: dict[str, Any]
    at: float = field(default_factory=time.monotonic)

    @property
    def entries(self) -> list[dict[str, Any]]:
        entries: list[dict[str, Any]] = self.payload.get("Entries", [])
        return entries


def error(code: str, status: int = 400) -> Fault:
    """An error of the whole request."""

    async def fault(_: dict[str, Any]) -> web.Response:
        return answer({"__type": f"com.amazonaws.sqs#{code}", "message": "SECRET"}, status)

    return fault


def refuse(code: str) -> Fault:
    """A batch of which no entry is carried out, nor was by then."""

    async def fault(payload: dict[str, Any]) -> web.Response:
        failed = [
            {"Id": entry["Id"], "Code": code, "Message": "SECRET", "SenderFault": True} for entry in payload["Entries"]
        ]
        return answer({"Successful": [], "Failed": failed})

    return fault


def delayed(seconds: float) -> Fault:
    """The queue's own answer, later."""

    async def fault(_: dict[str, Any]) -> None:
        await asyncio.sleep(seconds)

    return fault


def gate() -> tuple[asyncio.Event, asyncio.Event, Fault]:
    """An event that says that the request came, one that lets it go on, and the fault that does so."""
    came, go = asyncio.Event(), asyncio.Event()

    async def fault(_: dict[str, Any]) -> None:
        came.set()
        await go.wait()

    return came, go, fault


def garbage(text: str = "<html>") -> Fault:
    """An answer that is no answer."""

    async def fault(_: dict[str, Any]) -> web.Response:
        return web.Response(text=text, content_type="application/x-amz-json-1.0")

    return fault


def answer(payload: dict[str, Any], status: int = 200) -> web.Response:
    return web.Response(
        text=json.dumps(payload),
        status=status,
        content_type="application/x-amz-json-1.0",
    )


class SqsStub:
    """`async with` starts it.

    Attributes:
        requests: all that came.
        faults: for each operation, what befalls its next requests, in order.
        always: what befalls every request of an operation for which no fault is left.
        exists: whether there is the queue.
        polling: polls under way.
        violations: requests that SQS would not understand.
        unreliable_delete: a delete by an older handle succeeds and deletes nothing, as SQS's manual warns.
    """

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.faults: defaultdict[str, deque[Fault]] = defaultdict(deque)
        self.always: dict[str, Fault] = {}
        self.messages: dict[str, Stored] = {}
        self.attributes = {
            "QueueArn": ARN,
            "VisibilityTimeout": "30",
            "RedrivePolicy": json.dumps({"deadLetterTargetArn": DEAD_LETTER_ARN, "maxReceiveCount": 10}),
        }
        self.dead_letters = 3
        self.exists = True
        self.unreliable_delete = False
        self.polling = 0
        self.violations: list[str] = []
        self._changed = asyncio.Event()
        self._ids = itertools.count(1)
        self._server = AsyncExitStack()
        self.endpoint = ""

    @property
    def url(self) -> str:
        return f"{self.endpoint}/{ACCOUNT}/trail"

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_post("/{path:.*}", self._handle)
        runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.01)
        await runner.setup()
        self._server.push_async_callback(runner.cleanup)
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = runner.addresses[0][1]
        self.endpoint = f"http://127.0.0.1:{port}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._server.aclose()

    def send(self, *bodies: str) -> list[str]:
        """Put messages on the queue; returns their ids."""
        ids = [f"message-{next(self._ids)}" for _ in bodies]
        for id_, body in zip(ids, bodies, strict=True):
            self.messages[id_] = Stored(id_, body, time.time())
        self._wake()
        return ids

    def redeliver(self, id_: str) -> None:
        """Let a message be handed out again, though it is hidden."""
        self.messages[id_].visible_at = 0.0
        self._wake()

    def of(self, operation: str) -> list[Request]:
        """The requests of one operation, so far."""
        return [request for request in self.requests if request.operation == operation]

    def partly(self, code: str, *positions: int, sender: bool = False) -> Fault:
        """A batch of which these entries fail and all others are carried out."""

        async def fault(payload: dict[str, Any]) -> web.Response:
            good = [entry for position, entry in enumerate(payload["Entries"]) if position not in positions]
            bad = [entry for entry in payload["Entries"] if entry not in good]
            carry_out = self._change if "VisibilityTimeout" in payload["Entries"][0] else self._delete
            done = carry_out(payload | {"Entries": good}) if good else {"Successful": [], "Failed": []}
            done["Failed"] += [
                {"Id": entry["Id"], "Code": code, "Message": "SECRET", "SenderFault": sender} for entry in bad
            ]
            return answer(done)

        return fault

    def visibilities(self) -> list[int]:
        """Every visibility timeout that was asked for, in order."""
        return [entry["VisibilityTimeout"] for one in self.of("ChangeMessageVisibilityBatch") for entry in one.entries]

    async def _handle(self, request: web.Request) -> web.Response:
        operation = request.headers["X-Amz-Target"].removeprefix("AmazonSQS.")
        payload = json.loads(await request.read())
        self.requests.append(Request(operation, payload))
        fault = self.faults[operation].popleft() if self.faults[operation] else self.always.get(operation)
        found = await fault(payload) if fault else None
        if found is not None:
            return found
        if not self.exists:
            return await error("QueueDoesNotExist")(payload) or answer({})
        try:
            if operation == "ReceiveMessage":
                return answer(await self._receive(payload))
            plain = {
                "DeleteMessageBatch": self._delete,
                "ChangeMessageVisibilityBatch": self._change,
                "GetQueueAttributes": self._attributes,
                "GetQueueUrl": self._url,
            }
            return answer(plain[operation](payload))
        except (AssertionError, LookupError) as wrong:
            self.violations.append(f"{operation}: {wrong!r}")
            raise

    async def _receive(self, payload: dict[str, Any]) -> dict[str, Any]:
        deadline = time.monotonic() + payload["WaitTimeSeconds"]
        self.polling += 1
        try:
            while True:
                found = self._hand_out(payload)
                left_s = deadline - time.monotonic()
                if found or left_s <= 0:
                    return {"Messages": found} if found else {}
                self._changed.clear()
                hidden = [one.visible_at for one in self.messages.values()]
                try:
                    async with asyncio.timeout(max(0.0, min([*hidden, deadline]) - time.monotonic())):
                        await self._changed.wait()
                except TimeoutError:
                    pass
        finally:
            self.polling -= 1

    def _hand_out(self, payload: dict[str, Any]) -> list[dict[str, Any]]:
        now = time.monotonic()
        visible = [one for one in self.messages.values() if one.visible_at <= now]
        timeout_s = payload.get("VisibilityTimeout", int(self.attributes["VisibilityTimeout"]))
        found = []
        for one in visible[: payload["MaxNumberOfMessages"]]:
            one.receives += 1
            one.handle = f"{one.id}:{one.receives}"
            one.visible_at = now + timeout_s
            known = {"ApproximateReceiveCount": str(one.receives), "SentTimestamp": str(int(one.sent_at * 1000))}
            wanted = payload.get("MessageSystemAttributeNames", [])
            found.append(
                {
                    "MessageId": one.id,
                    "ReceiptHandle": one.handle,
                    "Body": one.body,
                    "Attributes": {name: known[name] for name in wanted},
                }
            )
        return found

    def _by_handle(self, handle: str) -> Stored | None:
        one = self.messages.get(handle.rpartition(":")[0])
        return one if one and one.handle == handle and one.visible_at > time.monotonic() else None

    def _batch(self, payload: dict[str, Any], carry_out: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        ids = [entry["Id"] for entry in payload["Entries"]]
        assert 1 <= len(ids) <= 10
        assert len(set(ids)) == len(ids)
        done = {entry["Id"]: carry_out(entry) for entry in payload["Entries"]}
        return {
            "Successful": [{"Id": id_} for id_, well in done.items() if well],
            "Failed": [
                {"Id": id_, "Code": "ReceiptHandleIsInvalid", "Message": "SECRET", "SenderFault": True}
                for id_, well in done.items()
                if not well
            ],
        }

    def _delete(self, payload: dict[str, Any]) -> dict[str, Any]:
        def delete(entry: dict[str, Any]) -> bool:
            one = self._by_handle(entry["ReceiptHandle"])
            if one is None:
                return self.unreliable_delete
            del self.messages[one.id]
            return True

        return self._batch(payload, delete)

    def _change(self, payload: dict[str, Any]) -> dict[str, Any]:
        def change(entry: dict[str, Any]) -> bool:
            assert 0 <= entry["VisibilityTimeout"] <= 43_200
            one = self._by_handle(entry["ReceiptHandle"])
            if one is None:
                return False
            one.visible_at = time.monotonic() + entry["VisibilityTimeout"]
            return True

        done = self._batch(payload, change)
        self._wake()
        return done

    def _attributes(self, payload: dict[str, Any]) -> dict[str, Any]:
        if payload["QueueUrl"].endswith("-dead"):
            return {"Attributes": {"ApproximateNumberOfMessages": str(self.dead_letters)}}
        now = time.monotonic()
        visible = sum(one.visible_at <= now for one in self.messages.values())
        counts = {
            "ApproximateNumberOfMessages": str(visible),
            "ApproximateNumberOfMessagesNotVisible": str(len(self.messages) - visible),
            "ApproximateNumberOfMessagesDelayed": "0",
        }
        known = self.attributes | counts
        return {"Attributes": {name: known[name] for name in payload["AttributeNames"] if name in known}}

    def _url(self, payload: dict[str, Any]) -> dict[str, Any]:
        return {"QueueUrl": f"{self.endpoint}/{payload['QueueOwnerAWSAccountId']}/{payload['QueueName']}"}

    def _wake(self) -> None:
        self._changed.set()
