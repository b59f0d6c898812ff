"""Slack, by an incoming webhook: the alert as a message of blocks that says in its first lines all that matters.

https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks, https://docs.slack.dev/reference/block-kit
"""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Final

import orjson
from pydantic import AfterValidator, Field, SecretStr
from pydantic_settings import SettingsConfigDict

from stream.alert import Actor, Alert, Change
from stream.deliver.channel import Answer, Down, PeopleChannel, Rejected, Retry
from stream.deliver.channels.mrkdwn import code, link, plain, prose
from stream.deliver.group import Group
from stream.deliver.http import HttpChannel, Reply, classify, http_url
from stream.deliver.text import as_text, printable
from stream.settings import PeopleSettings
from stream.severity import Severity

# Block Kit's limits, in characters.
_MAX_HEADER: Final = 150
_MAX_SECTION: Final = 3000
_MAX_FIELD: Final = 2000
_MAX_CONTEXT_TEXT: Final = 2000
_MAX_TEXT: Final = 3000  # Slack cuts at 40,000 and recommends 4,000

_MAX_RESOURCES: Final = 5
_MAX_CALLS: Final = 8

_MARKS: Final[Mapping[Severity, str]] = {
    "critical": "🔴",
    "high": "🟠",
    "medium": "🟡",
    "low": "🔵",
    "informational": "⚪",
}
_OUTCOMES: Final = {"success": "succeeded", "denied": "was denied", "failed": "failed"}

_ERRORS: Final[Mapping[str, Answer]] = {
    "invalid_payload": Rejected("payload"),
    "invalid_blocks": Rejected("payload"),
    "invalid_blocks_format": Rejected("payload"),
    "no_text": Rejected("payload"),
    "missing_text_or_fallback_or_attachments": Rejected("payload"),
    "too_many_attachments": Rejected("too_large"),
    "msg_too_long": Rejected("too_large"),
    "no_service": Down("not_found"),
    "no_service_id": Down("not_found"),
    "no_team": Down("not_found"),
    "no_active_hooks": Down("not_found"),
    "channel_not_found": Down("not_found"),
    "user_not_found": Down("not_found"),  # of the webhook's own address, for we name no user
    "invalid_token": Down("unauthorized"),
    "action_prohibited": Down("forbidden"),
    "posting_to_general_channel_denied": Down("forbidden"),
    "team_disabled": Down("forbidden"),
    "channel_is_archived": Down("gone"),
    "rollup_error": Retry("server_error"),
}
"""What an incoming webhook says in the body of its answer; its meaning goes before the status's."""


class SlackSettings(PeopleSettings):
    """Variables of the channel `slack`."""

    model_config = SettingsConfigDict(env_prefix="TRAILSTREAM_SLACK_")

    webhook_url: Annotated[SecretStr | None, AfterValidator(http_url)] = Field(
        None, description="URL of a Slack incoming webhook (https://hooks.slack.com/services/…)."
    )
    rate: float = Field(
        1.0,
        ge=0,
        description="Messages a second in the long run (Slack allows about one); a short burst goes at once. 0: no "
        "limit of ours.",
    )

    @property
    def enabled(self) -> bool:
        """Whether `TRAILSTREAM_SLACK_WEBHOOK_URL` is set."""
        return self.webhook_url is not None


class SlackChannel(HttpChannel, PeopleChannel):
    """Posts each alert to the channel behind one incoming webhook."""

    kind = "slack"
    section = SlackSettings
    burst = 30
    settings: SlackSettings

    async def tell(self, alert: Alert, group: Group | None, *, minimal: bool = False) -> Answer:
        """Post one message; see `PeopleChannel.tell`."""
        body = orjson.dumps(plain_message(alert) if minimal else message(alert))
        return await self.request(self._url, body, {"Content-Type": "application/json; charset=utf-8"})

    async def probe(self) -> Answer:
        """See `Channel.probe`."""
        return await self.reach(self._url)

    def judge(self, reply: Reply) -> Answer:
        """Classify by the word in the body where Slack says one, else by the status."""
        answer = _ERRORS.get(reply.text.strip()) or _refusal(reply) or classify(reply)
        if isinstance(answer, Retry) and answer.after_s is None:
            return Retry(answer.reason, reply.retry_after_s)
        return answer

    @property
    def _url(self) -> SecretStr:
        return self.settings.webhook_url or SecretStr("")


def _refusal(reply: Reply) -> Answer | None:
    """What a 200 says that is none: Slack's own `ok: false`, or somebody else's page."""
    text = reply.text.strip()
    if reply.status != 200 or not text.startswith(("{", "<")):
        return None
    if text.startswith("<"):
        return Down("other")
    try:
        said = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(said, dict) or said.get("ok") is not False:
        return None
    return _ERRORS.get(str(said.get("error")), Rejected("other"))


def plain_message(alert: Alert) -> dict[str, Any]:
    """The message as one text, without blocks and formats."""
    return _envelope(alert)


def message(alert: Alert) -> dict[str, Any]:
    """The message in blocks, with a text for notifications and screen readers."""
    return _envelope(alert) | {"blocks": list(_blocks(alert))}


