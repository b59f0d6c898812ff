import json
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream.decode.literals import Literal
from stream.detect.json_value import fold
from stream.detect.sigma import Compiled, compile_rule
from stream.errors import ConfigError
from tests.detect.strategies import json_values

HEAD = {
    "title": "A rule",
    "id": "9c1f2a7e-55cc-4a53-8b16-6b3f3f2f7c11",
    "logsource": {"product": "aws", "service": "cloudtrail"},
    "level": "high",
}


def compiled(selection: Any, condition: str = "selection", **others: Any) -> Compiled:
    detection = {"selection": selection, **others, "condition": condition}
    return compile_rule({**HEAD, "detection": detection})[1]


def matches(selection: Any, record: dict[str, Any]) -> bool:
    return compiled(selection).matches(record)


def literals(one: Compiled) -> set[str] | None:
    return None if one.literals is None else {literal.text for literal in one.literals}


# Values


@pytest.mark.parametrize(
    ("selection", "record", "expected"),
    [
        ({"eventName": "StopLogging"}, {"eventName": "stopLOGGING"}, True),
        ({"eventName": "StopLogging"}, {"eventName": ["StopLogging"]}, True),
        ({"eventName": "StopLogging"}, {"eventName": {"StopLogging": "StopLogging"}}, False),
        ({"eventName": "StopLogging"}, {"EventName": "StopLogging"}, False),
        ({"eventName": "StopLogging"}, {}, False),
        ({"eventName": ["A", "B"]}, {"eventName": "b"}, True),
        ({"eventName": ["A", "B"]}, {"eventName": "c"}, False),
        ({"eventName": ["A", "B*"]}, {"eventName": "bc"}, True),
        ({"eventName": ["1", "true"]}, {"eventName": 1}, True),
        ({"eventName": ["1", "true"]}, {"eventName": True}, True),
        ({"eventName": ["1", "true"]}, {"eventName": {}}, False),
        ({"eventName|startswith": "Stop"}, {"eventName": "StopLogging"}, True),
        ({"eventName|startswith": "Stop"}, {"eventName": "NonStop"}, False),
        ({"eventName|endswith": "Logging"}, {"eventName": "StopLogging"}, True),
        ({"eventName|contains": "plo"}, {"eventName": "StopLogging"}, True),
        ({"eventName|contains|all": ["Stop", "Log"]}, {"eventName": "StopLogging"}, True),
        ({"eventName|contains|all": ["Stop", "Log"]}, {"eventName": "Stop"}, False),
        ({"a|all": ["x", "y"]}, {"a": ["x", "y"]}, True),
        ({"a|all": ["x", "y"]}, {"a": ["x"]}, False),
        ({"a": 22}, {"a": 22.0}, True),
        ({"a": 22}, {"a": "22"}, True),
        ({"a": True}, {"a": "true"}, True),
        ({"a": True}, {"a": False}, False),
        ({"a": None}, {}, True),
        ({"a": None}, {"a": None}, True),
        ({"a": None}, {"a": [None]}, True),
        ({"a": None}, {"a": ""}, False),
        ({"a": [None, "x"]}, {"a": "x"}, True),
        ({"a": ""}, {"a": ""}, True),
        ({"a": ""}, {}, False),
        ({"a|exists": True}, {"a": None}, True),
        ({"a|exists": True}, {}, False),
        ({"a.b|exists": False}, {"a": {}}, True),
        ({"a.b|exists": False}, {"a": [{}, {"b": 1}]}, False),
    ],
)
def test_a_field_is_compared_with_its_values(selection: Any, record: dict[str, Any], expected: bool) -> None:
    assert matches(selection, record) is expected


def test_dotted_fields_reach_into_objects_and_any_element_of_arrays() -> None:
    selection = {"requestParameters.rules.port": "22"}

    assert matches(selection, {"requestParameters": {"rules": {"port": 22}}})
    assert matches(selection, {"requestParameters": {"rules": [{"port": 80}, [{"port": [23, 22]}]]}})
    assert not matches(selection, {"requestParameters": {"rules": [{"port": 80}, "port"]}})
    assert not matches(selection, {"requestParameters": "rules.port"})
    assert not matches(selection, {"requestParameters.rules.port": "22"})


