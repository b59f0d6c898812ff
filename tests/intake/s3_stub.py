"""An S3 on loopback that breaks as told: every answer to a GET is scripted, and ranges are honoured."""

import asyncio
import re
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

from aiohttp import web

OK: Final = "ok"


@dataclass(slots=True)
class S3Stub:
    """What it holds and what it is asked.

    Attributes:
        script: what to do with the next GETs: a status, `ok`, or `cut:N`, `stall:N`, `drip:N`, `long:N` for a body
            that breaks off, stops, comes N bytes at a time, or is announced N bytes longer than it is. When it is
            used up, `otherwise` is done.
        ranges: how many bytes after the offset asked for a range begins; `None`: the whole is sent.
    """

    body: bytes = b""
    etag: str = '"one"'
    region: str = "us-east-1"
    otherwise: str = OK
    ranges: int | None = 0
    script: deque[str] = field(default_factory=deque)
    gets: list[web.Request] = field(default_factory=list)
    heads: int = 0
    broken_heads: int = 0
    url: str = ""

    async def handle(self, request: web.Request) -> web.StreamResponse:
        if request.method == "HEAD":
            self.heads += 1
            if self.heads <= self.broken_heads and request.transport is not None:
                request.transport.abort()
            return web.Response(status=403, headers={"x-amz-bucket-region": self.region})
        self.gets.append(request)
        act, _, amount = (self.script.popleft() if self.script else self.otherwise).partition(":")
        if act.isdigit():
            text = f"<?xml version='1.0'?><Error><Code>{amount or 'Nope'}</Code></Error>"
            return web.Response(status=int(act), text=text, content_type="application/xml")
        return await self._send(request, act, int(amount or 0))

    async def _send(self, request: web.Request, act: str, amount: int) -> web.StreamResponse:
        asked = re.fullmatch(r"bytes=(\d+)-", request.headers.get("Range", ""))
        if self.ranges is None:
            asked = None
        offset = int(asked[1]) + (self.ranges or 0) if asked else 0
        rest = self.body[offset:]
        headers = {"ETag": self.etag, "Last-Modified": "Tue, 24 Nov 2026 00:00:00 GMT"}
        if asked:
            headers["Content-Range"] = f"bytes {offset}-{len(self.body) - 1}/{len(self.body)}"
        answer = web.StreamResponse(status=206 if asked else 200, headers=headers)
        answer.content_length = len(rest) + (amount if act == "long" else 0)
        await answer.prepare(request)
        if act == "drip":
            for at in range(0, len(rest), amount):
                await answer.write(rest[at : at + amount])
        else:
            await answer.write(rest[:amount] if act in ("cut", "stall") else rest)
        if act == "stall":
            await asyncio.Event().wait()  # until the client gives up, which cancels this
        if act in ("cut", "long") and request.transport is not None:
            request.transport.close()
        return answer


@asynccontextmanager
async def s3_stub() -> AsyncIterator[S3Stub]:
    stub = S3Stub()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", stub.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1, access_log=None, handler_cancellation=True)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    stub.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield stub
    await runner.cleanup()
