"""The compiled rule held against a plain reading of pySigma's parse tree, over random rules and records."""

import base64
import ipaddress
import json
import operator
import re
from collections import Counter
from collections.abc import Iterator
from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from sigma.rule import SigmaRule
from sigma.types import SigmaCasedString, SigmaString, SpecialChars

from stream.decode import Prefilter
from stream.decode.engine import portable
from stream.decode.scan import patterns
from stream.detect.sigma import compile_rule
from tests.decode.logs import spelt
from tests.detect.test_sigma import HEAD

# The oracle


def flat(value: Any) -> list[Any]:
    return [each for element in value for each in flat(element)] if isinstance(value, list) else [value]


def reached(value: Any, name: str, level: int = 0, *, closed: bool = False) -> Iterator[Any]:
    """What lies at a dotted name: whatever members' names it can be put together of."""
    for one in flat(value):
        if isinstance(one, str) and level >= 2 and not closed:
            try:
                inside = json.loads(one)
            except ValueError:
                continue
            yield from (reached(inside, name, level, closed=True) if isinstance(inside, dict | list) else ())
        elif isinstance(one, dict):
            for key, member in one.items():
                if key == name:
                    yield member
                elif name.startswith(f"{key}."):
                    never = level == 0 and key == "userIdentity"
                    yield from reached(member, name[len(key) + 1 :], -100 if never else level + 1)


def everything(value: Any) -> list[Any]:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return [value] if inner is None else [each for member in inner for each in everything(member)]


def text_of(value: Any, *, objects: bool) -> str | None:
    if isinstance(value, dict) and objects:
        return "{" + ",".join(f'"{key}":{quoted(member)}' for key, member in value.items()) + "}"
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, str | int) else None


def quoted(value: Any) -> str:
    if isinstance(value, list):
        return "[" + ",".join(map(quoted, value)) + "]"
    return f'"{value}"' if isinstance(value, str) else text_of(value, objects=True) or json.dumps(value)


def fits(pattern: SigmaString, value: Any, *, within: bool = False) -> bool:
    parts = list(pattern.s)
    if within:
        parts = [SpecialChars.WILDCARD_MULTI, *parts, SpecialChars.WILDCARD_MULTI]
    if parts and set(parts) == {SpecialChars.WILDCARD_MULTI}:
        return value is not None
    text = text_of(value, objects=parts[:1] == [SpecialChars.WILDCARD_MULTI])
    wild: dict[Any, str] = {SpecialChars.WILDCARD_MULTI: ".*", SpecialChars.WILDCARD_SINGLE: "."}
    expression = "".join(wild.get(part) or re.escape(str(part)) for part in parts)
    caseless = 0 if isinstance(pattern, SigmaCasedString) else re.IGNORECASE
    return text is not None and bool(re.fullmatch(expression, text, re.DOTALL | re.ASCII | caseless))


def number_of(value: Any) -> float | None:
    try:
        return None if isinstance(value, bool) or value is None else float(value)
    except (TypeError, ValueError):
        return None


def one_is(wanted: Any, value: Any, *, within: bool = False) -> bool:
    """Whether one value is as wanted, by the name of what pySigma made of the rule's value."""
    match type(wanted).__name__:
        case "SigmaString" | "SigmaCasedString":
            return fits(wanted, value, within=within)
        case "SigmaBool":
            return str(wanted.boolean).lower() == (str(value).lower() if isinstance(value, bool | str) else None)
        case "SigmaNumber" if within:
            return str(wanted) in (text_of(value, objects=False) or "")
        case "SigmaNumber":
            return (value == wanted.number and not isinstance(value, bool)) or value == str(wanted)
        case "SigmaRegularExpression":
            flags = [wanted.sigma_to_python_flags[flag] for flag in wanted.flags]
            text = text_of(value, objects=not within)
            return text is not None and bool(re.search(str(wanted.regexp), text, sum(flags)))
        case "SigmaCIDRExpression":
            try:
                return isinstance(value, str) and ipaddress.ip_address(value) in ipaddress.ip_network(wanted.cidr)
            except ValueError:
                return False
        case "SigmaCompareExpression":
            number = number_of(value)
            operators = {"LT": operator.lt, "LTE": operator.le, "GT": operator.gt, "GTE": operator.ge}
            return number is not None and bool(operators[wanted.op.name](number, wanted.number.number))
        case "SigmaTimestampPart":
            return isinstance(value, str) and bool(re.fullmatch(rf"....-..-..T0?{wanted.number}:..:..Z", value))
    raise AssertionError(wanted)


