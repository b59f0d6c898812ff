import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.alert import Alert, LogFile, Resource
from stream.detect.detector import Detector, account_mismatch, alert_id
from stream.detect.rules import RuleSet
from stream.detect.surroundings import Surroundings
from tests.detect.records import (
    ACCOUNT,
    CT_013,
    DENIED_BY_SCP,
    LOG_FILE,
    OTHER_ACCOUNT,
    TOPIC,
    TRAIL,
    alert_of,
    record,
)
from tests.detect.strategies import json_values, objects, texts

CUSTOM = """
title: Bucket versioning suspended
id: 0b7c1b5e-3b47-4d3c-9a4a-7a3c9f6b1a01
logsource: {product: aws, service: cloudtrail}
detection:
    selection:
        eventSource: s3.amazonaws.com
        eventName: PutBucketVersioning
        requestParameters|contains: Suspended
    logging:
        eventName: StopLogging
    condition: selection or logging
level: low
"""
STOP = record("StopLogging", {"name": "main"})
STOP_ID: Final = "34e0e632bac963658dbce047157f98a8"


@pytest.fixture
def both(tmp_path: Path) -> Detector:
    (tmp_path / "custom.yml").write_text(CUSTOM, encoding="utf-8")
    return Detector(RuleSet.load(["ct-013"], [str(tmp_path)]), lambda: Surroundings(buckets=("trail-*",)))


def test_an_alert_carries_everything() -> None:
    alert = alert_of(STOP)

    assert alert.rule is CT_013.rules[0].info
    assert (alert.event.id, alert.event.name, alert.event.source) == (
        STOP["eventID"],
        "StopLogging",
        STOP["eventSource"],
    )
    assert (alert.event.time, alert.event.region, alert.event.account_id) == (STOP["eventTime"], "us-east-1", ACCOUNT)
    assert (alert.event.type, alert.event.outcome, alert.event.error_code) == ("AwsApiCall", "success", None)
    assert alert.actor.name == "deploy"
    assert alert.resources == (Resource("AWS::CloudTrail::Trail", TRAIL, protected=True),)
    assert alert.changes == ()
    assert (alert.provenance, alert.log_file, alert.context) == ("log_file", LOG_FILE, None)
    assert alert.links.console is not None
    assert alert.links.runbook is not None
    assert alert.record is STOP


def test_an_alert_of_a_denied_call_carries_the_error() -> None:
    event = alert_of(STOP | DENIED_BY_SCP).event

    assert (event.outcome, event.error_code, event.error_message) == ("denied", *DENIED_BY_SCP.values())


def test_other_records_give_no_alert() -> None:
    detector = Detector(CT_013, lambda: Surroundings(buckets=("*",)))
    nested = record("DescribeTrails", {"eventName": "StopLogging", "eventSource": "cloudtrail.amazonaws.com"})
    for one in ({}, nested, record("AddTags", eventSource="elasticloadbalancing.amazonaws.com")):
        assert detector.alerts(one, provenance="log_file", log_file=LOG_FILE) == []


def test_each_rule_that_matches_gives_an_alert_of_its_own(both: Detector) -> None:
    first, second = both.alerts(STOP, provenance="inline", log_file=None)

    assert first.id != second.id
    # What is known of an event counts for more than a rule's level.
    assert (first.severity, second.severity) == ("critical", "critical")
    assert second.rule.title == "Bucket versioning suspended"


@pytest.mark.parametrize(
    ("fields", "title", "words"),
    [
        (
            {},
            "Bucket versioning suspended: PutBucketVersioning in account",
            "called PutBucketVersioning of s3.amazonaws.com",
        ),
        (
            DENIED_BY_SCP,
            "Attempt denied: Bucket versioning suspended: PutBucketVersioning",
            "was denied, stopped by a service",
        ),
        ({"errorCode": "NoSuchBucket"}, "Attempt failed: Bucket versioning suspended:", "which failed (NoSuchBucket)"),
    ],
)
def test_an_event_that_only_its_rule_knows_has_the_rules_level(
    both: Detector, fields: dict[str, Any], title: str, words: str
) -> None:
    one = record(
        "PutBucketVersioning",
        {"bucketName": "b", "VersioningConfiguration": {"Status": "Suspended"}},
        eventSource="s3.amazonaws.com",
        resources=[{"type": "AWS::S3::Bucket", "ARN": "arn:aws:s3:::b"}],
        **fields,
    )

    (alert,) = both.alerts(one, provenance="log_file", log_file=LOG_FILE)

    assert alert.severity == "low"
    assert alert.title.startswith(title)
    assert words in alert.summary
    assert alert.resources == (Resource("AWS::S3::Bucket", "arn:aws:s3:::b", None),)
    assert (alert.changes, alert.links.runbook) == ((), None)


def test_tags_that_guard_may_be_named() -> None:
    one = record("RemoveTags", {"resourceId": TRAIL, "tagsList": [{"key": "Protected"}]})
    detector = Detector(CT_013, guarding_tags=["protected"])

    assert detector.alerts(one, provenance="inline", log_file=None)[0].severity == "high"


