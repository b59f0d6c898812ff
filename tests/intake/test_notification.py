"""Every body that a queue message may have, told apart by shape; poison is the only error."""

import json
import string
from typing import Any
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.errors import PoisonMessage
from stream.intake.notification import Notification, ObjectRef, parse
from stream.metrics import ENVELOPES, SKIP_REASONS

TOPIC = "arn:aws:sns:eu-west-1:111122223333:trail"
FOLDER = "AWSLogs/111122223333/CloudTrail/eu-west-1/2026/03/01/"
KEY = f"{FOLDER}111122223333_CloudTrail_eu-west-1_20260301T0005Z_Mu0KsOhtH1ar15ZZ.json.gz"
DIGEST = KEY.replace("/CloudTrail/", "/CloudTrail-Digest/")
VALIDATION = "CloudTrail validation message."


def s3_entry(key: str = KEY, *, event: str = "ObjectCreated:Put", **item: Any) -> dict[str, Any]:
    return {
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "awsRegion": "eu-west-1",
        "eventTime": "2026-03-01T00:05:00.000Z",
        "eventName": event,
        "s3": {
            "s3SchemaVersion": "1.0",
            "bucket": {"name": "trail-bucket", "arn": "arn:aws:s3:::trail-bucket"},
            "object": {"key": quote_plus(key, safe="/"), "size": 4096, "eTag": "e", "sequencer": "0C"} | item,
        },
    }


def s3_event(*entries: dict[str, Any]) -> str:
    return json.dumps({"Records": list(entries or (s3_entry(),))})


def eventbridge(
    key: str = KEY, *, detail_type: str = "Object Created", source: str = "aws.s3", **item: Any
) -> dict[str, Any]:
    return {
        "version": "0",
        "id": "17793124-05d4-b198-2fde-7ededc63b103",
        "detail-type": detail_type,
        "source": source,
        "account": "111122223333",
        "time": "2026-03-01T00:05:00Z",
        "region": "ca-central-1",
        "resources": ["arn:aws:s3:::trail-bucket"],
        "detail": {
            "version": "0",
            "bucket": {"name": "trail-bucket"},
            "object": {"key": key, "size": 5, "etag": "e", "sequencer": "61"} | item,
            "reason": "PutObject",
        },
    }


def in_sns(message: str, **fields: Any) -> str:
    return json.dumps(
        {"Type": "Notification", "MessageId": "m", "TopicArn": TOPIC, "Message": message, "Timestamp": "t"} | fields
    )


RECORD = {"eventVersion": "1.11", "eventName": "StopLogging", "eventSource": "cloudtrail.amazonaws.com"}
INLINE = json.dumps(
    {
        "version": "0",
        "detail-type": "AWS API Call via CloudTrail",
        "source": "aws.cloudtrail",
        "region": "eu-west-1",
        "detail": RECORD,
    }
)


# Object created, by every route


def test_an_s3_event_names_the_log_file() -> None:
    assert parse(s3_event()) == Notification(
        "s3", objects=(ObjectRef("trail-bucket", KEY, None, "eu-west-1", 4096, "111122223333"),)
    )


def test_bytes_are_understood_like_text() -> None:
    assert parse(s3_event().encode()) == parse(s3_event())


def test_an_s3_event_in_an_sns_envelope_names_its_topic_too() -> None:
    notification = parse(in_sns(s3_event()))
    assert (notification.envelope, notification.topic_arn) == ("sns_s3", TOPIC)
    assert notification.objects == parse(s3_event()).objects


def test_an_envelope_without_a_topic_is_an_envelope_all_the_same() -> None:
    body = json.dumps({"Type": "Notification", "Message": s3_event()})
    assert (parse(body).envelope, parse(body).topic_arn) == ("sns_s3", None)


def test_an_eventbridge_event_names_the_log_file() -> None:
    assert parse(json.dumps(eventbridge())) == Notification(
        "eventbridge", objects=(ObjectRef("trail-bucket", KEY, None, "ca-central-1", 5, "111122223333"),)
    )


