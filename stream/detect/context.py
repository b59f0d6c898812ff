"""What else the same principal did, as far as one log file tells: its first bytes and a principal in, counts out.

Nothing of this is done for a file without an alert. What is looked at is what the decoder keeps of a file's beginning,
a quarter of a MiB as it is stored and four if there is room; it is not fetched again. A file with an alert is inflated
and split a second time, at most ten MiB of its JSON and for half a second, of which only the few fields that count are
parsed: up to 5 ms a MiB. Log files are smaller as a rule (20 records, thousands at most); of a larger one it is said
that these are the counts of the first so many records.
"""

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import msgspec
import stringzilla

from stream.alert import Alert
from stream.decode.beginning import Beginning
from stream.decode.inflate import Inflater
from stream.decode.records import parse
from stream.decode.split import Batch, Splitter
from stream.detect.finding import shifted
from stream.detect.tally import CLOUDTRAIL, Context, Tally, What
from stream.errors import LogFileError
from stream.json_value import fold, text_at

_JSON_BYTES: Final = 10 * 1024 * 1024
_RECORDS: Final = 20_000
_LONGEST_S: Final = 0.5
_PASSES: Final = 4
_PRINCIPALS: Final = 64  # that one pass looks for
_TRACED: Final = 8
"""Principals whose records are looked for by their texts; of more, it costs less to look at each record."""

_GROUP: Final = 8  # records whose texts are searched at once

_ESCAPED: Final = frozenset('"\\')
_IDENTITIES: Final = 500  # at about a KB

_MANY_KINDS: Final = 3
"""So many of CloudTrail's own operations that change something, by one actor, are no slip of the hand."""
_IDENTIFIERS: Final = (("principalId",), ("onBehalfOf", "userId"), ("arn",), ("accessKeyId",), ("userName",))


class _Who(msgspec.Struct, rename="camel"):
    """By whom a record is."""

    user_identity: msgspec.Raw = msgspec.Raw(b"null")


_WHAT: Final = tuple(zip(What.__struct_fields__, What.__struct_encode_fields__, strict=True))
_DECODE_WHO: Final = msgspec.json.Decoder(_Who).decode
_DECODE_WHAT: Final = msgspec.json.Decoder(What).decode


class LogFileContext:
    """What was found in one log file's beginning."""

    def __init__(self, beginning: Beginning, *, max_record_bytes: int) -> None:
        self._beginning = beginning
        self._max_record_bytes = max_record_bytes
        self._ended = False
        self._passes = 0
        self._found: dict[str, Context | None] = {}

    def ended(self) -> None:
        """Say that no more bytes come."""
        self._ended = True

    def lacks(self, record: Mapping[str, Any]) -> bool:
        """Whether `look` might find something about this record's principal."""
        key = principal(record)
        return key is not None and key not in self._found and self._passes < _PASSES

    def look(self, records: Iterable[Mapping[str, Any]]) -> Mapping[str, Context | None]:
        """What the principals of these records did, of the first few dozens; takes up to half a second of CPU.

        Changes nothing: it may be done in another thread. `add` what comes of it.
        """
        keys: dict[str, None] = {}
        for record in records:
            key = principal(record)
            if key is not None and key not in self._found:
                keys[key] = None
                if len(keys) >= _PRINCIPALS:
                    break
        return contexts(self._beginning, tuple(keys), ended=self._ended, max_record_bytes=self._max_record_bytes)

    def add(self, found: Mapping[str, Context | None]) -> None:
        """Remember what `look` has found."""
        self._passes += 1
        self._found.update(found)

    def give_up(self) -> None:
        """Look no more."""
        self._passes = _PASSES

    def with_context(self, alert: Alert) -> Alert:
        """The alert with what is known of its principal, if anything is."""
        key = principal(alert.record)
        context = self._found.get(key) if key is not None else None
        return alert if context is None else in_context(alert, context)


def in_context(alert: Alert, context: Context) -> Alert:
    """The alert with its context; a failed call is graver as one of many kinds by the same actor."""
    if alert.event.outcome != "failed" or fold(alert.event.source) != CLOUDTRAIL or context.trail_kinds < _MANY_KINDS:
        return replace(alert, context=context.told)
    summary = f"{alert.summary} It is one of {context.trail_kinds} kinds of CloudTrail call by the same actor."
    return replace(alert, severity=shifted(alert.severity, 1), summary=summary, context=context.told)


def principal(record: Mapping[str, Any]) -> str | None:
    """What two records of one principal have in common; `None` if it can't be told from others."""
    return _principal(record.get("userIdentity"))


