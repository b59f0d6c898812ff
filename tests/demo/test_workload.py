import asyncio
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from stream.demo.workload import Samples, Workload, WorkloadError
from tests.demo.test_emulator import is_running

STUB = """
import http.server, os, signal, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response({ready} if self.path == "/readyz" else 200)
        self.end_headers()
        if self.path == "/metrics":
            self.wfile.write(b"# TYPE trailstream_records_total counter\\ntrailstream_records_total 7.0\\n")
    def log_message(self, *_): pass
signal.signal(signal.SIGTERM, {on_term})
print(os.environ["TRAILSTREAM_QUEUE_URL"], sorted(name for name in os.environ if "PROFILE" in name), flush=True)
http.server.HTTPServer((os.environ["TRAILSTREAM_HTTP_HOST"], int(os.environ["TRAILSTREAM_HTTP_PORT"])), Handler
    ).serve_forever()
"""
Stub = Callable[..., None]
GRACEFUL = "lambda *_: os._exit(0)"


@pytest.fixture
def stub(monkeypatch: pytest.MonkeyPatch) -> Stub:
    def install(program: str = STUB, *, ready: int = 200, on_term: str = GRACEFUL) -> None:
        text = program.replace("{ready}", str(ready)).replace("{on_term}", on_term)
        monkeypatch.setattr("stream.demo.workload.command", lambda *_: [sys.executable, "-c", text])

    return install


def workload(folder: Path, *, stop_timeout_s: float = 60.0) -> Workload:
    settings = {"QUEUE_URL": "http://127.0.0.1:1/1/q"}
    return Workload(settings, {"AWS_ENDPOINT_URL": "http://127.0.0.1:1"}, folder, stop_timeout_s=stop_timeout_s)


def pid_of(running: Workload) -> int:
    assert running._process is not None
    return running._process.pid


async def test_it_is_ready_inside_measured_and_gone_after(stub: Stub, tmp_path: Path) -> None:
    stub()
    async with workload(tmp_path) as running:
        pid = pid_of(running)
        assert (await running.scrape()).total("records_total") == 7
        running.check()
    assert running.exit_code == 0
    assert not is_running(pid)


async def test_it_sees_its_own_settings_and_nobody_elses(
    stub: Stub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "production")
    monkeypatch.setenv("TRAILSTREAM_PROFILE", "x")
    stub()
    async with workload(tmp_path) as running:
        assert running.tail() == "http://127.0.0.1:1/1/q []"


async def test_one_that_ends_at_once_is_quoted(stub: Stub, tmp_path: Path) -> None:
    stub("raise SystemExit('TRAILSTREAM_QUEUE_URL: \\x1b[2Jno such queue')")
    with pytest.raises(WorkloadError, match=r"exit code 1:\n.*\\x1b\[2Jno such queue"):
        async with workload(tmp_path):
            pytest.fail("it was ready")


async def test_one_that_is_never_ready_is_given_up_and_ended(
    stub: Stub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stream.demo.workload._START_TIMEOUT_S", 0.5)
    stub(ready=503)
    running = workload(tmp_path)
    with pytest.raises(WorkloadError, match="not ready"):
        async with running:
            pytest.fail("it was ready")
    assert running.exit_code in (0, -signal.SIGTERM)  # SIGTERM may have come before it was ready for that


async def test_one_that_does_not_heed_sigterm_is_killed(stub: Stub, tmp_path: Path) -> None:
    stub(on_term="signal.SIG_IGN")
    async with workload(tmp_path, stop_timeout_s=0.2) as running:
        pid = pid_of(running)
    assert running.exit_code == -9
    assert not is_running(pid)


async def test_one_that_dies_on_the_way_is_noticed(stub: Stub, tmp_path: Path) -> None:
    stub()
    async with workload(tmp_path) as running:
        assert running._process is not None
        os.kill(pid_of(running), 9)
        await running._process.wait()
        with pytest.raises(WorkloadError, match="exit code -9"):
            running.check()


async def test_it_is_ended_when_its_user_is_cancelled(stub: Stub, tmp_path: Path) -> None:
    stub()
    pids: list[int] = []
    inside = asyncio.Event()

    async def use() -> None:
        async with workload(tmp_path) as running:
            pids.append(pid_of(running))
            inside.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(use())
    await asyncio.wait_for(inside.wait(), 60)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not is_running(pids[0])


def test_samples_add_up_by_name_and_labels() -> None:
    samples = Samples(
        "# TYPE trailstream_x_total counter\n"
        'trailstream_x_total{a="1",b="1"} 2.0\ntrailstream_x_total{a="1",b="2"} 3.0\ntrailstream_x_total{a="2"} 4.0\n'
        "# TYPE process_y gauge\nprocess_y 5.0\n"
    )
    assert samples.total("x_total") == 9
    assert samples.total("x_total", a="1") == 5
    assert samples.total("process_y") == 5
    assert samples.total("absent") == 0
