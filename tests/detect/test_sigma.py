from typing import Any

import pytest

from stream.detect.sigma import Compiled, compile_rule
from stream.errors import ConfigError

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
        ({"a": None}, {"a": [None, 0]}, False),
        ({"a.b": None}, {"a": [{"b": None}, {}]}, True),
        ({"a": ""}, {"a": None}, False),
        ({"a": ""}, {"a": [[], ["", "x"]]}, True),
        ({"a|contains": ""}, {"a": "x"}, True),
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


# Refusals


@pytest.mark.parametrize(
    ("selection", "reason"),
    [
        ({"a|expand": "%x%"}, "field a has the placeholder %x%, which TRAILSTREAM_PLACEHOLDERS does not define"),
        ({"|expand": "%x%"}, "keywords has the placeholder %x%"),
        ({"a|re": "("}, "missing"),
        ({"a|re": "(?=x)"}, "invalid perl operator"),
        ({"a|re": r"(x)\1"}, "invalid escape"),
        ({"a|contains|re": "x"}, "unmodified values"),
        ({"a|re|cased": "x"}, "CaseSensitive"),
        ({"a|i": "x"}, "IgnoreCase"),
        ({"a|cidr": "10.0.0.1/8"}, "CIDR"),
        ({"a|cidr": "10.0.0.0/33"}, "CIDR"),
        ({"a|cidr": 10}, "CIDR"),
        ({"a|gt": "1"}, "GreaterThan"),
        ({"a|exists": "yes"}, "Exists"),
        ({"|exists": True}, "must be applied to field"),
        ({"a|fieldref": "b*"}, "wildcards"),
        ({"a|base64": "b*"}, "wildcards"),
        ({"a|wide": "\N{EURO SIGN}"}, "ascii"),
        ({"a|cased|windash": "-x"}, "'cased' before one that undoes it"),
        ({"a|cased|base64": "x"}, "'cased' before one that undoes it"),
        ({"a|windash": "-a -b -c -d"}, "three dash"),
        ({"a|hour": "3"}, "Hour"),
        ({"a|contains": 1}, "Contains"),
        ({"|gt": 1}, "needs a field"),
        ([None], "needs a field"),
        ([True], "needs a field"),
        ({"a|nonsense": "x"}, "nonsense"),
        ({"a": []}, "empty list"),
        ({"": []}, "keywords has an empty list"),
        ({"a": {"b": 1}}, "pySigma"),
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
        ({"detection": {"x": {"a": 1}, "unused": {"b|expand": "%c%"}, "condition": "x"}}, "placeholder %c%"),
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
