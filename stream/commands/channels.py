"""`trailstream channels`: every channel, whether it is on, and the variables that set it up."""

import sys
from typing import Literal

import click
import orjson
from rich.console import Console
from rich.table import Table

from stream import environment
from stream.configuration import load
from stream.deliver.channels import CHANNELS
from stream.deliver.instances import Instance
from stream.deliver.routes_file import VARIABLE
from stream.errors import ConfigError
from stream.settings import ChannelSettings
from stream.terminal import inert
from stream.variables import variable_name

_PIPE_COLUMNS = 160


def list_channels(format_: Literal["table", "json"]) -> int:
    """Print the channels; one whose variables are at fault is neither on nor off."""
    loaded, _ = environment.read(channel.section for channel in CHANNELS.values())
    states: dict[str, str] = {}
    for name, channel in CHANNELS.items():
        section = loaded.get(channel.section)
        states[name] = ("on" if section.enabled else "off") if isinstance(section, ChannelSettings) else "at fault"
    named = _named()
    if format_ == "json":
        listed = [
            {"name": name, "type": name, "state": states[name], "variables": _variables(channel.section)}
            for name, channel in CHANNELS.items()
        ]
        listed += [
            {"name": each.name, "type": each.kind, "state": "on", "variables": [], "place": each.place}
            for each in named
        ]
        click.echo(orjson.dumps(listed, option=orjson.OPT_INDENT_2))
        return 0
    table = Table(box=None, padding=(0, 2, 0, 0))
    for heading in ("CHANNEL", "STATE", "TYPE", "VARIABLES"):
        table.add_column(heading, overflow="fold")
    for name, channel in CHANNELS.items():
        style = {"on": "bold green", "at fault": "bold red"}.get(states[name], "")
        table.add_row(name, states[name], name, " ".join(_variables(channel.section)), style=style)
    for each in named:
        table.add_row(each.name, "on", each.kind, inert(each.place), style="bold green")
    width = None if sys.stdout.isatty() else _PIPE_COLUMNS
    Console(highlight=False, markup=False, width=width).print(table)
    return 0


def _named() -> list[Instance]:
    """The channels of the file of routes; a fault anywhere in the configuration leaves them unknown, and is told."""
    if VARIABLE not in environment.our_variables():
        return []
    try:
        return [each for each in load(need_queue=False, need_channel=False).instances if each.place]
    except ConfigError as error:
        for fault in str(error).splitlines():
            click.echo(f"trailstream: {inert(fault)}", err=True)
        return []


def _variables(section: type[ChannelSettings]) -> list[str]:
    """Its own variables first, then those that every channel has."""
    common = ChannelSettings.model_fields
    fields = sorted(section.model_fields, key=lambda field: field in common)
    return [variable_name(section, field) for field in fields]