def test_an_object_is_searched_as_text() -> None:
    selection = {"requestParameters|contains": "suspended"}

    assert matches(selection, {"requestParameters": {"VersioningConfiguration": {"Status": "Suspended"}}})
    assert not matches(selection, {"requestParameters": {"VersioningConfiguration": {"Status": "Enabled"}}})
    assert not matches(selection, {"requestParameters": None})


# Conditions


def test_items_of_a_mapping_are_all_wanted_and_those_of_a_list_are_alternatives() -> None:
    assert matches({"a": "1", "b": "2"}, {"a": "1", "b": "2"})
    assert not matches({"a": "1", "b": "2"}, {"a": "1"})
    assert matches([{"a": "1"}, {"b": "2"}], {"b": "2"})
    assert not matches([{"a": "1"}, {"b": "2"}], {"b": "1"})


@pytest.mark.parametrize(
    ("condition", "record", "expected"),
    [
        ("selection and not filter_one", {"a": "x"}, True),
        ("selection and not filter_one", {"a": "x", "b": "1"}, False),
        ("selection and not 1 of filter_*", {"a": "x", "c": "1"}, False),
        ("selection and not all of filter_*", {"a": "x", "c": "1"}, True),
        ("selection and not all of filter_*", {"a": "x", "b": "1", "c": "1"}, False),
        ("selection or filter_one", {"b": "1"}, True),
        ("1 of them", {"c": "1"}, True),
        ("all of them", {"c": "1"}, False),
        ("not (selection or (filter_one and filter_two))", {"b": "1"}, True),
        ("not (selection or (filter_one and filter_two))", {"b": "1", "c": "1"}, False),
    ],
)
def test_conditions(condition: str, record: dict[str, Any], expected: bool) -> None:
    rule = compiled({"a": "x"}, condition, filter_one={"b": "1"}, filter_two={"c": "1"})

    assert rule.matches(record) is expected


def test_several_conditions_are_alternatives() -> None:
    document = {**HEAD, "detection": {"one": {"a": "1"}, "two": {"b": "1"}, "condition": ["one", "two"]}}
    _, rule = compile_rule(document)

    assert [rule.matches(record) for record in ({"a": "1"}, {"b": "1"}, {})] == [True, True, False]


# What the prefilter is told


@pytest.mark.parametrize(
    ("selection", "expected"),
    [
        ({"eventSource": "cloudtrail.amazonaws.com", "eventName": ["A1", "B1"]}, {"A1", "B1"}),
        ({"userAgent|contains": "TruffleHog", "eventName": "Get"}, {"Get"}),
        ({"eventSource": "cloudtrail.amazonaws.com", "userAgent|contains": "x"}, {"x"}),
        ({"a|contains|all": ["ab", "abcdef"]}, {"abcdef"}),
        ({"a": "x", "b": None}, {"x"}),
        ({"a": ["x", "*"]}, None),
        ({"a": ["x", 22]}, None),
        ({"a": None}, None),
        ({"a|exists": True}, None),
        ({"a": True}, {"true"}),
        ([{"a": "x"}, {"b": "y"}], {"x", "y"}),
        ([{"a": "x"}, {"b": None}], None),
    ],
)
def test_the_rarest_part_of_a_rule_is_looked_for(selection: Any, expected: set[str] | None) -> None:
    assert literals(compiled(selection)) == expected


def test_nothing_is_looked_for_in_a_negation() -> None:
    assert literals(compiled({"a": "x"}, "not selection")) is None
    assert literals(compiled({"a": "x"}, "selection and not other", other={"eventName": "y"})) == {"x"}


# Refusals


