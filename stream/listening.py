"""An application on a port, and an end to what those who connect can hold of the process: descriptors, above all.

Who has asked for nothing keeps a connection for a moment only; of too many the one goes first that has been without a
request for longest. So none is refused, and a probe is answered whatever waits beside it.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final, cast

from aiohttp import web

_MOST: Final = 100
_REQUEST_S: Final = 10.0
_SHUTDOWN_S: Final = 1.0


@asynccontextmanager
async def listening(app: web.Application, host: str, port: int) -> AsyncIterator[list[Any]]:
    """Serve while the block runs; gives the addresses of the sockets.

    Args:
        app: what answers; it is given a middleware.
        host: address to listen on; empty: every one, of both families.
        port: 0: any that is free.

    Raises:
        OSError: the address can't be listened on.
    """
    connections: dict[asyncio.BaseTransport, _Connection] = {}

    @web.middleware
    async def note(request: web.Request, handler: Any) -> web.StreamResponse:
        if request.transport in connections:
            connections[request.transport].asked()
        return cast("web.StreamResponse", await handler(request))

    app.middlewares.insert(0, note)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=_SHUTDOWN_S)
    await runner.setup()
    http = cast("web.Server", runner.server)  # there, now that it is set up
    try:
        server = await asyncio.get_running_loop().create_server(
            lambda: _Connection(http(), connections), host or None, port
        )
        try:
            yield [each.getsockname() for each in server.sockets]
        finally:
            server.close()
    finally:
        await runner.cleanup()


class _Connection(asyncio.Protocol):
    """One that aiohttp serves.

    Args:
        http: aiohttp's protocol.
        connections: those that are open, the longest without a request first.
    """

    def __init__(self, http: asyncio.Protocol, connections: "dict[asyncio.BaseTransport, _Connection]") -> None:
        self._http = http
        self._connections = connections
        self._transport: asyncio.Transport | None = None
        self._deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._connections[transport] = self
        self._await_request()
        self._http.connection_made(transport)
        if len(self._connections) > _MOST:
            next(iter(self._connections.values())).abort()

    def data_received(self, data: bytes) -> None:
        self._await_request()
        self._http.data_received(data)

    def asked(self) -> None:
        """A request has come as far as its headers; aiohttp waits for no more than a moment for what follows."""
        self._forget()
        if self._transport is not None:
            self._connections[self._transport] = self

    def abort(self) -> None:
        """Unlike `close`, this does not wait for somebody who does not read."""
        self._forget()
        if self._transport is not None:
            self._transport.abort()

    def eof_received(self) -> bool | None:
        return self._http.eof_received()

    def pause_writing(self) -> None:
        self._http.pause_writing()

    def resume_writing(self) -> None:
        self._http.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        self._forget()
        self._http.connection_lost(exc)

    def _await_request(self) -> None:
        if self._deadline is None:
            self._deadline = asyncio.get_running_loop().call_later(_REQUEST_S, self.abort)

    def _forget(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
        if self._transport is not None:
            self._connections.pop(self._transport, None)
