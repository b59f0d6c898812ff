"""A tap on the way from the emulator's SQS to the process: notes when each message was handed out.

What the emulator takes until then is its own: it looks for messages only ten times a second as long as a long poll
waits. What the tap adds, about a millisecond, counts as ours.
"""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import orjson
from aiohttp import web

_LEFT_OUT = frozenset(("host", "connection", "content-length", "transfer-encoding", "content-encoding"))


class Tap:
    """When the emulator handed out the message about which object, by its key, on the scale of `time.monotonic()`."""

    def __init__(self, endpoint: str, http: aiohttp.ClientSession) -> None:
        self.url = ""
        self.handed_out: dict[str, float] = {}
        self._endpoint = endpoint
        self._http = http

    async def forward(self, request: web.Request) -> web.Response:
        headers = {name: value for name, value in request.headers.items() if name.lower() not in _LEFT_OUT}
        body = await request.read()
        try:
            async with self._http.request(
                request.method, self._endpoint + request.raw_path, data=body, headers=headers
            ) as answer:
                content = await answer.read()
                at = time.monotonic()
        except aiohttp.ClientError:  # a long poll that was cut off at the end
            return web.Response(status=502)
        if request.headers.get("X-Amz-Target", "").endswith(".ReceiveMessage") and answer.status == 200:
            for message in orjson.loads(content).get("Messages", ()):
                for entry in orjson.loads(message["Body"])["Records"]:
                    self.handed_out[entry["s3"]["object"]["key"]] = at
        kept = {name: value for name, value in answer.headers.items() if name.lower() not in _LEFT_OUT}
        return web.Response(status=answer.status, body=content, headers=kept)


@asynccontextmanager
async def tapped(endpoint: str) -> AsyncIterator[Tap]:
    """A tap that listens: give its `url` to the process as the endpoint of SQS."""
    timeout = aiohttp.ClientTimeout(total=60)
    async with aiohttp.ClientSession(timeout=timeout, connector=aiohttp.TCPConnector(limit=0)) as http:
        tap = Tap(endpoint, http)
        app = web.Application(client_max_size=8 * 1024**2)
        app.router.add_route("*", "/{path:.*}", tap.forward)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            tap.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
            yield tap
        finally:
            await runner.cleanup()
