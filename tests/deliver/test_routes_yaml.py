"""YAML of any kind: values and lines, or an error that shows nothing of it."""

import json

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from stream.deliver.routes_yaml import parse
from stream.errors import ConfigError

texts = st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "S", "Zs")), max_size=12)
values = st.recursive(
    texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)


def test_scalars_are_the_texts_that_were_written_and_what_is_empty_is_none() -> None:
    value, lines = parse("a: 012345670123\nb: [yes, 1.50, ~, '~']\nc:\n  d: 2026-01-01\n  e:\n")

    assert value == {"a": "012345670123", "b": ["yes", "1.50", None, "~"], "c": {"d": "2026-01-01", "e": None}}
    assert lines[("c",)] == 3
    assert lines[("c", "d")] == 4
    assert lines[("b", 3)] == 2
    assert parse("") == parse("# nothing\n") == (None, {})


def test_an_alias_means_what_it_stands_for() -> None:
    assert parse("a: &x [1, 2]\nb: *x\n")[0] == {"a": ["1", "2"], "b": ["1", "2"]}


@pytest.mark.parametrize("text", ["a: *hunter2", "a: 'hunter2", "a: !<hunter2 x", 'a: "hunter2\\q"', "a: %hunter2"])
def test_an_error_shows_nothing_of_the_text(text: str) -> None:
    with pytest.raises(ConfigError, match=r"^line \d: ") as caught:
        parse(text)

    assert "hunter2" not in f"{caught.value!r} {caught.value.__cause__!r}"
    assert caught.value.__suppress_context__


def test_depth_has_an_end() -> None:
    with pytest.raises(ConfigError, match="nested too deep"):
        parse("[" * 400 + "]" * 400)
    with pytest.raises(ConfigError, match="nested too deep"):
        parse("a: &a [*a]")


@settings(max_examples=40, deadline=None)
@given(value=values)
def test_what_was_written_comes_back(value: object) -> None:
    assert parse(json.dumps(value, ensure_ascii=False))[0] == value
    assert parse(yaml.safe_dump(value, allow_unicode=True))[0] == value


@settings(max_examples=100, deadline=None)
@given(text=st.text(st.sampled_from("ab:-,[]{}&*!|>'\"%@`#?\n \t\x00\ud800~<1"), max_size=40))
def test_anything_is_a_value_or_an_error(text: str) -> None:
    try:
        _, lines = parse(text)
    except ConfigError:
        return
    assert all(1 <= line <= text.count("\n") + 1 for line in lines.values())
