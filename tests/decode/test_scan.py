"""The prefilter is a proof of absence: what it passes over holds no literal in any spelling."""

import json
import re
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream.decode import Literal, Prefilter, engine, scan
from tests.decode.logs import NAMES, SEEDS, spell

PRINTABLE = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E, exclude_characters='"\\/'), min_size=1)
find = partial(re.finditer, flags=re.IGNORECASE)
SPACES = st.sampled_from([b":", b':"', b': "', b" : ", b":[", b""])


@settings(max_examples=75)
@given(st.data())
def test_a_literal_is_hit_in_any_spelling_and_place(data: st.DataObject) -> None:
    literal = Literal(data.draw(PRINTABLE), whole=data.draw(st.booleans()))
    text = "".join(data.draw(st.sampled_from([each.lower(), each.upper(), each])) for each in literal.text)
    if not literal.whole:
        text = data.draw(st.text(max_size=3)).replace("\ud800", "") + text + data.draw(st.text(max_size=3))
    value = spell(text, data.draw(SEEDS))
    assert json.loads(value) == text
    before = data.draw(st.sampled_from(["", "[1,", '{"a":"b","c":']))

    assert Prefilter([literal]).search(f"{before}{value}".encode())


@settings(max_examples=150)
@given(st.data())
def test_the_value_of_a_member_is_hit_however_it_is_written(data: st.DataObject) -> None:
    member, text = data.draw(st.sampled_from(["eventName", "n", "a b"])), data.draw(PRINTABLE)
    seed, space = data.draw(SEEDS), st.text(" \t\r\n", max_size=12)
    value = spell(text, seed)
    if data.draw(st.booleans()):
        value = data.draw(st.sampled_from(["[{}]", '["x",{}]', "[[ {} ]]", '{{"a":{}}}'])).format(value)
    name = data.draw(st.sampled_from([spell(member, seed), json.dumps(member)]))
    written = f'{{"x":1,{name}{data.draw(space)}:{data.draw(space)}{value}}}'
    assert text in json.dumps(json.loads(written)[member])

    beginning = Literal(text[: data.draw(st.integers(1, len(text)))], whole=False, member=member)
    for literal in (Literal(text, member=member), beginning):
        assert Prefilter([literal, Literal("another", member="eventName")]).search(written.encode())
        prefilter = Prefilter([literal, Literal("another", member=member)])  # of one member: in turn
        assert prefilter.search(written.encode())
        assert len(f'"{member}": "{literal.text}"') <= prefilter.longest_bytes


def test_a_member_is_hit_alone_with_its_texts() -> None:
    names = [f"{name}{number}" for number in range(400) for name in NAMES]  # of more than one pattern
    prefilter = Prefilter(Literal(name, member="eventName") for name in names)

    assert len(scan.patterns(prefilter.literals or ())) == 2 + 1
    assert all(prefilter.search(f'{{"eventName":"{name}"}}'.encode()) for name in names)
    assert not prefilter.search(b'{"eventName": "StopLogging", "other":"StopLogging1","a":["StopLogging2"]}')
    assert not prefilter.search(b'{"eventname2":["StopLogging1"],"n":{"StopLogging1":1}}')


def test_a_text_that_is_only_ever_beside_a_name_is_hit_beside_it_alone() -> None:
    named = [Literal("PutObject", whole=False, member="eventName"), Literal("StopLogging", member="eventName")]
    prefilter = Prefilter([Literal("AWSLogs", whole=False), Literal("StopLogging", member="eventName")], named)

    assert prefilter.search(b'{"eventName":"PutObjectAcl","requestParameters":{"key":"awslogs/1"}}')
    assert prefilter.search(rb'{"eventName":"PutO\u0062ject","requestParameters":{"key":"AWSLogs/1"}}')
    assert prefilter.search(rb'{"eventName":["PutObject"],"requestParameters":{"key":"\u0041WSLogs/1"}}')
    assert prefilter.search(b'{"eventName":"StopLogging"}')
    assert not prefilter.search(b'{"eventName":"PutObject","requestParameters":{"key":"logs/1"}}')
    assert not prefilter.search(b'{"eventName":"GetObject","requestParameters":{"key":"AWSLogs/1"}}')
    assert not prefilter.search(rb'{"eventName":"GetObject","requestParameters":{"key":"AWSLogs\\/1"}}')


