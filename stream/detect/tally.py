"""Counts of what one principal did: its records in, of each the few members that count; what to tell of them out."""

import re
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from stream.detect.outcome import outcome_of
from stream.json_value import flag, fold, shown, text_at

CLOUDTRAIL: Final = "cloudtrail.amazonaws.com"

_NAMES: Final = 200  # that are told apart
_ALIKE: Final = 500
_COMPARABLE: Final = frozenset({str, bool})  # and not numbers, of which 1 equals true
_CALLS: Final = 20
_PLACES: Final = 5
_TEXT_CHARACTERS: Final = 64
_TELLING_SOURCES: Final = frozenset(
    {"iam.amazonaws.com", "sts.amazonaws.com", "organizations.amazonaws.com", "signin.amazonaws.com", CLOUDTRAIL}
)
_READ: Final = re.compile(r"(?:BatchGet|Describe|Get|Head|List|Lookup|Search|Select|Query|Scan)", re.IGNORECASE)
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", re.ASCII)


class What(msgspec.Struct, rename="camel"):
    """What a record is of; of any type, since some of it is what an attacker says it is."""

    event_time: Any = None
    event_source: Any = None
    event_name: Any = None
    aws_region: Any = None
    source_ip: Any = msgspec.field(default=None, name="sourceIPAddress")
    error_code: Any = None
    error_message: Any = None
    read_only: Any = None


@dataclass(frozen=True, slots=True)
class Context:
    """What one principal did.

    Attributes:
        told: for `Alert.context`: `scope` (of what these are the counts), `records`, `calls` (name to count, the most
            telling first), `other_calls` (records of more names), `errors`, `denied` (of these), `first` and `last`
            (event times), `regions` and `source_ips` (the first few). Names and addresses are as recorded, cut.
        trail_kinds: how many of CloudTrail's own operations that change something it called, also in vain.
    """

    told: dict[str, Any]
    trail_kinds: int


@dataclass(slots=True)
class _Call:
    count: int = 0
    errors: int = 0
    changes: bool = False
    telling: bool = False

    def rank(self) -> tuple[int, int, int]:
        """Changes first, then what failed and what concerns rights, then reading; of these the more frequent first."""
        kind = 0 if self.changes else 1 if self.errors or self.telling else 2
        return kind, -self.errors, -self.count


_Kind = tuple[Any, Any, Any, Any, bool, Any, Any]
"""eventName, eventSource, readOnly, errorCode, whether there is an error message, awsRegion, sourceIPAddress."""


@dataclass(slots=True)
class Tally:
    """Counts of one principal's records; those that say the same are judged together."""

    records: int = 0
    alike: dict[_Kind, int] = field(default_factory=dict)
    errors: int = 0
    denied: int = 0
    first: str | None = None
    last: str | None = None
    unnamed: int = 0
    calls: dict[str, _Call] = field(default_factory=dict)
    regions: dict[str, None] = field(default_factory=dict)
    addresses: dict[str, None] = field(default_factory=dict)
    trail_kinds: set[str] = field(default_factory=set)

    def add(self, record: What) -> None:
        """Count one record."""
        self.records += 1
        time_ = record.event_time
        if isinstance(time_, str) and not (self.first and self.last and self.first <= time_ <= self.last):
            self._add_time(time_)
        message = isinstance(record.error_message, str) and record.error_message != ""
        kind: _Kind = (
            record.event_name,
            record.event_source,
            record.read_only,
            record.error_code,
            message,
            record.aws_region,
            record.source_ip,
        )
        if all(value is None or type(value) in _COMPARABLE for value in kind):
            self.alike[kind] = self.alike.get(kind, 0) + 1
            if len(self.alike) >= _ALIKE:
                self._settle()
        else:
            self._judge(kind, 1)

    def _add_time(self, text: str) -> None:
        if _TIME.fullmatch(text):
            self.first = min(self.first or text, text)
            self.last = max(self.last or text, text)

    def _settle(self) -> None:
        alike, self.alike = self.alike, {}
        for kind, count in alike.items():
            self._judge(kind, count)

    def _judge(self, kind: _Kind, count: int) -> None:
        event_name, event_source, read_only, code, message, region, address = kind
        outcome = outcome_of(code, "?" if message else None)
        failed = count if outcome != "success" else 0
        self.errors += failed
        self.denied += count if outcome == "denied" else 0
        for value, places in ((region, self.regions), (address, self.addresses)):
            if len(places) < _PLACES and (place := text_at(value)):
                places[shown(place, _TEXT_CHARACTERS)] = None
        name = shown(text_at(event_name) or "", _TEXT_CHARACTERS)
        call = self.calls.get(name)
        if call is None:
            if not name or len(self.calls) >= _NAMES:
                self.unnamed += count
                return
            call = self.calls[name] = _Call()
        source = fold(text_at(event_source) or "")
        reads = flag(read_only)
        changes = not (reads if reads is not None else _READ.match(name))
        call.count += count
        call.errors += failed
        call.changes = call.changes or changes
        call.telling = call.telling or source in _TELLING_SOURCES
        if changes and source == CLOUDTRAIL:
            self.trail_kinds.add(fold(name))

    def told(self, scope: str) -> Context:
        """All of it; `scope` says of what these are the counts."""
        self._settle()
        ranked = sorted(self.calls.items(), key=lambda each: (*each[1].rank(), each[0]))
        calls = {name: call.count for name, call in ranked[:_CALLS]}
        return Context(
            {
                "scope": scope,
                "records": self.records,
                "calls": calls,
                "other_calls": self.unnamed + sum(call.count for _, call in ranked[_CALLS:]),
                "errors": self.errors,
                "denied": self.denied,
                "first": self.first,
                "last": self.last,
                "regions": list(self.regions),
                "source_ips": list(self.addresses),
            },
            len(self.trail_kinds),
        )
