"""One log file's bytes in; out, the alerts in it as lines, as they are found, and a tally of what was read."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import blake2b

from stream.alert import Alert, LogFile
from stream.decode import LogDecoder, Prefilter, Record
from stream.detect.detector import Detector
from stream.detect.rules import RuleSet
from stream.errors import LogFileError
from stream.scan import formats
from stream.scan.sources import Source
from stream.severity import SEVERITIES, Severity


@dataclass(frozen=True, slots=True)
class Plan:
    """What to look for and how to say it; passes to other processes.

    Attributes:
        since: Unix time; earlier events are left out. 0: none is.
    """

    format: formats.Format
    since: float
    min_severity: Severity
    packs: tuple[str, ...]
    rules: tuple[str, ...]
    buckets: tuple[str, ...]
    log_buckets: tuple[str, ...]
    max_record_bytes: int
    max_log_bytes: int


@dataclass(frozen=True, slots=True)
class Finding:
    """One alert.

    Attributes:
        id: 16 bytes that stand for the alert's id.
        line: as the format wants it, without its end.
    """

    id: bytes
    severity: Severity
    line: str


@dataclass(slots=True)
class Tally:
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
        ConfigError: the rules can't be used.
    """

    def __init__(self, plan: Plan, rules: RuleSet | None = None) -> None:
        self._plan = plan
        rules = rules or RuleSet.load(plan.packs, plan.rules)
        self._prefilter = Prefilter(rules.literals)
        self._detector = Detector(rules, buckets=plan.buckets, log_buckets=plan.log_buckets)
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
        )
        try:
            for chunk in chunks:
                for records in decoder.steps(chunk):
                    yield from self._findings(records, log_file, tally)
                advance(len(chunk))
            yield from self._findings(decoder.finish(), log_file, tally)
        except LogFileError as error:
            tally.fault = str(error)
        except OSError as error:
            tally.fault = error.strerror or type(error).__name__
        yield from self._findings(decoder.take(), log_file, tally)
        tally.records = decoder.records
        tally.json_bytes = decoder.json_bytes
        tally.compressed_bytes = decoder.compressed_bytes

    def _findings(self, records: list[Record], log_file: LogFile, tally: Tally) -> Iterator[Finding]:
        for record in records:
            try:
                alerts = self._detector.alerts(record.data, provenance="log_file", log_file=log_file)
            except Exception as error:  # noqa: BLE001 - a record that breaks us must not hide those beside it
                tally.fault = f"unexpected: {type(error).__name__} in a record"
                continue
            for alert in alerts:
                if alert.severity in self._severities and not self._too_early(alert):
                    identity = blake2b(alert.id.encode(), digest_size=16).digest()
                    yield Finding(identity, alert.severity, self._line(alert))

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
