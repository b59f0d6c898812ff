"""What settings mean: which of them lose something, and which are as strong as they can be."""

from dataclasses import replace
from typing import Any, Final

import pytest

from tests.detect.records import EVENT_DATA_STORE
from tests.detect.test_watch import OURS, QUEUE, told

NOTHING: Final = "nothing is known to be weaker than before."


@pytest.mark.parametrize(
    ("attributes", "severity", "words"),
    [
        ({"Policy": ""}, "critical", "allowed to send"),
        ({"MessageRetentionPeriod": "60"}, "high", "longer than 60 seconds are lost"),
        ({"MessageRetentionPeriod": "1209599"}, "high", "are lost"),
        ({"MessageRetentionPeriod": "1209600"}, "informational", NOTHING),
        ({"MessageRetentionPeriod": 1209600}, "informational", NOTHING),
        ({"MessageRetentionPeriod": ["1209600"]}, "high", "are lost"),
        ({"MaximumMessageSize": "1024"}, "high", "larger than 1024 bytes are refused"),
        ({"MaximumMessageSize": "16383"}, "high", "are refused"),
        ({"MaximumMessageSize": "16384"}, "informational", NOTHING),
        ({"MaximumMessageSize": None}, "high", "are refused"),
        ({"DelaySeconds": "900"}, "medium", "heard of 900 seconds later"),
        ({"DelaySeconds": "60"}, "medium", "60 seconds later"),
        ({"DelaySeconds": "59"}, "informational", NOTHING),
        ({"DelaySeconds": "many"}, "medium", "many seconds later"),
        ({"VisibilityTimeout": "300"}, "informational", NOTHING),
        ([{"name": "Policy", "value": ""}], "critical", "could not be read"),
        ("Policy", "critical", "could not be read"),
        (None, "critical", "could not be read"),
    ],
)
def test_what_is_set_on_our_queue(attributes: Any, severity: str, words: str) -> None:
    found = told("sqs", "SetQueueAttributes", {"queueUrl": QUEUE, "attributes": attributes})

    assert found is not None
    assert found[0] == severity
    assert words in found[1]
    assert told("sqs", "SetQueueAttributes", {"queueUrl": QUEUE + "x", "attributes": attributes}) is None


@pytest.mark.parametrize(
    ("days", "billing", "severity"),
    [
        (3653, None, "informational"),
        (3653, "EXTENDABLE_RETENTION_PRICING", "informational"),
        (2557, "FIXED_RETENTION_PRICING", "informational"),
        (2557, "EXTENDABLE_RETENTION_PRICING", "high"),
        (2557, None, "high"),
        (7, None, "high"),
        ("?", None, "high"),
    ],
)
def test_an_event_data_store_that_keeps_for_as_long_as_can_be(days: Any, billing: str | None, severity: str) -> None:
    found = told(
        "cloudtrail",
        "UpdateEventDataStore",
        {"eventDataStore": EVENT_DATA_STORE, "retentionPeriod": days},
        around=replace(OURS, protected=(EVENT_DATA_STORE,)),
        responseElements={"billingMode": billing},
    )

    assert found is not None
    assert found[0] == severity


@pytest.mark.parametrize(
    ("days", "severity"), [(3653, "informational"), (3652, "high"), (1, "high"), (None, "high"), ([3653], "high")]
)
def test_a_log_group_that_keeps_for_as_long_as_can_be(days: Any, severity: str) -> None:
    found = told(
        "logs",
        "PutRetentionPolicy",
        {"logGroupName": "aws-cloudtrail-logs", "retentionInDays": days},
        around=replace(OURS, protected=("aws-cloudtrail-logs",)),
    )

    assert found is not None
    assert found[0] == severity


@pytest.mark.parametrize(
    ("group", "words"),
    [
        ({"allSupported": False}, "only some types"),
        ({"recordingStrategy": {"useOnly": "INCLUSION_BY_RESOURCE_TYPES"}}, "only some types"),
        ({"recordingStrategy": {"useOnly": "EXCLUSION_BY_RESOURCE_TYPES"}}, "only some types"),
        ({"resourceTypes": ["AWS::EC2::Instance"]}, "only some types"),
        ({"exclusionByResourceTypes": {"resourceTypes": ["AWS::IAM::Role"]}}, "only some types"),
        ({"allSupported": True, "includeGlobalResourceTypes": False}, None),  # as in every region but one
        ({"allSupported": True, "includeGlobalResourceTypes": True, "resourceTypes": []}, None),
        ({"recordingStrategy": {"useOnly": "ALL_SUPPORTED_RESOURCE_TYPES"}}, None),
    ],
)
def test_a_recorder_that_records_less_than_everything(group: dict[str, Any], words: str | None) -> None:
    recorder = {"configurationRecorder": {"name": "default", "recordingGroup": group}}
    found = told("config", "PutConfigurationRecorder", recorder)

    assert (found is None) if words is None else (found is not None and found[0] == "medium" and words in found[1])


@pytest.mark.parametrize(
    ("more", "severity"),
    [
        ({"actionsEnabled": False, "alarmActions": ["arn"]}, "medium"),
        ({"actionsEnabled": True, "alarmActions": []}, "medium"),
        ({"alarmActions": [], "okActions": [], "insufficientDataActions": []}, "medium"),
        ({"alarmActions": ["arn"]}, None),
        ({"alarmActions": [], "insufficientDataActions": ["arn"]}, None),
        ({"actionsEnabled": True}, None),
    ],
)
def test_an_alarm_without_an_action_is_silent(more: dict[str, Any], severity: str | None) -> None:
    found = told("monitoring", "PutMetricAlarm", {"alarmName": "cis-StopLogging"} | more)

    assert found == (None if severity is None else (severity, "nobody is told any more when it goes off."))
