"""`channels` and its commands."""

from typing import Any

import click

from stream.cli.options import LIST_FORMAT, complete_channels
from stream.commands.group import Group


@click.group(cls=Group, invoke_without_command=True)
@click.pass_context
def channels(ctx: click.Context) -> int | None:
    """The channels that alerts can go to.

    Examples:
        trailstream channels list
        trailstream channels show slack --example
        trailstream channels test slack

    Exit codes:
        0  listed
    """
    return ctx.invoke(channels_list, format_="table") if ctx.invoked_subcommand is None else None


@channels.command("list")
@LIST_FORMAT
def channels_list(*, format_: Any) -> int:
    """List every channel, whether it is on, and the variables that set it up.

    Examples:
        trailstream channels list
        trailstream channels list --format json

    Exit codes:
        0  listed
    """
    from stream.commands.channels import list_channels

    return list_channels(format_)


@channels.command("show")
@click.argument("name", metavar="NAME", shell_complete=complete_channels)
@click.option("--example", is_flag=True, help="Also the exact request for a sample alert. Nothing is sent.")
def channels_show(*, name: str, example: bool) -> int:
    """Show how a channel is set, without its secrets, and what it would send.

    NAME is one of `trailstream channels list`. It may be off: the example then has placeholders for its addresses
    and secrets. The message's words are those of its <CHANNEL>_TEMPLATE, where that is set.

    Examples:
        trailstream channels show pagerduty
        TRAILSTREAM_SLACK_TEMPLATE=./words.j2 trailstream channels show slack --example

    Exit codes:
        0  shown
        1  the sample alert can't be put in a request, or not in the template's words
        2  there is no such channel, or its settings can't be used
    """
    from stream.commands.channel import show_channel

    return show_channel(name, example=example)


@channels.command("test")
@click.argument("name", metavar="NAME", shell_complete=complete_channels)
def channels_test(*, name: str) -> int:
    """Send one test alert by a channel, and say what its service answered.

    The alert says of itself that it is a test and that nothing has happened. Of the other channels none is told.

    Example:
        trailstream channels test pagerduty

    Exit codes:
        0  accepted
        1  not accepted; why, and what to do about it, is printed
        2  there is no such channel, it is off, or its settings can't be used
    """
    from stream.commands.channel import test_channel

    return test_channel(name)