@pytest.mark.parametrize(
    ("selection", "reason"),
    [
        ({"a|re": "x.*"}, "modifier 're'"),
        ({"a|cidr": "10.0.0.0/8"}, "modifier 'cidr'"),
        ({"a|base64": "x"}, "modifier 'base64'"),
        ({"a|cased": "x"}, "modifier 'cased'"),
        ({"a|gt": 1}, "modifier 'gt'"),
        ({"a|fieldref": "b"}, "modifier 'fieldref'"),
        ({"a|neq": "b"}, "modifier 'neq'"),
        ({"a|windash|contains": "-x"}, "modifier 'windash'"),
        ({"a|expand": "%x%"}, "modifier 'expand'"),
        ({"a|nonsense": "x"}, "nonsense"),
        ({"a": []}, "empty list"),
        (["keyword"], "keywords"),
        ({"a": {"b": 1}}, "pySigma"),
        ("keyword", "keywords"),
    ],
)
def test_what_is_not_understood_is_refused(selection: Any, reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        compiled(selection)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"logsource": {"product": "windows", "service": "security"}}, "windows"),
        ({"logsource": {"product": "aws", "service": "vpcflow"}}, "vpcflow"),
        ({"logsource": {"product": "aws"}}, "logsource"),
        ({"logsource": {"product": "aws", "service": "cloudtrail", "category": "x"}}, "logsource"),
        ({"logsource": "aws"}, "pySigma"),
        ({"logsource": None}, "pySigma"),
        ({"id": None}, "no id"),
        ({"id": "not a uuid"}, "UUID"),
        ({"id": 7}, "pySigma"),
        ({"title": None}, "title"),
        ({"level": "urgent"}, "level"),
        ({"detection": None}, "pySigma"),
        ({"detection": {"condition": "x"}}, "pySigma"),
        ({"detection": {"x": {"a": 1}}}, "condition"),
        ({"detection": {"x": {"a": 1}, "condition": "y"}}, "y"),
        ({"detection": {"x": {"a": 1}, "condition": "1 of y*"}}, "y"),
        ({"detection": {"x": {"a": 1}, "condition": "x and ("}}, "pySigma"),
        ({"detection": {"x": {"a": 1}, "condition": "x | count() > 5"}}, "pySigma"),
        ({"detection": {"x": {"a": 1}, "timeframe": "5m", "condition": "x"}}, "timeframe"),
        ({"detection": {"x": {"a": 1}, "unused": {"b|re": "."}, "condition": "x"}}, "modifier 're'"),
        ({"detection": {"x": {"a": 1}, "condition": "not " * 2000 + "x"}}, "pySigma"),
        ({"correlation": {"type": "event_count"}}, "correlation"),
        ({"filter": {"rules": []}}, "filter"),
        ({"action": "global"}, "action"),
    ],
)
def test_a_document_that_is_no_rule_of_ours_is_refused(change: dict[str, Any], reason: str) -> None:
    document = {**HEAD, "detection": {"selection": {"a": "x"}, "condition": "selection"}, **change}
    with pytest.raises(ConfigError, match=reason):
        compile_rule(document)


def test_what_a_rule_says_of_itself() -> None:
    info, _ = compile_rule(
        {
            **HEAD,
            "detection": {"selection": {"a": "x"}, "condition": "selection"},
            "tags": ["attack.t1562.008"],
            "references": ["https://example.com/"],
            "compliance": ["NIST"],
        }
    )

    assert (info.id, info.title, info.level) == (HEAD["id"], "A rule", "high")
    assert (info.tags, info.references, info.compliance) == (
        ("attack.t1562.008",),
        ("https://example.com/",),
        ("NIST",),
    )


def test_a_rule_without_a_level_is_medium() -> None:
    document = {**HEAD, "level": None, "detection": {"selection": {"a": "x"}, "condition": "selection"}}

    assert compile_rule(document)[0].level == "medium"


# Properties

