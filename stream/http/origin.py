"""Where requests go, and what both ways of sending them have in common."""

from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Final, Protocol, Self
from urllib.parse import urlsplit

_PORTS: Final = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Origin:
    """A server.

    Attributes:
        scheme: `http` or `https`.
        host: its name or address, without brackets.
        port: where it listens.
        authority: as the `Host` header says it: without the port, if that is the scheme's own.
    """

    scheme: str
    host: str
    port: int
    authority: str

    @classmethod
    def of(cls, url: str) -> Self:
        """The server of a URL.

        Raises:
            ValueError: it is no URL of HTTP, with a host.
        """
        address = urlsplit(url)
        if address.scheme not in _PORTS or not address.hostname:
            raise ValueError("not a URL of HTTP")
        usual = _PORTS[address.scheme]
        host = f"[{address.hostname}]" if ":" in address.hostname else address.hostname
        port = address.port or usual
        return cls(address.scheme, address.hostname, port, host if port == usual else f"{host}:{port}")

    @property
    def url(self) -> str:
        """Scheme and authority."""
        return f"{self.scheme}://{self.authority}"


class Response(Protocol):
    """An answer, to be used within its `async with` only.

    Attributes:
        status: of HTTP.
    """

    status: int

    def header(self, name: str) -> str:
        """A header's value, by its name in lower case; empty if it is not there."""

    async def read(self) -> bytes:
        """Some more of the body; nothing at its end.

        Raises:
            OSError, aiohttp.ClientError: it breaks off, or nothing comes for too long.
        """


class Http(Protocol):
    """Sends requests. Redirects are not followed, and nothing is decompressed."""

    def request(
        self, method: str, origin: Origin, target: str, headers: dict[str, str], body: bytes = b""
    ) -> AbstractAsyncContextManager[Response]:
        """One request, and the answer up to its body.

        Args:
            method: of HTTP.
            origin: the server.
            target: path and query as they are to be sent, quoted.
            headers: beside `Host`, `User-Agent` and `Content-Length`; names in lower case.
            body: what to send.

        Raises:
            OSError, aiohttp.ClientError: no connection, or no answer that can be read, in time.
        """
