"""Every row of what is known of the eight events, and every modifier, from a record to its alert."""

from typing import Any

import pytest

from stream.alert import Resource
from tests.detect.records import (
    ACCOUNT,
    DENIED_BY_SCP,
    EVENT_DATA_STORE,
    OTHER_ACCOUNT,
    ROLE,
    ROOT,
    TOPIC,
    TRAIL,
    alert_of,
    record,
)

OTHER_KEY = f"arn:aws:kms:us-east-1:{OTHER_ACCOUNT}:key/k"
OWN_KEY = f"arn:aws:kms:us-east-1:{ACCOUNT}:key/k"
LOG_GROUP = f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group:trail:*"
STRONG = {
    "name": "main",
    "s3BucketName": "trail-logs",
    "isMultiRegionTrail": True,
    "enableLogFileValidation": True,
    "kmsKeyId": OWN_KEY,
}


def changed(words: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return record("UpdateTrail", {"name": "main", **words}, **fields)


def selected(*selectors: Any, advanced: bool = False) -> dict[str, Any]:
    field = "advancedEventSelectors" if advanced else "eventSelectors"
    return record("PutEventSelectors", {"trailName": "main", field: list(selectors)})


def management(*fields: dict[str, Any]) -> dict[str, Any]:
    return {"name": "m", "fieldSelectors": [{"field": "eventCategory", "equals": ["Management"]}, *fields]}


def tagged(event: str, key: str, resource: str = TRAIL) -> dict[str, Any]:
    return record(event, {"resourceId": resource, "tagsList": [{"key": key, "value": "x"}]})


ROWS = {
    "StopLogging": (record("StopLogging", {"name": "main"}), "critical", "no longer logged"),
    "StartLogging": (record("StartLogging", {"name": "main"}), "informational", "recording is now on"),
    "DeleteTrail": (record("DeleteTrail", {"name": "main"}), "critical", "files already written remain"),
    # CreateTrail
    "an organisation's trail to an unknown bucket": (
        record("CreateTrail", {**STRONG, "s3BucketName": "elsewhere", "isOrganizationTrail": True}),
        "critical",
        "whole organisation's audit stream goes to an unknown place, bucket elsewhere",
    ),
    "an account's trail to an unknown bucket": (
        record("CreateTrail", {**STRONG, "s3BucketName": "elsewhere"}),
        "high",
        "a copy of this account's activity goes elsewhere",
    ),
    "a trail of one region": (
        record("CreateTrail", {**STRONG, "isMultiRegionTrail": False}),
        "low",
        "only its home region is recorded",
    ),
    "a trail of one region by default": (
        record("CreateTrail", {key: value for key, value in STRONG.items() if key != "isMultiRegionTrail"}),
        "low",
        "only its home region is recorded",
    ),
    "a trail without validation": (
        record("CreateTrail", {**STRONG, "enableLogFileValidation": False}),
        "low",
        "no log file validation",
    ),
    "a trail without a key": (
        record("CreateTrail", {key: value for key, value in STRONG.items() if key != "kmsKeyId"}),
        "low",
        "not encrypted with a key of the customer",
    ),
    "a strong trail to a known bucket": (
        record("CreateTrail", STRONG),
        "informational",
        "records only once StartLogging is called",
    ),
    # UpdateTrail
    "no organisation's trail any more": (
        changed({"isOrganizationTrail": False}),
        "critical",
        "member accounts lose it",
    ),
    "an unknown bucket": (changed({"s3BucketName": "elsewhere"}), "critical", "this reader will not see them"),
    "one region": (changed({"isMultiRegionTrail": False}), "critical", "only its home region"),
    "another prefix": (changed({"s3KeyPrefix": "moved"}), "high", "log files are now kept under moved"),
    "no prefix any more": (changed({"s3KeyPrefix": ""}), "high", "log files are now kept under no prefix"),
    "a key of an unknown account": (changed({"kmsKeyId": OTHER_KEY}), "high", f"another account ({OTHER_ACCOUNT})"),
    "an alias that leads to an unknown account": (
        changed({"kmsKeyId": "alias/k"}, responseElements={"trailARN": TRAIL, "kmsKeyId": OTHER_KEY}),
        "high",
        f"another account ({OTHER_ACCOUNT})",
    ),
    "no key any more": (changed({"kmsKeyId": ""}), "medium", "no longer encrypted with a key of the customer"),
    "a key that the response lacks": (
        changed({"kmsKeyId": OWN_KEY}, responseElements={"trailARN": TRAIL}),
        "medium",
        "the response has none",
    ),
    "validation off": (changed({"enableLogFileValidation": False}), "high", "validation is now off"),
    "global events off": (changed({"includeGlobalServiceEvents": False}), "high", "IAM, STS and other global events"),
    "no log group": (changed({"cloudWatchLogsLogGroupArn": ""}), "high", "no live copy"),
    "another log group": (changed({"cloudWatchLogsLogGroupArn": LOG_GROUP}), "high", "metric alarms"),
    "no log role": (changed({"cloudWatchLogsRoleArn": ""}), "high", "live copy"),
    "no topic": (changed({"snsTopicName": ""}), "low", "no longer announced"),
    "another topic": (changed({"snsTopicName": "elsewhere"}), "low", "now announced through elsewhere"),
    "recursive logging off": (changed({"recursiveLogging": False}), "low", "own deliveries are now hidden"),
    "only stronger": (
        changed({"enableLogFileValidation": True, "isMultiRegionTrail": True, "kmsKeyId": OWN_KEY}),
        "informational",
        "none of its settings is known to be weaker",
    ),
    "nothing sent": (changed({}), "informational", "none of its settings is known to be weaker"),
    # PutEventSelectors
    "no management events": (
        selected({"includeManagementEvents": False, "readWriteType": "All"}),
        "critical",
        "management events) are no longer recorded",
    ),
    "no advanced selector of management events": (
        selected({"fieldSelectors": [{"field": "eventCategory", "equals": ["Data"]}]}, advanced=True),
        "critical",
        "management events) are no longer recorded",
    ),
    "reads only": (selected({"readWriteType": "ReadOnly"}), "critical", "changes are no longer recorded"),
    "reads only, advanced": (
        selected(management({"field": "readOnly", "equals": ["true"]}), advanced=True),
        "critical",
        "changes are no longer recorded",
    ),
    "writes only": (selected({"readWriteType": "WriteOnly"}), "medium", "reconnaissance is unseen"),
    "writes only, advanced": (
        selected(management({"field": "readOnly", "equals": ["false"]}), advanced=True),
        "medium",
        "reconnaissance is unseen",
    ),
    "without kms": (
        selected({"excludeManagementEventSources": ["kms.amazonaws.com"]}),
        "high",
        "disabling of keys, are unseen",
    ),
    "without kms, advanced": (
        selected(management({"field": "eventSource", "notEquals": ["kms.amazonaws.com"]}), advanced=True),
        "high",
        "disabling of keys, are unseen",
    ),
    "without rdsdata": (
        selected({"excludeManagementEventSources": ["rdsdata.amazonaws.com"]}),
        "low",
        "RDS Data API calls are unseen",
    ),
    "everything": (selected({"readWriteType": "All"}), "informational", "nothing is known to be left out"),
    # AddTags, RemoveTags
    "a guarding tag added": (tagged("AddTags", "aws-control-tower"), "medium", "guards or exempts the trail"),
    "a label added": (tagged("AddTags", "team"), "informational", "a label was added"),
    "a guarding tag removed": (tagged("RemoveTags", "aws-control-tower-x"), "high", "may be lifted"),
    "a label removed": (tagged("RemoveTags", "team"), "informational", "a label was removed"),
    "a guarding tag of something else added": (
        tagged("AddTags", "aws-control-tower", EVENT_DATA_STORE),
        "informational",
        "event data store",
    ),
    "a guarding tag of something else removed": (
        tagged("RemoveTags", "aws-control-tower", EVENT_DATA_STORE),
        "informational",
        "event data store",
    ),
}


@pytest.mark.parametrize(("one", "severity", "words"), ROWS.values(), ids=ROWS.keys())
def test_each_change_has_its_severity_and_its_meaning(one: dict[str, Any], severity: str, words: str) -> None:
    alert = alert_of(one)

    assert (alert.severity, alert.event.outcome) == (severity, "success")
    assert words in alert.summary


def test_the_worst_of_several_parameters_counts_and_each_is_listed() -> None:
    alert = alert_of(
        changed({"snsTopicName": "", "isMultiRegionTrail": False, "kmsKeyId": "", "recursiveLogging": True})
    )

    assert alert.severity == "critical"
    assert [change.field for change in alert.changes] == [
        "isMultiRegionTrail",
        "kmsKeyId",
        "snsTopicName",
        "recursiveLogging",
    ]
    assert alert.changes[0].value is False
    assert "home region" in alert.changes[0].effect


def test_every_weak_setting_of_a_new_trail_is_named() -> None:
    alert = alert_of(record("CreateTrail", {"name": "new", "s3BucketName": "trail-logs"}))

    assert alert.severity == "low"
    assert {change.field for change in alert.changes if change.value is None} == {
        "isMultiRegionTrail",
        "enableLogFileValidation",
        "kmsKeyId",
    }


def test_the_response_tells_what_a_new_trail_is_where_the_request_does_not() -> None:
    response = {"isMultiRegionTrail": True, "logFileValidationEnabled": True, "kmsKeyId": OWN_KEY, "trailARN": TRAIL}

    alert = alert_of(record("CreateTrail", {"name": "main", "s3BucketName": "trail-logs"}, responseElements=response))

    assert alert.severity == "informational"


@pytest.mark.parametrize("junk", ["maybe", 7, [], {"a": 1}, [False]])
@pytest.mark.parametrize(
    ("field", "severity"),
    [
        ("isMultiRegionTrail", "critical"),
        ("isOrganizationTrail", "critical"),
        ("s3BucketName", "critical"),
        ("enableLogFileValidation", "high"),
        ("includeGlobalServiceEvents", "high"),
        ("s3KeyPrefix", "high"),
        ("kmsKeyId", "high"),
        ("cloudWatchLogsLogGroupArn", "high"),
        ("snsTopicName", "low"),
        ("recursiveLogging", "low"),
    ],
)
def test_a_value_in_a_shape_that_cannot_be_is_taken_for_the_worst(field: str, severity: str, junk: object) -> None:
    texts = ("s3BucketName", "s3KeyPrefix", "kmsKeyId", "cloudWatchLogsLogGroupArn", "snsTopicName")
    junk = {"not": "text"} if field in texts else junk

    alert = alert_of(changed({field: junk}))

    assert alert.severity == severity
    assert "could not be read" in alert.changes[0].effect


def test_booleans_may_be_spelt_as_text() -> None:
    assert alert_of(changed({"isMultiRegionTrail": "False"})).severity == "critical"
    assert alert_of(changed({"isMultiRegionTrail": "true"})).severity == "informational"


def test_a_setting_that_nobody_knows_yet_is_reported_as_such() -> None:
    alert = alert_of(changed({"quantumLogging": False}))

    assert alert.severity == "low"
    assert "unknown to this version" in alert.changes[0].effect


def test_a_log_role_may_be_one_that_cannot_write() -> None:
    assert alert_of(changed({"cloudWatchLogsRoleArn": f"arn:aws:iam::{ACCOUNT}:role/logs"})).severity == "low"


@pytest.mark.parametrize(
    ("sent", "severity", "effect"),
    [
        ({"kmsKeyId": OTHER_KEY}, "low", f"key of another account ({OTHER_ACCOUNT})"),
        ({"kmsKeyId": {"not": "text"}}, "low", "could not be read"),
        ({"kmsKeyId": "alias/k"}, "informational", "encrypted with the key alias/k"),
        ({"isMultiRegionTrail": "maybe"}, "low", "could not be read"),
        ({"s3BucketName": ["trail-logs"]}, "high", "could not be read"),
        ({"s3BucketName": "elsewhere", "isOrganizationTrail": "maybe"}, "critical", "whole organisation's"),
        ({"isOrganizationTrail": False}, "informational", "of this account alone"),
        ({"quantumLogging": True}, "low", "unknown to this version"),
        ({"s3KeyPrefix": "logs"}, "informational", "kept under logs"),
        ({"snsTopicName": "topic"}, "informational", "announced through topic"),
        ({"recursiveLogging": False}, "low", "deliveries are hidden"),
    ],
)
def test_what_a_new_trail_is_told_to_be(sent: dict[str, Any], severity: str, effect: str) -> None:
    alert = alert_of(record("CreateTrail", STRONG | sent))

    assert alert.severity == severity
    assert any(effect in change.effect for change in alert.changes)


# What is known of the trail


def test_a_prefix_under_which_we_read_the_log_is_no_change() -> None:
    assert alert_of(changed({"s3BucketName": "trail-logs", "s3KeyPrefix": "logs/"})).severity == "informational"
    assert alert_of(changed({"s3KeyPrefix": "logs"})).severity == "high"  # of which bucket, nobody knows
    assert (
        alert_of(changed({"s3KeyPrefix": "logs"}, responseElements={"s3BucketName": "trail-logs"})).severity
        == "informational"
    )
    assert alert_of(changed({"s3BucketName": "trail-logs", "s3KeyPrefix": "logs"}), log_file=None).severity == "high"


@pytest.mark.parametrize("sent", ["", "elsewhere"])
def test_a_topic_matters_when_announcements_come_through_one(sent: str) -> None:
    alert = alert_of(changed({"snsTopicName": sent}), topic_arn=TOPIC)

    assert alert.severity == "high"
    assert "this reader may hear of no more log files" in alert.summary


@pytest.mark.parametrize("sent", [TOPIC, "trail-topic"])
def test_the_topic_that_we_hear_already_is_no_change(sent: str) -> None:
    assert alert_of(changed({"snsTopicName": sent}), topic_arn=TOPIC).severity == "informational"


def test_a_key_of_ones_own_is_no_weakening_and_a_denied_call_has_no_response_to_miss_it_in() -> None:
    answered = {"trailARN": TRAIL, "kmsKeyId": OWN_KEY}
    assert alert_of(changed({"kmsKeyId": OWN_KEY}, responseElements=answered)).severity == "informational"
    assert alert_of(changed({"kmsKeyId": "alias/k"}, responseElements=answered)).severity == "informational"
    cut = {"omitted": True, "originalSize": 300_000}
    assert alert_of(changed({"kmsKeyId": OWN_KEY}, responseElements=cut)).severity == "informational"
    denied = alert_of(changed({"kmsKeyId": OWN_KEY}, **DENIED_BY_SCP))
    assert "the response has none" not in denied.changes[0].effect


def test_buckets_that_are_known() -> None:
    one = changed({"s3BucketName": "archive"})
    assert alert_of(one).severity == "critical"
    assert alert_of(one, log_buckets=("arch*",)).severity == "informational"
    # Anything may be read, which says nothing of where trails may log to; the log's own bucket does.
    assert alert_of(one, buckets=("*",)).severity == "critical"
    assert alert_of(changed({"s3BucketName": "trail-logs"}), buckets=("*",)).severity == "informational"
    assert alert_of(changed({"s3BucketName": "trail-logs"}), buckets=("*",), log_file=None).severity == "critical"
    assert alert_of(changed({"s3BucketName": "trail-logs"}), log_buckets=("archive",)).severity == "critical"


# Modifiers


def test_a_denied_attempt_is_medium_and_says_what_stopped_it() -> None:
    alert = alert_of(record("StopLogging", {"name": "main"}, **DENIED_BY_SCP))

    assert (alert.severity, alert.event.outcome) == ("medium", "denied")
    assert alert.title == f"Attempt denied: stop CloudTrail logging: trail main in account {ACCOUNT} (us-east-1)"
    assert "service control policy (SCP)" in alert.summary
    assert "nothing changed" in alert.summary
    assert "is now off" not in alert.summary


def test_a_denied_attempt_on_what_nobody_protects_is_low_unless_a_person_made_it() -> None:
    one = tagged("AddTags", "team", EVENT_DATA_STORE) | DENIED_BY_SCP
    person = {"type": "IAMUser", "userName": "alice", "accountId": ACCOUNT}

    assert alert_of(one).severity == "low"
    assert alert_of(one | {"userIdentity": person}).severity == "medium"


@pytest.mark.parametrize("code", ["TrailNotFoundException", "InvalidHomeRegionException", "Client.DryRunOperation"])
def test_a_failed_attempt_is_low(code: str) -> None:
    alert = alert_of(record("DeleteTrail", {"name": "main"}, errorCode=code))

    assert (alert.severity, alert.event.outcome) == ("low", "failed")
    assert alert.title.startswith("Attempt failed: delete a CloudTrail trail: trail main")
    assert ("would have succeeded" in alert.summary) is (code == "Client.DryRunOperation")


def test_changes_that_did_not_happen_are_told_as_intentions() -> None:
    alert = alert_of(changed({"enableLogFileValidation": False}, **DENIED_BY_SCP))

    assert alert.changes[0].effect.startswith("not done; it would have meant: log file validation")


STOP = record("StopLogging", {"name": "main"})
START = record("StartLogging", {"name": "main"})
ASSUMED_ROOT = ROLE | {"sessionContext": {"assumedRoot": "true"}}
FOREIGN = ROLE | {"accountId": OTHER_ACCOUNT}


@pytest.mark.parametrize("identity", [ROOT, ASSUMED_ROOT, FOREIGN], ids=["root", "assumed root", "another account"])
def test_the_root_user_or_a_strangers_call_is_one_level_graver(identity: dict[str, Any]) -> None:
    assert alert_of(START | {"userIdentity": identity}).severity == "low"
    assert alert_of(STOP | {"userIdentity": identity}).severity == "critical"
    assert alert_of(STOP | {"userIdentity": identity} | DENIED_BY_SCP).severity == "high"
    assert alert_of(STOP | {"userIdentity": identity, "errorCode": "TrailNotFoundException"}).severity == "medium"


def test_another_accounts_caller_is_named_as_such() -> None:
    assert f"another account ({OTHER_ACCOUNT})" in alert_of(STOP | {"userIdentity": FOREIGN}).summary


def test_a_service_that_acts_for_somebody_makes_it_no_milder() -> None:
    identity = ROLE | {"invokedBy": "cloudformation.amazonaws.com"}

    alert = alert_of(STOP | {"userIdentity": identity})

    assert (alert.severity, alert.actor.via) == ("critical", "service")
    assert "through cloudformation.amazonaws.com" in alert.summary


@pytest.mark.parametrize(
    ("event", "severity"),
    [
        ("StartLogging", "high"),
        ("UpdateTrail", "high"),
        ("PutEventSelectors", "high"),
        ("AddTags", "high"),
        ("RemoveTags", "high"),
        ("CreateTrail", "high"),
        ("StopLogging", "critical"),
    ],
)
def test_parameters_left_out_of_the_record_are_never_benign(event: str, severity: str) -> None:
    for one in (record(event, {"omitted": True, "originalSize": 200_000}), record(event, {}, omitted=True)):
        alert = alert_of(one)

        assert alert.severity == severity
        assert "too large for the record" in alert.summary
        assert alert_of(one | DENIED_BY_SCP).severity == "medium"


def test_what_is_still_there_of_omitted_parameters_counts() -> None:
    assert alert_of(changed({"isMultiRegionTrail": False, "omitted": True})).severity == "critical"


@pytest.mark.parametrize("parameters", [None, [], "StopLogging", 3, {"name": None}, {"name": ["main"]}, {"name": ""}])
def test_a_trail_that_cannot_be_read_is_taken_for_a_protected_one(parameters: object) -> None:
    alert = alert_of(record("StopLogging", parameters))

    assert alert.severity == "critical"
    assert alert.resources == ()
    assert "could not be read" in alert.title


@pytest.mark.parametrize("tags", [None, {}, "aws-control-tower", [None], [{"key": []}], [{}]])
def test_tags_that_cannot_be_read_are_taken_for_guarding_ones(tags: object) -> None:
    assert alert_of(record("RemoveTags", {"resourceId": TRAIL, "tagsList": tags})).severity == "high"
    assert alert_of(record("AddTags", {"resourceId": TRAIL, "tagsList": tags})).severity == "medium"


def test_the_case_of_a_guarding_key_does_not_matter() -> None:
    assert alert_of(tagged("RemoveTags", "AWS-Control-Tower")).severity == "high"


def test_every_trail_is_protected_and_nothing_else_is() -> None:
    assert alert_of(STOP).resources == (Resource("AWS::CloudTrail::Trail", TRAIL, protected=True),)
    assert alert_of(tagged("AddTags", "team", EVENT_DATA_STORE)).resources == (
        Resource("AWS::CloudTrail::EventDataStore", EVENT_DATA_STORE, protected=False),
    )


def test_the_names_of_events_are_understood_in_any_case() -> None:
    alert = alert_of(record("sToPlOgGiNg", {"name": "main"}, eventSource="CloudTrail.AmazonAWS.com"))

    assert alert.title.startswith("CloudTrail logging stopped: trail main")
