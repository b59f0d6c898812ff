"""Compiles Sigma: a rule document (parsed by pySigma) in, a test of records and the prefilter's literals out.

Understood is every modifier of the specification, under any condition. Whatever else a rule asks for is refused, never
read as something milder.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType
from typing import Any, Final

from sigma.conditions import (
    ConditionAND,
    ConditionFieldEqualsValueExpression,
    ConditionNOT,
    ConditionOR,
    ConditionValueExpression,
)
from sigma.exceptions import SigmaError
from sigma.modifiers import modifier_mapping, reverse_modifier_mapping
from sigma.rule import SigmaDetection, SigmaDetectionItem, SigmaDetections, SigmaRule
from sigma.types import SigmaCasedString, SigmaRegularExpression, SigmaString, SigmaType

from stream.alert import RuleInfo
from stream.detect.leaves import Compiled, Matches, any_of, expanded, field_values, keywords
from stream.detect.modifiers import anchored
from stream.detect.placeholders import Placeholders, filled
from stream.errors import ConfigError
from stream.severity import SEVERITIES, Severity

__all__ = ["Compiled", "Matches", "compile_detections", "compile_rule", "parse_rule", "parsing"]

_MODIFIERS: Final = frozenset(
    modifier_mapping[name]
    for name in (
        *("contains", "startswith", "endswith", "all", "exists", "cased", "neq", "windash", "re", "i", "m", "s"),
        *("base64", "base64offset", "wide", "utf16", "utf16be", "lt", "lte", "gt", "gte", "cidr", "fieldref"),
        *("minute", "hour", "day", "week", "month", "year"),
    )
)
"""What the specification (appendix of modifiers, version 2.1.0) lists, save `expand` and `utf16le`, which are gone by
then: see `stream.detect.placeholders`."""
_DEFAULT_LEVEL: Final[Severity] = "medium"


def compile_rule(
    document: Mapping[str, Any], placeholders: Placeholders = MappingProxyType({})
) -> tuple[RuleInfo, Compiled]:
    """Compile one Sigma rule.

    Args:
        document: the rule.
        placeholders: values for the modifier `expand`.

    Raises:
        ConfigError: it is no Sigma rule, is not for CloudTrail, or needs what is not understood here; says which.
    """
    rule = parse_rule(document, placeholders)
    with parsing():
        return _info(rule), compile_detections(rule.detection)


def parse_rule(document: Mapping[str, Any], placeholders: Placeholders = MappingProxyType({})) -> SigmaRule:
    """A rule as pySigma understands it, its placeholders filled in.

    Raises:
        ConfigError: see `compile_rule`; not everything is looked at.
    """
    for kind in ("action", "correlation", "filter"):
        if kind in document:
            raise ConfigError(f"it is not a plain rule (it has {kind!r}), which is not supported")
    with parsing():
        searches = {"detection": filled(document["detection"], placeholders)} if "detection" in document else {}
        rule = SigmaRule.from_dict({**document, **searches})
        _check(rule)
    return rule


def compile_detections(detections: SigmaDetections) -> Compiled:
    """Compile the searches of a document and the condition over them; to be done once, within `parsing`.

    Raises:
        ConfigError: they need what is not understood here; says what.
    """
    if "timeframe" in detections.detections:
        raise ConfigError("it needs a timeframe, which is not supported")
    items = list(_all_items(detections))
    for item in items:
        _check_item(item)
    for item in items:
        _anchor(item)
    return any_of([_compile(condition.parsed) for condition in detections.parsed_condition])


@contextmanager
def parsing() -> Iterator[None]:
    """What pySigma makes of a document that it can't use, as a `ConfigError`."""
    try:
        yield
    except SigmaError as error:
        raise ConfigError(f"pySigma refuses it: {error}") from error
    except (AttributeError, KeyError, RecursionError, TypeError, ValueError) as error:
        # pySigma takes the types of most values for granted.
        raise ConfigError(f"pySigma can't read it ({type(error).__name__})") from error


def _info(rule: SigmaRule) -> RuleInfo:
    level = rule.level.name.lower() if rule.level else _DEFAULT_LEVEL
    compliance = rule.custom_attributes.get("compliance")
    return RuleInfo(
        id=str(rule.id),
        title=rule.title,
        level=next(severity for severity in SEVERITIES if severity == level),
        tags=tuple(str(tag) for tag in rule.tags),
        compliance=tuple(map(str, compliance)) if isinstance(compliance, list) else (),
        references=tuple(map(str, rule.references)),
    )


