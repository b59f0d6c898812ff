"""`trailstream scan` as a process: on a terminal, in a pipe that ends early, and told to stop."""

import json
import os
import pty
import select
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.commands.running import child_environ, start
from tests.commands.test_scan import history, log_text, record, write

__all__ = ["history"]


def read_terminal(master: int, process: Any) -> str:
    """Everything that a process writes to its terminal until it ends."""
    seen = b""
    while True:
        readable, _, _ = select.select([master], [], [], 0.1)
        if readable:
            try:
                seen += os.read(master, 65_536)
            except OSError:
                break
        elif process.poll() is not None:
            break
    return seen.decode()


def test_a_terminal_sees_a_bar_and_a_file_beside_it_none(history: Path, tmp_path: Path) -> None:
    master, slave = pty.openpty()
    with (tmp_path / "out").open("wb") as out:
        process = start("scan", history, "--format", "jsonl", "-j", "1", stderr=slave, stdout=out)
    os.close(slave)
    screen = read_terminal(master, process)
    os.close(master)
    lines = (tmp_path / "out").read_text().splitlines()

    assert process.wait(60) == 1
    assert "files" in screen
    assert "records" in screen
    assert "\x1b[" in screen
    assert all(json.loads(line)["id"] for line in lines)
    assert len(lines) >= 20


def test_on_a_terminal_alerts_have_colours_unless_they_are_not_wanted(tmp_path: Path) -> None:
    write(tmp_path / "1.json.gz", record())
    running = []
    for more in ({}, {"NO_COLOR": "1"}):
        master, slave = pty.openpty()
        environ = child_environ(TERM="xterm-256color", **more)
        running.append((master, start("scan", tmp_path, "-q", stdout=slave, environ=environ)))
        os.close(slave)
    screens = [read_terminal(master, process) for master, process in running]
    for master, process in running:
        os.close(master)
        process.wait(60)

    assert "\x1b[1;31m" in screens[0]
    assert "\x1b[1;31m" not in screens[1]
    assert all("StopLogging" in screen for screen in screens)


def test_a_reader_that_has_had_enough_ends_it_quietly(tmp_path: Path) -> None:
    write(tmp_path / "1.json.gz", *(record(number) for number in range(3000)))
    process = start("scan", tmp_path, "--format", "jsonl", stdout=-1, stderr=-1)
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.readline()
    process.stdout.close()

    assert process.wait(60) == 141
    assert process.stderr.read() == b""


# What follows needs a scan that goes on for as long as it takes: its last path is a pipe that nobody writes to.


@dataclass(frozen=True)
class Endless:
    """A running scan with a pool, past its first alert; it has a session of its own, whose processes can be counted."""

    process: Any
    temporary: Path


@pytest.fixture(scope="module")
def all_endless(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Endless]]:
    """One for each of the three tests that end one; at once, as they take a second to come so far."""
    folder = tmp_path_factory.mktemp("endless")
    write(folder / "logs/1.json.gz", record())
    harmless = record(2, eventName="DescribeTrails", pad="x" * 8000)
    (folder / "logs/2.json").write_bytes(log_text(*[harmless] * 2200))  # enough for several processes
    os.mkfifo(folder / "pipe")
    running = []
    for name in ("a", "b", "c"):
        (folder / name).mkdir()
        process = start(
            "scan",
            *(folder / "logs", folder / "pipe"),
            *("--jobs", "2", "--format", "jsonl"),
            stdout=-1,
            stderr=-1,
            start_new_session=True,
            environ=child_environ(TMPDIR=str(folder / name)),
        )
        running.append(Endless(process, folder / name))
    yield running.copy()
    for each in running:
        if each.process.poll() is None:
            os.killpg(each.process.pid, signal.SIGKILL)
            each.process.wait()


@pytest.fixture
def endless(all_endless: list[Endless]) -> Endless:
    one = all_endless.pop()
    assert one.process.stdout.readline()
    return one


def processes_of(session: int) -> list[int]:
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                fields = (folder / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[3]) == session and fields[0] != "Z":
                found.append(int(folder.name))
    return found


def wait_until(condition: Callable[[], bool], timeout_s: float = 60) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_ctrl_c_ends_it_quietly_with_all_its_processes(endless: Endless) -> None:
    assert len(processes_of(endless.process.pid)) > 2
    os.killpg(endless.process.pid, signal.SIGINT)  # as a terminal does: to all of them

    assert endless.process.wait(60) == 130
    assert endless.process.stderr.read() == b""
    wait_until(lambda: processes_of(endless.process.pid) == [])
    assert list(endless.temporary.iterdir()) == []


def test_sigterm_leaves_nothing_behind(endless: Endless) -> None:
    endless.process.send_signal(signal.SIGTERM)

    assert endless.process.wait(60) == 143
    wait_until(lambda: processes_of(endless.process.pid) == [])
    assert list(endless.temporary.iterdir()) == []


def test_processes_end_with_a_parent_that_was_killed(endless: Endless) -> None:
    endless.process.kill()
    endless.process.wait(60)

    wait_until(lambda: processes_of(endless.process.pid) == [])
