"""A call for each row of the table of CloudTrail's eight changes, and the severity that an analyst gives it."""

from dataclasses import dataclass, field
from typing import Any, Final

from stream.severity import Severity
from tests.detect.records import ACCOUNT, DENIED_BY_SCP, OTHER_ACCOUNT, ROLE, ROOT, TOPIC, TRAIL, record

KEY: Final = f"arn:aws:kms:us-east-1:{ACCOUNT}:key/1234"
THEIR_KEY: Final = f"arn:aws:kms:us-east-1:{OTHER_ACCOUNT}:key/1234"
STRONG: Final[dict[str, Any]] = {
    "name": "main",
    "s3BucketName": "trail-logs",
    "s3KeyPrefix": "logs",
    "isMultiRegionTrail": True,
    "enableLogFileValidation": True,
    "includeGlobalServiceEvents": True,
    "kmsKeyId": KEY,
}
STATE: Final = {"trailARN": TRAIL, "logFileValidationEnabled": True, "kmsKeyId": KEY}
SOMEBODY_ELSE: Final = {"type": "IAMUser", "userName": "alice", "principalId": "AIDAEXAMPLE", "accountId": ACCOUNT}


@dataclass(frozen=True, slots=True)
class Row:
    """A call, and what is said of it.

    Attributes:
        record: of the call.
        severity: of its alert.
        protected: what is; empty: every trail.
        topic: that the notification came through.
        before: records that the ledger knows of already.
    """

    record: dict[str, Any]
    severity: Severity
    protected: tuple[str, ...] = ()
    topic: str | None = None
    before: tuple[dict[str, Any], ...] = field(default=())


SECONDARY: Final = ("another",)
"""What is protected where the trail `main` is not: the main record goes on."""


def named(operation: str, name: str = "main", **fields: Any) -> dict[str, Any]:
    return record(operation, {"name": name}, **fields)


def create(**changes: Any) -> dict[str, Any]:
    sent = {name: value for name, value in (STRONG | changes).items() if value is not None}
    state = STATE if "kmsKeyId" in sent else {"trailARN": TRAIL, "logFileValidationEnabled": True}
    return record("CreateTrail", sent, responseElements=state)


def update(response: dict[str, Any] | None = None, **sent: Any) -> dict[str, Any]:
    state = STATE if response is None else response
    return record("UpdateTrail", {"name": "main", **sent}, responseElements={**state, **sent})


def basic(*selectors: dict[str, Any]) -> dict[str, Any]:
    return record("PutEventSelectors", {"trailName": "main", "eventSelectors": list(selectors)})


def advanced(*selectors: dict[str, Any]) -> dict[str, Any]:
    """Each selector as its fields: `{"eventCategory": {"equals": ["Management"]}}`."""
    listed = [
        {"fieldSelectors": [{"field": name, **operators} for name, operators in each.items()]} for each in selectors
    ]
    return record("PutEventSelectors", {"trailName": "main", "advancedEventSelectors": listed})


def earlier(one: dict[str, Any]) -> dict[str, Any]:
    return one | {"eventTime": "2025-01-01T00:00:00Z"}


def tagged(operation: str, key: str, resource: str = TRAIL) -> dict[str, Any]:
    return record(operation, {"resourceId": resource, "tagsList": [{"key": key, "value": "v"}]})


MANAGEMENT: Final = {"eventCategory": {"equals": ["Management"]}}
DATA: Final = {"eventCategory": {"equals": ["Data"]}, "resources.type": {"equals": ["AWS::S3::Object"]}}
EVERY_OBJECT: Final = {"type": "AWS::S3::Object", "values": ["arn:aws:s3"]}
ONE_BUCKET: Final = {"type": "AWS::S3::Object", "values": ["arn:aws:s3:::shop/"]}
OTHER_BUCKET: Final = {"type": "AWS::S3::Object", "values": ["arn:aws:s3:::stock/"]}
FAILED: Final = {"errorCode": "TrailNotFoundException", "errorMessage": "Unknown trail: main"}
DENIED: Final = {
    "errorCode": "AccessDenied",
    "errorMessage": "not authorized, because no identity-based policy allows it",
}

