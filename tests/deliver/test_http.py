import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from stream.alert import Alert
from stream.deliver.channel import Accepted, Answer, Down, Rejected, Retry
from stream.deliver.http import MAX_RETRY_AFTER_S, HttpChannel, Reply, classify, parse_retry_after
from stream.metrics import ATTEMPT_REASONS
from stream.settings import ChannelSettings
from stream.urls import http_url
from tests.receiver import Receiver
from tests.tls import self_signed


class _Channel(HttpChannel):
    """The least of a channel: posts the alert's id."""

    kind = "least"
    section = ChannelSettings

    def __init__(self, url: str, timeout: float = 5.0) -> None:
        super().__init__(ChannelSettings.model_validate({"timeout": timeout}))
        self.url = SecretStr(url)
        self.replies: list[Reply] = []

    def judge(self, reply: Reply) -> Answer:
        self.replies.append(reply)
        return super().judge(reply)

    async def send(self, alert: Alert, *, minimal: bool = False) -> Answer:
        del minimal
        return await self.post(alert.id.encode())

    async def post(self, body: bytes = b"{}") -> Answer:
        return await self.request(self.url, body, {"Content-Type": "application/json"})


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as opened:
        yield opened


def _channel(stack: AsyncExitStack, url: str, timeout: float = 5.0) -> _Channel:
    channel = _Channel(url, timeout)
    stack.push_async_callback(channel.aclose)
    return channel


@pytest.mark.parametrize(
    ("status", "answer"),
    [
        (200, Accepted()),
        (201, Accepted()),
        (202, Accepted()),
        (204, Accepted()),
        (301, Down("redirect")),
        (302, Down("redirect")),
        (307, Down("redirect")),
        (400, Rejected("bad_request")),
        (401, Down("unauthorized")),
        (403, Down("forbidden")),
        (404, Down("not_found")),
        (405, Rejected("other")),
        (407, Down("unauthorized")),
        (408, Retry("timeout")),
        (409, Rejected("other")),
        (410, Down("gone")),
        (413, Rejected("too_large")),
        (415, Rejected("payload")),
        (421, Down("other")),
        (422, Rejected("payload")),
        (423, Retry("other")),
        (425, Retry("other")),
        (429, Retry("throttled")),
        (451, Down("other")),
        (500, Retry("server_error")),
        (502, Retry("server_error")),
        (503, Retry("server_error")),
        (504, Retry("server_error")),
        (599, Retry("server_error")),
    ],
)
async def test_a_status_is_classified(status: int, answer: Answer, receiver: Receiver, stack: AsyncExitStack) -> None:
    receiver.answer(status, headers={"Location": f"{receiver.url}/elsewhere"} if 300 <= status < 400 else None)
    assert await _channel(stack, receiver.url + "/hook").post() == answer
    assert [request.path for request in receiver.requests] == ["/hook"]


@given(st.integers(100, 999), st.none() | st.floats(0, 900))
def test_every_answer_has_a_reason_that_the_metrics_know(status: int, after_s: float | None) -> None:
    answer = classify(Reply(status, after_s, ""))
    assert answer.reason in ATTEMPT_REASONS[answer.outcome]


@pytest.mark.parametrize("status", [408, 423, 425, 429, 500, 503])
async def test_retry_after_is_honoured_in_seconds_and_as_a_date(
    status: int, receiver: Receiver, stack: AsyncExitStack
) -> None:
    channel = _channel(stack, receiver.url)
    receiver.answer(status, headers={"Retry-After": "7"})
    answer = await channel.post()
    assert isinstance(answer, Retry)
    assert answer.after_s == 7
    receiver.answer(
        status, headers={"Retry-After": format_datetime(datetime.now(UTC) + timedelta(seconds=60), usegmt=True)}
    )
    answer = await channel.post()
    assert isinstance(answer, Retry)
    assert answer.after_s is not None
    assert 50 < answer.after_s <= 60


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("", None),
        ("0", 0),
        (" 30 ", 30),
        ("1.5", 1.5),
        ("-5", None),
        ("1e9", None),
        ("²", None),
        ("soon", None),
        ("999999999999", MAX_RETRY_AFTER_S),
        ("Thu, 01 Jan 1970 00:01:40 GMT", 0),
        ("Thu, 01 Jan 1970 00:18:20 GMT", 100),
        ("Thursday, 01-Jan-70 00:18:20 GMT", 100),
        ("Thu Jan  1 00:18:20 1970", 100),
        ("Fri, 31 Dec 9999 23:59:59 GMT", MAX_RETRY_AFTER_S),
        ("Thu, 99 Jan 1970 00:18:20 GMT", None),
    ],
)
def test_a_retry_after_header_is_read(header: str | None, seconds: float | None) -> None:
    assert parse_retry_after(header, now=1000.0) == seconds


