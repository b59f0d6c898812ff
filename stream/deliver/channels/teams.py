"""Microsoft Teams, by a Workflows webhook: the alert as an Adaptive Card whose first lines say all that matters.

https://learn.microsoft.com/connectors/teams (28 KB), https://adaptivecards.io/explorer (Teams knows them up to 1.5).
What is accepted (202) has started the flow; whether the flow then posts its card is in its run history alone.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain
from typing import Annotated, Any, Final

import orjson
from pydantic import AfterValidator, Field, SecretStr

from stream.alert import Alert
from stream.deliver.channel import Answer, Down, PeopleChannel, Rejected
from stream.deliver.channels.relayed import Limits, fitting, relayed, web_address
from stream.deliver.facts import MARKS, Fact, details, links, more, origin, questions
from stream.deliver.group import Group
from stream.deliver.http import HttpChannel, Reply, classify
from stream.deliver.text import as_text
from stream.deliver.words import Lengths, Style, Words
from stream.settings import PeopleSettings
from stream.severity import Severity
from stream.urls import http_url

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

_STYLES: Final[Mapping[Severity, str]] = {
    "critical": "attention",
    "high": "attention",
    "medium": "warning",
    "low": "accent",
    "informational": "emphasis",
}
"""For each severity its colour, as a style of a container."""

_PLAIN: Final = Style(relayed, relayed, relayed)  # nothing is formatted in a run of text
_MAX_HEADLINE: Final = 300
_LEAST_TEXT: Final = 600

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

    env_prefix = "TRAILSTREAM_TEAMS_"

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
    example = (("webhook_url", "https://placeholder.webhook.office.example/workflows/0123?sig=placeholder"),)
    burst = 4  # "Transactions per second thresholds", on the page of `_RELAYED_STATUS`
    settings: TeamsSettings

    async def tell(self, alert: Alert, group: Group | None, *, minimal: bool = False) -> Answer:
        """Post one message; see `PeopleChannel.tell`."""
        body = self.message(alert, group, minimal=minimal)
        return await self.request(self._url, body, {"Content-Type": "application/json; charset=utf-8"})

    def message(self, alert: Alert, group: Group | None, *, minimal: bool = False) -> bytes:
        """The message with its card in JSON, within what Teams takes; the minimal one has words only."""

        def said(text: int) -> Words:
            return self.words(alert, group, _PLAIN, headline=_MAX_HEADLINE, text=text)

        if minimal:
            return _message(list(_words(alert, said(_LEAST_TEXT))), [])
        return fitting(lambda limits: _card(alert, group, limits, said), _LEVELS, _MAX_BYTES)

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


def _card(alert: Alert, group: Group | None, limits: Limits, said: Callable[[int], Words]) -> bytes:
    """The message; of what is told late, which may be of many kinds, there are words only."""
    body = list(_words(alert, said(max(2 * limits.free, _LEAST_TEXT))))
    if group is not None and group.late:
        return _message(body, [])
    lengths = Lengths(limits.free, limits.ids, limits.items)
    found = chain(origin(alert, _PLAIN, lengths), questions(alert))
    body += [
        {"type": "Container", "spacing": "Medium", "items": list(_facts(details(alert, _PLAIN, lengths)))},
        *_changes(alert, limits),
        {
            "type": "Container",
            "separator": True,
            "items": list(_facts(found)),
        },
    ]
    return _message(body, list(_actions(alert)))


def _words(alert: Alert, said: Words) -> Iterator[dict[str, Any]]:
    title = _run(f"{MARKS[alert.severity]} {said.headline}", size="Large", weight="Bolder")
    yield {"type": "Container", "style": _STYLES[alert.severity], "bleed": True, "items": [_block(title)]}
    for line in said.text.splitlines():
        if line.strip():
            yield _block(_run(line))


def _facts(facts: Iterable[Fact]) -> Iterator[dict[str, Any]]:
    for name, lines in facts:
        for line in lines:
            yield _block(_run(f"{name}: ", weight="Bolder"), _run(line), spacing="Small")


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
    items += [_block(_run(line), spacing="Small") for line in more(len(alert.changes) - len(shown))]
    yield {"type": "Container", "separator": True, "items": items}


def _actions(alert: Alert) -> Iterator[dict[str, Any]]:
    for url, title in links(alert):
        if (address := web_address(url)) is not None:
            yield {"type": "Action.OpenUrl", "title": title, "url": address}


def _block(*runs: dict[str, Any], **style: str) -> dict[str, Any]:
    """A text without Markdown: that of TextBlock and FactSet is, and only those know mentions.

    https://learn.microsoft.com/adaptive-cards/schema-explorer/text-run,
    https://learn.microsoft.com/microsoftteams/platform/task-modules-and-cards/cards/cards-format
    """
    return {"type": "RichTextBlock", "inlines": list(runs), **style}


def _run(text: str, **style: str) -> dict[str, Any]:
    return {"type": "TextRun", "text": text or "(none)", **style}
