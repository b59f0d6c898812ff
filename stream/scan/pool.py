"""Sources in; out, in the same order, the results of reading them on several cores, a bounded number ahead."""

import gc
import multiprocessing
import os
import tempfile
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from ctypes import c_bool, c_uint64
from dataclasses import dataclass
from multiprocessing.context import BaseContext
from multiprocessing.sharedctypes import RawValue
from typing import Final, Self

from stream.scan import worker
from stream.scan.reading import Plan, Reader, Tally
from stream.scan.sources import Found, Source
from stream.scan.worker import Result, Shared

__all__ = ["Pool", "Result"]

_BATCH_BYTES: Final = 4 * 1024 * 1024
_BATCH_FILES: Final = 64
"""A task costs its hand-over about as much as reading one small log file: they travel together."""
_BATCHES_A_JOB: Final = 3
_TICK_S: Final = 0.1


@dataclass(frozen=True, slots=True)
class _Batch:
    sources: tuple[Source, ...]
    future: Future[list[Result]]


class Pool:
    """Processes that read log files; use it with `with`, and once.

    Args:
        plan: what to look for.
        reader: one that is made of this plan, which processes inherit where they can.
        jobs: number of processes.
        tick: called about ten times a second while results are waited for, with the stored bytes worked through.
    """

    def __init__(self, plan: Plan, reader: Reader, jobs: int, tick: Callable[[int], None]) -> None:
        self._plan = plan
        self._reader = reader
        self._jobs = jobs
        self._tick = tick
        self._folder = tempfile.TemporaryDirectory(prefix="trailstream-scan-")
        self._shared = Shared(self._folder.name, RawValue(c_bool, False), RawValue(c_uint64, 0))
        self._executor = self._start(jobs)
        self._single: ProcessPoolExecutor | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._shared.stop.value = True
        for executor in (self._executor, self._single):
            if executor is not None:
                executor.shutdown(wait=True, cancel_futures=True)
        self._folder.cleanup()

    def results(self, found: Iterable[Found]) -> Iterator[Result | Found]:
        """The results of all sources, in their order; what is not a source that processes can share comes as it is."""
        waiting: deque[_Batch | Found] = deque()
        for item in _batches(found):
            waiting.append(self._submit(item) if isinstance(item, tuple) else item)
            while len(waiting) >= self._jobs * _BATCHES_A_JOB:
                yield from self._next(waiting)
        while waiting:
            yield from self._next(waiting)

    def _next(self, waiting: deque[_Batch | Found]) -> Iterator[Result | Found]:
        item = waiting.popleft()
        if not isinstance(item, _Batch):
            yield item
            return
        while not wait((item.future,), timeout=_TICK_S).done:
            self._tick(self._shared.worked_bytes.value)
        try:
            results = item.future.result()
        except BrokenProcessPool:
            # Some log file killed its process (out of memory, most likely). Which, only one at a time can tell.
            for source in item.sources:
                yield self._read_alone(source)
            return
        self._tick(self._shared.worked_bytes.value)
        yield from results

    def _submit(self, sources: tuple[Source, ...]) -> _Batch:
        try:
            return _Batch(sources, self._executor.submit(worker.read_batch, sources))
        except BrokenProcessPool:
            self._executor.shutdown(wait=True)
            self._executor = self._start(self._jobs)
            return _Batch(sources, self._executor.submit(worker.read_batch, sources))

    def _read_alone(self, source: Source) -> Result:
        if self._single is None:
            self._single = self._start(1)
        try:
            return self._single.submit(worker.read_batch, (source,)).result()[0]
        except BrokenProcessPool:
            self._single.shutdown(wait=True)
            self._single = None
            return Result(Tally(source.name, fault="the process that read it died"))

    def _start(self, jobs: int) -> ProcessPoolExecutor:
        if not _is_alone():
            return ProcessPoolExecutor(
                jobs, mp_context=_fresh(), initializer=worker.start, initargs=(self._plan, self._shared)
            )
        # What is loaded and compiled is theirs without doing it again, which took as long as reading 300 MB of JSON.
        gc.freeze()  # or their collector would write to, and so copy, every page of it
        executor = ProcessPoolExecutor(
            jobs,
            mp_context=multiprocessing.get_context("fork"),
            initializer=worker.start,
            initargs=(self._reader, self._shared),
        )
        executor.submit(int)  # all of them start with the first task: now, while this process is alone
        return executor


def _is_alone() -> bool:
    """Whether a copy of this process would hold no thread in mid-step; only Linux can tell."""
    try:
        return len(os.listdir("/proc/self/task")) == 1  # noqa: PTH208 - it is no more than that
    except OSError:
        return False


def _fresh() -> BaseContext:
    """A way to start processes that copies nothing."""
    if "forkserver" in multiprocessing.get_all_start_methods():
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(["stream.scan.worker"])
        return context
    return multiprocessing.get_context("spawn")


def _batches(found: Iterable[Found]) -> Iterator[tuple[Source, ...] | Found]:
    """Neighbours that processes can share, together; everything else as it is, in the same order."""
    batch: list[Source] = []
    size_bytes = 0
    for item in found:
        if not isinstance(item, Source) or not item.shared:
            if batch:
                yield tuple(batch)
                batch, size_bytes = [], 0
            yield item
            continue
        batch.append(item)
        size_bytes += item.size_bytes
        if size_bytes >= _BATCH_BYTES or len(batch) >= _BATCH_FILES:
            yield tuple(batch)
            batch, size_bytes = [], 0
    if batch:
        yield tuple(batch)
