import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.deliver.channels.relayed import Limits, fitting, relayed, unlinked, web_address
from stream.deliver.text import CUT
from tests.deliver.channels.attacks import ATTACKS, active


def test_the_attacks_would_do_something_if_they_were_passed_on_as_they_are() -> None:
    harmless = {"markdown format", "json", "blank", "nothing", "long", "long in two bytes", "long in four bytes"}
    harmless |= {"long in escapes", "new lines"}
    assert all(active(text) for name, text in ATTACKS.items() if name not in harmless)


@pytest.mark.parametrize("name", ATTACKS)
def test_nothing_comes_out_of_an_attack_but_text(name: str) -> None:
    shown = relayed(ATTACKS[name], 500)
    assert active(shown) is None
    assert "\n" not in shown
    assert len(shown) <= 500
    shown.encode()


def test_what_is_shown_still_reads_the_same() -> None:
    assert relayed("[x](https://evil.example) <at>you</at>", 100).replace("\u2060", "") == (
        "[x](https://evil.example) \u2039at\u203ayou\u2039/at\u203a"
    )


@pytest.mark.parametrize(
    "text",
    [
        "arn:aws:iam::111122223333:role/my_role*",
        "AROAEXAMPLE:alice@example.com",
        "aws-cli/2.15.0 Python/3.11 [up](x)".replace("](", "] ("),
        "AWSLogs/111122223333/CloudTrail/eu-west-1/2026/03/01/file.json.gz",
        '{"Effect": "Deny", "Action": ["s3:*"]}',
        "Zoë löscht 証跡 🔴",
    ],
)
def test_what_is_no_attack_can_be_copied(text: str) -> None:
    assert relayed(text, 200) == text


@given(st.text(alphabet=st.sampled_from("<>@[](){}:/$%`w. \n") | st.characters(), max_size=300), st.integers(20, 100))
def test_limits_hold_and_what_is_cut_says_so(text: str, limit: int) -> None:
    shown = relayed(text, limit)
    assert len(shown) <= limit
    assert shown.endswith(CUT) or shown == relayed(text, 10_000)
    shown.encode()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("see evil.example/x", "see evil.\u2060example/x"),
        ("help@evil.co.uk", "help@\u2060evil.\u2060co.\u2060uk"),
        ("https://evil.example", "https:\u2060//evil.\u2060example"),
        ("Boto3/1.34.2 from 198.51.100.7. It ends.", "Boto3/1.34.2 from 198.51.100.7. It ends."),
    ],
)
def test_names_of_hosts_and_mailboxes_can_be_kept_from_becoming_links(text: str, shown: str) -> None:
    assert unlinked(text, 50) == shown


def test_limits_hold_for_names_that_are_kept_from_becoming_links() -> None:
    assert unlinked("a.bc" * 10, 21) == "a.\u2060bca.\u2060bca.\u2060b" + CUT
    assert unlinked(ATTACKS["long"], 50) == relayed(ATTACKS["long"], 50)


def test_a_text_that_shrinks_says_that_its_end_was_not_looked_at() -> None:
    assert relayed("a" + " " * 1000 + "b", 100) == "a" + CUT


def test_an_address_of_the_web_is_kept_and_made_ascii() -> None:
    assert web_address("https://x.example:8443/a%20b?c=d&e#f") == "https://x.example:8443/a%20b?c=d&e#f"
    shown = web_address('https://x.example/ü "<x>|[y]\n\ud800%zz%')
    assert shown is not None
    assert re.fullmatch(r"https://x\.example/(?:[A-Za-z0-9?]|%[0-9A-F]{2})+", shown)


@pytest.mark.parametrize(
    "url",
    [
        None,
        "",
        "javascript:alert(1)",
        "//evil.example",
        "https://",
        "https:///x",
        "https://[::1/",
        "https://x.example:99999/",
        "https://aws.amazon.com@evil.example/",
        "https://evil\u3002example/",
        "https://x.example/" + "a" * 3000,
    ],
)
def test_anything_else_is_no_link(url: str | None) -> None:
    assert web_address(url) is None


def test_the_most_generous_limits_that_fit_are_taken() -> None:
    levels = (Limits(100, 10, 10), Limits(50, 10, 10), Limits(10, 10, 10))
    assert fitting(lambda limits: b"x" * limits.free, levels, 60) == b"x" * 50
    with pytest.raises(ValueError, match="within 5 bytes"):
        fitting(lambda limits: b"x" * limits.free, levels, 5)
