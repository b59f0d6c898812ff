"""Every row of what blinds an audit trail beside the trail itself: each with the target looked at."""

import json
from dataclasses import replace
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream.alert import Alert, LogFile, Resource
from stream.detect.detector import Detector
from stream.detect.rules import RuleSet
from stream.detect.surroundings import Surroundings, role_of_session
from stream.detect.watch.guards import GUARDS
from stream.detect.watch.path import PATH
from stream.detect.watch.row import past
from stream.detect.watch.trail import TRAIL as TRAIL_ROWS
from tests.detect.records import ACCOUNT, DENIED_BY_SCP, LOG_FILE, OTHER_ACCOUNT, ROOT, TOPIC, TRAIL, record
from tests.detect.strategies import json_values, objects, texts

RULES: Final = RuleSet.load(["ct-013", "audit-trail", "own-path"], [])
EVERYTHING: Final = RuleSet.load(["ct-013", "audit-trail", "own-path", "cis"], [])
QUEUE: Final = f"https://sqs.us-east-1.amazonaws.com/{ACCOUNT}/files"
QUEUE_ARN: Final = f"arn:aws:sqs:us-east-1:{ACCOUNT}:files"
KEY: Final = "1234abcd-12ab-34cd-56ef-1234567890ab"
KEY_ARN: Final = f"arn:aws:kms:us-east-1:{ACCOUNT}:key/{KEY}"
ROLE_ARN: Final = f"arn:aws:iam::{ACCOUNT}:role/reader"
OURS: Final = Surroundings(
    buckets=("trail-*",),
    queues=(QUEUE, QUEUE_ARN, QUEUE_ARN + "-dead"),
    keys=(KEY_ARN,),
    roles=(ROLE_ARN,),
    tables=("sent",),
)
LOGS: Final = {"bucketName": "trail-logs"}
LOG_KEY: Final = f"logs/AWSLogs/{ACCOUNT}/CloudTrail/us-east-1/2025/01/02/log.json.gz"
ALLOW: Final = {"Effect": "Allow", "Principal": {"Service": "cloudtrail.amazonaws.com"}, "Action": "s3:PutObject"}
OMITTED: Final = (
    "what it changed is not known. Its parameters were too large for the record and are unknown: take them for the "
    "worst."
)
TLS_ONLY: Final = {
    "Effect": "Deny",
    "Principal": "*",
    "Action": "s3:*",
    "Condition": {"Bool": {"aws:SecureTransport": "false"}},
}
FOR_ALL: Final = {"Effect": "Allow", "Principal": "*", "Action": ["s3:GetObject", "s3:Put*"]}
SHUT: Final = {"Effect": "Deny", "Principal": "*", "Action": "s3:Put*", "Condition": {"StringNotEquals": {"a:b": "c"}}}


def alerts(
    source: str,
    event: str,
    parameters: Any = None,
    *,
    around: Surroundings = OURS,
    log_file: LogFile | None = LOG_FILE,
    topic_arn: str | None = TOPIC,
    envelope: str | None = None,
    rules: RuleSet = RULES,
    **fields: Any,
) -> list[Alert]:
    one = record(event, parameters, eventSource=f"{source}.amazonaws.com", **fields)
    return Detector(rules, lambda: around).alerts(
        one, provenance="log_file", log_file=log_file, topic_arn=topic_arn, envelope=envelope
    )


def told(*args: Any, **more: Any) -> tuple[str, str] | None:
    """Severity and meaning of the one alert, if there is one."""
    found = alerts(*args, **more)
    assert len(found) <= 1
    return (found[0].severity, found[0].summary.partition(": ")[2]) if found else None


# What is ours, what is somebody else's, and what nobody knows

