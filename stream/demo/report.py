"""What was planted against what arrived, as numbers and as the table that ends the demo."""

import shutil
import statistics
import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from stream.demo.generator import Planted
from stream.demo.receiver import Arrival
from stream.demo.traffic import Traffic
from stream.demo.workload import Samples

_MB: Final = 1e6
_NAMED: Final = 10


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """The books: everything planted is either alerted or missed, everything that arrived was planted or is false.

    Attributes:
        latencies_s: from the beginning of an upload to the alert, sorted.
        alerts: different ones that came; `doubled`: those that came a second time.
    """

    planted: int
    alerted: int
    missed: tuple[Planted, ...]
    false: tuple[Arrival, ...]
    alerts: int
    doubled: int
    latencies_s: tuple[float, ...]

    @property
    def clean(self) -> bool:
        """Nothing missed, false or doubled."""
        return not self.missed and not self.false and not self.doubled

    def quantile(self, percent: int) -> float:
        """So many percent of the alerts came within this many seconds; 0 without alerts."""
        if len(self.latencies_s) < 2:
            return self.latencies_s[0] if self.latencies_s else 0.0
        return statistics.quantiles(self.latencies_s, n=100, method="inclusive")[percent - 1]


def reconcile(
    planted: Mapping[str, Planted], uploaded_at: Mapping[str, float], arrivals: Sequence[Arrival]
) -> Reconciliation:
    """Hold what was planted, by event id, against what arrived."""
    first: dict[str, Arrival] = {}
    for arrival in arrivals:
        first.setdefault(arrival.event_id, arrival)
    alerted = planted.keys() & first.keys()
    times = Counter(arrival.alert_id for arrival in arrivals)
    return Reconciliation(
        planted=len(planted),
        alerted=len(alerted),
        missed=tuple(each for event_id, each in planted.items() if event_id not in first),
        false=tuple(each for event_id, each in first.items() if event_id not in planted),
        alerts=len(times),
        doubled=times.total() - len(times),
        latencies_s=tuple(sorted(first[event_id].at - uploaded_at[event_id] for event_id in alerted)),
    )


@dataclass(frozen=True, slots=True)
class Outcome:
    """All that the last table says.

    Attributes:
        elapsed_s: from the first upload to the last message settled.
        refused: requests that the receiver turned away.
        exit_code: of the workload.
    """

    books: Reconciliation
    traffic: Traffic
    samples: Samples
    elapsed_s: float
    refused: int
    exit_code: int | None

    @property
    def log_files_read(self) -> int:
        """Log files that the workload read to their end."""
        return int(self.samples.total("log_files_total", outcome="read"))

    def faults(self) -> list[str]:
        """What did not come out as it should have, in words; empty when all is well."""
        books, found = self.books, []
        if books.missed:
            found.append("missed: " + _names(f"{each.event_name} {each.event_id}" for each in books.missed))
        if books.false:
            found.append("false: " + _names(f"{each.event_name} {each.event_id}" for each in books.false))
        if books.doubled:
            found.append(f"{books.doubled} alerts came twice")
        if self.refused:
            found.append(f"the receiver refused {self.refused} requests")
        if self.log_files_read != self.traffic.log_files:
            found.append(f"{self.traffic.log_files} log files went in, {self.log_files_read} were read")
        if self.traffic.dead_letters != self.traffic.faults:
            found.append(
                f"{self.traffic.faults} faults went in, {self.traffic.dead_letters} are in the dead-letter queue"
            )
        if self.exit_code != 0:
            found.append(f"`trailstream run` ended with exit code {self.exit_code}")
        return found


def render(outcome: Outcome, console: Console) -> None:
    """Print the table."""
    books, traffic, samples = outcome.books, outcome.traffic, outcome.samples
    table = Table(
        box=box.SIMPLE_HEAD, show_header=False, title="Reconciliation", title_justify="left", title_style="bold"
    )
    table.add_column(style="dim", no_wrap=True)
    table.add_column(justify="right", no_wrap=True)
    table.add_column()

    def row(name: str, value: str, meaning: str = "", style: str = "") -> None:
        table.add_row(name, Text(value, style), meaning)

    row("planted", f"{books.planted:,}", "changes to the audit trail, refused ones too")
    row("alerted", f"{books.alerted:,}", "of these", "green" if books.alerted == books.planted else "bold red")
    for name, count, meaning in (
        ("missed", len(books.missed), "planted, and no alert came"),
        ("false", len(books.false), "alerts about anything else"),
        ("doubled", books.doubled, "alerts that came more than once"),
    ):
        row(name, f"{count:,}", meaning, "bold red" if count else "green")
    repeated = int(samples.total("alerts_total")) - books.alerts
    row("recognised", f"{repeated:,}", "as events that another trail wrote as well")
    row(
        "dead letters",
        f"{traffic.dead_letters:,}",
        f"of {traffic.faults} faults: a strange message, a cut file",
    )
    table.add_section()
    row("log files", f"{outcome.log_files_read:,}", f"read of {traffic.log_files:,}, by six routes into a queue")
    skipped = int(samples.total("log_files_total", outcome="skipped"))
    row("skipped", f"{skipped:,}", f"of {traffic.other_objects} digest files beside them")
    row("records", f"{int(samples.total('records_total')):,}", f"{traffic.json_bytes / _MB:,.1f} MB of JSON")
    row("throughput", f"{traffic.json_bytes / _MB / outcome.elapsed_s:,.1f} MB/s", "as offered; --rate sets it")
    decode_s = samples.total("log_file_duration_seconds_sum", stage="decode")
    if decode_s:
        decoded = samples.total("log_file_bytes_total") / _MB
        row("decoding", f"{decoded / decode_s:,.0f} MB/s", "of JSON while decoding")
    memory = samples.total("process_resident_memory_bytes")
    if memory:
        row("memory", f"{memory / _MB:,.0f} MB", "of `trailstream run`, resident")
    row("p50", f"{books.quantile(50):.2f} s", "from the upload of a log file to its alert")
    row("p99", f"{books.quantile(99):.2f} s")
    console.print(table)


def render_next(console: Console) -> None:
    """Print what to try next, with the program as it can be called from here."""
    program = "trailstream"
    if shutil.which(program) is None and Path(sys.argv[0]).name == program:
        program = sys.argv[0]
    console.print(Text("What to try next", "bold"))
    for command, meaning in (
        (f"{program} demo --keep", "goes on until Ctrl-C, with addresses to look at"),
        (f"{program} scan FOLDER", "log files that you have, on this machine or s3://…"),
        (f"{program} env", "every setting"),
        (
            f"TRAILSTREAM_QUEUE_URL=… TRAILSTREAM_BUCKETS=… TRAILSTREAM_STDOUT=true {program} check",
            "your own queue: is all in place? Then the same with `run`",
        ),
    ):
        console.print(Text.assemble("  ", (command, "cyan"), "\n      ", (meaning, "dim")), soft_wrap=True)


def _names(each: Iterable[str]) -> str:
    names = list(each)
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more
