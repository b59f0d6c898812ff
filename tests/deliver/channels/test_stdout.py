import asyncio
import json
import os
import select
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from stream.deliver.channel import Accepted, Down, Retry
from stream.deliver.channels.stdout import StdoutChannel, StdoutSettings
from tests.deliver.alerts import make_alert


class _Pipe:
    def __init__(self) -> None:
        self.reading, self.writing = os.pipe()

    def close_reading(self) -> None:
        os.close(self.reading)

    def fill(self) -> None:
        """Write until no more goes in."""
        poll = select.poll()
        poll.register(self.writing, select.POLLOUT)
        while poll.poll(0):
            os.write(self.writing, b"\n" * select.PIPE_BUF)

    def drain(self) -> bytes:
        """Read what is there."""
        poll = select.poll()
        poll.register(self.reading, select.POLLIN)
        found = b""
        while poll.poll(0) and (piece := os.read(self.reading, 65_536)):
            found += piece
        return found


@pytest.fixture
def pipe() -> Iterator[_Pipe]:
    made = _Pipe()
    with ExitStack() as stack:
        for descriptor in (made.reading, made.writing):
            stack.callback(_close, descriptor)
        yield made


def _close(descriptor: int) -> None:
    with suppress(OSError):
        os.close(descriptor)


def _channel(descriptor: int, timeout: float = 5.0) -> StdoutChannel:
    settings = StdoutSettings.model_validate({"TRAILSTREAM_STDOUT": True, "timeout": timeout})
    return StdoutChannel(settings, descriptor=descriptor)


async def test_an_alert_is_one_line_of_json(pipe: _Pipe) -> None:
    alert = make_alert(title="two\nlines\r\u2028")
    assert await _channel(pipe.writing).send(alert) == Accepted()
    written = pipe.drain()
    assert written == alert.to_json() + b"\n"
    assert len(written.splitlines()) == 1


async def test_the_minimal_line_has_no_record(pipe: _Pipe) -> None:
    assert await _channel(pipe.writing).send(make_alert(), minimal=True) == Accepted()
    line = json.loads(pipe.drain())
    assert line["minimal"] is True
    assert "record" not in line


async def test_lines_of_any_size_never_mix(pipe: _Pipe) -> None:
    channel = _channel(pipe.writing)
    pieces: list[bytes] = []

    def read() -> None:
        while piece := os.read(pipe.reading, 1000):
            pieces.append(piece)

    reader = threading.Thread(target=read)
    reader.start()
    alerts = [make_alert(f"alert-{n}", record={"padding": str(n) * 50_000}) for n in range(10)]
    answers = await asyncio.gather(*(channel.send(alert) for alert in alerts))
    os.close(pipe.writing)
    await asyncio.to_thread(reader.join, 10)
    assert answers == [Accepted()] * 10
    assert b"".join(pieces).splitlines() == [alert.to_json() for alert in alerts]


async def test_a_reader_who_sleeps_holds_up_nothing_else(pipe: _Pipe) -> None:
    pipe.fill()
    sending = asyncio.create_task(_channel(pipe.writing).send(make_alert()))
    await asyncio.wait_for(asyncio.sleep(0), 1)
    assert not sending.done()
    pipe.drain()
    assert await sending == Accepted()
    assert pipe.drain() == make_alert().to_json() + b"\n"


async def test_a_reader_who_does_not_wake_is_a_timeout_and_the_line_is_not_written(pipe: _Pipe) -> None:
    pipe.fill()
    channel = _channel(pipe.writing, timeout=0.05)
    assert await channel.send(make_alert("a")) == Retry("timeout")
    pipe.drain()
    assert await channel.send(make_alert("b")) == Accepted()
    assert [json.loads(line)["id"] for line in pipe.drain().splitlines()] == ["b"]


async def test_a_line_that_was_begun_is_finished_before_the_next(pipe: _Pipe) -> None:
    channel = _channel(pipe.writing, timeout=0.05)
    long = make_alert("a", record={"padding": "x" * 300_000})
    assert await channel.send(long) == Retry("timeout")
    beginning = pipe.drain()
    assert 0 < len(beginning) < 300_000
    sending = asyncio.create_task(_send_patiently(channel))
    rest = b""
    async with asyncio.timeout(10):
        while not sending.done():
            rest += pipe.drain()
            await asyncio.sleep(0)
    rest += pipe.drain()
    lines = (beginning + rest).splitlines()
    assert lines == [long.to_json(), make_alert("b").to_json()]


async def _send_patiently(channel: StdoutChannel) -> None:
    while await channel.send(make_alert("b")) != Accepted():
        pass


async def test_a_reader_who_has_left_is_down(pipe: _Pipe) -> None:
    pipe.close_reading()
    assert await _channel(pipe.writing).send(make_alert()) == Down("gone")


async def test_an_output_that_was_closed_is_down(pipe: _Pipe) -> None:
    os.close(pipe.writing)
    assert await _channel(pipe.writing).send(make_alert()) == Down("gone")


async def test_a_full_disk_is_tried_again() -> None:
    try:
        full = os.open("/dev/full", os.O_WRONLY)
    except OSError:
        pytest.skip("this system has no /dev/full")
    try:
        assert await _channel(full).send(make_alert()) == Retry("other")
    finally:
        os.close(full)


async def test_a_file_is_written_to(tmp_path: Path) -> None:
    descriptor = os.open(tmp_path / "alerts.jsonl", os.O_WRONLY | os.O_CREAT)
    try:
        assert await _channel(descriptor).send(make_alert()) == Accepted()
        assert (tmp_path / "alerts.jsonl").read_bytes() == make_alert().to_json() + b"\n"
    finally:
        os.close(descriptor)


def test_without_a_descriptor_it_is_the_processs_standard_output() -> None:
    program = (
        "import asyncio\n"
        "from stream.deliver.channels.stdout import StdoutChannel, StdoutSettings\n"
        "from tests.deliver.alerts import make_alert\n"
        "print(asyncio.run(StdoutChannel(StdoutSettings(TRAILSTREAM_STDOUT=True)).send(make_alert())),"
        " file=__import__('sys').stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, timeout=60, check=True)
    assert done.stdout == make_alert().to_json() + b"\n"
    assert done.stderr.strip() == b"Accepted()"
