"""How long people and Kubernetes wait: from the start of the process to `/readyz`, and for `--help`."""

import asyncio
import os
import signal
import statistics
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from typing import Final

from stream.demo.emulator import Emulator, free_port
from tests.benchmarks.running import queue
from tests.benchmarks.subject import Target, say

TARGETS = (
    Target("Start of `run` to `/readyz`, best and median of 5", "≤ 1.0 s"),
    Target("`trailstream --help`, best and median of 5", "≤ 150 ms"),
)

_TIMES: Final = 5
_POLL_S: Final = 0.005
_PATIENCE_S: Final = 60.0
_DIRECT: Final = urllib.request.build_opener(urllib.request.ProxyHandler({}))


async def measure() -> Sequence[str]:
    with Emulator() as emulator:
        async with queue(emulator, "starting") as wiring:
            settings = {"TRAILSTREAM_QUEUE_URL": wiring.queue_url, "TRAILSTREAM_BUCKETS": "*"}
            ready = [await asyncio.to_thread(_to_ready, emulator.environ | settings) for _ in range(_TIMES)]
    helped = [await asyncio.to_thread(_help) for _ in range(_TIMES)]
    say(f"  ready after {_spread(ready)} s, help after {_spread(helped)} s")
    return (
        f"{min(ready):.2f} s, {statistics.median(ready):.2f} s",
        f"{min(helped) * 1e3:.0f} ms, {statistics.median(helped) * 1e3:.0f} ms",
    )


def _to_ready(environ: Mapping[str, str]) -> float:
    port = free_port()
    own = {
        "TRAILSTREAM_STDOUT": "true",
        "TRAILSTREAM_LOG_LEVEL": "error",
        "TRAILSTREAM_HTTP_HOST": "127.0.0.1",
        "TRAILSTREAM_HTTP_PORT": str(port),
        "TRAILSTREAM_STATUS_PORT": "0",
    }
    began = time.monotonic()
    process = subprocess.Popen(
        (sys.executable, "-m", "stream", "run"),
        env=_clean() | dict(environ) | own,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )
    try:
        while not _ready(port):
            if process.poll() is not None or time.monotonic() - began > _PATIENCE_S:
                raise RuntimeError(f"`trailstream run` did not become ready; exit code {process.returncode}")
            time.sleep(_POLL_S)
        return time.monotonic() - began
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()


def _ready(port: int) -> bool:
    try:
        with _DIRECT.open(f"http://127.0.0.1:{port}/readyz", timeout=5) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return False


def _help() -> float:
    began = time.monotonic()
    subprocess.run((sys.executable, "-m", "stream", "--help"), env=_clean(), check=True, stdout=subprocess.DEVNULL)
    return time.monotonic() - began


def _clean() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.upper().startswith(("TRAILSTREAM_", "AWS_"))}


def _spread(seconds: Sequence[float]) -> str:
    return ", ".join(f"{each:.3f}" for each in sorted(seconds))
