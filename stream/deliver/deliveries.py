"""The alerts of one message on their way to people, while others of it are found."""

import asyncio
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Any, Final, Self

_AT_ONCE: Final = 2000
# So many alerts of one message are on their way at most, about ten megabytes: a file full of matches waits for its
# channels, and costs no more memory than that.


class Deliveries:
    """A group of tasks, to be used with `async with`; it is made for the first, since most messages bring none.

    Args:
        make_room: runs beside them from when one has to wait for others, which may only wait for company themselves,
            until all are begun.
    """

    def __init__(self, make_room: Callable[[], Coroutine[Any, Any, None]]) -> None:
        self._make_room = make_room
        self._making_room: asyncio.Task[None] | None = None
        self._group: asyncio.TaskGroup | None = None
        self._room = asyncio.Semaphore(_AT_ONCE)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._making_room is not None:
            self._making_room.cancel()
        if self._group is not None:
            await self._group.__aexit__(kind, error, traceback)

    async def begin(self, deliver: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Begin to deliver an alert; waits while too many are on their way."""
        if self._group is None:
            self._group = await asyncio.TaskGroup().__aenter__()
        if self._room.locked() and self._making_room is None:
            self._making_room = self._group.create_task(self._make_room())
        await self._room.acquire()
        self._group.create_task(deliver()).add_done_callback(lambda _: self._room.release())
