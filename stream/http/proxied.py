"""Requests by a proxy that the environment wants: aiohttp's, and the pool's slow twin."""

import ssl
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import Final, Self

import aiohttp
from yarl import URL

from stream.http.origin import Origin

_CONNECT_S: Final = 5.0
_KEPT_S: Final = 20.0
_READ_BYTES: Final = 64 * 1024


class Proxied(AbstractAsyncContextManager["Proxied"]):
    """Connections by a proxy, or straight without one; see `Http`.

    Args:
        user_agent: of every request.
        stall_s: for so long a server may say nothing in the middle of an answer.
        tls: how servers prove who they are.
        proxy: its URL.
    """

    def __init__(self, *, user_agent: str, stall_s: float, tls: ssl.SSLContext, proxy: str | None) -> None:
        self._proxy = proxy
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, ssl=tls, keepalive_timeout=_KEPT_S),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_S, sock_read=stall_s),
            auto_decompress=False,  # log files say that they are encoded, and are to be had as they lie there
            skip_auto_headers=("Accept", "Accept-Encoding", "Content-Type", "User-Agent"),
            headers={"User-Agent": user_agent},
            cookie_jar=aiohttp.DummyCookieJar(),
            read_bufsize=_READ_BYTES,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self._session.close()

    def request(
        self, method: str, origin: Origin, target: str, headers: dict[str, str], body: bytes = b""
    ) -> "_Exchange":
        """See `Http`."""
        # As it was signed: a key may hold `//`, `.` and `..`, which a URL is free of otherwise.
        url = URL(origin.url + target, encoded=True)
        return _Exchange(
            self._session.request(
                method, url, data=body or None, headers=headers, proxy=self._proxy, allow_redirects=False
            )
        )


class _Exchange:
    def __init__(self, exchange: AbstractAsyncContextManager[aiohttp.ClientResponse]) -> None:
        self._exchange = exchange

    async def __aenter__(self) -> "_Response":
        return _Response(await self._exchange.__aenter__())

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._exchange.__aexit__(kind, error, traceback)


class _Response:
    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self.status = response.status
        self._response = response

    def header(self, name: str) -> str:
        """See `Response`."""
        return self._response.headers.get(name, "")

    async def read(self) -> bytes:
        """See `Response`."""
        return await self._response.content.readany()
