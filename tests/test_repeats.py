"""A flood of lines that say one thing becomes a few and a number; what names something is never left out."""

from typing import Any

import pytest
import structlog
from structlog.typing import EventDict

from stream.repeats import MOST, WINDOW_S, Repeats


class Lines:
    """What is written, line by line, by a clock that is turned by hand."""

    def __init__(self) -> None:
        self.now = 0.0
        self.written: list[EventDict] = []
        self.repeats = Repeats(self.written.append, now=lambda: self.now)

    def log(self, event: str, **fields: Any) -> None:
        try:
            self.written.append(self.repeats(None, "", {"event": event, "level": "warning", **fields}))
        except structlog.DropEvent:
            return

    def count(self, event: str) -> int:
        return sum(line["event"] == event for line in self.written)


def test_a_flood_is_limited_and_the_next_line_says_how_many_were_left_out() -> None:
    lines = Lines()
    for _ in range(MOST + 7):
        lines.log("refused", reason="connection")
    lines.log("refused", reason="timeout")
    assert lines.count("refused") == MOST + 1
    assert not any("repeated" in line for line in lines.written)

    lines.now += WINDOW_S
    lines.log("refused", reason="connection")
    assert lines.written[-1]["repeated"] == 7
    lines.log("refused", reason="connection")
    assert "repeated" not in lines.written[-1]


def test_when_it_is_over_any_other_line_or_the_end_says_it() -> None:
    lines = Lines()
    for channel in ("slack", "teams"):
        for _ in range(MOST + 3):
            lines.log("refused", channel=channel)
    lines.now += WINDOW_S - 1
    lines.log("other")
    assert not any("repeated" in line for line in lines.written)
    lines.now += 1
    lines.log("other")
    told = [(line["channel"], line["repeated"]) for line in lines.written if "repeated" in line]
    assert told == [("slack", 3), ("teams", 3)]

    for _ in range(MOST + 1):
        lines.log("again")
    lines.repeats.flush()
    lines.repeats.flush()
    assert [line["event"] for line in lines.written if line.get("repeated") == 1] == ["again"]


@pytest.mark.parametrize("field", ["message_id", "key", "alert_id"])
def test_what_names_something_is_never_left_out(field: str) -> None:
    lines = Lines()
    for number in range(10 * MOST):
        lines.log("log file failed", reason="not_gzip", **{field: str(number)})
    assert lines.count("log file failed") == 10 * MOST


def test_kinds_without_end_take_no_memory_without_end() -> None:
    lines = Lines()
    for number in range(5000):
        lines.log("made up", reason=str(number))
    assert lines.count("made up") == 5000
    assert len(lines.repeats._seen) <= 1000