def test_an_eventbridge_event_in_an_sns_envelope() -> None:
    notification = parse(in_sns(json.dumps(eventbridge())))
    assert (notification.envelope, notification.topic_arn) == ("sns_eventbridge", TOPIC)
    assert [ref.key for ref in notification.objects] == [KEY]


@pytest.mark.parametrize("wrap", [in_sns, str])
def test_cloudtrails_own_message_names_several_log_files_and_no_region(wrap: Any) -> None:
    keys = [f"{FOLDER}{name}.json.gz" for name in ("a", "b+c", "d%20e")]
    notification = parse(wrap(json.dumps({"s3Bucket": "trail-bucket", "s3ObjectKey": keys})))
    assert notification.envelope == "cloudtrail_sns"
    assert notification.objects == tuple(
        ObjectRef("trail-bucket", key, None, None, None, "111122223333") for key in keys
    )


def test_envelopes_are_taken_off_twice_and_the_outermost_topic_counts() -> None:
    notification = parse(in_sns(in_sns(s3_event(), TopicArn="arn:aws:sns:eu-west-1:111122223333:inner")))
    assert (notification.envelope, notification.topic_arn) == ("sns_s3", TOPIC)
    with pytest.raises(PoisonMessage):
        parse(in_sns(in_sns(in_sns(s3_event()))))


# The record itself


@pytest.mark.parametrize(
    "detail_type",
    [
        "AWS API Call via CloudTrail",
        "AWS Console Sign In via CloudTrail",
        "AWS Service Event via CloudTrail",
        "AWS Console Action via CloudTrail",
    ],
)
@pytest.mark.parametrize("source", ["aws.cloudtrail", "aws.s3", "aws.signin"])
def test_an_event_via_cloudtrail_is_the_record_itself(detail_type: str, source: str) -> None:
    body = json.dumps({"detail-type": detail_type, "source": source, "detail": RECORD})
    assert parse(body) == Notification("inline", record=RECORD)
    assert parse(in_sns(body)) == Notification("inline", record=RECORD, topic_arn=TOPIC)


def test_a_record_with_half_a_surrogate_pair_is_not_lost() -> None:
    body = INLINE.replace("StopLogging", r"StopLogging\ud800")
    assert parse(body).record == RECORD | {"eventName": "StopLogging\ud800"}


def test_what_others_may_put_on_an_event_bus_is_no_event_of_aws() -> None:
    for forged in (eventbridge(source="my.app"), eventbridge(source="awsx.s3"), eventbridge(source="aws.ec2")):
        with pytest.raises(PoisonMessage):
            parse(json.dumps(forged))
    with pytest.raises(PoisonMessage):
        parse(INLINE.replace("aws.cloudtrail", "my.app"))


# Nothing to do


@pytest.mark.parametrize(
    "body",
    [
        json.dumps({"Service": "Amazon S3", "Event": "s3:TestEvent", "Time": "t", "Bucket": "b", "RequestId": "r"}),
        VALIDATION,
        f"{VALIDATION}\n",
    ],
)
def test_test_messages_need_nothing_done(body: str) -> None:
    assert parse(body) == Notification("test")
    assert parse(in_sns(body)) == Notification("test", topic_arn=TOPIC)


@pytest.mark.parametrize("kind", ["SubscriptionConfirmation", "UnsubscribeConfirmation"])
def test_confirmations_of_subscriptions_need_nothing_done(kind: str) -> None:
    body = in_sns("You have chosen to subscribe …", Type=kind, Token="t", SubscribeURL="https://sns.example/")
    assert parse(body).envelope == "test"