BUCKET_ROWS: Final = [
    ("DeleteBucket", {}, "critical", "log files have no place to go"),
    ("DeleteBucketPolicy", {}, "critical", "CloudTrail may no longer write"),
    ("PutBucketPolicy", {"bucketPolicy": {"Statement": [SHUT, FOR_ALL]}}, "critical", "a Deny in its policy"),
    ("PutBucketPolicy", {"bucketPolicy": {"Statement": [TLS_ONLY]}}, "critical", "no statement of its policy allows"),
    ("PutBucketPolicy", {"bucketPolicy": json.dumps({"Statement": TLS_ONLY | ALLOW})}, "informational", "nothing is"),
    ("PutBucketPolicy", {"bucketPolicy": {"Statement": [TLS_ONLY, ALLOW]}}, "informational", "nothing is known"),
    ("PutBucketPolicy", {}, "critical", "could not be read"),
    (
        "PutBucketLifecycle",
        {"LifecycleConfiguration": {"Rule": {"Status": "Enabled", "Prefix": "", "Expiration": {"Days": 1}}}},
        "critical",
        "deleted by themselves after 1 days",
    ),
    (
        "PutBucketLifecycleConfiguration",
        {
            "LifecycleConfiguration": {
                "Rule": [
                    {
                        "Status": "Enabled",
                        "Filter": {"And": {"Prefix": "logs/AWSLogs/"}},
                        "NoncurrentVersionExpiration": {"NoncurrentDays": 1},
                    }
                ]
            }
        },
        "critical",
        "under logs/AWSLogs/ are deleted",
    ),
    (
        "PutBucketLifecycle",
        {"LifecycleConfiguration": {"Rule": {"Status": "Enabled", "Prefix": "*", "Expiration": {"Days": 1}}}},
        "critical",
        "deleted by themselves",
    ),
    (
        "PutBucketLifecycle",
        {"LifecycleConfiguration": {"Rule": {"Status": "Enabled", "Prefix": "tmp/", "Expiration": {"Days": 1}}}},
        "informational",
        "nothing is known",
    ),
    ("PutBucketLifecycle", {}, "critical", "its lifecycle could not be read"),
    ("PutBucketVersioning", {"VersioningConfiguration": {"Status": "Suspended"}}, "high", "no longer kept"),
    (
        "PutBucketVersioning",
        {"VersioningConfiguration": {"Status": "Enabled", "MfaDelete": "Disabled"}},
        "high",
        "without a second factor",
    ),
    (
        "PutBucketObjectLockConfiguration",
        {"ObjectLockConfiguration": {"Rule": {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 1}}}},
        "high",
        "GOVERNANCE",
    ),
    (
        "PutObjectLockConfiguration",
        {"ObjectLockConfiguration": {"Rule": {"DefaultRetention": {"Mode": "COMPLIANCE", "Days": 1}}}},
        "informational",
        "nothing is known",
    ),
    (
        "PutBucketReplication",
        {"ReplicationConfiguration": {"Rule": {"Destination": {"Bucket": "arn:aws:s3:::elsewhere"}}}},
        "high",
        "now go to arn:aws:s3:::elsewhere",
    ),
    ("DeleteBucketReplication", {}, "high", "no more copies"),
    ("PutBucketEncryption", {}, "medium", "readers can't use"),
    ("DeleteBucketEncryption", {}, "medium", "S3's own key"),
    ("DeleteBucketPublicAccessBlock", {}, "high", "opened to the public"),
    ("PutBucketAcl", {"AccessControlPolicy": {"URI": "http://acs/groups/global/AllUsers"}}, "high", "everybody"),
    ("PutBucketOwnershipControls", {}, "medium", "somebody else"),
    ("PutBucketLogging", {"BucketLoggingStatus": {"LoggingEnabled": {"TargetBucket": "x"}}}, "informational", ""),
    ("PutBucketNotification", {"NotificationConfiguration": {}}, "critical", "is blind"),
]


@pytest.mark.parametrize(("event", "more", "severity", "words"), BUCKET_ROWS)
def test_what_is_done_to_a_bucket_counts_if_it_holds_the_logs(
    event: str, more: dict[str, Any], severity: str, words: str
) -> None:
    ours = told("s3", event, LOGS | more)

    assert ours is not None
    assert ours[0] == severity
    assert words in ours[1]
    assert told("s3", event, {"bucketName": "website"} | more) is None


