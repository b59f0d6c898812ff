"""The ledger, by what DynamoDB says of its table; nothing is written to look."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from stream.aws import Aws
from stream.checks.ledger import check_memory, check_table
from stream.checks.outcome import Outcome
from stream.configuration import load
from stream.settings import Settings
from tests.checks.aws_stub import Answer, AwsStub, statement

TABLE_ARN = "arn:aws:dynamodb:us-east-1:111122223333:table/trail"
ANY_ACCOUNT = TABLE_ARN.replace("111122223333", "*")


def described(key: str = "id", type_: str = "S", kind: str = "HASH", status: str = "ACTIVE") -> Answer:
    table = {
        "TableArn": TABLE_ARN,
        "TableStatus": status,
        "KeySchema": [{"AttributeName": key, "KeyType": kind}],
        "AttributeDefinitions": [{"AttributeName": key, "AttributeType": type_}],
    }
    return 200, {}, json.dumps({"Table": table})


def expiring(status: str, attribute: str | None = None) -> Answer:
    found = {"TimeToLiveStatus": status} | ({"AttributeName": attribute} if attribute else {})
    return 200, {}, json.dumps({"TimeToLiveDescription": found})


def error(code: str, status: int = 400) -> Answer:
    return status, {}, json.dumps({"__type": f"com.amazonaws.dynamodb.v20120810#{code}", "message": "hunter2"})


@pytest.fixture
def check(aws: Aws, stub: AwsStub) -> Callable[[], Any]:
    """All outcomes by name; by default all is well."""
    refused = error("ConditionalCheckFailedException")  # as of a write that needs an item that isn't there
    stub.answers |= {
        "DescribeTable": described(),
        "DescribeTimeToLive": expiring("ENABLED", "expires_at"),
        "GetItem": (200, {}, "{}"),
        "PutItem": refused,
        "DeleteItem": refused,
    }

    async def run() -> dict[str, Outcome]:
        found = {outcome.check: outcome async for outcome in check_table(aws, Settings(ledger="dynamodb://trail"))}
        for outcome in found.values():
            assert "hunter2" not in f"{outcome}"
        return found

    return run


async def test_a_table_as_it_should_be(check: Callable[[], Any]) -> None:
    found = await check()

    assert list(found) == ["ledger", "ledger's expiry", "ledger's permissions"]
    assert {outcome.status for outcome in found.values()} == {"ok"}
    assert TABLE_ARN in found["ledger"].evidence


async def test_a_table_that_is_not_there(check: Callable[[], Any], stub: AwsStub) -> None:
    stub.answers["DescribeTable"] = error("ResourceNotFoundException")
    found = await check()

    assert list(found) == ["ledger"]
    assert found["ledger"].status == "FAIL"
    assert "partition key `id` (String)" in found["ledger"].fix


@pytest.mark.parametrize(
    "answer", [described(key="pk"), described(type_="N"), described(kind="RANGE"), described(status="CREATING")]
)
async def test_a_table_that_can_not_be_used(check: Callable[[], Any], stub: AwsStub, answer: Answer) -> None:
    stub.answers["DescribeTable"] = answer

    assert [outcome.status for outcome in (await check()).values()] == ["FAIL"]


@pytest.mark.parametrize("answer", [expiring("DISABLED"), expiring("ENABLED", "ttl")])
async def test_a_table_that_would_grow_for_ever_is_a_warning(
    check: Callable[[], Any], stub: AwsStub, answer: Answer
) -> None:
    stub.answers["DescribeTimeToLive"] = answer
    outcome = (await check())["ledger's expiry"]

    assert outcome.status == "warn"
    assert "expires_at" in outcome.fix


async def test_what_may_not_be_looked_at_is_a_warning_and_the_rest_is_tried(
    check: Callable[[], Any], stub: AwsStub
) -> None:
    stub.answers["DescribeTable"] = error("AccessDeniedException")
    found = await check()

    assert found["ledger"].status == "warn"
    assert statement(found["ledger"]) == {
        "Effect": "Allow",
        "Action": ["dynamodb:DescribeTable", "dynamodb:DescribeTimeToLive"],
        "Resource": ANY_ACCOUNT,
    }
    assert found["ledger's permissions"].status == "ok"
    stub.answers["GetItem"] = error("ValidationException")
    assert (await check())["ledger's permissions"].status == "FAIL"


@pytest.mark.parametrize("operation", ["GetItem", "PutItem", "DeleteItem"])
async def test_a_missing_permission_comes_with_the_statement_that_allows_all(
    check: Callable[[], Any], stub: AwsStub, operation: str
) -> None:
    stub.answers[operation] = error("AccessDeniedException")
    outcome = (await check())["ledger's permissions"]

    assert (outcome.status, outcome.evidence) == ("FAIL", f"refused: dynamodb:{operation}")
    assert statement(outcome) == {
        "Effect": "Allow",
        "Action": ["dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:DeleteItem"],
        "Resource": ANY_ACCOUNT,
    }


@pytest.mark.parametrize("code", ["UnrecognizedClientException", "SomethingElse"])
async def test_other_answers_are_told_by_their_code(check: Callable[[], Any], stub: AwsStub, code: str) -> None:
    stub.answers["DescribeTable"] = error(code)
    outcome = (await check())["ledger"]

    assert outcome.status == "FAIL"
    assert code in outcome.evidence
    assert outcome.fix


def test_memory_is_a_warning_where_people_would_be_told_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRAILSTREAM_STDOUT", "true")
    assert check_memory(load(need_queue=False, need_channel=False).instances) is None

    monkeypatch.setenv("TRAILSTREAM_SLACK_WEBHOOK_URL", "https://hooks.slack.com/services/T/B/x")
    outcome = check_memory(load(need_queue=False, need_channel=False).instances)
    assert outcome is not None
    assert outcome.status == "warn"
    assert "slack" in outcome.evidence
    assert "TRAILSTREAM_LEDGER=dynamodb://<table>" in (outcome.fix or "")
