"""Microsoft Teams, by a Workflows webhook: the alert as an Adaptive Card whose first lines say all that matters.

https://learn.microsoft.com/connectors/teams (28 KB), https://adaptivecards.io/explorer (Teams knows them up to 1.5).
What is accepted (202) has started the flow; whether the flow then posts its card is in its run history alone.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Final

import orjson
from pydantic import AfterValidator, Field, SecretStr
from pydantic_settings import SettingsConfigDict

from stream.alert import Actor, Alert
from stream.deliver.channel import Answer, Down, PeopleChannel, Rejected
from stream.deliver.channels.relayed import Limits, fitting, relayed, web_address
from stream.deliver.group import Group
from stream.deliver.http import HttpChannel, Reply, classify, http_url
from stream.deliver.text import as_text
from stream.settings import PeopleSettings
from stream.severity import Severity

# Documented are 28 KB, with all that Teams makes of a card; others saw messages refused from 21,000 characters on
# (https://www.rubydoc.info/gems/msteams_hermes/MsTeamsHermes/Message,
# https://github.com/atc0005/go-teams-notify/issues/59).
_MAX_BYTES: Final = 20_000

# The most generous first: free texts are cut before lists, and lists before names that no AWS service would allow.
_LEVELS: Final = (
    Limits(free=1500, ids=1100, items=10),
    Limits(free=500, ids=1100, items=10),
    Limits(free=250, ids=1100, items=10),
    Limits(free=120, ids=1100, items=10),
    Limits(free=200, ids=1100, items=5),
    Limits(free=100, ids=300, items=5),
    Limits(free=50, ids=80, items=3),
)

_MARKS: Final[Mapping[Severity, tuple[str, str]]] = {
    "critical": ("🔴", "attention"),
    "high": ("🟠", "attention"),
    "medium": ("🟡", "warning"),
    "low": ("🔵", "accent"),
    "informational": ("⚪", "emphasis"),
}
"""For each severity its sign, and its colour as a style of a container."""

_OUTCOMES: Final = {"success": "succeeded", "denied": "was denied", "failed": "failed"}

_CODE: Final = re.compile(r'"code"\s*:\s*"(\w+)"')
_ERRORS: Final[Mapping[str, Answer]] = {
    # A flow that was turned off or deleted answers 400, which would blame the alert.
    # https://github.com/microsoft/coe-starter-kit/issues/8684
    "WorkflowTriggerIsNotEnabled": Down("gone"),
    "WorkflowDisabled": Down("gone"),
    "WorkflowNotFound": Down("not_found"),
    "TriggerInputSchemaMismatch": Rejected("payload"),
}
# Connectors, which Workflows replace, say 200 and put what Teams answered them in the text:
# https://learn.microsoft.com/microsoftteams/platform/webhooks-and-connectors/how-to/connectors-using
_RELAYED_STATUS: Final = re.compile(r"endpoint returned HTTP error (\d{3})\b")


class TeamsSettings(PeopleSettings):
    """Variables of the channel `teams`."""

    model_config = SettingsConfigDict(env_prefix="TRAILSTREAM_TEAMS_")

    webhook_url: Annotated[SecretStr | None, AfterValidator(http_url)] = Field(
        None, description="URL of a Workflows webhook (the trigger “When a Teams webhook request is received”)."
    )
    rate: float = Field(
        1.0,
        ge=0,
        description="Messages a second in the long run (Teams throttles four a second, or 60 in 30 seconds); a short "
        "burst goes at once. 0: no limit of ours.",
    )

    @property
    def enabled(self) -> bool:
        """Whether `TRAILSTREAM_TEAMS_WEBHOOK_URL` is set."""
        return self.webhook_url is not None


class TeamsChannel(HttpChannel, PeopleChannel):
    """Posts each alert to the channel or chat behind one flow."""

    kind = "teams"
    section = TeamsSettings
    burst = 4  # "Transactions per second thresholds", on the page of `_RELAYED_STATUS`
    settings: TeamsSettings

    async def tell(self, alert: Alert, group: Group | None, *, minimal: bool = False) -> Answer:
        """Post one message; see `PeopleChannel.tell`."""
        body = minimal_message(alert) if minimal else message(alert)
        return await self.request(self._url, body, {"Content-Type": "application/json; charset=utf-8"})

    async def probe(self) -> Answer:
        """See `Channel.probe`."""
        return await self.reach(self._url)

    def judge(self, reply: Reply) -> Answer:
        """Classify by the error's code where the flow's host says one, else by the status that Teams gave."""
        if reply.status >= 400:
            code = _CODE.search(reply.text)
            return (_ERRORS.get(code[1]) if code else None) or classify(reply)
        relayed_status = _RELAYED_STATUS.search(reply.text)
        return classify(Reply(int(relayed_status[1]), reply.retry_after_s, "") if relayed_status else reply)

    @property
    def _url(self) -> SecretStr:
        return self.settings.webhook_url or SecretStr("")


def message(alert: Alert) -> bytes:
    """The message with its card in JSON, within what Teams takes; what is cut says so."""
    return fitting(lambda limits: _message(_body(alert, limits), list(_actions(alert))), _LEVELS, _MAX_BYTES)


def minimal_message(alert: Alert) -> bytes:
    """The message as a card of the two first lines."""
    return _message([_heading(alert, 300), _block(*_happened(alert, 100))], [])


def _message(body: list[dict[str, Any]], actions: list[dict[str, Any]]) -> bytes:
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "msteams": {"width": "Full"},
        "body": body,
        "actions": actions,
    }
    attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": None, "content": card}
    return orjson.dumps({"type": "message", "attachments": [attachment]})


def _body(alert: Alert, limits: Limits) -> list[dict[str, Any]]:
    return [
        _heading(alert, max(limits.free, 100)),
        _block(*_happened(alert, limits.ids)),
        _block(_run(relayed(alert.summary, max(limits.free, 300)))),
        {"type": "Container", "spacing": "Medium", "items": list(_details(alert, limits))},
        *_changes(alert, limits),
        {"type": "Container", "separator": True, "items": list(_origin(alert, limits))},
    ]


def _heading(alert: Alert, limit: int) -> dict[str, Any]:
    sign, style = _MARKS[alert.severity]
    title = _run(f"{sign} {alert.severity.upper()}: {relayed(alert.title, limit)}", size="Large", weight="Bolder")
    return {"type": "Container", "style": style, "bleed": True, "items": [_block(title)]}


def _happened(alert: Alert, limit: int) -> Iterator[dict[str, Any]]:
    event, actor = alert.event, alert.actor
    yield _run(relayed(event.name, limit), weight="Bolder")
    yield _run(f" {_OUTCOMES[event.outcome]} in account ")
    if event.account_name:
        yield _run(relayed(event.account_name, limit), weight="Bolder")
        yield _run(f" ({relayed(event.account_id, limit)}), {relayed(event.region, limit)}, by ")
    else:
        yield _run(relayed(event.account_id, limit), weight="Bolder")
        yield _run(f", {relayed(event.region, limit)}, by ")
    yield _run(relayed(actor.name, limit), weight="Bolder")
    if actor.source_ip:
        yield _run(f" from {relayed(actor.source_ip, limit)}")
    if actor.location:
        yield _run(f" ({relayed(actor.location, min(limit, 100))})")


def _details(alert: Alert, limits: Limits) -> Iterator[dict[str, Any]]:
    event, actor = alert.event, alert.actor
    yield _fact("When", relayed(event.time, limits.ids))
    yield _fact("Who", _who(actor, limits.ids))
    if actor.arn:
        yield _fact("Identity", relayed(actor.arn, limits.ids))
    if actor.access_key_id:
        yield _fact("Access key", relayed(actor.access_key_id, limits.ids))
    yield _fact("Via", actor.via + (f", {relayed(actor.invoked_by, limits.ids)}" if actor.invoked_by else ""))
    if actor.user_agent:
        yield _fact("User agent", relayed(actor.user_agent, limits.free))
    if event.error_code or event.error_message:
        code, text = relayed(event.error_code or "", limits.ids), relayed(event.error_message or "", limits.free)
        yield _fact("Error", f"{code} {text}".strip())
    shown = alert.resources[: limits.items]
    for resource in shown:
        yield _fact("Target", relayed(resource.arn, limits.ids))
    yield from _more(len(alert.resources) - len(shown))


def _who(actor: Actor, limit: int) -> str:
    mfa = {True: "with MFA", False: "without MFA", None: ""}[actor.mfa]
    parts = (
        relayed(actor.type, limit),
        f"session {relayed(actor.session_name, limit)}" if actor.session_name else "",
        f"source identity {relayed(actor.source_identity, limit)}" if actor.source_identity else "",
        f"of account {relayed(actor.account_id, limit)}" if actor.account_id else "",
        mfa,
    )
    return ", ".join(part for part in parts if part)


def _changes(alert: Alert, limits: Limits) -> Iterator[dict[str, Any]]:
    shown = alert.changes[: limits.items]
    if not shown:
        return
    items = [_block(_run("Changes", weight="Bolder"))]
    for change in shown:
        runs = [
            _run(relayed(change.field, min(limits.ids, 300)), weight="Bolder"),
            _run(" = "),
            _run(relayed(as_text(change.value), limits.free), fontType="Monospace"),
        ]
        if change.effect:
            runs.append(_run(f": {relayed(change.effect, limits.free)}"))
        items.append(_block(*runs, spacing="Small"))
    yield {"type": "Container", "separator": True, "items": [*items, *_more(len(alert.changes) - len(shown))]}


def _origin(alert: Alert, limits: Limits) -> Iterator[dict[str, Any]]:
    yield _fact("Rule", f"{relayed(alert.rule.id, limits.ids)} {relayed(alert.rule.title, limits.free)}")
    if alert.log_file is not None:
        bucket, key = relayed(alert.log_file.bucket, limits.ids), relayed(alert.log_file.key, limits.ids)
        yield _fact("Log file", f"s3://{bucket}/{key}")
    else:
        yield _fact("Log file", "none: the event was brought by EventBridge")
    yield _fact("Event", relayed(alert.event.id, limits.ids))
    yield _fact("Alert", relayed(alert.id, limits.ids))
    calls = (alert.context or {}).get("calls")
    if isinstance(calls, Mapping) and calls:
        first = [*calls.items()][: limits.items]
        shown = ", ".join(f"{relayed(str(name), 60)} x {relayed(str(count), 20)}" for name, count in first)
        rest = len(calls) - len(first)
        yield _fact("By the same principal in this log file", shown + (f" and {rest} more" if rest else ""))


def _actions(alert: Alert) -> Iterator[dict[str, Any]]:
    for url, title in (
        (alert.links.console, "Open in the CloudTrail console"),
        (alert.links.runbook, "Runbook"),
    ):
        if (address := web_address(url)) is not None:
            yield {"type": "Action.OpenUrl", "title": title, "url": address}


def _more(hidden: int) -> Iterator[dict[str, Any]]:
    if hidden > 0:
        yield _block(_run(f"… and {hidden} more"), spacing="Small")


def _fact(name: str, value: str) -> dict[str, Any]:
    return _block(_run(f"{name}: ", weight="Bolder"), _run(value), spacing="Small")


def _block(*runs: dict[str, Any], **style: str) -> dict[str, Any]:
    """A text without Markdown: that of TextBlock and FactSet is, and only those know mentions.

    https://learn.microsoft.com/adaptive-cards/schema-explorer/text-run,
    https://learn.microsoft.com/microsoftteams/platform/task-modules-and-cards/cards/cards-format
    """
    return {"type": "RichTextBlock", "inlines": list(runs), **style}


def _run(text: str, **style: str) -> dict[str, Any]:
    return {"type": "TextRun", "text": text or "(none)", **style}
