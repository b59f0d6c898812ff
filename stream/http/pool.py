"""Requests over kept connections of HTTP/1.1, at a third of the CPU that a general client takes for a small answer.

Parsing is llhttp's (`httptools`), connections and TLS are asyncio's; what is left out is what S3 and SQS never need:
redirects, cookies, encodings, proxies (see `stream.http.proxied`), uploads that are streamed.
"""

import asyncio
import ssl
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import Final, Self

from stream.http.connection import RECEIVED_BYTES, Connection, Disconnected
from stream.http.origin import Origin

_CONNECT_S: Final = 5.0
_KEPT_S: Final = 20.0
_HAPPY_EYEBALLS_S: Final = 0.25  # RFC 8305, section 8


class Pool(AbstractAsyncContextManager["Pool"]):
    """Connections to any number of servers; see `Http`. There is no limit to them: whoever asks for less asks less.

    Args:
        user_agent: of every request.
        stall_s: for so long a server may say nothing while it is to answer.
        tls: how servers prove who they are.
    """

    def __init__(self, *, user_agent: str, stall_s: float, tls: ssl.SSLContext) -> None:
        self._user_agent = user_agent
        self._stall_s = stall_s
        self._tls = tls
        self._received = memoryview(bytearray(RECEIVED_BYTES))
        self._idle: dict[Origin, list[Connection]] = {}
        self._all: set[Connection] = set()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        for connection in tuple(self._all):
            connection.close()

    def request(
        self, method: str, origin: Origin, target: str, headers: dict[str, str], body: bytes = b""
    ) -> "_Exchange":
        """See `Http`.

        Raises:
            ValueError: a header holds the end of a line.
        """
        lines = [f"{method} {target} HTTP/1.1", f"host: {origin.authority}", f"user-agent: {self._user_agent}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        if body:
            lines.append(f"content-length: {len(body)}")
        head = "\r\n".join(lines)
        if head.count("\n") != len(lines) - 1 or head.count("\r") != len(lines) - 1:
            raise ValueError("a header that holds the end of a line")
        return _Exchange(self, origin, head.encode("latin-1") + b"\r\n\r\n" + body)

    def idle(self, origin: Origin) -> Connection | None:
        """A kept connection that may still be good."""
        kept = self._idle.get(origin)
        while kept:
            connection = kept.pop()
            if connection.reusable():
                return connection
            connection.close()
        return None

    async def connect(self, origin: Origin) -> Connection:
        """A new connection.

        Raises:
            OSError: there is none to be had in time.
        """
        secure = origin.scheme == "https"
        async with asyncio.timeout(_CONNECT_S):
            _, connection = await asyncio.get_running_loop().create_connection(
                lambda: Connection(stall_s=self._stall_s, kept_s=_KEPT_S, gone=self._forget, received=self._received),
                origin.host,
                origin.port,
                ssl=self._tls if secure else None,
                happy_eyeballs_delay=_HAPPY_EYEBALLS_S,
            )
        self._all.add(connection)
        return connection

    def give_back(self, origin: Origin, connection: Connection) -> None:
        """Keep a connection for the next request, if it can be kept."""
        if connection.reusable():
            self._idle.setdefault(origin, []).append(connection)
        else:
            connection.close()

    def _forget(self, connection: Connection) -> None:
        self._all.discard(connection)
        for kept in self._idle.values():
            if connection in kept:
                kept.remove(connection)


class _Exchange:
    """One request and its answer."""

    __slots__ = ("_connection", "_origin", "_pool", "_request")

    def __init__(self, pool: Pool, origin: Origin, request: bytes) -> None:
        self._pool = pool
        self._origin = origin
        self._request = request
        self._connection: Connection | None = None

    async def __aenter__(self) -> Connection:
        connection = self._pool.idle(self._origin)
        if connection is not None:
            try:
                return await self._answered(connection)
            except Disconnected:
                # The server had closed it meanwhile; on a new one this is nobody's fault but the server's.
                if connection.answering:
                    raise
        return await self._answered(await self._pool.connect(self._origin))

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._connection is not None:
            self._pool.give_back(self._origin, self._connection)

    async def _answered(self, connection: Connection) -> Connection:
        try:
            connection.send(self._request)
            await connection.head()
        except BaseException:
            connection.close()
            raise
        self._connection = connection
        return connection
