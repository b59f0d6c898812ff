"""A glance at a small file never says anything else than reading it does."""

import gzip
import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from stream.decode import LogDecoder, Prefilter
from stream.decode.glance import MOST_BYTES, glance
from stream.decode.literals import Literal
from stream.errors import LogFileError
from tests.decode.logs import ordinary

PREFILTER = Prefilter(frozenset({Literal("StopLogging", member="eventName"), Literal("DeleteTrail")}))
RECORDS = [ordinary(number) for number in range(5)]
ELEMENTS = st.one_of(
    st.sampled_from([json.dumps(each) for each in RECORDS]),
    st.sampled_from(
        ['{"eventName":"StopLogging"}', '{"eventName":"\\u0053topLogging"}', '{"eventName":"\\ud800DeleteTrail"}']
    ),
    st.sampled_from(["1", "[]", '"text"', "NaN", "{", '"\\ud800"', "[" * 600 + "]" * 600, ""]),
)
BEFORE = st.sampled_from(
    ['{"Records":[', '{ "Records" : [', '{"Records":[],"Records":[', '{"a":1,"Records":[', "[", "\ufeff{"]
)
AFTER = st.sampled_from(
    ["]}", "] }\n", ']}{"Records":[]}', '],"b":2}', "]", "", '],"Records":[{"eventName":"DeleteTrail"}]}']
)


def read(body: bytes, size: int, *, quick: bool, most: int = 1 << 30) -> tuple[Any, ...]:
    decoder = LogDecoder(PREFILTER, max_record_bytes=4 << 20, max_log_bytes=most, scouting=quick)
    found = []
    fault = None
    try:
        for start in range(0, len(body), size):
            found += decoder.feed(body[start : start + size])
        found += decoder.finish()
    except LogFileError as error:
        found += decoder.take()
        fault = (error.reason, error.detail)
    return found, decoder.records, decoder.first_record(), decoder.compressed_bytes, decoder.json_bytes, fault


def test_an_ordinary_small_file_takes_no_more_than_a_glance() -> None:
    text = json.dumps({"Records": RECORDS}).encode()
    seen = glance(gzip.compress(text), PREFILTER)
    assert seen is not None
    assert (seen.records, seen.json_bytes) == (5, len(text))
    assert json.loads(seen.first or b"") == RECORDS[0]


def test_a_file_with_a_match_takes_more() -> None:
    assert glance(gzip.compress(b'{"Records":[{"eventName":"StopLogging"}]}'), PREFILTER) is None


@settings(max_examples=150, deadline=None)
@given(BEFORE, st.lists(ELEMENTS, max_size=4), AFTER, st.sampled_from([1 << 20, 1 << 20, 700, 40]), st.booleans())
def test_whatever_the_file_holds_it_is_read_alike(
    before: str, elements: list[str], after: str, size: int, two: bool
) -> None:
    body = gzip.compress((before + ",".join(elements) + after).encode("utf-8", "surrogatepass"))
    body += gzip.compress(b" ") if two else b""
    assert read(body, size, quick=True) == read(body, size, quick=False)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_whatever_is_damaged_is_told_alike(data: st.DataObject) -> None:
    body = bytearray(gzip.compress(json.dumps({"Records": RECORDS[: data.draw(st.integers(0, 5))]}).encode()))
    for _ in range(data.draw(st.integers(0, 2))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    damaged = bytes(body[: data.draw(st.integers(0, len(body)))]) + data.draw(st.sampled_from([b"", b"\0", b"x"]))
    assert read(damaged, 1 << 20, quick=True) == read(damaged, 1 << 20, quick=False)


def test_limits_hold_alike() -> None:
    text = json.dumps({"Records": RECORDS}).encode()
    for body in (gzip.compress(text), gzip.compress(text + b" " * 100_000), gzip.compress(text)[: MOST_BYTES // 4]):
        for most in (len(text) - 1, len(text)):
            assert read(body, 1 << 20, quick=True, most=most) == read(body, 1 << 20, quick=False, most=most)
