"""`routes` and its commands."""

from typing import Any

import click

from stream.cli.options import LIST_FORMAT
from stream.commands.group import Group


@click.group(cls=Group, invoke_without_command=True)
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
              ou: "Root/Workloads/*"            # also tag: "env=prod"; both as TRAILSTREAM_ACCOUNTS tells them
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
@LIST_FORMAT
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
