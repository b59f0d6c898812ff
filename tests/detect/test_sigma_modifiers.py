import base64
from typing import Any

import pytest

from tests.detect.test_sigma import compiled, matches


@pytest.mark.parametrize(
    ("selection", "value", "expected"),
    [
        ({"a|re": "St.p"}, "xStopx", True),
        ({"a|re": "st.p"}, "Stop", False),
        ({"a|re|i": "st.p"}, "Stop", True),
        ({"a|re|ignorecase": "st.p"}, "Stop", True),
        ({"a|re": "^Stop$"}, "Stop", True),
        ({"a|re": "^Stop$"}, "Stop\nit", False),
        ({"a|re": "^Stop$"}, "Stop\n", True),
        ({"a|re": "^Stop$"}, "Stop\n\n", False),
        ({"a|re": "^Stop[$]"}, "Stop\n", False),
        ({"a|re|m": "^it$"}, "Stop\nit", True),
        ({"a|re": "Stop.it"}, "Stop\nit", False),
        ({"a|re|s": "Stop.it"}, "Stop\nit", True),
        ({"a|re|i|m|s": "^STOP.it$"}, "x\nStop\nit\ny", True),
        ({"a|re": ["x", "[0-9]{3}"]}, 1234, True),
        ({"a|re|all": ["x", "y"]}, "y x", True),
        ({"a|re|all": ["x", "y"]}, "y", False),
        ({"a|re": "true"}, True, True),
        ({"a|re": "."}, None, False),
        ({"a|re": "."}, 1.5, False),
        ({"a|re": ""}, "", True),
        ({"a|re": r"a\\b\*\?"}, "a\\b*?", True),
        ({"a|re": '"b":"x+"'}, {"b": "xx"}, True),
        ({"a|re": "é.\N{REPLACEMENT CHARACTER}"}, "é😀\ud800", True),
        ({"a|re|startswith": "b|c"}, "cab", True),
        ({"a|re|startswith": "b|c"}, "ab", False),
        ({"a|re|endswith": "b|c"}, "ab\nac", True),
        ({"a|re|endswith": "b|c"}, "ba", False),
        ({"a|re|contains": "b|c"}, "aca", True),
        ({"a|re|i|startswith": "B"}, "ba", True),
    ],
)
def test_regular_expressions_are_searched_for_with_regard_to_case(selection: Any, value: Any, expected: bool) -> None:
    assert matches(selection, {"a": value}) is expected


def test_an_expression_that_backtracks_takes_no_longer_than_the_text_is_long() -> None:
    assert not matches({"a|re": "^(a+)+$"}, {"a": "a" * 100_000 + "b"})


@pytest.mark.parametrize(
    ("network", "value", "expected"),
    [
        ("10.0.0.0/8", "10.255.0.1", True),
        ("10.0.0.0/8", "11.0.0.1", False),
        ("10.0.0.0/8", "::ffff:10.0.0.1", True),
        ("10.0.0.0/8", "::ffff:11.0.0.1", False),
        ("10.0.0.0/8", "10.1", False),
        ("10.0.0.0/8", "10.0.0.0/16", False),
        ("10.0.0.0/8", "cloudtrail.amazonaws.com", False),
        ("10.0.0.0/8", 10 * 2**24, False),
        ("10.0.0.0/8", None, False),
        ("10.0.0.0/8", ["AWS Internal", "10.0.0.1"], True),
        ("192.0.2.7/32", "192.0.2.7", True),
        ("192.0.2.7", "192.0.2.7", True),
        ("2001:db8::/32", "2001:DB8:0:0::1", True),
        ("2001:db8::/32", "2001:db9::1", False),
        ("2001:db8::/32", "192.0.2.7", False),
        ("::/0", "fe80::1%eth0", True),
    ],
)
def test_an_address_is_in_a_network(network: str, value: Any, expected: bool) -> None:
    assert matches({"a|cidr": network}, {"a": value}) is expected


