"""`trailstream routes`: the routes in force, the schema of their file, and where the alerts of a record would go."""

import json
import sys
import time
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, cast

import click
import orjson
from rich.console import Console
from rich.table import Table

from stream import logs
from stream.accounts.snapshot import known_accounts
from stream.alert import Alert
from stream.configuration import Configuration, load
from stream.deliver.routes import Choice, Explanation, Matcher, Route, Routes, Step, Verdict
from stream.detect.detection import rules_of, suppressions_of
from stream.detect.detector import Detector
from stream.detect.surroundings import Surroundings
from stream.terminal import inert

_PIPE_COLUMNS: Final = 160
_MAX_BYTES: Final = 64 * 1024 * 1024
_SHOWN_CHARACTERS: Final = 500
_STANDARD_INPUT: Final = "-"


def list_routes(format_: Literal["table", "json"]) -> int:
    """Print the routes in the order in which they are asked, and the channels with what their own settings demand.

    Raises:
        ConfigError: the environment or the file of routes can't be used.
    """
    logs.configure("warning", "console")
    configuration = load(need_queue=False, need_channel=False)
    routes = configuration.routes
    if format_ == "json":
        click.echo(orjson.dumps(_listed(configuration), option=orjson.OPT_INDENT_2))
    else:
        _print_tables(configuration)
    for warning in routes.warnings():
        click.echo(f"trailstream: {inert(warning)}", err=True)
    return 0


def print_schema() -> int:
    """Print the JSON Schema of the file of routes."""
    from stream.deliver.routes_schema import schema

    click.echo(orjson.dumps(schema(), option=orjson.OPT_INDENT_2))
    return 0


def test_routes(record: str, format_: Literal["text", "json"]) -> int:
    """Say of each alert that the rules raise for the records where it goes and why.

    Args:
        record: path of a CloudTrail record or log file, gzip or not; `-` is standard input.
        format_: JSON is an array with an object for each alert.

    Returns:
        the exit code: 0 every alert goes to some channel; 1 no rule matches, or an alert goes nowhere.

    Raises:
        ConfigError: the environment, a rule or the file of routes can't be used.
        UsageError: the records can't be read.
    """
    logs.configure("warning", "console")
    configuration = load(need_queue=False, need_channel=False)
    routed = list(_routed(configuration, _records(record)))
    if format_ == "json":
        click.echo(orjson.dumps([_tested(each) for each in routed], option=orjson.OPT_INDENT_2))
    else:
        for each in routed:
            click.echo("\n".join(inert(line, _SHOWN_CHARACTERS) for line in _lines(each, configuration.routes)))
    if not routed:
        click.echo("trailstream: no rule matches any of the records, so that there is no alert", err=True)
    return 0 if routed and all(each.channels for each in routed) else 1


@dataclass(frozen=True, slots=True)
class _Routed:
    """An alert and where it goes; `suppression`: the filter that keeps it from going anywhere."""

    alert: Alert
    explanation: Explanation
    suppression: str | None

    @property
    def channels(self) -> tuple[str, ...]:
        return () if self.suppression else self.explanation.channels


def _routed(configuration: Configuration, records: list[dict[str, Any]]) -> Iterator[_Routed]:
    settings = configuration.settings
    rules = rules_of(settings)
    suppressions = suppressions_of(settings, rules)
    around = Surroundings.of(settings)
    accounts = known_accounts(settings.accounts, whole=True)
    names = {account.id: account.name for account in accounts.values()}
    detector = Detector(rules, lambda: around, account_name=names.get)
    now = time.time()
    for record in records:
        for alert in detector.alerts(record, provenance="log_file", log_file=None):
            suppression = suppressions.find(alert.rule.id, record, now)
            yield _Routed(
                alert,
                configuration.routes.explain(alert, accounts.get(alert.event.account_id)),
                suppression.id if suppression else None,
            )


def _records(path: str) -> list[dict[str, Any]]:
    """The records of a log file, or the one that the file is, bare or in an event of EventBridge.

    Raises:
        UsageError: it can't be read, or holds none.
    """
    try:
        if path == _STANDARD_INPUT:
            content = cast("Any", sys.stdin).buffer.read(_MAX_BYTES + 1)
        else:
            with Path(path).open("rb") as file:
                content = file.read(_MAX_BYTES + 1)
        if content.startswith(b"\x1f\x8b"):
            content = zlib.decompressobj(wbits=31).decompress(content, _MAX_BYTES + 1)
        value = json.loads(content) if len(content) <= _MAX_BYTES else None
    except OSError as error:
        raise click.UsageError(f"{path} can't be read: {error.strerror or type(error).__name__}") from error
    except (ValueError, RecursionError, zlib.error) as error:
        raise click.UsageError(f"{path} is neither JSON nor gzip of it") from error
    if len(content) > _MAX_BYTES:
        raise click.UsageError(f"{path} is longer than {_MAX_BYTES:,} bytes: `trailstream scan` reads log files")
    if isinstance(value, dict):
        value = value.get("Records", value.get("detail", value))
    records = value if isinstance(value, list) else [value]
    found = [record for record in records if isinstance(record, dict)]
    if not found:
        raise click.UsageError(f"{path} holds no CloudTrail record")
    return found


