"""The trails: which can be spared, and what it costs not to be told."""

import json

import pytest

from stream.aws import Aws
from stream.checks.outcome import Outcome
from stream.checks.trails import check_trails
from stream.settings import Settings
from tests.checks.aws_stub import Answer, AwsStub

ARN = "arn:aws:cloudtrail:us-east-1:111122223333:trail/"
LISTED: Answer = (
    200,
    {},
    json.dumps(
        {
            "trailList": [
                {"TrailARN": ARN + name, "IsMultiRegionTrail": True, "IncludeGlobalServiceEvents": True}
                for name in ("main", "other")
            ]
        }
    ),
)
LOGGING: Answer = (200, {}, json.dumps({"IsLogging": True}))
REFUSED: Answer = (400, {}, json.dumps({"__type": "AccessDeniedException"}))


async def look(aws: Aws, *protected: str) -> list[Outcome]:
    return [outcome async for outcome in check_trails(aws, Settings(protected=protected))]


async def test_nothing_is_asked_where_the_trails_are_named(aws: Aws, stub: AwsStub) -> None:
    assert await look(aws, "main") == []
    assert stub.asked == []


async def test_each_trail_is_told_with_whether_it_can_be_spared(aws: Aws, stub: AwsStub) -> None:
    stub.answers.update(DescribeTrails=LISTED, GetTrailStatus=LOGGING)
    (outcome,) = await look(aws, "trails")

    assert outcome.status == "ok"
    assert f"{ARN}other (of an account, all regions, recording, can be spared)" in outcome.evidence


@pytest.mark.parametrize("refused", ["DescribeTrails", "GetTrailStatus"])
async def test_a_refusal_says_what_it_costs_and_how_it_is_allowed(aws: Aws, stub: AwsStub, refused: str) -> None:
    stub.answers.update({"DescribeTrails": LISTED, "GetTrailStatus": LOGGING, refused: REFUSED})
    (outcome,) = await look(aws, "trails", "main")

    assert outcome.status == "warn"
    assert "every trail is taken for one that is needed" in outcome.evidence
    assert "cloudtrail:GetTrailStatus" in (outcome.fix or "")


async def test_an_account_without_a_trail_is_worth_a_word(aws: Aws, stub: AwsStub) -> None:
    stub.answers.update(DescribeTrails=(200, {}, json.dumps({"trailList": []})))
    (outcome,) = await look(aws, "trails")

    assert (outcome.status, outcome.evidence) == ("warn", "none records this account in us-east-1")
