"""The command line: what each command takes and says of itself. What it does is in `stream.commands`.

Commands import what they need when they run, so that --help and --version are quick.
"""

import os
import sys
from typing import Any

import click

from stream.commands.group import Group
from stream.commands.group import since as read_since
from stream.severity import SEVERITIES


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
    """


@cli.command()
def run() -> int:
    """Watch the queue and send alerts, until SIGTERM or Ctrl-C.

    Needs TRAILSTREAM_QUEUE_URL, TRAILSTREAM_BUCKETS and a channel. A message is deleted from the queue only when
    every channel has accepted every alert that came from it. /metrics, /healthz and /readyz are served on port
    8080. On SIGTERM what is in hand is finished, the rest is given back to the queue; a second signal ends at
    once.

    Example:
        export TRAILSTREAM_QUEUE_URL=https://sqs.eu-west-1.amazonaws.com/111122223333/trailstream
        export TRAILSTREAM_BUCKETS=acme-cloudtrail TRAILSTREAM_STDOUT=true
        trailstream run

    Exit codes:
        0  stopped as asked
        1  something went wrong that a restart may mend
        2  the configuration can't be used
    """
    from stream.app import run as run_

    return run_()


@cli.command()
@click.argument("paths", metavar="PATH...", nargs=-1, required=True)
@click.option(
    "--format",
    "format_",
    type=click.Choice(["table", "jsonl", "csv"]),
    default="table",
    show_default=True,
    help="table for people; jsonl: the whole alert, a line each; csv: flat, safe to open in a spreadsheet.",
)
@click.option(
    "-j", "--jobs", type=click.IntRange(1, 256), metavar="N", help="Processes; as many as there are cores by default."
)
@click.option("--since", callback=read_since, metavar="TIME", help="Leave earlier events out: 24h, 7d, 2024-05-01, ...")
@click.option(
    "--min-severity", type=click.Choice(SEVERITIES), help="Leave milder alerts out; unset: TRAILSTREAM_MIN_SEVERITY."
)
@click.option("--exit-zero", is_flag=True, help="Exit 0, not 1, when something was found.")
@click.option("-q", "--quiet", is_flag=True, help="No progress bar and no summary; faults are still told.")
def scan(
    *,
    paths: tuple[str, ...],
    format_: Any,
    jobs: int | None,
    since: float,
    min_severity: Any,
    exit_zero: bool,
    quiet: bool,
) -> int:
    """Look through CloudTrail log files that are there already.

    PATH is a file, a folder (everything below it that ends in .json.gz, .json or .gz; digests and insights are
    skipped), a glob, s3://bucket/prefix, or - for standard input, gzip or plain JSON. The same decoding and rules
    as in `run`, on every core. Alerts go to standard output in the order of the paths, each once; faults and the
    summary go to standard error. Rules and limits are those of the environment: TRAILSTREAM_RULES, _PACKS,
    _LOG_BUCKETS, _MAX_RECORD_BYTES, _MAX_LOG_BYTES.

    Examples:
        trailstream scan ./AWSLogs
        trailstream scan --since 7d --format jsonl s3://acme-cloudtrail/AWSLogs/ | jq -r .title
        zcat old.json.gz | trailstream scan -

    Exit codes:
        0  nothing found
        1  something found
        2  something could not be read, whatever was found in the rest; or the command line or the
           configuration can't be used
    """
    from stream.commands.scan import Options
    from stream.commands.scan import scan as scan_

    return scan_(
        Options(
            paths=paths,
            format=format_,
            jobs=jobs,
            since=since,
            min_severity=min_severity,
            exit_zero=exit_zero,
            quiet=quiet,
        )
    )


@cli.command()
@click.option("--config-only", is_flag=True, help="Only the environment, the rules and the channels; no network.")
@click.option("--send-test-alert", is_flag=True, help="Send an alert, marked as a test, through each channel.")
@click.option("--format", "format_", type=click.Choice(["text", "json"]), default="text", show_default=True)
def check(*, config_only: bool, send_test_alert: bool, format_: Any) -> int:
    """Find out whether `run` would work here.

    Looks at settings, rules, credentials, queue, buckets and channels. Prints a line for each thing looked at: ok,
    warn or FAIL, the evidence, and what to do about it; where a permission is missing, the IAM statement to paste.
    It takes no message from the queue and sends nothing, unless it is told to send a test alert.

    Examples:
        trailstream check
        trailstream check --send-test-alert
        trailstream check --config-only --format json

    Exit codes:
        0  all is well, warnings aside
        1  something is not
        2  the configuration can't be used
    """
    from stream.commands.check import check as check_

    return check_(config_only=config_only, send_test_alert=send_test_alert, format_=format_)


@cli.command()
@click.option(
    "--format", "format_", type=click.Choice(["table", "json", "markdown"]), default="table", show_default=True
)
def env(*, format_: Any) -> int:
    """List every environment variable.

    For each: name, type, default, meaning, and its value now.
    The values of secrets are not shown. What is wrong with today's values is said on standard error.

    Examples:
        trailstream env
        trailstream env --format markdown > settings.md

    Exit codes:
        0  always, unless the command line can't be used (2)
    """
    from stream.commands.env import env as env_

    return env_(format_)


_LIST_FORMAT = click.option(
    "--format", "format_", type=click.Choice(["table", "json"]), default="table", show_default=True
)


@cli.group(invoke_without_command=True)
@click.pass_context
def rules(ctx: click.Context) -> int | None:
    """The rules that records are held against.

    Example:
        TRAILSTREAM_RULES=./my-rules trailstream rules list

    Exit codes:
        0  listed
        2  a rule or the configuration can't be used
    """
    return ctx.invoke(rules_list, format_="table") if ctx.invoked_subcommand is None else None


@rules.command("list")
@_LIST_FORMAT
def rules_list(*, format_: Any) -> int:
    """List the rules in force, and those that make every record be parsed.

    Examples:
        trailstream rules list
        TRAILSTREAM_RULES=./my-rules trailstream rules list --format json

    Exit codes:
        0  listed
        2  a rule or the configuration can't be used
    """
    from stream.commands.rules import list_rules

    return list_rules(format_)


@cli.group(invoke_without_command=True)
@click.pass_context
def channels(ctx: click.Context) -> int | None:
    """The channels that alerts can go to.

    Example:
        trailstream channels list

    Exit codes:
        0  listed
    """
    return ctx.invoke(channels_list, format_="table") if ctx.invoked_subcommand is None else None


@channels.command("list")
@_LIST_FORMAT
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


@cli.command()
@click.option("--files", type=click.IntRange(1), default=200, show_default=True, help="Log files to write.")
@click.option(
    "--rate", type=click.FloatRange(0, min_open=True), default=20.0, show_default=True, help="Log files a second."
)
@click.option("--keep", is_flag=True, help="Go on until Ctrl-C, and print the addresses.")
def demo(*, files: int, rate: float, keep: bool) -> int:
    """See it work: an embedded AWS, an intruder, the alerts. No account needed.

    Starts an embedded AWS, writes realistic log files to it in which somebody switches the audit trail off, runs
    the real `trailstream run` on it, and shows each alert as it comes in. Ends by itself, with a reckoning of what
    was planted and what was found. Everything is under one temporary folder; nothing is left behind.

    Examples:
        trailstream demo
        trailstream demo --files 2000 --rate 50
        trailstream demo --keep

    Exit codes:
        0  every planted change was alerted, and nothing else
        1  not so, or the demo could not go on
        2  the `demo` extra is not installed
    """
    from stream.demo.demo import run_demo

    return run_demo(files, rate, keep)


def main() -> None:
    """Run the command of `sys.argv` and exit with its code."""
    _open_standard_streams()
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # a character that the terminal lacks is no reason to stop
    cli(prog_name="trailstream")


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
