"""A Slack message's blocks: the words first, then what an analyst looks for. https://docs.slack.dev/reference/block-kit."""

from collections.abc import Iterator
from typing import Any, Final

from stream.alert import Alert, Change
from stream.deliver.channels.mrkdwn import code, link, prose
from stream.deliver.facts import MARKS, details, links, more, origin, questions
from stream.deliver.group import Group
from stream.deliver.text import as_text
from stream.deliver.words import Lengths, Style, Words

# Block Kit's limits, in characters.
_MAX_HEADER: Final = 150
MAX_SECTION: Final = 3000
_MAX_FIELD: Final = 2000
_MAX_CONTEXT_TEXT: Final = 2000

MAX_HEADLINE: Final = _MAX_HEADER - 4
"""Characters of a headline: a sign of two goes before it, and a space."""

MRKDWN: Final = Style(prose, code, lambda text, limit: f"*{prose(text, limit - 2) or '-'}*")
PLAIN: Final = Style(prose, prose, prose)

_DETAILS: Final = Lengths(free=300, ids=600, items=3)
_ORIGIN: Final = Lengths(free=200, ids=1500, items=8)


def blocks(alert: Alert, group: Group | None, said: Words) -> list[dict[str, Any]]:
    """The blocks of a message.

    Args:
        alert: what to tell.
        group: all that is told with it; of what is told late, which may be of many kinds, there are words only.
        said: a headline of `MAX_HEADLINE` characters at most, and a text of `MAX_SECTION`, made in `MRKDWN`.
    """
    return list(_blocks(alert, group, said))


def _blocks(alert: Alert, group: Group | None, said: Words) -> Iterator[dict[str, Any]]:
    heading = f"{MARKS[alert.severity]} {said.headline}"
    yield {"type": "header", "text": {"type": "plain_text", "text": heading, "emoji": False}}
    if said.text:  # Slack refuses an empty text
        yield {"type": "section", "text": _mrkdwn(said.text)}
    if group is not None and group.late:
        return
    fields = [_mrkdwn("\n".join([f"*{name}*", *lines]), _MAX_FIELD) for name, lines in details(alert, MRKDWN, _DETAILS)]
    yield {"type": "section", "fields": fields}
    if alert.changes:
        yield {"type": "section", "text": _mrkdwn(_changes(alert.changes))}
    if addresses := [shown for url, label in links(alert) if (shown := link(url, label))]:
        yield {"type": "section", "text": _mrkdwn("  ·  ".join(addresses))}
    if asked := [f"*{name}*\n```{' '.join(lines)}```" for name, lines in questions(alert)]:
        yield {"type": "section", "text": _mrkdwn("\n".join(asked))}
    found = [_mrkdwn(f"{name}: {' '.join(lines)}", _MAX_CONTEXT_TEXT) for name, lines in origin(alert, MRKDWN, _ORIGIN)]
    yield {"type": "context", "elements": found}


def _changes(changes: tuple[Change, ...]) -> str:
    """The changes, a line each, as many as fit."""
    text = "*Changes*"
    for shown, change in enumerate(changes):
        line = f"\n• {code(change.field, 300)} = {code(as_text(change.value), 400)}"
        if change.effect:
            line += f": {prose(change.effect, 400)}"
        if len(text) + len(line) > MAX_SECTION - 50:
            return "\n".join([text, *more(len(changes) - shown)])
        text += line
    return text


def _mrkdwn(text: str, limit: int = MAX_SECTION) -> dict[str, Any]:
    """A text object of pieces that were each made inert and cut; `verbatim`: Slack makes no links of its own."""
    if len(text) > limit:
        raise ValueError(f"a Slack text of {len(text)} characters")
    return {"type": "mrkdwn", "text": text, "verbatim": True}
