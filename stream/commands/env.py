"""`trailstream env`: the reference of every environment variable, with today's values, whatever state they are in."""

import sys
from collections.abc import Iterator
from typing import Any, Literal

import click
import orjson
from rich.console import Console
from rich.table import Table
from rich.text import Text

from stream import environment
from stream.configuration import known_sections
from stream.environment import Section
from stream.settings import Settings
from stream.terminal import inert
from stream.variables import PREFIX, Variable

_PIPE_COLUMNS = 160


def env(format_: Literal["table", "json", "markdown"]) -> int:
    """Print the reference; what is wrong with today's values goes to standard error."""
    sections = known_sections()
    groups = [(group_name(section), environment.reference((section,))) for section in sections]
    if format_ == "json":
        click.echo(orjson.dumps(list(_objects(groups)), option=orjson.OPT_INDENT_2))
    elif format_ == "markdown":
        click.echo("\n".join(_markdown(groups)))
    else:
        _print_tables(groups)
    _, faults = environment.read(sections)
    for fault in faults:
        click.echo(f"trailstream: {inert(fault)}", err=True)
    return 0


def group_name(section: type[Section]) -> str:
    """`core`, or the channel whose section it is."""
    if section is Settings:
        return "core"
    return section.env_prefix.removeprefix(PREFIX).strip("_").lower()


def _objects(groups: list[tuple[str, list[Variable]]]) -> Iterator[dict[str, Any]]:
    for group, variables in groups:
        for variable in variables:
            yield {
                "name": variable.name,
                "group": group,
                "type": variable.type,
                "default": variable.default or None,
                "meaning": variable.meaning,
                "secret": variable.secret,
                "value": variable.value,
            }


def _markdown(groups: list[tuple[str, list[Variable]]]) -> Iterator[str]:
    for group, variables in groups:
        yield f"## {group}\n"
        yield "| Name | Type | Default | Meaning |"
        yield "| --- | --- | --- | --- |"
        for variable in variables:
            default = f"`{variable.default}`" if variable.default else ""
            cells = (f"`{variable.name}`", variable.type, default, variable.meaning)
            yield "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
        yield ""


def _print_tables(groups: list[tuple[str, list[Variable]]]) -> None:
    console = Console(highlight=False, markup=False, width=None if sys.stdout.isatty() else _PIPE_COLUMNS)
    for group, variables in groups:
        table = Table(
            title=group, title_justify="left", title_style="bold", expand=True, box=None, padding=(0, 2, 0, 0)
        )
        for heading, ratio in (("NAME", None), ("TYPE", 1), ("DEFAULT", 1), ("VALUE NOW", 2), ("MEANING", 4)):
            table.add_column(heading, ratio=ratio, no_wrap=ratio is None, overflow="fold")
        for variable in variables:
            value = Text("" if variable.value is None else inert(variable.value), "bold green")
            type_ = variable.type.replace("|", ", ")
            table.add_row(variable.name, type_, variable.default, value, variable.meaning)
        console.print(table)
        console.print()
