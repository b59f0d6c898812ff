"""What an alert says in a mail: a subject, a plain text, and the same as HTML that loads nothing.

Whatever was recorded is made inert before either is made: no line, tag, header or link comes out of it.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from html import escape
from importlib import resources
from typing import Final

from jinja2 import Environment, StrictUndefined, Template

from stream.alert import Alert
from stream.deliver.channels.relayed import relayed, unlinked, web_address
from stream.deliver.facts import Fact, details, links, more, origin, questions
from stream.deliver.group import Group
from stream.deliver.text import as_text, cut
from stream.deliver.words import LENGTHS, Lengths, Style, Words
from stream.severity import Severity

MAX_SUBJECT: Final = 160
MAX_TEXT: Final = 8000

# Gmail cuts what it shows at 102 KB of HTML (https://github.com/hteumeuleu/email-bugs/issues/41).
_MAX_HTML_BYTES: Final = 90_000
_MAX_ALERT_IDS: Final = 20

# Emphasis on its way through the template, which is rendered once for both parts; no inert text has control codes.
_STRONG: Final = ("\x02", "\x03")
_CODE: Final = ("\x0e", "\x0f")
_TAGS: Final = {"\x02": "<strong>", "\x03": "</strong>", "\x0e": "<code>", "\x0f": "</code>"}
_EMPHASIS: Final = re.compile("[\x02\x03\x0e\x0f]")
_COPIED: Final = re.compile(r"(arn:|s3://)\S+")
_CONTROLS: Final = re.compile("[\x00-\x1f\x7f-\x9f]+")  # which only a template of the user's own can have put there

_BANDS: Final[Mapping[Severity, str]] = {
    "critical": "#b3001b",
    "high": "#a33c00",
    "medium": "#755800",
    "low": "#1a5fb4",
    "informational": "#5e5c64",
}
"""Backgrounds for white letters (WCAG's contrast of 4.5 and more), in light and in dark mode."""


def _identifier(text: str, limit: int) -> str:
    """What is an identifier by its looks can be copied as it is."""
    return (relayed if _COPIED.fullmatch(text) else unlinked)(text, limit)


def _marked(text: str, limit: int, marks: tuple[str, str]) -> str:
    return f"{marks[0]}{unlinked(text, limit - 2)}{marks[1]}"


STYLE: Final = Style(
    prose=unlinked,
    code=lambda text, limit: _marked(text, limit, _CODE),
    strong=lambda text, limit: _marked(text, limit, _STRONG),
)
"""For `words`: what comes of it goes into `body`."""

_PLAIN: Final = Style(prose=unlinked, code=_identifier, strong=unlinked)


@dataclass(frozen=True, slots=True)
class Body:
    """A mail's subject and its two parts."""

    subject: str
    text: str
    html: str


def body(alert: Alert, group: Group | None, said: Words) -> Body:
    """The whole of it.

    Args:
        alert: what to tell.
        group: all that is told with it.
        said: the words for it, in `STYLE`, of `MAX_SUBJECT` and `MAX_TEXT` characters at most.
    """
    subject = subject_line(alert, group, said)
    for lengths in LENGTHS:
        sections = _sections(alert, group, lengths)
        html = _html(alert, group, said, sections)
        if len(html.encode()) <= _MAX_HTML_BYTES:
            break
    return Body(subject, _text(said, sections), html)


def short_text(alert: Alert, said: Words) -> str:
    """The least that tells the alert."""
    return f"{_bare(said.headline)}\n\n{_bare(said.text)}\n\nAlert: {relayed(alert.id, 100)}\n"


def subject_line(alert: Alert, group: Group | None, said: Words) -> str:
    """One line that no mail program takes for anything but text; of what is told late, it says so."""
    line = _CONTROLS.sub(" ", _bare(said.headline)).strip()
    if group is not None and group.late and not line.startswith("LATE"):
        line = f"LATE: {line}"
    # Encoded words (RFC 2047) would be decoded, line breaks in them too, when the header is made.
    return cut(line, MAX_SUBJECT).replace("=?", "=\u2060?") or alert.severity.upper()


def _bare(text: str) -> str:
    return _EMPHASIS.sub("", text)


@dataclass(frozen=True, slots=True)
class _Change:
    field: str
    value: str
    effect: str


@dataclass(frozen=True, slots=True)
class _Sections:
    """What follows the words; every text in it is inert."""

    facts: list[Fact]
    changes: list[_Change]
    more_changes: list[str]
    links: list[tuple[str, str]]
    origin: list[Fact]


def _sections(alert: Alert, group: Group | None, lengths: Lengths) -> _Sections:
    told = [] if group is None else [_ids(group)]
    if group is not None and group.late:  # of many kinds: one's details would be taken for everybody's
        return _Sections([], [], [], [], told)
    changes = [
        _Change(
            relayed(change.field, min(lengths.ids, 300)),
            unlinked(as_text(change.value), lengths.free),
            unlinked(change.effect, lengths.free),
        )
        for change in alert.changes[: lengths.items]
    ]
    addresses = ((label, web_address(url)) for url, label in links(alert))
    return _Sections(
        facts=list(details(alert, _PLAIN, lengths)),
        changes=changes,
        more_changes=more(len(alert.changes) - len(changes)),
        links=[(label, url) for label, url in addresses if url is not None],
        origin=[*origin(alert, _PLAIN, lengths), *questions(alert), *told],
    )


def _ids(group: Group) -> Fact:
    shown = [relayed(alert_id, 100) for alert_id in group.ids[:_MAX_ALERT_IDS]]
    rest = f" and {group.count - len(shown)} more" if group.count > len(shown) else ""
    return "Alerts", [", ".join(shown) + rest]


def _text(said: Words, sections: _Sections) -> str:
    changes = [f"  {each.field} = {each.value}: {each.effect}" for each in sections.changes]
    changes += [f"  {line}" for line in sections.more_changes]
    blocks = (
        [_bare(said.headline)],
        [_bare(said.text)],
        _lines(sections.facts),
        ["Changes", *changes] if changes else [],
        [f"{label}:\n{url}" for label, url in sections.links],
        _lines(sections.origin),
    )
    return "\n\n".join("\n".join(block) for block in blocks if block and block != [""]) + "\n"


def _lines(facts: list[Fact]) -> list[str]:
    return [f"{name}: {line}" for name, lines in facts for line in lines]


def _html(alert: Alert, group: Group | None, said: Words, sections: _Sections) -> str:
    return _template().render(
        severity=alert.severity.upper(),
        late=group is not None and group.late,
        colour=_BANDS[alert.severity],
        headline=_emphasised(said.headline),
        title=_bare(said.headline),
        lines=[_emphasised(line) for line in said.text.split("\n")],
        one_of_many=group is not None and not group.late,
        sections=sections,
    )


def _emphasised(text: str) -> str:
    """Words as HTML: escaped, a template's own text too, with tags only where the marks are."""
    return _EMPHASIS.sub(lambda mark: _TAGS[mark[0]], escape(text))


@cache
def _template() -> Template:
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    text = resources.files("stream.deliver.channels").joinpath("mail.html.j2").read_text(encoding="utf-8")
    return environment.from_string(text)
