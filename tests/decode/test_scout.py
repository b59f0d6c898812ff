"""What a quick look proves of a large file is what splitting all of it finds."""

import gzip
import json
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream.decode import LogDecoder, Prefilter
from stream.decode.beginning import MOST_BYTES
from stream.decode.literals import Literal
from stream.decode.records import Record
from stream.errors import LogFileError
from tests.decode.logs import ordinary

LITERALS = frozenset({Literal("StopLogging", member="eventName"), Literal("DeleteTrail")})
STOP = {"eventVersion": "1.11", "eventName": "StopLogging"}
Found = tuple[list[Record], int, dict[str, Any], str | None]


def read(
    body: bytes,
    *,
    scouting: bool,
    size: int = 64 * 1024,
    limit: int = 4 << 20,
    most: int = 1 << 30,
    prefilter: Prefilter | None = None,
) -> Found:
    """The records, how many there were, the first, and the fault."""
    decoder = LogDecoder(
        prefilter or Prefilter(LITERALS), max_record_bytes=limit, max_log_bytes=most, scouting=scouting
    )
    found: list[Record] = []
    fault: str | None = None
    try:
        for start in range(0, len(body), size):
            found += decoder.feed(body[start : start + size])
        found += decoder.finish()
    except LogFileError as error:
        found += decoder.take()
        fault = error.reason
    return found, decoder.records, decoder.first_record(), fault


def log(records: list[Any], *, head: str = '{"Records":[', tail: str = "]}", between: str = ",") -> bytes:
    return gzip.compress((head + between.join(json.dumps(each) for each in records) + tail).encode(), 1)


MANY = [ordinary(index) for index in range(1500)]
_RANDOM = random.Random(1)
NOISY = [
    f'{{"eventVersion":"1","eventName":"ListTrails","n":"{_RANDOM.randbytes(20).hex()}{"x" * 200}"}}'
    for _ in range(3000)
]
"""Records as CloudTrail writes them, of enough bytes for several windows."""


def assert_alike(body: bytes, **how: Any) -> Found:
    quick, slow = read(body, scouting=True, **how), read(body, scouting=False, **how)
    assert quick == slow
    return quick


def test_a_large_harmless_file_is_counted_and_its_first_record_known() -> None:
    found, records, first, fault = assert_alike(log(MANY))
    assert (found, records, fault) == ([], 1500, None)
    assert first == MANY[0]


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.integers(0, 1499), max_size=3),
    st.sampled_from(["StopLogging", "stoplogging", "\\u0053topLogging", "Stop\\u004Cogging", "StopLoggin"]),
    st.integers(1000, 70_000),
    st.sampled_from([",", " , ", ",\n\t"]),
)
def test_wherever_a_match_stands_and_however_it_is_spelt_it_is_found(
    places: list[int], spelling: str, size: int, between: str
) -> None:
    texts = [json.dumps(each) for each in MANY]
    for place in places:
        texts[place] = json.dumps(STOP | {"eventID": place}).replace("StopLogging", spelling)
    body = gzip.compress(('{"Records":[' + between.join(texts) + "]}").encode(), 1)
    found, records, _, fault = assert_alike(body, size=size)
    assert records == 1500
    assert fault is None
    assert len(found) == (len(set(places)) if spelling != "StopLoggin" else 0)


@pytest.mark.parametrize("shift", range(0, 60, 3))
def test_a_match_that_a_window_cuts_in_two_is_found(shift: int) -> None:
    padding = "x" * (256 * 1024 - 60 - shift - len('{"Records":[{"eventVersion":"'))
    text = f'{{"Records":[{{"eventVersion":"{padding}"}},{{"eventVersion":"1","eventName":"StopLogging"}},'
    text += ",".join(json.dumps(each) for each in MANY) + "]}"
    found, records, _, fault = assert_alike(gzip.compress(text.encode(), 1))
    assert (len(found), records, fault) == (1, 1502, None)


@pytest.mark.parametrize("name", ["StopLogging", "Stop\\u004cogging", "StopLoggin"])
@pytest.mark.parametrize("cuts", [(4, 7), (1, 2), (4, 5), (0, 11), (10, 11), (3, 8)])
def test_a_match_that_lies_across_more_than_two_windows_is_found(cuts: tuple[int, int], name: str) -> None:
    first, second = cuts
    before = '{"Records":[' + ",".join(NOISY) + ',{"eventVersion":"1","eventName":"'
    pieces = (before + name[:first], name[first:second], name[second:] + '"},' + ",".join(NOISY) + "]}")
    body = b"".join(gzip.compress(piece.encode(), 1) for piece in pieces)
    for size in (1 << 20, 65536 + 2):
        found, records, _, fault = assert_alike(body, size=size)
        assert (len(found), records, fault) == (name != "StopLoggin", 2 * len(NOISY) + 1, None)


