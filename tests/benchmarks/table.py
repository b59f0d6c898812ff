"""The table of what was measured, in Markdown, and the place in README.md where it stands."""

import os
import platform
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from tests.benchmarks.subject import Target

README = Path(__file__).parents[2] / "README.md"
_BEGIN = "<!-- made by python -m tests.benchmarks --write -->"
_END = "<!-- end of what it made -->"
_HOW = (
    "CPU-seconds (user and system) of the process, the best of a few rounds, against something known that does the "
    "same work in the same run: numbers of a machine depend on it, ratios less. The embedded AWS of the demo is the "
    "other end, in a process of its own; the plain loop is what one would write in an hour (aiobotocore, gzip, orjson)."
    " The public Sigma rules are not in this repository: all packs and synthetic rules stand for them."
)


def render(rows: Iterable[tuple[Target, str]]) -> str:
    """The table: what, measured, target."""
    lines = [f"| {target.what} | {measured} | {target.target} |" for target, measured in rows]
    return "\n".join(["| what | measured | target |", "|---|---|---|", *lines])


def section(rows: Sequence[tuple[Target, str]]) -> str:
    """What stands between the two comments in README.md."""
    return f"{_BEGIN}\n{render(rows)}\n\n{machine()}. {_HOW}\n{_END}"


def write(rows: Sequence[tuple[Target, str]], readme: Path = README) -> None:
    """Put the section in the place of the one that is there.

    Raises:
        ValueError: the two comments are not in that file.
    """
    text = readme.read_text()
    begin, end = text.find(_BEGIN), text.find(_END)
    if not 0 <= begin < end:
        raise ValueError(f"{readme} lacks {_BEGIN} and {_END}")
    readme.write_text(text[:begin] + section(rows) + text[end + len(_END) :])


def written(readme: Path = README) -> list[tuple[str, str]]:
    """What and target of each row that stands in README.md."""
    text = readme.read_text()
    lines = text[text.index(_BEGIN) : text.index(_END)].splitlines()
    cells = [re.split(r" (?<!\\)\| ", line.strip("| ")) for line in lines if line.startswith("| ")]
    return [(what, target) for what, _, target in cells[1:]]


def machine() -> str:
    """Processor, cores, system and Python."""
    return f"{_processor()}, {os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}"


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()
