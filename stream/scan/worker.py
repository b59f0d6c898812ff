"""What a process of the pool does: batches of log files in, their findings and tallies out, bounded in memory.

It ends with its parent, even with one that was killed, and leaves Ctrl-C to it.
"""

import multiprocessing
import os
import signal
import tempfile
import threading
from collections.abc import Iterable, Iterator
from ctypes import c_bool, c_uint64
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

import msgspec

from stream.errors import TrailstreamError
from stream.scan.opening import Opener
from stream.scan.reading import Finding, Plan, Reader, Tally
from stream.scan.sources import Source

_BATCH_FINDINGS: Final = 2_000
"""Findings of one batch that are held in memory; the rest waits in temporary files."""


class Result(msgspec.Struct, frozen=True):
    """One log file, read.

    Attributes:
        spilled: path of a file with the findings that come after `findings`, or `None`.
    """

    tally: Tally
    findings: tuple[Finding, ...] = ()
    spilled: str | None = None

    def all_findings(self) -> Iterator[Finding]:
        """Every finding, in the order of the log file; to be had once."""
        yield from self.findings
        if self.spilled is not None:
            decode = msgspec.json.Decoder(Finding).decode
            with Path(self.spilled).open("rb") as lines:
                for line in lines:
                    yield decode(line)
            Path(self.spilled).unlink()


@dataclass(frozen=True, slots=True)
class Shared:
    """What the processes of a pool share with their parent: memory without locks, which a killed process would keep.

    Attributes:
        folder: where temporary files go; the parent removes it.
        stop: not 0 when nobody wants the rest.
        worked_bytes: stored bytes worked through so far by all of them, less what two of them added at once: it only
            moves a bar.
    """

    folder: str
    stop: c_bool
    worked_bytes: c_uint64


class StoppedError(TrailstreamError):
    """The parent wants no more."""


class _Worker:
    def __init__(self, reader: Reader, shared: Shared) -> None:
        self._reader = reader
        self._opener = Opener()
        self._shared = shared
        self._held = 0

    def read(self, batch: Iterable[Source]) -> list[Result]:
        """Read log files one after the other."""
        self._held = 0
        return [self._result(source, chunks) for source, chunks in self._opener.opened(batch)]

    def _result(self, source: Source, chunks: Iterable[bytes]) -> Result:
        tally = Tally(source.name)
        findings: list[Finding] = []
        spill: IO[bytes] | None = None
        try:
            for finding in self._reader.read(source, chunks, tally, self._advance):
                if self._held < _BATCH_FINDINGS:
                    self._held += 1
                    findings.append(finding)
                    continue
                if spill is None:
                    # The parent reads it, so it must outlive this function.
                    spill = tempfile.NamedTemporaryFile(dir=self._shared.folder, delete=False)  # noqa: SIM115
                spill.write(msgspec.json.encode(finding) + b"\n")
        finally:
            if spill is not None:
                spill.close()
        return Result(tally, tuple(findings), None if spill is None else spill.name)

    def _advance(self, count: int) -> None:
        if self._shared.stop.value:
            raise StoppedError
        self._shared.worked_bytes.value += count


_worker: _Worker


def start(reading: Reader | Plan, shared: Shared) -> None:
    """Begin a process of the pool: what `ProcessPoolExecutor` calls its initializer.

    Args:
        reading: how log files are read: what its parent made of the plan, or the plan alone where nothing is inherited.
        shared: with its parent.
    """
    global _worker  # noqa: PLW0603 - an initializer has no other way to leave something to its process's tasks
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    threading.Thread(target=_end_with_parent, name="lifeline", daemon=True).start()
    _worker = _Worker(Reader(reading) if isinstance(reading, Plan) else reading, shared)


def read_batch(batch: tuple[Source, ...]) -> list[Result]:
    """One task of the pool.

    Raises:
        StoppedError: the parent wants no more.
    """
    return _worker.read(batch)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
