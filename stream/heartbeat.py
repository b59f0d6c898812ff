"""A dead man's switch: an address that is called once a minute while all is well, and whose silence pages somebody.

Whoever is called (healthchecks.io, Better Stack, Cronitor, Dead Man's Snitch) notices when no call comes: because this
process, its node or its cluster is gone, or because something is wrong that alerts could not tell of.
"""

import ssl
from collections.abc import Callable, Collection
from typing import Final

import aiohttp
import structlog
from pydantic import SecretStr

from stream import __version__
from stream.deliver.clock import Clock
from stream.errors import ConfigError
from stream.http.client import proxy_for
from stream.http.origin import Origin
from stream.metrics import Metrics

log = structlog.get_logger()

EVERY_S: Final = 60.0
PATIENCE_S: Final = 300.0
"""What is over within five minutes is nobody's business: a channel's outage is told by the others then, too."""

_TIMEOUT_S: Final = 10.0


class Heartbeat:
    """Calls the address while all is well.

    Args:
        url: reads the address from the environment; it may be rotated.
        wrong: names what is wrong now.
        metrics: shows when a call last succeeded.
        clock: tells the time.
    """

    def __init__(
        self,
        url: Callable[[], SecretStr | None],
        wrong: Callable[[], Collection[str]],
        metrics: Metrics,
        *,
        clock: Clock,
    ) -> None:
        self._read_url = url
        self._url = url()
        self._wrong = wrong
        self._metrics = metrics
        self._clock = clock
        self._wrong_since: dict[str, float] = {}
        self._state = "ok"

    async def run(self) -> None:
        """Call once a minute, for ever; nothing that goes wrong with it goes further than a count and a line."""
        async with calls() as http:
            while True:
                await self.beat(http)
                await self._clock.sleep(EVERY_S)

    async def beat(self, http: aiohttp.ClientSession) -> None:
        """Call, unless something has been wrong for too long."""
        lasting = self._lasting()
        if lasting:
            self._note("withheld", wrong=lasting)
            return
        reason = await call(http, self._url) if self._url else None
        if reason is None:
            self._metrics.heartbeat_last_success.set(self._clock.unix())
            self._note("ok")
            return
        self._metrics.errors.labels("heartbeat", reason).inc()
        self._note(reason)
        if reason == "refused":
            self._read_again()

    def _lasting(self) -> list[str]:
        now = self._clock.now()
        self._wrong_since = {name: self._wrong_since.get(name, now) for name in self._wrong()}
        return [name for name, since in self._wrong_since.items() if now - since >= PATIENCE_S]

    def _read_again(self) -> None:
        try:
            self._url = self._read_url() or self._url
        except ConfigError:
            return  # it is being written; the next call tries again

    def _note(self, state: str, **fields: object) -> None:
        """Log a change, once."""
        if state == self._state:
            return
        self._state = state
        if state == "ok":
            log.info("heartbeat again")
        elif state == "withheld":
            log.warning("heartbeat withheld, so that somebody looks", **fields)
        else:
            log.warning("heartbeat failed", reason=state)


def calls() -> aiohttp.ClientSession:
    """What `call` needs, to be opened with `async with`."""
    return aiohttp.ClientSession(
        timeout=aiohttp.ClientTimeout(total=_TIMEOUT_S),
        headers={"User-Agent": f"trailstream/{__version__}"},
        cookie_jar=aiohttp.DummyCookieJar(),
    )


async def call(http: aiohttp.ClientSession, url: SecretStr) -> str | None:
    """Call an address: `None` if it takes it, else why not, of those that `errors_total{stage="heartbeat"}` counts."""
    try:
        address = url.get_secret_value()
        async with http.get(address, proxy=proxy_for(Origin.of(address)), allow_redirects=False) as answer:
            return None if 200 <= answer.status < 300 else "refused"
    except TimeoutError:
        return "timeout"
    except ssl.SSLError:
        return "tls"
    except (aiohttp.ClientError, OSError, ValueError):
        return "connection"
