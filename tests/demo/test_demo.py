"""The demo as somebody at a terminal or in a pipe meets it: the program itself, in a process of its own."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from stream.demo.lifeline import child_environ

PROGRAM = """
import sys
from stream.demo.demo import run_demo
files, rate, keep = sys.argv[1:]
sys.exit(run_demo(int(files), float(rate), keep == "keep"))
"""


def folders_in(folder: Path, *names: str) -> list[Path]:
    made = [folder / name for name in names]
    for each in made:
        each.mkdir()
    return made


def processes_in(folder: Path) -> set[int]:
    """Every process that was told to keep its temporary files in this folder, or in one inside it."""
    found = set()
    for each in Path("/proc").glob("[0-9]*"):
        try:
            environ, state = (each / "environ").read_bytes(), (each / "stat").read_text()
        except OSError:  # somebody else's, or just gone
            continue
        if b"TMPDIR=" + os.fsencode(folder) in environ and state.rpartition(")")[2].split()[0] != "Z":
            found.add(int(each.name))
    return found


@contextmanager
def running(folder: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=child_environ(dict(os.environ)) | {"TMPDIR": str(folder)},
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def read_until(process: subprocess.Popen[str], pattern: str) -> str:
    """Everything printed up to a line in which the pattern is found."""
    assert process.stdout is not None
    text = ""
    for line in process.stdout:
        text += line
        if re.search(pattern, line):
            return text
    pytest.fail(f"it ended without {pattern!r}:\n{text}")


def assert_nothing_is_left(folder: Path) -> None:
    deadline = time.monotonic() + 60
    while left := processes_in(folder):
        assert time.monotonic() < deadline, f"processes {left} still run"
        time.sleep(0.02)
    assert not list(folder.iterdir())


# Most of a demo is waiting: several at once take little longer than one.


def test_everything_planted_is_alerted_once_and_one_that_is_kept_ends_well_by_ctrl_c(tmp_path: Path) -> None:
    folders = folders_in(tmp_path, "one", "kept")
    with running(folders[0], "30", "60", "") as one, running(folders[1], "5", "60", "keep") as kept:
        text = read_until(kept, "Ctrl-C")
        assert re.search(r"metrics +http://127\.0\.0\.1:\d+/metrics\n", text)
        assert re.search(r"queue +http://127\.0\.0\.1:\d+/111122223333/\S+\n", text)
        read_until(kept, "^(CRITICAL|HIGH)")
        assert len(processes_in(folders[1])) >= 3
        kept.send_signal(signal.SIGINT)
        text, _ = kept.communicate(timeout=120)
        assert kept.returncode == 0, text
        assert "Reconciliation" in text
        assert_nothing_is_left(folders[1])

        text, _ = one.communicate(timeout=120)
    assert one.returncode == 0, text
    rows = {line.split()[0]: line.split()[1] for line in text.splitlines() if len(line.split()) > 1}
    assert (rows["planted"], rows["alerted"]) == ("10", "10")
    assert (rows["missed"], rows["false"], rows["doubled"]) == ("0", "0", "0")
    assert (rows["recognised"], rows["skipped"]) == ("2", "1")
    assert "trailstream demo --keep" in text
    assert len(re.findall(r"^(INFORMATIONAL|LOW|MEDIUM|HIGH|CRITICAL) ", text, re.MULTILINE)) == 10
    assert "\x1b" not in text
    assert_nothing_is_left(folders[0])


def test_one_that_is_cut_short_says_so_by_its_exit_code_and_none_leaves_anything(tmp_path: Path) -> None:
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGKILL)
    folders = folders_in(tmp_path, *(number.name for number in numbers))
    with ExitStack() as stack:
        processes = [stack.enter_context(running(folder, "500", "5", "")) for folder in folders]
        for process, number, folder in zip(processes, numbers, folders, strict=True):
            read_until(process, "trailstream run")
            process.send_signal(number)
            text, _ = process.communicate(timeout=120)
            assert process.returncode == (-number if number == signal.SIGKILL else 128 + number), text
            assert_nothing_is_left(folder)
