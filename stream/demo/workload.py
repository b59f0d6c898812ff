"""The real `trailstream run` as a child process: started, waited for, measured and stopped as Kubernetes would."""

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Final, Self

import aiohttp
from prometheus_client.parser import text_string_to_metric_families

from stream.demo.emulator import free_port
from stream.demo.lifeline import child_environ, command
from stream.errors import TrailstreamError
from stream.terminal import inert

_START_TIMEOUT_S: Final = 30.0
_REQUEST_TIMEOUT_S: Final = 5.0
_POLL_S: Final = 0.05
_LEFT_OUT: Final = ("TRAILSTREAM_", "AWS_")


class WorkloadError(TrailstreamError):
    """The workload did not start, or ended on its own; the message ends with the last lines of its log."""


class Samples:
    """One scrape of `/metrics`."""

    def __init__(self, text: str) -> None:
        self._samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]

    def total(self, name: str, **labels: str) -> float:
        """Sum of the samples of this name (without `trailstream_`) that have these labels; 0 if there is none."""
        return sum(
            sample.value
            for sample in self._samples
            if sample.name in (f"trailstream_{name}", name) and labels.items() <= sample.labels.items()
        )


class Workload:
    """`async with Workload(settings, aws_environ, folder) as workload`: inside it is ready, after it is gone.

    Attributes:
        address: `http://127.0.0.1:<port>` of its `/metrics`, `/healthz` and `/readyz`.
        page: the address of its page for people.
        log: the file that it writes its log to.
        exit_code: once it has ended.
    """

    def __init__(
        self, settings: Mapping[str, str], aws_environ: Mapping[str, str], folder: Path, *, stop_timeout_s: float = 10.0
    ) -> None:
        """Take settings without their prefix; `folder`, its own, gets the log and is its working directory."""
        port, page = free_port(), free_port()
        self.address = f"http://127.0.0.1:{port}"
        self.page = f"http://localhost:{page}/"
        self.exit_code: int | None = None
        self.log = folder / "trailstream.log"
        self._folder = folder
        self._stop_timeout_s = stop_timeout_s
        inherited = {name: value for name, value in os.environ.items() if not name.upper().startswith(_LEFT_OUT)}
        own = {"HTTP_HOST": "127.0.0.1", "HTTP_PORT": str(port), "STATUS_PORT": str(page), **settings}
        self._environ = (
            child_environ(inherited) | dict(aws_environ) | {f"TRAILSTREAM_{name}": each for name, each in own.items()}
        )
        self._process: asyncio.subprocess.Process | None = None
        self._stack = contextlib.AsyncExitStack()

    async def __aenter__(self) -> Self:
        async with contextlib.AsyncExitStack() as stack:
            timeout = aiohttp.ClientTimeout(total=_REQUEST_TIMEOUT_S)
            self._http = await stack.enter_async_context(aiohttp.ClientSession(timeout=timeout))
            output: BinaryIO = stack.enter_context(self.log.open("wb"))
            self._process = await asyncio.create_subprocess_exec(
                *command(self._folder, "stream", "run"),
                stdin=asyncio.subprocess.PIPE,  # the lifeline
                stdout=output,
                stderr=output,
                cwd=self._folder,
                env=self._environ,
                start_new_session=True,  # a terminal's Ctrl-C is ours to pass on, after the last alert
            )
            stack.push_async_callback(self.stop)
            await self._ready()
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    @property
    def pid(self) -> int:
        """Of the process; RuntimeError outside the context."""
        if self._process is None:
            raise RuntimeError("the workload is not running")
        return self._process.pid

    def check(self) -> None:
        """Raise WorkloadError if it has ended without being asked to."""
        if self._process is not None and self._process.returncode is not None:
            raise WorkloadError(f"`trailstream run` ended with exit code {self._process.returncode}:\n{self.tail()}")

    async def scrape(self) -> Samples:
        """Its metrics of this moment."""
        async with self._http.get(f"{self.address}/metrics", headers={"Accept": "text/plain"}) as answer:
            return Samples(await answer.text())

    async def stop(self) -> None:
        """SIGTERM, and SIGKILL for one that does not heed it; idempotent."""
        process, self._process = self._process, None
        if process is None:
            return
        try:
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGTERM)
            async with asyncio.timeout(self._stop_timeout_s):
                await process.wait()
        except TimeoutError:
            pass
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            self.exit_code = await process.wait()

    def tail(self, lines: int = 12) -> str:
        """The last lines of its log, harmless on a terminal."""
        return "\n".join(self._tail(lines))

    def _tail(self, lines: int) -> Iterator[str]:
        if self.log.exists():
            for line in self.log.read_text(errors="replace").splitlines()[-lines:]:
                yield inert(line, 400)

    async def _ready(self) -> None:
        deadline = time.monotonic() + _START_TIMEOUT_S
        while time.monotonic() < deadline:
            self.check()
            with contextlib.suppress(aiohttp.ClientError, TimeoutError):
                async with self._http.get(f"{self.address}/readyz") as answer:
                    if answer.status == 200:
                        return
            await asyncio.sleep(_POLL_S)
        raise WorkloadError(f"`trailstream run` was not ready within {_START_TIMEOUT_S:.0f} s:\n{self.tail()}")
