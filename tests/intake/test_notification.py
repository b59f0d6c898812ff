"""Every body that a queue message may have, told apart by shape; poison is the only error."""

import json
from typing import Any

import pytest

from stream.errors import PoisonMessage
from stream.intake.notification import Notification, ObjectRef, parse
from tests.intake.bodies import (
    DIGEST,
    FOLDER,
    INLINE,
    KEY,
    RECORD,
    TOPIC,
    VALIDATION,
    eventbridge,
    in_sns,
    s3_entry,
    s3_event,
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
        json.dumps({"s3Bucket": "b", "s3ObjectKey": "k", "messageType": "ConfigurationHistoryDeliveryCompleted"}),
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


# More than anybody announces


@pytest.mark.parametrize(
    "announcing",
    [
        lambda number: {"Records": [s3_entry()] * number},
        lambda number: {"Records": [s3_entry(event="ObjectRemoved:Delete")] * number},
        lambda number: {"s3Bucket": "trail-bucket", "s3ObjectKey": [KEY] * number},
    ],
    ids=["s3", "s3_skipped", "cloudtrail"],
)
@pytest.mark.parametrize("wrap", [in_sns, str])
def test_a_message_of_more_than_a_thousand_objects_is_poison_before_any_is_read(announcing: Any, wrap: Any) -> None:
    notification = parse(wrap(json.dumps(announcing(1000))))
    assert len(notification.objects) + len(notification.skipped) == 1000
    with pytest.raises(PoisonMessage, match=r"^more than 1,000 objects in one message$"):
        parse(wrap(json.dumps(announcing(1001))))


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
