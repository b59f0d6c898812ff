import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream.deliver.channels.gsm7 import SEGMENT, fit, gsm7, septets, spoken
from tests.deliver.channels.attacks import ATTACKS, active

# 3GPP TS 23.038, table 6.2.1, row by row, without the escape; and its extension.
BASIC = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
EXTENSION = "\f^{}\\[~]|€"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Logging of trail main was stopped", "Logging of trail main was stopped"),
        ("Größe à £5 @ §", "Größe à £5 @ §"),
        ("Łódź, Ørsted, Çelik, naïve", "Lodz, Ørsted, Çelik, naive"),
        ("\u201cquoted\u201d \u2018so\u2019 \u2014 and \u2026", "\"quoted\" 'so' - and ..."),
        ("日本 😀", "?? ?"),
        ("a\u0301b a\u0300b q\u0301", "ab àb q"),
        ("\ud800", "?"),
    ],
)
def test_what_the_alphabet_lacks_is_replaced(text: str, said: str) -> None:
    assert gsm7(text) == said


def test_characters_of_the_extension_count_twice() -> None:
    assert septets("a€b[") == 6
    assert septets(fit("€" * 200, SEGMENT)) <= SEGMENT
    assert fit("€" * 80, SEGMENT) == "€" * 80


def test_a_cut_says_so_and_uses_the_room() -> None:
    assert fit("x" * 161, SEGMENT) == "x" * 157 + "..."
    assert fit("x" * 160, SEGMENT) == "x" * 160


def test_addresses_are_no_links() -> None:
    assert spoken("see https://evil.example/x or www.evil.example", 160) == (
        "see https: //evil .example/x or www .evil .example"
    )
    assert spoken("198.51.100.7 and 2001:db8::1", 160) == "198.51.100.7 and 2001:db8::1"


@pytest.mark.parametrize("name", ATTACKS)
def test_attacks_come_out_inert(name: str) -> None:
    assert active(spoken(ATTACKS[name], SEGMENT)) is None


@given(st.text(), st.integers(3, SEGMENT))
@settings(max_examples=50, deadline=None)
def test_any_text_fits(text: str, limit: int) -> None:
    for said in (fit(text, limit), spoken(text, limit)):
        assert septets(said) <= limit
        assert all(character in BASIC + EXTENSION for character in said)