ROWS: Final[dict[str, Row]] = {
    "stop": Row(named("StopLogging"), "critical"),
    "stop-secondary": Row(named("StopLogging"), "medium", protected=SECONDARY),
    "stop-again": Row(
        named("StopLogging"), "critical", before=(named("StopLogging", eventTime="2025-01-02T03:00:00Z"),)
    ),
    "start-after-a-gap": Row(
        named("StartLogging"), "high", before=(named("StopLogging", eventTime="2025-01-02T03:03:25Z"),)
    ),
    "start-after-a-gap-secondary": Row(
        named("StartLogging"),
        "low",
        protected=SECONDARY,
        before=(named("StopLogging", eventTime="2025-01-02T03:03:25Z"),),
    ),
    "start": Row(named("StartLogging"), "informational"),
    "delete": Row(named("DeleteTrail"), "critical"),
    "delete-secondary": Row(named("DeleteTrail"), "medium", protected=SECONDARY),
    "create-organisation-elsewhere": Row(create(isOrganizationTrail=True, s3BucketName="elsewhere"), "critical"),
    "create-elsewhere": Row(create(s3BucketName="elsewhere"), "high"),
    "create-one-region": Row(create(isMultiRegionTrail=False), "low"),
    "create-without-validation": Row(create(enableLogFileValidation=False), "low"),
    "create-without-key": Row(create(kmsKeyId=None), "low"),
    "create-strong": Row(create(), "informational"),
    "update-not-organisation": Row(update(isOrganizationTrail=False), "critical"),
    "update-bucket-elsewhere": Row(update(s3BucketName="elsewhere"), "critical"),
    "update-one-region": Row(update(isMultiRegionTrail=False), "critical"),
    "update-one-region-secondary": Row(update(isMultiRegionTrail=False), "medium", protected=SECONDARY),
    "update-prefix": Row(update(s3KeyPrefix="other"), "high"),
    "update-key-of-another-account": Row(update(kmsKeyId=THEIR_KEY), "high"),
    "update-no-key": Row(update(kmsKeyId=""), "medium"),
    "update-no-validation": Row(update(enableLogFileValidation=False), "high"),
    "update-no-global-events": Row(update(includeGlobalServiceEvents=False), "high"),
    "update-no-log-group": Row(update(cloudWatchLogsLogGroupArn=""), "high"),
    "update-another-log-group": Row(
        update(cloudWatchLogsLogGroupArn=f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group:other:*"), "high"
    ),
    "update-no-topic-that-we-hear": Row(update(snsTopicName=""), "high", topic=TOPIC),
    "update-another-topic-than-we-hear": Row(update(snsTopicName="other"), "high", topic=TOPIC),
    "update-no-topic": Row(update(snsTopicName=""), "low"),
    "update-hides-deliveries": Row(update(recursiveLogging=False), "low"),
    "update-strengthens": Row(update(isMultiRegionTrail=True, enableLogFileValidation=True), "informational"),
    "update-equals": Row(update(s3BucketName="trail-logs", s3KeyPrefix="logs"), "informational"),
    "select-no-management": Row(basic({"includeManagementEvents": False, "dataResources": [EVERY_OBJECT]}), "critical"),
    "select-no-management-advanced": Row(advanced(DATA), "critical"),
    "select-read-only": Row(basic({"readWriteType": "ReadOnly"}), "critical"),
    "select-read-only-advanced": Row(advanced(MANAGEMENT | {"readOnly": {"equals": ["true"]}}), "critical"),
    "select-write-only": Row(basic({"readWriteType": "WriteOnly"}), "medium"),
    "select-write-only-advanced": Row(advanced(MANAGEMENT | {"readOnly": {"equals": ["false"]}}), "medium"),
    "select-without-kms": Row(basic({"excludeManagementEventSources": ["kms.amazonaws.com"]}), "high"),
    "select-without-kms-advanced": Row(
        advanced(MANAGEMENT | {"eventSource": {"notEquals": ["kms.amazonaws.com"]}}), "high"
    ),
    "select-without-rdsdata": Row(basic({"excludeManagementEventSources": ["rdsdata.amazonaws.com"]}), "low"),
    "select-one-bucket": Row(basic({"dataResources": [ONE_BUCKET]}), "informational"),
    "select-one-bucket-of-two": Row(
        basic({"dataResources": [ONE_BUCKET]}),
        "medium",
        before=(earlier(basic({"dataResources": [ONE_BUCKET, OTHER_BUCKET]})),),
    ),
    "select-not-the-log-bucket": Row(
        basic({"dataResources": [ONE_BUCKET]}),
        "high",
        before=(earlier(basic({"dataResources": [EVERY_OBJECT]})),),
    ),
    "select-no-data": Row(basic({}), "medium", before=(earlier(basic({"dataResources": [ONE_BUCKET]})),)),
    "select-more-buckets": Row(
        basic({"dataResources": [EVERY_OBJECT]}),
        "informational",
        before=(earlier(basic({"dataResources": [ONE_BUCKET, OTHER_BUCKET]})),),
    ),
    "select-everything": Row(
        basic({"readWriteType": "ReadOnly"}, {"readWriteType": "WriteOnly", "dataResources": [EVERY_OBJECT]}),
        "informational",
    ),
    "tag-guarding": Row(tagged("AddTags", "aws-control-tower"), "medium"),
    "tag-guarding-secondary": Row(tagged("AddTags", "aws-control-tower"), "informational", protected=SECONDARY),
    "tag-other": Row(tagged("AddTags", "cost-centre"), "informational"),
    "untag-guarding": Row(tagged("RemoveTags", "aws-control-tower"), "high"),
    "untag-other": Row(tagged("RemoveTags", "cost-centre"), "informational"),
    "denied": Row(named("StopLogging", **DENIED), "medium"),
    "denied-by-scp": Row(named("StopLogging", **DENIED_BY_SCP), "medium"),
    "denied-secondary": Row(named("StopLogging", **DENIED), "low", protected=SECONDARY),
    "denied-secondary-person": Row(
        named("StopLogging", userIdentity=SOMEBODY_ELSE, **DENIED), "medium", protected=SECONDARY
    ),
    "failed": Row(named("StopLogging", **FAILED), "low"),
    "root": Row(update(enableLogFileValidation=False) | {"userIdentity": ROOT}, "critical"),
    "assumed-root": Row(
        update(enableLogFileValidation=False)
        | {"userIdentity": ROLE | {"sessionContext": ROLE["sessionContext"] | {"assumedRoot": "true"}}},
        "critical",
    ),
    "another-account": Row(
        update(enableLogFileValidation=False) | {"userIdentity": ROLE | {"accountId": OTHER_ACCOUNT}}, "critical"
    ),
    "by-a-service": Row(
        named("StopLogging", userIdentity=ROLE | {"invokedBy": "cloudformation.amazonaws.com"}), "critical"
    ),
    "omitted": Row(record("UpdateTrail", {"omitted": True, "originalSize": 200_000}), "high"),
}
