"""A record in; out, what it does to something that the audit trail or its reader stands on, or that it does nothing."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from stream.alert import Resource
from stream.detect.finding import shifted, worst, worst_first
from stream.detect.impact import Impact
from stream.detect.outcome import Verdict
from stream.detect.own_path import OwnPath
from stream.detect.targets import Target
from stream.detect.watch import kinds
from stream.detect.watch.guards import GUARDS
from stream.detect.watch.kinds import TELLING, Kind, Place
from stream.detect.watch.path import PATH
from stream.detect.watch.row import Row, Scene, past
from stream.detect.watch.trail import TRAIL
from stream.json_value import at, elements, flag, fold, shown, text_at

_DOMAIN: Final = ".amazonaws.com"
_ROWS: Final[Mapping[tuple[str, str], Row]] = {
    (source + _DOMAIN, fold(event)): row
    for rows in (TRAIL, PATH, GUARDS)
    for source, events in rows.items()
    for event, row in events.items()
}
_LABELS: Final[Mapping[tuple[str, str], str]] = {
    (source + _DOMAIN, fold(event)): event
    for rows in (TRAIL, PATH, GUARDS)
    for source, events in rows.items()
    for event in events
}
# https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html
_ON_RESOURCE: Final = re.compile(r"on resource: (arn:\S+)")
_NAME_CHARACTERS: Final = 80
_SPEAKING_CHARACTERS: Final = 20_000


@dataclass(frozen=True, slots=True)
class _Aim:
    """One thing that a call was aimed at.

    Attributes:
        standing: whether it is ours or protected; `None`: nobody knows.
        counts: whether it is judged as if it were.
    """

    named: str
    names: tuple[str, ...]
    standing: bool | None
    counts: bool


def watched_impact(
    record: Mapping[str, Any], verdict: Verdict, *, account: str, region: str, own: OwnPath
) -> Impact | None:
    """Judge a record of a watched event.

    Args:
        record: the record.
        verdict: what became of the call.
        account: the recipient's, 12 digits; empty if unknown.
        region: where it was recorded; empty if unknown.
        own: what the reader stands on.

    Returns:
        `None`: no such event; or it was aimed at something of somebody else's; or it did no harm to what may be ours.
    """
    row = _ROWS.get(_event(record))
    if row is None:
        return None
    parameters = _mapping(record.get("requestParameters"))
    omitted = flag(parameters.get("omitted")) is True or flag(record.get("omitted")) is True
    aims = _aims(row, record, parameters, Place(region, account), own)
    if not aims:
        return None
    first = aims[0]
    response = _mapping(record.get("responseElements")) if verdict.outcome == "success" else {}
    findings = row.judge(Scene(parameters, response, record, first.names, own)) if row.judge else ()
    if omitted or findings is None or not row.judge:
        if findings is None and not omitted:
            return None
        findings, severity, meaning = tuple(findings or ()), row.severity, row.meaning
        meaning = "what it changed is not known" if omitted and row.judge else meaning
    else:
        findings = worst_first(findings)
        severity = worst(*(finding.severity for finding in findings))
        grave = [finding.effect for finding in findings if finding.severity != "informational"]
        meaning = "; ".join(grave) or "nothing is known to be weaker than before"
    harmless = severity == "informational" or (not first.counts and shifted(severity, -2) == "informational")
    if harmless and first.standing is not True:
        return None
    target = _target(row.kind, aims)
    return Impact(
        operation=_LABELS[_event(record)],
        target=target,
        severity=severity,
        headline=_capitalized(f"{past(row.verb)} {target.words}"),
        attempt=f"{row.verb} {target.words}",
        deed=past(row.verb),
        intention=row.verb,
        meaning=meaning,
        findings=findings,
        omitted=omitted,
        names_target=True,
    )


def _event(record: Mapping[str, Any]) -> tuple[str, str]:
    return fold(text_at(record, "eventSource") or ""), fold(text_at(record, "eventName") or "")


def _aims(row: Row, record: Mapping[str, Any], parameters: Mapping[str, Any], place: Place, own: OwnPath) -> list[_Aim]:
    """What the call was aimed at, without what is somebody else's: the first is the gravest."""
    named = list(dict.fromkeys(_named(row, record, parameters, place)))
    if not named:
        return [_Aim("", (), None, counts=True)]  # whatever it was, it may have been ours
    telling = row.kind.by_content and _speaks_of_the_trail(parameters)
    aims = [
        _aim(row, each, (*row.kind.names(each, place), *_listed(row, record)), own, telling=telling) for each in named
    ]
    return sorted((aim for aim in aims if aim), key=lambda aim: (not aim.counts, aim.standing is not True))


