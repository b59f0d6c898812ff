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
    summary go to standard error. Rules, limits and names are those of the environment: TRAILSTREAM_RULES, _PACKS,
    _SUPPRESS, _PLACEHOLDERS, _ACCOUNTS, _LOG_BUCKETS, _MAX_RECORD_BYTES, _MAX_LOG_BYTES.

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
    """The rules that records are held against, and the filters that keep alerts from being delivered.

    TRAILSTREAM_SUPPRESS names Sigma filters, as files or folders. As Sigma has it, a rule that a filter names
    alerts where the rule AND the filter's condition hold, so that what is all right is described and negated.
    `until`, which Sigma has not, ends a filter by itself: a date (its first moment) or a time, UTC. What is
    suppressed is still counted and logged.

        title: Terraform in the pipeline
        logsource: {product: aws, service: cloudtrail}
        until: 2026-07-01
        filter:
            rules: [c4b112a3-1dbf-4b3f-b88d-b3ab9bdca8fa]
            selection:
                userIdentity.sessionContext.sessionIssuer.arn: arn:aws:iam::111122223333:role/terraform
                sourceIPAddress|cidr: 198.51.100.0/24
            condition: not selection

    `rules` are ids or names of rules, or: any.

    A rule of TRAILSTREAM_RULES that can't be used is left out, which `list` and `check` say, unless
    TRAILSTREAM_RULES_STRICT=true. `run` reads rules and filters again when their files change, and on SIGHUP.

    Examples:
        TRAILSTREAM_RULES=./my-rules trailstream rules list
        TRAILSTREAM_SUPPRESS=./our-filters trailstream rules list --suppressions
        trailstream rules lint ./my-rules && trailstream rules test ./my-rules

    Exit codes:
        0  listed
        2  a rule, a filter or the configuration can't be used
    """
    listing = {"format_": "table", "suppressions": False, "refused": False}
    return ctx.invoke(rules_list, **listing) if ctx.invoked_subcommand is None else None


@rules.command("list")
@_LIST_FORMAT
@click.option("--suppressions", is_flag=True, help="Only what keeps alerts from being delivered.")
@click.option("--refused", is_flag=True, help="Only the rules that are left out, and why.")
def rules_list(*, format_: Any, suppressions: bool, refused: bool) -> int:
    """List the rules in force, those that are left out, and what keeps alerts from being delivered.

    Rules that make every record be parsed are named as well. JSON is an array of rules, or with --suppressions or
    --refused one of those.

    Examples:
        trailstream rules list
        TRAILSTREAM_RULES=./my-rules trailstream rules list --format json
        TRAILSTREAM_SUPPRESS=./our-filters trailstream rules list --suppressions --format json

    Exit codes:
        0  listed
        2  a rule, a filter or the configuration can't be used
    """
    from stream.commands.rules import list_rules

    if suppressions and refused:
        raise click.UsageError("--suppressions and --refused are one or the other")
    return list_rules(format_, only="suppressions" if suppressions else "refused" if refused else None)


@rules.command("show")
@click.argument("rule", metavar="RULE")
def rules_show(*, rule: str) -> int:
    """Show a rule: how it stands, what it makes log files be searched for, its tests, and its source.

    RULE is an id, a name, a title, a pack, or the path of a file, of which every rule is shown.

    Examples:
        trailstream rules show ct-013
        trailstream rules show ./my-rules/console-login.yml

    Exit codes:
        0  shown
        2  there is no such rule, it is refused, or the configuration can't be used
    """
    from stream.commands.rule import show_rule

    return show_rule(rule)


_REPORT_FORMAT = click.option(
    "--format", "format_", type=click.Choice(["text", "json"]), default="text", show_default=True
)


@rules.command("lint")
@click.argument("paths", metavar="[PATH]...", nargs=-1)
@click.option("--errors", "errors_only", is_flag=True, help="Leave warnings out, in the exit code too.")
@_REPORT_FORMAT
def rules_lint(*, paths: tuple[str, ...], errors_only: bool, format_: Any) -> int:
    """Find what is wrong with rules and filters.

    PATH is a file or a folder of them; without any: the built-in packs, TRAILSTREAM_RULES and TRAILSTREAM_SUPPRESS.
    Errors: a rule that is refused; an id that two rules have; a built-in rule without tests. Warnings: no level,
    description, references, falsepositives or tags; a rule that makes every record be parsed; one, or a filter,
    that leaves out what a caller types (user agent, parameters, a session's name); no tests; what pySigma's
    validators find.

    Examples:
        trailstream rules lint
        trailstream rules lint --errors --format json ./my-rules

    Exit codes:
        0  nothing found
        1  something found
        2  a file or the configuration can't be read
    """
    from stream.commands.rules_lint import lint_rules

    return lint_rules(paths, format_, errors_only=errors_only)