def _envelope(alert: Alert) -> dict[str, Any]:
    event = alert.event
    text = (
        f"{alert.severity.upper()}: {alert.title}. {alert.summary} Account {event.account_id}, {event.region}, "
        f"by {alert.actor.name}"
    )
    return {"text": prose(text, _MAX_TEXT), "mrkdwn": False, "unfurl_links": False, "unfurl_media": False}


def _blocks(alert: Alert) -> Iterator[dict[str, Any]]:
    heading = f"{_MARKS[alert.severity]} {alert.severity.upper()}: {alert.title}"
    yield {"type": "header", "text": _plain(heading, _MAX_HEADER)}
    yield {"type": "section", "text": _mrkdwn(_what_happened(alert))}
    if printable(alert.summary):  # Slack refuses an empty text
        yield {"type": "section", "text": _plain(alert.summary, _MAX_SECTION)}
    yield {"type": "section", "fields": [_mrkdwn(text, _MAX_FIELD) for text in _details(alert)]}
    if alert.changes:
        yield {"type": "section", "text": _mrkdwn(_changes(alert.changes))}
    links = [
        link(alert.links.console, "Open in the CloudTrail console"),
        link(alert.links.runbook, "Runbook"),
    ]
    if any(links):
        yield {"type": "section", "text": _mrkdwn("  ·  ".join(text for text in links if text))}
    yield {"type": "context", "elements": [_mrkdwn(text, _MAX_CONTEXT_TEXT) for text in _origin(alert)]}


def _what_happened(alert: Alert) -> str:
    event, actor = alert.event, alert.actor
    account = code(event.account_id) + (f" ({code(event.account_name)})" if event.account_name else "")
    source = f" from {code(actor.source_ip)}" if actor.source_ip else ""
    place = f" ({prose(actor.location, 100)})" if actor.location else ""
    return (
        f"*{prose(event.name, 200)}* {_OUTCOMES[event.outcome]} in account {account}, {code(event.region)}, "
        f"by {code(actor.name)}{source}{place}"
    )


def _details(alert: Alert) -> Iterator[str]:
    """Ten at most: that many fields a section may have."""
    event, actor = alert.event, alert.actor
    yield f"*When*\n{code(event.time)}"
    yield f"*Who*\n{_who(actor)}"
    if actor.arn:
        yield f"*Identity*\n{code(actor.arn, 600)}"
    if actor.access_key_id:
        yield f"*Access key*\n{code(actor.access_key_id)}"
    yield f"*Via*\n{actor.via}" + (f", {code(actor.invoked_by)}" if actor.invoked_by else "")
    if actor.user_agent:
        yield f"*User agent*\n{code(actor.user_agent)}"
    if event.error_code or event.error_message:
        yield f"*Error*\n{code(event.error_code or '')} {prose(event.error_message or '', 600)}"
    if alert.resources:
        shown = [code(resource.arn, 300) for resource in alert.resources[:_MAX_RESOURCES]]
        yield "*Target*\n" + "\n".join(shown) + _more(len(alert.resources) - len(shown))


def _who(actor: Actor) -> str:
    mfa = {True: "with MFA", False: "without MFA", None: ""}[actor.mfa]
    return ", ".join(
        part
        for part in (
            prose(actor.type, 100),
            f"session {code(actor.session_name)}" if actor.session_name else "",
            f"source identity {code(actor.source_identity)}" if actor.source_identity else "",
            f"of account {code(actor.account_id)}" if actor.account_id else "",
            mfa,
        )
        if part
    )


def _changes(changes: tuple[Change, ...]) -> str:
    """The changes, a line each, as many as fit."""
    text = "*Changes*"
    for shown, change in enumerate(changes):
        line = f"\n• {code(change.field)} = {code(as_text(change.value), 400)}"
        if change.effect:
            line += f": {prose(change.effect, 400)}"
        if len(text) + len(line) > _MAX_SECTION - 50:
            return text + _more(len(changes) - shown)
        text += line
    return text


def _origin(alert: Alert) -> Iterator[str]:
    """Ten at most: that many elements a context may have."""
    yield f"Rule {code(alert.rule.id)} {prose(alert.rule.title, 200)}"
    if alert.log_file is not None:
        yield f"Log file {code(f's3://{alert.log_file.bucket}/{alert.log_file.key}', 1500)}"
    else:
        yield "Event brought by EventBridge, without a log file"
    yield f"Event {code(alert.event.id)}"
    yield f"Alert {code(alert.id)}"
    calls = (alert.context or {}).get("calls")
    if isinstance(calls, Mapping) and calls:
        shown = [f"{code(str(name), 100)} x {code(str(count), 20)}" for name, count in [*calls.items()][:_MAX_CALLS]]
        yield "By the same principal in this log file: " + ", ".join(shown) + _more(len(calls) - len(shown))


def _more(hidden: int) -> str:
    return f"\n… and {hidden} more" if hidden else ""


def _plain(text: str, limit: int) -> dict[str, Any]:
    return {"type": "plain_text", "text": plain(text, limit), "emoji": False}


def _mrkdwn(text: str, limit: int = _MAX_SECTION) -> dict[str, Any]:
    """A text object of pieces that were each made inert and cut; `verbatim`: Slack makes no links of its own."""
    if len(text) > limit:
        raise ValueError(f"a Slack text of {len(text)} characters")
    return {"type": "mrkdwn", "text": text, "verbatim": True}
