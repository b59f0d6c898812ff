"""What is seen from outside: metrics in both formats, liveness, readiness."""

import asyncio
import math
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from typing import Any

import aiohttp
import pytest

from stream.errors import ConfigError
from stream.metrics import Metrics
from stream.server import serving, watch_event_loop


async def get(port: int, path: str, accept: str = "") -> tuple[int, str, str]:
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"http://127.0.0.1:{port}{path}", headers={"Accept": accept} if accept else {}) as answer,
    ):
        return answer.status, answer.headers["Content-Type"], await answer.text()


async def test_metrics_come_in_the_format_that_is_asked_for() -> None:
    metrics = Metrics()
    metrics.messages_received.inc(3)
    async with serving(metrics, time.monotonic, host="127.0.0.1", port=0) as (_, port):
        plain = await get(port, "/metrics")
        open_ = await get(port, "/metrics", "application/openmetrics-text; version=1.0.0")

    assert plain[1].startswith("text/plain")
    assert open_[1].startswith("application/openmetrics-text")
    for status, _, text in (plain, open_):
        assert status == 200
        assert "trailstream_messages_received_total 3.0" in text
    assert open_[2].endswith("# EOF\n")


@pytest.mark.parametrize(("silent_s", "status"), [(0, 200), (59, 200), (61, 503), (math.inf, 503)])
async def test_readiness_is_that_sqs_answered_within_the_last_minute(silent_s: float, status: int) -> None:
    async with serving(Metrics(), lambda: time.monotonic() - silent_s, host="127.0.0.1", port=0) as (_, port):
        assert (await get(port, "/readyz"))[0] == status
        assert (await get(port, "/healthz"))[0] == 200


async def test_it_listens_on_both_families_unless_told_otherwise() -> None:
    async with serving(Metrics(), time.monotonic, host="", port=0) as (_, port):
        assert (await get(port, "/healthz"))[0] == 200


async def test_a_port_in_use_is_an_error_that_names_the_variables() -> None:
    async with serving(Metrics(), time.monotonic, host="127.0.0.1", port=0) as (_, port):
        with pytest.raises(ConfigError, match=rf"TRAILSTREAM_HTTP_PORT.*:{port}"):
            async with serving(Metrics(), time.monotonic, host="127.0.0.1", port=port):
                pass


HALF = b"GET /healthz HTTP/1.1\r\nHost: x\r\nX: "
WHOLE = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"


class Client:
    """A connection, held open."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def ask(self) -> bytes:
        self.send(WHOLE)
        return (await self._reader.readuntil(b"ok\n")).split(b"\r\n", 1)[0]

    def send(self, data: bytes) -> None:
        self._writer.write(data)

    async def is_closed(self, within_s: float = 5) -> bool:
        with suppress(TimeoutError, ConnectionError):
            async with asyncio.timeout(within_s):
                await self._reader.read()
            return True
        return self._reader.exception() is not None


@pytest.fixture
async def connect() -> AsyncIterator[Callable[[int, bytes], Awaitable[Client]]]:
    writers: list[asyncio.StreamWriter] = []

    async def connected(port: int, data: bytes) -> Client:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writers.append(writer)
        writer.write(data)
        return Client(reader, writer)

    yield connected
    for writer in writers:
        writer.close()


async def test_of_too_many_connections_those_longest_without_a_request_go(connect: Any) -> None:
    async with serving(Metrics(), time.monotonic, host="127.0.0.1", port=0) as (_, port):
        first, kept = await connect(port, HALF), await connect(port, b"")
        second = await connect(port, HALF)
        assert await kept.ask() == b"HTTP/1.1 200 OK"
        last = [await connect(port, HALF) for _ in range(98)][-1]
        assert await first.is_closed()
        assert not await second.is_closed(0.1)
        assert (await get(port, "/readyz"))[0] == 200
        assert await second.is_closed()
        assert await kept.ask() == b"HTTP/1.1 200 OK"
        assert not await last.is_closed(0.1)


async def test_who_sends_no_whole_request_is_not_waited_for(monkeypatch: pytest.MonkeyPatch, connect: Any) -> None:
    monkeypatch.setattr("stream.listening._REQUEST_S", 0.5)
    async with serving(Metrics(), time.monotonic, host="127.0.0.1", port=0) as (_, port):
        idle, begun, again, kept = [await connect(port, data) for data in (b"", HALF, b"", b"")]
        await again.ask()
        await kept.ask()
        again.send(HALF)
        for _ in range(6):
            await asyncio.sleep(0.1)
            begun.send(b"x")
        assert [await client.is_closed() for client in (idle, begun, again)] == [True] * 3
        assert await kept.ask() == b"HTTP/1.1 200 OK"


async def test_a_late_event_loop_is_seen_once() -> None:
    metrics = Metrics()
    watch = asyncio.create_task(watch_event_loop(metrics))
    await asyncio.sleep(0)
    time.sleep(0.2)  # noqa: ASYNC251 - that is what is to be noticed
    lag = 0.0
    async with asyncio.timeout(60):
        while lag < 0.1:
            await asyncio.sleep(0)
            lag = max(lag, metrics.registry.get_sample_value("trailstream_event_loop_lag_seconds") or 0.0)
    watch.cancel()

    assert (metrics.registry.get_sample_value("trailstream_event_loop_lag_seconds") or 0.0) < 0.1
