import json
from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest
from hypothesis import given, settings

from stream.alert import Alert, Resource
from stream.deliver.channel import Accepted, Answer, Down, Rejected, Retry
from stream.deliver.channels.sns import SnsChannel, SnsSettings, attributes_of, message, subject
from stream.environment import load
from stream.errors import ConfigError
from tests.deliver.alerts import TRAIL, alerts, make_alert
from tests.deliver.aws import SNS_TAKEN, aws, faults_of_parameters, sns_error
from tests.deliver.channels.attacks import ATTACKS, hostile
from tests.receiver import Receiver

TOPIC = "arn:aws:sns:us-east-1:111122223333:alerts"


def _faults(alert: Alert, *, minimal: bool = False) -> list[str]:
    """What SNS's documents have against the message of an alert."""
    made = message(alert, TOPIC + ".fifo", minimal=minimal)
    attributes = made["MessageAttributes"]
    size = len(made["Message"].encode()) + sum(
        len((name + each["DataType"] + each["StringValue"]).encode()) for name, each in attributes.items()
    )
    title = made.get("Subject", "x")
    checks = {
        "parameters": faults_of_parameters("sns", "Publish", {"TopicArn": TOPIC, **made}) == "",
        "size": size <= 262_144,
        "json": orjson.loads(made["Message"])["severity"] == alert.severity,
        "attributes": 0 < len(attributes) <= 10,
        "values": all(each["StringValue"] and each["StringValue"].isprintable() for each in attributes.values()),
        "subject": title.isascii() and title.isprintable() and title[0].isalpha() and len(title) < 100,
        "group": 0 < len(made["MessageGroupId"]) <= 128 and made["MessageGroupId"].isascii(),
        "deduplication": 0 < len(made["MessageDeduplicationId"]) <= 128 and made["MessageDeduplicationId"].isascii(),
    }
    return [name for name, kept in checks.items() if not kept]


async def _channel(topic: str) -> SnsChannel:
    return SnsChannel(SnsSettings.model_validate({"topic_arn": topic, "timeout": 20}), aws=aws())


