"""What is done to the log files themselves, by data events of their bucket."""

from typing import Any

import pytest

from stream.alert import Resource
from tests.detect.test_watch import LOG_KEY, LOGS, alerts, told


@pytest.mark.parametrize(
    "event",
    [
        "DeleteObject",
        "PutObject",
        "CopyObject",
        "PostObject",
        "CompleteMultipartUpload",
        "RenameObject",
        "UpdateObjectEncryption",
    ],
)
def test_a_log_file_that_is_deleted_or_overwritten_is_told(event: str) -> None:
    (alert,) = alerts("s3", event, LOGS | {"key": LOG_KEY})

    assert alert.severity == "critical"
    assert alert.resources == (Resource("AWS::S3::Object", f"arn:aws:s3:::trail-logs/{LOG_KEY}", protected=True),)
    assert told("s3", event, LOGS | {"key": "report.pdf"}) is None


def test_a_log_file_that_is_moved_away_is_told() -> None:
    for source in ("/" + LOG_KEY, LOG_KEY.replace("/", "%2F")):
        found = told("s3", "RenameObject", LOGS | {"key": "report.pdf", "x-amz-rename-source": source})
        assert found == ("critical", "a log file is no longer where its service wrote it.")


@pytest.mark.parametrize(
    ("event", "more", "severity", "words"),
    [
        ("PutObjectLegalHold", {"LegalHold": {"Status": "OFF"}}, "high", "nothing holds it any more"),
        ("PutObjectLegalHold", {"legal-hold": ""}, "high", "its hold was changed, and may be gone"),
        ("PutObjectLegalHold", {"LegalHold": {"Status": "ON"}}, "informational", "nothing is known"),
        ("PutObjectAcl", {"x-amz-acl": ["public-read"]}, "high", "everybody"),
        ("PutObjectAcl", {"x-amz-grant-read": ["id=1"]}, "medium", "other accounts"),
    ],
)
def test_what_holds_a_log_file_and_who_may_read_it(event: str, more: dict[str, Any], severity: str, words: str) -> None:
    ours = told("s3", event, LOGS | {"key": LOG_KEY} | more)

    assert ours is not None
    assert ours[0] == severity
    assert words in ours[1]
    assert told("s3", event, LOGS | {"key": "report.pdf"} | more) is None


def test_what_a_service_writes_itself_is_not_told() -> None:
    service = {"type": "AWSService", "invokedBy": "cloudtrail.amazonaws.com"}

    assert told("s3", "PutObject", LOGS | {"key": LOG_KEY}, userIdentity=service) is None
    assert told("s3", "GetObject", LOGS | {"key": LOG_KEY}) is None
