"""An alert in; out, one line of a table, of CSV or of JSON Lines.

A record's texts may have been typed by an attacker: no line holds a control code, and no cell a formula.
"""

import csv
import io
from collections.abc import Callable
from typing import Final, Literal

from rich.cells import cell_len, set_cell_size

from stream.alert import Alert
from stream.severity import Severity
from stream.terminal import inert, stripped

Format = Literal["table", "jsonl", "csv"]

_WIDTHS: Final = {"TIME": 20, "SEVERITY": 13, "ACCOUNT": 12, "REGION": 14, "EVENT": 28, "WHO": 28}
_CSV_COLUMNS: Final = (
    "time",
    "severity",
    "account_id",
    "region",
    "event_source",
    "event_name",
    "outcome",
    "error_code",
    "actor_type",
    "actor_name",
    "actor_arn",
    "source_ip",
    "user_agent",
    "mfa",
    "resources",
    "title",
    "summary",
    "rule_id",
    "event_id",
    "alert_id",
    "log_file",
)
# A spreadsheet takes a cell that begins so for a formula: https://owasp.org/www-community/attacks/CSV_Injection; the
# last four are the first four in full width, which some spreadsheets take for the same.
_FORMULA: Final = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")

STYLES: Final[dict[Severity, str]] = {
    "critical": "bold red",
    "high": "red",
    "medium": "yellow",
    "low": "cyan",
    "informational": "dim",
}
"""How rich shows a severity on a terminal."""


def header(format: Format) -> str | None:  # noqa: A002 - the option's name
    """The line above the first alert, if the format has one."""
    if format == "table":
        return _columns(tuple(_WIDTHS), "TITLE")
    return _csv_line(_CSV_COLUMNS) if format == "csv" else None


def line(format: Format) -> Callable[[Alert], str]:  # noqa: A002 - the option's name
    """The function that makes a line (without its end) of an alert."""
    return {"table": table_line, "csv": csv_line, "jsonl": json_line}[format]


def json_line(alert: Alert) -> str:
    """The alert as webhooks carry it."""
    return alert.to_json().decode()


def table_line(alert: Alert) -> str:
    """What people need to see at a glance; `jsonl` has the rest."""
    event = alert.event
    name = event.name if event.outcome == "success" else f"{event.name} ({event.outcome})"
    cells = (event.time, alert.severity, event.account_id, event.region, name, alert.actor.name)
    return _columns(cells, alert.title)


def csv_line(alert: Alert) -> str:
    """One flat row."""
    event, actor, log_file = alert.event, alert.actor, alert.log_file
    location = "" if log_file is None else f"s3://{log_file.bucket}/{log_file.key}" if log_file.bucket else log_file.key
    return _csv_line(
        (
            event.time,
            alert.severity,
            event.account_id,
            event.region,
            event.source,
            event.name,
            event.outcome,
            event.error_code,
            actor.type,
            actor.name,
            actor.arn,
            actor.source_ip,
            actor.user_agent,
            None if actor.mfa is None else str(actor.mfa).lower(),
            " ".join(resource.arn for resource in alert.resources),
            alert.title,
            alert.summary,
            alert.rule.id,
            event.id,
            alert.id,
            location,
        )
    )


def _columns(cells: tuple[str, ...], last: str) -> str:
    return "  ".join(
        [
            *(_fit(inert(str(cell)), width) for cell, width in zip(cells, _WIDTHS.values(), strict=True)),
            inert(str(last)),
        ]
    ).rstrip()


def _fit(text: str, width: int) -> str:
    """Exactly so many cells of the terminal, a text that is too long ending in an ellipsis."""
    return set_cell_size(text, width) if cell_len(text) <= width else set_cell_size(text, width - 1) + "…"


def _csv_line(cells: tuple[str | None, ...]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="").writerow([_cell(cell) for cell in cells])
    return text.getvalue()


def _cell(value: str | None) -> str:
    text = stripped("" if value is None else str(value))
    return f"'{text}" if text.lstrip().startswith(_FORMULA) else text
