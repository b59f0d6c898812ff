"""Of what a bucket announces, what reaches the reader; of what it lets expire, what may be log files."""

from dataclasses import replace
from typing import Any, Final

import pytest

from stream.alert import LogFile
from stream.detect.surroundings import Surroundings
from tests.detect.records import ACCOUNT, LOG_FILE
from tests.detect.test_watch import LOGS, OURS, QUEUE_ARN, told

TO_US: Final = {"Queue": QUEUE_ARN, "Event": "s3:ObjectCreated:*"}


def only(**more: Any) -> dict[str, Any]:
    """Our queue alone is told, but not of everything."""
    return LOGS | {"NotificationConfiguration": {"QueueConfiguration": TO_US | more}}


def keys(name: str, value: str) -> dict[str, Any]:
    return {"S3Key": {"FilterRule": {"Name": name, "Value": value}}}


@pytest.mark.parametrize(
    ("events", "severity"),
    [
        ("s3:ObjectCreated:Put", "informational"),
        (["s3:ObjectCreated:Copy", "s3:ObjectCreated:*"], "informational"),
        ("s3:ObjectCreated:Copy", "critical"),
        (["s3:ObjectCreated:CompleteMultipartUpload", "s3:ObjectCreated:Post"], "critical"),
    ],
)
def test_cloudtrail_puts_its_files_and_of_nothing_else_word_is_needed(events: Any, severity: str) -> None:
    found = told("s3", "PutBucketNotification", only(Event=events))

    assert found is not None
    assert found[0] == severity


@pytest.mark.parametrize(
    ("name", "value", "severity", "inline"),
    [
        ("prefix", "", "informational", "informational"),
        ("prefix", "logs/AWSL", "informational", "high"),
        ("prefix", "logs/AWSLogs/1111", "informational", "informational"),
        ("prefix", f"logs/AWSLogs/o-a1b2/{ACCOUNT}/CloudTrail/", "informational", "informational"),
        ("Prefix", f"logs/AWSLogs/{ACCOUNT}/CloudTrail/us-east-1/", "informational", "informational"),
        ("prefix", "logs/AWSLogs/000000000000/", "critical", "informational"),
        ("prefix", f"logs/AWSLogs/{ACCOUNT}/CloudTrail-Digest/", "critical", "critical"),
        ("prefix", "nowhere/", "critical", "high"),
        ("suffix", ".gz", "informational", "informational"),
        ("suffix", ".txt", "critical", "critical"),
    ],
)
def test_a_filter_that_log_files_do_not_pass_blinds_us(name: str, value: str, severity: str, inline: str) -> None:
    parameters = only(Filter=keys(name, value))
    found, unplaced = (told("s3", "PutBucketNotification", parameters, log_file=each) for each in (LOG_FILE, None))

    assert found is not None
    assert found[0] == severity
    assert unplaced is not None
    assert unplaced[0] == inline


@pytest.mark.parametrize(
    ("envelope", "severity"),
    [
        ("s3", "critical"),
        ("sns_s3", "critical"),
        ("eventbridge", "informational"),
        ("sns_eventbridge", "informational"),
        ("cloudtrail_sns", "informational"),
        (None, "informational"),
    ],
)
def test_eventbridge_is_of_no_use_to_who_stands_on_a_queue_of_s3s(envelope: str | None, severity: str) -> None:
    bridge: dict[str, Any] = {"EventBridgeConfiguration": ""}
    alone, beside, other = (
        told("s3", "PutBucketNotification", bucket | {"NotificationConfiguration": each}, envelope=envelope)
        for bucket, each in (
            (LOGS, bridge),
            (LOGS, bridge | {"QueueConfiguration": TO_US}),
            ({"bucketName": "trail-more"}, bridge),
        )
    )

    assert alone is not None
    assert alone[0] == severity
    assert ("to EventBridge alone" in alone[1]) == (severity == "critical")
    assert beside is not None
    assert beside[0] == "informational"
    assert other is not None  # of which the record's own way tells nothing
    assert other[0] == "informational"


def test_where_log_files_lie_nobody_knows_a_rule_for_some_folder_may_be_for_theirs() -> None:
    expiring: dict[str, Any] = {"Status": "Enabled", "Filter": {"Prefix": "archive/"}, "Expiration": {"Days": 1}}
    parameters = {"bucketName": "trail-logs", "LifecycleConfiguration": {"Rule": expiring}}
    aside = LogFile("trail-more", LOG_FILE.key)

    for log_file in (None, aside):
        assert told("s3", "PutBucketLifecycle", parameters, log_file=log_file) == (
            "high",
            "files that may be log files under archive/ are deleted by themselves after 1 days.",
        )
    named = replace(OURS, buckets=("*",), log_buckets=("trail-logs",))
    assert told("s3", "PutBucketLifecycle", parameters, log_file=None, around=named) is not None
    assert told("s3", "PutBucketLifecycle", parameters) == (
        "informational",
        "nothing is known to be weaker than before.",
    )


def test_of_a_bucket_that_is_only_taken_for_one_of_log_files_no_folder_is_taken_for_theirs() -> None:
    expiring: dict[str, Any] = {"Status": "Enabled", "Prefix": "tmp/", "Expiration": {"Days": 1}}
    guessed = {"bucketName": "acme-cloudtrail", "LifecycleConfiguration": {"Rule": expiring}}

    assert told("s3", "PutBucketLifecycle", guessed, log_file=None, around=Surroundings()) is None