@pytest.mark.parametrize(
    ("modifier", "limit", "inside", "outside"),
    [
        ("lt", 5, [4, -1, 4.5, "4", "4.99", "-1e3", -(10**400)], [5, 6, "5", "five", "", None, True, {}]),
        ("lte", 5, [5, 5.0, "5", "5.0", "50e-1"], [6, 5.01, "5.01", " 5", "0x5"]),
        (
            "gt",
            5,
            [6, 5.01, "6", "1e9", 10**400],
            [5, "5", "06 ", True, None, [], "\N{ARABIC-INDIC DIGIT NINE}"],
        ),
        ("gte", 5.5, [5.5, "5.5", 6], [5, "5.4", float("nan")]),
    ],
)
def test_numbers_are_compared_also_in_quotes(
    modifier: str, limit: float, inside: list[Any], outside: list[Any]
) -> None:
    rule = compiled({f"a|{modifier}": limit})

    assert [value for value in inside if not rule.matches({"a": value})] == []
    assert [value for value in outside if rule.matches({"a": value})] == []
    assert not rule.matches({})


@pytest.mark.parametrize(
    ("selection", "value", "expected"),
    [
        ({"a|cased": "Stop"}, "Stop", True),
        ({"a|cased": "Stop"}, "stop", False),
        ({"a|cased": ["Stop", "X"]}, "x", False),
        ({"a|contains|cased": "Log"}, "StopLogging", True),
        ({"a|cased|contains": "log"}, "StopLogging", False),
        ({"a|cased|startswith": "Stop"}, "StopX", True),
        ({"a|cased|endswith": "?Ing"}, "Logging", False),
        ({"a|windash|cased": "-X"}, "/x", False),
        ({"a|neq": "x"}, "y", True),
        ({"a|neq": "x"}, "X", False),
        ({"a|neq": ["x", "y"]}, "y", False),
        ({"a|neq": ["x", "y"]}, None, True),
        ({"a|neq": 5}, 5, False),
        ({"a|contains|neq": "x"}, "axa", False),
        ({"a|neq": "x"}, ["x", "y"], False),
        ({"a|windash|contains": " -enc "}, "x /enc y", True),
        ({"a|windash|contains": " -enc "}, "x \N{EM DASH}enc y", True),
        ({"a|windash|contains": " -enc "}, "x +enc y", False),
        ({"a|windash|contains|all": ["-a", "-b"]}, "/b \N{EN DASH}a", True),
        ({"a|windash|contains|all": ["-a", "-b"]}, "/b /c", False),
    ],
)
def test_case_difference_and_dashes(selection: Any, value: Any, expected: bool) -> None:
    assert matches(selection, {"a": value}) is expected


def test_a_field_that_is_not_there_differs_from_any_value() -> None:
    assert matches({"a|neq": "x"}, {})


@pytest.mark.parametrize("shift", range(3))
@pytest.mark.parametrize(("modifiers", "encoding"), [("", "ascii"), ("wide|", "utf-16-le"), ("utf16be|", "utf-16-be")])
def test_base64_is_found_wherever_it_begins(shift: int, modifiers: str, encoding: str) -> None:
    hidden = base64.b64encode(b"x" * shift + "IEX(New-Object)".encode(encoding) + b"yz").decode()
    rule = compiled({f"a|{modifiers}base64offset|contains": ["IEX(New-Object)", "nothing of the kind"]})

    assert rule.matches({"a": f"powershell -enc {hidden}"})
    assert not rule.matches({"a": base64.b64encode(b"x" * shift + b"IEX(Old-Object)yz").decode()})


def test_base64_and_wide_texts_by_themselves() -> None:
    assert matches({"a|base64": "foobar"}, {"a": "Zm9vYmFy"})
    assert matches({"a|wide|base64": "ab"}, {"a": "YQBiAA=="})
    assert matches({"a|utf16|base64": "ab"}, {"a": "//5hAGIA"})
    assert matches({"a|wide|contains": "ab"}, {"a": "xa\0b\0x"})
    assert not matches({"a|wide|contains": "ab"}, {"a": "ab"})