TARGETS: Final = [
    ("kms", "DisableKey", {"keyId": KEY}, {"keyId": "another"}, "critical", "medium"),
    ("kms", "ScheduleKeyDeletion", {"keyId": KEY_ARN}, {"keyId": "another"}, "critical", "medium"),
    ("kms", "DeleteImportedKeyMaterial", {"keyId": KEY}, {"keyId": "another"}, "critical", "medium"),
    ("kms", "PutKeyPolicy", {"keyId": KEY, "policy": "{}"}, {"keyId": "another"}, "critical", None),
    ("kms", "RevokeGrant", {"keyId": KEY}, {"keyId": "another"}, "medium", None),
    ("kms", "RetireGrant", {"keyId": KEY}, {"keyId": "another"}, "medium", None),
    ("kms", "EnableKey", {"keyId": KEY}, {"keyId": "another"}, "low", None),
    ("kms", "CancelKeyDeletion", {"keyId": KEY}, {"keyId": "another"}, "low", None),
    ("sns", "DeleteTopic", {"topicArn": TOPIC}, {"topicArn": TOPIC + "x"}, "critical", None),
    ("sns", "Unsubscribe", {"subscriptionArn": TOPIC + ":1"}, {"subscriptionArn": TOPIC + "x:1"}, "critical", None),
    ("sns", "RemovePermission", {"topicArn": TOPIC}, {"topicArn": TOPIC + "x"}, "high", None),
    ("sqs", "PurgeQueue", {"queueUrl": QUEUE}, {"queueUrl": QUEUE + "x"}, "critical", None),
    ("sqs", "DeleteQueue", {"queueUrl": QUEUE + "-dead"}, {"queueUrl": QUEUE + "x"}, "critical", None),
    ("sqs", "AddPermission", {"queueUrl": QUEUE}, {"queueUrl": QUEUE + "x"}, "high", None),
    ("iam", "PutRolePolicy", {"roleName": "reader"}, {"roleName": "writer"}, "high", None),
    ("iam", "UpdateAssumeRolePolicy", {"roleName": "reader"}, {"roleName": "writer"}, "high", None),
    ("dynamodb", "DeleteTable", {"tableName": "sent"}, {"tableName": "orders"}, "medium", None),
]


@pytest.mark.parametrize(("source", "event", "ours", "theirs", "severity", "of_theirs"), TARGETS)
def test_what_is_ours_is_told_and_what_is_not_is_left_alone(
    source: str, event: str, ours: dict[str, Any], theirs: dict[str, Any], severity: str, of_theirs: str | None
) -> None:
    found, other = alerts(source, event, ours), alerts(source, event, theirs)

    assert [(alert.severity, alert.resources[0].protected) for alert in found] == [(severity, True)]
    assert [(alert.severity, alert.resources[0].protected) for alert in other] == (
        [(of_theirs, None)] if of_theirs else []
    )


def test_what_was_named_as_protected_is_and_the_rest_is_not() -> None:
    around = replace(OURS, protected=("arn:aws:kms:*:key/another", "main", "orders-*"))

    assert told("kms", "DisableKey", {"keyId": "another"}, around=around) is not None
    assert told("kms", "DisableKey", {"keyId": "third"}, around=around) is None
    (alarm,) = alerts("monitoring", "DeleteAlarms", {"alarmNames": ["x", "orders-down"]}, around=around)
    assert (alarm.severity, alarm.resources[0].protected) == ("high", True)
    assert told("logs", "DeleteLogGroup", {"logGroupName": "CloudTrail/all"}, around=around) == (
        "low",  # its name tells, but it was not named: two levels down
        "the live copy of the trail and its metric filters are gone.",
    )
    (stopped,) = alerts("cloudtrail", "StopLogging", {"name": TRAIL}, around=around)
    (other,) = alerts("cloudtrail", "StopLogging", {"name": "second"}, around=around)
    assert (stopped.severity, stopped.resources[0].protected) == ("critical", True)
    assert (other.severity, other.resources[0].protected) == ("medium", False)
    (insights,) = alerts("cloudtrail", "PutInsightSelectors", {"trailName": TRAIL}, around=around)
    assert (insights.severity, insights.resources[0].protected) == ("medium", True)


def test_where_nothing_is_known_a_name_that_tells_is_taken_for_ours() -> None:
    nothing: dict[str, Any] = {"around": Surroundings(), "log_file": None, "topic_arn": None}

    (alert,) = alerts("s3", "DeleteBucket", {"bucketName": "acme-cloudtrail-logs"}, **nothing)
    assert (alert.severity, alert.resources[0].protected) == ("critical", None)
    assert told("s3", "DeleteBucket", {"bucketName": "website"}, **nothing) is None
    assert told("sqs", "PurgeQueue", {"queueUrl": QUEUE}, **nothing) is None
    assert told("s3", "DeleteBucket", {"bucketName": "acme-cloudtrail-logs"}) == (
        "medium",  # we read another
        "log files have no place to go, and none are delivered.",
    )


def test_a_bucket_whose_policy_speaks_of_cloudtrail_is_likely_a_log_bucket() -> None:
    shut = {"bucketName": "archive", "bucketPolicy": {"Statement": [SHUT, ALLOW]}}

    (alert,) = alerts("s3", "PutBucketPolicy", shut, around=Surroundings(), log_file=None)
    assert (alert.severity, alert.resources[0].protected) == ("critical", None)
    (alert,) = alerts("s3", "PutBucketPolicy", shut)
    assert (alert.severity, alert.resources[0].protected) == ("medium", False)


