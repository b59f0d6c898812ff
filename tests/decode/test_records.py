"""The decoder against a full parse: whatever the spelling, the chunks and the members, the same records come out."""

import contextlib
import gzip
import json
import time
import tracemalloc
import zlib
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream.decode import Literal, LogDecoder, Prefilter, Record
from stream.decode.split import Splitter
from stream.errors import LogFileError
from tests.decode.logs import (
    MIB,
    PREFILTER,
    compressed,
    decoder,
    giant,
    gz,
    log_file,
    matching,
    ordinary,
    read,
    read_until_fault,
    texts,
)

STOP = {"eventName": "StopLogging", "eventID": "stop"}


@settings(max_examples=100)
@given(st.data())
def test_a_full_parse_finds_the_same(data: st.DataObject) -> None:
    text = data.draw(texts())
    body = data.draw(compressed(text.encode()))
    cuts = data.draw(st.lists(st.integers(0, max(len(body), 1)), max_size=6))

    found = read(body, cuts)

    assert matching(found) == matching(json.loads(text.lstrip("\ufeff"))["Records"])


@given(st.data())
def test_a_file_that_is_cut_off_is_a_named_fault_and_makes_nothing_up(data: st.DataObject) -> None:
    text = data.draw(texts()).lstrip("\ufeff")
    whole = gzip.compress(text.encode())
    objects: list[dict[str, Any]] = []

    found, reason = read_until_fault(whole[: data.draw(st.integers(0, len(whole) - 1))])

    def remember(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        objects.append(dict(pairs))
        return objects[-1]

    json.loads(text, object_pairs_hook=remember)
    assert reason in ("truncated", "empty")
    assert all(record in objects for record in found)


@pytest.mark.parametrize("records", [3, 700])
def test_every_record_before_the_cut_is_found(records: int) -> None:
    elements = [json.dumps(STOP | {"n": number, "x": "y" * 200}) for number in range(records)]
    whole = gzip.compress(('{"Records":[' + ",".join(elements)).encode(), 0)  # stored: what arrives is what is there

    for kept in (1, records // 2, records - 1):
        at = whole.index(f'"n": {kept},'.encode())  # in the middle of the element after those
        found, reason = read_until_fault(whole[:at])

        assert reason == "truncated"
        assert [record["n"] for record in found] == list(range(kept))


@given(st.binary(max_size=300), st.booleans())
def test_any_bytes_end_in_records_or_a_named_fault(body: bytes, zipped: bool) -> None:
    read_until_fault(gzip.compress(body) if zipped else body)


@settings(max_examples=100)
@given(st.data())
def test_one_changed_byte_never_ends_in_another_error(data: st.DataObject) -> None:
    body = bytearray(data.draw(compressed(data.draw(texts()).encode())))
    for _ in range(data.draw(st.integers(1, 3))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    read_until_fault(bytes(body))


def test_only_records_that_could_match_are_parsed() -> None:
    records = [ordinary(index) for index in range(500)]
    records.insert(250, STOP)
    reading = decoder()

    reading.feed(log_file(*records))

    assert reading.finish() == [STOP]
    assert reading.records == 501


@pytest.mark.parametrize("indent", [None, 0, 2])
@pytest.mark.parametrize("size", [97, 4096, 70_000])
def test_records_over_many_windows_are_all_seen(indent: int | None, size: int) -> None:
    records: list[Any] = [ordinary(index) for index in range(4000)]
    for place in range(0, 4000, 400):
        records[place] = STOP | {"eventID": f"stop-{place}"}
    body = log_file(*records, indent=indent)

    reading = decoder()
    found = [record for at in range(0, len(body), size) for record in reading.feed(body[at : at + size])]
    found += reading.finish()

    assert [record["eventID"] for record in found] == [f"stop-{place}" for place in range(0, 4000, 400)]
    assert reading.records == 4000


def test_records_with_keys_in_ever_another_order_are_all_seen() -> None:
    records = []
    for index in range(3000):
        items = list((ordinary(index) | {"sourceIPAddress": "192.0.2.1"}).items())
        records.append(dict(items[index % 5 :] + items[: index % 5]))
    reading = decoder()

    assert read(log_file(*records, STOP)) == [STOP]
    reading.feed(log_file(*records))
    reading.finish()
    assert reading.records == 3000


def test_a_record_that_only_the_standard_library_reads_hides_none_beside_it() -> None:
    odd = '{"eventName":"StopLogging","userAgent":"\\ud800","n":NaN,"big":' + "9" * 500 + "}"
    inside = ",".join(json.dumps(ordinary(index)) for index in range(600))
    body = gzip.compress(f'{{"Records":[{inside},{odd},{json.dumps(STOP)},{inside}]}}'.encode())

    found = read(body)

    assert [record.get("eventID") for record in found] == [None, "stop"]
    assert found[0]["userAgent"] == "\ud800"


def test_bytes_that_are_not_utf_8_hide_nothing() -> None:
    body = b'{"Records":[{"eventName":"StopLogging","userAgent":"\xff\xfe"},{"eventName":"AddTags"}]}'

    assert [record["eventName"] for record in read(body)] == ["StopLogging", "AddTags"]


def test_a_record_that_no_parser_takes_fails_the_file_and_hides_none_beside_it() -> None:
    deep = '{"eventName":"StopLogging","x":' + "[" * 50_000 + "]" * 50_000 + "}"
    found, reason = read_until_fault(f'{{"Records":[{deep},{json.dumps(STOP)}]}}'.encode())

    assert (found, reason) == ([STOP], "unreadable_record")


def test_a_deep_record_that_can_not_match_is_no_fault() -> None:
    deep = '{"eventName":"GetObject","x":' + "[" * 50_000 + "]" * 50_000 + "}"
    assert read_until_fault(f'{{"Records":[{deep},{json.dumps(STOP)}]}}'.encode()) == ([STOP], None)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "empty"),
        (b"<html>", "not_gzip"),
        (b"\x1f", "truncated"),
        (b" \n ", "bad_json"),
        (log_file(STOP)[:-9], "truncated"),
        (log_file(STOP)[:-8] + b"\0\0\0\0" + log_file(STOP)[-4:], "bad_crc"),
        (log_file(STOP)[:10] + b"\xff" * 9, "bad_gzip"),
        (log_file(STOP) + b"and more", "bad_gzip"),
        (gz(b"{"), "bad_json"),
        (gz(b"not json"), "bad_json"),
        (gz(b'{"Records":[{"a":1},]}'), "bad_json"),
        (gz(b'{"Records":[{"a":1}{"b":1}]}'), "bad_json"),
        (gz(b'{"Records":[{"a":nul}]}'), "bad_json"),
        (gz(b'{"Records":[{"a":1}]} trailing'), "bad_json"),
        (gz(b'{"Records":[{"a":1}]}{"Records":[]}'), "bad_json"),
        (gz(b'{"meta":{]},"Records":[]}'), "bad_json"),
        (b'{"a":1}', "no_records"),
        (b"{}", "no_records"),
        (b"[]", "no_records"),
        (b'{"Records":{"eventName":"StopLogging"}}', "no_records"),
        (b'{"records":[]}', "no_records"),
        (b'{"Records":[],"Records":null}', "no_records"),
    ],
)
def test_each_fault_has_its_name(body: bytes, reason: str) -> None:
    assert read_until_fault(body)[1] == reason


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (gz(b'{"Records":[{"eventName":"StopLogging"},{"a":1}')[:-9], "truncated"),
        (gz(b'{"Records":[{"eventName":"StopLogging"},{"a":1}'), "bad_json"),
        (gz(b'{"Records":[{"eventName":"StopLogging"},{"a":nul},{"b":1}]}'), "bad_json"),
        (gz(b'{"Records":[{"eventName":"StopLogging"}]') + b"junk", "bad_gzip"),
    ],
)
def test_what_was_found_before_a_fault_is_given(body: bytes, reason: str) -> None:
    assert read_until_fault(body) == ([{"eventName": "StopLogging"}], reason)


