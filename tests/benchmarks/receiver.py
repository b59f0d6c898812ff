"""A webhook on loopback that notes when each alert came."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import orjson
from aiohttp import web


class Receiver:
    """When the alerts of which event came, by its id; on the scale of `time.monotonic()`."""

    def __init__(self) -> None:
        self.url = ""
        self.arrived: dict[str, float] = {}
        self._arrival = asyncio.Condition()

    async def receive(self, request: web.Request) -> web.Response:
        at = time.monotonic()
        event_id = orjson.loads(await request.read())["data"]["event"]["id"]
        async with self._arrival:
            self.arrived.setdefault(event_id, at)
            self._arrival.notify_all()
        return web.Response(status=204)

    async def until(self, count: int, *, patience_s: float) -> None:
        """Wait until alerts of so many events have come."""
        async with asyncio.timeout(patience_s), self._arrival:
            await self._arrival.wait_for(lambda: len(self.arrived) >= count)


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    """A receiver that listens."""
    receiver = Receiver()
    app = web.Application(client_max_size=8 * 1024**2)
    app.router.add_post("/", receiver.receive)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        receiver.url = f"http://127.0.0.1:{runner.addresses[0][1]}/"
        yield receiver
    finally:
        await runner.cleanup()
