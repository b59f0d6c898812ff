"""`trailstream rules`: the rules in force, and what each asks of the decoder."""

import sys
from typing import Literal

import click
import orjson
from rich.console import Console
from rich.table import Table

from stream import logs
from stream.configuration import load
from stream.detect.rules import Rule, RuleSet
from stream.scan.formats import STYLES
from stream.terminal import inert

_PIPE_COLUMNS = 160


def list_rules(format_: Literal["table", "json"]) -> int:
    """Print every rule that the environment asks for.

    Raises:
        ConfigError: the environment or a rule can't be used.
    """
    logs.configure("warning", "console")
    settings = load(need_queue=False, need_channel=False).settings
    rules = RuleSet.load(settings.packs, settings.rules).rules
    if format_ == "json":
        click.echo(orjson.dumps([_object(rule) for rule in rules], option=orjson.OPT_INDENT_2))
        return 0
    console = Console(highlight=False, markup=False, width=None if sys.stdout.isatty() else _PIPE_COLUMNS)
    table = Table(box=None, padding=(0, 2, 0, 0))
    for heading in ("ID", "PACK", "LEVEL", "TITLE", "INDEXED"):
        table.add_column(heading, overflow="fold")
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
    return 0


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
