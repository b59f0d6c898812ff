"""Poison: whatever is malformed, or none of the bodies known, is a `PoisonMessage` and no other error."""

import json
import string
from typing import Any
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.errors import PoisonMessage
from stream.intake.notification import parse
from stream.metrics import ENVELOPES, SKIP_REASONS
from tests.intake.bodies import (
    FOLDER,
    INLINE,
    KEY,
    RECORD,
    eventbridge,
    in_sns,
    s3_entry,
    s3_event,
)


def without(path: str, body: dict[str, Any]) -> dict[str, Any]:
    *parents, last = path.split(".")
    copy: dict[str, Any] = json.loads(json.dumps(body))
    inner = copy
    for parent in parents:
        inner = inner[parent]
    del inner[last]
    return copy


MALFORMED: list[Any] = [
    {"Records": []},
    {"Records": {}},
    {"Records": None},
    {"Records": [None]},
    {"Records": ["text"]},
    # A Lambda function's events: they never are the body of a message.
    {"Records": [{"messageId": "m", "body": s3_event(), "eventSource": "aws:sqs"}]},
    {"Records": [{"EventSource": "aws:sns", "Sns": {"Type": "Notification", "Message": s3_event()}}]},
    *(
        {"Records": [without(path, s3_entry())]}
        for path in ("s3", "s3.bucket", "s3.bucket.name", "s3.object", "s3.object.key", "eventName")
    ),
    {"Records": [s3_entry() | {"s3": {"bucket": {"name": "b"}, "object": {"key": 5}}}]},
    {"Records": [s3_entry() | {"s3": {"bucket": {"name": ["b"]}, "object": {"key": KEY}}}]},
    {"Records": [s3_entry() | {"s3": {"bucket": {"name": "b/../c"}, "object": {"key": KEY}}}]},
    {"Records": [s3_entry() | {"s3": {"bucket": {"name": ""}, "object": {"key": KEY}}}]},
    {"Records": [s3_entry() | {"s3": {"bucket": {"name": "b"}, "object": {"key": ""}}}]},
    {"Records": [s3_entry() | {"s3": {"bucket": {"name": "b"}, "object": {"key": "%ff"}}}]},
    {"Records": [s3_entry() | {"s3": {"bucket": {"name": "b"}, "object": {"key": "k" * 1025}}}]},
    {"Records": [s3_entry(versionId=5)]},
    {"Records": [s3_entry(size="5")]},
    {"Records": [s3_entry(size=-1)]},
    {"Records": [s3_entry(size=True)]},
    {"Records": [s3_entry(), {}]},
    *(without(path, eventbridge()) for path in ("detail", "detail.bucket", "detail.object", "detail.object.key")),
    without("detail.object.key", eventbridge(detail_type="Object Deleted")),
    eventbridge() | {"detail": "text"},
    {"detail-type": "AWS API Call via CloudTrail", "source": "aws.cloudtrail", "detail": [RECORD]},
    {"detail-type": "AWS API Call via CloudTrail", "source": "aws.cloudtrail"},
    {"s3Bucket": "b", "s3ObjectKey": []},
    {"s3Bucket": "b", "s3ObjectKey": KEY},
    {"s3Bucket": "b", "s3ObjectKey": [KEY, 5]},
    {"s3Bucket": "b"},
    {"s3ObjectKey": [KEY]},
]


@pytest.mark.parametrize("document", MALFORMED, ids=range(len(MALFORMED)))
def test_a_malformed_body_is_poison_with_an_envelope_and_without(document: object) -> None:
    with pytest.raises(PoisonMessage):
        parse(json.dumps(document))
    with pytest.raises(PoisonMessage):
        parse(in_sns(json.dumps(document)))


