"""The leaves of a Sigma condition: a field (or none) and its values in, a test of records and its literals out.

A literal is given only where it is proven: it is in the JSON of every record that passes, in each of JSON's spellings.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from sigma.types import (
    SigmaBool,
    SigmaCasedString,
    SigmaCIDRExpression,
    SigmaCompareExpression,
    SigmaExists,
    SigmaExpansion,
    SigmaFieldReference,
    SigmaNull,
    SigmaNumber,
    SigmaRegularExpression,
    SigmaString,
    SigmaTimestampPart,
    SigmaType,
)

from stream.decode.literals import Literal
from stream.detect.fields import Field, members, scalars, values
from stream.detect.modifiers import cidr_test, compare_test, reference_test, regex_test, required_texts, time_test
from stream.detect.patterns import (
    Test,
    beginning_literal,
    bool_test,
    name_literal,
    number_test,
    parts_of,
    plain_text,
    scalar_text,
    text_literal,
    text_test,
    within,
)
from stream.errors import ConfigError
from stream.json_value import elements, fold

Matches = Callable[[Mapping[str, Any]], bool]

_TEXTS: Final = (SigmaString, SigmaCasedString)
"""By exact class: a subclass may mean something else."""

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

_COMMON_NAMES: Final = frozenset(
    {
        *("AssumeRole", "Decrypt", "GenerateDataKey", "GetCallerIdentity", "Invoke", "PutMetricData"),
        *("CopyObject", "DeleteObject", "GetObject", "HeadObject", "PutObject", "UploadPart"),
    }
)
"""Events that a busy account's log files are full of, data events among them: a poor choice as well."""


@dataclass(frozen=True, slots=True)
class Compiled:
    """A condition, ready to run.

    Attributes:
        matches: whether a record meets it; raises for no JSON object.
        literals: a record that meets it has at least one of them in its JSON; `None`: nothing is known of those.
        rarity: how few records have them, by the field they stand in: 0 (most have) to 2 (`eventName`).
        named: the same as `literals`, but each is of `eventName`; `None`: it may have any.
    """

    matches: Matches
    literals: frozenset[Literal] | None = None
    rarity: int = 0
    named: frozenset[Literal] | None = None


def expanded(given: Iterable[SigmaType]) -> Iterator[SigmaType]:
    """The values, those that a modifier made several of (`windash`, `base64offset`) one by one."""
    for value in given:
        if isinstance(value, SigmaExpansion):
            yield from expanded(value.values)
        else:
            yield value


def any_of(parts: list[Compiled]) -> Compiled:
    """A condition that is met when one of these is; there is at least one."""
    if len(parts) == 1:
        return parts[0]
    tests = [part.matches for part in parts]
    return Compiled(
        lambda record: any(test(record) for test in tests),
        union(part.literals for part in parts),
        min(part.rarity for part in parts),
        union(part.named for part in parts),
    )


def field_values(name: str, given: list[SigmaType]) -> Compiled:
    """Any of these values in this field.

    Raises:
        ConfigError: a value is of a kind that is unknown here.
    """
    field = Field.of(name)
    rarity = 2 if name == "eventName" else 0 if name in _COMMON_FIELDS else 1
    wanted = list(expanded(given))
    plain = [plain_text(parts_of(value)) for value in wanted if type(value) is SigmaString]
    texts = frozenset(fold(text) for text in plain if text is not None)
    alternatives = [_value(field, rarity, value) for value in wanted]
    if len(alternatives) > 1 and len(plain) == len(wanted) and None not in plain:
        # One look-up instead of a comparison with each.
        return replace(any_of(alternatives), matches=_reaches(field, _one_of(texts)), rarity=rarity)
    return any_of(alternatives)


