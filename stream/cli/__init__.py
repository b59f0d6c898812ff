"""The command line: what each command takes and says of itself. What it does is in `stream.commands`.

Commands import what they need when they run, so that --help and --version are quick.
"""

import os
import sys

import click

from stream.cli import output
from stream.cli.channels import channels
from stream.cli.digests import verify
from stream.cli.queues import redrive, replay
from stream.cli.routes import routes
from stream.cli.rules import rules
from stream.cli.scan import scan
from stream.cli.workload import check, demo, env, run
from stream.commands.group import Group
from stream.errors import OutputError


def _print_version(ctx: click.Context, _: click.Parameter, asked: bool) -> None:
    if asked and not ctx.resilient_parsing:
        from stream import __version__

        click.echo(f"trailstream {__version__}")
        ctx.exit()


@click.group(cls=Group, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option(
    "--version", is_flag=True, expose_value=False, is_eager=True, callback=_print_version, help="Print the version."
)
def cli() -> None:
    """Alerts people when somebody changes an AWS account's audit trail (CloudTrail).

    It reads every CloudTrail log file the moment S3 announces it on a queue, and is set up by environment
    variables: `trailstream env` lists them.

    See it work, with no account and on this machine only:
        trailstream demo
    Look through log files that are there already:
        trailstream scan ./logs s3://acme-cloudtrail/AWSLogs/
    Leave it running:
        export TRAILSTREAM_QUEUE_URL=https://sqs.eu-west-1.amazonaws.com/111122223333/trailstream
        export TRAILSTREAM_BUCKETS=acme-cloudtrail TRAILSTREAM_STDOUT=true
        trailstream check && trailstream run
    Complete commands and names with the Tab key (zsh_source, fish_source: likewise):
        eval "$(_TRAILSTREAM_COMPLETE=bash_source trailstream)"
    """


for _command in (run, scan, check, rules, channels, routes, env, replay, redrive, verify, demo):
    cli.add_command(_command)


def main() -> None:
    """Run the command of `sys.argv` and exit with its code."""
    _open_standard_streams()
    output.guard()
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # a character that the terminal lacks is no reason to stop
    try:
        cli(prog_name="trailstream")
    except OutputError as error:
        output.give_up()
        click.echo(f"trailstream: {error}", err=True)
        sys.exit(2)


def _open_standard_streams() -> None:
    """Fill in those that are closed, before a socket gets their number and an alert is written into it.

    Standard output can't be written to then, so that it fails as it should; what would go to standard error is lost.
    """
    for descriptor, flags in ((0, os.O_RDONLY), (1, os.O_RDONLY), (2, os.O_WRONLY)):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, flags)  # gets the lowest number that is free: this one
    if sys.stderr is None:
        sys.stderr = os.fdopen(2, "w", encoding="utf-8", errors="backslashreplace")
