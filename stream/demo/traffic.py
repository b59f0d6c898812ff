"""Log files into the embedded AWS at a steady rate, by every route in turn, and the account of what went in."""

import asyncio
import contextlib
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

from stream.demo.emulator import EmulatorError
from stream.demo.generator import Generator, LogFile, Planted
from stream.demo.wiring import ROUTES, Wiring
from stream.errors import TrailstreamError

_FILES_A_STORY: Final = 60
_FILES_A_DIGEST: Final = 25
_FILES_A_LARGE_ONE: Final = 100
_LARGE_FILE_RECORDS: Final = 1_100
_CUT_FILE_RECORDS: Final = 200
_UPLOADS_AT_ONCE: Final = 16


@dataclass(slots=True)
class Traffic:
    """What went in so far; times are `time.monotonic()`.

    Attributes:
        uploaded_at: event id to when the upload of its first log file began.
        faults: messages that are to end in the dead-letter queue; `dead_letters`: those that have.
        other_objects: uploads that are no log files.
    """

    started: float
    planted: dict[str, Planted] = field(default_factory=dict)
    uploaded_at: dict[str, float] = field(default_factory=dict)
    log_files: int = 0
    records: int = 0
    json_bytes: int = 0
    compressed_bytes: int = 0
    faults: int = 0
    dead_letters: int = 0
    other_objects: int = 0

    def add(self, log_file: LogFile, at: float) -> None:
        """Count a log file whose upload begins."""
        self.log_files += 1
        self.records += log_file.records
        self.json_bytes += log_file.json_bytes
        self.compressed_bytes += len(log_file.body)
        for planted in log_file.planted:
            self.planted[planted.event_id] = planted
            self.uploaded_at.setdefault(planted.event_id, at)


def log_files(generator: Generator, count: int, *, endless: bool) -> Iterator[LogFile]:
    """So many log files with stories in them, and then as many more as are taken if it is to be endless."""
    yield from generator.log_files(count, stories=max(1, count // _FILES_A_STORY))
    index = 0
    while endless:
        if index % _FILES_A_STORY == 0:
            generator.begin_story()
        large = index % _FILES_A_LARGE_ONE == _FILES_A_LARGE_ONE // 2
        yield generator.log_file(_LARGE_FILE_RECORDS if large else None)
        index += 1


async def set_up(wiring: Wiring, generator: Generator, traffic: Traffic) -> None:
    """What comes through a real queue beside log files: set-up messages, another service's, and two faults.

    Call it before a story begins.
    """
    await wiring.publish("CloudTrail validation message.")
    await wiring.publish(json.dumps({"messageType": "ConfigurationItemChangeNotification", "configurationItem": {}}))
    await wiring.send("This is no notification.")
    cut = generator.log_file(_CUT_FILE_RECORDS)
    await wiring.put("s3", cut.key, cut.body[: len(cut.body) // 2])
    traffic.faults += 2


async def upload(
    wiring: Wiring,
    generator: Generator,
    source: Iterator[LogFile],
    rate: float,
    traffic: Traffic,
    *,
    stopping: asyncio.Event,
    check: Callable[[], None],
) -> None:
    """Upload a source, `rate` files a second, until it ends or `stopping` is set.

    The generator writes other objects between the log files; `check` is called before each file and may raise.

    Raises:
        TrailstreamError: by `check`, or because the embedded AWS does not answer.
    """
    slots = asyncio.Semaphore(_UPLOADS_AT_ONCE)

    async def put(index: int, log_file: LogFile) -> None:
        async with slots:
            traffic.add(log_file, time.monotonic())
            await wiring.put(ROUTES[index % len(ROUTES)], log_file.key, log_file.body)
            if index % _FILES_A_DIGEST == _FILES_A_DIGEST - 1:
                traffic.other_objects += 1
                await wiring.put("eventbridge", *generator.digest_file())

    began = time.monotonic()
    try:
        async with asyncio.TaskGroup() as group:
            index = 0
            while not stopping.is_set() and (log_file := await asyncio.to_thread(next, source, None)):
                check()
                group.create_task(put(index, log_file))
                index += 1
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(max(0.0, began + index / rate - time.monotonic())):
                        await stopping.wait()
    except ExceptionGroup as faults:
        ours = [each for each in faults.exceptions if isinstance(each, TrailstreamError)]
        raise (
            ours[0]
            if ours
            else EmulatorError(f"the embedded AWS does not answer: {type(faults.exceptions[0]).__name__}")
        ) from faults
