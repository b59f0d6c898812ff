"""The queue, by what its attributes say."""

from collections.abc import Callable
from typing import Any

import pytest

from stream.aws import Aws
from stream.checks.outcome import Outcome
from stream.checks.queue import check_queue
from stream.settings import Settings
from tests.checks.aws_stub import DLQ_ARN, GOOD, QUEUE_ARN, AwsStub, attributes, sqs_error, statement


@pytest.fixture
def check(aws: Aws, stub: AwsStub) -> Callable[..., Any]:
    """The outcome of one check, or `None`."""

    async def run(name: str, **settings: Any) -> Outcome | None:
        configured = Settings(queue_url=f"{stub.url}/111122223333/trail", **settings)
        found = {outcome.check: outcome async for outcome in check_queue(aws, configured)}
        for outcome in found.values():
            assert outcome.status == "ok" or outcome.fix
        return found.get(name)

    return run


async def test_a_queue_that_may_not_be_used_comes_with_the_statement_that_allows_it(
    check: Callable[..., Any], stub: AwsStub
) -> None:
    stub.answers["GetQueueAttributes"] = sqs_error("AccessDenied", 403)
    outcome = await check("queue")

    assert outcome.status == "FAIL"
    assert statement(outcome) == {
        "Effect": "Allow",
        "Action": [
            "sqs:GetQueueAttributes",
            "sqs:ReceiveMessage",
            "sqs:DeleteMessage",
            "sqs:ChangeMessageVisibility",
        ],
        "Resource": QUEUE_ARN,
    }


@pytest.mark.parametrize("code", ["QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue"])
async def test_a_queue_that_is_not_there(check: Callable[..., Any], stub: AwsStub, code: str) -> None:
    stub.answers["GetQueueAttributes"] = sqs_error(code)
    outcome = await check("queue")

    assert outcome.status == "FAIL"
    assert "there is none with this URL" in outcome.evidence


async def test_credentials_that_sqs_refuses_are_not_a_missing_permission(
    check: Callable[..., Any], stub: AwsStub
) -> None:
    stub.answers["GetQueueAttributes"] = sqs_error("InvalidClientTokenId", 403)
    outcome = await check("queue")

    assert outcome.evidence == "SQS refuses the credentials: InvalidClientTokenId"


@pytest.mark.parametrize(("require", "status"), [(True, "FAIL"), (False, "warn")])
async def test_a_queue_without_a_redrive_policy(
    check: Callable[..., Any], stub: AwsStub, require: bool, status: str
) -> None:
    stub.answers["GetQueueAttributes"] = attributes(**{n: v for n, v in GOOD.items() if n != "RedrivePolicy"})
    outcome = await check("redrive policy", require_dlq=require)

    assert outcome.status == status
    assert "maxReceiveCount" in outcome.fix
    assert await check("dead-letter queue") is None


@pytest.mark.parametrize(
    ("policy", "status"),
    [
        ({"deadLetterTargetArn": DLQ_ARN, "maxReceiveCount": "4"}, "warn"),
        ({"deadLetterTargetArn": DLQ_ARN, "maxReceiveCount": 5}, "ok"),
        ({"deadLetterTargetArn": DLQ_ARN}, "warn"),
        ("nonsense", "FAIL"),
        ("[]", "FAIL"),
    ],
)
async def test_few_receives_are_a_warning(check: Callable[..., Any], stub: AwsStub, policy: Any, status: str) -> None:
    stub.answers["GetQueueAttributes"] = attributes(**GOOD | {"RedrivePolicy": policy})

    assert (await check("redrive policy")).status == status


@pytest.mark.parametrize(
    ("own", "ours", "status"), [("30", None, "warn"), ("30", 60, "ok"), ("60", None, "ok"), ("300", 59, "warn")]
)
async def test_a_short_visibility_timeout_is_a_warning(
    check: Callable[..., Any], stub: AwsStub, own: str, ours: int | None, status: str
) -> None:
    stub.answers["GetQueueAttributes"] = attributes(**GOOD | {"VisibilityTimeout": own})

    assert (await check("visibility timeout", visibility_timeout=ours)).status == status


@pytest.mark.parametrize(
    ("key", "status"), [("alias/aws/sqs", "warn"), ("arn:aws:kms:us-east-1:111122223333:key/k", "ok")]
)
async def test_a_key_that_services_may_not_use_is_a_warning(
    check: Callable[..., Any], stub: AwsStub, key: str, status: str
) -> None:
    assert await check("encryption") is None
    stub.answers["GetQueueAttributes"] = attributes(**GOOD | {"KmsMasterKeyId": key})

    assert (await check("encryption")).status == status


async def test_messages_in_the_dead_letter_queue_are_a_warning(check: Callable[..., Any], stub: AwsStub) -> None:
    outcome = await check("dead-letter queue")
    assert (outcome.status, outcome.evidence) == ("warn", "about 7 messages failed and wait there")

    stub.answers["GetQueueAttributes"] = attributes(**GOOD | {"ApproximateNumberOfMessages": "0"})
    assert (await check("dead-letter queue")).status == "ok"


async def test_a_dead_letter_queue_that_may_not_be_looked_at_or_is_not_there(
    check: Callable[..., Any], stub: AwsStub
) -> None:
    stub.answers["GetQueueUrl"] = sqs_error("AccessDenied", 403)
    outcome = await check("dead-letter queue")
    assert outcome.status == "warn"
    assert statement(outcome) == {
        "Effect": "Allow",
        "Action": ["sqs:GetQueueUrl", "sqs:GetQueueAttributes"],
        "Resource": DLQ_ARN,
    }

    stub.answers["GetQueueUrl"] = sqs_error("QueueDoesNotExist")
    assert (await check("dead-letter queue")).status == "FAIL"
