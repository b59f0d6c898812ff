from typing import Any

import pytest
from hypothesis import given

from stream.alert import Resource
from stream.detect.targets import TRAIL, Target, listed_resources, partition_of, target_of
from tests.detect.records import ACCOUNT, OTHER_ACCOUNT, record
from tests.detect.strategies import json_values, objects, texts

ARN = f"arn:aws:cloudtrail:us-east-1:{ACCOUNT}:trail/main"


def target(one: dict[str, Any], region: str = "us-east-1") -> Target:
    return target_of(one, account=ACCOUNT, region=region)


@pytest.mark.parametrize(
    "one",
    [
        record("StopLogging", {"name": "main"}),
        record("StopLogging", {"name": ARN}),
        record("PutEventSelectors", {"trailName": "main"}),
        record("UpdateTrail", {"name": "alias"}, responseElements={"trailARN": ARN}),
        record("AddTags", {"resourceId": ARN}),
        record("StopLogging", None, resources=[{"type": TRAIL, "ARN": ARN}]),
        record(
            "StopLogging", None, resources=[None, {"type": "AWS::S3::Bucket", "ARN": "x"}, {"type": TRAIL, "ARN": ARN}]
        ),
    ],
)
def test_a_trail_is_found_wherever_the_record_names_it(one: dict[str, Any]) -> None:
    assert target(one) == Target(Resource(TRAIL, ARN, protected=True), "trail main", protected=True)


@pytest.mark.parametrize(
    ("region", "partition"),
    [
        ("eu-west-1", "aws"),
        ("us-gov-west-1", "aws-us-gov"),
        ("cn-north-1", "aws-cn"),
        ("us-iso-east-1", "aws-iso"),
        ("us-isob-east-1", "aws-iso-b"),
        ("", "aws"),
    ],
)
def test_a_trails_arn_is_of_its_regions_partition(region: str, partition: str) -> None:
    assert partition_of(region) == partition
    resource = target(record("StopLogging", {"name": "main"}), region).resource
    assert resource is not None
    assert resource.arn == f"arn:{partition}:cloudtrail:{region}:{ACCOUNT}:trail/main"


def test_a_trail_of_another_account_is_said_to_be() -> None:
    arn = f"arn:aws:cloudtrail:us-east-1:{OTHER_ACCOUNT}:trail/org"

    assert target(record("StopLogging", {"name": arn})).words == f"trail org of account {OTHER_ACCOUNT}"


@pytest.mark.parametrize(
    ("kind", "type_", "words"),
    [
        ("eventdatastore", "AWS::CloudTrail::EventDataStore", "event data store x"),
        ("channel", "AWS::CloudTrail::Channel", "channel x"),
        ("dashboard", "AWS::CloudTrail::Dashboard", "dashboard x"),
    ],
)
def test_what_is_no_trail_is_not_protected(kind: str, type_: str, words: str) -> None:
    arn = f"arn:aws:cloudtrail:us-east-1:{ACCOUNT}:{kind}/x"

    assert target(record("AddTags", {"resourceId": arn})) == Target(Resource(type_, arn, False), words, False)


def test_a_trail_that_nobody_names_is_a_protected_one() -> None:
    found = target(record("StopLogging", None))

    assert (found.resource, found.protected) == (None, True)
    assert "could not be read" in found.words


def test_an_arn_that_is_none_is_taken_for_a_protected_trails() -> None:
    found = target(record("StopLogging", {"name": "arn:nonsense"}))

    assert found.resource == Resource(TRAIL, "arn:nonsense", protected=True)
    assert found.protected


def test_a_trails_name_is_shown_in_one_short_line() -> None:
    words = target(record("StopLogging", {"name": "ma\nin" + "x" * 1000})).words

    assert words.startswith("trail ma in")
    assert len(words) < 80


def test_resources_that_a_record_lists() -> None:
    one = {"resources": [{"type": "AWS::S3::Bucket", "ARN": "arn:aws:s3:::b"}, {"ARN": "arn:x"}, {"type": "t"}, 3]}

    assert listed_resources(one) == (
        Resource("AWS::S3::Bucket", "arn:aws:s3:::b", None),
        Resource("", "arn:x", None),
    )


@given(objects(requestParameters=objects(name=texts(), resourceId=texts()), resources=json_values()))
def test_no_record_is_too_odd_to_have_a_target(one: dict[str, Any]) -> None:
    assert target(one).words.isprintable()
    assert isinstance(listed_resources(one), tuple)
