"""An alert, or a group of them, in a headline and a text, by a Jinja2 template, in a channel's own format.

Whatever was recorded is made inert on its way out of the template; a template of the user's that fails is counted,
and ours takes its place: no alert is lost to a template.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import cache
from importlib import resources
from typing import Any, Final

from jinja2 import StrictUndefined, Template, TemplateError, Undefined
from jinja2.sandbox import ImmutableSandboxedEnvironment

from stream.alert import Alert
from stream.deliver.group import Group
from stream.deliver.text import as_text, cut
from stream.templates import source

_OUTCOMES: Final = {"success": "succeeded", "denied": "was denied", "failed": "failed"}
_MAX_VALUE: Final = 4096  # characters of one value of the record's, which a template of the user's may print
_MAX_IDS: Final = 10


@dataclass(frozen=True, slots=True)
class Words:
    """What people read: a line, and a text of some lines, both inert in the format they were made for."""

    headline: str
    text: str


@dataclass(frozen=True, slots=True)
class Style:
    """A format. Each function makes a text inert in it: one line, of so many characters at most.

    Attributes:
        prose: a text to be read.
        code: an identifier to be copied.
        strong: a text to be seen first.
    """

    prose: Callable[[str, int], str]
    code: Callable[[str, int], str]
    strong: Callable[[str, int], str]


@dataclass(frozen=True, slots=True)
class Lengths:
    """How much of an alert is told.

    Attributes:
        free: characters of one free text (a summary, a user agent, an error message, a parameter's value).
        ids: characters of one identifier (an ARN, a key, a name).
        items: of one list.
    """

    free: int
    ids: int
    items: int


# Free texts are cut first; identifiers only where they are longer than any that AWS allows.
LENGTHS: Final = (
    Lengths(free=2000, ids=2048, items=20),
    Lengths(free=500, ids=2048, items=20),
    Lengths(free=150, ids=2048, items=10),
    Lengths(free=150, ids=256, items=5),
    Lengths(free=60, ids=128, items=3),
)


class _Inert(str):
    """Text that has been made inert already."""

    __slots__ = ()


def words(
    alert: Alert,
    group: Group | None,
    style: Style,
    *,
    template: str | None = None,
    headline: int,
    text: int,
    failed: Callable[[str], None],
) -> Words:
    """Put an alert in words.

    Args:
        alert: what to tell.
        group: all that is told with it.
        style: the channel's format.
        template: the user's own, as `PeopleSettings.template` has it.
        headline: characters that the headline may have.
        text: characters that the text may have.
        failed: told the exception's class if the user's template could not be used.
    """
    if template is not None:
        try:
            said = _fitting(_compiled(source(template), style), alert, group, headline, text)
        except (TemplateError, ArithmeticError, LookupError, OSError, TypeError, ValueError, RecursionError) as error:
            failed(type(error).__name__)
        else:
            if said is not None:
                return said
            failed("TooLong")
    return _fitting(_compiled(_default(), style), alert, group, headline, text) or _least(
        alert, group, style, headline, text
    )


def view(alert: Alert, group: Group | None, lengths: Lengths) -> dict[str, Any]:
    """What a template sees: the alert's fields by their own names, texts cut to these lengths, nothing inert yet."""
    shown: dict[str, Any] = {
        "id": alert.id,
        "severity": alert.severity,
        "title": cut(alert.title, lengths.free),
        "summary": cut(alert.summary, lengths.free),
        "outcome": _OUTCOMES[alert.event.outcome],
        "provenance": alert.provenance,
        "links": asdict(alert.links),
        "record": alert.record,
        "context": alert.context,
    }
    for name in ("rule", "event", "actor", "log_file"):
        part = getattr(alert, name)
        shown[name] = None if part is None else _cut_fields(asdict(part), lengths)
    shown["resources"] = [_cut_fields(asdict(resource), lengths) for resource in alert.resources[: lengths.items]]
    shown["changes"] = [
        {
            "field": cut(change.field, lengths.ids),
            "value": cut(as_text(change.value), lengths.free),
            "effect": cut(change.effect, lengths.free),
        }
        for change in alert.changes[: lengths.items]
    ]
    shown["more_changes"] = len(alert.changes) - len(shown["changes"])
    shown["group"] = None if group is None else _group(group, lengths)
    return shown


_FREE: Final = frozenset({"title", "error_message", "user_agent", "location"})


def _cut_fields(fields: Mapping[str, Any], lengths: Lengths) -> dict[str, Any]:
    return {
        name: cut(value, lengths.free if name in _FREE else lengths.ids) if isinstance(value, str) else value
        for name, value in fields.items()
    }


def _group(group: Group, lengths: Lengths) -> dict[str, Any]:
    told = group.alerts[: lengths.items]
    ids = [alert.event.id for alert in group.alerts[: min(lengths.items, _MAX_IDS)]]
    return {
        "count": group.count,
        "first": group.first,
        "last": group.last,
        "late": group.late,
        "event_ids": [cut(event_id, lengths.ids) for event_id in ids],
        "more_event_ids": group.count - len(ids),
        "alerts": [
            {
                "severity": alert.severity,
                "title": cut(alert.title, lengths.free),
                "time": cut(alert.event.time, lengths.ids),
                "id": alert.id,
            }
            for alert in told
        ],
        "more_alerts": group.count - len(told),
    }


def _fitting(template: Template, alert: Alert, group: Group | None, headline: int, text: int) -> Words | None:
    for lengths in LENGTHS:
        first, _, rest = template.render(view(alert, group, lengths)).strip().partition("\n")
        said = Words(first.strip(), rest.strip())
        if len(said.headline) <= headline and len(said.text) <= text and said.headline:
            return said
    return None


def _least(alert: Alert, group: Group | None, style: Style, headline: int, text: int) -> Words:
    """The same words without any emphasis, cut where the room ends."""
    plain = Style(lambda value, _: value, lambda value, _: value, lambda value, _: value)
    lines = _compiled(_default(), plain).render(view(alert, group, LENGTHS[-1])).strip()
    first, _, rest = lines.partition("\n")
    return Words(style.prose(first, headline), style.prose(rest, text))


@cache
def _default() -> str:
    return resources.files("stream.deliver").joinpath("words.txt.j2").read_text(encoding="utf-8")


@cache
def _compiled(text: str, style: Style) -> Template:
    def inert(value: Any) -> str:
        if isinstance(value, Undefined):
            return str(value)  # which raises, and names it
        return value if isinstance(value, _Inert) else _Inert(style.prose(as_text(value), _MAX_VALUE))

    environment = ImmutableSandboxedEnvironment(
        undefined=StrictUndefined,
        finalize=inert,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=False,
    )
    environment.filters["code"] = lambda value: _Inert(style.code(as_text(value), _MAX_VALUE))
    environment.filters["strong"] = lambda value: _Inert(style.strong(as_text(value), _MAX_VALUE))
    return environment.from_string(text)