# Identity


def test_the_id_is_the_same_by_every_route_and_in_every_file() -> None:
    again = json.loads(json.dumps(dict(reversed(STOP.items()))))
    detector = Detector(CT_013, lambda: Surroundings(buckets=("other",), log_buckets=("x",)))

    (inline,) = detector.alerts(again, provenance="inline", log_file=None, topic_arn=TOPIC)

    assert inline.id == alert_of(STOP).id
    assert re.fullmatch(r"[0-9a-f]{32}", inline.id)


def test_the_id_never_changes() -> None:
    """Alerts sent by an earlier version must still be known as sent."""
    assert alert_id(STOP, "rule") == STOP_ID


def test_the_id_tells_events_accounts_and_rules_apart() -> None:
    ids = {
        alert_id(STOP, "rule"),
        alert_id(STOP, "other rule"),
        alert_id(STOP | {"eventID": "another"}, "rule"),
        alert_id(STOP | {"recipientAccountId": OTHER_ACCOUNT}, "rule"),
        alert_id(STOP | {"sharedEventID": "shared"}, "rule"),
    }
    assert len(ids) == 5


def test_copies_of_one_event_share_their_id_by_their_shared_event_id() -> None:
    one, two = (STOP | {"eventID": each, "sharedEventID": "shared"} for each in ("a", "b"))

    assert alert_id(one, "rule") == alert_id(two, "rule")


def test_a_record_without_an_event_id_is_known_by_what_it_says() -> None:
    one = {name: value for name, value in STOP.items() if name != "eventID"}

    assert alert_id(one, "rule") == alert_id(dict(reversed(one.items())), "rule")
    assert alert_id(one, "rule") != alert_id(one | {"eventTime": "2025-01-02T03:04:06Z"}, "rule")
    assert alert_id(one | {"eventID": None}, "rule") != alert_id(one | {"eventID": ["x"]}, "rule")


# The account of the log file


def test_a_record_of_another_account_than_its_file_is_said_to_be() -> None:
    one = STOP | {"recipientAccountId": OTHER_ACCOUNT}

    assert account_mismatch(one, LOG_FILE)
    assert "may be forged or misplaced" in alert_of(one).summary


@pytest.mark.parametrize(
    ("recipient", "log_file", "mismatch"),
    [
        (ACCOUNT, LOG_FILE, False),
        (int(ACCOUNT), LOG_FILE, False),
        (None, LOG_FILE, False),
        ([ACCOUNT], LOG_FILE, True),
        ("", LOG_FILE, True),
        (OTHER_ACCOUNT, None, False),
        (OTHER_ACCOUNT, LogFile("", "log.json"), False),
        (ACCOUNT, LogFile("b", f"AWSLogs/o-abcdefghij/{ACCOUNT}/CloudTrail/x"), False),
        (ACCOUNT, LogFile("b", f"AWSLogs/{ACCOUNT}/AWSLogs/{OTHER_ACCOUNT}/CloudTrail/x"), True),
    ],
)
def test_the_accounts_are_compared_where_both_are_known(
    recipient: object, log_file: LogFile | None, mismatch: bool
) -> None:
    assert account_mismatch({"recipientAccountId": recipient}, log_file) is mismatch


# What only passed a VPC endpoint

FOLDER: Final = f"logs/AWSLogs/{ACCOUNT}/CloudTrail-NetworkActivity/us-east-1/2025/01/02/"
PASSED: Final = LogFile("trail-logs", FOLDER + "log.json.gz")
NETWORK: Final = {"eventCategory": "NetworkActivity", "eventType": "AwsVpceEvent"}


@pytest.mark.parametrize(
    ("source", "event"),
    [
        ("cloudtrail", "StopLogging"),
        ("cloudtrail", "PutEventSelectors"),
        ("s3", "PutBucketPolicy"),
        ("kms", "ScheduleKeyDeletion"),
        ("organizations", "LeaveOrganization"),
    ],
)
def test_of_a_call_that_passed_an_endpoint_the_record_of_the_call_itself_is_told(source: str, event: str) -> None:
    detector = Detector(RuleSet.load(["ct-013", "audit-trail", "own-path", "cis"], []))
    one = record(event, eventSource=f"{source}.amazonaws.com")

    assert detector.alerts(one | NETWORK, provenance="log_file", log_file=PASSED) == []
    assert len(detector.alerts(one, provenance="log_file", log_file=LOG_FILE)) == 1


@pytest.mark.parametrize(
    ("fields", "log_file"),
    [
        (NETWORK, LOG_FILE),
        (NETWORK, None),
        (NETWORK, LogFile("trail-logs", f"{FOLDER}{LOG_FILE.key}")),  # a prefix called like the folder
        (NETWORK, LogFile("trail-logs", f"CloudTrail-NetworkActivity/{LOG_FILE.key}")),
        ({}, PASSED),
        ({"eventCategory": "NetworkActivity"}, PASSED),
        ({"eventType": "AwsVpceEvent"}, PASSED),
    ],
)
def test_a_record_does_not_pass_for_network_activity_by_what_it_says_alone(
    fields: dict[str, str], log_file: LogFile | None
) -> None:
    assert alert_of(STOP | fields, log_file=log_file).severity == "critical"


