"""An alert, or a group of them, in a headline and a text, by a Jinja2 template, in a channel's own format.

Whatever was recorded is made inert on its way out of the template; a template of the user's that fails is counted,
and ours takes its place: no alert is lost to a template.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib import resources
from typing import Any, Final

from jinja2 import Template

from stream.alert import Alert
from stream.deliver.group import Group
from stream.deliver.text import as_text, cut
from stream.errors import TrailstreamError
from stream.notice import is_notice
from stream.sandbox import MAX_PRODUCT, Sandbox
from stream.templates import source

_OUTCOMES: Final = {"success": "succeeded", "denied": "was denied", "failed": "failed"}
_MAX_VALUE: Final = 4096  # characters of one value of the record's, which a template of the user's may print
_MAX_IDS: Final = 10
_LATE: Final = "LATE: "  # begins the headline of what is told late, whatever a template says
_SPARE: Final = 4096  # characters of white space, at most, that a rendering may have besides what is said


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
    Lengths(free=200, ids=2048, items=10),
    Lengths(free=130, ids=2048, items=10),
    Lengths(free=130, ids=256, items=5),
    Lengths(free=100, ids=128, items=5),
    Lengths(free=60, ids=128, items=3),
)


class UnfitError(TrailstreamError):
    """What a template says has no headline, or is too long however little it is told."""


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

    Returns:
        Words within those limits, whatever the alert and the template hold.
    """
    if template is not None:
        try:
            late = _LATE if group is not None and group.late else ""
            said = _fitting(_compiled(source(template), style), alert, group, headline - len(late), text)
            said = Words(said.headline if said.headline.startswith(_LATE.strip()) else late + said.headline, said.text)
            f"{said.headline}{said.text}".encode()  # half a surrogate would be refused further on
        except Exception as error:  # noqa: BLE001 - whatever a template does, it costs no alert; it is counted
            failed(type(error).__name__)
        else:
            return said
    try:
        return _fitting(_compiled(_default(), style), alert, group, headline, text)
    except UnfitError:
        return _least(alert, group, style, headline, text)


def view(alert: Alert, group: Group | None, lengths: Lengths) -> dict[str, Any]:
    """What a template sees: the alert's fields by their own names, texts cut to these lengths, nothing inert yet."""
    shown: dict[str, Any] = {
        "id": alert.id,
        "severity": alert.severity,
        "title": cut(alert.title, lengths.free),
        "summary": cut(alert.summary, lengths.free),
        "outcome": _OUTCOMES[alert.event.outcome],
        "provenance": alert.provenance,
        "links": _fields(alert.links),
        "record": alert.record,
        "context": alert.context,
        "notice": is_notice(alert),
    }
    for name in ("rule", "event", "actor", "log_file"):
        part = getattr(alert, name)
        shown[name] = None if part is None else _cut_fields(part, lengths)
    shown["resources"] = [_cut_fields(resource, lengths) for resource in alert.resources[: lengths.items]]
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


def _fields(part: Any) -> dict[str, Any]:
    """A dataclass's fields as they are: `dataclasses.asdict` copies deeply, which takes half of a rendering's time."""
    return {name: getattr(part, name) for name in part.__slots__}


def _cut_fields(part: Any, lengths: Lengths) -> dict[str, Any]:
    return {
        name: cut(value, lengths.free if name in _FREE else lengths.ids) if isinstance(value, str) else value
        for name, value in _fields(part).items()
    }


def _group(group: Group, lengths: Lengths) -> dict[str, Any]:
    told = group.alerts[: lengths.items]
    shown = min(lengths.items, _MAX_IDS)
    ids = [alert.event.id for alert in group.alerts[:shown]]
    callers = [alert.actor for alert in group.alerts]
    targets = list(dict.fromkeys(resource.arn for alert in group.alerts for resource in alert.resources))
    return {
        "count": group.count,
        "first": group.first,
        "last": group.last,
        "late": group.late,
        "event_ids": [cut(event_id, lengths.ids) for event_id in ids],
        "more_event_ids": group.count - len(ids),
        "targets": [cut(arn, lengths.ids) for arn in targets[:shown]],
        "target_count": len(targets),
        "caller_count": len({actor.arn or actor.principal_id or actor.name for actor in callers}),
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


def _fitting(template: Template, alert: Alert, group: Group | None, headline: int, text: int) -> Words:
    """The headline and the text, each by the most generous lengths by which it keeps within its limit.

    Raises:
        UnfitError: neither of the lengths will do.
    """
    first = rest = None
    for lengths in LENGTHS:
        lines = _rendered(template, view(alert, group, lengths), headline + text + _SPARE)
        said, _, more = lines.strip().partition("\n")
        said, more = " ".join(said.split()), more.strip()
        if first is None and 0 < len(said) <= headline:
            first = said
        if rest is None and (len(more) <= text or not text):
            rest = more if text else ""
        if first is not None and rest is not None:
            return Words(first, rest)
    raise UnfitError


def _rendered(template: Template, shown: Mapping[str, Any], limit: int) -> str:
    """What a template makes of an alert; of more than `limit` characters only that it is more."""
    environment = template.environment
    if isinstance(environment, Sandbox):
        environment.steps = 0
    parts, length = [], 0
    for part in template.generate(shown):
        parts.append(part)
        length += len(part)
        if length > limit:
            break
    return "".join(parts)


def _least(alert: Alert, group: Group | None, style: Style, headline: int, text: int) -> Words:
    """The same words without any emphasis, cut where the room ends."""
    lines = _rendered(_compiled(_default(), _PLAIN), view(alert, group, LENGTHS[-1]), MAX_PRODUCT).strip()
    first, _, rest = lines.partition("\n")
    return Words(style.prose(first, headline), style.prose(rest, text) if text else "")


_PLAIN: Final = Style(lambda value, _: value, lambda value, _: value, lambda value, _: value)


@cache
def _default() -> str:
    return resources.files("stream.deliver").joinpath("words.txt.j2").read_text(encoding="utf-8")


@lru_cache(maxsize=64)
def _compiled(text: str, style: Style) -> Template:
    def shown(format_: Callable[[str, int], str]) -> Callable[[Any], str]:
        return lambda value: format_(cut(as_text(value), _MAX_VALUE), _MAX_VALUE)

    filters = {"code": shown(style.code), "strong": shown(style.strong)}
    return Sandbox(inert=shown(style.prose), filters=filters).from_string(text)
