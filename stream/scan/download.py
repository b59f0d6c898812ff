"""Objects of S3 in; their bytes out, to a caller that knows no asyncio, a bounded number of objects ahead.

An event loop in a thread of its own does the fetching. What could not be had is a `LogFileError`, when it is its turn.
"""

import asyncio
import threading
from collections.abc import Coroutine, Iterator
from typing import Any, Final, Self, TypeVar

from stream.aws import Aws
from stream.errors import LogFileError
from stream.intake.notification import ObjectRef
from stream.intake.objects import Objects
from stream.metrics import Metrics
from stream.scan.sources import Source

_CHUNKS_HELD: Final = 16  # of each object, of 64 KB or more

_LOOK_S: Final = 1.0
_T = TypeVar("_T")

_Chunk = bytes | LogFileError | None
"""`None` ends the object; an error takes the place of what could not be had."""


class Downloads:
    """The thread and its loop; use it with `with`, or leave its end to the end of the process."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._running = threading.Event()
        self._stop = asyncio.Event()
        self._failure: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="downloads", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self._running.wait()
        return self

    def __exit__(self, *exc_info: object) -> None:
        if self._loop is not None and self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stop.set)
            self._thread.join()

    def begin(self, source: Source) -> Iterator[bytes]:
        """Begin to fetch an object now, and give its chunks to whoever iterates."""
        queue: asyncio.Queue[_Chunk] = asyncio.Queue(_CHUNKS_HELD)
        if self._loop is None or not self._thread.is_alive():
            return self._chunks(queue, None)
        return self._chunks(queue, self._wait(self._spawn(source, queue), self._loop))

    def _chunks(self, queue: asyncio.Queue[_Chunk], task: asyncio.Task[None] | None) -> Iterator[bytes]:
        loop = self._loop
        if task is None or loop is None:
            raise self._ended()
        try:
            while True:
                for chunk in self._wait(_take(queue), loop):
                    if chunk is None:
                        return
                    if isinstance(chunk, LogFileError):
                        raise chunk
                    yield chunk
        finally:
            if not loop.is_closed():
                loop.call_soon_threadsafe(task.cancel)

    def _wait(self, coroutine: Coroutine[Any, Any, _T], loop: asyncio.AbstractEventLoop) -> _T:
        """What a coroutine comes to in the loop's thread; should that thread end, nobody waits for it in vain."""
        future = asyncio.run_coroutine_threadsafe(coroutine, loop)
        while True:
            try:
                return future.result(_LOOK_S)
            except TimeoutError:
                if not self._thread.is_alive():
                    raise self._ended() from None

    def _ended(self) -> LogFileError:
        return LogFileError("unavailable", f"nothing can be fetched: {type(self._failure).__name__}")

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except Exception as error:  # noqa: BLE001 - it becomes the fault of every object, in the other thread
            self._failure = error
        finally:
            self._running.set()

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        async with Objects(Aws(Metrics())) as self._objects, asyncio.TaskGroup() as self._group:
            self._tasks: set[asyncio.Task[None]] = set()
            self._running.set()
            await self._stop.wait()
            for task in self._tasks:
                task.cancel()

    async def _spawn(self, source: Source, queue: asyncio.Queue[_Chunk]) -> asyncio.Task[None]:
        task = self._group.create_task(self._fetch(source, queue))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _fetch(self, source: Source, queue: asyncio.Queue[_Chunk]) -> None:
        reference = ObjectRef.newest(source.bucket, source.key, size=source.size_bytes)
        try:
            async with self._objects.open(reference) as log_file:
                while chunk := await log_file.read():
                    await queue.put(chunk)
            await queue.put(None)
        except LogFileError as error:
            await queue.put(error)
        except Exception as error:  # noqa: BLE001 - whoever waits for this object has to hear of it
            await queue.put(LogFileError("unavailable", type(error).__name__))


async def _take(queue: asyncio.Queue[_Chunk]) -> list[_Chunk]:
    """At least one chunk, and what else is there: going from thread to thread costs more than a chunk does."""
    taken = [await queue.get()]
    while not queue.empty():
        taken.append(queue.get_nowait())
    return taken