def test_a_separator_that_lies_across_more_than_two_windows_is_counted() -> None:
    pieces = (
        '{"Records":[' + ",".join(NOISY) + ',{"eventVersion":"1"},{"ev',
        "entVer",
        'sion":"1"},' + NOISY[0] + "]}",
    )
    assert assert_alike(b"".join(gzip.compress(piece.encode(), 1) for piece in pieces))[1] == len(NOISY) + 3


def test_a_second_array_that_is_empty_is_the_one_that_counts() -> None:
    for first in (100_000, 400_000):
        text = f'{{"Records":[{{"eventName":"StopLogging","x":"{"x" * first}"}}],"Records":[]}}'
        for size in (1 << 20, 70_000):
            assert assert_alike(gzip.compress(text.encode(), 1), size=size)[:2] == ([], 0)


BESIDE = Prefilter(
    [Literal("StopLogging", member="eventName"), Literal("AWSLogs", whole=False)],
    [Literal("StopLogging", member="eventName"), Literal("PutObject", whole=False, member="eventName")],
)


@pytest.mark.parametrize("size", [200_000, 1 << 20])
@pytest.mark.parametrize("key", ["AWSLogs/1", "logs/1"])
@pytest.mark.parametrize("after", [10, 200_000, 300_000, 600_000])
@pytest.mark.parametrize("first", ["eventName", "key", "both"])
def test_a_text_is_found_in_whatever_window_its_name_stands(first: str, after: int, key: str, size: int) -> None:
    begins = '{"eventVersion":"1"'
    nested = f"[{begins}}},{begins}}}]"  # looks like the end of a record
    name, key, gap = '"eventName":"PutObjectAcl"', f'"key":"{key}"', f'"x":"{"x" * after}"'
    parts = {"eventName": [name, gap, nested, key], "key": [key, nested, gap, name], "both": [name, key, gap]}[first]
    record = ",".join([begins, *(f'"n":{part}' if part == nested else part for part in parts)]) + "}"
    body = gzip.compress(('{"Records":[' + ",".join([*NOISY[:700], record, *NOISY[700:]]) + "]}").encode(), 1)
    quick, slow = (read(body, scouting=scouting, prefilter=BESIDE, size=size) for scouting in (True, False))

    assert quick[0] == slow[0]
    assert len(quick[0]) == (1 if "AWS" in key else 0)
    assert (slow[1], slow[3]) == (3001, None)
    assert quick[1] == (3001 if quick[0] or first == "both" else 3002)  # one more is seen where nothing is split


@pytest.mark.parametrize(
    ("head", "tail"),
    [
        ('{"Records":[', "]"),
        ('{"Records":[', "}"),
        ('{"Records":[', '],"Records":[]}'),
        ('{"Records":[', '],"more":{"a":[1]}}'),
        ('{"more":1,"Records":[', "]}"),
        ('{"records":[', "]}"),
        ("[", "]"),
        (' \n{ "Records" : [ ', " ] } \n"),
        ('{"Rec\\u006frds":[', "]}"),
    ],
)
def test_a_file_that_looks_otherwise_is_split(head: str, tail: str) -> None:
    assert_alike(log(MANY, head=head, tail=tail))


def test_what_is_damaged_is_the_same_fault_and_what_stands_before_it_is_found() -> None:
    body = log([*MANY[:700], STOP, *MANY[700:]])
    broken = body[: len(body) - 5] + bytes([body[-5] ^ 1]) + body[-4:]
    for damaged in (body[:-20], body[: len(body) // 2], broken, body + b"garbage"):
        _, _, _, fault = assert_alike(damaged)
        assert fault is not None


def test_records_past_a_limit_are_told_although_nothing_matches() -> None:
    huge = {"eventVersion": "1", "padding": "x" * (5 << 20)}
    assert assert_alike(log([*MANY, huge, *MANY]))[3] == "record_too_large"
    assert assert_alike(log(MANY), most=300_000)[3] == "log_too_large"


def test_keys_in_ever_another_order_are_counted_all_the_same() -> None:
    records = []
    for index, each in enumerate(MANY):
        items = [*each.items()]
        records.append(dict(items[index % 5 :] + items[: index % 5]))
    assert assert_alike(log(records))[1] == 1500


def test_a_file_of_which_too_much_would_have_to_be_kept_is_split() -> None:
    rng = random.Random(1)
    records = [each | {"noise": rng.randbytes(700).hex()} for each in MANY]
    body = log(records)
    assert len(body) > MOST_BYTES + 64 * 1024
    assert assert_alike(body)[1] == 1500
