"""Apprise, for the services that have no channel of their own: an alert as plain text, to any number of its addresses.

It needs `pip install 'trailstream[apprise]'`. Apprise says of each address only whether it worked, so what failed is
tried again. https://appriseit.com/library/
"""

import asyncio
import logging
import re
from typing import TYPE_CHECKING, Annotated, Any, Final

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr

from stream.alert import Alert
from stream.deliver.channel import Accepted, Answer, PeopleChannel, Retry, RetryReason
from stream.deliver.channels.relayed import relayed, unlinked, web_address
from stream.deliver.channels.told import Told
from stream.deliver.group import Group
from stream.deliver.rehearsal import without_secrets
from stream.deliver.words import Style
from stream.settings import ChannelSettings, PeopleSettings
from stream.severity import Severity
from stream.terminal import REDACTED

if TYPE_CHECKING:
    from apprise import Apprise

    from stream.aws import Aws

_NOWHERE: Final = logging.NullHandler()
_GRACE_S: Final = 2.0  # Apprise keeps the timeout itself; past that it is left alone
_MAX_TITLE: Final = 120
_MAX_TEXT: Final = 1500
_MAX_MINIMAL: Final = 300
_MAX_IDS: Final = 10

# `tgram://…, json://…`: a comma within an address stands before no scheme.
_BETWEEN: Final = re.compile(r"[\s,]+(?=[A-Za-z][A-Za-z0-9+.-]*://)")
# Formats that a service may see in plain text: look-alikes, and a word joiner before the sign of a heading or a list.
_LOOK_ALIKES: Final = str.maketrans({"*": "\u2217", "~": "\u223c", "|": "\u2223"})
_EMPHASIS: Final = re.compile(r"(?<![^\W_])_|_(?![^\W_])")
_FIRST: Final = re.compile(r"^(?=[#+=-]|\d+[.)]\s)")

_TYPES: Final[dict[Severity, str]] = {
    "critical": "failure",
    "high": "failure",
    "medium": "warning",
    "low": "info",
    "informational": "info",
}


def _split(value: object) -> object:
    if isinstance(value, str):
        return tuple(part for part in _BETWEEN.split(value.strip(" \t\r\n,")) if part)
    return value


