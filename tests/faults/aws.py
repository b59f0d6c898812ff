"""A proxy in front of the embedded AWS that fails as it is told: some requests, of some operations, in some way."""

import asyncio
import json
import random
from collections import Counter
from contextlib import AsyncExitStack
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Literal, Self

import aiohttp
from aiohttp import web
from yarl import URL

How = Literal[
    "error",  # an answer of AWS's that says so, and nothing done
    "slow",  # done, late
    "refused",  # the connection is cut, and nothing done
    "lost",  # done, and the connection is cut instead of the answer
    "cut",  # the answer breaks off at any byte
    "stalled",  # the answer stops at any byte, and nothing comes for a while
    "short",  # the answer says that it is longer than it is
    "partial",  # of a batch, some entries fail and are not done
]

_LEFT_OUT: Final = frozenset({"host", "content-length", "transfer-encoding", "connection", "content-encoding"})
_STALL_S: Final = 3.0


@dataclass(frozen=True, slots=True)
class Fault:
    """One way to fail.

    Attributes:
        operations: by AWS's names (`GetObject`, `DeleteMessageBatch`); `*`: every one.
        how: in what way.
        part: of the requests, from 0 to 1.
        status: of an answer that is an error.
        code: likewise; of a batch's entries, too.
        seconds: for how long something is slow.
    """

    operations: tuple[str, ...]
    how: How
    part: float = 1.0
    status: int = 500
    code: str = "InternalError"
    seconds: float = 1.0

    def concerns(self, operation: str) -> bool:
        return "*" in self.operations or operation in self.operations


class FaultyAws:
    """`async with FaultyAws(endpoint, rng) as aws`: `aws.url` is an AWS that does what `aws.faults` say.

    Attributes:
        injected: how often each kind of fault was.
    """

    def __init__(self, target: str, rng: random.Random) -> None:
        self.url = ""
        self.faults: tuple[Fault, ...] = ()
        self.injected: Counter[str] = Counter()
        self._target = target
        self._rng = rng
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=256 * 1024**2)
        app.router.add_route("*", "/{path:.*}", self._serve)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5, auto_decompress=False)
        await runner.setup()
        self._stack.push_async_callback(runner.cleanup)
        self._http = await self._stack.enter_async_context(
            aiohttp.ClientSession(auto_decompress=False, connector=aiohttp.TCPConnector(limit=0))
        )
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.url = "http://{}:{}".format(*runner.addresses[0])
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        try:
            return await self._served(request)
        except (aiohttp.ClientError, ConnectionError):  # either side has gone away
            return _cut(request)

    async def _served(self, request: web.Request) -> web.StreamResponse:
        operation, body = _operation(request), await request.read()
        fault = self._drawn(operation)
        if fault is not None:
            self.injected[f"{operation} {fault.how}"] += 1
        if fault is None:
            return _answer(*await self._forward(request, body))
        if fault.how == "refused":
            return _cut(request)
        if fault.how == "error":
            return _error(operation, fault)
        if fault.how == "slow":
            await asyncio.sleep(fault.seconds)
        if fault.how == "partial":
            return await self._partly(request, body, fault)
        status, headers, content = await self._forward(request, body)
        if fault.how == "lost":
            return _cut(request)
        if fault.how in ("cut", "stalled", "short") and content:
            return await self._broken(request, fault, status, headers, content)
        return _answer(status, headers, content)

    def _drawn(self, operation: str) -> Fault | None:
        return next((each for each in self.faults if each.concerns(operation) and self._rng.random() < each.part), None)

    async def _forward(self, request: web.Request, body: bytes) -> tuple[int, dict[str, str], bytes]:
        # As it was sent: the path is signed, and what is quoted in it stays so.
        url = URL(self._target + request.raw_path, encoded=True)
        headers = {name: value for name, value in request.headers.items() if name.lower() not in _LEFT_OUT}
        async with self._http.request(request.method, url, headers=headers, data=body) as answer:
            kept = {name: value for name, value in answer.headers.items() if name.lower() not in _LEFT_OUT}
            if answer.headers.get("Content-Encoding"):
                kept["Content-Encoding"] = answer.headers["Content-Encoding"]
            return answer.status, kept, await answer.read()

    async def _partly(self, request: web.Request, body: bytes, fault: Fault) -> web.StreamResponse:
        asked = json.loads(body)
        failing = [entry for entry in asked.get("Entries", ()) if self._rng.random() < 0.5]
        asked["Entries"] = [entry for entry in asked.get("Entries", ()) if entry not in failing]
        answered: dict[str, Any] = {"Successful": []}
        headers = {"Content-Type": "application/x-amz-json-1.0"}
        if asked["Entries"]:
            _, headers, content = await self._forward(request, json.dumps(asked).encode())
            answered = json.loads(content)
        answered["Failed"] = [
            *answered.get("Failed", ()),
            *({"Id": entry["Id"], "Code": fault.code, "SenderFault": False, "Message": "x"} for entry in failing),
        ]
        return _answer(200, headers, json.dumps(answered).encode())

    async def _broken(
        self, request: web.Request, fault: Fault, status: int, headers: dict[str, str], content: bytes
    ) -> web.StreamResponse:
        sent = content[: self._rng.randrange(len(content))]
        length = len(content) + 7 if fault.how == "short" else len(content)
        answer = web.StreamResponse(status=status, headers={**headers, "Content-Length": str(length)})
        await answer.prepare(request)
        await answer.write(content if fault.how == "short" else sent)
        if fault.how == "stalled":
            await asyncio.sleep(_STALL_S)
        return _cut(request)


def _operation(request: web.Request) -> str:
    target = request.headers.get("X-Amz-Target", "")
    if target:
        return target.rpartition(".")[2]
    key = request.path.strip("/").partition("/")[2]
    return {"GET": "GetObject", "HEAD": "HeadObject", "PUT": "PutObject"}.get(request.method, "") if key else "Bucket"


def _answer(status: int, headers: dict[str, str], content: bytes) -> web.Response:
    return web.Response(status=status, headers=headers, body=content)


def _cut(request: web.Request) -> web.Response:
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


def _error(operation: str, fault: Fault) -> web.Response:
    if operation in ("GetObject", "HeadObject", "PutObject", "Bucket"):
        text = f"<Error><Code>{fault.code}</Code><Message>on purpose</Message></Error>"
        return web.Response(status=fault.status, text=text, content_type="application/xml")
    return web.Response(
        status=fault.status,
        text=json.dumps({"__type": f"com.amazonaws#{fault.code}", "message": "on purpose"}),
        headers={"x-amzn-query-error": f"{fault.code};Receiver", "Content-Type": "application/x-amz-json-1.0"},
    )