@pytest.mark.parametrize(
    ("modifiers", "own", "other", "expected"),
    [
        ("", "Alice", "alice", True),
        ("", "Alice", "bob", False),
        ("", ["x", "Bob"], ["y", "bob"], True),
        ("", 5, "5", True),
        ("", 1.5, 1.5, True),
        ("", True, "true", True),
        ("", None, None, False),
        ("", {"a": 1}, {"a": 1}, False),
        ("|startswith", "alice@example.com", "Alice", True),
        ("|startswith", "Alice", "alice@example.com", False),
        ("|endswith", "role/Alice", "alice", True),
        ("|endswith", "alice/role", "alice", False),
        ("|contains", "x-ALICE-y", ["bob", "alice"], True),
        ("|contains", "x-al-ice-y", "alice", False),
        ("|neq", "x", "y", True),
        ("|neq", "x", "X", False),
    ],
)
def test_a_field_is_compared_with_another(modifiers: str, own: Any, other: Any, expected: bool) -> None:
    assert matches({f"a.b|fieldref{modifiers}": "c.d"}, {"a": {"b": own}, "c": [{"d": other}]}) is expected


def test_a_field_that_is_missing_equals_nothing() -> None:
    assert not matches({"a|fieldref": "b"}, {"a": "x"})
    assert not matches({"a|fieldref|contains": "b"}, {"b": "x"})
    assert not matches({"a|fieldref": "b"}, {})


def test_many_values_in_both_fields_are_compared_in_good_time() -> None:
    rule = compiled({"a|fieldref|contains": "b"})

    assert not rule.matches({"a": [f"a{n}" for n in range(5000)], "b": [f"b{n}" for n in range(5000)]})


@pytest.mark.parametrize(
    ("selection", "expected"),
    [
        ({"a|hour": 3}, True),
        ({"a|hour": [4, 5]}, False),
        ({"a|hour|lt": 4}, True),
        ({"a|hour|gte": 4}, False),
        ({"a|minute": 4, "a|day": 2, "a|month": 1, "a|year": 2025, "a|week": 1}, True),
        ({"a|minute": 5}, False),
    ],
)
def test_a_part_of_a_time_is_compared(selection: Any, expected: bool) -> None:
    assert matches(selection, {"a": "2025-01-02T03:04:05Z"}) is expected


@pytest.mark.parametrize("value", ["3", 3, "T03:00", "2025-13-02T03:04:05Z", "", None, "2025" * 1000])
def test_what_is_no_time_has_no_parts(value: Any) -> None:
    assert not matches({"a|hour": 3}, {"a": value})


RECORD = {"eventName": "RunInstances", "requestParameters": {"items": [{"userData": "curl Evil.example", "n": 4625}]}}


@pytest.mark.parametrize(
    ("keywords", "expected"),
    [
        (["evil.EXAMPLE"], True),
        (["evil.example", "other"], True),
        (["other"], False),
        ("runinst", True),
        ("cu?l*example", True),
        ("userData", False),  # a member's name
        ([4625], True),
        ([462], True),
        ([99], False),
        ({"|all": ["curl", "instances"]}, True),
        ({"|all": ["curl", "nothing"]}, False),
        ({"|re": "Evil.ex"}, True),
        ({"|re": "evil.ex"}, False),
        ({"|cased": "Evil"}, True),
        ({"|cased": "evil"}, False),
        ({"|base64offset": "zzz"}, False),
        ({"|all": ["curl"], "eventName": "RunInstances"}, True),
        ({"|all": ["curl"], "eventName": "StopInstances"}, False),
        (["nothing", {"eventName": "RunInstances"}], True),
    ],
)
def test_keywords_are_searched_for_in_every_value(keywords: Any, expected: bool) -> None:
    assert matches(keywords, RECORD) is expected
