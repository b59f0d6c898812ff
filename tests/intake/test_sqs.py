"""What SQS answers, in plain values: reasons for errors, ARNs, attributes."""

import json

import aiohttp
import pytest
from botocore.exceptions import (
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    NoCredentialsError,
    ParamValidationError,
    ReadTimeoutError,
)
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from stream.intake.faults import FAILURES, Reason, SqsError, Streak, reason_of, sqs_error
from stream.intake.sqs import Sqs, queue_arn
from stream.intake.wire import SqsWire
from stream.metrics import ERRORS, Metrics
from tests.intake.conftest import aws
from tests.intake.sqs_stub import DEAD_LETTER_ARN, SqsStub, garbage

MESSAGE = {"MessageId": "a", "ReceiptHandle": "b", "Body": "c"}


def client_error(code: str, status: int = 400) -> ClientError:
    return ClientError(
        {"Error": {"Code": code, "Message": "SECRET"}, "ResponseMetadata": {"HTTPStatusCode": status}},
        "ReceiveMessage",
    )


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (client_error("AWS.SimpleQueueService.NonExistentQueue"), "no_queue"),
        (client_error("QueueDoesNotExist"), "no_queue"),
        (client_error("AWS.SimpleQueueService.QueueDeletedRecently"), "no_queue"),
        (client_error("InvalidAddress", 404), "no_queue"),
        (client_error("RequestThrottled", 403), "throttled"),
        (client_error("ThrottlingException"), "throttled"),
        (client_error("KmsThrottled"), "throttled"),
        (client_error("OverLimit", 403), "throttled"),
        (client_error("AccessDenied", 403), "forbidden"),
        (client_error("KMS.AccessDeniedException"), "forbidden"),
        (client_error("InvalidClientTokenId", 403), "forbidden"),
        (client_error("SomethingNew", 403), "forbidden"),
        (client_error("InternalFailure", 500), "other"),
        (client_error("ReceiptHandleIsInvalid"), "other"),  # of a whole request
        (NoCredentialsError(), "forbidden"),
        (EndpointConnectionError(endpoint_url="https://SECRET/"), "connection"),
        (ConnectTimeoutError(endpoint_url="https://SECRET/"), "connection"),
        (ReadTimeoutError(endpoint_url="https://SECRET/"), "connection"),
        (aiohttp.ClientPayloadError("SECRET"), "connection"),
        (ConnectionResetError("SECRET"), "connection"),
        (TimeoutError(), "connection"),
        (ParamValidationError(report="SECRET"), "other"),
    ],
    ids=repr,
)
def test_every_failure_comes_down_to_a_reason_and_gives_away_no_text(error: BaseException, reason: str) -> None:
    assert isinstance(error, FAILURES)
    found = sqs_error(error)
    assert found.reason == reason
    assert "SECRET" not in str(found)
    assert reason in ERRORS["receive"]
    assert reason in ERRORS["settle"]


@pytest.mark.parametrize(
    "code",
    [
        "ReceiptHandleIsInvalid",
        "MessageNotInflight",
        "AWS.SimpleQueueService.MessageNotInflight",
        "InvalidParameterValue",
    ],
)
def test_a_handle_is_dead_however_sqs_puts_it(code: str) -> None:
    assert reason_of(code) == "handle_expired"


@given(st.text(), st.integers(0, 599))
def test_every_code_has_a_reason(code: str, status: int) -> None:
    reason: Reason = reason_of(code, status)
    assert reason in ERRORS["settle"]


@pytest.mark.parametrize(
    ("url", "region", "arn"),
    [
        (
            "https://sqs.eu-west-1.amazonaws.com/111122223333/trail",
            "eu-west-1",
            "arn:aws:sqs:eu-west-1:111122223333:trail",
        ),
        (
            "https://sqs.us-gov-west-1.amazonaws.com/111122223333/trail",
            "us-gov-west-1",
            "arn:aws-us-gov:sqs:us-gov-west-1:111122223333:trail",
        ),
        (
            "https://sqs.cn-north-1.amazonaws.com.cn/111122223333/trail",
            "cn-north-1",
            "arn:aws-cn:sqs:cn-north-1:111122223333:trail",
        ),
        ("http://localhost:4566/111122223333/trail/", "us-east-1", "arn:aws:sqs:us-east-1:111122223333:trail"),
        ("http://localhost:4566/trail", "us-east-1", "arn:aws:sqs:us-east-1:*:trail"),
    ],
)
def test_a_queues_arn_is_in_its_url(url: str, region: str, arn: str) -> None:
    assert queue_arn(url, region) == arn


