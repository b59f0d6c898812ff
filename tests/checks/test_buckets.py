"""The buckets, by how they answer for an object that isn't there."""

from collections.abc import Callable
from typing import Any

import pytest

from stream.aws import Aws
from stream.checks.buckets import check_buckets
from stream.checks.outcome import Outcome
from stream.settings import Settings
from tests.checks.aws_stub import AwsStub, statement, xml_error


@pytest.fixture
def check(aws: Aws, stub: AwsStub) -> Callable[..., Any]:
    """The outcome for the bucket `acme`, or for others."""
    assert stub.url

    async def run(bucket: str = "acme") -> Outcome:
        (outcome,) = [found async for found in check_buckets(aws, Settings(buckets=(bucket,)))]
        assert outcome.check == f"bucket {bucket}"
        assert outcome.status == "ok" or outcome.fix
        return outcome

    return run


async def test_a_random_missing_key_that_answers_404_is_as_it_should_be(
    check: Callable[..., Any], stub: AwsStub
) -> None:
    outcome = await check()

    assert (outcome.status, outcome.evidence) == (
        "ok",
        "readable in eu-west-1: a random missing key answers 404",
    )
    assert stub.asked == ["HeadBucket", "GetObject"]


async def test_listing_that_is_allowed_below_a_prefix_only_will_do(check: Callable[..., Any], stub: AwsStub) -> None:
    stub.answers["HeadBucket"] = (403, {}, "")

    assert (await check()).status == "ok"


async def test_a_bucket_that_may_not_be_listed_is_a_warning_with_the_statements_that_allow_it(
    check: Callable[..., Any], stub: AwsStub
) -> None:
    stub.answers["HeadBucket"] = (403, {"x-amz-bucket-region": "eu-west-1"}, "")
    stub.answers["GetObject"] = xml_error("AccessDenied", 403)
    outcome = await check()

    assert outcome.status == "warn"
    assert "s3:ListBucket is missing" in outcome.evidence
    assert statement(outcome) == [
        {"Effect": "Allow", "Action": ["s3:ListBucket"], "Resource": "arn:aws:s3:::acme"},
        {"Effect": "Allow", "Action": ["s3:GetObject", "s3:GetObjectVersion"], "Resource": "arn:aws:s3:::acme/*"},
    ]


async def test_a_bucket_whose_objects_may_not_be_read_fails(check: Callable[..., Any], stub: AwsStub) -> None:
    stub.answers["GetObject"] = xml_error("AccessDenied", 403)
    outcome = await check()

    assert outcome.status == "FAIL"
    assert statement(outcome)["Action"] == ["s3:GetObject", "s3:GetObjectVersion"]


@pytest.mark.parametrize(("region", "partition"), [("cn-north-1", "aws-cn"), ("us-gov-west-1", "aws-us-gov")])
async def test_arns_are_those_of_the_regions_partition(
    check: Callable[..., Any], stub: AwsStub, region: str, partition: str
) -> None:
    stub.answers["HeadBucket"] = (200, {"x-amz-bucket-region": region}, "")
    stub.answers["GetObject"] = xml_error("AccessDenied", 403)

    assert statement(await check())["Resource"] == f"arn:{partition}:s3:::acme/*"


async def test_a_bucket_that_is_not_there(check: Callable[..., Any], stub: AwsStub) -> None:
    stub.answers["HeadBucket"] = (404, {}, "")
    stub.answers["GetObject"] = xml_error("NoSuchBucket", 404)
    outcome = await check()

    assert (outcome.status, outcome.evidence) == ("FAIL", "there is no such bucket")


async def test_an_answer_that_nobody_expects_is_shown_by_its_code_alone(
    check: Callable[..., Any], stub: AwsStub
) -> None:
    stub.answers["GetObject"] = xml_error("Oops", 400)
    outcome = await check()

    assert (outcome.status, outcome.evidence) == ("FAIL", "S3 answers Oops in eu-west-1")


async def test_what_has_any_key_is_hardly_a_bucket(check: Callable[..., Any], stub: AwsStub) -> None:
    stub.answers["GetObject"] = (200, {}, "here")

    assert (await check()).status == "warn"


async def test_globs_are_said_to_be_unchecked(check: Callable[..., Any], stub: AwsStub) -> None:
    some, every = await check("acme-*"), await check("*")

    assert (some.status, every.status) == ("ok", "warn")
    assert "not checked" in some.evidence
    assert stub.asked == []