def contexts(
    beginning: Beginning, principals: Sequence[str], *, ended: bool, max_record_bytes: int
) -> dict[str, Context | None]:
    """What principals did, by a log file's bytes.

    Args:
        beginning: of the file.
        principals: as `principal` gives them.
        ended: whether no more bytes of it come.
        max_record_bytes: what a record may have.

    Returns:
        One for each principal; `None` where no record of it was found.
    """
    reading = _Reading(max_record_bytes, {key: Tally() for key in principals})
    try:
        complete = reading.read(beginning)
    except LogFileError:  # it has been said elsewhere, and what stands before it counts
        complete = False
    scope = (
        "this log file"
        if ended and beginning.whole and complete
        else f"the first {reading.records} records of this log file"
    )
    return {key: tally.told(scope) if tally.records else None for key, tally in reading.tallies.items()}


class _Reading:
    def __init__(self, max_record_bytes: int, tallies: "dict[str, Tally]") -> None:
        self.records = 0
        self.tallies = tallies
        self._splitter = Splitter(max_record_bytes)
        self._traces = _traces(tallies)
        self._arrays = 0
        self._known: dict[bytes, str | None] = {}  # by the identity's JSON, of which a file has few

    def read(self, beginning: Beginning) -> bool:
        """Count; whether that came to the end of the file's records."""
        inflater = Inflater(beginning)
        until = time.perf_counter() + _LONGEST_S
        for chunk in beginning.chunks:
            for window in inflater.windows(chunk):
                for batch in self._splitter.feed(window):
                    self._count(batch)
                    if time.perf_counter() > until:
                        return False
                if inflater.json_bytes > _JSON_BYTES or self.records > _RECORDS:
                    return False
        inflater.finish()
        for batch in self._splitter.finish():
            self._count(batch)
            if time.perf_counter() > until:
                return False
        return True

    def _count(self, batch: Batch) -> None:
        if self._splitter.arrays != self._arrays:  # the last `Records` counts
            self._arrays = self._splitter.arrays
            self.records = 0
            self.tallies = {key: Tally() for key in self.tallies}
        self.records += len(batch.elements)
        # To parse a little of a record all of it is read, and most are of others.
        if not self._may_concern(batch.text):
            return
        for start in range(0, len(batch.elements), _GROUP):
            group = batch.elements[start : start + _GROUP]
            if self._may_concern(b"".join(group)):
                self._tally(group)

    def _may_concern(self, text: bytes) -> bool:
        return not self._traces or any(stringzilla.find(text, trace) >= 0 for trace in self._traces)

    def _tally(self, elements: Iterable[msgspec.Raw | bytes]) -> None:
        for element in elements:
            try:
                key = self._principal(bytes(_DECODE_WHO(element).user_identity))
                tally = self.tallies.get(key) if key is not None else None
                if tally is not None:
                    tally.add(_DECODE_WHAT(element))
            except (msgspec.DecodeError, RecursionError, ValueError):
                self._count_odd(bytes(element))

    def _principal(self, identity: bytes) -> str | None:
        if identity not in self._known:
            if len(self._known) >= _IDENTITIES:
                self._known.clear()
            self._known[identity] = _principal(msgspec.json.decode(identity))
        return self._known[identity]

    def _count_odd(self, element: bytes) -> None:
        """Count a record that the quick parser refuses, or none."""
        try:
            record = parse(element)
        except ValueError:
            return
        key = principal(record) if isinstance(record, dict) else None
        if key is not None and key in self.tallies:
            self.tallies[key].add(What(**{ours: record.get(theirs) for ours, theirs in _WHAT}))


def _traces(principals: Iterable[str]) -> tuple[bytes, ...]:
    """Bytes of which each principal's records have one at least; none, if every record has to be looked at.

    Whatever is spelt in another way than here has a backslash, and so has what JSON can't spell without one.
    """
    values = [key.partition(" ")[2] if not key.startswith("invokedBy ") else key.split(" ")[1] for key in principals]
    if len(values) > _TRACED or not all(value.isascii() and value.isprintable() for value in values):
        return ()
    return (b"\\", *(value.encode() for value in values if not _ESCAPED & set(value)))


def _principal(identity: Any) -> str | None:
    for path in _IDENTIFIERS:
        value = text_at(identity, *path)
        if value:
            return f"{path[0]} {value}"
    service = text_at(identity, "invokedBy")
    account = text_at(identity, "accountId")
    return f"invokedBy {service} {account}" if service else None
