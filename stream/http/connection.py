"""One connection: a request's bytes in, its answer out as it comes; then the next."""

import asyncio
from collections.abc import Callable
from typing import Final, cast

import httptools

_BUFFERED_BYTES: Final = 64 * 1024  # of a body that nobody has read yet; then no more is taken from the socket
RECEIVED_BYTES: Final = 256 * 1024
"""Of one connection's bytes taken from the socket at once."""

_MAX_HEAD_BYTES: Final = 64 * 1024  # llhttp knows no limit
_CHECKS: Final = 4  # a stall is noticed by a quarter of its time later


class Disconnected(ConnectionError):
    """The server has closed the connection, or does not speak HTTP, before its answer was whole."""


class Connection(asyncio.BufferedProtocol):
    """A connection, and the answer that comes over it; see `Response`.

    Attributes:
        status: of the answer.
        answering: whether anything of the answer to the last request has come.

    Args:
        stall_s: for so long nothing may come while something is awaited.
        kept_s: for so long it stays open without a request.
        gone: is told when it is closed.
        received: what is received goes through here, which all connections of one event loop may share: the parser
            copies what is kept, before anything else is received.
    """

    def __init__(
        self, *, stall_s: float, kept_s: float, gone: "Callable[[Connection], None]", received: memoryview
    ) -> None:
        self.status = 0
        self.answering = False
        self._stall_s = stall_s
        self._kept_s = kept_s
        self._gone = gone
        self._received = received
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._waiter: asyncio.Future[None] | None = None
        self._error: Exception | None = None
        self._headers: list[tuple[bytes, bytes]] = []  # there are a dozen, of which one or two are looked at
        self._head_bytes = 0
        self._headed = False
        self._whole = True
        self._keeps = True
        self._paused = False
        self._body: list[bytes] = []
        self._body_bytes = 0
        self._last = self._loop.time()
        self._check: asyncio.TimerHandle | None = None

    # What the pool asks

    def reusable(self) -> bool:
        """Whether another request may be sent."""
        return (
            self._whole
            and self._keeps
            and self._error is None
            and self._transport is not None
            and not self._transport.is_closing()
            and self._loop.time() - self._last < self._kept_s
        )

    def close(self) -> None:
        """Close it at once; what has not come by then is missing."""
        if self._error is None:
            self._error = Disconnected("closed before the answer was whole")
        if self._transport is not None:
            self._transport.abort()

    def send(self, request: bytes) -> None:
        """Send a request."""
        self.status = self._head_bytes = self._body_bytes = 0
        self.answering = self._headed = self._whole = False
        self._headers, self._body = [], []
        self._last = self._loop.time()
        if self._transport is None or self._transport.is_closing():
            raise Disconnected("the connection is closed")
        self._transport.write(request)

    async def head(self) -> None:
        """Wait for the answer's status and headers.

        Raises:
            Disconnected: the connection breaks off before.
            TimeoutError: nothing comes.
        """
        while not self._headed:
            await self._more()

    # What is asked of the answer

    def header(self, name: str) -> str:
        """See `Response`."""
        wanted = name.encode("latin-1")
        return next((value.decode("latin-1") for each, value in self._headers if each.lower() == wanted), "")

    async def read(self) -> bytes:
        """See `Response`."""
        while not self._body:
            if self._whole:
                return b""
            await self._more()
        body, self._body, self._body_bytes = self._body, [], 0
        if self._paused and self._transport is not None and not self._transport.is_closing():
            self._paused = False
            self._last = self._loop.time()
            self._transport.resume_reading()
        return body[0] if len(body) == 1 else b"".join(body)

    async def _more(self) -> None:
        if self._error is not None:
            raise self._error
        self._waiter = self._loop.create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    # What asyncio tells

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See `asyncio.BufferedProtocol`."""
        self._transport = cast("asyncio.Transport", transport)
        self._check = self._loop.call_later(self._stall_s / _CHECKS, self._look_at_the_time)

    def get_buffer(self, sizehint: int) -> memoryview:
        """See `asyncio.BufferedProtocol`."""
        del sizehint
        return self._received

    def buffer_updated(self, nbytes: int) -> None:
        """See `asyncio.BufferedProtocol`."""
        data = self._received[:nbytes]
        if self._whole:  # nobody has asked
            self._fail(Disconnected("more than was asked for"))
            return
        self._last = self._loop.time()
        self.answering = True
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self._fail(Disconnected(f"not HTTP ({type(error).__name__})"))
            return
        if self.status < 200:  # the headers are not all there
            self._head_bytes += len(data)
            if self._head_bytes > _MAX_HEAD_BYTES:
                self._fail(Disconnected("headers without an end"))
                return
        self._pause_if_full()
        self._wake()

    def _pause_if_full(self) -> None:
        if self._body_bytes > _BUFFERED_BYTES and not self._whole and self._transport is not None:
            self._paused = True
            self._transport.pause_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        """See `asyncio.BufferedProtocol`."""
        if self._error is None:  # it is the server that ended it, and not we
            if self._headed and exc is None and not (self.header("content-length") or self.header("transfer-encoding")):
                self._whole = True  # RFC 9112, 6.3: the end of the connection is the end of the body
            self._error = Disconnected(type(exc).__name__ if exc else "the server closed the connection")
        if self._check is not None:
            self._check.cancel()
        self._gone(self)
        self._wake()

    def _look_at_the_time(self) -> None:
        silent_s = self._loop.time() - self._last
        if not self._whole and not self._paused and silent_s > self._stall_s:
            self._fail(TimeoutError(f"nothing came for {self._stall_s:g} s"))
        elif self._whole and silent_s > self._kept_s:
            self.close()
        else:
            self._check = self._loop.call_later(self._stall_s / _CHECKS, self._look_at_the_time)

    def _fail(self, error: Exception) -> None:
        if self._error is None:
            self._error = error
        self.close()
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    # What the parser tells

    def on_message_begin(self) -> None:
        """See `httptools`."""
        if self._whole and self._error is None:  # and nothing of it is believed
            self._error = Disconnected("more than was asked for")

    def on_header(self, name: bytes, value: bytes) -> None:
        """See `httptools`."""
        if not self._whole and not self._headed:  # trailers are of no use here, and may be endless
            self._headers.append((name, value))

    def on_headers_complete(self) -> None:
        """See `httptools`."""
        if self._whole:
            return
        self.status = self._parser.get_status_code()
        self._headed = self.status >= 200

    def on_body(self, body: bytes) -> None:
        """See `httptools`."""
        if self._whole:
            return
        self._body.append(body)
        self._body_bytes += len(body)

    def on_message_complete(self) -> None:
        """See `httptools`."""
        if self._headed:
            self._keeps = self._parser.should_keep_alive()
            self._whole = True
        else:  # an interim answer, before the one that counts
            self._headers = []
