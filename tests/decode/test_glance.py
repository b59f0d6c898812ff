"""A glance at a file that came in one piece never says anything else than reading it does."""

import gzip
import json
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream.decode import LogDecoder, Prefilter
from stream.decode.beginning import MOST_BYTES
from stream.decode.glance import MOST_JSON_BYTES, Seen, inflated, look
from stream.decode.literals import Literal
from stream.errors import LogFileError
from tests.decode.logs import gz, ordinary

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


DENSE: list[dict[str, Any]] = [
    {"eventVersion": "1", "eventName": "StopLogging", "n": f"{number}{'x' * 1000}"} for number in range(500)
]
"""Records that match all."""


def large(*elements: str, records: int = 1000) -> str:
    """The JSON of a log file of more than a parser takes in no time, with these among its records."""
    noise = random.Random(1)
    ordinaries = [f'{{"eventVersion":"1","eventName":"ListTrails","n":"{noise.random()}"}}' for _ in range(records)]
    return '{"Records":[' + ",".join([*ordinaries[:700], *elements, *ordinaries[700:]]) + "]}"


def read(body: bytes, size: int, *, quick: bool, most: int = 1 << 30, most_record: int = 4 << 20) -> tuple[Any, ...]:
    decoder = LogDecoder(PREFILTER, max_record_bytes=most_record, max_log_bytes=most, scouting=quick)
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


def glance(body: bytes, *, most_record: int = 4 << 20) -> Seen | None:
    text = inflated(body)
    return None if text is None else look(text, PREFILTER, max_record_bytes=most_record)


def test_an_ordinary_small_file_takes_no_more_than_a_glance() -> None:
    seen = glance(gzip.compress(json.dumps({"Records": RECORDS}).encode()))
    assert seen is not None
    assert seen.records == 5
    assert json.loads(seen.first or b"") == RECORDS[0]


def test_so_does_a_large_one() -> None:
    seen = glance(gzip.compress(large(records=20_000).encode()))
    assert seen is not None
    assert seen.records == 20_000
    assert json.loads(seen.first or b"")["eventName"] == "ListTrails"


@pytest.mark.parametrize("body", ['{"Records":[{"eventName":"StopLogging"}]}', large('{"eventName":"StopLogging"}')])
def test_so_does_one_with_a_match(body: str) -> None:
    seen = glance(gzip.compress(body.encode(), mtime=0))
    assert seen is not None
    assert seen.batch is not None
    assert seen.records == len(seen.batch.elements) == len(json.loads(body)["Records"])


@pytest.mark.parametrize("first", ["1", '{"n":1}', '{"eventVersion":"1"}'])
def test_of_one_without_a_match_no_record_is_kept_however_it_begins(first: str) -> None:
    for text in (
        f'{{"Records":[{first}]}}',
        large().replace("[", f"[{first},", 1),
        f'{{"Records":[{first}]}}' + " " * 300_000,
    ):
        seen = look(text.encode(), PREFILTER, max_record_bytes=4 << 20)
        assert seen is not None
        assert (seen.batch, seen.records) == (None, len(json.loads(text)["Records"]))


@pytest.mark.parametrize("records", [DENSE, [*DENSE[:9], *DENSE[:3] * 500], [*DENSE, DENSE[0] | {"x": [[]] * 300_000}]])
def test_where_most_match_all_are_parsed(records: list[dict[str, Any]]) -> None:
    body = gzip.compress(json.dumps({"Records": records}, separators=(",", ":")).encode(), 1)
    found, counted, first, *_ = read(body, 1 << 20, quick=True)
    assert (found, counted, first) == (records, len(records), records[0])
    assert read(body, 1 << 20, quick=True)[1:] == read(body, 1 << 20, quick=False)[1:]


@pytest.mark.parametrize("odd", ['{"x":NaN}', '"DeleteTrail"', '{"x":"\\ud800"}', "{", "[" * 600 + "]" * 600])
def test_what_is_odd_among_many_that_match_is_read_alike(odd: str) -> None:
    texts = [json.dumps(each, separators=(",", ":")) for each in DENSE]
    for elements, after in ((texts, '],"Records":[]}'), ([*texts, odd], "]}"), (texts, '],"n":1}'), (texts, "]} x")):
        body = gzip.compress(('{"Records":[' + ",".join(elements) + after).encode(), 1)
        assert read(body, 1 << 20, quick=True) == read(body, 1 << 20, quick=False)


@pytest.mark.parametrize("depth", [200, 255, 800, 1100])
def test_a_deep_record_among_many_that_match_is_read_alike(depth: int) -> None:
    deep = f'{{"eventVersion":"1","eventName":"StopLogging","x":{"[" * depth}{"]" * depth}}}'
    texts = [json.dumps(each, separators=(",", ":")) for each in DENSE]
    for elements in ([deep, *texts], [*texts, deep]):
        body = gzip.compress(('{"Records":[' + ",".join(elements) + "]}").encode(), 1)
        quick, slow = (read(body, 1 << 20, quick=each) for each in (True, False))
        assert quick == slow
        assert len(quick[0]) == (501 if depth < 1100 else 500)  # which no parser takes