# As text


def _lines(routed: _Routed, routes: Routes) -> Iterator[str]:
    alert, explanation = routed.alert, routed.explanation
    yield f"{alert.severity}: {alert.title}"
    yield f"  rule {alert.rule.id} ({alert.rule.title})"
    for step in explanation.steps:
        yield f"  route {step.number} (line {step.route.line}): {_taken(step)}"
        for verdict in step.verdicts:
            yield f"    {_judged(verdict)}"
    if explanation.by_default:
        none = "no route takes it" if routes.routes else "there are no routes" if routes.own else "no channel is on"
        yield f"  default: {none}, so it goes {_to(routes.default_channels)}"
    for choice in explanation.choices:
        for verdict in choice.refusals:
            yield f"  {choice.channel} does not want it: {_judged(verdict)}"
    if routed.suppression:
        yield f"  it is suppressed by the filter {routed.suppression}"
    yield f"  => {_named(routed.channels)}"


def _taken(step: Step) -> str:
    if not step.takes:
        return "does not match"
    after = ", and the next is asked as well" if step.route.goes_on else ""
    every = "" if step.verdicts else "has no matcher and "
    return f"{every}takes it {_to(step.route.channels)}{after}"


def _judged(verdict: Verdict) -> str:
    return f"{'yes' if verdict.holds else 'no '}  {verdict.matcher}: it is {' or '.join(verdict.found) or 'unknown'}"


def _to(channels: tuple[str, ...]) -> str:
    return f"to {_named(channels)}" if channels else "nowhere"


def _named(channels: tuple[str, ...]) -> str:
    return ", ".join(channels) or "nowhere"


# As tables


def _print_tables(configuration: Configuration) -> None:
    routes = configuration.routes
    console = Console(highlight=False, markup=False, width=None if sys.stdout.isatty() else _PIPE_COLUMNS)
    table = _table("ROUTE", "LINE", "MATCH", "CHANNELS", "THEN")
    for number, route in enumerate(routes.routes, 1):
        table.add_row(
            str(number),
            str(route.line),
            inert(_all_of(route.matchers)),
            inert(_named(route.channels)),
            "the next is asked" if route.goes_on else "",
        )
    otherwise = "what no route takes" if routes.routes else "every alert"
    table.add_row("default", "", otherwise, inert(_named(routes.default_channels)), "")
    console.print(table)
    console.print()
    table = _table("CHANNEL", "TYPE", "ONLY", "FALLBACK", "SET BY")
    for each in configuration.instances:
        only = "; ".join(map(str, routes.own[each.name]))
        table.add_row(each.name, each.kind, inert(only), each.settings.fallback or "", inert(each.where))
    console.print(table)


def _table(*headings: str) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0))
    for heading in headings:
        table.add_column(heading, overflow="fold")
    return table


def _all_of(matchers: tuple[Matcher, ...]) -> str:
    return "; ".join(map(str, matchers)) or "every alert"


# As JSON


def _listed(configuration: Configuration) -> dict[str, Any]:
    routes = configuration.routes
    return {
        "routes": [{**_route(number, route), "match": route.matchers} for number, route in enumerate(routes.routes, 1)],
        "default": routes.default_channels,
        "channels": [
            {
                "name": each.name,
                "type": each.kind,
                "only": routes.own[each.name],
                "fallback": each.settings.fallback,
                "set_by": each.where,
            }
            for each in configuration.instances
        ],
        "warnings": routes.warnings(),
    }


def _route(number: int, route: Route) -> dict[str, Any]:
    return {"route": number, "line": route.line, "channels": route.channels, "continue": route.goes_on}


def _tested(routed: _Routed) -> dict[str, Any]:
    alert, explanation = routed.alert, routed.explanation
    return {
        "alert": {"id": alert.id, "severity": alert.severity, "title": alert.title, "rule": alert.rule.id},
        "channels": routed.channels,
        "suppressed_by": routed.suppression,
        "by_default": explanation.by_default,
        "routes": [
            {**_route(step.number, step.route), "takes": step.takes, "match": [_verdict(v) for v in step.verdicts]}
            for step in explanation.steps
        ],
        "kept_off": [_choice(choice) for choice in explanation.choices if choice.refusals],
    }


def _choice(choice: Choice) -> dict[str, Any]:
    return {"channel": choice.channel, "because": [_verdict(verdict) for verdict in choice.refusals]}


def _verdict(verdict: Verdict) -> dict[str, Any]:
    matcher = verdict.matcher
    found = [inert(text, _SHOWN_CHARACTERS) for text in verdict.found]
    return {
        "field": matcher.field,
        "wanted": matcher.wanted,
        "negated": matcher.negated,
        "found": found,
        "holds": verdict.holds,
    }
