"""What a quick look proves of a large file is what splitting all of it finds."""

import gzip
import json
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream.decode import LogDecoder, Prefilter
from stream.decode.beginning import LARGEST_BYTES, MOST_BYTES, Beginning
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
    stored: int | None = None,
) -> Found:
    """The records, how many there were, the first, and the fault."""
    decoder = LogDecoder(
        prefilter or Prefilter(LITERALS),
        max_record_bytes=limit,
        max_log_bytes=most,
        scouting=scouting,
        stored_bytes=stored,
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


def test_the_first_record_is_known_whatever_is_nested_in_it() -> None:
    nested = '{"eventVersion":"1","recipientAccountId":"999999999999","q":[{"eventVersion":"1"},{"eventVersion":"2"}]}'
    text = '{"Records":[' + nested + " ," + ",".join(NOISY) + "]}"
    assert assert_alike(gzip.compress(text.encode(), 1)) == ([], len(NOISY) + 1, json.loads(nested), None)


@pytest.mark.parametrize(
    "text", ['\x0b{"Records":[%s]}', '{"Records"\x0c:[%s]}', '{"Records":[%s]}\x0b', '{"Records":[%s]\xa0}']
)
def test_white_space_that_is_none_of_json_s_is_a_fault(text: str) -> None:
    *_, fault = assert_alike(gzip.compress((text % ",".join(NOISY)).encode(), 1))
    assert fault in ("bad_json", "not_gzip")


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


def test_records_that_begin_in_more_than_one_way_are_counted_all_the_same() -> None:
    records = [
        each | ({"awsRegion": "eu-west-1"} if index < 100 or index % 7 else {}) for index, each in enumerate(MANY)
    ]
    assert assert_alike(log([dict(sorted(each.items())) for each in records]))[1] == 1500


def large(*matching: int, records: int = 1500) -> bytes:
    """A file of about a MiB as it is stored, with matches at these places."""
    noise = random.Random(1)
    texts = [MANY[index] | {"noise": noise.randbytes(700).hex()} for index in range(records)]
    return log([each | (STOP if index in matching else {}) for index, each in enumerate(texts)])


@pytest.mark.parametrize("stored", [None, 0, 300_000, 1_300_000, 1 << 40])
@pytest.mark.parametrize("matching", [(), (3,), (1499,)])
def test_a_file_of_which_more_than_usual_has_to_be_kept_is_read_alike(
    matching: tuple[int, ...], stored: int | None
) -> None:
    body = large(*matching)
    assert MOST_BYTES + 64 * 1024 < len(body) < 1_300_000
    for cut in (body, body[:-1], body[:-100_000]):
        assert_alike(cut, stored=stored)
    found, records, *_ = assert_alike(body, stored=stored)
    assert (len(found), records) == (len(matching), 1500)


def test_large_files_are_kept_while_there_is_room_for_them() -> None:
    kept = [Beginning() for _ in range(20)]
    assert [each.has_room_for(3 << 20) for each in kept] == [True] * 2 + [False] * 18
    assert not Beginning().has_room_for(LARGEST_BYTES + 1)
    assert Beginning().has_room_for(MOST_BYTES)
    assert Beginning().has_room_for(2 << 20)  # and is done with at once
    assert Beginning().has_room_for(2 << 20)
    kept.clear()
    assert Beginning().has_room_for(LARGEST_BYTES)


def test_of_a_large_file_all_is_kept_that_was_announced() -> None:
    beginning = Beginning()
    assert beginning.has_room_for(MOST_BYTES + 10)
    added = [(beginning.add(chunk), beginning.whole) for chunk in (b"x" * MOST_BYTES, b"y" * 10, b"z")]
    assert added == [(True, True), (True, True), (False, False)]
    assert sum(map(len, beginning.chunks)) == MOST_BYTES + 10
