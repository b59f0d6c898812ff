"""Compiles Sigma: a rule document (parsed by pySigma) in, a test of records and the prefilter's literals out.

Understood are field conditions with `contains`, `startswith`, `endswith`, `all`, `exists`, wildcards, null, numbers and
booleans, under any condition over them. Whatever else a rule asks for is refused, never read as something milder.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from sigma.conditions import ConditionAND, ConditionFieldEqualsValueExpression, ConditionNOT, ConditionOR
from sigma.exceptions import SigmaError
from sigma.modifiers import reverse_modifier_mapping
from sigma.rule import SigmaDetection, SigmaDetectionItem, SigmaRule
from sigma.types import SigmaBool, SigmaExists, SigmaNull, SigmaNumber, SigmaString, SigmaType

from stream.decode.literals import Literal
from stream.detect.alert import RuleInfo
from stream.detect.json_value import elements, fold, integer_text
from stream.detect.patterns import Test, bool_test, number_test, parts_of, plain_text, text_literal, text_test
from stream.errors import ConfigError
from stream.severity import SEVERITIES, Severity

Matches = Callable[[Mapping[str, Any]], bool]

_MODIFIERS: Final = frozenset({"contains", "startswith", "endswith", "all", "exists"})
_DEFAULT_LEVEL: Final[Severity] = "medium"
_COMMON_FIELDS: Final = frozenset(
    {
        "awsRegion",
        "eventCategory",
        "eventSource",
        "eventType",
        "eventVersion",
        "recipientAccountId",
        "userIdentity.accountId",
        "userIdentity.type",
    }
)
"""Fields with few values, each in a great many records: a poor choice to look for."""


@dataclass(frozen=True, slots=True)
class Compiled:
    """A condition, ready to run.

    Attributes:
        matches: whether a record meets it; raises for no JSON object.
        literals: a record that meets it has at least one of them in its JSON; `None`: nothing is known of those.
        rarity: how few records have them, by the field they stand in: 0 (most have) to 2 (`eventName`).
    """

    matches: Matches
    literals: frozenset[Literal] | None = None
    rarity: int = 0


def compile_rule(document: Mapping[str, Any]) -> tuple[RuleInfo, Compiled]:
    """Compile one Sigma rule.

    Raises:
        ConfigError: it is no Sigma rule, is not for CloudTrail, or needs what is not understood here; says which.
    """
    for kind in ("action", "correlation", "filter"):
        if kind in document:
            raise ConfigError(f"it is not a plain rule (it has {kind!r}), which is not supported")
    try:
        rule = SigmaRule.from_dict(dict(document))
        _check(rule)
        conditions = [condition.parsed for condition in rule.detection.parsed_condition]
        return _info(rule), _any_of([_compile(condition) for condition in conditions])
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
    if "timeframe" in rule.detection.detections:
        raise ConfigError("it needs a timeframe, which is not supported")
    for detection in rule.detection.detections.values():
        for item in _items(detection):
            _check_item(item)


def _items(detection: SigmaDetection) -> Iterator[SigmaDetectionItem]:
    for item in detection.detection_items:
        if isinstance(item, SigmaDetection):
            yield from _items(item)
        else:
            yield item


def _check_item(item: SigmaDetectionItem) -> None:
    if item.field is None:
        raise ConfigError("it searches for keywords without a field, which is not supported")
    for modifier in item.modifiers:
        name = reverse_modifier_mapping.get(modifier.__name__, modifier.__name__)
        if name not in _MODIFIERS:
            raise ConfigError(f"its field {item.field} has the modifier {name!r}, which is not supported")
    if not item.value:
        raise ConfigError(f"its field {item.field} has an empty list of values")


def _compile(condition: object) -> Compiled:
    if isinstance(condition, ConditionFieldEqualsValueExpression):
        return _field(condition.field, [condition.value])
    if isinstance(condition, ConditionNOT):
        return _negation(_compile(condition.args[0]))
    if isinstance(condition, ConditionAND):
        return _all_of([_compile(argument) for argument in condition.args])
    if isinstance(condition, ConditionOR):
        return _any_of([_field(*leaf) for leaf in _leaves(condition)] + [_compile(each) for each in _nodes(condition)])
    raise ConfigError(f"its condition needs {type(condition).__name__}, which is not supported")


def _leaves(condition: ConditionOR) -> list[tuple[str, list[SigmaType]]]:
    """The alternatives of an OR that compare a field, gathered by field."""
    fields: dict[str, list[SigmaType]] = {}
    for argument in condition.args:
        if isinstance(argument, ConditionFieldEqualsValueExpression):
            fields.setdefault(argument.field, []).append(argument.value)
    return list(fields.items())


def _nodes(condition: ConditionOR) -> list[object]:
    return [each for each in condition.args if not isinstance(each, ConditionFieldEqualsValueExpression)]


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
    return Compiled(matches, best.literals, best.rarity)


def _selectivity(part: Compiled) -> tuple[int, int]:
    return part.rarity, min((len(literal.text) for literal in part.literals or ()), default=0)


def _any_of(parts: list[Compiled]) -> Compiled:
    if len(parts) == 1:
        return parts[0]
    tests = [part.matches for part in parts]
    literals: set[Literal] | None = set()
    for part in parts:
        literals = None if literals is None or part.literals is None else literals | part.literals
    return Compiled(
        lambda record: any(test(record) for test in tests),
        None if literals is None else frozenset(literals),
        min(part.rarity for part in parts),
    )


def _field(name: str, values: list[SigmaType]) -> Compiled:
    """Any of these values in this field."""
    path = name.split(".")
    rarity = 2 if name == "eventName" else 0 if name in _COMMON_FIELDS else 1
    plain = [plain_text(parts_of(value)) for value in values if type(value) is SigmaString]
    texts = frozenset(text for text in plain if text is not None)
    alternatives = [_value(name, path, rarity, value) for value in values]
    if len(texts) == len(values) > 1:  # one look-up instead of a comparison with each
        return Compiled(_reaches(path, _one_of(texts)), _any_of(alternatives).literals, rarity)
    return _any_of(alternatives)


def _value(field: str, path: list[str], rarity: int, value: SigmaType) -> Compiled:
    # By exact class: a subclass (a cased string, a part of a timestamp) means something else.
    if type(value) is SigmaString:
        literal = text_literal(parts_of(value))
        found = None if literal is None else frozenset({literal})
        return Compiled(_reaches(path, text_test(parts_of(value))), found, rarity)
    if isinstance(value, SigmaBool):
        word = "true" if value.boolean else "false"
        return Compiled(_reaches(path, bool_test(value.boolean)), frozenset({Literal(word, whole=False)}))
    if type(value) is SigmaNumber:
        return Compiled(_reaches(path, number_test(value.number)))
    if isinstance(value, SigmaExists):
        return Compiled(_exists(path, wanted=value.exists))
    if isinstance(value, SigmaNull):
        return Compiled(_is_null(path))
    raise ConfigError(f"its field {field} has a value of a kind that is not supported ({type(value).__name__})")


def _one_of(texts: frozenset[str]) -> Test:
    def test(value: Any) -> bool:
        if isinstance(value, str):
            return fold(value) in texts
        if isinstance(value, bool):
            return ("true" if value else "false") in texts
        return integer_text(value) in texts

    return test


def _reaches(path: list[str], test: Test) -> Matches:
    """Whether any value that lies at this path passes; an array on the way or at its end stands for its elements."""
    if len(path) == 1:
        name = path[0]

        def matches(record: Mapping[str, Any]) -> bool:
            value = record.get(name)
            return any(map(test, elements(value))) if isinstance(value, list) else test(value)

        return matches
    return lambda record: any(map(test, _values(record, path)))


def _exists(path: list[str], *, wanted: bool) -> Matches:
    return lambda record: bool(_members(record, path)) is wanted


def _is_null(path: list[str]) -> Matches:
    return lambda record: all(value is None for value in _values(record, path))


def _values(record: Mapping[str, Any], path: list[str]) -> Iterator[Any]:
    for member in _members(record, path):
        yield from elements(member)


def _members(record: Mapping[str, Any], path: list[str]) -> list[Any]:
    """The members that lie at this path, arrays among them unopened."""
    reached: list[Any] = [record]
    for step in path:
        reached = [
            value[step]
            for member in reached
            for value in elements(member)
            if isinstance(value, Mapping) and step in value
        ]
    return reached
