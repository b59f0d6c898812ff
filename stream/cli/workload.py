"""`run`, and what one does before: `check`, `env`, `demo`."""

import gc
import sys
from types import ModuleType
from typing import Any

import click

from stream.commands.group import Command


@click.command(cls=Command)
def run() -> int:
    """Watch the queue and send alerts, until SIGTERM or Ctrl-C.

    Needs TRAILSTREAM_QUEUE_URL, TRAILSTREAM_BUCKETS and a channel. A message is deleted from the queue only when
    every channel has accepted every alert that came from it. On SIGTERM what is in hand is finished, the rest is given
    back to the queue; a second signal ends at once.

    /metrics, /healthz and /readyz are served on port 8080; a page for people, which says what was read and told and
    what is wrong, on port 8081 of this machine (or pod) alone.

    Example:
        export TRAILSTREAM_QUEUE_URL=https://sqs.eu-west-1.amazonaws.com/111122223333/trailstream
        export TRAILSTREAM_BUCKETS=acme-cloudtrail TRAILSTREAM_STDOUT=true
        trailstream run

    Exit codes:
        0  stopped as asked
        1  something went wrong that a restart may mend
        2  the configuration can't be used
    """
    gc.disable()  # `spare_the_collector` enables it: looking for garbage in what is being loaded takes a tenth of that
    _load_structlog()
    from stream.app import run as run_

    return run_()


def _load_structlog() -> None:
    """Load it without rich, by which it colours tracebacks for people: that would be 5 MB for as long as we run."""
    modules: dict[str, ModuleType | None] = sys.modules  # type: ignore[assignment]  # None: as if it were not there
    if "rich" not in modules:
        modules["rich"] = None
        import structlog  # noqa: F401

        del modules["rich"]


@click.command(cls=Command)
@click.option("--config-only", is_flag=True, help="Only the environment, the rules and the channels; no network.")
@click.option("--send-test-alert", is_flag=True, help="Send an alert, marked as a test, through each channel.")
@click.option("--format", "format_", type=click.Choice(["text", "json"]), default="text", show_default=True)
def check(*, config_only: bool, send_test_alert: bool, format_: Any) -> int:
    """Find out whether `run` would work here.

    Looks at settings, rules, suppressions, names of accounts, credentials, queue, buckets and channels. Prints a
    line for each thing looked at: ok, warn or FAIL, the evidence, and what to do about it; where a permission is
    missing, the IAM statement to paste. It takes no message from the queue and sends nothing, unless it is told to
    send a test alert.

    Examples:
        trailstream check
        trailstream check --send-test-alert
        trailstream check --config-only --format json

    Exit codes:
        0  all is well, warnings aside
        1  something is not
        2  the configuration can't be used
    """
    if config_only and send_test_alert:
        raise click.UsageError("--config-only and --send-test-alert: one of them")

    from stream.commands.check import check as check_

    return check_(config_only=config_only, send_test_alert=send_test_alert, format_=format_)


@click.command(cls=Command)
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
        0  always, unless the command line or standard output can't be used (2)
    """
    from stream.commands.env import env as env_

    return env_(format_)


@click.command(cls=Command)
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