def test_a_target_that_nobody_can_read_is_taken_for_ours() -> None:
    (alert,) = alerts("sns", "DeleteTopic", {"omitted": True, "reason": "too large"})

    assert alert.severity == "critical"
    assert alert.resources == ()
    assert "an SNS topic whose name could not be read" in alert.summary
    assert "take them for the worst" in alert.summary


def test_parameters_that_were_left_out_are_taken_for_the_worst() -> None:
    assert told("guardduty", "UpdateDetector", {"omitted": True}) == (
        "critical",
        OMITTED,
    )


# Notifications

TO_US: Final = {"QueueConfiguration": {"Queue": QUEUE_ARN, "Event": "s3:ObjectCreated:*"}}
TO_THEM: Final = {"QueueConfiguration": [{"Queue": QUEUE_ARN + "x", "Event": ["s3:ObjectCreated:*"]}]}


@pytest.mark.parametrize(
    ("configuration", "severity"),
    [
        (TO_US, "informational"),
        ({"TopicConfiguration": {"Topic": TOPIC}}, "informational"),
        ({"EventBridgeConfiguration": ""}, "informational"),
        (TO_THEM, "critical"),
        ("", "critical"),
        ({"QueueConfiguration": TO_US["QueueConfiguration"] | {"Event": "s3:ObjectRemoved:*"}}, "critical"),
        (
            {
                "QueueConfiguration": TO_US["QueueConfiguration"]
                | {"Filter": {"S3Key": {"FilterRule": [{"Name": "prefix", "Value": "elsewhere/"}]}}}
            },
            "critical",
        ),
        (
            {
                "QueueConfiguration": TO_US["QueueConfiguration"]
                | {"Filter": {"S3Key": {"FilterRule": {"Name": "Prefix", "Value": "logs/AWSLogs/"}}}}
            },
            "informational",
        ),
    ],
)
def test_a_bucket_whose_news_no_longer_come_our_way_blinds_us(configuration: Any, severity: str) -> None:
    for event in ("PutBucketNotification", "PutBucketNotificationConfiguration"):
        found = told("s3", event, LOGS | {"NotificationConfiguration": configuration})
        assert found is not None
        assert found[0] == severity
    assert told("s3", event, {"bucketName": "website", "NotificationConfiguration": configuration}) is None


# Partitions, aliases and lists


@pytest.mark.parametrize(
    ("source", "event", "parameters", "region", "arn"),
    [
        ("s3", "DeleteBucket", LOGS, "us-gov-west-1", "arn:aws-us-gov:s3:::trail-logs"),
        ("sqs", "PurgeQueue", {"queueUrl": QUEUE}, "us-east-1", QUEUE_ARN),
        ("kms", "DisableKey", {"keyId": KEY}, "cn-north-1", f"arn:aws-cn:kms:cn-north-1:{ACCOUNT}:key/{KEY}"),
        ("sns", "Unsubscribe", {"subscriptionArn": TOPIC + ":0f1e"}, "us-east-1", TOPIC),
        ("iam", "DeleteRole", {"roleName": "reader"}, "us-east-1", ROLE_ARN),
        (
            "ec2",
            "DeleteFlowLogs",
            {"DeleteFlowLogsRequest": {"FlowLogId": [{"content": "fl-1"}, {"content": "fl-2"}]}},
            "eu-west-1",
            f"arn:aws:ec2:eu-west-1:{ACCOUNT}:vpc-flow-log/fl-1",
        ),
        ("organizations", "LeaveOrganization", None, "us-east-1", f"arn:aws:iam::{ACCOUNT}:root"),
        (
            "securityhub",
            "DisableSecurityHub",
            None,
            "us-east-1",
            f"arn:aws:securityhub:us-east-1:{ACCOUNT}:hub/default",
        ),
    ],
)
def test_the_arn_is_right_in_every_partition(source: str, event: str, parameters: Any, region: str, arn: str) -> None:
    found = alerts(source, event, parameters, awsRegion=region)

    assert [resource.arn for alert in found for resource in alert.resources] == [arn]


def test_an_alias_is_the_key_that_the_record_lists() -> None:
    listed = [{"type": "AWS::KMS::Key", "ARN": KEY_ARN, "accountId": ACCOUNT}]
    (alert,) = alerts("kms", "DisableKey", {"keyId": "alias/x"}, resources=listed)

    assert alert.severity == "critical"
    assert alert.resources == (Resource("AWS::KMS::Key", KEY_ARN, protected=True),)


# What became of the call, and who made it


