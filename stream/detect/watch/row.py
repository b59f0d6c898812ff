"""A row of the watch list: an event, what it is aimed at, and what it means when it succeeds."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from stream.detect.finding import Finding
from stream.detect.own_path import OwnPath
from stream.detect.watch.kinds import Kind
from stream.severity import Severity


@dataclass(frozen=True, slots=True)
class Scene:
    """All that a row's judge may look at.

    Attributes:
        parameters: `requestParameters`.
        response: `responseElements`, empty if there are none.
        record: all of it.
        names: ARN and names of the target; empty if the record has none.
        own: what the reader stands on.
    """

    parameters: Mapping[str, Any]
    response: Mapping[str, Any]
    record: Mapping[str, Any]
    names: tuple[str, ...]
    own: OwnPath


Judge = Callable[[Scene], Sequence[Finding] | None]
"""Findings of which the gravest is the severity; none of them grave: nothing is weaker. `None`: not what is watched."""


@dataclass(frozen=True, slots=True)
class Row:
    """What one event means.

    Attributes:
        kind: of resource that it is aimed at.
        paths: where that is named below `requestParameters`, with dots; the first that is there counts.
        verb: what is done to it: `delete`, or `change the policy of`.
        severity: on a protected target, unless the judge knows better.
        meaning: a clause without a full stop.
        judge: looks into the parameters.
        opaque: nobody can tell by its name whether it is the trail's: unknown ones are told too, two levels down.
    """

    kind: Kind
    paths: tuple[str, ...]
    verb: str
    severity: Severity
    meaning: str
    judge: Judge | None = None
    opaque: bool = False


Rows = Mapping[str, Mapping[str, Row]]
"""By the first label of the event's source, and the event's name."""

_PAST: Final[Mapping[str, str]] = {
    "delete": "deleted",
    "stop": "stopped",
    "change": "changed",
    "disable": "disabled",
    "enable": "enabled",
    "purge": "purged",
    "replace": "replaced",
    "remove": "removed",
    "suspend": "suspended",
    "schedule": "scheduled",
    "cancel": "cancelled",
    "revoke": "revoked",
    "retire": "retired",
    "move": "moved",
    "redirect": "redirected",
    "attach": "attached",
    "detach": "detached",
    "leave": "left",
    "close": "closed",
    "unsubscribe": "unsubscribed",
    "overwrite": "overwrote",
    "lift": "lifted",
    "take": "took",
    "add": "added",
    "reset": "reset",
    "register": "registered",
    "deregister": "deregistered",
    "send": "sent",
    "cut": "cut",
    "make": "made",
    "widen": "widened",
    "hide": "hid",
}


def past(verb: str) -> str:
    """The same in the past tense: `changed the policy of`."""
    first, _, rest = verb.partition(" ")
    return f"{_PAST[first]} {rest}" if rest else _PAST[first]