def _check(rule: SigmaRule) -> None:
    source = rule.logsource
    if (source.product, source.service, source.category) != ("aws", "cloudtrail", None):
        given = ", ".join(filter(None, (source.product, source.service, source.category)))
        raise ConfigError(f"its logsource is not product aws, service cloudtrail (it is: {given})")
    if rule.id is None:
        raise ConfigError("it has no id (a UUID), by which its alerts could be told apart")


def _all_items(detections: SigmaDetections) -> Iterator[SigmaDetectionItem]:
    for detection in detections.detections.values():
        yield from _items(detection)


def _items(detection: SigmaDetection) -> Iterator[SigmaDetectionItem]:
    for item in detection.detection_items:
        if isinstance(item, SigmaDetection):
            yield from _items(item)
        else:
            yield item


def _check_item(item: SigmaDetectionItem) -> None:
    place = "a list of keywords" if item.field is None else f"its field {item.field}"
    for modifier in item.modifiers:
        name = reverse_modifier_mapping.get(modifier.__name__, modifier.__name__)
        if modifier not in _MODIFIERS:
            raise ConfigError(f"{place} has the modifier {name!r}, which is not supported")
    if not item.value:
        raise ConfigError(f"{place} has an empty list of values")
    if modifier_mapping["cased"] in item.modifiers:
        texts = [value for value in expanded(item.value) if isinstance(value, SigmaString)]
        if not all(isinstance(text, SigmaCasedString) for text in texts):
            # pySigma makes new, caseless texts of them.
            raise ConfigError(f"{place} has the modifier 'cased' before one that undoes it: 'cased' goes behind that")


def _anchor(item: SigmaDetectionItem) -> None:
    # pySigma gives an expression `.*` at its open ends, as if it had to fit the whole text: for a search, its closed
    # ends are what counts.
    start = modifier_mapping["startswith"] in item.modifiers
    end = modifier_mapping["endswith"] in item.modifiers
    if start or end:
        item.value = [
            anchored(value, start=start, end=end) if isinstance(value, SigmaRegularExpression) else value
            for value in item.value
        ]


def _compile(condition: object) -> Compiled:
    if isinstance(condition, ConditionFieldEqualsValueExpression):
        return field_values(condition.field, [condition.value])
    if isinstance(condition, ConditionValueExpression):
        return keywords([condition.value])
    if isinstance(condition, ConditionNOT):
        return _negation(_compile(condition.args[0]))
    if isinstance(condition, ConditionAND):
        return _all_of([_compile(argument) for argument in condition.args])
    if isinstance(condition, ConditionOR):
        return _alternatives(condition)
    raise ConfigError(f"its condition needs {type(condition).__name__}, which is not supported")


def _alternatives(condition: ConditionOR) -> Compiled:
    """Any of the arguments; those that look at the same field (or are keywords) become one look at it."""
    fields: dict[str, list[SigmaType]] = {}
    words: list[SigmaType] = []
    parts: list[Compiled] = []
    for argument in condition.args:
        if isinstance(argument, ConditionFieldEqualsValueExpression):
            fields.setdefault(argument.field, []).append(argument.value)
        elif isinstance(argument, ConditionValueExpression):
            words.append(argument.value)
        else:
            parts.append(_compile(argument))
    found = [field_values(name, values) for name, values in fields.items()]
    return any_of([*found, *([keywords(words)] if words else []), *parts])


def _negation(inner: Compiled) -> Compiled:
    matches = inner.matches
    return Compiled(lambda record: not matches(record))


def _all_of(parts: list[Compiled]) -> Compiled:
    tests = [part.matches for part in parts]

    def matches(record: Mapping[str, Any]) -> bool:
        return all(test(record) for test in tests)

    searchable = [part for part in parts if part.literals is not None]
    if not searchable:
        return Compiled(matches)
    best = max(searchable, key=_selectivity)
    named = [part for part in parts if part.named is not None]
    return Compiled(matches, best.literals, best.rarity, max(named, key=_selectivity).named if named else None)


def _selectivity(part: Compiled) -> tuple[int, int]:
    return part.rarity, min((len(literal.text) for literal in part.literals or ()), default=0)
