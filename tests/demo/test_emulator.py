import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from aiobotocore.session import get_session

from stream.demo.emulator import Emulator, EmulatorError
from stream.demo.lifeline import child_environ
from stream.errors import ConfigError


def is_running(pid: int) -> bool:
    """Zombies of somebody else's count as gone."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def wait_until_gone(pid: int, timeout_s: float = 60.0) -> None:
    deadline = time.monotonic() + timeout_s
    while is_running(pid):
        assert time.monotonic() < deadline, f"process {pid} still runs"
        time.sleep(0.02)


def test_it_answers_inside_and_leaves_neither_process_nor_file_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with Emulator() as emulator:
        pid = emulator.pid
        with socket.create_connection(("127.0.0.1", urlsplit(emulator.endpoint).port or 0), timeout=60):
            pass
        assert is_running(pid)
        assert list(tmp_path.iterdir())
    assert not is_running(pid)
    assert not list(tmp_path.iterdir())


def test_it_goes_when_the_body_fails() -> None:
    emulator = Emulator()

    def fail() -> None:
        pids.append(emulator.pid)
        raise ZeroDivisionError

    pids: list[int] = []
    with pytest.raises(ZeroDivisionError), emulator:
        fail()
    assert not is_running(pids[0])


def test_it_dies_with_a_parent_that_is_killed_and_takes_its_files_along(tmp_path: Path) -> None:
    program = (
        "import sys; from stream.demo.emulator import Emulator\n"
        "with Emulator() as emulator: print(emulator.pid, flush=True); sys.stdin.read()"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=child_environ(dict(os.environ)) | {"TMPDIR": str(tmp_path)},
    )
    with parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert is_running(pid)
        assert list(tmp_path.iterdir())
        parent.send_signal(signal.SIGKILL)
        wait_until_gone(pid)
        assert not list(tmp_path.iterdir())


def test_the_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(ConfigError, match=r"pip install 'trailstream\[demo\]'"):
        Emulator()


def test_one_that_cannot_start_says_why(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(
        "stream.demo.emulator.command", lambda *_: [sys.executable, "-c", "raise SystemExit('no port')"]
    )
    with pytest.raises(EmulatorError, match="no port"), Emulator():
        pytest.fail("it started")
    assert not list(tmp_path.iterdir())


async def test_reset_forgets_everything() -> None:
    with Emulator() as emulator:
        async with get_session().create_client("s3", endpoint_url=emulator.endpoint, region_name="us-east-1") as s3:
            await s3.create_bucket(Bucket="before")
            assert [each["Name"] for each in (await s3.list_buckets())["Buckets"]] == ["before"]
            emulator.reset()
            assert (await s3.list_buckets())["Buckets"] == []


def test_nobody_elses_credentials_or_folders_reach_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "production")
    monkeypatch.setenv("LOCALSTACK_PERSISTENCE", "1")
    monkeypatch.setenv("USE_SSL", "1")
    with Emulator() as emulator:
        environ = Path(f"/proc/{emulator.pid}/environ").read_bytes().split(b"\0")
    names = {entry.partition(b"=")[0] for entry in environ}
    assert names.isdisjoint({b"AWS_PROFILE", b"LOCALSTACK_PERSISTENCE", b"USE_SSL"})
    assert b"BIND_HOST=127.0.0.1" in environ
