"""What a trail records after PutEventSelectors: the whole set of selectors in, a finding for each thing left out.

A set replaces the one before, and is a union: an event is recorded if any selector takes it. A selector that can't be
read takes nothing.
https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_PutEventSelectors.html
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from stream.detect.finding import Finding
from stream.json_value import at, flag, fold, items, shown
from stream.severity import Severity

BASIC: Final = "eventSelectors"
ADVANCED: Final = "advancedEventSelectors"

_KMS: Final = "kms.amazonaws.com"
_RDS_DATA: Final = "rdsdata.amazonaws.com"
_UNREADABLE: Final = "could not be read"
_READ_WRITE: Final[Mapping[str, frozenset[str]]] = {
    "all": frozenset({"read", "write"}),
    "readonly": frozenset({"read"}),
    "writeonly": frozenset({"write"}),
}
_POSITIVE: Final = ("equals", "startsWith", "endsWith")
_NEGATIVE: Final = ("notEquals", "notStartsWith", "notEndsWith")


@dataclass(frozen=True, slots=True)
class _Selector:
    """What one selector takes of the management events.

    Attributes:
        takes: of `read` and `write`; empty if it is none of management events.
        without: event sources that it leaves out.
        only: fields by which it takes no more than a part of them.
        unreadable: parts of it that could not be read; they count as taking nothing.
        data: it takes data or network activity events.
    """

    takes: frozenset[str] = frozenset()
    without: frozenset[str] = frozenset()
    only: tuple[str, ...] = ()
    unreadable: tuple[str, ...] = ()
    data: bool = False


def selector_findings(
    parameters: Mapping[str, Any], response: Mapping[str, Any] | None, *, omitted: bool = False
) -> list[Finding]:
    """Findings for a call of PutEventSelectors.

    Args:
        parameters: `requestParameters`; what it lacks is looked for in the response, which repeats it.
        response: `responseElements`, `None` if there are none to be read.
        omitted: parameters were left out of the record, which explains that there are no selectors.
    """
    sets = {field: value for field in (BASIC, ADVANCED) if (value := _sent(field, parameters, response)) is not None}
    # The two kinds exclude each other; where both were sent, an empty one stands for "none of this kind".
    sets = {field: value for field, value in sets.items() if value not in ([], {})} or sets
    if not sets and omitted:
        return []
    if not sets:
        return [
            Finding(BASIC, None, f"the selectors {_UNREADABLE}: at worst, nothing is recorded any more", "critical")
        ]
    return [finding for field, value in sets.items() for finding in _judge(field, value)]


def _sent(field: str, parameters: Mapping[str, Any], response: Mapping[str, Any] | None) -> Any:
    value = parameters.get(field)
    return value if value is not None else (response or {}).get(field)


def _judge(field: str, value: Any) -> list[Finding]:
    read = _basic if field == BASIC else _advanced
    readable = isinstance(value, list | tuple)
    selectors = [read(entry) for entry in value] if readable else [_Selector(unreadable=("the selectors",))]
    findings = _coverage(field, value, selectors) + _sources(field, selectors)
    unreadable = [part for selector in selectors for part in selector.unreadable]
    if unreadable:
        parts = ", ".join(dict.fromkeys(unreadable))
        findings.append(Finding(field, value, f"{parts} {_UNREADABLE} and counts as recording nothing"))
    if any(selector.data for selector in selectors):
        effect = (
            "data events are recorded as its selectors say; whether that is less than before, the call does not tell"
        )
        findings.append(Finding(field, value, effect))
    return findings


def _coverage(field: str, value: Any, selectors: Sequence[_Selector]) -> list[Finding]:
    """Whether reads and writes of management events are recorded at all."""
    whole = {kind for selector in selectors if not selector.only for kind in selector.takes}
    partly = {kind for selector in selectors for kind in selector.takes} - whole
    if partly:
        by = ", ".join(dict.fromkeys(name for selector in selectors for name in selector.only))
        severity: Severity = "critical" if "write" in partly else "medium"
        return [Finding(field, value, f"control-plane calls are only recorded in part (by {shown(by, 120)})", severity)]
    if not whole:
        effect = "control-plane calls (management events) are no longer recorded"
        return [Finding(field, value, effect, "critical")]
    if whole == {"read"}:
        return [Finding(field, value, "changes are no longer recorded, only reads", "critical")]
    if whole == {"write"}:
        return [Finding(field, value, "reads are no longer recorded: reconnaissance is unseen", "medium")]
    return [Finding(field, value, "management events are recorded, reads and writes")]


def _sources(field: str, selectors: Sequence[_Selector]) -> list[Finding]:
    """Event sources that no selector takes, for reads or for writes, where it takes those of others."""
    unseen: dict[str, None] = {}
    for kind in ("read", "write"):
        taking = [selector.without for selector in selectors if kind in selector.takes and not selector.only]
        for source in sorted(frozenset.intersection(*taking)) if taking else ():
            unseen[source] = None
    return [_unseen(field, source) for source in unseen]


def _unseen(field: str, source: str) -> Finding:
    if source == _KMS:
        return Finding(
            field, source, "key use, and the disabling of keys, are unseen by this trail (kms left out)", "high"
        )
    if source == _RDS_DATA:
        return Finding(field, source, "RDS Data API calls are unseen (rdsdata left out)", "low")
    return Finding(field, source, f"calls of {shown(source, 80)} are unseen by this trail", "high")


def _basic(entry: Any) -> _Selector:
    if not isinstance(entry, Mapping):
        return _Selector(unreadable=("a selector",))
    unreadable = []
    included = entry.get("includeManagementEvents")
    include = True if included is None else flag(included)
    if include is None:
        unreadable.append("includeManagementEvents")
    kind = entry.get("readWriteType")
    takes = _READ_WRITE["all"] if kind is None else _READ_WRITE.get(fold(kind)) if isinstance(kind, str) else None
    if takes is None:
        unreadable.append("readWriteType")
    without = []
    for source in items(entry.get("excludeManagementEventSources")):
        if isinstance(source, str):
            without.append(fold(source))
        else:
            without.append(_KMS)
            unreadable.append("excludeManagementEventSources")
    return _Selector(
        takes=takes if include and takes else frozenset(),
        without=frozenset(without),
        unreadable=tuple(unreadable),
        data=bool(entry.get("dataResources")),
    )


def _advanced(entry: Any) -> _Selector:
    selectors = at(entry, "fieldSelectors")
    if not isinstance(selectors, list | tuple) or not selectors:
        return _Selector(unreadable=("a selector",))
    fields: dict[str, list[Mapping[str, Any]]] = {}
    for selector in selectors:
        name = at(selector, "field")
        if not isinstance(name, str) or not isinstance(selector, Mapping) or not _readable(selector):
            return _Selector(unreadable=("a field of a selector",))
        fields.setdefault(fold(name), []).append(selector)
    category = fields.pop("eventcategory", [])
    if not category:
        return _Selector(unreadable=("a selector without eventCategory",))
    if not _admits(category, "management"):
        return _Selector(data=True)
    read_only = fields.pop("readonly", [])
    sources = fields.pop("eventsource", [])
    positive = any(_words(selector, operator) for selector in sources for operator in _POSITIVE)
    named = (word for selector in sources for operator in _NEGATIVE for word in _words(selector, operator))
    without = {*named, *(source for source in (_KMS, _RDS_DATA) if not _admits(sources, source))}
    return _Selector(
        takes=frozenset(kind for kind, value in (("read", "true"), ("write", "false")) if _admits(read_only, value)),
        without=frozenset() if positive else frozenset(without),
        only=(*(("eventSource",) if positive else ()), *fields),
    )


def _readable(selector: Mapping[str, Any]) -> bool:
    """Whether it has an operator and nothing but texts and booleans for values."""
    values = [value for operator in (*_POSITIVE, *_NEGATIVE) for value in items(selector.get(operator))]
    return bool(values) and all(isinstance(value, str | bool) for value in values)


def _words(selector: Mapping[str, Any], operator: str) -> list[str]:
    return [fold(str(value)) for value in items(selector.get(operator))]


def _admits(selectors: Sequence[Mapping[str, Any]], value: str) -> bool:
    """Whether all of one field's selectors let a (folded) value through: values are alternatives, operators are not."""
    return all(
        _operator_admits(operator, _words(selector, operator), value)
        for selector in selectors
        for operator in (*_POSITIVE, *_NEGATIVE)
    )


def _operator_admits(operator: str, words: Sequence[str], value: str) -> bool:
    if not words:
        return True
    met = {
        "equals": value in words,
        "startswith": any(map(value.startswith, words)),
        "endswith": any(map(value.endswith, words)),
    }[fold(operator).removeprefix("not")]
    return met is not operator.startswith("not")