@pytest.mark.parametrize(
    "message",
    [
        json.dumps({"configurationItem": {}, "messageType": "ConfigurationItemChangeNotification"}),
        json.dumps({"detail-type": "Config Rules Compliance Change", "source": "aws.config", "detail": {}}),
        "any text at all",
        "{broken",
        "",
        "[]",
        "null",
        "17",
        json.dumps([s3_event()]),
    ],
)
def test_a_shared_topic_carries_what_is_unrelated(message: str) -> None:
    assert parse(in_sns(message)) == Notification("unrelated", topic_arn=TOPIC)
    with pytest.raises(PoisonMessage):  # without the envelope nobody has a reason to send it
        parse(message)


# Skipped objects


@pytest.mark.parametrize(
    "event", ["ObjectRemoved:Delete", "ObjectRestore:Completed", "ReducedRedundancyLostObject", "ObjectCreatedish"]
)
def test_other_events_of_s3_are_skipped(event: str) -> None:
    assert parse(s3_event(s3_entry(event=event))) == Notification("s3", skipped=(("trail-bucket", KEY, "not_created"),))


@pytest.mark.parametrize("detail_type", ["Object Deleted", "Object Annotation Created", "Object Restore Completed"])
def test_other_events_of_s3_by_eventbridge_are_skipped(detail_type: str) -> None:
    assert parse(json.dumps(eventbridge(detail_type=detail_type))) == Notification(
        "eventbridge", skipped=(("trail-bucket", KEY, "not_created"),)
    )


@pytest.mark.parametrize("event", ["ObjectCreated:Put", "ObjectCreated:Copy", "s3:ObjectCreated:Post"])
def test_every_way_to_create_an_object_counts(event: str) -> None:
    assert [ref.key for ref in parse(s3_event(s3_entry(event=event))).objects] == [KEY]


def test_a_mixed_message_is_sorted_entry_by_entry() -> None:
    notification = parse(
        s3_event(s3_entry(DIGEST), s3_entry(), s3_entry("other.txt"), s3_entry(event="ObjectRemoved:Delete"))
    )
    assert [ref.key for ref in notification.objects] == [KEY]
    assert notification.skipped == (
        ("trail-bucket", DIGEST, "digest"),
        ("trail-bucket", "other.txt", "not_a_log_file"),
        ("trail-bucket", KEY, "not_created"),
    )


# Keys, versions, regions


@pytest.mark.parametrize("name", ["a+b", "a b", "a%20b", "a%2Bb", "a%", "日本語", "é", "a&b=c;d", "%zz", "a'\"<>"])
def test_keys_are_decoded_where_they_were_encoded_and_only_there(name: str) -> None:
    key = f"{FOLDER}{name}.json.gz"
    assert parse(s3_event(s3_entry(key))).objects[0].key == key
    assert parse(json.dumps(eventbridge(key))).objects[0].key == key
    own = json.dumps({"s3Bucket": "trail-bucket", "s3ObjectKey": [key]})
    assert parse(own).objects[0].key == key


def test_the_version_announced_is_the_version_meant() -> None:
    assert parse(s3_event(s3_entry(versionId="v1"))).objects[0].version_id == "v1"
    assert parse(json.dumps(eventbridge(**{"version-id": "v2"}))).objects[0].version_id == "v2"


@pytest.mark.parametrize("version", ["null", "", None])
def test_no_version_is_no_version_however_it_is_spelt(version: str | None) -> None:
    assert parse(s3_event(s3_entry(versionId=version))).objects[0].version_id is None


@pytest.mark.parametrize("region", ["evil.example/", "EU-WEST-1", "", "a" * 33, 7, None, "eu-west-1\n"])
def test_a_region_that_could_not_be_one_is_none(region: object) -> None:
    assert parse(s3_event(s3_entry() | {"awsRegion": region})).objects[0].region is None


# Poison


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
    entries = [s3_entry(f"{FOLDER}{number}.json.gz") for number in range(2500)]
    body = s3_event(*entries)
    assert 900_000 < len(body) < 1_048_576
    assert len(parse(body).objects) == 2500


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
