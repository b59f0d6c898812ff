"""`trailstream rules`: the rules in force, what each asks of the decoder, and what keeps their alerts back."""

import sys
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict
from typing import Any, Final, Literal

import click
import orjson
from rich.console import Console
from rich.table import Table

from stream import logs, notice
from stream.configuration import load_settings
from stream.detect.detection import rules_of, suppressions_of
from stream.detect.rules import Refused, Rule
from stream.detect.suppressions import Suppression
from stream.scan.formats import STYLES
from stream.terminal import inert

_PIPE_COLUMNS = 160


Part = Literal["suppressions", "refused", "notices"]
_NONE: Final[Mapping[Part | None, str]] = {
    "suppressions": "nothing is suppressed: TRAILSTREAM_SUPPRESS names no filter",
    "refused": "no rule is left out",
}
"""What is said where one of them is asked for and there is none."""


def list_rules(format_: Literal["table", "json"], *, only: Part | None = None) -> int:
    """Print every rule that the environment asks for, those that are left out, every suppression, and every notice.

    Args:
        format_: JSON is an array of rules, and holds none of the others.
        only: print these, and no rules.

    Raises:
        ConfigError: the environment, a rule or a filter can't be used.
    """
    logs.configure("warning", "console")
    settings = load_settings()
    loaded = rules_of(settings)
    suppressions = suppressions_of(settings, loaded).all
    notices = notice.kinds_in_force(settings.packs)
    if format_ == "json":
        now = time.time()
        objects: list[dict[str, object]] = []
        if only == "suppressions":
            objects = [_suppression(one, now) for one in suppressions]
        elif only == "refused":
            objects = [{"source": one.source, "reason": one.reason} for one in loaded.refused]
        elif only == "notices":
            objects = [asdict(kind) | {"pack": notice.PACK} for kind in notices]
        else:
            objects = [_object(rule) for rule in loaded.rules]
            for one in loaded.refused:
                click.echo(f"trailstream: rule left out: {inert(str(one))}", err=True)
        click.echo(orjson.dumps(objects, option=orjson.OPT_INDENT_2))
        return 0
    console = Console(highlight=False, markup=False, width=None if sys.stdout.isatty() else _PIPE_COLUMNS)
    parts: dict[Part | None, tuple[Collection[Any], Callable[[], None]]] = {
        None: (loaded.rules, lambda: _print_rules(console, loaded.rules)),
        "refused": (loaded.refused, lambda: _print_refused(console, loaded.refused)),
        "suppressions": (suppressions, lambda: _print_suppressions(console, suppressions)),
        "notices": (notices, lambda: _print_notices(console, notices)),
    }
    printed = False
    for part, (what, print_) in parts.items():
        if only in (None, part) and what:
            if printed:
                console.print()
            print_()
            printed = True
    if only in _NONE and not printed:
        click.echo(f"trailstream: {_NONE[only]}", err=True)
    return 0


def _print_rules(console: Console, rules: Sequence[Rule]) -> None:
    table = _table("ID", "PACK", "LEVEL", "TITLE", "INDEXED")
    for rule in rules:
        table.add_row(
            inert(rule.info.id),
            inert(rule.pack),
            rule.info.level,
            inert(rule.info.title),
            "no" if rule.literals is None else f"by {len(rule.literals)} texts",
            style=STYLES[rule.info.level],
        )
    console.print(table)
    unindexed = [rule.info.title for rule in rules if rule.literals is None]
    if unindexed:
        names = ", ".join(inert(title) for title in unindexed)
        click.echo(f"\nNot indexed, so that every record has to be parsed: {names}", err=True)


def _print_refused(console: Console, refused: Sequence[Refused]) -> None:
    table = _table("LEFT OUT", "REASON")
    for one in refused:
        table.add_row(inert(one.source), inert(one.reason), style="yellow")
    console.print(table)


def _print_notices(console: Console, kinds: Sequence[notice.Kind]) -> None:
    table = _table("ALERTS OF NO RECORD", "LEVEL", "TITLE")
    for kind in kinds:
        table.add_row(kind.id, kind.level, kind.title, style=STYLES[kind.level])
    console.print(table)


def _print_suppressions(console: Console, suppressions: Sequence[Suppression]) -> None:
    now = time.time()
    table = _table("SUPPRESSION", "STATE", "UNTIL", "TITLE", "RULES")
    for one in suppressions:
        state = one.state(now)
        table.add_row(
            inert(one.id),
            state,
            one.ends or "for ever",
            inert(one.title),
            inert(", ".join(one.rules)),
            style="" if state == "active" else "dim",
        )
    console.print(table)
    for one in suppressions:
        for warning in one.warnings:
            click.echo(f"\n{inert(one.id)} ({inert(one.source)}): {inert(warning)}", err=True)


def _table(*headings: str) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0))
    for heading in headings:
        table.add_column(heading, overflow="fold")
    return table


def _suppression(one: Suppression, now: float) -> dict[str, object]:
    return {
        "id": one.id,
        "title": one.title,
        "rules": one.rules,
        "unknown_rules": one.unknown_rules,
        "until": one.ends,
        "state": one.state(now),
        "source": one.source,
        "warnings": one.warnings,
    }


def _object(rule: Rule) -> dict[str, object]:
    return {
        "id": rule.info.id,
        "title": rule.info.title,
        "level": rule.info.level,
        "pack": rule.pack,
        "source": rule.source,
        "tags": rule.info.tags,
        "compliance": rule.info.compliance,
        "references": rule.info.references,
        "indexed": rule.literals is not None,
        "literals": None if rule.literals is None else sorted(literal.text for literal in rule.literals),
    }