@given(st.lists(st.tuples(PRINTABLE, st.booleans()), min_size=1, max_size=5), st.binary(max_size=200), SPACES)
def test_to_search_in_turn_gives_the_same_answer(literals: list[tuple[str, bool]], data: bytes, space: bytes) -> None:
    wanted = [Literal(text, whole, member="eventName") for text, whole in literals]
    block = data + b'"eventName"' + space + literals[0][0].encode() + data

    assert Prefilter(wanted).search(block) == Prefilter(wanted, ()).search(block)


@given(st.lists(st.tuples(PRINTABLE, st.booleans()), min_size=1, max_size=5), st.binary(max_size=200), SPACES)
def test_both_engines_give_the_same_answer(literals: list[tuple[str, bool]], data: bytes, space: bytes) -> None:
    wanted = [Literal(text, whole) for text, whole in literals]
    wanted += [Literal(text, member="eventName") for text, whole in literals if whole]
    fast = Prefilter(wanted)
    block = data + b'"eventName"' + space + literals[0][0].encode() + data

    assert fast.search(block) == engine.portable(scan.patterns(wanted))(block)


def test_ordinary_json_is_not_hit() -> None:
    prefilter = Prefilter(Literal(name) for name in NAMES)

    assert not prefilter.search(
        json.dumps({"eventName": "DescribeTrails", "note": "StopLoggingNot", "n": "é"}).encode()
    )
    assert not prefilter.search(json.dumps({"note": "a StopLogging in a sentence"}).encode())


def test_no_literals_match_nothing_and_unindexed_rules_everything() -> None:
    assert not Prefilter([]).search(b'"StopLogging"')
    assert Prefilter(None).search(b"anything")


@pytest.mark.parametrize("text", ["", "é", "a/b", 'a"b', "a\\b", "a\nb"])
def test_a_text_that_json_may_spell_in_more_ways_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a text that can be searched for"):
        Prefilter([Literal(text)])


def test_many_threads_may_search_at_once() -> None:
    prefilter = Prefilter([Literal("StopLogging")])
    blocks = [b"x" * 200_000 + b'"StopLogging"', b"x" * 200_000] * 50
    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(prefilter.search, blocks)) == [True, False] * 50


def test_the_shortest_literals_pass_the_self_test() -> None:
    search = Prefilter([Literal("a", whole=False), Literal("0"), Literal("1")]).search

    assert search.__module__ == "stream.decode.engine"
    assert "Hyperscan" in search.__qualname__ or engine.hyperscan is None


def test_an_engine_that_misses_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine.Hyperscan, "search", lambda _, data: b'x"StopLogging"x' in data)
    prefilter = Prefilter([Literal("StopLogging")])

    assert prefilter.search(b'"StopLogging"')
    assert prefilter.ends is None


def test_an_engine_that_misses_names_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    named = [Literal("StopLogging", member="eventName")]
    assert Prefilter(named).names is not None
    search = engine.Hyperscan.search
    monkeypatch.setattr(engine.Hyperscan, "search", lambda self, data: b"Name" not in data and search(self, data))
    prefilter = Prefilter([Literal("StopLogging")], named)

    assert prefilter.names is None
    assert prefilter.ends is not None


@given(st.lists(st.sampled_from(["StopLogging", "stoplogging", "S", "Stop\\u004cogging"]), max_size=9))
def test_where_literals_end_is_told(texts: list[str]) -> None:
    prefilter = Prefilter([Literal("StopLogging", member="eventName"), Literal("AWSLogs", whole=False)])
    assert prefilter.ends is not None
    block = json.dumps([{"eventName": text, "n": "awslogs"} for text in texts]).encode()
    block = block.replace(b"\\\\", b"\\")
    ends = prefilter.ends(block, 1000)

    assert ends is not None
    assert list(ends) == sorted(ends)
    wanted = [found.end() for text in (rb'"stoplogging"', rb"awslogs", rb"\\u004c") for found in find(text, block)]
    assert set(wanted) <= set(ends)
    assert prefilter.ends(block, max(len(ends) - 1, 0)) == (None if ends else [])
