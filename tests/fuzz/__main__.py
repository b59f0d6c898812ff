"""`python -m tests.fuzz [TARGET...] --seconds N`: each target in a process of its own; exit code 1 if one fails."""

import argparse
import importlib
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Final

from tests.fuzz.corpus import TARGETS, corpus

_SLOW_S: Final = 1.0
_GROWTH_KB: Final = 64 * 1024  # what a run may grow by after its first quarter: libFuzzer's own corpus grows too
_HANG_S: Final = 30
_MAX_INPUT_BYTES: Final = 8192


def fuzz(target: str, seconds: float, folder: Path) -> bool:
    """Fuzz one target and print what came of it; whether nothing is wrong."""
    inputs = folder / target
    inputs.mkdir()
    for number, data in enumerate(corpus(target)):
        (inputs / f"{number:03}").write_bytes(data)
    path = folder / f"{target}.json"
    options = [
        str(inputs),
        f"-max_total_time={int(seconds)}",
        f"-timeout={_HANG_S}",
        f"-max_len={_MAX_INPUT_BYTES}",
        f"-artifact_prefix={folder}/{target}-",
        "-rss_limit_mb=2048",
        "-verbosity=0",
    ]
    command = [sys.executable, "-m", "tests.fuzz.running", target, str(path), str(seconds), *options]
    with (folder / f"{target}.log").open("w") as log:
        code = subprocess.run(command, stdout=log, stderr=log, check=False).returncode
    report: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    slow = sum(_takes_s(target, file.read_bytes()) > _SLOW_S for file in folder.glob(f"{target}-slow-*"))
    growth_kb = report.get("resident_kb", 0) - (report.get("settled_kb") or report.get("resident_kb", 0))
    sys.stdout.write(
        f"{target:<13} {report.get('executions', 0):>9,} executions in {report.get('seconds', 0):,.0f} s, "
        f"slowest {report.get('slowest_s', 0):.2f} s (instrumented), {slow} over {_SLOW_S:g} s without instruments, "
        f"memory {report.get('resident_kb', 0) // 1024} MB, grown by {growth_kb / 1024:+.1f} MB"
        f"{'' if code == 0 else f': FAILED with {code}, see {folder}/{target}.log'}\n"
    )
    sys.stdout.flush()
    return code == 0 and bool(report) and not slow and growth_kb < _GROWTH_KB


def _takes_s(target: str, data: bytes) -> float:
    test = importlib.import_module(f"tests.fuzz.{target}").TestOneInput
    begun = time.process_time()  # other work on the machine is no fault of the input's
    test(data)
    return time.process_time() - begun


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("target", nargs="*", help=f"of {', '.join(TARGETS)} (all)")
    parser.add_argument("--seconds", type=float, default=60.0, help="for each target (60)")
    options = parser.parse_args()
    for target in options.target:
        if target not in TARGETS:
            parser.error(f"there is no target {target}")
    folder = Path(tempfile.mkdtemp(prefix="trailstream-fuzz-"))  # kept: what was found is in it
    results = [fuzz(target, options.seconds, folder) for target in options.target or TARGETS]
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