FIELDS = ("eventName", "eventSource", "a", "a.b")
PIECES = (
    *(
        "Stop",
        "log",
        "tRuE",
        "1",
        "10",
        "10.0",
        "e",
        "/",
        '"',
        "\\",
        " ",
        "\N{KELVIN SIGN}",
        ".",
        ":",
        "{",
        "*",
        "?",
        "null",
    ),
    *('{"b":', '"b":10.0', '"b":10', '"Stop":"'),
)
NUMBERS = ("1", "-0", "10", "1e1", "1.0", "10.50", "1E400", "123456789012345678901234567890")
MODIFIERS = ("", "|contains", "|startswith", "|endswith", "|contains|all")
CONDITIONS = ("one", "one or two", "one and not two", "one and two")


def some_text(random: Random) -> str:
    return "".join(random.choices(PIECES, k=random.randint(0, 3)))


def some_json(random: Random, depth: int = 2) -> str:
    """JSON of a value, its white space and numbers spelt in any way, its texts of a small alphabet."""
    gap = random.choice(["", " ", "\n"])
    kind = random.choice(["text", "text", "number", "word", "array", "object"] if depth else ["text", "number"])
    if kind == "text":
        return json.dumps(some_text(random), ensure_ascii=False).replace("/", random.choice(["/", "\\/"]))
    if kind == "number":
        return random.choice(NUMBERS)
    if kind == "word":
        return random.choice(["true", "false", "null"])
    inner = [some_json(random, depth - 1) for _ in range(random.randint(0, 2))]
    if kind == "array":
        return f"[{gap}" + f"{gap},".join(inner) + "]"
    return "{" + ",".join(f'{gap}"{random.choice(["b", "Stop"])}"{gap}:{gap}{one}' for one in inner) + "}"


def some_selection(random: Random) -> dict[str, Any]:
    selection: dict[str, Any] = {}
    for field in random.sample(FIELDS, k=random.randint(1, 3)):
        modifier = random.choice(MODIFIERS)
        values: list[Any] = [some_text(random) or "Stop" for _ in range(random.randint(1, 3))]
        if not modifier and random.random() < 0.3:
            values.append(random.choice([True, False, 1, 10, None]))
        selection[field + modifier] = values
    return selection


def some_record(random: Random, selection: dict[str, Any]) -> str:
    """JSON of a record that has a good chance to meet the selection."""
    members = []
    for field in ("eventName", "eventSource", "a"):
        wanted = [value for key, values in selection.items() if key.partition("|")[0] == field for value in values]
        likely = wanted and random.random() < 0.6
        one = json.dumps(random.choice(wanted), ensure_ascii=False) if likely else some_json(random)
        if likely and random.random() < 0.3:
            one = one.replace("/", "\\/")
        members.append(f'"{field}": {one}')
    return "{" + ", ".join(members) + "}"


def spelt(literal: Literal, folded_json: str) -> bool:
    wanted = fold(literal.text)
    return (f'"{wanted}"' if literal.whole else wanted) in folded_json


@pytest.mark.parametrize("seed", range(5))
def test_a_record_that_matches_has_a_literal_in_its_json(seed: int) -> None:
    random = Random(seed)
    proven = 0
    for _ in range(200):
        one, two = some_selection(random), some_selection(random)
        rule = compile_rule({**HEAD, "detection": {"one": one, "two": two, "condition": random.choice(CONDITIONS)}})[1]
        for _ in range(20):
            text = some_record(random, one)
            if rule.literals is not None and rule.matches(json.loads(text)):
                assert any(spelt(literal, fold(text)) for literal in rule.literals), (one, two, text)
                proven += 1

    assert proven > 100


@settings(deadline=None)
@given(st.randoms(use_true_random=False), json_values())
def test_no_record_makes_a_rule_fail(random: Random, value: Any) -> None:
    selection = some_selection(random)
    rule = compiled(selection)
    names = {key.partition("|")[0].partition(".")[0] for key in selection}

    for one in (value, {"b": value}):
        assert rule.matches(dict.fromkeys(names, one)) in (True, False)
