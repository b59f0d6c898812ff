"""What reaches the log, and what never does."""

import io
import json
import logging
import warnings
from collections.abc import Iterator

import pytest
import structlog

from stream import logs
from stream.repeats import MOST


@pytest.fixture(autouse=True)
def _logging_as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    before = root.handlers, root.level, structlog.get_config()
    yield
    root.handlers, root.level = before[0], before[1]
    structlog.configure(**before[2])
    logging.captureWarnings(capture=False)


@pytest.fixture
def stream() -> io.StringIO:
    return io.StringIO()


def lines(stream: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_an_event_is_a_line_of_json_that_begins_with_time_level_and_event(stream: io.StringIO) -> None:
    logs.configure("info", "json", stream)
    structlog.get_logger().warning("message failed", bucket="acme", receive_count=3)
    (line,) = lines(stream)

    assert list(line) == ["timestamp", "level", "event", "bucket", "receive_count"]
    assert (line["level"], line["event"], line["bucket"], line["receive_count"]) == (
        "warning",
        "message failed",
        "acme",
        3,
    )
    assert str(line["timestamp"]).endswith("Z")


def test_what_is_quieter_than_the_level_is_left_out(stream: io.StringIO) -> None:
    logs.configure("warning", "json", stream)
    log = structlog.get_logger()
    log.debug("no")
    log.info("no")
    log.error("yes")

    assert [line["event"] for line in lines(stream)] == ["yes"]


def test_the_standard_library_comes_through_from_warning_upwards(stream: io.StringIO) -> None:
    logs.configure("debug", "json", stream)
    for name in ("aiobotocore", "asyncio", "aiohttp.access"):
        logging.getLogger(name).info("no")
        logging.getLogger(name).warning("of %s", name)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn("old", DeprecationWarning, stacklevel=1)

    first, second, third, fourth = lines(stream)
    assert [line["logger"] for line in (first, second, third)] == ["aiobotocore", "asyncio", "aiohttp.access"]
    assert first["event"] == "of aiobotocore"
    assert "old" in str(fourth["event"])


@pytest.mark.parametrize("field", ["receipt_handle", "record", "secret", "authorization", "webhook_url", "body"])
def test_fields_that_could_hold_a_secret_or_a_record_do_not(stream: io.StringIO, field: str) -> None:
    logs.configure("info", "json", stream)
    structlog.get_logger().info("event", **{field: "hunter2"})

    assert "hunter2" not in stream.getvalue()
    assert lines(stream)[0][field] == "********"


@pytest.mark.parametrize("format_", ["json", "console"])
def test_an_exception_is_its_class_and_place_but_not_its_text(stream: io.StringIO, format_: logs.Format) -> None:
    logs.configure("info", format_, stream)
    try:
        try:
            raise OSError("https://hooks.example/T0/hunter2")
        except OSError as error:
            raise ExceptionGroup("hunter2", [ValueError("hunter2"), KeyError("hunter2")]) from error
    except ExceptionGroup:
        structlog.get_logger().exception("failed")
        logging.getLogger("asyncio").exception("failed too")

    assert "hunter2" not in stream.getvalue()
    assert stream.getvalue().count("ExceptionGroup[ValueError, KeyError]") == 2
    assert stream.getvalue().count("test_logs.py:") == 2


def test_a_library_may_not_tell_the_path_of_a_url(stream: io.StringIO) -> None:
    logs.configure("info", "json", stream)
    logging.getLogger("asyncio").error("future: <exception=Oops('POST https://u:p@hooks.example:8443/T0/hunter2?a=b')>")

    assert lines(stream)[0]["event"] == "future: <exception=Oops('POST https://hooks.example:8443/…')>"


@pytest.mark.parametrize("format_", ["json", "console"])
def test_an_attacker_can_write_neither_lines_nor_control_codes(stream: io.StringIO, format_: logs.Format) -> None:
    logs.configure("info", format_, stream)
    hostile = '\x1b[2J\n{"event":"all is well"}\u202e'
    structlog.get_logger().info("found", key=hostile, keys=[hostile], more={hostile: hostile})
    logging.getLogger("botocore").warning(hostile)

    assert len(stream.getvalue().splitlines()) == 2
    assert stream.getvalue().replace("\n", "").isprintable()


def test_nothing_that_is_logged_raises(stream: io.StringIO) -> None:
    logs.configure("info", "json", stream)
    structlog.get_logger().info("odd", big=1 << 80, raw=b"\xff", thing=object(), lone="\ud800", none=None, number=0.5)
    (line,) = lines(stream)

    assert line["big"] == 1 << 80
    assert line["lone"] == "\\ud800"
    assert line["none"] is None
    assert line["number"] == 0.5


def test_long_fields_are_cut(stream: io.StringIO) -> None:
    logs.configure("info", "json", stream)
    structlog.get_logger().info("long", key="k" * 100_000)

    assert len(stream.getvalue()) < 3_000


def test_colours_are_for_terminals_that_want_them(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    coloured, plain = Terminal(), Terminal()
    monkeypatch.delenv("NO_COLOR", raising=False)
    logs.configure("info", "console", coloured)
    structlog.get_logger().info("event")
    monkeypatch.setenv("NO_COLOR", "1")
    logs.configure("info", "console", plain)
    structlog.get_logger().info("event")

    assert "\x1b[" in coloured.getvalue()
    assert "\x1b[" not in plain.getvalue()
    assert "event" in plain.getvalue()


def test_lines_that_say_the_same_are_limited(stream: io.StringIO) -> None:
    logs.configure("info", "json", stream)
    for _ in range(MOST + 5):
        structlog.get_logger().warning("refused", reason="connection")
    assert len(lines(stream)) == MOST
