"""Options that several commands have."""

import click
from click.shell_completion import CompletionItem

from stream.commands.group import since, until


def complete_channels(_: click.Context, __: click.Parameter, begun: str) -> list[str]:
    """Names of channels that begin so."""
    from stream.deliver.channels import CHANNELS

    return [name for name in CHANNELS if name.startswith(begun)]


def complete_rules(_: click.Context, __: click.Parameter, begun: str) -> list[CompletionItem]:
    """Built-in packs and alerts of no record that begin so, or any file."""
    from stream.detect.rules import packs
    from stream.notice import KINDS

    found = [CompletionItem(name) for name in (*packs(), *KINDS) if name.startswith(begun)]
    return found or [CompletionItem(begun, type="file")]


def check_order(since: float, until: float) -> None:
    """Refuse a span of time that nothing is in: no option can tell by itself, as either may come first.

    Raises:
        UsageError: the end is not after the beginning.
    """
    if until <= since:
        raise click.UsageError("--until has to be a time after that of --since: nothing is in between")


LIST_FORMAT = click.option(
    "--format", "format_", type=click.Choice(["table", "json"]), default="table", show_default=True
)

REPORT_FORMAT = click.option(
    "--format", "format_", type=click.Choice(["text", "json"]), default="text", show_default=True
)

UNTIL = click.option("--until", callback=until, metavar="TIME", help="Only what was made before it; unset: until now.")
ACCOUNTS = click.option(
    "--account", "accounts", multiple=True, metavar="GLOB", help="Only of these accounts; may be repeated."
)
REGIONS = click.option(
    "--region", "regions", multiple=True, metavar="GLOB", help="Only of these regions; may be repeated."
)
SINCE = click.option(
    "--since",
    callback=since,
    required=True,
    metavar="TIME",
    help="Only what was made at or after it: 24h, 7d, 2024-05-01, ...",
)
QUIET = click.option("-q", "--quiet", is_flag=True, help="No progress.")
