"""`trailstream rules test`: the tests beside rules run, and what was expected and did not come, printed."""

from collections.abc import Sequence
from typing import Literal

import click
import orjson

from stream import logs
from stream.commands.rule_files import PATH, RULES, RuleFile, built_in_files, files_at, rules_at
from stream.configuration import load_settings
from stream.detect import placeholders
from stream.detect.rule_tests import Verdict, cases_of, run
from stream.detect.rules import RuleSet
from stream.errors import ConfigError
from stream.terminal import inert


def test_rules(paths: Sequence[str], format_: Literal["text", "json"]) -> int:
    """Run the tests beside the rules of these paths; without any, of the built-in packs and `TRAILSTREAM_RULES`.

    Returns:
        the exit code: 0 all pass; 1 some don't, or a rule is refused.

    Raises:
        ConfigError: something can't be read, a file of tests is no such thing, or there is no test at all.
    """
    logs.configure("warning", "console")
    settings = load_settings()
    values = placeholders.load(settings.placeholders)
    rules = rules_at(paths or settings.rules, values, built_in=not paths, variable=PATH if paths else RULES)
    found = list(files_at(paths)) if paths else [*built_in_files(), *_own(settings.rules)]
    verdicts = [
        verdict
        for file in found
        if file.tests
        for verdict in run(cases_of(file.tests, file.tests_source), rules.rules, file.tests_source)
    ]
    if not verdicts:
        raise ConfigError("there is no test: a rule's are in a file beside it, whose name ends in .test.yml")
    if format_ == "json":
        click.echo(orjson.dumps([_object(verdict) for verdict in verdicts], option=orjson.OPT_INDENT_2))
    _tell(verdicts, rules, quiet=format_ == "json")
    return 1 if rules.refused or any(verdict.faults for verdict in verdicts) else 0


def _own(paths: Sequence[str]) -> list[RuleFile]:
    return list(files_at(paths, variable=RULES)) if paths else []


def _tell(verdicts: Sequence[Verdict], rules: RuleSet, *, quiet: bool) -> None:
    for refused in rules.refused:
        click.echo(f"trailstream: rule refused: {inert(str(refused))}", err=True)
    tested = {verdict.case.rule for verdict in verdicts}
    untested = [rule for rule in rules.rules if rule.info.id not in tested and rule.name not in tested]
    for rule in untested:
        click.echo(f"trailstream: no test: {inert(rule.info.title)} ({inert(rule.source)})", err=True)
    if quiet:
        return
    failed = [verdict for verdict in verdicts if verdict.faults]
    for verdict in failed:
        click.echo(f"FAIL  {inert(verdict.source)}: {inert(verdict.case.name)} (rule {inert(verdict.case.rule)})")
        for fault in verdict.faults:
            click.echo(f"      {inert(fault)}")
    click.echo(f"{len(verdicts) - len(failed)} passed, {len(failed)} failed")


def _object(verdict: Verdict) -> dict[str, object]:
    return {
        "source": verdict.source,
        "rule": verdict.case.rule,
        "name": verdict.case.name,
        "passed": not verdict.faults,
        "faults": verdict.faults,
    }
