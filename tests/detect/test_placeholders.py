"""The modifier `expand`: its values from the variable, what they make of a rule, and what is refused."""

from pathlib import Path
from typing import Any

import pytest

from stream.detect.placeholders import Placeholders, filled, load
from stream.detect.sigma import Compiled, compile_rule
from stream.detect.suppressions import Suppressions
from stream.errors import ConfigError
from tests.detect.records import CT_013, record
from tests.detect.test_sigma import HEAD

VALUES: Placeholders = {
    "admins": ("alice", "bob*"),
    "offices": ("198.51.100.0/24", "203.0.113.7"),
    "one": ("x",),
    "big": tuple(map(str, range(200))),
}


def compiled(selection: Any, condition: str = "selection") -> Compiled:
    return compile_rule({**HEAD, "detection": {"selection": selection, "condition": condition}}, VALUES)[1]


@pytest.mark.parametrize(
    ("selection", "inside", "outside"),
    [
        ({"a|expand": "%admins%"}, ["alice", "Bobby"], ["alicex", "%admins%", None]),
        ({"a|expand": ["role/%admins%-%one%", "z"]}, ["role/alice-x", "role/bobby-x", "z"], ["role/alice", "x"]),
        ({"a|expand|contains": "%one%"}, ["axa"], ["y"]),
        ({"a|contains|expand": "%one%"}, ["axa"], ["y"]),
        ({"a|cidr|expand": "%offices%"}, ["198.51.100.9", "203.0.113.7"], ["203.0.113.8"]),
        ({"a|re|expand": "^%one%+$"}, ["xxx"], ["xy"]),
        ({"a|neq|expand": "%admins%"}, ["eve", None], ["alice", "bobx"]),
        ({"a|contains|all|expand": ["%one%", "b"]}, ["bx"], ["x", "b"]),
        ({"a|base64|expand": "%one%"}, ["eA=="], ["x"]),
        ([{"a|expand": "%one%"}, {"b": "y"}], ["x"], ["y"]),
        ({"|expand": "%admins%"}, ["alice", "malice"], ["eve"]),
        ({"a|expand": "100%"}, ["100%"], ["100"]),
        ({"a|expand": 5}, [5, "5"], ["x"]),
        ({"a|utf16le|contains": "x"}, ["x\x00"], ["x"]),
    ],
)
def test_a_placeholder_stands_for_its_values_as_if_they_stood_in_the_rule(
    selection: Any, inside: list[Any], outside: list[Any]
) -> None:
    rule = compiled(selection)

    assert [value for value in inside if not rule.matches({"a": value})] == []
    assert [value for value in outside if rule.matches({"a": value})] == []


def test_the_values_are_what_the_prefilter_looks_for() -> None:
    literals = compiled({"eventName|expand": "%admins%"}).literals

    assert literals is not None
    assert {literal.text for literal in literals} == {"alice", "bob"}


@pytest.mark.parametrize(
    ("selection", "reason"),
    [
        ({"a|expand": "%admin%"}, r"field a has the placeholder %admin%.*did you mean admins"),
        ({"a|expand": ["x", "%one%%nobody%"]}, "%nobody%"),
        ({"a|all|expand": ["%admins%", "x"]}, "several values"),
        ({"a|expand": "%big%%big%%big%"}, "more than 10,000"),
        ({"a|expand": "%one%", "a": "y"}, "twice"),
    ],
)
def test_what_can_not_be_filled_in_is_refused_by_name(selection: Any, reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        compiled(selection)


def test_filters_have_placeholders_too(tmp_path: Path) -> None:
    (tmp_path / "filter.yml").write_text(
        "title: Our offices\nlogsource: {product: aws}\n"
        "filter: {rules: any, selection: {sourceIPAddress|cidr|expand: '%offices%'}, condition: not selection}",
        encoding="utf-8",
    )
    suppressions = Suppressions.load([str(tmp_path)], CT_013.rules, VALUES)
    rule = CT_013.rules[0].info.id

    assert suppressions.find(rule, record("StopLogging", sourceIPAddress="203.0.113.7"), 0.0) is not None
    assert suppressions.find(rule, record("StopLogging", sourceIPAddress="203.0.113.8"), 0.0) is None
    with pytest.raises(ConfigError, match=r"filter\.yml: its field sourceIPAddress has the placeholder %offices%"):
        Suppressions.load([str(tmp_path)], CT_013.rules)


def test_values_come_from_the_variable_itself_or_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "values.yml").write_text("admins: [alice, 7]\noffices: 198.51.100.0/24\n", encoding="utf-8")
    (tmp_path / "values.json").write_text('{"admins": ["alice"]}', encoding="utf-8")

    assert load("admins = alice | bob,office=198.51.100.0/24") == {
        "admins": ("alice", "bob"),
        "office": ("198.51.100.0/24",),
    }
    assert load(str(tmp_path / "values.yml")) == {"admins": ("alice", "7"), "offices": ("198.51.100.0/24",)}
    assert load(str(tmp_path / "values.json")) == {"admins": ("alice",)}
    assert load(None) == load("") == {}


@pytest.mark.parametrize(
    ("content", "reason"),
    [("- a", "no mapping"), ("a: [", "neither YAML"), ("a: []", "a is neither"), ("a: {b: c}", "a is neither")],
)
def test_a_file_of_another_form_is_refused(tmp_path: Path, content: str, reason: str) -> None:
    file = tmp_path / "values.yml"
    file.write_text(content, encoding="utf-8")

    with pytest.raises(ConfigError, match=rf"TRAILSTREAM_PLACEHOLDERS: .*values.yml: .*{reason}"):
        load(str(file))


@pytest.mark.parametrize("value", ["missing.yml", "a=", "a=b,c", "=b"])
def test_what_is_neither_a_file_nor_a_list_is_refused(value: str) -> None:
    with pytest.raises(ConfigError, match="TRAILSTREAM_PLACEHOLDERS: "):
        load(value)


def test_without_the_modifier_percent_signs_are_what_they_are() -> None:
    searches = {"s": [{"a|contains": "%one%"}, "%one%"], "condition": "s"}

    assert filled(searches, VALUES) == searches
