"""`rules` and its commands."""

from typing import Any, cast

import click

from stream.cli.options import LIST_FORMAT, REPORT_FORMAT, complete_rules
from stream.commands.group import Group


@click.group(cls=Group, invoke_without_command=True)
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
    listing = {"format_": "table", "suppressions": False, "refused": False, "notices": False}
    return ctx.invoke(rules_list, **listing) if ctx.invoked_subcommand is None else None


@rules.command("list")
@LIST_FORMAT
@click.option("--suppressions", is_flag=True, help="Only what keeps alerts from being delivered.")
@click.option("--refused", is_flag=True, help="Only the rules that are left out, and why.")
@click.option("--notices", is_flag=True, help="Only the alerts that come of no record: a silence, a missing file.")
def rules_list(*, format_: Any, suppressions: bool, refused: bool, notices: bool) -> int:
    """List the rules in force, what is left out, what keeps alerts from being delivered, and alerts of no record.

    Rules that make every record be parsed are named as well. JSON is an array of rules, or with --suppressions,
    --refused or --notices one of those.

    Examples:
        trailstream rules list
        TRAILSTREAM_RULES=./my-rules trailstream rules list --format json
        TRAILSTREAM_SUPPRESS=./our-filters trailstream rules list --suppressions --format json

    Exit codes:
        0  listed
        2  a rule, a filter or the configuration can't be used
    """
    from stream.commands.rules import list_rules

    asked = {"suppressions": suppressions, "refused": refused, "notices": notices}
    only = [name for name, on in asked.items() if on]
    if len(only) > 1:
        raise click.UsageError("--suppressions, --refused and --notices: one of them")
    return list_rules(format_, only=cast("Any", only[0]) if only else None)


@rules.command("show")
@click.argument("rule", metavar="RULE", shell_complete=complete_rules)
def rules_show(*, rule: str) -> int:
    """Show a rule: how it stands, what it makes log files be searched for, its tests, and its source.

    RULE is an id, a name, a title, a pack, or the path of a file, of which every rule is shown; or the id of an alert
    that comes of no record.

    Examples:
        trailstream rules show ct-013
        trailstream rules show ./my-rules/console-login.yml

    Exit codes:
        0  shown
        2  there is no such rule, it is refused, or the configuration can't be used
    """
    from stream.commands.rule import show_rule

    return show_rule(rule)


@rules.command("lint")
@click.argument("paths", metavar="[PATH]...", nargs=-1)
@click.option("--errors", "errors_only", is_flag=True, help="Leave warnings out, in the exit code too.")
@REPORT_FORMAT
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
@REPORT_FORMAT
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
