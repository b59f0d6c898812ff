"""Nothing that an attacker typed does anything to a terminal."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.terminal import inert, stripped

ANYTHING = st.text(st.characters(exclude_categories=[]))  # lone surrogates too


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("StopLogging", "StopLogging"),
        ("Größe 審計", "Größe 審計"),
        ("\x1b[2J\x1b]0;owned\x07", "\\x1b[2J\\x1b]0;owned\\x07"),
        ("\x9b31m", "\\x9b31m"),
        ("a\r\nb\tc", "a  b c"),
        ("\u202egnp.exe", "\\u202egnp.exe"),
        ("ad\u200bmin\u2066", "ad\\u200bmin\\u2066"),
        ("\u3164\u2800", "\\u3164\\u2800"),
        ("\ud800", "\\ud800"),
        ("\U000e0041", "\\U000e0041"),
        ("non\u00a0breaking", "non breaking"),
        ("line\u2028separator", "line separator"),
    ],
)
def test_what_would_do_something_becomes_visible(text: str, shown: str) -> None:
    assert inert(text) == shown


@given(ANYTHING)
def test_only_visible_characters_are_left(text: str) -> None:
    for result in (inert(text), stripped(text)):
        result.encode("utf-8")
        for character in result:
            assert character == " " or unicodedata.category(character)[0] not in "CZ"
            assert character not in "\u115f\u1160\u2800\u3164\uffa0"


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126)))
def test_ordinary_text_is_left_as_it_is(text: str) -> None:
    assert inert(text) == stripped(text) == text


@given(ANYTHING, st.integers(1, 40))
def test_a_limit_holds_for_the_text_that_comes_out(text: str, limit: int) -> None:
    whole = inert(text)

    assert inert(text, limit) == (whole if len(whole) <= limit else whole[: limit - 1] + "…")


def test_stripping_leaves_no_trace_but_blanks() -> None:
    assert stripped("a\x1b[1mb\u202ec\nd") == "a[1mbc d"
