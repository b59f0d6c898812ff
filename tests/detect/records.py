"""CloudTrail records to test with, as CloudTrail would write them."""

from typing import Any, Final

from stream.alert import Alert, LogFile
from stream.detect.detector import Detector
from stream.detect.rules import RuleSet
from stream.detect.surroundings import Surroundings

ACCOUNT: Final = "111122223333"
OTHER_ACCOUNT: Final = "999988887777"
TRAIL: Final = f"arn:aws:cloudtrail:us-east-1:{ACCOUNT}:trail/main"
EVENT_DATA_STORE: Final = f"arn:aws:cloudtrail:us-east-1:{ACCOUNT}:eventdatastore/7f4d2f0c"
LOG_FILE: Final = LogFile("trail-logs", f"logs/AWSLogs/{ACCOUNT}/CloudTrail/us-east-1/2025/01/02/log.json.gz")
TOPIC: Final = f"arn:aws:sns:us-east-1:{ACCOUNT}:trail-topic"
CT_013: Final = RuleSet.load(["ct-013"], [])

ROLE: Final[dict[str, Any]] = {
    "type": "AssumedRole",
    "principalId": "AROAEXAMPLE:ci",
    "arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/deploy/ci",
    "accountId": ACCOUNT,
    "accessKeyId": "ASIAEXAMPLE",
    "sessionContext": {
        "sessionIssuer": {"type": "Role", "userName": "deploy", "accountId": ACCOUNT},
        "attributes": {"creationDate": "2025-01-02T03:00:00Z", "mfaAuthenticated": "false"},
    },
}
ROOT: Final[dict[str, Any]] = {"type": "Root", "arn": f"arn:aws:iam::{ACCOUNT}:root", "accountId": ACCOUNT}
DENIED_BY_SCP: Final[dict[str, Any]] = {
    "errorCode": "AccessDenied",
    "errorMessage": f"User: arn:aws:sts::{ACCOUNT}:assumed-role/deploy/ci is not authorized to perform: "
    f"cloudtrail:StopLogging on resource: {TRAIL} with an explicit deny in a service control policy",
}


def record(event_name: str, parameters: Any = None, **fields: Any) -> dict[str, Any]:
    """A record of one of CloudTrail's own operations, made by a role."""
    return {
        "eventVersion": "1.11",
        "userIdentity": ROLE,
        "eventTime": "2025-01-02T03:04:05Z",
        "eventSource": "cloudtrail.amazonaws.com",
        "eventName": event_name,
        "awsRegion": "us-east-1",
        "sourceIPAddress": "192.0.2.7",
        "userAgent": "aws-cli/2.22.0",
        "requestParameters": parameters,
        "responseElements": None,
        "eventID": "0f8c1a52-3f51-4a2b-9c1d-000000000001",
        "readOnly": False,
        "eventType": "AwsApiCall",
        "managementEvent": True,
        "recipientAccountId": ACCOUNT,
        "eventCategory": "Management",
        **fields,
    }


def alert_of(
    one: dict[str, Any],
    *,
    log_file: LogFile | None = LOG_FILE,
    topic_arn: str | None = None,
    buckets: tuple[str, ...] = ("trail-*",),
    log_buckets: tuple[str, ...] = (),
) -> Alert:
    """The one alert that CT-013 gives of a record."""
    around = Surroundings(buckets=buckets, log_buckets=log_buckets)
    detector = Detector(CT_013, lambda: around)
    (alert,) = detector.alerts(one, provenance="log_file", log_file=log_file, topic_arn=topic_arn)
    return alert
