"""One target under atheris, in a process of its own: `python -m tests.fuzz.running TARGET REPORT SECONDS [OPTIONS]`.

Options are libFuzzer's. What has been seen is written to the report every second, since libFuzzer ends the process by
itself. A target that fails leaves its input in libFuzzer's artifact; one that takes long leaves it beside the report.
"""

import importlib
import json
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import atheris

SLOW_S: Final = 1.0
_SETTLED_PART: Final = 0.25  # of the time, after which memory should not grow any more
_PAGE_KB: Final = 4


@dataclass
class Report:
    """What came of a run, so far.

    Attributes:
        settled_kb: resident memory after the first quarter of the time.
    """

    executions: int = 0
    seconds: float = 0.0
    slow: int = 0
    slowest_s: float = 0.0
    settled_kb: int = 0
    resident_kb: int = 0


def watched(test: Callable[[bytes], None], path: Path, seconds: float) -> Callable[[bytes], None]:
    """The test, with a report of it kept up to date."""
    report, begun = Report(), time.monotonic()
    written = begun

    def run(data: bytes) -> None:
        nonlocal written
        before = time.monotonic()
        test(data)
        now = time.monotonic()
        report.executions += 1
        report.slowest_s = max(report.slowest_s, now - before)
        if now - before > SLOW_S:
            report.slow += 1
            path.with_name(f"{path.stem}-slow-{report.slow}").write_bytes(data)
        if now - written > 1.0 or report.executions == 1:
            written, report.seconds = now, now - begun
            report.resident_kb = _resident_kb()
            if not report.settled_kb and report.seconds > seconds * _SETTLED_PART:
                report.settled_kb = report.resident_kb
            path.write_text(json.dumps(asdict(report)))

    return run


def _resident_kb() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE_KB


def main() -> None:
    """Fuzz until libFuzzer ends the process."""
    target, path, seconds, *options = sys.argv[1:]
    with atheris.instrument_imports(include=["stream"]):
        module = importlib.import_module(f"tests.fuzz.{target}")
    atheris.Setup([target, *options], watched(module.TestOneInput, Path(path), float(seconds)))
    atheris.Fuzz()


if __name__ == "__main__":
    main()
