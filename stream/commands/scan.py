"""`trailstream scan`: log files that are there already, in; alerts to standard output, faults to standard error."""

import gc
import itertools
import signal
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, partial
from types import FrameType
from typing import TYPE_CHECKING, Final

from stream.accounts.snapshot import account_names
from stream.cgroup import usable_cores
from stream.configuration import load_settings
from stream.detect.detection import rules_of, suppressions_of
from stream.detect.links import Portal
from stream.detect.rules import RuleSet
from stream.detect.suppressions import Suppressions
from stream.detect.surroundings import Surroundings
from stream.errors import OutputError
from stream.scan import formats
from stream.scan.opening import Opener
from stream.scan.progress import ScanProgress
from stream.scan.reading import Finding, Plan, Reader, Tally
from stream.scan.sources import Found, Missing, Skipped, Source, find
from stream.severity import Severity
from stream.terminal import inert

if TYPE_CHECKING:
    from rich.console import Console

_REMEMBERED_ALERTS: Final = 1_000_000
"""Alerts whose repeats are recognised: one event may be in the log files of several trails. About 150 MB."""

# With less work than this, starting processes takes longer than they save.
_POOL_BYTES: Final = 16 * 1024 * 1024
_POOL_FILES: Final = 2_000

_Happened = Finding | Tally | Missing | Skipped


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line says.

    Attributes:
        jobs: processes; `None`: as many as there are cores to use.
        since: Unix time of the earliest event wanted; 0: all are.
        min_severity: `None`: as `TRAILSTREAM_MIN_SEVERITY` says.
    """

    paths: tuple[str, ...]
    format: formats.Format
    jobs: int | None
    since: float
    min_severity: Severity | None
    exit_zero: bool
    quiet: bool


def scan(options: Options) -> int:
    """Read everything and print what was found.

    Returns:
        the exit code: 0 nothing found, 1 something found, 2 something failed.

    Raises:
        ConfigError: the environment or the rules can't be used.
    """
    settings = load_settings()
    plan = Plan(
        format=options.format,
        since=options.since,
        min_severity=options.min_severity or settings.min_severity,
        packs=settings.packs,
        rules=settings.rules,
        surroundings=Surroundings.of(settings),
        max_record_bytes=settings.max_record_bytes,
        max_log_bytes=settings.max_log_bytes,
        suppress=settings.suppress,
        now=time.time(),
        account_names=account_names(settings.accounts),
        rules_strict=settings.rules_strict,
        placeholders=settings.placeholders,
        geoip=settings.geoip,
        portal=Portal.of(settings),
    )
    rules = rules_of(settings)
    for refused in rules.refused:
        sys.stderr.write(f"{inert(f'trailstream: rule left out: {refused}')}\n")
    _warn_of(suppressions_of(settings, rules))
    try:
        return _scan(options, plan, rules)
    except (BrokenPipeError, OutputError):
        raise
    except Exception:  # noqa: BLE001 - exit code 1 would say that all was read and something found
        _confess()
        return 2


def _warn_of(suppressions: Suppressions) -> None:
    for suppression in suppressions.all:
        for warning in suppression.warnings:
            told = f"trailstream: suppression {suppression.id} ({suppression.source}): {warning}"
            sys.stderr.write(f"{inert(told)}\n")


def _confess() -> None:
    """Log the exception at hand, without what an attacker may have put in it."""
    import structlog

    from stream import logs

    logs.configure("error", "console")
    structlog.get_logger().exception("scan failed")


def _scan(options: Options, plan: Plan, rules: RuleSet) -> int:
    shown = sys.stderr.isatty() and not options.quiet
    with ScanProgress(shown=shown, find=partial(find, options.paths)) as progress, _ended_by_sigterm():
        report = _Report(options, progress)
        for happened in _read(options, plan, rules, progress):
            report.add(happened)
    return report.finish()


def _read(options: Options, plan: Plan, rules: RuleSet, progress: ScanProgress) -> Iterator[_Happened]:
    """Everything that happens, in the order of the paths: each log file's findings, then its tally."""
    jobs = options.jobs or usable_cores()
    found = find(options.paths)
    head: list[Found] = []
    with Opener() as opener:
        reader = Reader(plan, rules)
        gc.freeze()
        gc.enable()
        here = _Here(reader, opener, progress)
        if jobs == 1 or not _is_much(found, head):
            yield from here.read(itertools.chain(head, found))
            return
        from stream.scan.pool import Pool, Result

        with Pool(plan, reader, jobs, here.tick) as pool:
            for item in pool.results(itertools.chain(head, found)):
                if isinstance(item, Result):
                    yield from item.all_findings()
                    yield item.tally
                else:
                    yield from here.read((item,))


def _is_much(found: Iterator[Found], head: list[Found]) -> bool:
    """Move items from `found` to `head` until it is clear whether there is work for several processes."""
    size_bytes = files = 0
    for item in found:
        head.append(item)
        if isinstance(item, Source) and item.shared:
            files += 1
            size_bytes += item.size_bytes
        if files > 1 and (size_bytes > _POOL_BYTES or files > _POOL_FILES):
            return True
    return False