def test_own_rules_may_look_for_network_activity_and_have_their_level(both: Detector) -> None:
    (alert,) = both.alerts(STOP | NETWORK, provenance="log_file", log_file=PASSED)

    assert (alert.rule.title, alert.severity) == ("Bucket versioning suspended", "low")
    assert "Bucket versioning suspended: StopLogging" in alert.title


# Robustness

PARAMETERS = objects(
    name=texts(),
    trailName=texts(),
    resourceId=texts(),
    s3BucketName=texts(),
    s3KeyPrefix=texts(),
    kmsKeyId=texts(),
    snsTopicName=texts(),
    cloudWatchLogsLogGroupArn=texts(),
    isMultiRegionTrail=st.booleans(),
    isOrganizationTrail=st.booleans(),
    omitted=st.booleans(),
    eventSelectors=st.lists(
        objects(
            readWriteType=texts(),
            includeManagementEvents=st.booleans(),
            excludeManagementEventSources=st.lists(texts()),
        )
    ),
    advancedEventSelectors=st.lists(objects(fieldSelectors=st.lists(objects(field=texts(), equals=st.lists(texts()))))),
    tagsList=st.lists(objects(key=texts(), value=texts())),
)
RECORDS = objects(
    userIdentity=objects(
        type=texts(),
        arn=texts(),
        userName=texts(),
        accountId=texts(),
        sessionContext=objects(assumedRoot=texts(), sessionIssuer=json_values()),
    ),
    awsRegion=texts(),
    eventID=texts(),
    sharedEventID=texts(),
    eventTime=texts(),
    recipientAccountId=texts(),
    errorCode=texts(),
    errorMessage=texts(),
    requestParameters=PARAMETERS,
    responseElements=objects(trailARN=texts(), kmsKeyId=texts()),
    resources=st.lists(objects(ARN=texts(), type=texts())),
    omitted=st.booleans(),
)
EVENTS = st.sampled_from(
    [
        "StopLogging",
        "StartLogging",
        "DeleteTrail",
        "CreateTrail",
        "UpdateTrail",
        "PutEventSelectors",
        "AddTags",
        "RemoveTags",
    ]
)


def check(alert: Alert) -> None:
    assert re.fullmatch(r"[0-9a-f]{32}", alert.id)
    assert 0 < len(alert.title) <= 200
    assert 0 < len(alert.summary) <= 600
    assert alert.title.isprintable()
    assert alert.summary.isprintable()
    text = alert.to_json()
    assert b"\n" not in text
    assert json.loads(text)["id"] == alert.id


@given(EVENTS, RECORDS, st.sampled_from([None, LOG_FILE, LogFile("", "\ud800")]), st.sampled_from([None, TOPIC, ""]))
def test_no_record_of_the_eight_is_too_odd_for_an_alert(
    event: str, one: dict[str, Any], log_file: LogFile | None, topic_arn: str | None
) -> None:
    one |= {"eventSource": "cloudtrail.amazonaws.com", "eventName": event}
    detector = Detector(CT_013, lambda: Surroundings(buckets=("*",)))

    (alert,) = detector.alerts(one, provenance="log_file", log_file=log_file, topic_arn=topic_arn)

    check(alert)
    assert account_mismatch(one, log_file) in (True, False)


@given(json_values(), json_values())
def test_parameters_of_any_shape_give_an_alert(parameters: Any, response: Any) -> None:
    for event in ("UpdateTrail", "PutEventSelectors", "RemoveTags"):
        check(alert_of(record(event, parameters, responseElements=response)))


@given(st.dictionaries(st.sampled_from(sorted(STOP)), json_values()))
def test_a_record_that_is_nonsense_gives_none_or_one(one: dict[str, Any]) -> None:
    detector = Detector(CT_013, lambda: Surroundings(buckets=("*",)))

    assert detector.alerts(one, provenance="inline", log_file=None) == []
    for alert in detector.alerts(STOP | one, provenance="inline", log_file=None):
        check(alert)


@given(RECORDS)
def test_a_record_that_only_a_rule_knows_gives_an_alert_too(one: dict[str, Any]) -> None:
    rule = replace(CT_013.rules[0], condition=lambda _: True)
    detector = Detector(RuleSet([rule]))

    (alert,) = detector.alerts(one, provenance="inline", log_file=None)

    check(alert)
    assert alert.severity == "medium"


def test_names_in_the_shape_of_arrays_are_matched_and_told() -> None:
    one = STOP | {"eventName": ["StopLogging"], "eventSource": ["cloudtrail.amazonaws.com"]}

    alert = alert_of(one)

    check(alert)
    assert alert.severity == "medium"