@pytest.mark.parametrize(
    ("policy", "redrive", "arn"),
    [
        (json.dumps({"deadLetterTargetArn": DEAD_LETTER_ARN, "maxReceiveCount": "10"}), True, DEAD_LETTER_ARN),
        (None, False, None),
        ("not JSON", True, None),
        ("[]", True, None),
        ('{"deadLetterTargetArn": 5}', True, None),
        ('{"deadLetterTargetArn": "trail-dead"}', True, None),
    ],
)
async def test_the_dead_letter_queue_is_what_the_redrive_policy_names(
    stub: SqsStub, policy: str | None, redrive: bool, arn: str | None
) -> None:
    del stub.attributes["RedrivePolicy"]
    if policy is not None:
        stub.attributes["RedrivePolicy"] = policy
    async with aws(Metrics()).client("sqs") as client:
        attributes = await Sqs(stub.url, wire=client, request_s=5.0).attributes()
    assert (attributes.redrive, attributes.dead_letter_arn) == (redrive, arn)


@pytest.mark.parametrize(
    ("operation", "text"),
    [
        ("ReceiveMessage", '{"Messages": 5}'),
        ("ReceiveMessage", '{"Messages": [{"MessageId": "SECRET"}]}'),
        ("ReceiveMessage", json.dumps({"Messages": [MESSAGE | {"Attributes": {"ApproximateReceiveCount": "SECRET"}}]})),
        ("ReceiveMessage", json.dumps({"Messages": [MESSAGE | {"Attributes": {"SentTimestamp": "9" * 400}}]})),
        ("ReceiveMessage", json.dumps({"Messages": [MESSAGE | {"MessageAttributes": []}]})),
        ("GetQueueAttributes", '{"Attributes": ["SECRET"]}'),
        ("GetQueueAttributes", '{"Attributes": {"QueueArn": 5}}'),
        ("GetQueueAttributes", '{"Attributes": {"VisibilityTimeout": "SECRET"}}'),
        ("GetQueueUrl", "{}"),
        ("GetQueueUrl", '{"QueueUrl": {}}'),
    ],
)
async def test_json_that_is_no_answer_is_a_failure_of_its_request(stub: SqsStub, operation: str, text: str) -> None:
    stub.always[operation] = garbage(text)
    found = aws(Metrics())
    async with found.http(stall_s=5) as http:
        wire = SqsWire(found, http, endpoint=stub.endpoint, region="us-east-1")
        sqs = Sqs(stub.url, wire=wire, request_s=5.0)
        ask = {
            "ReceiveMessage": sqs.receive(1, wait_s=0, visibility_timeout_s=None),
            "GetQueueAttributes": sqs.attributes(),
            "GetQueueUrl": sqs.depth_of(DEAD_LETTER_ARN),
        }
        with pytest.raises(SqsError) as failed:
            await ask.pop(operation)
        for other in ask.values():
            other.close()

    assert failed.value.reason == "other"
    assert "SECRET" not in str(failed.value)
    assert sqs.last_success == sqs.last_receive == float("-inf")


def test_a_row_of_failures_is_one_line_a_minute_and_one_when_it_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr("stream.intake.faults.time.monotonic", lambda: now)
    streak = Streak("failing", "over")
    with capture_logs() as logs:
        streak.ended()
        for _ in range(100):
            streak.failed(reason="other")
        streak.ended()
        streak.ended()
        for _ in range(5):  # it flaps
            streak.failed(reason="other")
            streak.ended()
        now += 61
        streak.failed(reason="other")
    assert [(entry["event"], entry.get("failures")) for entry in logs] == [
        ("failing", 1),
        ("over", None),
        ("failing", 105),
    ]