def keywords(given: list[SigmaType]) -> Compiled:
    """Any of these texts or expressions within any text, integer or boolean of the record.

    Raises:
        ConfigError: a value is of a kind that has no meaning without a field.
    """
    tests: list[Test] = []
    literals: list[frozenset[Literal] | None] = []
    for value in expanded(given):
        if isinstance(value, SigmaRegularExpression):
            tests.append(regex_test(value))
            literals.append(_one(text_literal(required_texts(value))))
        elif type(value) in (SigmaString, SigmaCasedString, SigmaNumber):
            text = value if isinstance(value, SigmaString) else SigmaString(str(value))
            parts = within(parts_of(text))
            tests.append(text_test(parts, cased=isinstance(value, SigmaCasedString)))
            literals.append(_one(text_literal(parts)))
        else:
            raise ConfigError(f"a list of keywords has a value that needs a field ({type(value).__name__})")

    def matches(record: Mapping[str, Any]) -> bool:
        return any(test(value) for value in scalars(record) for test in tests)

    return Compiled(matches, union(literals), 1)


def _value(field: Field, rarity: int, value: SigmaType) -> Compiled:
    # What has to be there at all is reached by its name, but for the names inside a document.
    found = _one(name_literal(field.steps[1])) if field.enters_documents else None
    if isinstance(value, SigmaNull):
        return Compiled(lambda record: all(one is None for one in values(record, field)))
    if isinstance(value, SigmaExists):
        wanted = value.exists
        return Compiled(lambda record: bool(members(record, field)) is wanted, found if wanted else None, rarity)
    if isinstance(value, SigmaFieldReference):
        other = Field.of(value.field)
        agree = reference_test(value)
        return Compiled(lambda record: agree(values(record, field), values(record, other)), found, rarity)
    test, literal = _test(field, value)
    if field.steps == ("eventName",) and isinstance(value, SigmaString) and type(value) in _TEXTS:
        return _name(value, _reaches(field, test), literal)
    if not field.enters_documents:
        found = _one(literal)
    return Compiled(_reaches(field, test), found, 0 if isinstance(value, SigmaBool) else rarity)


def _name(value: SigmaString, matches: Matches, literal: Literal | None) -> Compiled:
    """Of `eventName`, whose literals are bound to it: other members are no texts everywhere, or are rare."""
    beginning = beginning_literal(parts_of(value))
    if beginning is None:
        return Compiled(matches, _one(literal), 2)
    named = replace(beginning, member="eventName")
    found = named if beginning == literal else literal
    return Compiled(matches, _one(found), 0 if beginning.text in _COMMON_NAMES else 2, _one(named))


def _test(field: Field, value: SigmaType) -> tuple[Test, Literal | None]:
    kind = type(value)
    if isinstance(value, SigmaString) and kind in _TEXTS:
        parts = parts_of(value)
        return text_test(parts, cased=kind is SigmaCasedString), text_literal(parts)
    if isinstance(value, SigmaBool):
        return bool_test(value.boolean), Literal("true" if value.boolean else "false", whole=False)
    if isinstance(value, SigmaTimestampPart):
        return time_test(value), None
    if isinstance(value, SigmaNumber) and kind is SigmaNumber:
        return number_test(value.number), None
    if isinstance(value, SigmaRegularExpression):
        return regex_test(value), text_literal(required_texts(value))
    if isinstance(value, SigmaCIDRExpression):
        return cidr_test(value.network), None
    if isinstance(value, SigmaCompareExpression):
        return compare_test(value), None
    raise ConfigError(f"its field {field.name} has a value of a kind that is not supported ({kind.__name__})")


def _reaches(field: Field, test: Test) -> Matches:
    """Whether any value that lies at this field passes; an array on the way or at its end stands for its elements."""
    if len(field.steps) == 1:
        name = field.name

        def matches(record: Mapping[str, Any]) -> bool:
            value = record.get(name)
            return any(map(test, elements(value))) if isinstance(value, list) else test(value)

        return matches
    return lambda record: any(map(test, values(record, field)))


def _one_of(texts: frozenset[str]) -> Test:
    def test(value: Any) -> bool:
        text = scalar_text(value)
        return text is not None and fold(text) in texts

    return test


def _one(literal: Literal | None) -> frozenset[Literal] | None:
    return None if literal is None else frozenset({literal})


def union(sets: Iterable[frozenset[Literal] | None]) -> frozenset[Literal] | None:
    """A record that has one of any of these; `None`: any record, since one of them is of any."""
    united: frozenset[Literal] = frozenset()
    for each in sets:
        if each is None:
            return None
        united |= each
    return united