@pytest.mark.parametrize(
    "body",
    [
        "",
        "text",
        "{}",
        "[]",
        "null",
        '"text"',
        '{"Type":"Notification"}',
        '{"Type":"Notification","Message":{}}',
        in_sns(s3_event(), TopicArn=7),
        '{"detail-type":"Object Created"}',
        b"\xff\xfe{}",
        b"\xef\xbb\xbf{}",
        b"\x1f\x8b\x08",
        "\ud800",
        '{"Records":' + "[" * 100_000 + "]" * 100_000 + "}",
        '{"a":' * 100_000,
        '{"Records":' + "9" * 5000 + "}",
        s3_event(s3_entry()).replace("CloudTrail/eu-west-1", r"\ud800"),
    ],
)
def test_anything_else_is_poison(body: str | bytes) -> None:
    with pytest.raises(PoisonMessage):
        parse(body)


@pytest.mark.parametrize("text", ['{"Records":' + "[" * 100_000 + "]" * 100_000 + "}", "9" * 5000])
def test_json_beyond_all_limits_is_poison_in_an_envelope_too(text: str) -> None:
    with pytest.raises(PoisonMessage):
        parse(in_sns(text))


def test_the_error_quotes_nothing_of_the_body() -> None:
    for document in MALFORMED:
        with pytest.raises(PoisonMessage) as raised:
            parse(json.dumps(document))
        assert KEY not in str(raised.value)
        assert len(str(raised.value)) < 60


def test_a_body_of_a_megabyte_is_read_whole() -> None:
    entries = [s3_entry(f"{FOLDER}{number}{'x' * 600}.json.gz") for number in range(1000)]
    body = s3_event(*entries)
    assert 900_000 < len(body) < 1_048_576
    assert len(parse(body).objects) == 1000


# Whatever comes in

FIELDS = (
    "Records", "s3", "bucket", "name", "object", "key", "eventName", "versionId", "size", "awsRegion", "Type",
    "Message", "TopicArn", "Event", "detail-type", "source", "detail", "region", "s3Bucket", "s3ObjectKey",
)  # fmt: skip

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(exclude_categories=[])),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(FIELDS) | st.text(max_size=5),
            inner,
            max_size=5,
        )
    ),
    max_leaves=20,
)


def check(body: str | bytes) -> None:
    try:
        notification = parse(body)
    except PoisonMessage:
        return
    assert notification.envelope in ENVELOPES
    assert (notification.record is not None) == (notification.envelope == "inline")
    assert all(reason in SKIP_REASONS for _, _, reason in notification.skipped)


@given(st.text() | st.text(st.characters(exclude_categories=[])) | st.binary())
def test_no_text_and_no_bytes_raise_anything_but_poison(body: str | bytes) -> None:
    check(body)
    if isinstance(body, str):
        check(in_sns(body))


@given(json_values)
def test_no_json_raises_anything_but_poison(value: object) -> None:
    check(json.dumps(value))
    check(in_sns(json.dumps(value)))


@given(st.data())
def test_no_damage_to_a_good_body_raises_anything_but_poison(data: st.DataObject) -> None:
    good = data.draw(
        st.sampled_from([s3_event(), json.dumps(eventbridge()), INLINE, in_sns(s3_event()), in_sns(INLINE)])
    )
    start = data.draw(st.integers(0, len(good)))
    end = data.draw(st.integers(start, min(len(good), start + 20)))
    check(good[:start] + data.draw(st.text(string.printable, max_size=5)) + good[end:])


names = st.text(st.characters(codec="utf-8", exclude_characters="/"), min_size=1, max_size=100)


@given(names, st.booleans())
def test_every_key_survives_its_url_encoding(name: str, plus: bool) -> None:
    key = f"{FOLDER}{name}.json.gz"
    entry = s3_entry()
    entry["s3"]["object"]["key"] = quote_plus(key) if plus else quote(key)
    assert parse(s3_event(entry)).objects[0].key == key


@given(names)
def test_every_key_survives_where_it_is_not_encoded(name: str) -> None:
    key = f"{FOLDER}{name}.json.gz"
    assert parse(json.dumps(eventbridge(key))).objects[0].key == key
    assert parse(json.dumps({"s3Bucket": "b", "s3ObjectKey": [key]})).objects[0].key == key