@given(st.text() | st.from_regex(r"\A[A-Z][a-z]{2}, \d+ [A-Z][a-z]{2} \d+ \d+:\d+:\d+ [-+\w]+\Z"))
def test_no_retry_after_header_raises_or_silences_for_long(header: str) -> None:
    seconds = parse_retry_after(header, now=time.time())
    assert seconds is None or 0 <= seconds <= MAX_RETRY_AFTER_S


async def test_an_answer_that_does_not_come_is_a_timeout(receiver: Receiver, stack: AsyncExitStack) -> None:
    receiver.answer(hang=True)
    assert await _channel(stack, receiver.url, timeout=0.05).post() == Retry("timeout")
    assert len(receiver.requests) == 1


async def test_a_connection_that_is_cut_or_refused_is_tried_again(receiver: Receiver, stack: AsyncExitStack) -> None:
    receiver.answer(close=True)
    assert await _channel(stack, receiver.url).post() == Retry("connection")
    server = await asyncio.start_server(lambda _reader, writer: writer.close(), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
    assert await _channel(stack, f"http://127.0.0.1:{port}").post() == Retry("connection")


async def test_a_name_that_is_unknown_is_tried_again(stack: AsyncExitStack) -> None:
    assert await _channel(stack, "http://no-such-host.invalid/x").post() == Retry("connection")


async def test_what_is_not_http_is_tried_again(stack: AsyncExitStack) -> None:
    async def chatter(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.example ESMTP\r\n\r\n")
        writer.close()

    server = await stack.enter_async_context(await asyncio.start_server(chatter, "127.0.0.1", 0))
    port = server.sockets[0].getsockname()[1]
    assert await _channel(stack, f"http://127.0.0.1:{port}").post() == Retry("connection")


async def test_a_server_without_tls_is_down_for_https(receiver: Receiver, stack: AsyncExitStack) -> None:
    assert await _channel(stack, receiver.url.replace("http://", "https://")).post() == Down("tls")
    assert receiver.requests == []


async def test_a_certificate_that_nobody_vouches_for_is_refused(tmp_path: Path, stack: AsyncExitStack) -> None:
    seen: list[str] = []

    async def serve(request: web.Request) -> web.Response:
        seen.append(request.path)
        return web.Response()

    app = web.Application()
    app.router.add_route("*", "/", serve)
    runner = web.AppRunner(app)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=self_signed(tmp_path)[0]).start()
    port = runner.addresses[0][1]
    assert await _channel(stack, f"https://127.0.0.1:{port}/").post() == Down("tls")
    assert seen == []


async def test_a_body_that_never_ends_does_not_undo_the_acceptance(stack: AsyncExitStack) -> None:
    async def stall(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"{}")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n")
        await reader.read()
        writer.close()

    server = await stack.enter_async_context(await asyncio.start_server(stall, "127.0.0.1", 0))
    port = server.sockets[0].getsockname()[1]
    channel = _channel(stack, f"http://127.0.0.1:{port}", timeout=0.1)
    try:
        assert await channel.post() == Accepted()
    finally:
        await channel.aclose()


async def test_only_the_beginning_of_a_body_is_read(receiver: Receiver, stack: AsyncExitStack) -> None:
    channel = _channel(stack, receiver.url)
    receiver.answer(400, body="x" * 10_000_000)
    assert await channel.post() == Rejected("bad_request")
    assert channel.replies[0].text == "x" * 1024


async def test_requests_say_who_sends_them_and_bring_no_cookie_back(receiver: Receiver, stack: AsyncExitStack) -> None:
    receiver.answer(200, headers={"Set-Cookie": "a=b"})
    channel = _channel(stack, receiver.url)
    await channel.post()
    await channel.post()
    first, second = receiver.requests
    assert first.headers["User-Agent"].startswith("trailstream/")
    assert "Cookie" not in second.headers


async def test_a_proxy_of_the_environment_is_used(
    receiver: Receiver, stack: AsyncExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", receiver.url)
    assert await _channel(stack, "http://alerts.example/hook").post() == Accepted()
    assert receiver.requests[0].headers["Host"] == "alerts.example"


async def test_an_address_that_no_proxy_names_is_called_straight(
    receiver: Receiver, stack: AsyncExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://no-such-host.invalid:3128")
    assert await _channel(stack, receiver.url).post() == Retry("connection")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    assert await _channel(stack, receiver.url).post() == Accepted()


async def test_the_login_of_a_proxy_is_for_the_proxy_alone(
    receiver: Receiver, stack: AsyncExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", receiver.url.replace("://", "://user:word@"))
    assert await _channel(stack, "http://alerts.example/hook").post() == Accepted()
    assert receiver.requests[0].headers["Proxy-Authorization"] == "Basic dXNlcjp3b3Jk"
    assert "Authorization" not in receiver.requests[0].headers


async def test_logins_of_other_programs_are_not_sent(
    receiver: Receiver, stack: AsyncExitStack, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("default login deploy password word\n")
    monkeypatch.setenv("NETRC", str(netrc))
    channel = _channel(stack, receiver.url)
    assert await channel.post() == Accepted()
    assert await channel.request(channel.url, b"{}", {"Authorization": "Bearer ours"}) == Accepted()
    assert [request.headers.get("Authorization") for request in receiver.requests] == [None, "Bearer ours"]


async def test_what_can_not_be_sent_at_all_is_no_fault_of_the_alerts(receiver: Receiver, stack: AsyncExitStack) -> None:
    channel = _channel(stack, receiver.url.replace("://", "://user:word@"))
    assert await channel.request(channel.url, b"{}", {"Authorization": "Bearer ours"}) == Down("other")
    assert receiver.requests == []


async def test_a_proxy_that_refuses_the_tunnel_does_not_cost_the_alert(
    receiver: Receiver, stack: AsyncExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await stack.enter_async_context(await asyncio.start_server(refuse, "127.0.0.1", 0))
    monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    assert await _channel(stack, "https://alerts.example/hook").post() == Down("unauthorized")
    assert receiver.requests == []


async def test_an_address_that_is_none_is_down(stack: AsyncExitStack) -> None:
    assert await _channel(stack, "").post() == Down("other")
    assert await _channel(stack, "ftp://example.com/").post() == Down("other")


async def test_reach_asks_without_posting(receiver: Receiver, stack: AsyncExitStack) -> None:
    channel = _channel(stack, receiver.url)
    receiver.answer(405)
    assert await channel.reach(channel.url) == Accepted()
    assert [request.method for request in receiver.requests] == ["HEAD"]
    gone = _channel(stack, "http://no-such-host.invalid/")
    assert await gone.reach(gone.url) == Retry("connection")


@pytest.mark.parametrize("url", ["https://hooks.example/T1", "http://127.0.0.1:8080/x?y=z", "https://user:pw@[::1]:1/"])
def test_an_address_of_the_web_is_accepted(url: str) -> None:
    secret = http_url(SecretStr(f" {url}\n"))
    assert secret is not None
    assert secret.get_secret_value() == url


@pytest.mark.parametrize(
    "url",
    [
        "hooks.example/T1",
        "ftp://h/T1",
        "https://",
        "https:///T1",
        "http://[::1/T1",
        "http://h:99999/T1",
        "http://h/ T1",
    ],
)
def test_what_is_no_address_of_the_web_is_refused_without_showing_it(url: str) -> None:
    with pytest.raises(ValueError, match="must be a URL") as raised:
        http_url(SecretStr(url))
    assert "T1" not in str(raised.value)


def test_no_address_stays_none() -> None:
    assert http_url(None) is None


async def test_connections_are_kept(stack: AsyncExitStack) -> None:
    connections = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        with_body = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
        try:
            while True:
                await reader.readuntil(b"{}")
                writer.write(with_body)
        except asyncio.IncompleteReadError:
            writer.close()

    server = await stack.enter_async_context(await asyncio.start_server(serve, "127.0.0.1", 0))
    channel = _Channel(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    assert urlsplit(channel.url.get_secret_value()).port
    for _ in range(3):
        assert await channel.post() == Accepted()
    await channel.aclose()
    await channel.aclose()
    assert connections == 1
