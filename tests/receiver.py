"""A web service on loopback: it keeps every request, and answers, delays or hangs up as it is told."""

import asyncio
import json
import time
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from aiohttp import web


@dataclass(frozen=True, slots=True)
class Reply:
    """One scripted answer.

    Attributes:
        delay_s: wait this long first.
        hang: never answer; the request ends when the client gives up or the receiver stops.
        close: cut the connection instead of answering.
    """

    status: int = 200
    body: str | bytes = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    delay_s: float = 0.0
    hang: bool = False
    close: bool = False


@dataclass(frozen=True, slots=True)
class Request:
    """One request as it came; `time` is `time.monotonic()`."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    time: float

    def json(self) -> Any:
        return json.loads(self.body)


class Receiver:
    """`async with Receiver() as receiver`; post to `receiver.url`, look at `receiver.requests`.

    Each request takes the next of the scripted `answer(…)`s; when none is left, `default` answers, which may
    also be a function of the request.
    """

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.default: Reply | Callable[[Request], Reply] = Reply()
        self.open_requests = 0
        self.most_open_requests = 0
        self.url = ""
        self._script: deque[Reply] = deque()
        self._arrived = asyncio.Condition()
        self._stopping = asyncio.Event()
        self._stack = AsyncExitStack()

    def answer(
        self,
        *statuses: int,
        body: str | bytes = "",
        headers: Mapping[str, str] | None = None,
        delay_s: float = 0.0,
        hang: bool = False,
        close: bool = False,
    ) -> None:
        """Script the next answers, one for each status (one in all if there is none to give)."""
        for status in statuses or (200,):
            self._script.append(Reply(status, body, dict(headers or {}), delay_s, hang, close))

    async def wait_for(self, count: int, timeout_s: float = 60.0) -> list[Request]:
        """Wait until this many requests have come; TimeoutError if they don't."""
        async with asyncio.timeout(timeout_s), self._arrived:
            await self._arrived.wait_for(lambda: len(self.requests) >= count)
        return self.requests

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=64 * 1024**2)
        app.router.add_route("*", "/{path:.*}", self._serve)
        runner = web.AppRunner(app, shutdown_timeout=0.5, access_log=None)
        await runner.setup()
        self._stack.push_async_callback(runner.cleanup)
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0][:2]
        self.url = f"http://{host}:{port}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stopping.set()
        await self._stack.aclose()

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        kept = Request(
            method=request.method,
            path=request.path,
            query=dict(request.query),
            headers=request.headers.copy(),
            body=await request.read(),
            time=time.monotonic(),
        )
        reply = self._next(kept)
        async with self._arrived:
            self.requests.append(kept)
            self._arrived.notify_all()
        self.open_requests += 1
        self.most_open_requests = max(self.most_open_requests, self.open_requests)
        try:
            if reply.delay_s:
                await asyncio.sleep(reply.delay_s)
            if reply.hang:
                await self._stopping.wait()
        finally:
            self.open_requests -= 1
        if (reply.close or reply.hang) and request.transport is not None:
            request.transport.abort()
        content = reply.body.encode() if isinstance(reply.body, str) else reply.body
        return web.Response(status=reply.status, body=content, headers=dict(reply.headers))

    def _next(self, request: Request) -> Reply:
        if self._script:
            return self._script.popleft()
        return self.default(request) if callable(self.default) else self.default