@pytest.mark.parametrize("records", [1, 20, 3000])
@pytest.mark.parametrize("fault", ["checksum", "length", "middle"])
def test_what_stands_before_a_fault_in_a_gzip_is_found_to_the_last_byte(records: int, fault: str) -> None:
    changes = [STOP | {"n": number, "x": "y" * (number % 300)} for number in range(records)]
    body = bytearray(log_file(*changes))
    at = {"checksum": len(body) - 8, "length": len(body) - 4, "middle": len(body) * 2 // 3}[fault]
    body[at] ^= 0xFF
    expected = [] if fault == "middle" else [record["n"] for record in changes]
    if fault == "middle":  # as far as the standard library comes, a byte at a time
        inflater, text = zlib.decompressobj(31), b""
        with contextlib.suppress(zlib.error):
            for byte in bytes(body):
                text += inflater.decompress(bytes([byte]))
        with contextlib.suppress(LogFileError):
            reading = decoder()
            reading.feed(text)
            reading.finish()
        expected = [record.get("n") for record in reading.take()]
        assert expected or records == 1

    found, reason = read_until_fault(bytes(body))

    assert reason in ("bad_crc", "bad_gzip", "truncated", "bad_json")
    assert [record.get("n") for record in found] == expected


@pytest.mark.parametrize("size", [65536, 5000])
def test_of_a_large_file_that_is_not_kept_a_fault_hides_little_of_what_is_before_it(size: int) -> None:
    random = Random(1)
    texts = [json.dumps(STOP | {"n": number, "x": random.randbytes(150).hex()}) for number in range(6000)]
    deflate = zlib.compressobj(6, zlib.DEFLATED, 31)
    body = deflate.compress(('{"Records":[' + ",".join(texts) + ",").encode()) + deflate.flush(zlib.Z_FULL_FLUSH)
    before = zlib.decompressobj(31).decompress(body[: -8 * 1024]).count(b'"n":')
    body += b"\x07" + b"z" * 100  # a block of a type that there is not

    reading, found = decoder(), []
    with pytest.raises(LogFileError, match="bytes of JSON") as fault:  # noqa: PT012 - in chunks
        for at in range(0, len(body), size):
            found += reading.feed(body[at : at + size])
    found += reading.take()

    assert len(body) > MIB // 2
    assert not reading.beginning.whole
    assert fault.value.reason == "bad_gzip"
    assert [record["n"] for record in found] == list(range(len(found)))
    assert len(found) >= before - 1


@pytest.mark.parametrize("element", [b"0", b"{}", b'"a"', b"[]", b"null", b'{"a":[1,2]}', b"[0,0]"])
def test_elements_of_any_kind_are_taken_many_at_once(element: bytes) -> None:
    count = MIB // len(element)
    window = b'{"Records":[' + b",".join([element] * count)
    splitter = Splitter(4 * MIB)

    batches = [batch for at in range(0, len(window), 65536) for batch in splitter.feed(window[at : at + 65536])]

    assert sum(len(batch.elements) for batch in batches) > count * 0.95
    assert len(batches) < count / 20


def test_a_value_of_nothing_but_brackets_lets_the_caller_breathe() -> None:
    steps = decoder(record=MIB // 4).steps(b'{"Records":[' + b"[" * (MIB // 2))
    turns: list[list[Record]] = []
    with pytest.raises(LogFileError, match="record_too_large"):
        turns.extend(steps)

    assert len(turns) > 50


@pytest.mark.parametrize("size", [60_000, 250_000, 2 * MIB - 1000], ids=["60 KB", "250 KB", "2 MiB"])
@pytest.mark.parametrize(
    ("start", "piece", "end"),
    [
        ('{"Records":[', "NaN,", "1]}"),
        ('{"Records":[', '{"a":"\\ud800"},', "1]}"),
        ('{"Records":[', "[],", "1]}"),
        ("{", '"Records":[],', '"Records":[]}'),
        ("{", '"":"",', '"Records":[]}'),
        ("{", '"":{},', '"Records":[]}'),
        ('{"Records":[', "NaN,", ""),
    ],
    ids=["not numbers", "lone surrogates", "brackets", "Records anew", "members", "objects", "no end"],
)
def test_whatever_a_small_file_is_made_of_it_lets_the_caller_breathe(
    start: str, piece: str, end: str, size: int
) -> None:
    body = gz((start + piece * (size // len(piece)) + end).encode())
    reading = decoder()
    longest_s = 0.0
    with contextlib.suppress(LogFileError):
        for steps in (reading.steps(body), reading.last_steps()):
            while True:
                began = time.thread_time()
                records = next(steps, None)
                longest_s = max(longest_s, time.thread_time() - began)
                if records is None:
                    break

    assert longest_s < 0.03


@pytest.mark.parametrize("zipped", [True, False])
def test_white_space_before_it_costs_nothing_but_counts(zipped: bool) -> None:
    text = b" " * (3 * MIB) + json.dumps({"Records": [STOP]}).encode()
    body = gzip.compress(text) if zipped else text

    assert read(body, range(0, len(body), 8192)) == [STOP]
    assert read_until_fault(body, log=MIB) == ([], "log_too_large")


def test_a_nested_or_quoted_event_is_no_record() -> None:
    bait = '{"eventName":"StopLogging"}'
    body = json.dumps({"meta": {"Records": [json.loads(bait)]}, "Records": [{"userAgent": bait, "Records": [bait]}]})

    assert matching(read(body.encode())) == []


def test_the_last_of_two_records_arrays_counts() -> None:
    body = b'{"Records":[{"eventName":"StopLogging"}],"Records":[{"eventName":"AddTags"}]}'

    assert read(body) == [{"eventName": "AddTags"}]


def test_elements_that_are_no_objects_are_passed_over_and_counted() -> None:
    reading = decoder()
    reading.feed(b'{"Records":["StopLogging",["StopLogging"],{"eventName":"StopLogging"}]}')

    assert reading.finish() == [{"eventName": "StopLogging"}]
    assert reading.not_objects == 2


def test_the_first_record_is_had_though_nothing_matched() -> None:
    reading = decoder()
    reading.feed(log_file(ordinary(7)))
    reading.finish()

    assert reading.first_record()["eventID"] == "ordinary-7"


def test_without_literals_every_record_is_a_candidate() -> None:
    reading = decoder(Prefilter(None))
    reading.feed(log_file(ordinary(1), ordinary(2)))

    assert len(reading.finish()) == 2


def test_a_record_larger_than_allowed_is_a_fault_and_those_before_it_are_given() -> None:
    large = {"eventName": "AddTags", "x": "y" * 5000}

    assert read_until_fault(log_file(STOP, large, STOP), record=4096) == ([STOP], "record_too_large")
    assert read_until_fault(log_file(STOP, large), record=6000)[1] is None


def test_a_value_without_end_is_given_up_at_the_limit() -> None:
    body = gzip.compress(b'{"Records":[{"eventName":"StopLogging"},{"x":"' + b"y" * (3 * MIB))

    assert read_until_fault(body, record=MIB) == ([{"eventName": "StopLogging"}], "record_too_large")


def test_a_log_larger_than_allowed_is_a_fault_and_what_was_found_is_given() -> None:
    filler = b",".join(json.dumps(ordinary(index)).encode() for index in range(500))
    body = giant(json.dumps(STOP).encode() + b"," + filler, 40)

    found, reason = read_until_fault(body, log=MIB)

    assert reason == "log_too_large"
    assert STOP in found


@pytest.mark.parametrize(
    ("inner", "matches"),
    [
        (json.dumps(ordinary(3)).encode(), 0),
        (json.dumps(STOP | {"x": "y" * 900}).encode(), 1),
        (b" " * 9000 + b"{}", 0),
        (b'{"x":"' + rb"\n" * 5000 + b'"}', 0),
    ],
    ids=["ordinary", "every record matches", "white space", "escapes"],
)
def test_memory_does_not_grow_with_the_file(inner: bytes, matches: int) -> None:
    size = (32 if matches else 12) * MIB
    body = giant(inner, size // len(inner))
    reading = LogDecoder(PREFILTER, max_record_bytes=4 * MIB, max_log_bytes=1024 * MIB)
    tracemalloc.start()
    found = 0
    for at in range(0, len(body), 4096):
        for records in reading.steps(body[at : at + 4096]):
            found += len(records)
    found += len(reading.finish())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert reading.json_bytes > size * 0.9
    assert found == reading.records * matches
    assert peak < 24 * MIB if matches else peak < 4 * MIB


@pytest.mark.parametrize("size", [1, 4096])
def test_a_long_text_in_many_small_windows_takes_no_longer_than_in_large_ones(size: int) -> None:
    text = b'{"Records":[{"eventName":"AddTags","x":"' + b"y" * (3 * MIB)
    body = gzip.compress(text, 1)
    body += b"".join(gzip.compress(b"y" * size, 1) for _ in range(2000)) + gzip.compress(b'"}]}')
    reading = decoder(record=16 * MIB)
    looked_through = 0
    splitter = reading._splitter
    gather = splitter._gather

    def counting() -> None:
        nonlocal looked_through
        gather()
        looked_through += len(splitter._buffer)

    splitter._gather = counting  # type: ignore[method-assign]  # the work is counted, not the time

    reading.feed(body)

    assert len(reading.finish()) == 1
    assert looked_through < 10 * reading.json_bytes


def test_a_literal_may_be_a_part_of_a_value() -> None:
    prefilter = Prefilter([Literal("aws-control-tower", whole=False)])
    reading = decoder(prefilter)
    guarded = {"eventName": "X", "tag": "AWS-control-tower-guardrail"}
    reading.feed(log_file(ordinary(1), guarded))

    assert reading.finish() == [guarded]
