"""The demo: traffic with planted changes in, through an embedded AWS and the real workload, alerts and the books out.

One process tree on one machine; everything lies under one temporary folder, and neither it nor a process is left.
"""

import asyncio
import base64
import datetime as dt
import secrets
import signal
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rich.console import Console, RenderableType
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

from stream.demo.emulator import Emulator
from stream.demo.generator import Generator
from stream.demo.receiver import AlertReceiver, Terminal
from stream.demo.report import Outcome, reconcile, render, render_next
from stream.demo.traffic import Traffic, log_files, set_up, upload
from stream.demo.wiring import Wiring, wire
from stream.demo.workload import Samples, Workload

_NAME: Final = "trailstream-demo"
_LOG_BUCKET: Final = "example-audit-logs"
_MAX_RECEIVE_COUNT: Final = 3  # a real queue's is 10 or more; nobody waits that long for the dead letters of a demo
_RETRY_DELAY_S: Final = 0.25
_DELIVERY_DELAY: Final = dt.timedelta(minutes=4)  # CloudTrail's own is 3 to 10 minutes
_SETTLE_TIMEOUT_S: Final = 60.0
_POLL_S: Final = 0.2


def run_demo(files: int, rate: float, keep: bool) -> int:
    """Run the demo; return the exit code: 0 if all came out as planted, 1 otherwise, 128 + n if signal n cut it short.

    Args:
        files: log files to write.
        rate: log files a second.
        keep: go on after these until SIGINT or SIGTERM; then the books are closed, and that is no cutting short.

    Raises:
        ConfigError: the `demo` extra is not installed.
        TrailstreamError: the embedded AWS or the workload did not start, or ended early.
    """
    return asyncio.run(demo(files, rate, keep=keep, console=Terminal(highlight=False)))


