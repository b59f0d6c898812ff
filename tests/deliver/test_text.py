import unicodedata
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from stream.deliver.text import CUT, as_text, cut, printable


def test_white_space_becomes_single_spaces_on_one_line() -> None:
    assert printable("  a\r\nb\t\tc\u2028d\u00a0e ") == "a b c d e"


def test_what_cannot_be_seen_is_spelt_out() -> None:
    assert printable("a\u202eb\x00c\u200bd\ud800e\U000e0041f") == "a\\u202eb\\x00c\\u200bd\\ud800e\\U000e0041f"


def test_ordinary_text_of_any_language_stays_as_it_is() -> None:
    assert printable("Zoë löscht 証跡 🔴") == "Zoë löscht 証跡 🔴"


@given(st.text())
def test_printable_text_holds_nothing_invisible_and_can_be_encoded(text: str) -> None:
    shown = printable(text)
    shown.encode()
    assert {unicodedata.category(character) for character in shown}.isdisjoint({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})
    assert printable(shown) == shown


@given(st.text(), st.integers(20, 100))
def test_a_text_that_is_cut_says_so_and_keeps_the_limit(text: str, limit: int) -> None:
    shown = cut(text, limit)
    assert len(shown) <= limit
    assert shown == text or shown.endswith(CUT)


def test_a_value_is_shown_as_itself_or_as_json() -> None:
    assert as_text("bücket") == "bücket"
    assert as_text({"a": [1, None, "ü"]}) == '{"a": [1, null, "ü"]}'


def test_a_value_of_any_depth_can_be_shown() -> None:
    value: Any = []
    for _ in range(100_000):
        value = [value]
    assert "nested" in as_text(value)