def refers(wanted: Any, own: list[Any], others: list[Any]) -> bool:
    for one in own:
        for other in others:
            left, right = (str(x) if isinstance(x, float) else text_of(x, objects=False) for x in (one, other))
            if left is None or right is None:
                continue
            pattern = SigmaString()
            pattern.s = [right]
            if wanted.starts_with:
                pattern = pattern + SpecialChars.WILDCARD_MULTI
            if wanted.ends_with:
                pattern = SpecialChars.WILDCARD_MULTI + pattern
            if fits(pattern, left):
                return True
    return False


def holds(condition: Any, record: dict[str, Any]) -> bool:
    match type(condition).__name__:
        case "ConditionAND":
            return all(holds(each, record) for each in condition.args)
        case "ConditionOR":
            return any(holds(each, record) for each in condition.args)
        case "ConditionNOT":
            return not holds(condition.args[0], record)
        case "ConditionValueExpression":
            return any(value_is(condition.value, None, record))
        case "ConditionFieldEqualsValueExpression":
            return any(value_is(condition.value, condition.field, record))
    raise AssertionError(condition)


def value_is(wanted: Any, field: str | None, record: dict[str, Any]) -> Iterator[bool]:
    kind = type(wanted).__name__
    if kind == "SigmaString" and wanted.contains_placeholder():
        for each in wanted.replace_placeholders(lambda one: map(SigmaString, PLACEHOLDERS[one.name])):
            yield from value_is(each, field, record)
    elif kind == "SigmaExpansion":
        for each in wanted.values:
            yield from value_is(each, field, record)
    elif field is None:
        yield from (one_is(wanted, value, within=True) for value in everything(record))
    else:
        found = list(reached(record, field))
        values = flat(found)
        if kind == "SigmaExists":
            yield bool(found) is wanted.exists
        elif kind == "SigmaNull":
            yield all(value is None for value in values)
        elif kind == "SigmaFieldReference":
            yield refers(wanted, values, flat(list(reached(record, wanted.field))))
        else:
            yield from (one_is(wanted, value) for value in values)


# Rules and records

PLACEHOLDERS = {"stops": ("Stop", "St?pLog*"), "one": ("1", "5")}
FIELDS = ("eventName", "a", "a.b", "a.b.c", "a.b.c.d", "userIdentity.b.c", "")
WORDS = ("Stop", "stop", "StopLogging", "Logging", "1", "5", "10.0.0.1", "::1", "2025-01-02T03:04:05Z", "-x y", "/x y")
ODD = (
    "",
    "\N{KELVIN SIGN}",
    'a"b',
    "a\\b",
    "1e2",
    "Stop\nStop",
    "Stop\n",
    "é",
    "x" + base64.b64encode(b"Stop Stop").decode(),
)
PATTERNS = ("Stop*", "*Log*", "St?p", "*", r"\*", '*"c":*', "s*p*l*g")
EXPRESSIONS = ("St.p", "^S", "[0-9]+", "ing$", "p$", "a|b", "Stop.Stop", "x*", r"\.0")
PLAIN = (*WORDS, *ODD)
TEXT_MODIFIERS = ("|contains", "|startswith", "|endswith", "|contains|all", "|cased", "|contains|cased", "|neq")
KINDS: dict[str, tuple[Any, ...]] = {
    "": (*PLAIN, *PATTERNS, 1, 5, 1.5),
    **dict.fromkeys(TEXT_MODIFIERS, (*PLAIN, *PATTERNS)),
    **dict.fromkeys(
        ("|re", "|re|s", "|re|all"), ("St.p", "^S", "[0-9]+", "ing$", "p$", "a|b", "Stop.Stop", "x*", r"\.0")
    ),
    **dict.fromkeys(("|re|i", "|re|i|m"), ("STOP", "^s.*p$", "K", "log+")),
    **dict.fromkeys(("|windash", "|windash|contains", "|windash|contains|all"), ("-x", "-x y", "/x y", "x")),
    **dict.fromkeys(("|base64", "|base64offset|contains", "|wide|base64offset|contains"), ("Stop", "op", "St\\*p")),
    "|wide|contains": ("Stop", "1"),
    **dict.fromkeys(("|expand", "|expand|contains", "|neq|expand"), ("%stops%", "x%stops%", "Stop%", "%one%%one%")),
}
FIELD_KINDS: dict[str, tuple[Any, ...]] = {
    "|cidr": ("10.0.0.0/8", "10.0.0.2/32", "::/64"),
    **dict.fromkeys(("|lt", "|lte", "|gt", "|gte"), (1, 5, 1.5)),
    "|exists": (True, False),
    **dict.fromkeys(("|fieldref", "|fieldref|startswith", "|fieldref|contains", "|fieldref|endswith"), ("a", "a.b.c")),
    "|hour": (3, 4),
}
CONDITIONS = ("one", "not one", "one and two", "one or two", "one and not two", "1 of them", "all of them", "1 of o*")