async def demo(files: int, rate: float, *, keep: bool, console: Console) -> int:
    """Do what `run_demo` says; this task takes the process's signals meanwhile."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    stopping = asyncio.Event()
    received: list[signal.Signals] = []

    def interrupted(number: signal.Signals) -> None:
        received.append(number)
        if keep and len(received) == 1:
            stopping.set()
        elif task is not None:
            task.cancel()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, interrupted, number)
    try:
        async with _stage(console) as stage:
            return await _play(stage, files, rate, keep=keep, stopping=stopping)
    except asyncio.CancelledError:
        if not received:
            raise
        return 128 + received[-1]
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)


@dataclass(frozen=True, slots=True)
class _Stage:
    """All that has to run before the play begins."""

    console: Console
    emulator: Emulator
    wiring: Wiring
    receiver: AlertReceiver
    workload: Workload


@asynccontextmanager
async def _stage(console: Console) -> AsyncIterator[_Stage]:
    secret = "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="trailstream-demo-")))
        _say(console, "Starting an embedded AWS: S3, SQS, SNS, EventBridge …")
        emulator = stack.enter_context(Emulator(folder))
        wiring = await stack.enter_async_context(wire(emulator.endpoint, _NAME, max_receive_count=_MAX_RECEIVE_COUNT))
        receiver = await stack.enter_async_context(AlertReceiver(secret, console))
        _say(console, "Starting `trailstream run` …")
        settings = {
            "QUEUE_URL": wiring.queue_url,
            "BUCKETS": f"{_NAME}-*",
            "LOG_BUCKETS": _LOG_BUCKET,
            "WEBHOOK_URL": receiver.url,
            "WEBHOOK_SECRET": secret,
            "RETRY_DELAY": str(_RETRY_DELAY_S),
            "SHUTDOWN_GRACE": "5",
        }
        workload = await stack.enter_async_context(Workload(settings, emulator.environ, folder))
        yield _Stage(console, emulator, wiring, receiver, workload)


async def _play(stage: _Stage, files: int, rate: float, *, keep: bool, stopping: asyncio.Event) -> int:
    if keep:
        _show_addresses(stage)
    generator = Generator(clock=lambda: dt.datetime.now(dt.UTC) - _DELIVERY_DELAY, log_bucket=_LOG_BUCKET)
    traffic = Traffic(started=time.monotonic())
    with _progress(stage, traffic, None if keep else files):
        await set_up(stage.wiring, generator, traffic)
        await upload(
            stage.wiring,
            generator,
            log_files(generator, files, endless=keep),
            rate,
            traffic,
            stopping=stopping,
            check=stage.workload.check,
        )
        samples, elapsed_s = await _settled(stage, traffic)
    await stage.workload.stop()
    outcome = Outcome(
        books=reconcile(traffic.planted, traffic.uploaded_at, stage.receiver.arrivals),
        traffic=traffic,
        samples=samples,
        elapsed_s=elapsed_s,
        refused=stage.receiver.refused,
        exit_code=stage.workload.exit_code,
    )
    render(outcome, stage.console)
    faults = outcome.faults()
    for fault in faults:
        _say(stage.console, fault, "bold red")
    if faults:
        _say(stage.console, f"The end of the workload's log:\n{stage.workload.tail()}")
        return 1
    render_next(stage.console)
    return 0


async def _settled(stage: _Stage, traffic: Traffic) -> tuple[Samples, float]:
    """Wait until all of it has come out at the other end, or until that takes too long.

    Returns the last metrics, and the seconds from the first upload until every log file was read.
    """
    deadline = time.monotonic() + _SETTLE_TIMEOUT_S
    elapsed_s = 0.0
    while True:
        stage.workload.check()
        samples = await stage.workload.scrape()
        read = samples.total("log_files_total", outcome="read") >= traffic.log_files
        if read and not elapsed_s:
            elapsed_s = time.monotonic() - traffic.started
        alerted = {arrival.event_id for arrival in stage.receiver.arrivals} >= traffic.planted.keys()
        traffic.dead_letters = await stage.wiring.dead_letters()
        if read and alerted and traffic.dead_letters >= traffic.faults and (await stage.wiring.depth()).total == 0:
            return samples, elapsed_s
        if time.monotonic() > deadline:
            return samples, elapsed_s or time.monotonic() - traffic.started
        await asyncio.sleep(_POLL_S)


@contextmanager
def _progress(stage: _Stage, traffic: Traffic, files: int | None) -> Iterator[None]:
    """On a terminal, three bars below the alerts; nothing anywhere else."""
    if not stage.console.is_terminal:
        yield
        return
    progress = Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), console=stage.console
    )
    uploads, alerts, faults = (progress.add_task(name, total=None) for name in ("log files", "alerts", "dead letters"))

    def bars() -> RenderableType:
        total = None if files is None else max(files, traffic.log_files)
        progress.update(uploads, completed=traffic.log_files, total=total)
        progress.update(alerts, completed=len(stage.receiver.arrivals), total=len(traffic.planted))
        progress.update(faults, completed=traffic.dead_letters, total=traffic.faults)
        return progress.get_renderable()

    with Live(get_renderable=bars, console=stage.console, transient=True, refresh_per_second=5):
        yield


def _show_addresses(stage: _Stage) -> None:
    environ = " ".join(f"{name}={stage.emulator.environ[name]}" for name in _SHOWN)
    for name, value in (
        ("page", stage.workload.page),
        ("metrics", f"{stage.workload.address}/metrics"),
        ("queue", stage.wiring.queue_url),
        ("dead letters", stage.wiring.dead_letter_url),
        ("buckets", ", ".join(stage.wiring.buckets.values())),
        ("receiver", stage.receiver.url),
        ("log", str(stage.workload.log)),
        ("AWS", environ),
    ):
        stage.console.print(Text.assemble((f"{name:<13}", "dim"), value), soft_wrap=True)
    _say(stage.console, "Ctrl-C ends it and closes the books.", "bold")


_SHOWN: Final = ("AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION", "AWS_DEFAULT_REGION")


def _say(console: Console, text: str, style: str = "") -> None:
    console.print(Text(text, style), soft_wrap=True)
