"""The process itself: its memory, and the signals that it gets."""

import asyncio
import ctypes
import gc
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Final

import structlog

from stream.deliver.dispatcher import Dispatcher
from stream.intake.queue import Queue
from stream.reload import Reloader

log = structlog.get_logger()

_YOUNG: Final = 2_000
_MIDDLE: Final = 5
# Among so many new objects, and among those of so many times, the collector looks for cycles on its own, which takes
# some milliseconds at most; all that is not new takes a tenth of a second in a storm of alerts.
_NEVER: Final = 1 << 30

_LOOKED_EVERY_S: Final = 5.0
_QUIET_S: Final = 30.0
_LONGEST_S: Final = 600.0
_MOST_PASSES: Final = 80
"""Passes over what is new after which there may be a million objects more, of which most are garbage, or in hand."""
_M_ARENA_MAX: Final = -8  # of glibc's malloc.h


def spare_the_collector() -> None:
    """Leave what is there for good (modules, rules, service models) out of every collection, and the old to `tidy`.

    What a message leaves behind is freed by reference counts; cycles are few.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG, _MIDDLE, _NEVER)
    gc.enable()
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)  # what starting took for a moment; glibc's


async def tidy(busy: Callable[[], bool]) -> None:
    """Look for cycles among all there is when nothing is to be done, and before there can be too many; for ever.

    With thousands of alerts in hand it takes a tenth of a second, in which nothing else happens.
    """
    waited_s = 0.0
    while True:
        await asyncio.sleep(_LOOKED_EVERY_S)
        waited_s += _LOOKED_EVERY_S
        passes = gc.get_count()[2]
        if waited_s >= (_LONGEST_S if busy() else _QUIET_S) or passes >= _MOST_PASSES:
            gc.collect()
            waited_s = 0.0


def share_one_heap() -> None:
    """Let all threads allocate from one heap, which keeps 5 MB less: what one of them frees is of use to another.

    Only glibc has a heap for each thread, and this to say about it (mallopt(3)).
    """
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 1)


@contextmanager
def stopping_on_signals(queue: Queue, dispatcher: Dispatcher) -> Iterator[None]:
    """SIGTERM and SIGINT begin the shutdown; a second one ends the process at once."""
    loop = asyncio.get_running_loop()
    told = False

    def stop(number: int) -> None:
        nonlocal told
        if told:
            os._exit(128 + number)
        told = True
        log.info("stopping", signal=signal.Signals(number).name, in_flight=queue.in_flight)
        queue.stop()
        dispatcher.flush(for_good=True)

    numbers = (signal.SIGTERM, signal.SIGINT)
    for number in numbers:
        loop.add_signal_handler(number, stop, number)
    try:
        yield
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)


@contextmanager
def reloading_on_sighup(reloader: Reloader) -> Iterator[None]:
    """SIGHUP has files read again at once, changed or not."""
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGHUP, reloader.ask)
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGHUP)