@rules.command("test")
@click.argument("paths", metavar="[PATH]...", nargs=-1)
@_REPORT_FORMAT
def rules_test(*, paths: tuple[str, ...], format_: Any) -> int:
    """Run the tests beside rules.

    PATH is a file of rules, one of tests, or a folder; without any: every pack there is, and TRAILSTREAM_RULES.
    The tests of signin.yml are in signin.test.yml, as a list:

        - rule: c4b112a3-1dbf-4b3f-b88d-b3ab9bdca8fa   # id or name
          name: somebody stops a trail
          records:                                     # as a log file would have them
            - eventSource: cloudtrail.amazonaws.com
              eventName: StopLogging
              eventTime: 2026-03-01T11:57:03Z
              requestParameters: {name: management-events}
          expect: fires                                # each record gives an alert; or: silent, none does
          severity: critical                           # of each alert; may be left out, as may
          title: "..."                                 # its title, to the letter
          alerts:                                      # beside expect or instead: all, in order; 0: none
            - {event: StopLogging, outcome: success}   # any of severity, title, outcome, event

    Each case is held against its rule alone, whatever buckets and names the environment has.

    Examples:
        trailstream rules test
        trailstream rules test ./my-rules

    Exit codes:
        0  all pass
        1  some do not, or a rule is refused
        2  there is no test, a file of tests is none, or the configuration can't be used
    """
    from stream.commands.rules_test import test_rules

    return test_rules(paths, format_)


@cli.group(invoke_without_command=True)
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


@channels.command("show")
@click.argument("name", metavar="NAME")
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
@click.argument("name", metavar="NAME")
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


@cli.group(invoke_without_command=True)
@click.pass_context
def routes(ctx: click.Context) -> int | None:
    """Which alert goes to which channel.

    Without TRAILSTREAM_ROUTES every alert goes to every channel that is on, save what the channel's own settings
    keep off: <CHANNEL>_MIN_SEVERITY, _RULES, _ACCOUNTS. These hold whatever a route says.

    TRAILSTREAM_ROUTES is the path of a YAML file. It names more channels, set as by variables but for nothing
    else than what stands there, and routes, of which the first that matches takes the alert:

        channels:
          soc: {type: slack, webhook_url_file: /run/secrets/soc, rate: 1}
          payments-pager: {type: pagerduty, routing_key: {env: PAYMENTS_KEY}, fallback: soc}
        routes:
          - match:
              severity: ">=high"                # or min_severity: high
              account: ["1111*", "prod-*"]      # ids or names; globs, any of them
              event: [StopLogging, DeleteTrail] # also rule, region, outcome, actor (ARN, role's ARN, name)
              not: {actor: "*:role/ci-*"}       # none of these
            channels: [payments-pager, soc]
            continue: true                      # ask the routes below as well
        default: [soc]                          # what no route takes; left out: every channel that is on

    Example:
        trailstream routes test record.json

    Exit codes:
        0  listed
        2  the configuration can't be used
    """
    return ctx.invoke(routes_list, format_="table") if ctx.invoked_subcommand is None else None


@routes.command("list")
@_LIST_FORMAT
def routes_list(*, format_: Any) -> int:
    """List the routes in the order in which they are asked, the default, and the channels that are on.

    What can not have been meant is said on standard error: routes that get no alert, channels that no route leads to.

    Examples:
        trailstream routes list
        TRAILSTREAM_ROUTES=routes.yml trailstream routes list --format json

    Exit codes:
        0  listed
        2  the configuration can't be used
    """
    from stream.commands.routes import list_routes

    return list_routes(format_)


@routes.command("test")
@click.argument("record", metavar="RECORD")
@click.option("--format", "format_", type=click.Choice(["text", "json"]), default="text", show_default=True)
def routes_test(*, record: str, format_: Any) -> int:
    """Say where the alerts of a record would go, and why. Nothing is sent.

    RECORD is a file with a CloudTrail record, a log file of them (gzip or not), an event of EventBridge that brings
    one, or - for standard input. For each alert that the rules raise: every route that is asked, with what each of
    its matchers says, the channels' own settings that keep it off, and the channels that are told.

    Examples:
        TRAILSTREAM_ROUTES=routes.yml trailstream routes test record.json
        zcat log.json.gz | trailstream routes test - --format json

    Exit codes:
        0  every alert goes to at least one channel
        1  no rule matches, so that there is no alert; or an alert goes nowhere
        2  the record, a rule or the configuration can't be used
    """
    from stream.commands.routes import test_routes

    return test_routes(record, format_)


@routes.command("schema")
def routes_schema() -> int:
    """Print the JSON Schema (draft 2020-12) of the file, with which editors check and complete it.

    Example:
        trailstream routes schema > routes.schema.json

    Then, as the first line of the file, for editors with a YAML language server:
        # yaml-language-server: $schema=./routes.schema.json

    Exit codes:
        0  printed
    """
    from stream.commands.routes import print_schema

    return print_schema()


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
