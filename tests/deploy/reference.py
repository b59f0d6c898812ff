"""What deploy/README.md says of settings, metrics and log lines, from the program itself.

`python -m tests.deploy.reference` writes it there.
"""

import ast
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from prometheus_client import CollectorRegistry

from stream.metrics import Metrics
from tests.commands.running import invoke

ROOT: Final = Path(__file__).parents[2]
README: Final = ROOT / "deploy/README.md"
LEVELS: Final = ("debug", "info", "warning", "error", "exception")
_INFO: Final = {"info": ("version", "python")}
_SECTION: Final = "<!-- begin {0}: python -m tests.deploy.reference -->\n{1}\n<!-- end {0} -->"


@dataclass(frozen=True, order=True)
class Line:
    """One kind of log line.

    Attributes:
        event: its text.
        level: of it.
        fields: names of what it says besides, as far as the call shows them.
        where: file and line of the call.
    """

    event: str
    level: str
    fields: tuple[str, ...]
    where: str


def log_lines() -> list[Line]:
    """Every call that writes a log line, by the source."""
    found: list[Line] = []
    for path in sorted((ROOT / "stream").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                found += _lines(node, node.func, f"{path.relative_to(ROOT)}:{node.lineno}")
            elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Streak":
                first, over = map(_text, node.args)
                where = f"{path.relative_to(ROOT)}:{node.lineno}"
                found += [Line(first, "warning", ("code", "failures", "reason"), where), Line(over, "info", (), where)]
    return sorted(found)


def _lines(call: ast.Call, function: ast.Attribute, where: str) -> Iterator[Line]:
    logger = function.value.func if isinstance(function.value, ast.Call) else function.value
    name = logger.id if isinstance(logger, ast.Name) else logger.attr if isinstance(logger, ast.Attribute) else ""
    if name in ("log", "_log", "logger") and function.attr in LEVELS and call.args and (event := _text(call.args[0])):
        fields = sorted(keyword.arg for keyword in call.keywords if keyword.arg not in (None, "exc_info"))
        yield Line(event, "error" if function.attr == "exception" else function.attr, tuple(map(str, fields)), where)


def _text(node: ast.expr) -> str:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def logs_table() -> str:
    """A row for each kind of log line."""
    merged: dict[tuple[str, str], set[str]] = {}
    for line in log_lines():
        merged.setdefault((line.event, line.level), set()).update(line.fields)
    rows = (
        (event, level, ", ".join(f"`{field}`" for field in sorted(fields)))
        for (event, level), fields in sorted(merged.items(), key=lambda item: item[0][0].lower())
    )
    return _table(("event", "level", "fields"), rows)


def metrics_table(registry: CollectorRegistry) -> str:
    """A row for each metric of ours."""
    rows = []
    for collector in registry._collector_to_names:
        for family in collector.collect():
            if family.name.startswith("trailstream_"):
                name = family.name + {"counter": "_total", "info": "_info"}.get(family.type, "")
                labels = (*getattr(collector, "_labelnames", ()), *_INFO.get(family.type, ()))
                rows.append((f"`{name}`", family.type, ", ".join(labels), family.documentation))
    return _table(("metric", "type", "labels", "meaning"), rows)


def metric_names() -> set[str]:
    """Every name that a sample of `/metrics` may have, those of the process among them."""
    found = set()
    for collector, names in Metrics().registry._collector_to_names.items():
        suffixes = ("_bucket", "_count", "_sum") if getattr(collector, "_type", "") == "histogram" else ("",)
        found |= {f"{name}{suffix}" for name in names for suffix in suffixes}
        found |= {sample.name for family in collector.collect() for sample in family.samples}
    return found


def settings_table() -> str:
    """What `trailstream env --format markdown` prints, whatever is set today."""
    return re.sub(r"^## ", "### ", invoke("env", "--format", "markdown").out.strip(), flags=re.MULTILINE)


def _table(headings: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [headings, ("---",) * len(headings), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)


def sections() -> dict[str, str]:
    """The parts of the file that are made, by name."""
    return {"metrics": metrics_table(Metrics().registry), "logs": logs_table(), "settings": settings_table()}


def written(text: str) -> str:
    """The file with its made parts as they should be."""
    for name, content in sections().items():
        section = _SECTION.format(name, content)
        pattern = rf"<!-- begin {name}: .*?<!-- end {name} -->"
        text, count = re.subn(pattern, lambda _, section=section: section, text, flags=re.DOTALL)  # type: ignore[misc]
        if count != 1:
            raise ValueError(f"deploy/README.md has {count} sections {name}")
    return text


if __name__ == "__main__":
    README.write_text(written(README.read_text()))
