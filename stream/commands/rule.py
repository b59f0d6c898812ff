"""`trailstream rules show`: one rule, how it stands, what it looks for, its tests and its source."""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import click
import yaml
from sigma.rule import SigmaYAMLLoader

from stream import logs, notice
from stream.commands.rule_files import RULES, RuleFile, built_in_files, files_at, rules_at
from stream.configuration import load_settings
from stream.detect import documents, placeholders
from stream.detect.rule_tests import Case, cases_of
from stream.detect.rules import CUSTOM, Rule, RuleSet
from stream.errors import ConfigError
from stream.nearest import hint
from stream.settings import Settings
from stream.terminal import inert

_RULE: Final = "RULE"
_LEFT_OUT: Final = " (not in force: TRAILSTREAM_PACKS leaves it out)"
_NOT_NAMED: Final = f" (not in force: {RULES} does not name it)"
_PATH: Final = re.compile(r"^(~|\.{0,2}/)|\.ya?ml$")
_DOCUMENT: Final = re.compile(r"^(?=---(?:\s|$))", re.MULTILINE)


def show_rule(wanted: str) -> int:
    """Print a rule, or every rule of a file.

    Args:
        wanted: an id, a name, a title, or the path of a file.

    Raises:
        ConfigError: there is no such rule, or it is refused.
    """
    logs.configure("warning", "console")
    settings = load_settings()
    if kind := notice.KINDS.get(wanted.lower()):
        for line in _notice_lines(kind, settings):
            click.echo(line)
        return 0
    found, rules = _found(wanted, settings)
    files = {file.source: file for file in found}
    own = {str(file) for path in settings.rules for file in documents.files(path, variable=RULES, kind="rule")}
    for index, rule in enumerate(rules):
        if index:
            click.echo()
        for line in _lines(rule, files[rule.source], _standing(rule, settings.packs, own)):
            click.echo(line)
    return 0


def _notice_lines(kind: notice.Kind, settings: Settings) -> Iterator[str]:
    yield from _rows(
        {
            "title": kind.title,
            "id": kind.id,
            "level": kind.level,
            "pack": notice.PACK + ("" if kind in notice.kinds_in_force(settings.packs) else _LEFT_OUT),
            "looks for": "nothing in a record: Trailstream tells it of what it sees itself",
            "tags": ", ".join(kind.tags),
            "compliance": ", ".join(kind.compliance),
        }
    )
    yield ""
    yield kind.description


def _rows(rows: Mapping[str, str]) -> Iterator[str]:
    for name, value in rows.items():
        if value:
            yield f"{name:<10}  {inert(value)}"


def _found(wanted: str, settings: Settings) -> tuple[list[RuleFile], Sequence[Rule]]:
    values = placeholders.load(settings.placeholders)
    if Path(wanted).expanduser().is_file():
        loaded = rules_at([wanted], values, built_in=False, variable=_RULE)
        _no_refusals(loaded)
        return list(files_at([wanted], variable=_RULE)), loaded.rules
    loaded = rules_at(settings.rules, values, built_in=True, variable=RULES)
    own = files_at(settings.rules, variable=RULES) if settings.rules else ()
    names = (wanted.lower(), wanted)
    for called in (_ids, _names, _titles, _packs):
        if rules := [rule for rule in loaded.rules if called(rule) in names]:
            return [*built_in_files(), *own], rules
    _no_refusals(RuleSet((), [each for each in loaded.refused if wanted in (each.source, Path(each.source).name)]))
    known = [called(rule) for called in (_names, _ids) for rule in loaded.rules if called(rule)]
    if _PATH.search(wanted):
        raise ConfigError(f"there is no file {wanted[:200]!r}; `trailstream rules list` shows what rules are called")
    raise ConfigError(f"there is no rule {wanted[:80]!r}; {hint(wanted, known)}")


def _ids(rule: Rule) -> str:
    return rule.info.id


def _names(rule: Rule) -> str:
    return rule.name or ""


def _titles(rule: Rule) -> str:
    return rule.info.title.lower()


def _packs(rule: Rule) -> str:
    return rule.pack if rule.pack != CUSTOM else ""


def _no_refusals(rules: RuleSet) -> None:
    if rules.refused:
        raise ConfigError("\n".join(map(str, rules.refused)))


def _standing(rule: Rule, packs: Collection[str], own: Collection[str]) -> str:
    """Why a rule is not in force; empty if it is: a pack that is asked for has it, or a file of our own."""
    if rule.pack == CUSTOM:
        return "" if rule.source in own else _NOT_NAMED
    return "" if rule.pack in packs else _LEFT_OUT


def _lines(rule: Rule, file: RuleFile, standing: str) -> Iterator[str]:
    info = rule.info
    cases = [
        case
        for case in (cases_of(file.tests, file.tests_source) if file.tests else ())
        if case.rule in (info.id, rule.name)
    ]
    rows = {
        "title": info.title,
        "id": info.id,
        "name": rule.name or "",
        "level": info.level,
        "pack": rule.pack + standing,
        "source": rule.source,
        "looks for": _looked_for(rule),
        "tags": ", ".join(info.tags),
        "compliance": ", ".join(info.compliance),
        "tests": _tests(cases),
    }
    yield from _rows(rows)
    for reference in info.references:
        yield f"{'reference':<10}  {inert(reference)}"
    for case in cases:
        yield f"{'':<10}  {case.expect or 'alerts':<6}  {inert(case.name)}"
    yield ""
    yield from map(inert, _document(rule, file.text).splitlines())


def _looked_for(rule: Rule) -> str:
    if rule.literals is None:
        return "nothing that a text could be searched for: every record is parsed"
    return ", ".join(sorted(literal.text for literal in rule.literals))


def _tests(cases: Sequence[Case]) -> str:
    return f"{len(cases)}" if cases else "none"


def _document(rule: Rule, text: str) -> str:
    """The rule's own part of its file."""
    for part in _DOCUMENT.split(text):
        try:
            found = list(yaml.load_all(part, Loader=SigmaYAMLLoader))  # pySigma's own, a safe loader
        except yaml.YAMLError:
            continue
        if any(isinstance(one, dict) and str(one.get("id")).lower() == rule.info.id for one in found):
            return part.removeprefix("---").strip("\n")
    return text
