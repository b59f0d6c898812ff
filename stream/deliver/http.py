"""What all channels that speak HTTP share: one request out, and its answer, or what went wrong, classified."""

import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from functools import cached_property
from typing import Final

import aiohttp
from pydantic import SecretStr

from stream import __version__
from stream.deliver.channel import (
    Accepted,
    Answer,
    Channel,
    Down,
    DownReason,
    Rejected,
    RejectedReason,
    Retry,
)
from stream.deliver.rehearsal import http_request
from stream.http.client import proxy_for
from stream.http.origin import Origin

MAX_RETRY_AFTER_S: Final = 900.0
"""A service may ask for patience, but not silence an alert for a day by a typing error."""

_MAX_BODY_BYTES: Final = 1024  # an answer's body is only looked into for a word of explanation

_DOWN: Final[Mapping[int, DownReason]] = {
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    407: "unauthorized",  # the proxy's credentials: no fault of the alert
    410: "gone",
    421: "other",  # a server that is not this address's
    451: "other",  # whoever blocks the address blocks all that is sent there
}
_REJECTED: Final[Mapping[int, RejectedReason]] = {
    400: "bad_request",
    413: "too_large",
    415: "payload",
    422: "payload",
    431: "too_large",
}


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP response: its status, its `Retry-After` in seconds, and the beginning of its body."""

    status: int
    retry_after_s: float | None
    text: str


def classify(reply: Reply) -> Answer:
    """What a status means where the service has no rules of its own."""
    status, after_s = reply.status, reply.retry_after_s
    if 200 <= status < 300:
        return Accepted()
    if 300 <= status < 400:
        return Down("redirect")  # never followed: it would carry the alert to a place that nobody configured
    if status in _DOWN:
        return Down(_DOWN[status])
    if status == 408:
        return Retry("timeout", after_s)
    if status == 429:
        return Retry("throttled", after_s)
    if status in (423, 425):  # locked, too early: for a moment
        return Retry("other", after_s)
    if 400 <= status < 500:
        return Rejected(_REJECTED.get(status, "other"))
    return Retry("server_error" if status >= 500 else "other", after_s)


def parse_retry_after(value: str | None, now: float) -> float | None:
    """Seconds to wait by a `Retry-After` header (RFC 9110, 10.2.3), bounded by `MAX_RETRY_AFTER_S`.

    Args:
        value: the header: seconds (a fraction is accepted) or an HTTP date; anything else counts as absent.
        now: Unix time.
    """
    if value is None or not (value := value.strip()).isascii():
        return None
    if value.replace(".", "", 1).isdecimal():
        return min(float(value), MAX_RETRY_AFTER_S)
    try:
        date = parsedate_to_datetime(value)
        # RFC 9110 has dates in GMT only; one without a zone is taken for that.
        seconds = (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp() - now
    except (ValueError, OverflowError, TypeError, IndexError):
        return None
    return min(max(seconds, 0.0), MAX_RETRY_AFTER_S)


class HttpChannel(Channel):
    """A channel that makes HTTP requests, over one connection pool of its own."""

    _session: aiohttp.ClientSession | None = None

    async def request(self, url: SecretStr, body: bytes, headers: Mapping[str, str], *, method: str = "POST") -> Answer:
        """Make one request and judge its answer; see `exchange`."""
        reply = await self.exchange(url, body, headers, method=method)
        return self.judge(reply) if isinstance(reply, Reply) else reply

    async def exchange(
        self,
        url: SecretStr,
        body: bytes,
        headers: Mapping[str, str],
        *,
        method: str = "POST",
        max_bytes: int = _MAX_BODY_BYTES,
    ) -> Reply | Answer:
        """Make one request; redirects are not followed, TLS is verified, `settings.timeout` covers all of it.

        Args:
            url: where to.
            body: what with.
            headers: besides our own.
            method: of HTTP.
            max_bytes: how much of the answer's body is read.

        Returns:
            The reply, or what it means that there is none.
        """
        if self.rehearsal is not None:
            self.rehearsal(http_request(self.settings, method, url, headers, body))
            return Reply(200, None, "")
        try:
            return await self._exchange(method, url.get_secret_value(), body, headers, max_bytes)
        except TimeoutError:
            return Retry("timeout")
        except (ssl.SSLError, aiohttp.ServerFingerprintMismatch):
            return Down("tls")
        except (aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError):
            return Down("other")
        except aiohttp.ClientHttpProxyError as error:
            return Down(_DOWN[error.status]) if error.status in _DOWN else Retry("connection")
        except (aiohttp.ClientError, OSError):
            return Retry("connection")
        except ValueError:  # an address, a proxy's or a header that can not be: of the settings, and of every alert
            return Down("other")

    async def _exchange(self, method: str, url: str, body: bytes, headers: Mapping[str, str], max_bytes: int) -> Reply:
        async with self._pool().request(
            method,
            url,
            data=body,
            headers=headers,
            proxy=self._proxy(Origin.of(url)),
            allow_redirects=False,
            timeout=aiohttp.ClientTimeout(total=self.settings.timeout),
        ) as response:
            start = await _beginning(response.content, max_bytes)
            return Reply(
                status=response.status,
                retry_after_s=parse_retry_after(response.headers.get("Retry-After"), time.time()),
                text=start.decode("utf-8", "replace"),
            )

    def judge(self, reply: Reply) -> Answer:
        """Classify an answer; a service with rules of its own overrides this."""
        return classify(reply)

    async def reach(self, url: SecretStr, credentials: Mapping[str, str] | None = None) -> Answer:
        """Ask for the address with HEAD, which tells nobody anything; any answer of HTTP will do, save 421 and 451.

        Args:
            url: which one.
            credentials: headers; where there are some, the answer must not be that they are wrong.
        """
        answer = await self.request(url, b"", credentials or {}, method="HEAD")
        faults = [Retry("timeout"), Retry("connection"), Down("tls"), Down("other")]
        if credentials:
            faults.append(Down("unauthorized"))
        return answer if answer in faults else Accepted()

    @cached_property
    def _proxies(self) -> dict[Origin, str | None]:
        return {}

    def _proxy(self, origin: Origin) -> str | None:
        """Of the environment: aiohttp's `trust_env` would send logins of ~/.netrc, too, and look each time anew."""
        if origin not in self._proxies:
            self._proxies[origin] = proxy_for(origin)
        return self._proxies[origin]

    def _pool(self) -> aiohttp.ClientSession:
        if self._session is None or self._session.closed:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=self.concurrency),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,  # nothing compressed is asked for, so no answer is a bomb
                headers={"User-Agent": f"trailstream/{__version__}", "Accept-Encoding": "identity"},
            )
        return self._session

    async def aclose(self) -> None:
        """Close the pool."""
        if self._session is not None:
            await self._session.close()


async def _beginning(content: aiohttp.StreamReader, max_bytes: int) -> bytes:
    """The first bytes of a body; of one that breaks off, what has come.

    The status is known by then, and it decides: to send again would be to tell twice.
    """
    parts = bytearray()
    try:
        while len(parts) < max_bytes and (part := await content.read(max_bytes - len(parts))):
            parts += part
    except (TimeoutError, aiohttp.ClientError, OSError):
        return bytes(parts)
    return bytes(parts)
