"""The address that is seen from outside: `/metrics`, `/healthz`, `/readyz`.

Liveness is that the event loop turns. Readiness is that SQS answered well within the last minute: a pause of intake,
or a channel's outage, leaves a replica ready, since a restart would cure neither.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final

from aiohttp import web
from prometheus_client.exposition import choose_encoder

from stream.errors import ConfigError
from stream.listening import listening
from stream.metrics import Metrics

READY_S: Final = 60.0
"""A process is ready if SQS has answered well within so many seconds."""

_LAG_PROBE_S: Final = 0.05


@asynccontextmanager
async def serving(
    metrics: Metrics, last_success: Callable[[], float], *, host: str, port: int
) -> AsyncIterator[tuple[str, int]]:
    """Serve while the block runs; gives the address and port that are listened on.

    Args:
        metrics: what `/metrics` shows.
        last_success: when SQS last answered well, on the scale of `time.monotonic()`.
        host: address to listen on; empty: every one, of both families.
        port: 0: any that is free.

    Raises:
        ConfigError: the address can't be listened on.
    """

    async def show_metrics(request: web.Request) -> web.Response:
        encode, content_type = choose_encoder(request.headers.get("Accept", ""))
        return web.Response(body=encode(metrics.registry), headers={"Content-Type": content_type})

    async def show_health(_: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def show_readiness(_: web.Request) -> web.Response:
        silent_s = time.monotonic() - last_success()
        if silent_s <= READY_S:
            return web.Response(text="ok\n")
        return web.Response(status=503, text="no request to SQS has succeeded within the last minute\n")

    app = web.Application()
    app.router.add_get("/metrics", show_metrics)
    app.router.add_get("/healthz", show_health)
    app.router.add_get("/readyz", show_readiness)
    async with AsyncExitStack() as stack:
        try:
            addresses = await stack.enter_async_context(listening(app, host, port))
        except OSError as error:
            raise ConfigError(
                f"TRAILSTREAM_HTTP_HOST, TRAILSTREAM_HTTP_PORT: can't listen on {host or '*'}:{port}: {error.strerror}"
            ) from error
        # With any free port each family has one of its own: IPv4's is the one to tell.
        address = min(addresses, key=lambda address: ":" in address[0])
        yield address[0], address[1]


async def watch_event_loop(metrics: Metrics) -> None:
    """Measure by how much the event loop is late, for ever; `event_loop_lag_seconds` shows the worst since a scrape."""
    worst = 0.0

    def worst_since_scrape() -> float:
        nonlocal worst
        seen, worst = worst, 0.0
        return seen

    loop = asyncio.get_running_loop()
    metrics.event_loop_lag.set_function(worst_since_scrape)
    metrics.event_loop_tasks.set_function(lambda: len(asyncio.all_tasks(loop)))
    while True:
        due = time.perf_counter() + _LAG_PROBE_S
        await asyncio.sleep(_LAG_PROBE_S)
        worst = max(worst, time.perf_counter() - due)
