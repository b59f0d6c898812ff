"""The interface of a channel: one alert goes in, one request goes out, and its answer comes back classified.

A channel owns no retry loop, no queue and no memory; the dispatcher has all of that.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Literal

from stream.alert import Alert
from stream.errors import ConfigError
from stream.settings import ChannelSettings

RetryReason = Literal["timeout", "connection", "throttled", "server_error", "other"]
RejectedReason = Literal["bad_request", "too_large", "payload", "other"]
DownReason = Literal["unauthorized", "forbidden", "not_found", "gone", "redirect", "tls", "other"]


@dataclass(frozen=True, slots=True)
class Accepted:
    """The service has taken the alert over."""

    outcome: ClassVar[str] = "accepted"
    reason: ClassVar[str] = "ok"


@dataclass(frozen=True, slots=True)
class Retry:
    """Not now: the same request may succeed later, after `after_s` seconds at the earliest if the service said so."""

    outcome: ClassVar[str] = "retry"
    reason: RetryReason
    after_s: float | None = None


@dataclass(frozen=True, slots=True)
class Rejected:
    """Never: the service understood the request and refuses this alert."""

    outcome: ClassVar[str] = "rejected"
    reason: RejectedReason


@dataclass(frozen=True, slots=True)
class Down:
    """The channel itself is out of order (a revoked token, a wrong address), whatever the alert."""

    outcome: ClassVar[str] = "down"
    reason: DownReason


Answer = Accepted | Retry | Rejected | Down
"""Reasons are those of `stream.metrics.ATTEMPT_REASONS`."""


class Channel(ABC):
    """One way to tell somebody.

    Attributes:
        name: as in the variables' names, in lower case; a metric label.
        section: the class of its settings.
        concurrency: requests at once.
        burst: requests that may go at once after a pause, before `settings.rate` spaces them out.
    """

    name: str
    section: ClassVar[type[ChannelSettings]]
    concurrency: ClassVar[int] = 8
    burst: ClassVar[int] = 1
    settings: ChannelSettings

    def __init__(self, settings: ChannelSettings) -> None:
        self.settings = settings

    @abstractmethod
    async def send(self, alert: Alert, *, minimal: bool = False) -> Answer:
        """Make one request and classify its answer.

        Args:
            alert: what to tell.
            minimal: leave out whatever a service might refuse, after it has refused the whole.
        """

    async def probe(self) -> Answer:
        """Find out whether the service answers at all, without telling anybody anything."""
        return Accepted()

    async def refresh(self) -> None:
        """Read the settings again, secrets' files included.

        Raises:
            ConfigError: they can't be read; those read before stay in use.
        """
        settings = type(self.settings)()
        if not settings.enabled:
            raise ConfigError(f"the channel {self.name} is not set any more")
        self.settings = settings

    async def aclose(self) -> None:  # noqa: B027 - most channels hold nothing open
        """Let go of connections; may be called twice."""
