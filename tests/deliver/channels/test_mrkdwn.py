import html
import re
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.deliver.channels.mrkdwn import code, link, plain, prose
from stream.deliver.text import CUT

EVIL = (
    "<!channel> <@U1> <https://evil.example|click> *b* _i_ ~s~ `c` & @here :skull: http://evil.example www.evil.example"
)

slack_texts = st.text(alphabet=st.sampled_from("<>!@&|*_~`:/. \n#aU1") | st.characters(), max_size=300)


def test_mentions_and_links_become_text() -> None:
    for shown in (plain(EVIL, 500), code(EVIL, 500), prose(EVIL, 500)):
        assert "<" not in shown
        assert ">" not in shown
        assert "&lt;!channel&gt;" in shown


def test_prose_formats_nothing_and_still_reads_the_same() -> None:
    shown = prose(EVIL, 500)
    assert not re.search(r"[*~`]|(?<!\w)_|_(?!\w)", shown)
    assert not re.search(r"@here|:skull:|://|www\.evil", shown)
    assert "click" in shown


def test_names_keep_their_underscores() -> None:
    assert prose("the trail my_main_trail", 100) == "the trail my_main_trail"


def test_times_can_be_copied_and_what_is_an_emoji_is_none() -> None:
    assert prose("2026-03-01T12:00:00Z", 100) == "2026-03-01T12:00:00Z"
    assert prose(":100: :skull:", 100) == ":\u2060100: :\u2060skull:"


def test_code_cannot_be_left() -> None:
    assert code("a` *bold* `b") == "`a\u02cb *bold* \u02cbb`"


def test_code_can_be_copied() -> None:
    arn = "arn:aws:iam::111122223333:role/my_role*"
    assert code(arn) == f"`{arn}`"


def test_nothing_is_shown_as_nothing() -> None:
    assert code(" \n ") == "_none_"


@pytest.mark.parametrize("shape", [plain, code, prose])
@given(text=slack_texts, limit=st.integers(20, 200))
def test_limits_hold_and_what_is_cut_says_so(shape: Callable[[str, int], str], text: str, limit: int) -> None:
    shown = shape(text, limit)
    assert len(shown) <= limit
    assert "<" not in shown
    assert ">" not in shown
    assert "\n" not in shown
    assert re.sub(r"&(amp|lt|gt);", "", shown).count("&") == 0, "an entity was cut through"
    assert CUT in shown or html.unescape(shown).replace("\u2060", "") == html.unescape(shape(text, 10_000)).replace(
        "\u2060", ""
    )


def test_a_text_is_cut_no_more_than_it_must_be() -> None:
    shown = plain("<" * 100, 50)
    assert shown == "&lt;" * 10 + CUT
    assert plain("x" * 50, 50) == "x" * 50


def test_a_link_is_made_of_web_addresses_only() -> None:
    assert link("https://x.example/a?b=c&d#e", "Console") == "<https://x.example/a?b=c&amp;d#e|Console>"
    assert link(None, "x") is None
    assert link("javascript:alert(1)", "x") is None
    assert link("https://x.example/" + "a" * 3000, "x") is None
    assert link("https://[::1/", "x") is None


def test_a_link_cannot_be_ended_early() -> None:
    shown = link("https://x.example/a|b> <!channel> \n\ud800ü%20", "Console")
    assert shown is not None
    assert re.fullmatch(r"<[^<>|\s]+\|Console>", shown)
    assert "%20" in shown