class _Here:
    """Reads log files in this process."""

    def __init__(self, reader: Reader, opener: Opener, progress: ScanProgress) -> None:
        self._reader = reader
        self._opener = opener
        self._progress = progress
        self._read_bytes = 0
        self._elsewhere_bytes = 0

    def read(self, found: Iterable[Found]) -> Iterator[_Happened]:
        for readable, items in itertools.groupby(found, lambda item: isinstance(item, Source)):
            if not readable:
                yield from (item for item in items if not isinstance(item, Source))
                continue
            for source, chunks in self._opener.opened(item for item in items if isinstance(item, Source)):
                tally = Tally(source.name)
                yield from self._reader.read(source, chunks, tally, self._advance)
                yield tally

    def tick(self, elsewhere_bytes: int) -> None:
        """Other processes have read so much in all."""
        self._elsewhere_bytes = elsewhere_bytes
        self._progress.tick(self._read_bytes + elsewhere_bytes)

    def _advance(self, count: int) -> None:
        self._read_bytes += count
        self._progress.tick(self._read_bytes + self._elsewhere_bytes)


class _Report:
    """Writes what happens, and in the end what it came to."""

    def __init__(self, options: Options, progress: ScanProgress) -> None:
        self._options = options
        self._progress = progress
        self._began_s = time.monotonic()
        self._seen: dict[bytes, None] = {}
        self._compressed_bytes = 0
        self._skipped = 0
        self._suppressed = 0
        self._failed = 0
        self._header = formats.header(options.format)

    def add(self, happened: _Happened) -> None:
        if isinstance(happened, Finding):
            self._found(happened)
        elif isinstance(happened, Tally):
            self._progress.files += 1
            self._progress.records += happened.records
            self._progress.json_bytes += happened.json_bytes
            self._compressed_bytes += happened.compressed_bytes
            if happened.fault is not None:
                self._fault(happened.name, happened.fault)
        elif isinstance(happened, Missing):
            self._fault(happened.name, happened.reason)
            for line in happened.more.splitlines():
                self._say(f"      {line}")
        else:
            self._skipped += 1

    def finish(self) -> int:
        if self._header is not None and self._options.format == "csv":
            self._write(self._header)  # a file without rows is still a table
        if not self._options.quiet:
            self._say(self._summary())
        if self._failed:
            return 2
        return 1 if self._progress.alerts and not self._options.exit_zero else 0

    def _found(self, finding: Finding) -> None:
        if finding.id in self._seen:
            return
        if len(self._seen) >= _REMEMBERED_ALERTS:
            del self._seen[next(iter(self._seen))]
        self._seen[finding.id] = None
        if finding.suppressed:
            self._suppressed += 1
            return
        self._progress.alerts += 1
        if self._header is not None:
            self._write(self._header, "bold")
            self._header = None
        self._write(finding.line, formats.STYLES[finding.severity])

    def _write(self, line: str, style: str = "") -> None:
        if sys.stdout.isatty():
            self._progress.hide()
            if self._options.format == "table":
                _print(line, style)
                return
        sys.stdout.buffer.write(line.encode("utf-8", "backslashreplace") + b"\n")
        sys.stdout.buffer.flush()  # whoever reads the other end of a pipe reads along

    def _fault(self, name: str, reason: str) -> None:
        self._failed += 1
        self._say(f"trailstream: {name}: {reason}")

    def _say(self, text: str) -> None:
        self._progress.hide()
        sys.stderr.write(inert(text) + "\n")
        sys.stderr.flush()

    def _summary(self) -> str:
        progress, seconds = self._progress, time.monotonic() - self._began_s
        if not progress.files and not self._failed:
            return "no log files there" + (f" ({self._skipped} of digests or insights)" if self._skipped else "")
        suppressed = f" and {self._suppressed:,} suppressed" if self._suppressed else ""
        parts = [
            _count(progress.alerts, "alert") + suppressed,
            f"in {_count(progress.files, 'log file')} ({_count(progress.records, 'record')},",
            f"{progress.json_bytes / 1e6:,.1f} MB of JSON, {self._compressed_bytes / 1e6:,.1f} MB stored)",
            f"in {seconds:,.1f} s, {progress.json_bytes / 1e6 / max(seconds, 1e-9):,.0f} MB/s;",
            f"{self._failed} failed",
        ]
        return " ".join(parts) + (f", {self._skipped} skipped" if self._skipped else "")


def _print(line: str, style: str) -> None:
    from rich.text import Text

    _console().print(Text(line, style), soft_wrap=True)


@cache
def _console() -> "Console":
    from rich.console import Console  # a tenth of the time that a scan takes to start, and only people see colours

    return Console(highlight=False, markup=False, emoji=False)


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


@contextmanager
def _ended_by_sigterm() -> Iterator[None]:
    """Let SIGTERM end the program in order, so that no process and no temporary file is left behind."""

    def end(number: int, _: FrameType | None) -> None:
        raise SystemExit(128 + number)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
