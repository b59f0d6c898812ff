"""The interface of a channel: one alert goes in, one request goes out, and its answer comes back classified.

A channel owns no retry loop, no queue and no memory; the dispatcher has all of that.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from stream.alert import Alert
from stream.deliver.group import Group
from stream.deliver.rehearsal import Rehearsal
from stream.errors import ConfigError
from stream.settings import ChannelSettings, PeopleSettings

if TYPE_CHECKING:
    from stream.aws import Aws
    from stream.deliver.words import Style, Words

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
    """Not now: the same request may succeed later, after `after_s` seconds at the earliest if the service said so.

    Attributes:
        partial: others have been told, by the same service: it is no sign of an outage.
    """

    outcome: ClassVar[str] = "retry"
    reason: RetryReason
    after_s: float | None = None
    partial: bool = False


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

    Args:
        settings: of this channel.
        name: what it is called where there are several of its kind; unset: as its kind.
        aws: the process's AWS session, for those kinds that need one.

    Attributes:
        kind: as in the variables' names, in lower case.
        name: a metric label, and what the ledger knows it by.
        section: the class of its settings.
        example: fields and values of settings that would switch it on, for `trailstream channels show` where it is off.
        deduplicates: the service itself drops or joins an alert that it has had before.
        concurrency: requests at once.
        burst: requests that may go at once after a pause, before `settings.rate` spaces them out.
        rehearsal: where set, each request is written to it, without its secrets, and none is made.
        reload: reads its settings again from where they came, secrets' files included; raises `ConfigError`.
    """

    kind: ClassVar[str]
    section: ClassVar[type[ChannelSettings]]
    example: ClassVar[tuple[tuple[str, Any], ...]] = ()
    deduplicates: ClassVar[bool] = False
    concurrency: ClassVar[int] = 8
    burst: ClassVar[int] = 1
    settings: ChannelSettings

    def __init__(self, settings: ChannelSettings, *, name: str | None = None, aws: "Aws | None" = None) -> None:
        self.settings = settings
        self.name = name or self.kind
        self.rehearsal: Rehearsal | None = None
        self.reload: Callable[[], ChannelSettings] = type(settings)
        self._aws = aws

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
        settings = self.reload()
        if not settings.enabled:
            raise ConfigError(f"the channel {self.name} is not set any more")
        self.settings = settings

    async def aclose(self) -> None:  # noqa: B027 - most channels hold nothing open
        """Let go of connections; may be called twice."""


class PeopleChannel(Channel):
    """A channel that people read: a storm reaches it as a few groups, where a machine's gets every alert.

    Attributes:
        template_failed: to be told, with the exception's class, that a template of the user's could not be used.
    """

    settings: PeopleSettings

    def __init__(self, settings: PeopleSettings, *, name: str | None = None, aws: "Aws | None" = None) -> None:
        super().__init__(settings, name=name, aws=aws)
        self.template_failed: Callable[[str], None] = lambda _: None

    @abstractmethod
    async def tell(self, alert: Alert, group: Group | None, *, minimal: bool = False) -> Answer:
        """Make one request and classify its answer.

        Args:
            alert: what to tell.
            group: all that is told by this message, where that is more than one: the alert stands for them.
            minimal: leave out whatever a service might refuse, after it has refused the whole.
        """

    async def send(self, alert: Alert, *, minimal: bool = False) -> Answer:
        """Tell one alert by itself; see `Channel.send`."""
        return await self.tell(alert, None, minimal=minimal)

    def words(self, alert: Alert, group: Group | None, style: "Style", *, headline: int, text: int) -> "Words":
        """What to say, in the user's own words where there is a template.

        Args:
            alert: what to tell.
            group: all that is told with it.
            style: the channel's format.
            headline: characters that the headline may have.
            text: characters that the text may have; 0 where there is none.
        """
        from stream.deliver.words import words

        return words(
            alert,
            group,
            style,
            template=self.settings.template,
            headline=headline,
            text=text,
            failed=self.template_failed,
        )