@pytest.mark.parametrize("value", ['{"x":[%s]}', '{"eventName":"StopLogging","x":[%s]}'])
@pytest.mark.parametrize("inside", ["[" * 900 + "]" * 900, '{"":' * 900 + "0" + "}" * 900, "[]", "1"])
def test_what_would_take_a_parser_long_is_not_parsed_beside_what_matches(inside: str, value: str) -> None:
    fine = value % ",".join([inside] * (1_000_000 // len(inside)))
    texts = [json.dumps(each, separators=(",", ":")) for each in DENSE]
    text = ('{"Records":[' + ",".join([*texts, fine]) + "]}").encode()
    seen = look(text, PREFILTER, max_record_bytes=4 << 20)
    assert seen is not None
    assert not seen.parsed

    found = read(gzip.compress(text, 1), 1 << 20, quick=True)[0]
    assert len(found) == 500 + ("StopLogging" in fine)


def test_more_after_a_first_chunk_that_fills_what_is_kept_is_read_too() -> None:
    def filled(size: int) -> bytes:
        padded = '{"Records":[{"eventName":"StopLogging","p":"' + "x" * size + '"}]}'
        return gzip.compress(padded.encode(), 0, mtime=0)

    bodies = map(filled, range(MOST_BYTES - 200, MOST_BYTES))
    body = next(each for each in bodies if len(each) == MOST_BYTES)
    for after in (b"x", gzip.compress(b'{"Records":[]}'), gzip.compress(b" ")[:-3]):
        assert read(body + after, MOST_BYTES, quick=True) == read(body + after, MOST_BYTES, quick=False)
        assert read(body + after, MOST_BYTES, quick=True)[-1] is not None


def test_no_more_elements_than_records_of_cloudtrail_are_split_at_once() -> None:
    for records, seen_at_once in ((4096, True), (4097, False)):
        elements = [f'{{"eventVersion":"1","n":"{"x" * 100}"}}'] * (records - 1)
        text = ('{"Records":[' + ",".join([*elements, '{"n":"DeleteTrail"}']) + "]}").encode()
        seen = look(text, PREFILTER, max_record_bytes=4 << 20)
        assert (seen is not None) == seen_at_once
        body = gzip.compress(text)
        assert read(body, 1 << 20, quick=True) == read(body, 1 << 20, quick=False)


def test_what_is_no_whole_member_or_too_large_is_not_glanced_at() -> None:
    body = gzip.compress(large().encode())
    assert inflated(body) == large().encode()
    assert inflated(body[:-1]) is None
    assert inflated(body + b"\0") is None
    assert inflated(body + gzip.compress(b" ")) is None
    assert inflated(body[:-8] + b"\0" + body[-7:]) is None  # of another checksum
    assert inflated(gzip.compress(bytes(MOST_JSON_BYTES))) is not None
    assert inflated(gzip.compress(bytes(MOST_JSON_BYTES + 1))) is None
    assert inflated(gzip.compress(random.Random(1).randbytes(MOST_BYTES + 1))) is None
    assert inflated(b"") is None
    named = body[:3] + b"\x08" + body[4:10] + b"x" * 200_000 + b"\0" + body[10:]
    assert gzip.decompress(named) == large().encode()
    assert inflated(named) is None


@pytest.mark.parametrize("size", [1 << 20, 3000])
@pytest.mark.parametrize("records", [750, 2500, 20_000])
@pytest.mark.parametrize(
    "element",
    [
        *('{"eventName":"StopLogging"}', '{"eventName": "\\u0053topLogging"}', '{"a":[{"eventVersion":"1"}]}', "1"),
        *('{"x":"\\u00e9"}', '{"eventVersion":"1","x":NaN}', '{"eventVersion":"DeleteTrail","x":"\ud800"}', "{"),
        *('{"eventVersion":"1"}],"Records":[{"eventVersion":"1"}', '{"n":"DeleteTrail"}', "[" * 600 + "]" * 600, ""),
        '{"eventVersion":"1","x":"' + "x" * (1 << 20) + '"}',
    ],
)
def test_whatever_a_large_file_holds_it_is_read_alike(element: str, records: int, size: int) -> None:
    body = gzip.compress(large(element, records=records).encode("utf-8", "surrogatepass"))
    for most_record in (1 << 20, 2 << 20, 4 << 20):
        quick, slow = (read(body, size, quick=each, most_record=most_record) for each in (True, False))
        assert quick[0] == slow[0]
        if slow[0] or records < 3000 or len(element) > 1 << 20:
            assert quick == slow  # of a large file without a literal, not every element is parsed


@pytest.mark.parametrize("after", [b"x", b"\0", gz(b" "), gz(b'{"Records":[]}')])
@pytest.mark.parametrize("element", ['{"eventName":"StopLogging"}', '{"eventName":"ListTrails"}'])
def test_what_comes_after_what_seemed_to_be_all_is_read_too(element: str, after: bytes) -> None:
    body = gzip.compress(large(element).encode())
    assert read(body + after, len(body), quick=True) == read(body + after, len(body), quick=False)


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