def test_a_denied_call_names_what_it_was_refused() -> None:
    message = f"User: x is not authorized to perform: sns:DeleteTopic on resource: {TOPIC} because no policy allows it"
    (alert,) = alerts("sns", "DeleteTopic", None, errorCode="AuthorizationError", errorMessage=message)

    assert (alert.severity, alert.event.outcome) == ("medium", "denied")
    assert alert.title.startswith("Attempt denied: delete SNS topic trail-topic in account")
    assert alert.resources == (Resource("AWS::SNS::Topic", TOPIC, protected=True),)
    other = message.replace(TOPIC, TOPIC + "x")
    assert told("sns", "DeleteTopic", None, errorCode="AuthorizationError", errorMessage=other) is None


def test_outcome_and_caller_count_as_they_do_for_trails() -> None:
    assert [each.severity for each in alerts("s3", "DeleteBucket", LOGS, errorCode="BucketNotEmpty")] == ["low"]
    assert [each.severity for each in alerts("s3", "DeleteBucket", LOGS, **DENIED_BY_SCP)] == ["medium"]
    assert [each.severity for each in alerts("s3", "PutBucketEncryption", LOGS, userIdentity=ROOT)] == ["high"]
    foreign = alerts("s3", "PutBucketEncryption", LOGS, recipientAccountId=OTHER_ACCOUNT)
    assert [each.severity for each in foreign] == ["high"]


def test_title_and_summary_say_in_plain_words_what_was_done() -> None:
    (alert,) = alerts("s3", "DeleteBucket", LOGS)

    assert alert.title == f"Deleted bucket trail-logs in account {ACCOUNT} (us-east-1)"
    assert alert.summary == (
        f"Role deploy (session ci) deleted bucket trail-logs in account {ACCOUNT}: log files have no place to go, and "
        "none are delivered."
    )
    assert alert.links.runbook == alert.rule.references[0]


# One alert of one thing


def test_nobody_is_told_twice() -> None:
    for source, event, parameters in (
        ("cloudtrail", "StopLogging", {"name": TRAIL}),
        ("s3", "DeleteBucketPolicy", LOGS),
        ("kms", "DisableKey", {"keyId": KEY}),
        ("organizations", "LeaveOrganization", None),
    ):
        assert len(alerts(source, event, parameters, rules=EVERYTHING)) == 1
    (benchmark,) = alerts("s3", "DeleteBucketPolicy", {"bucketName": "website"}, rules=EVERYTHING)
    assert (benchmark.rule.title, benchmark.severity) == ("S3 Bucket Policy Changes", "low")


def test_each_watched_event_is_of_one_rule_of_these_packs() -> None:
    for rows in (TRAIL_ROWS, PATH, GUARDS):
        for source, events in rows.items():
            for event, row in events.items():
                key = {"key": LOG_KEY} if row.kind.type == "AWS::S3::Object" else {}
                one = record(event, LOGS | key, eventSource=f"{source}.amazonaws.com")
                assert len(RULES.match(one)) == 1, event
                assert past(row.verb)


# Robustness

PARAMETERS: Final = objects(
    bucketName=st.sampled_from(["trail-logs", "x", ""]) | json_values(),
    key=st.just(LOG_KEY) | json_values(),
    keyId=texts(),
    queueUrl=texts() | st.just(QUEUE),
    topicArn=texts() | st.just(TOPIC),
    subscriptionArn=texts(),
    attributes=json_values(),
    attributeName=texts(),
    bucketPolicy=json_values(),
    policy=json_values(),
    NotificationConfiguration=json_values(),
    LifecycleConfiguration=json_values(),
    roleName=texts(),
    alarmNames=st.lists(texts()),
    omitted=st.booleans(),
)
WATCHED: Final = sorted(
    (source, event) for rows in (TRAIL_ROWS, PATH, GUARDS) for source, events in rows.items() for event in events
)


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(WATCHED), PARAMETERS | json_values(), json_values(), st.sampled_from(["", "AccessDenied"]))
def test_no_record_is_too_odd(watched: tuple[str, str], parameters: Any, other: Any, error: str) -> None:
    source, event = watched
    for alert in alerts(source, event, parameters, responseElements=other, resources=other, errorCode=error):
        assert 0 < len(alert.title) <= 200
        assert alert.title.isprintable()
        assert alert.summary.isprintable()
        assert json.loads(alert.to_json())["id"] == alert.id


def test_a_sessions_role() -> None:
    assert (
        role_of_session(f"arn:aws-cn:sts::{ACCOUNT}:assumed-role/reader/pod")
        == f"arn:aws-cn:iam::{ACCOUNT}:role/reader"
    )
    assert role_of_session(f"arn:aws:iam::{ACCOUNT}:user/alice") is None
