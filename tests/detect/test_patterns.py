import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sigma.types import SigmaString

from stream.decode.literals import Literal
from stream.detect.patterns import (
    bool_test,
    name_literal,
    number_test,
    parts_of,
    plain_text,
    text_literal,
    text_test,
    within,
)
from tests.detect.strategies import json_values


def passes(pattern: str, value: Any) -> bool:
    return text_test(parts_of(SigmaString(pattern)))(value)


def literal(pattern: str) -> Literal | None:
    return text_literal(parts_of(SigmaString(pattern)))


@pytest.mark.parametrize(
    ("pattern", "value", "expected"),
    [
        ("StopLogging", "stoplogging", True),
        ("StopLogging", "StopLogging ", False),
        ("", "", True),
        ("", "x", False),
        ("kms", "\N{KELVIN SIGN}ms", False),
        ("Ä", "ä", False),
        ("Ä", "Ä", True),
        ("Stop*", "StopLogging", True),
        ("*Logging", "StopLogging", True),
        ("*pLo*", "StopLogging", True),
        ("*pLo*", "StartLogging", False),
        ("Stop?ogging", "StopLogging", True),
        ("Stop?ogging", "Stopogging", False),
        ("a*b*c", "a\nb\nc", True),
        ("a*b*c", "acb", False),
        ("*ab*ab", "ab", False),
        ("?", "x", True),
        ("?", "", False),
        ("*", "", True),
        (r"a\*b", "a*b", True),
        (r"a\*b", "axb", False),
        ("[a-z].x", "[A-Z].X", True),
        ("[a-z].x", "bbx", False),
    ],
)
def test_texts_are_compared_without_regard_to_the_case_of_ascii(pattern: str, value: str, expected: bool) -> None:
    assert passes(pattern, value) is expected


def test_case_counts_when_asked_for() -> None:
    cased = text_test(parts_of(SigmaString("*Log*ing")), cased=True)

    assert [cased(value) for value in ("StopLogging", "stoplogging", {"Logging": 1})] == [True, False, False]
    assert text_test(parts_of(SigmaString("true")), cased=True)(True)
    assert not text_test(parts_of(SigmaString("True")), cased=True)(True)


def test_a_pattern_may_stand_anywhere_in_a_text() -> None:
    somewhere = text_test(within(parts_of(SigmaString("p?o"))))

    assert [somewhere(value) for value in ("xPLOx", "plo", "po")] == [True, True, False]


def test_booleans_and_integers_are_compared_as_json_spells_them() -> None:
    assert passes("True", True)
    assert passes("22", 22)
    assert passes("2*", 22)
    assert not passes("22", 22.0)
    assert not passes("1", True)
    assert not passes("*", None)
    assert passes("*", 1.5)
    assert passes("*", {})


def test_an_object_is_searched_by_a_pattern_that_begins_with_a_wildcard() -> None:
    policy = {"bucketPolicy": {"Statement": [{"Action": ["s3:GetObject"], "Sid": "a\n", "n": 1.5}]}, "n": None}

    assert passes('*"s3:getobject"*', policy)
    assert passes('*"action":["s3:*', policy)
    assert passes('*"n":null}', policy)
    assert not passes('{"bucketPolicy"*', policy)
    assert not passes("*s3:PutObject*", policy)


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("StopLogging", Literal("StopLogging", whole=True)),
        ("cloudtrail.amazonaws.com", Literal("cloudtrail.amazonaws.com", whole=True)),
        ("Stop*", Literal("Stop", whole=False)),
        ("*S3 Browser*", Literal("Browser", whole=False)),
        ("S3 Browser", Literal("Browser", whole=False)),
        ("arn:aws:s3:::a/bucket", Literal("arn:aws:s3:::a", whole=False)),
        ("*arn:aws:s3:::a/bucket*", Literal("bucket", whole=False)),
        ('say "hello"', Literal("hello", whole=False)),
        (r"a\\bcd", Literal("bcd", whole=False)),
        ("Zürich", Literal("rich", whole=False)),
        ("true", Literal("true", whole=False)),  # stands without quotes too
        ("111122223333", Literal("111122223333", whole=False)),
        ("*111122223333*", None),  # a number in an object, which has many spellings
        ("*ab:1.5*", Literal("ab", whole=False)),
        ("*", None),
        ("?", None),
        ("", None),
        ("ÄÖ", None),
        ("/", None),
    ],
)
def test_the_literal_is_the_longest_part_that_json_spells_in_one_way(pattern: str, expected: Literal | None) -> None:
    assert literal(pattern) == expected


def test_the_literal_of_a_name_is_no_whole_text() -> None:
    assert name_literal("policyDocument") == Literal("policyDocument", whole=False)
    assert name_literal("aws:Source/Arn") == Literal("aws:Source", whole=False)
    assert name_literal("") is None


def test_numbers_and_booleans_may_be_in_quotes() -> None:
    assert [number_test(22)(value) for value in (22, 22.0, "22", True, 23, "022", None)] == [True] * 3 + [False] * 4
    assert number_test(1)(True) is False
    assert [bool_test(True)(value) for value in (True, "TRUE", 1, False, None)] == [True, True, False, False, False]


def test_a_pattern_with_many_wildcards_takes_no_longer_than_the_text_is_long() -> None:
    assert not passes("*a" * 30 + "*b", "a" * 20_000)


def naive(pattern: str) -> re.Pattern[str]:
    parts = (".*" if each == "*" else "." if each == "?" else re.escape(each) for each in pattern)
    return re.compile("".join(parts), re.DOTALL)


@given(st.text("ab*?", max_size=6), st.text("ab\n", max_size=8))
def test_wildcards_mean_what_they_mean_in_a_plain_regular_expression(pattern: str, text: str) -> None:
    assert passes(pattern, text) is (naive(pattern).fullmatch(text) is not None)


@given(st.text('aB*?{:"1', max_size=5), json_values())
def test_no_value_makes_a_pattern_fail(pattern: str, value: Any) -> None:
    assert passes(pattern, value) in (True, False)
    assert plain_text(parts_of(SigmaString(pattern))) is None or "*" not in pattern


def test_a_placeholder_is_no_part_of_a_pattern() -> None:
    with pytest.raises(ValueError, match="placeholder"):
        parts_of(SigmaString("a%b%").insert_placeholders())
