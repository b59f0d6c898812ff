"""One log file's bytes in; out, the alerts in it as lines, as they are found, and a tally of what was read."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import blake2b

import msgspec

from stream.alert import Alert, LogFile
from stream.decode import LogDecoder, Prefilter, Record
from stream.detect.context import LogFileContext
from stream.detect.detector import Detector
from stream.detect.links import Portal
from stream.detect.placeholders import load
from stream.detect.rules import RuleSet
from stream.detect.suppressions import Suppressions
from stream.detect.surroundings import Surroundings
from stream.errors import LogFileError
from stream.location import Locations
from stream.scan import formats
from stream.scan.sources import Source
from stream.severity import SEVERITIES, Severity


@dataclass(frozen=True, slots=True)
class Plan:
    """What to look for and how to say it; passes to other processes.

    Attributes:
        since: Unix time; earlier events are left out. 0: none is.
        surroundings: what is ours, as far as the settings tell.
        suppress: paths of Sigma filters.
        now: Unix time by which it is judged whether a filter has ended.
        account_names: by account id.
        rules_strict: one bad rule refuses all.
        placeholders: values for the modifier `expand`, as their variable has them.
        geoip: path of a database of locations.
        portal: through which links lead to the console.
    """

    format: formats.Format
    since: float
    min_severity: Severity
    packs: tuple[str, ...]
    rules: tuple[str, ...]
    surroundings: Surroundings
    max_record_bytes: int
    max_log_bytes: int
    suppress: tuple[str, ...] = ()
    now: float = 0.0
    account_names: Mapping[str, str] = field(default_factory=dict)
    rules_strict: bool = True
    placeholders: str | None = None
    geoip: str | None = None
    portal: Portal | None = None


class Finding(msgspec.Struct, frozen=True):
    """One alert.

    Attributes:
        id: 16 bytes that stand for the alert's id.
        line: as the format wants it, without its end; empty if it is suppressed.
        suppressed: a filter says that it is all right: it is only counted.
    """

    id: bytes
    severity: Severity
    line: str
    suppressed: bool = False


class Tally(msgspec.Struct):
    """What was read of one log file; `fault` says why not all of it."""

    name: str
    records: int = 0
    json_bytes: int = 0
    compressed_bytes: int = 0
    fault: str | None = None


class Reader:
    """Decodes and judges log files after one plan.

    Args:
        plan: what to look for.
        rules: those of the plan, if they are loaded already.

    Raises:
        ConfigError: the rules, the filters or the locations can't be used.
    """

    def __init__(self, plan: Plan, rules: RuleSet | None = None) -> None:
        self._plan = plan
        placeholders = load(plan.placeholders)
        rules = rules or RuleSet.load(plan.packs, plan.rules, strict=plan.rules_strict, placeholders=placeholders)
        self._prefilter = Prefilter(rules.literals, rules.named)
        self._suppressions = Suppressions.load(plan.suppress, rules.rules, placeholders)
        self._detector = Detector(
            rules,
            lambda: plan.surroundings,
            account_name=plan.account_names.get,
            location=Locations.finder(plan.geoip),
            portal=plan.portal,
        )
        self._line = formats.line(plan.format)
        self._severities = frozenset(SEVERITIES[SEVERITIES.index(plan.min_severity) :])

    def read(
        self, source: Source, chunks: Iterable[bytes], tally: Tally, advance: Callable[[int], None]
    ) -> Iterator[Finding]:
        """The findings of one log file, as they come up.

        Args:
            source: where the bytes come from.
            chunks: its bytes.
            tally: is kept up to date; a fault of the file ends in it, after the findings before the fault.
            advance: is told of each so many stored bytes that have been worked through.
        """
        log_file = LogFile(source.bucket, source.key)
        decoder = LogDecoder(
            self._prefilter,
            max_record_bytes=self._plan.max_record_bytes,
            max_log_bytes=self._plan.max_log_bytes,
            stored_bytes=source.size_bytes,
        )
        context = LogFileContext(decoder.beginning, max_record_bytes=self._plan.max_record_bytes)
        try:
            for chunk in chunks:
                for records in decoder.steps(chunk):
                    yield from self._findings(records, log_file, context, tally)
                advance(len(chunk))
            context.ended()
            yield from self._findings(decoder.finish(), log_file, context, tally)
        except LogFileError as error:
            tally.fault = str(error)
        except OSError as error:
            tally.fault = error.strerror or type(error).__name__
        yield from self._findings(decoder.take(), log_file, context, tally)
        tally.records = decoder.records
        tally.json_bytes = decoder.json_bytes
        tally.compressed_bytes = decoder.compressed_bytes

    def _findings(
        self, records: list[Record], log_file: LogFile, context: LogFileContext, tally: Tally
    ) -> Iterator[Finding]:
        for record in records:
            try:
                alerts = self._detector.alerts(record, provenance="log_file", log_file=log_file)
            except Exception as error:  # noqa: BLE001 - a record that breaks us must not hide those beside it
                tally.fault = f"unexpected: {type(error).__name__} in a record"
                continue
            if alerts and context.lacks(record):
                _look([record, *records], context, tally)
            for found in alerts:
                alert = context.with_context(found)
                if alert.severity in self._severities and not self._too_early(alert):
                    identity = blake2b(alert.id.encode(), digest_size=16).digest()
                    suppressed = self._suppressions.find(alert.rule.id, alert.record, self._plan.now) is not None
                    yield Finding(identity, alert.severity, "" if suppressed else self._line(alert), suppressed)

    def _too_early(self, alert: Alert) -> bool:
        """An event whose time nobody can read is shown: it may have been made so."""
        if not self._plan.since:
            return False
        try:
            time = datetime.fromisoformat(alert.event.time)
        except ValueError:
            return False
        if time.tzinfo is None:
            time = time.replace(tzinfo=UTC)
        return time.timestamp() < self._plan.since


def _look(records: list[Record], context: LogFileContext, tally: Tally) -> None:
    """Look what the principals of these records did."""
    try:
        context.add(context.look(records))
    except Exception as error:  # noqa: BLE001 - an alert without its context is better than none
        context.give_up()
        tally.fault = f"unexpected: {type(error).__name__} while looking at what else the same principals did"
