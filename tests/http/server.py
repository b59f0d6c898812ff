"""A server that says, connection by connection, exactly the bytes it is told to."""

import asyncio
import ssl
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Final, Literal

Step = bytes | Literal["close", "wait"]
"""Bytes to send; to close the connection; or to wait until the client does."""

OK: Final = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


@dataclass(slots=True)
class Server:
    """What it was asked.

    Attributes:
        answers: to the next requests, in the order in which they come; then `OK`.
        requests: as they came, head and body.
        connections: how many were made; `open` of these.
    """

    answers: deque[list[Step]] = field(default_factory=deque)
    requests: list[bytes] = field(default_factory=list)
    connections: int = 0
    open: int = 0
    url: str = ""

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.open += 1
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError):
                while await self._exchange(reader, writer):
                    pass
        finally:
            self.open -= 1
            writer.close()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = await reader.readuntil(b"\r\n\r\n")
        length = next((int(line[15:]) for line in head.lower().split(b"\r\n") if line[:15] == b"content-length:"), 0)
        self.requests.append(head + await reader.readexactly(length))
        for step in self.answers.popleft() if self.answers else [OK]:
            if step == "close":
                return False
            if step == "wait":
                return bool(await reader.read(1))
            writer.write(step)
            await writer.drain()
            await asyncio.sleep(0)
        return True


@asynccontextmanager
async def served(tls: ssl.SSLContext | None = None) -> AsyncIterator[Server]:
    server = Server()
    listening = await asyncio.start_server(server.handle, "127.0.0.1", 0, ssl=tls)
    scheme = "https" if tls else "http"
    server.url = f"{scheme}://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    yield server
    listening.close()
