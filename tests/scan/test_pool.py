"""Log files read by several processes: in order, in bounded memory, and whatever becomes of a process."""

import contextlib
import gzip
import json
import os
import signal
import threading
from collections.abc import Iterator
from dataclasses import replace
from multiprocessing.util import get_temp_dir
from pathlib import Path

import pytest

from stream.detect.surroundings import Surroundings
from stream.scan import pool as pool_
from stream.scan.pool import Pool
from stream.scan.reading import Plan, Reader
from stream.scan.sources import Found, Missing, Source
from stream.scan.worker import Result
from tests.commands.running import written

PLAN = Plan(
    format="jsonl",
    since=0.0,
    min_severity="informational",
    packs=("ct-013",),
    rules=(),
    surroundings=Surroundings(),
    max_record_bytes=4 << 20,
    max_log_bytes=2 << 30,
)

pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")


# A copy would have the other threads' ends of pipes too; without threads, which is when there are copies, it has none.
beside_threads = pytest.mark.parametrize("processes", ["fresh"], indirect=True)


@pytest.fixture(autouse=True, params=["copied", "fresh"])
def processes(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both ways to start them, whatever threads the tests' own process has."""
    monkeypatch.setattr(pool_, "_is_alone", lambda: request.param == "copied")
    monkeypatch.setattr("gc.freeze", lambda: None)
    get_temp_dir()  # of multiprocessing's own, which should be none of a test's


def log_file(folder: Path, name: str, changes: range) -> Source:
    records = [
        {"eventSource": "cloudtrail.amazonaws.com", "eventName": "StopLogging", "eventID": str(number)}
        for number in changes
    ]
    path = folder / name
    path.write_bytes(gzip.compress(json.dumps({"Records": records}).encode()))
    return Source("", str(path), path.stat().st_size)


def read(found: list[Found]) -> Iterator[Result | Found]:
    with Pool(PLAN, Reader(PLAN), 2, lambda _: None) as pool:
        yield from pool.results(found)


def events(result: Result) -> list[int]:
    return [int(json.loads(finding.line)["event"]["id"]) for finding in result.all_findings()]


def test_results_keep_the_order_of_the_sources_and_what_is_no_source_its_place(tmp_path: Path) -> None:
    big = log_file(tmp_path, "big", range(3000))
    small = [log_file(tmp_path, f"small{number}", range(number, number + 2)) for number in range(150)]
    alone = Source("", "-", 0, shared=False)
    found: list[Found] = [big, *small[:70], Missing("x", "gone"), alone, *small[70:]]
    results = list(read(found))

    names = [item.tally.name if isinstance(item, Result) else item.name for item in results]
    assert names == [item.name for item in found]
    assert [item for item in results if not isinstance(item, Result)] == [Missing("x", "gone"), alone]
    counted = [item.tally.records for item in results if isinstance(item, Result)]
    assert counted == [3000] + [2] * 150


def test_more_findings_than_are_held_in_memory_all_come_in_order_and_leave_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr("tempfile.tempdir", None)
    many = log_file(tmp_path, "many", range(2500))
    more = log_file(tmp_path, "more", range(2500, 2600))
    with Pool(PLAN, Reader(PLAN), 1, lambda _: None) as pool:
        first, second = pool.results([many, more])
        assert isinstance(first, Result)
        assert isinstance(second, Result)
        assert len(first.findings) < 2500
        assert first.spilled is not None
        assert Path(first.spilled).is_relative_to(tmp_path / "tmp")
        assert events(first) == list(range(2500))
        assert events(second) == list(range(2500, 2600))

    assert list((tmp_path / "tmp").iterdir()) == []


@beside_threads
def test_a_log_file_that_kills_its_process_is_named_and_hides_none_of_its_neighbours(tmp_path: Path) -> None:
    """The killer is a pipe: whoever opens it is killed, once in the pool and once alone."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    killed: set[int] = set()

    def kill_the_readers() -> None:
        for _ in range(2):
            with written(pipe):
                while not (readers := [pid for pid in children() if opens(pid, pipe)]):
                    pass
                killed.update(readers)
                for pid in readers:
                    os.kill(pid, signal.SIGKILL)
                while any(state(pid) not in ("Z", "gone") for pid in readers):
                    pass

    killer = threading.Thread(target=kill_the_readers, daemon=True)
    killer.start()
    before, after = log_file(tmp_path, "before", range(3)), log_file(tmp_path, "after", range(4))
    results = list(read([before, Source("", str(pipe), 1), after]))
    killer.join(60)

    assert len(killed) == 2
    assert all(isinstance(result, Result) for result in results)
    first, second, third = (result for result in results if isinstance(result, Result))
    assert events(first) == [0, 1, 2]
    assert second.tally.fault == "the process that read it died"
    assert events(third) == [0, 1, 2, 3]


@beside_threads
def test_leaving_early_stops_a_process_in_the_middle_of_a_log_file(tmp_path: Path) -> None:
    """The log file is a pipe that goes on with blanks for as long as anybody reads it."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)

    def write_on() -> None:
        with contextlib.suppress(BrokenPipeError), written(pipe) as blanks:
            opened.set()
            while True:
                blanks.write(b" " * 65_536)

    opened = threading.Event()
    writer = threading.Thread(target=write_on, daemon=True)
    writer.start()
    plan = replace(PLAN, max_log_bytes=1 << 60)
    with Pool(plan, Reader(plan), 1, lambda _: None) as pool:
        results = pool.results([log_file(tmp_path, "first", range(1)), Missing("x", "gone"), Source("", str(pipe), 1)])
        assert isinstance(next(results), Result)
        assert opened.wait(60)
    writer.join(60)

    assert not writer.is_alive()
    assert not any(opens(pid, pipe) for pid in children())


def test_progress_is_told_in_stored_bytes(tmp_path: Path) -> None:
    sources: list[Found] = [log_file(tmp_path, str(number), range(100)) for number in range(10)]
    told: list[int] = []
    with Pool(PLAN, Reader(PLAN), 1, told.append) as pool:
        assert len(list(pool.results(sources))) == 10

    assert told == sorted(told)
    assert told[-1] == sum(source.size_bytes for source in sources if isinstance(source, Source))


def children() -> list[int]:
    """Every process below this one."""
    parents = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                parents[int(folder.name)] = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
    below, ours = [], {os.getpid()}
    while ours:
        ours = {pid for pid, parent in parents.items() if parent in ours}
        below += sorted(ours)
    return below


def state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return "gone"


def opens(pid: int, path: Path) -> bool:
    """Whether a process has a file (or one below a folder) open."""
    try:
        links = [each.readlink() for each in Path(f"/proc/{pid}/fd").iterdir()]
    except OSError:
        return False
    return any(link.is_relative_to(path) for link in links)
