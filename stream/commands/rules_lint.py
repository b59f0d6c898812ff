"""`trailstream rules lint`: files of rules and filters looked at, and what is wrong with them printed."""

import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Final, Literal

import click
import orjson
from rich.console import Console
from rich.text import Text

from stream import logs
from stream.commands.rule_files import RULES, RuleFile, built_in_files, files_at, rules_at
from stream.configuration import load_settings
from stream.detect import placeholders
from stream.detect.lint import Coverage, Finding, Gravity, Linter
from stream.detect.rule_tests import cases_of
from stream.settings import Settings
from stream.terminal import inert

_STYLES: Final[dict[Gravity, str]] = {"error": "bold red", "warning": "yellow"}


def lint_rules(paths: Sequence[str], format_: Literal["text", "json"], *, errors_only: bool) -> int:
    """Look at the files of these paths; without any, at the built-in packs, the environment's rules and its filters.

    Returns:
        the exit code: 0 nothing found; 1 something found.

    Raises:
        ConfigError: a file can't be read, or its tests are no such thing.
    """
    logs.configure("warning", "console")
    settings = load_settings()
    values = placeholders.load(settings.placeholders)
    found = list(files_at(paths)) if paths else _in_force(settings)
    known = rules_at([*settings.rules, *paths], values, built_in=True, variable=RULES).rules
    linter = Linter(known, _tested(found), values)
    findings = [
        finding
        for file in found
        for finding in linter.lint(file.text, file.source, built_in=file.built_in)
        if finding.gravity == "error" or not errors_only
    ]
    if format_ == "json":
        click.echo(orjson.dumps([asdict(finding) for finding in findings], option=orjson.OPT_INDENT_2))
    else:
        _print(findings, len(found))
    return 1 if findings else 0


def _in_force(settings: Settings) -> list[RuleFile]:
    rules = files_at(settings.rules, variable=RULES) if settings.rules else ()
    filters = files_at(settings.suppress, variable="TRAILSTREAM_SUPPRESS", kind="filter") if settings.suppress else ()
    return [*built_in_files(), *rules, *filters]


def _tested(found: Iterable[RuleFile]) -> Coverage:
    cases = [case for file in found if file.tests for case in cases_of(file.tests, file.tests_source)]
    fires = {case.rule for case in cases if case.expect == "fires" or case.alerts}
    silent = {case.rule for case in cases if case.expect == "silent" or case.alerts in (0, ())}
    return Coverage(fires, silent)


def _print(findings: Sequence[Finding], files: int) -> None:
    console = Console(highlight=False, markup=False, emoji=False, file=sys.stdout)
    source = None
    for finding in findings:
        if finding.source != source:
            source = finding.source
            console.print(Text(inert(source)), soft_wrap=True)
        line = Text(f"  {finding.gravity:<7}", _STYLES[finding.gravity])
        subject = f" {inert(finding.subject)}:" if finding.subject else ""
        line.append(f" {finding.check}:{subject} {inert(finding.message)}", "default")
        console.print(line, soft_wrap=True)
    errors = sum(finding.gravity == "error" for finding in findings)
    console.print(f"{errors} errors, {len(findings) - errors} warnings in {files} files")
