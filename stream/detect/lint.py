"""Sigma rules and filters that work may still be poor ones: their texts in, findings out, each with what is wrong.

An error is what makes a rule useless, a warning what its author had better know.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from sigma.rule import SigmaRule
from sigma.validation import SigmaValidator
from sigma.validators.base import SigmaValidationIssue
from sigma.validators.core.condition import (
    AllOfThemConditionValidator,
    DanglingDetectionValidator,
    ThemConditionWithSingleDetectionValidator,
)
from sigma.validators.core.metadata import DuplicateReferencesValidator, DuplicateTitleValidator
from sigma.validators.core.modifiers import InvalidModifierCombinationsValidator
from sigma.validators.core.tags import (
    DuplicateTagValidator,
    NamespaceTagValidator,
    TagFormatValidator,
    TLPTagValidator,
)
from sigma.validators.core.values import ControlCharacterValidator, DoubleWildcardValidator

from stream.detect.documents import documents, mapping, one_line
from stream.detect.forgeable import is_forgeable
from stream.detect.placeholders import Placeholders
from stream.detect.rules import Rule
from stream.detect.sigma import Compiled, compile_rule, parse_rule, parsing
from stream.detect.suppressions import suppression_of
from stream.errors import ConfigError
from stream.json_value import shown

Gravity = Literal["error", "warning"]

_WANTED: Final = ("level", "description", "references", "falsepositives", "tags")
# Left out are those that need what only the network has (the identifiers of ATT&CK and D3FEND), that judge the name of
# a file, and that take an account's id, which is a text, for a number that ought to be one.
_VALIDATORS: Final = (
    AllOfThemConditionValidator,
    ControlCharacterValidator,
    DanglingDetectionValidator,
    DoubleWildcardValidator,
    DuplicateReferencesValidator,
    DuplicateTagValidator,
    DuplicateTitleValidator,
    InvalidModifierCombinationsValidator,
    NamespaceTagValidator,
    TLPTagValidator,
    TagFormatValidator,
    ThemConditionWithSingleDetectionValidator,
)


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is wrong with a rule or a filter.

    Attributes:
        source: the file.
        subject: the rule's id, or its title if it has none; empty if the whole file is meant.
        check: what was looked at, in one word.
        message: a clause without a full stop.
    """

    gravity: Gravity
    source: str
    subject: str
    check: str
    message: str


@dataclass(frozen=True, slots=True)
class Coverage:
    """Rules that tests say something of, by id or name: those that have a case in which they fire, and a near miss."""

    fires: Collection[str] = field(default_factory=frozenset)
    silent: Collection[str] = field(default_factory=frozenset)


class Linter:
    """Looks at files one after the other; what they share (ids, titles) is looked at across all of them.

    Args:
        known: the rules that filters may name.
        coverage: what the tests beside the rules say something of.
        placeholders: values for the modifier `expand`.
    """

    def __init__(self, known: Iterable[Rule], coverage: Coverage, placeholders: Placeholders) -> None:
        self._known = tuple(known)
        self._coverage = coverage
        self._placeholders = placeholders
        self._validator = SigmaValidator(_VALIDATORS)
        self._sources: dict[str, str] = {}

    def lint(self, text: str, source: str, *, built_in: bool = False) -> Iterator[Finding]:
        """The findings of one file.

        Args:
            text: all of it.
            source: what to call it.
            built_in: its rules have to have tests.
        """
        try:
            found = documents(text, kind="rule")
        except ConfigError as error:
            yield Finding("error", source, "", "refused", one_line(error))
            return
        for document in found:
            subject = _subject(document)
            judged = self._filter(document, source) if _is_filter(document) else self._rule(document, source, built_in)
            try:
                for gravity, check, message in judged:
                    yield Finding(gravity, source, subject, check, message)
            except ConfigError as error:
                yield Finding("error", source, subject, "refused", one_line(error))

    def _rule(self, document: Any, source: str, built_in: bool) -> Iterator[tuple[Gravity, str, str]]:
        info, compiled = compile_rule(mapping(document, kind="rule"), self._placeholders)
        rule = parse_rule(document, self._placeholders)
        if info.id in self._sources:
            yield "error", "duplicate", f"{self._sources[info.id]} has a rule of this id too"
        self._sources.setdefault(info.id, source)
        for key in _WANTED:
            if not document.get(key):
                yield "warning", "missing", f"it has no {key}" + (" and counts as medium" if key == "level" else "")
        yield from _judged(rule, compiled)
        for issue in self._validator.validate_rule(rule):
            yield "warning", "schema", _words(issue)
        yield from self._untested(info.id, document.get("name"), "error" if built_in else "warning")

    def _filter(self, document: Mapping[str, Any], source: str) -> Iterator[tuple[Gravity, str, str]]:
        suppression = suppression_of(document, source, self._known, self._placeholders)
        for warning in suppression.warnings:
            yield "warning", "filter", warning

    def _untested(self, id_: str, name: object, gravity: Gravity) -> Iterator[tuple[Gravity, str, str]]:
        wanted = {"in which it fires": self._coverage.fires, "that is a near miss": self._coverage.silent}
        missing = [told for told, cases in wanted.items() if id_ not in cases and name not in cases]
        if missing:
            yield gravity, "untested", f"no test beside it has a case {', or one '.join(missing)}"


def _judged(rule: SigmaRule, compiled: Compiled) -> Iterator[tuple[Gravity, str, str]]:
    if compiled.literals is None:
        told = "nothing in it can be looked for in a log file's text, so that it makes every record be parsed"
        yield "warning", "unindexed", told
    with parsing():
        conditions = [condition.parsed for condition in rule.detection.parsed_condition]
    if any(is_forgeable(condition) for condition in conditions):
        told = "it leaves out what the caller types (such as userAgent), by which anybody stays unseen"
        yield "warning", "exclusion", told


def _words(issue: SigmaValidationIssue) -> str:
    """What pySigma's validator says, and of what."""
    more = {name: value for name, value in vars(issue).items() if name != "rules"}
    about = ", ".join(f"{name.replace('_', ' ')} {shown(str(value), 80)}" for name, value in more.items())
    told = issue.description.rstrip(".")
    return f"{told[:1].lower()}{told[1:]}" + (f" ({about})" if about else "")


def _is_filter(document: object) -> bool:
    return isinstance(document, Mapping) and "filter" in document


def _subject(document: object) -> str:
    if not isinstance(document, Mapping):
        return ""
    return str(document.get("id") or document.get("title") or "")
