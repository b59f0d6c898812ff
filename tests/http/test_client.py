"""Who is believed to be a server, and when a proxy is asked."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from stream.http import Client, Origin
from tests.http.server import OK, served
from tests.tls import self_signed


def client(authorities: Path | None = None) -> Client:
    return Client(user_agent="tests/1", stall_s=20.0, authorities=str(authorities) if authorities else None)


async def get(http: Client, url: str, target: str = "/a") -> int:
    async with http.request("GET", Origin.of(url), target, {}) as answer:
        await answer.read()
        return answer.status


@asynccontextmanager
async def proxy() -> AsyncIterator[tuple[str, list[bytes]]]:
    """A proxy that answers itself, and what it was asked."""
    asked: list[bytes] = []

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append((await reader.readuntil(b"\r\n\r\n")).split(b"\r\n")[0])
        writer.write(OK if asked[-1].startswith(b"GET") else b"HTTP/1.1 502 No\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", asked
    server.close()


async def test_a_server_is_believed_by_its_certificate_alone(tmp_path: Path) -> None:
    tls, pem = self_signed(tmp_path)
    async with served(tls) as server:
        async with client(pem) as http:
            assert [await get(http, server.url) for _ in range(2)] == [200, 200]
        async with client() as http:
            with pytest.raises(ssl.SSLCertVerificationError):
                await get(http, server.url)
    assert (server.connections, len(server.requests)) == (1, 2)


async def test_a_certificate_of_another_server_is_none(tmp_path: Path) -> None:
    tls, pem = self_signed(tmp_path, "127.0.0.2")
    async with served(tls) as server, client(pem) as http:
        with pytest.raises(ssl.SSLCertVerificationError):
            await get(http, server.url)
    assert server.requests == []


async def test_the_environment_says_where_a_proxy_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    async with proxy() as (url, asked), served() as server:
        for name in ("http_proxy", "https_proxy"):
            monkeypatch.setenv(name, url)
        monkeypatch.delenv("no_proxy", raising=False)
        async with client() as http:
            assert await get(http, "http://s3.example", "/b//k?versionId=1") == 200
            with pytest.raises(aiohttp.ClientHttpProxyError):
                await get(http, "https://s3.example")
        monkeypatch.setenv("no_proxy", "127.0.0.1,.example")
        async with client() as http:
            assert await get(http, server.url) == 200

    assert asked == [b"GET http://s3.example/b//k?versionId=1 HTTP/1.1", b"CONNECT s3.example:443 HTTP/1.1"]
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("url", "host", "port", "authority"),
    [
        ("https://b.s3.eu-west-1.amazonaws.com", "b.s3.eu-west-1.amazonaws.com", 443, "b.s3.eu-west-1.amazonaws.com"),
        ("http://127.0.0.1:4566/x", "127.0.0.1", 4566, "127.0.0.1:4566"),
        ("https://user:secret@s3.example:443/", "s3.example", 443, "s3.example"),
        ("http://[fd00:ec2::1]:80", "fd00:ec2::1", 80, "[fd00:ec2::1]"),
    ],
)
def test_an_origin_is_what_a_url_says(url: str, host: str, port: int, authority: str) -> None:
    origin = Origin.of(url)

    assert (origin.host, origin.port, origin.authority) == (host, port, authority)


@pytest.mark.parametrize("url", ["", "s3.example", "ftp://s3.example", "https:///x"])
def test_what_is_no_server_of_http_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="not a URL"):
        Origin.of(url)