def _understood(urls: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
    """Accept what Apprise has a service for; the message does not show it, for it holds tokens and passwords."""
    for number, url in enumerate(urls, 1):
        if _service(url, timeout_s=1.0) is None:
            raise ValueError(f"address {number} of {len(urls)} is none that Apprise understands")
    return urls


class AppriseSettings(PeopleSettings):
    """Variables of the channel `apprise`."""

    env_prefix = "TRAILSTREAM_APPRISE_"

    urls: Annotated[tuple[SecretStr, ...], BeforeValidator(_split), AfterValidator(_understood)] = Field(
        (),
        description="Addresses of Apprise's (https://appriseit.com/services/), with commas or blanks between them. "
        "Needs `pip install 'trailstream[apprise]'`. Redirects are not followed and certificates are verified, unless "
        "an address says `redirect=yes` or `verify=no`.",
    )
    rate: float = Field(
        1.0, ge=0, description="Messages a second in the long run; a short burst goes at once. 0: no limit of ours."
    )

    @property
    def enabled(self) -> bool:
        """Whether `TRAILSTREAM_APPRISE_URLS` is set."""
        return bool(self.urls)


class AppriseChannel(PeopleChannel):
    """Tells each alert to all addresses, in Apprise's threads.

    A thread can't be stopped: of a service that answers after the timeout, an alert may be told twice.
    """

    kind = "apprise"
    section = AppriseSettings
    example = (("urls", "json://placeholder:placeholder@hooks.example/"),)
    concurrency = 2
    burst = 5
    settings: AppriseSettings

    def __init__(self, settings: AppriseSettings, *, name: str | None = None, aws: "Aws | None" = None) -> None:
        super().__init__(settings, name=name, aws=aws)
        self._told = Told()
        self._services: dict[str, Apprise] = {}
        self._made_for: ChannelSettings | None = None

    async def tell(self, alert: Alert, group: Group | None, *, minimal: bool = False) -> Answer:
        """Tell those who lack it; see `PeopleChannel.tell`."""
        title, text = self._message(alert, group, minimal=minimal)
        if self.rehearsal is not None:
            addresses = "\n".join(
                f"{url.get_secret_value().partition(':')[0]}://{REDACTED}" for url in self.settings.urls
            )
            self.rehearsal(without_secrets(self.settings, f"{addresses}\n\n{title}\n\n{text}"))
            return Accepted()
        alert_ids = (alert.id,) if group is None else group.ids
        services = self._current()
        missing = self._told.missing(alert_ids, services)
        late = group is not None and group.late
        kind = "info" if late else _TYPES[alert.severity]
        async with asyncio.TaskGroup() as tasks:
            calls = {url: tasks.create_task(self._notify(services[url], title, text, kind)) for url in missing}
        failed = {url: reason for url, call in calls.items() if (reason := call.result()) is not None}
        if not failed:
            self._told.forget(alert_ids)
            return Accepted()
        self._told.add(alert_ids, calls.keys() - failed.keys())
        return Retry(next(iter(failed.values())), partial=len(failed) < len(services))

    async def _notify(self, service: "Apprise", title: str, text: str, kind: str) -> RetryReason | None:
        """Tell one service; `None` if it worked."""
        from apprise import NotifyFormat
        from apprise.result import AppriseResultStatus

        try:
            async with asyncio.timeout(self.settings.timeout + _GRACE_S):
                result = await service.async_notify(
                    title=title, body=text, notify_type=kind, body_format=NotifyFormat.TEXT
                )
        except TimeoutError:
            return "timeout"
        if result:
            return None
        return "timeout" if result.status == AppriseResultStatus.TIMEOUT else "other"

    def _current(self) -> dict[str, "Apprise"]:
        """A service for each address of the settings, which may have been read again."""
        if self._made_for is not self.settings:
            made = {url.get_secret_value(): _service(url, self.settings.timeout) for url in self.settings.urls}
            self._services = {url: service for url, service in made.items() if service is not None}
            self._made_for = self.settings
        return self._services

    def _message(self, alert: Alert, group: Group | None, *, minimal: bool) -> tuple[str, str]:
        room = _MAX_MINIMAL if minimal else _MAX_TEXT
        said = self.words(alert, group, _STYLE, headline=_MAX_TITLE, text=room)
        lines = [said.text]
        if not minimal and not (group is not None and group.late):
            for label, url in (("Console", alert.links.console), ("Runbook", alert.links.runbook)):
                if (address := web_address(url)) is not None:
                    lines.append(f"{label}: {address}")
        ids = (alert.id,) if group is None else group.ids
        more = f" and {len(ids) - _MAX_IDS} more" if len(ids) > _MAX_IDS else ""
        lines.append(f"Alert {', '.join(relayed(each, 100) for each in ids[:_MAX_IDS])}{more}")
        return said.headline, "\n".join(line for line in lines if line)


def _inert(text: str, limit: int) -> str:
    plain = _EMPHASIS.sub("\u02cd", unlinked(text, limit - 1).translate(_LOOK_ALIKES))
    return _FIRST.sub("\u2060", plain)


_STYLE: Final = Style(prose=_inert, code=_inert, strong=_inert)


def _service(url: SecretStr, timeout_s: float) -> "Apprise | None":
    """Apprise with this one address, or `None` if it understands it not.

    Raises:
        ValueError: Apprise is not installed.
    """
    try:
        from apprise import Apprise, AppriseAsset
        from apprise.common import OverflowMode
    except ImportError:
        raise ValueError("Apprise is not there: pip install 'trailstream[apprise]'") from None
    # Its log lines hold addresses, with what is secret in them.
    logger = logging.getLogger("apprise")
    logger.propagate = False
    logger.setLevel(logging.CRITICAL + 1)
    logger.addHandler(_NOWHERE)
    settings: dict[str, Any] = {"app_url": "", "http_redirects": False, "interpret_emojis": False}
    asset = AppriseAsset(
        app_id="Trailstream",
        app_desc="Changes to the audit trail",
        service_timeout=timeout_s,
        allow_templates=False,
        **settings,
    )
    made = Apprise.instantiate(url.get_secret_value(), asset=asset)
    if made is None:
        return None
    if "overflow_mode" not in vars(made):  # unless the address says otherwise: what is too long would be refused
        made.overflow_mode = OverflowMode.TRUNCATE
    service = Apprise(asset=asset)
    service.add(made)
    return service