@pytest.fixture
async def stub(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[SnsChannel]:
    """A channel whose SNS answers as it is told."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_SNS", receiver.url)
    made = await _channel(TOPIC)
    yield made
    await made.aclose()


async def _subscribed(sns: Any, sqs: Any, name: str, policy: dict[str, Any] | None = None) -> tuple[str, str]:
    """A topic, and a queue that gets what the policy lets through."""
    fifo = {"FifoTopic": "true"} if name.endswith(".fifo") else {}
    topic = (await sns.create_topic(Name=name, Attributes=fifo))["TopicArn"]
    attributes = {"FifoQueue": "true"} if fifo else {}
    queue = (await sqs.create_queue(QueueName=name, Attributes=attributes))["QueueUrl"]
    subscription = {"FilterPolicy": json.dumps(policy)} if policy else {}
    arn = topic.replace(":sns:", ":sqs:")
    await sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes=subscription)
    return topic, queue


@pytest.mark.usefixtures("aws_environ")
async def test_alerts_arrive_in_a_subscribed_queue_by_its_filter() -> None:
    async with aws().client("sns") as sns, aws().client("sqs") as sqs:
        topic, queue = await _subscribed(sns, sqs, "sns-alerts", {"severity": ["critical"], "event": ["StopLogging"]})
        channel = await _channel(topic)
        assert await channel.probe() == Accepted()
        assert await channel.send(make_alert("a", severity="low")) == Accepted()
        assert await channel.send(hostile(ATTACKS["terminal"])) == Accepted()
        assert await channel.send(make_alert("b")) == Accepted()
        await channel.aclose()
        (received,) = (await sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=5))["Messages"]
    envelope = json.loads(received["Body"])
    assert envelope["Message"] == make_alert("b").to_json().decode()
    assert envelope["Subject"] == "CRITICAL: Logging of trail main was stopped (prod)"
    assert {name: each["Value"] for name, each in envelope["MessageAttributes"].items()} == {
        "id": "b",
        "severity": "critical",
        "rule": "ct-013",
        "event": "StopLogging",
        "source": "cloudtrail.amazonaws.com",
        "account": "111122223333",
        "region": "eu-west-1",
        "outcome": "success",
        "actor_type": "AssumedRole",
        "provenance": "log_file",
    }


@pytest.mark.usefixtures("aws_environ")
async def test_a_fifo_topic_drops_what_is_sent_twice_and_a_missing_topic_is_noticed() -> None:
    async with aws().client("sns") as sns, aws().client("sqs") as sqs:
        topic, queue = await _subscribed(sns, sqs, "sns-alerts.fifo")
        channel = await _channel(topic)
        for alert in (make_alert("a"), make_alert("a"), make_alert("b")):
            assert await channel.send(alert) == Accepted()
        await channel.aclose()
        messages = (await sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10, WaitTimeSeconds=5))["Messages"]
        assert [json.loads(json.loads(each["Body"])["Message"])["id"] for each in messages] == ["a", "b"]
    missing = await _channel(TOPIC + "-missing")
    assert await missing.probe() == Down("not_found")
    assert await missing.send(make_alert()) == Down("not_found")
    await missing.aclose()


async def test_answers_are_classified(stub: SnsChannel, receiver: Receiver) -> None:
    answers: dict[tuple[str, int], Answer] = {
        ("AuthorizationError", 403): Down("forbidden"),
        ("InternalError", 500): Retry("server_error"),
        ("InvalidParameter", 400): Rejected("bad_request"),
        ("ParameterValueInvalid", 400): Rejected("bad_request"),
        ("InvalidSecurity", 403): Down("unauthorized"),
        ("KMSAccessDenied", 400): Down("forbidden"),
        ("KMSDisabled", 400): Down("other"),
        ("KMSInvalidState", 400): Down("other"),
        ("KMSNotFound", 400): Down("not_found"),
        ("KMSOptInRequired", 403): Down("forbidden"),
        ("KMSThrottling", 400): Retry("throttled"),
        ("NotFound", 404): Down("not_found"),
        ("Throttled", 429): Retry("throttled"),
    }
    received: dict[tuple[str, int], Answer] = {}
    for code, status in answers:
        receiver.answer(status, body=sns_error(code))
        received[code, status] = await stub.send(make_alert())
    assert received == answers


async def test_who_may_not_look_may_publish_all_the_same(stub: SnsChannel, receiver: Receiver) -> None:
    receiver.answer(403, body=sns_error("AuthorizationError"))
    receiver.answer(200, body=SNS_TAKEN)
    assert await stub.probe() == Accepted()
    assert await stub.send(make_alert(), minimal=True) == Accepted()
    probe, sent = (request.body.decode() for request in receiver.requests)
    assert probe.startswith("Action=GetTopicAttributes")
    assert "Action=Publish" in sent
    assert "Subject" not in sent


async def test_the_region_is_the_topics() -> None:
    assert (await _channel("arn:aws-cn:sns:cn-north-1:111122223333:alerts")).region() == "cn-north-1"


def test_alerts_about_one_trail_keep_their_order_in_a_fifo_topic_and_the_id_is_the_alerts() -> None:
    made = message(make_alert(), TOPIC + ".fifo")
    assert (made["MessageGroupId"], made["MessageDeduplicationId"]) == (TRAIL, "alert-1")
    assert message(make_alert(resources=()), TOPIC + ".fifo")["MessageGroupId"] == "111122223333"
    assert "MessageGroupId" not in message(make_alert(), TOPIC)
    long = [make_alert(resources=(Resource("AWS::CloudTrail::Trail", TRAIL + "x" * 200 + end, None),)) for end in "ab"]
    assert len({message(alert, TOPIC + ".fifo")["MessageGroupId"] for alert in long}) == 2


def test_a_record_too_large_is_left_out() -> None:
    made = json.loads(message(make_alert(record={"x": "y" * 262_000}), TOPIC)["Message"])
    assert made["omitted"] == ["record"]


def test_the_subject_is_one_line_of_ascii() -> None:
    assert subject(make_alert(title="Größe\r\nBcc: x", event_account_name=None)) == (
        "CRITICAL: Gr??e Bcc: x (111122223333)"
    )
    assert subject(make_alert(title="x" * 500)).endswith("...")


def test_an_empty_attribute_is_left_out() -> None:
    assert "region" not in attributes_of(make_alert(event_region=" "))


@pytest.mark.parametrize("name", [name for name in ATTACKS if name != "long in four bytes"])
def test_attacks_make_valid_messages(name: str) -> None:
    alert = hostile(ATTACKS[name], items=1)
    assert _faults(alert) == _faults(alert, minimal=True) == []


@given(alerts())
@settings(max_examples=10, deadline=None)
def test_any_alert_makes_a_valid_message(alert: Alert) -> None:
    assert _faults(alert) == []


@pytest.mark.parametrize("value", ["alerts", TOPIC.replace("sns", "sqs"), TOPIC + ":subscription", "arn:aws:sns:::x"])
def test_a_bad_arn_is_an_error_that_names_the_variable(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRAILSTREAM_SNS_TOPIC_ARN", value)
    with pytest.raises(ConfigError, match=r"^TRAILSTREAM_SNS_TOPIC_ARN: must be a topic's ARN"):
        load([SnsSettings])
