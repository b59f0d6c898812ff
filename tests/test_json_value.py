import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream.json_value import at, canonical, elements, flag, fold, integer_text, items, plain, shown, text_at
from tests.detect.strategies import json_values, nested

HUGE = 10**5000


def test_folding_knows_ascii_only() -> None:
    assert fold("StopLogging") == "stoplogging"
    assert fold("\N{KELVIN SIGN}ms") == "\N{KELVIN SIGN}ms"
    assert fold("\N{LATIN SMALL LETTER LONG S}ÄZ") == "\N{LATIN SMALL LETTER LONG S}Äz"


def test_a_path_that_leads_nowhere_gives_nothing() -> None:
    record = {"a": {"b": "text", "n": 12, "e": "", "l": ["x"], "t": True, "f": 1.5}, "h": HUGE}

    assert at(record, "a", "b") == "text"
    assert [at(record, *path) for path in (("x",), ("a", "x"), ("a", "b", "c"), ("a", "l", "0"))] == [None] * 4
    assert text_at(record, "a", "b") == "text"
    assert text_at(record, "a", "n") == "12"
    assert [text_at(record, "a", name) for name in ("e", "l", "t", "f", "x")] == [None] * 5
    assert text_at(record, "h") is None


def test_only_integers_of_64_bits_have_digits() -> None:
    assert integer_text(-(2**64) + 1) == "-18446744073709551615"
    assert [integer_text(value) for value in (2**64, HUGE, True, 1.0, "1", None)] == [None] * 6


@pytest.mark.parametrize(
    ("value", "expected"), [(True, True), (False, False), ("TRUE", True), ("false", False), ("1", None), (1, None)]
)
def test_booleans_may_be_text(value: object, expected: bool | None) -> None:
    assert flag(value) is expected


def test_a_lone_value_is_an_array_of_one() -> None:
    assert items([1, None]) == [1, None]
    assert items({"a": 1}) == [{"a": 1}]
    assert items(None) == []


def test_arrays_are_opened_in_order_however_deep() -> None:
    assert list(elements([1, [2, [[3]], []], {"a": [4]}])) == [1, 2, 3, {"a": [4]}]
    assert list(elements(nested("list", 5000))) == ["end"]


def test_what_is_shown_is_one_visible_line() -> None:
    assert shown("a\r\n\tb\x1b[31m\u202ec\u2028d\ud800e \u200b f", 80) == "a b [31m c d e f"
    assert shown("x" * 100, 10) == "x" * 9 + "…"
    assert shown("", 10) == ""
    assert shown({"a": [1, True, None, HUGE]}, 80) == "{a:[1,true,null,(a huge number)]}"


@given(json_values(), st.integers(1, 200))
def test_anything_can_be_shown(value: Any, limit: int) -> None:
    text = shown(value, limit)

    assert len(text) <= limit
    assert text.isprintable()
    assert text == text.strip()


@settings(max_examples=25)
@given(st.dictionaries(st.text(max_size=3), json_values(), min_size=2))
def test_the_order_of_members_does_not_change_the_canonical_text(value: dict[str, Any]) -> None:
    assert canonical(value) == canonical(dict(reversed(value.items())))


def test_the_canonical_text_tells_values_apart() -> None:
    values = [
        1,
        1.0,
        True,
        "1",
        None,
        "null",
        [1],
        {"1": 1},
        {"a": 1, "b": 2},
        {"a": '1,"b":2'},
        HUGE,
        HUGE + 1,
        [],
        {},
    ]
    assert len({canonical(value) for value in values}) == len(values)


@given(json_values())
def test_a_plain_copy_can_be_written_by_any_writer(value: Any) -> None:
    text = json.dumps(plain(value, 100), allow_nan=False)

    assert text.isascii()


def test_a_plain_copy_is_cut_where_it_is_too_deep() -> None:
    assert plain({"a": [{"b": 1}]}, 3) == {"a": [{"b": 1}]}
    assert plain({"a": [{"b": 1}]}, 2) == {"a": ["(too deep to show)"]}