def _aim(row: Row, named: str, names: tuple[str, ...], own: OwnPath, *, telling: bool) -> _Aim | None:
    around, known = own.around, row.kind.known
    if around.protects(names):
        return _Aim(named, names, standing=True, counts=True)
    if row.kind is kinds.TRAIL:
        ours = None if ":eventdatastore/" in names[0] else around.needs(names[0])
        return _Aim(named, names, standing=ours, counts=ours is not False)
    if known is None:
        return _Aim(named, names, standing=None, counts=True)
    ours = known(own, names)
    if ours:
        return _Aim(named, names, standing=True, counts=True)
    decided = ours is False or bool(around.protected)
    telling = telling or _is_telling(row.kind, names)
    if telling or (row.opaque and not decided):
        return _Aim(named, names, standing=False if decided else None, counts=telling and not decided)
    return None


def _named(row: Row, record: Mapping[str, Any], parameters: Mapping[str, Any], place: Place) -> Iterator[str]:
    """Every name that the record gives the target."""
    if not row.paths:
        yield row.kind.alone or place.account
        return
    if row.kind is kinds.OBJECT and (bucket := text_at(parameters, "bucketName")):
        key = text_at(parameters, "key")
        yield f"{bucket}/{key}" if key else bucket
        return
    found = False
    for path in row.paths:
        for one in elements(at(parameters, *path.split("."))):
            text = text_at(one, "content") if isinstance(one, Mapping) else one
            if isinstance(text, str) and text.strip():
                found = True
                yield text.strip()
        if found:
            return
    if row.kind is kinds.KEY:
        yield from _listed(row, record)
    if refused := _ON_RESOURCE.findall(text_at(record, "errorMessage") or ""):
        yield refused[-1].rstrip(".,")
    elif row.kind is kinds.BUS and parameters:
        yield "default"


def _listed(row: Row, record: Mapping[str, Any]) -> tuple[str, ...]:
    """ARNs of this kind that the record lists: a key's own, where the call named an alias."""
    if row.kind not in (kinds.KEY, kinds.ALIAS):
        return ()
    listed = (one for one in elements(record.get("resources")) if text_at(one, "type") == kinds.KEY.type)
    return tuple(arn for one in listed if (arn := text_at(one, "ARN")))


def _is_telling(kind: Kind, names: tuple[str, ...]) -> bool:
    """Whether a name says that something is of the audit trail."""
    parts = TELLING[""] + TELLING.get(kind.type, ())
    return any(part in fold(name) for name in names for part in parts)


def _speaks_of_the_trail(parameters: Mapping[str, Any]) -> bool:
    text = fold(shown(parameters, _SPEAKING_CHARACTERS))
    return "cloudtrail" in text or "trailstream" in text


def _target(kind: Kind, aims: list[_Aim]) -> Target:
    first = aims[0]
    if not first.names:
        article = "an" if kind.noun[0] in "aeiouAEIO" or kind.noun.startswith("SNS") else "a"
        return Target(None, f"{article} {kind.noun} whose name could not be read", protected=True)
    arn, name = _arn(kind, first), first.names[1] if len(first.names) > 1 else first.names[0]
    words = kind.noun if kind.alone else f"{kind.noun} {shown(name, _NAME_CHARACTERS)}"
    if len(aims) > 1:
        words += f" and {len(aims) - 1} more"
    return Target(Resource(kind.type, arn, first.standing), words, protected=first.counts)


def _arn(kind: Kind, aim: _Aim) -> str:
    """An alias stands for the key that the record lists."""
    own = [name for name in aim.names if ":key/" in name and name.startswith("arn:")]
    listed = own[-1] if kind is kinds.KEY and aim.named.rpartition(":")[2].startswith("alias/") and own else None
    return listed or aim.names[0]


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _capitalized(text: str) -> str:
    return text[0].upper() + text[1:]
