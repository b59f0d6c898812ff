"""`trailstream scan` of a folder of log files against what one would use without it, by bytes of JSON a CPU-second.

Children's user and system time, as the kernel counts it, those of their own children among them. The slow ones get a
part of the folder. A tool that is missing is named in the row.
"""

import importlib.util
import os
import resource
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, log
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

from stream.demo.generator import Generator
from stream.demo.lookalikes import TRAIL_CHANGES
from tests.benchmarks.subject import Target, say

TARGETS = (
    Target(
        "`scan` of a folder of 6,000 log files, per CPU-second", "≥ 5 x `rg -z`, ≥ 15 x `zcat \\| jq`, ≥ 40 x DuckDB"
    ),
    Target("Its wall time on 2 cores", "≤ 0.55 of that on one"),
)

_FILES = 6000
_DISTINCT = 75
_MEDIAN_RECORDS = 500
_SPREAD = 0.95  # of the logarithm; the mean is about 780 records, a megabyte
_ROUNDS = 3
_SOME, _FEW = 4, 60  # every so manieth: a tool that is slower gets less to do

_JQ = '.Records[] | select(.eventSource == "cloudtrail.amazonaws.com" and (.eventName | IN({names})))'
_DUCKDB = """\
import duckdb, sys
duckdb.sql("SET threads TO 1")
columns = "{{Records: 'STRUCT(eventName VARCHAR, eventSource VARCHAR, eventTime VARCHAR)[]'}}"
found = f"SELECT unnest(Records) AS r FROM read_json('{{sys.argv[1]}}/*.json.gz', columns={{columns}}, "
found += "maximum_object_size=67108864)"
print(duckdb.sql(f"SELECT count(*) FROM ({{found}}) WHERE r.eventSource = 'cloudtrail.amazonaws.com' "
                 "AND r.eventName IN ({names})").fetchall()[0][0])
"""


@dataclass(frozen=True, slots=True)
class _Folder:
    path: Path
    json_bytes: int


@dataclass(frozen=True, slots=True)
class _Cost:
    cpu_s: float
    wall_s: float


async def measure() -> Sequence[str]:
    with TemporaryDirectory(prefix="trailstream-bench-") as folder:
        whole, some, few = _generate(Path(folder))
        one, two = [_best(whole, _scan(whole, jobs)) for jobs in (1, 2)]
        ours = whole.json_bytes / one.cpu_s
        say(f"  scan: {one.cpu_s:.2f} CPU-seconds, {one.wall_s:.2f} s on one core, {two.wall_s:.2f} s on two")
        others = (
            _compared("`rg -z`", ours, some, _ripgrep(some)),
            _compared("`zcat \\| jq`", ours, few, _jq(few)),
            _compared("DuckDB", ours, few, _duckdb(few)),
        )
    return (
        f"{', '.join(others)}; {ours / 1e6:,.0f} MB of JSON a CPU-second",
        f"{two.wall_s / one.wall_s:.2f}",
    )


def _generate(folder: Path) -> list[_Folder]:
    """All files, and every so manieth of them in folders of their own; no change of a trail is in any."""
    rng = Random(1)
    generator = Generator(seed=1, look_alikes=0.0)
    sizes = [max(1, round(exp(rng.gauss(log(_MEDIAN_RECORDS), _SPREAD)))) for _ in range(_DISTINCT)]
    files = [generator.log_file(records) for records in sizes]
    folders = []
    for every in (1, _SOME, _FEW):
        path = folder / f"every-{every}"
        path.mkdir()
        json_bytes = 0
        for number in range(0, _FILES, every):
            file = files[number // every % _DISTINCT]
            name = file.key.rpartition("/")[2].replace(".json.gz", f"-{number}.json.gz")
            (path / name).write_bytes(file.body)
            json_bytes += file.json_bytes
        folders.append(_Folder(path, json_bytes))
    say(f"  {_FILES:,} files, {folders[0].json_bytes / 1e9:.2f} GB of JSON")
    return folders


def _scan(folder: _Folder, jobs: int) -> Sequence[str]:
    return (sys.executable, "-m", "stream", "scan", "--quiet", "--jobs", str(jobs), str(folder.path))


def _ripgrep(folder: _Folder) -> Sequence[str]:
    pattern = "|".join(f'"{name}"' for name in TRAIL_CHANGES)
    return ("rg", "-z", "-c", "-j1", pattern, str(folder.path))


def _jq(folder: _Folder) -> Sequence[str]:
    if shutil.which("jq") is None:
        return ("jq",)
    program = _JQ.format(names=", ".join(f'"{name}"' for name in TRAIL_CHANGES))
    return ("sh", "-c", f"zcat {shlex.quote(str(folder.path))}/*.json.gz | jq -c {shlex.quote(program)}")


def _duckdb(folder: _Folder) -> Sequence[str]:
    if importlib.util.find_spec("duckdb") is None:
        return ("duckdb",)
    program = _DUCKDB.format(names=", ".join(f"'{name}'" for name in TRAIL_CHANGES))
    return (sys.executable, "-c", program, str(folder.path))


def _compared(name: str, ours: float, folder: _Folder, command: Sequence[str]) -> str:
    """By how much it is slower than we are, or that it is missing."""
    if shutil.which(command[0]) is None:
        return f"{name} is not installed here"
    cost = _best(folder, command, rounds=2)
    theirs = folder.json_bytes / cost.cpu_s
    say(f"  {name}: {theirs / 1e6:,.0f} MB of JSON a CPU-second")
    return f"{ours / theirs:.0f} x {name}"


def _best(folder: _Folder, command: Sequence[str], *, rounds: int = _ROUNDS) -> _Cost:
    costs = [_cost(folder, command) for _ in range(rounds)]
    return _Cost(min(cost.cpu_s for cost in costs), min(cost.wall_s for cost in costs))


def _cost(folder: _Folder, command: Sequence[str]) -> _Cost:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("TRAILSTREAM_")}
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    ended = subprocess.run(command, env=environ, capture_output=True, check=False)
    wall_s, after = time.monotonic() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    # Nothing is to be found: 1 is how rg says so, and how scan would say that it was wrong.
    if ended.returncode != (1 if command[0] == "rg" else 0):
        raise RuntimeError(f"{command[0]} in {folder.path}: exit code {ended.returncode}: {ended.stderr[-500:]!r}")
    return _Cost(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, wall_s)
