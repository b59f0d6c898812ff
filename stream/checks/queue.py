"""The queue: that it is there, and set up so that nothing is lost and nothing comes back for ever."""

import json
from collections.abc import AsyncIterator
from typing import Any, Final

from stream.aws import Aws, queue_region
from stream.checks.outcome import AWS_ERRORS, Outcome, allow, error_code, is_forbidden
from stream.intake.faults import reason_of
from stream.intake.sqs import queue_arn
from stream.settings import Settings

CONSUMER_ACTIONS: Final = (
    "sqs:GetQueueAttributes",
    "sqs:ReceiveMessage",
    "sqs:DeleteMessage",
    "sqs:ChangeMessageVisibility",
)
_FEW_RECEIVES: Final = 5  # each roll-out releases messages, and each release costs a receive
_SHORT_VISIBILITY_S: Final = 60
_AWS_MANAGED_KEY: Final = "alias/aws/sqs"


async def check_queue(aws: Aws, settings: Settings) -> AsyncIterator[Outcome]:
    """Everything about the queue that its attributes say."""
    url = settings.queue_url or ""
    region = queue_region(url) or aws.region
    arn = queue_arn(url, region)
    try:
        async with aws.client("sqs", region=region, attempts=2) as sqs:
            answer = await sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])
            attributes: dict[str, str] = answer.get("Attributes", {})
            yield _reachable(attributes, arn)
            for outcome in (_redrive(attributes, settings), _visibility(attributes, settings), _encryption(attributes)):
                if outcome is not None:
                    yield outcome
            async for outcome in _dead_letters(sqs, attributes):
                yield outcome
    except AWS_ERRORS as error:
        yield unreachable(error, arn, region)


def _reachable(attributes: dict[str, str], arn: str) -> Outcome:
    counts = [attributes.get(f"ApproximateNumberOfMessages{state}", "?") for state in ("", "NotVisible", "Delayed")]
    evidence = "{}: about {} waiting, {} in flight, {} delayed".format(attributes.get("QueueArn", arn), *counts)
    return Outcome("queue", "ok", evidence)


def unreachable(error: BaseException, arn: str, region: str) -> Outcome:
    """Why the queue of TRAILSTREAM_QUEUE_URL can't be used, by one of `AWS_ERRORS`."""
    code = error_code(error)
    if reason_of(code) == "no_queue":
        return Outcome(
            "queue", "FAIL", f"there is none with this URL in {region} ({code})", "Correct TRAILSTREAM_QUEUE_URL."
        )
    if is_forbidden(error):
        return Outcome("queue", "FAIL", f"{code} on {arn}", allow((CONSUMER_ACTIONS, arn)))
    if reason_of(code) == "forbidden":
        return Outcome("queue", "FAIL", f"SQS refuses the credentials: {code}", "Renew the credentials.")
    return Outcome(
        "queue",
        "FAIL",
        f"no answer from SQS in {region}: {code}",
        "Allow traffic to SQS there (a NAT gateway or a VPC endpoint); look at TRAILSTREAM_QUEUE_URL, AWS_REGION and "
        "AWS_ENDPOINT_URL.",
    )


def _redrive(attributes: dict[str, str], settings: Settings) -> Outcome:
    policy = _policy(attributes)
    if policy is None:
        return Outcome(
            "redrive policy",
            "FAIL" if settings.require_dlq else "warn",
            "none: a message that can't be worked on comes back until it expires",
            "Make a dead-letter queue and set the queue's RedrivePolicy to "
            '{"deadLetterTargetArn": "<its ARN>", "maxReceiveCount": 10}.'
            + (" TRAILSTREAM_REQUIRE_DLQ=false runs without." if settings.require_dlq else ""),
        )
    receives = policy.get("maxReceiveCount")
    evidence = f"after {receives} receives to {policy.get('deadLetterTargetArn')}"
    try:
        few = int(str(receives)) < _FEW_RECEIVES
    except ValueError:
        few = True
    if few:
        return Outcome(
            "redrive policy",
            "warn",
            evidence,
            "Each release of a message costs a receive: a few roll-outs send good messages to the dead-letter queue. "
            "Set maxReceiveCount to 10.",
        )
    return Outcome("redrive policy", "ok", evidence)


def _policy(attributes: dict[str, str]) -> dict[str, Any] | None:
    try:
        policy = json.loads(attributes.get("RedrivePolicy", ""))
    except ValueError:
        return None
    return policy if isinstance(policy, dict) and policy.get("deadLetterTargetArn") else None


def _visibility(attributes: dict[str, str], settings: Settings) -> Outcome:
    own = settings.visibility_timeout
    seconds = own or int(attributes.get("VisibilityTimeout", 30))
    evidence = f"{seconds} s, by {'TRAILSTREAM_VISIBILITY_TIMEOUT' if own else 'the queue'}"
    if seconds >= _SHORT_VISIBILITY_S:
        return Outcome("visibility timeout", "ok", evidence)
    if not seconds:
        return Outcome(
            "visibility timeout",
            "FAIL",
            evidence,
            "Every message would be handed out again while it is worked on, and `run` refuses that. Set "
            "TRAILSTREAM_VISIBILITY_TIMEOUT=120, or the queue's VisibilityTimeout.",
        )
    return Outcome(
        "visibility timeout",
        "warn",
        evidence,
        "It is extended at half time, so that a pause of a few seconds may lose the message to another replica. "
        "Set TRAILSTREAM_VISIBILITY_TIMEOUT=120, or the queue's VisibilityTimeout.",
    )


def _encryption(attributes: dict[str, str]) -> Outcome | None:
    key = attributes.get("KmsMasterKeyId")
    if not key:
        return None
    if key.endswith(_AWS_MANAGED_KEY):
        return Outcome(
            "encryption",
            "warn",
            f"by {key}, which neither S3 nor SNS nor EventBridge may use: their messages never arrive",
            "Use a customer key whose policy gives the sending service kms:GenerateDataKey and kms:Decrypt, or SQS's "
            "own keys (SqsManagedSseEnabled).",
        )
    return Outcome("encryption", "ok", f"by {key}; kms:Decrypt on it is not tried, since that would take a message")


async def _dead_letters(sqs: Any, attributes: dict[str, str]) -> AsyncIterator[Outcome]:
    arn = str((_policy(attributes) or {}).get("deadLetterTargetArn", ""))
    if arn.count(":") != 5:
        return
    *_, account_id, name = arn.split(":")
    try:
        found = await sqs.get_queue_url(QueueName=name, QueueOwnerAWSAccountId=account_id)
        answer = await sqs.get_queue_attributes(
            QueueUrl=found["QueueUrl"], AttributeNames=["ApproximateNumberOfMessages"]
        )
    except AWS_ERRORS as error:
        code = error_code(error)
        if reason_of(code) == "no_queue":
            yield Outcome("dead-letter queue", "FAIL", f"there is no {arn}", "Make it: failed messages are lost now.")
            return
        fix = allow((("sqs:GetQueueUrl", "sqs:GetQueueAttributes"), arn)) if is_forbidden(error) else None
        yield Outcome("dead-letter queue", "warn", f"its depth can't be had: {code}", fix)
        return
    waiting = answer.get("Attributes", {}).get("ApproximateNumberOfMessages", "0")
    if waiting == "0":
        yield Outcome("dead-letter queue", "ok", "empty")
    else:
        yield Outcome(
            "dead-letter queue",
            "warn",
            f"about {waiting} messages failed and wait there",
            "Look why (the log names bucket and key), then move them back: aws sqs start-message-move-task.",
        )
