"""What both ways of sending make of a server's bytes."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from typing import Any

import aiohttp
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream.http import Http, Origin
from stream.http.pool import Pool
from stream.http.proxied import Proxied
from tests.http.server import OK, Server, served
from tests.intake.conftest import until

FAULTS = (OSError, aiohttp.ClientError)
WAYS: dict[str, Callable[..., Any]] = {"pool": Pool, "aiohttp": lambda **how: Proxied(proxy=None, **how)}


@pytest.fixture(params=list(WAYS))
async def http(request: pytest.FixtureRequest) -> AsyncIterator[Http]:
    async with opened(request.param) as http:
        yield http


def opened(way: str, stall_s: float = 20.0) -> Any:
    return WAYS[way](user_agent="tests/1", stall_s=stall_s, tls=ssl.create_default_context())


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with served() as server:
        yield server


async def get(http: Http, server: Server, target: str = "/a", **headers: str) -> tuple[int, bytes]:
    async with http.request("GET", Origin.of(server.url), target, headers) as answer:
        body = b""
        while part := await answer.read():
            body += part
        return answer.status, body


async def test_a_request_is_sent_as_it_was_signed(http: Http, server: Server) -> None:
    target = "/b//c/../d%2F+e?versionId=x%20y"
    async with http.request("POST", Origin.of(server.url), target, {"x-amz-date": "20260101T000000Z"}, b"{}") as answer:
        assert (answer.status, await answer.read()) == (200, b"ok")
    head, body = server.requests[0].split(b"\r\n\r\n")
    line, *headers = head.split(b"\r\n")
    sent = dict(header.lower().split(b": ", 1) for header in headers)

    assert (line, body) == (f"POST {target} HTTP/1.1".encode(), b"{}")
    assert sent.pop(b"host") == server.url.removeprefix("http://").encode()
    assert (sent.pop(b"user-agent"), sent.pop(b"content-length")) == (b"tests/1", b"2")
    assert sent == {b"x-amz-date": b"20260101t000000z"}


@pytest.mark.parametrize(
    "answer",
    [
        [b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"],
        [b"HTTP/1.1 200 OK\r\ncontent-", b"length:5\r\n\r", b"\nhe", b"llo"],
        [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n"],
        [b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"],
        [b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 5\r\n\r\nhello"],
        [b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello", "close"],
        [b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhel", b"lo", "close"],
        [b"HTTP/1.0 200 OK\r\n\r\nhello", "close"],
    ],
)
async def test_an_answer_may_come_in_any_of_http_s_ways(http: Http, server: Server, answer: list[Any]) -> None:
    server.answers.extend([answer, [OK]])

    assert await get(http, server) == (200, b"hello")
    assert await get(http, server) == (200, b"ok")


async def test_headers_are_had_by_their_names(http: Http, server: Server) -> None:
    server.answers.append([b'HTTP/1.1 206 Partial\r\nETag: "a"\r\nX-Empty:\r\ncontent-length: 0\r\n\r\n'])
    async with http.request("GET", Origin.of(server.url), "/", {}) as answer:
        found = [answer.status, answer.header("etag"), answer.header("x-empty"), answer.header("x-none")]

    assert found == [206, '"a"', "", ""]


async def test_a_connection_serves_again_and_several_at_once_have_their_own(http: Http, server: Server) -> None:
    for _ in range(3):
        await get(http, server)
    assert server.connections == 1
    assert await asyncio.gather(*(get(http, server) for _ in range(3))) == [(200, b"ok")] * 3
    assert server.connections <= 3


async def test_a_connection_that_the_server_closed_meanwhile_is_nobodys_fault(http: Http, server: Server) -> None:
    server.answers.append([OK])
    await get(http, server)
    server.answers.extend([["close"], [OK]])

    assert await get(http, server) == (200, b"ok")
    assert (server.connections, len(server.requests)) == (2, 3)


@pytest.mark.parametrize(
    "answer",
    [
        ["close"],
        [b"HTTP/1.1 200 OK\r\ncontent-length: 5", "close"],
        [b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhel", "close"],
        [b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhel", "close"],
        [b"SSH-2.0-OpenSSH_9.2\r\n", "close"],
        [b"HTTP/1.1 200 OK\r\ncontent-length: many\r\n\r\n", "wait"],
        [b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 100_000, "wait"],
        [b"HTTP/1.1 200 OK\r\nx: " + b"y" * 1_000_000, "wait"],
    ],
)
async def test_an_answer_that_is_not_whole_is_an_error(http: Http, server: Server, answer: list[Any]) -> None:
    server.answers.extend([answer, answer])

    with pytest.raises(FAULTS):
        await get(http, server)
    server.answers.clear()
    assert await get(http, server) == (200, b"ok")


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"HTTP/1.1 200 OK\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhel",
        b"HTTP/1.1 200 OK\r\n\r\nhel",
    ],
)
async def test_a_server_that_says_nothing_any_more_is_given_up(way: str, server: Server, sent: bytes) -> None:
    server.answers.append([sent, "wait"])
    async with opened(way, stall_s=0.2) as http:
        with pytest.raises(TimeoutError):
            await get(http, server)
        await until(lambda: server.open == 0)


@pytest.mark.parametrize("way", WAYS)
async def test_whoever_reads_slowly_is_not_the_server_s_fault(way: str, server: Server) -> None:
    size = 8 << 20
    server.answers.append([b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % size, b"x" * size])
    async with opened(way, stall_s=0.4) as http, http.request("GET", Origin.of(server.url), "/", {}) as answer:
        first = await answer.read()
        await asyncio.sleep(0.6)
        most = len(first)
        while part := await answer.read():
            size -= len(part)
            most = max(most, len(part))

    assert size == len(first)
    assert most < 1 << 20, "as much as the server sent was held"


async def test_what_is_not_read_to_its_end_is_not_read_by_the_next(http: Http, server: Server) -> None:
    server.answers.append([b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhel", "wait"])
    async with http.request("GET", Origin.of(server.url), "/", {}) as answer:
        assert await answer.read() == b"hel"

    assert await get(http, server) == (200, b"ok")
    await until(lambda: server.open == 1)


async def test_a_request_that_is_cancelled_leaves_nothing_behind(http: Http, server: Server) -> None:
    server.answers.append(["wait"])
    asking = asyncio.create_task(get(http, server))
    await until(lambda: len(server.requests) == 1)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking

    await until(lambda: server.open == 0)
    assert await get(http, server) == (200, b"ok")


async def test_an_answer_that_is_cut_short_here_is_not_whole(server: Server) -> None:
    server.answers.append([b"HTTP/1.1 200 OK\r\n\r\nhel", "wait"])
    async with opened("pool") as http, http.request("GET", Origin.of(server.url), "/", {}) as answer:
        assert await answer.read() == b"hel"
        await http.__aexit__(None, None, None)
        with pytest.raises(FAULTS):
            await answer.read()


async def test_more_than_was_asked_for_is_no_answer_to_the_next(server: Server) -> None:
    server.answers.append([OK + b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil"])
    async with opened("pool") as http:
        assert await get(http, server) == (200, b"ok")
        assert await get(http, server) == (200, b"ok")
    assert server.connections == 2


async def test_a_header_can_not_bring_another_one(http: Http, server: Server) -> None:
    for value in ("a\r\nx-evil: b", "a\nb", "a\rb"):
        with pytest.raises(ValueError, match=r"line|header"):
            await get(http, server, **{"x-amz-security-token": value})
    assert server.requests == []


async def test_nobody_there_is_an_error(http: Http) -> None:
    async with served() as gone:
        pass

    with pytest.raises(FAULTS):
        await get(http, gone)


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_it_does_not_matter_how_an_answer_is_cut(data: st.DataObject) -> None:
    body = data.draw(st.binary(max_size=200))
    if data.draw(st.booleans()):
        head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body)
        whole = head + body
    else:
        cuts = sorted(data.draw(st.lists(st.integers(0, len(body)), max_size=4)))
        parts = [body[a:b] for a, b in zip([0, *cuts], [*cuts, len(body)], strict=True)]
        chunks = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts if part)
        whole = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n"
    at = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=5)))
    pieces = [whole[a:b] for a, b in zip([0, *at], [*at, len(whole)], strict=True)]

    async def ask() -> list[tuple[int, bytes]]:
        async with served() as server, AsyncExitStack() as stack:
            found = []
            for way in WAYS:
                http = await stack.enter_async_context(opened(way))
                server.answers.append([piece for piece in pieces if piece])
                found.append(await get(http, server))
            return found

    assert asyncio.run(ask()) == [(200, body)] * 2