def some_selection(random: Random) -> Any:
    items: dict[str, Any] = {}
    for field in random.sample(FIELDS, k=random.randint(1, 2)):
        kinds = {**KINDS, **FIELD_KINDS} if field else KINDS
        modifier = random.choice(sorted(kinds))
        values = kinds[modifier] + ((None, True) if field and not modifier else ())
        items[field + modifier] = random.choices(values, k=random.randint(1, 3))
    return [items, {"eventName": "Other"}] if random.random() < 0.1 else items


def some_leaf(random: Random, wanted: list[Any]) -> Any:
    word = random.choice([*PLAIN, *(3 * wanted)])
    if not isinstance(word, str) or random.random() < 0.2:
        return random.choice([word, 1, 5, 7.5, True, False, None, {}])
    return random.choice([word, word, word.swapcase(), f"x{word}", f"{word}x"])


def some_branch(random: Random, wanted: list[Any], level: int = 0) -> Any:
    """A member of a record: likely an object whose members lead on, or a document or an array of such."""
    kind = random.randint(0, 9)
    if level == 4 or kind < 3:
        return some_leaf(random, wanted)
    names = random.sample(["b", "c", "d", "b.c", "c.d"], k=2)
    inner = {name: some_branch(random, wanted, level + 1) for name in names}
    if kind == 3:
        return [some_leaf(random, wanted), [inner], some_leaf(random, wanted)]
    return some_spelling(random, random.choice([inner, [inner]])) if kind < 6 else inner


def some_record(random: Random, *selections: Any) -> dict[str, Any]:
    """A record with a good chance to meet these selections, or nearly."""
    items = [each for one in selections for each in (one if isinstance(one, list) else [one])]
    wanted = [value for item in items for values in item.values() for value in flat(values)]
    names = [name for name in ("a", "userIdentity", "a.b", "a.b.c", "x") if random.random() < 0.5]
    record = {name: some_branch(random, wanted) for name in names}
    return {"eventName": some_leaf(random, wanted), **record}


def some_spelling(random: Random, value: Any) -> str:
    """JSON of a value, with escapes where none are needed."""
    text = json.dumps(value, ensure_ascii=random.random() < 0.5, indent=random.choice([None, None, 1]))
    inside = False
    written: list[str] = []
    for token in re.findall(r"\\u....|\\.|[^\\]", text, re.DOTALL):
        inside ^= token == '"'
        plain = inside and len(token) == 1 and token != '"' and ord(token) < 0x10000
        written.append(f"\\u{ord(token):04x}" if plain and random.random() < 0.1 else token)
    return "".join(written)


@settings(max_examples=120)
@given(seed=st.integers(0, 2**32))
def check(seen: Counter[str], seed: int) -> None:
    random = Random(seed)
    one, two = some_selection(random), some_selection(random)
    document = {**HEAD, "detection": {"one": one, "two": two, "condition": random.choice(CONDITIONS)}}
    tree = [each.parsed for each in SigmaRule.from_dict(document).detection.parsed_condition]
    rule = compile_rule(document, PLACEHOLDERS)[1]
    may_hold = portable(patterns(rule.literals or ()))
    found: list[dict[str, Any]] = []
    for _ in range(12):
        record = some_record(random, one, two)
        expected = any(holds(each, record) for each in tree)
        assert rule.matches(record) is expected, (document, record)
        seen["matched" if expected else "missed"] += 1
        if expected and rule.literals is not None:
            text = some_spelling(random, record)
            assert json.loads(text) == record
            assert may_hold(text.encode()), (document, record)
            seen["hit"] += 1
            found.append(record)
    if found:
        record = min(found, key=lambda one: len(json.dumps(one)))
        text = spelt(record, random)
        assert json.loads(text) == record
        assert Prefilter(rule.literals).search(text.encode())
        seen["hit by the prefilter"] += 1


def test_the_compiled_rule_says_what_the_parse_tree_says_and_the_prefilter_hides_nothing() -> None:
    seen: Counter[str] = Counter()

    check(seen)

    assert min(seen["matched"], seen["missed"]) > 150
    assert seen["hit"] > 25
    assert seen["hit by the prefilter"] > 8
