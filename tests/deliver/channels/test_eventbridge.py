import json
from collections.abc import AsyncIterator, Mapping
from typing import Any

import orjson
import pytest
from hypothesis import given, settings

from stream.alert import Alert, Resource
from stream.deliver.channel import Accepted, Answer, Down, Rejected, Retry
from stream.deliver.channels.eventbridge import EventbridgeChannel, EventbridgeSettings, entry, judge
from stream.environment import load
from stream.errors import ConfigError
from tests.deliver.alerts import TRAIL, alerts, make_alert
from tests.deliver.aws import aws, faults_of_parameters
from tests.deliver.channels.attacks import ATTACKS, hostile
from tests.deliver.test_aws import IDENTITY
from tests.receiver import Receiver, Reply, Request

TAKEN = '{"FailedEntryCount":0,"Entries":[{"EventId":"e"}]}'
ARN = "arn:aws:events:us-east-1:{}:event-bus/alerts"


def _faults(alert: Alert, *, minimal: bool = False) -> list[str]:
    """What EventBridge's documents have against the entry of an alert; its size is as they calculate it."""
    made = entry(alert, "alerts", minimal=minimal)
    texts = [made["Source"], made["DetailType"], made["Detail"], *made["Resources"]]
    checks = {
        "parameters": faults_of_parameters("events", "PutEvents", {"Entries": [made]}) == "",
        "size": sum(len(each.encode()) for each in texts) + 14 <= 256_000,
        "detail": orjson.loads(made["Detail"])["severity"] == alert.severity,
        "resources": all(each.startswith("arn:") for each in made["Resources"]),
    }
    return [name for name, kept in checks.items() if not kept]


class _Events:
    """Answers each operation as it is told."""

    def __init__(self) -> None:
        self.answers: dict[str, Reply] = {"DescribeEventBus": Reply(200, "{}"), "PutEvents": Reply(200, TAKEN)}
        self.operations: list[str] = []

    def __call__(self, request: Request) -> Reply:
        operation = request.headers.get("X-Amz-Target", "AWSEvents.GetCallerIdentity").partition(".")[2]
        self.operations.append(operation)
        return self.answers[operation]

    def refuse(self, operation: str, code: str, status: int = 400) -> None:
        self.answers[operation] = Reply(status, json.dumps({"__type": code, "message": "no"}))

    def fail(self, code: str) -> None:
        body = {"FailedEntryCount": 1, "Entries": [{"ErrorCode": code, "ErrorMessage": "no"}]}
        self.answers["PutEvents"] = Reply(200, json.dumps(body))


@pytest.fixture
def events(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> _Events:
    for name in ("EVENTBRIDGE", "STS"):
        monkeypatch.setenv(f"AWS_ENDPOINT_URL_{name}", receiver.url)
    service = _Events()
    service.answers["GetCallerIdentity"] = Reply(200, IDENTITY)
    receiver.default = service
    return service


def _make(bus: str) -> EventbridgeChannel:
    return EventbridgeChannel(EventbridgeSettings.model_validate({"bus": bus, "timeout": 20}), aws=aws())


@pytest.fixture
async def channel(events: _Events) -> AsyncIterator[EventbridgeChannel]:
    del events
    made = _make("alerts")
    yield made
    await made.aclose()


@pytest.mark.usefixtures("aws_environ")
async def test_alerts_arrive_in_a_queue_by_a_rule_of_the_bus() -> None:
    async with aws().client("events") as events, aws().client("sqs") as sqs:
        await events.create_event_bus(Name="eb-alerts")
        queue = (await sqs.create_queue(QueueName="eb-alerts"))["QueueUrl"]
        pattern = {"source": ["trailstream"], "detail": {"severity": ["critical"], "event": {"name": ["StopLogging"]}}}
        await events.put_rule(Name="eb-alerts", EventBusName="eb-alerts", EventPattern=json.dumps(pattern))
        target = {"Id": "queue", "Arn": "arn:aws:sqs:us-east-1:111122223333:eb-alerts"}
        await events.put_targets(Rule="eb-alerts", EventBusName="eb-alerts", Targets=[target])
        channel = _make("eb-alerts")
        assert await channel.probe() == Accepted()
        assert await channel.send(make_alert("a", severity="low")) == Accepted()
        assert await channel.send(hostile(ATTACKS["terminal"])) == Accepted()
        assert await channel.send(make_alert("b")) == Accepted()
        await channel.aclose()
        (received,) = (await sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=5))["Messages"]
        missing = _make("eb-missing")
        assert await missing.probe() == Down("not_found")
        assert await missing.send(make_alert()) == Down("not_found")
        await missing.aclose()
    event = json.loads(received["Body"])
    assert (event["source"], event["detail-type"]) == ("trailstream", "Trailstream Alert")
    assert event["resources"] == [TRAIL]
    assert event["detail"] == json.loads(make_alert("b").to_json())


def test_the_entry_has_the_events_time_and_the_arns_of_what_it_is_about() -> None:
    resources = [Resource("AWS::CloudTrail::Trail", arn, None) for arn in (TRAIL, "main", TRAIL, "arn:aws:s3:::logs")]
    made = entry(make_alert(resources=tuple(resources)), "alerts")
    assert made["Resources"] == [TRAIL, "arn:aws:s3:::logs"]
    assert made["Time"].isoformat() == "2026-03-01T12:00:00+00:00"
    assert made["EventBusName"] == "alerts"
    assert "Time" not in entry(make_alert(event_time="yesterday"), "alerts")
    assert entry(make_alert(), "alerts", minimal=True).keys() == made.keys() - {"Time"}


def test_a_record_that_makes_the_entry_too_large_is_left_out() -> None:
    room = 256_000 - 14 - len("trailstream" + "Trailstream Alert" + TRAIL)
    spent = len(make_alert(record={"x": ""}).to_json())
    fitting, larger = (make_alert(record={"x": "y" * (room - spent + more)}) for more in (0, 1))
    assert "omitted" not in json.loads(entry(fitting, "alerts")["Detail"])
    assert json.loads(entry(larger, "alerts")["Detail"])["omitted"] == ["record"]
    assert _faults(fitting) == _faults(larger) == []


async def test_a_failure_of_the_entry_is_none_of_the_requests(channel: EventbridgeChannel, events: _Events) -> None:
    answers: dict[str, Answer] = {
        "InternalFailure": Retry("server_error"),
        "InternalException": Retry("server_error"),
        "ThrottlingException": Retry("throttled"),
        "AccessDeniedException": Down("forbidden"),
        "NotAuthorizedForSourceException": Down("forbidden"),
        "NotAuthorizedForDetailTypeException": Down("forbidden"),
        "InvalidAccountIdException": Down("not_found"),
        "InvalidArgument": Rejected("bad_request"),
        "MalformedDetail": Rejected("payload"),
        "RedactionFailure": Rejected("payload"),
        "SomethingNew": Rejected("other"),
    }
    received: dict[str, Answer] = {}
    for code in answers:
        events.fail(code)
        received[code] = await channel.send(make_alert())
    assert received == answers


@pytest.mark.parametrize(
    ("response", "answer"),
    [({}, Accepted()), ({"FailedEntryCount": 1}, Rejected("other")), ({"FailedEntryCount": 0}, Accepted())],
)
def test_an_answer_of_any_shape_is_classified(response: Mapping[str, Any], answer: Answer) -> None:
    assert judge(response) == answer


async def test_errors_of_the_request_are_classified(channel: EventbridgeChannel, events: _Events) -> None:
    events.refuse("PutEvents", "InternalException", 500)
    assert await channel.send(make_alert()) == Retry("server_error")
    events.refuse("PutEvents", "ValidationException")
    assert await channel.send(make_alert()) == Rejected("bad_request")


async def test_a_bus_is_looked_for_before_the_first_event_and_then_at_times(
    channel: EventbridgeChannel, events: _Events, monkeypatch: pytest.MonkeyPatch
) -> None:
    events.refuse("DescribeEventBus", "ResourceNotFoundException")
    assert await channel.send(make_alert()) == Down("not_found")
    events.answers["DescribeEventBus"] = Reply(200, "{}")
    for _ in range(2):
        assert await channel.send(make_alert()) == Accepted()
    assert events.operations == ["DescribeEventBus", "DescribeEventBus", "PutEvents", "PutEvents"]
    events.refuse("DescribeEventBus", "ResourceNotFoundException")
    monkeypatch.setattr(channel, "_look_at", 0.0)
    assert await channel.send(make_alert()) == Down("not_found")


async def test_who_may_not_look_may_put_events_all_the_same(channel: EventbridgeChannel, events: _Events) -> None:
    events.refuse("DescribeEventBus", "AccessDeniedException")
    assert await channel.probe() == Accepted()
    assert await channel.send(make_alert()) == Accepted()


async def test_that_the_bus_of_another_account_is_not_found_proves_nothing(events: _Events) -> None:
    events.refuse("DescribeEventBus", "ResourceNotFoundException")
    for account, answer in (("444455556666", Accepted()), ("111122223333", Down("not_found"))):
        channel = _make(ARN.format(account))
        assert await channel.probe() == answer
        assert await channel.send(make_alert()) == answer
        await channel.aclose()


async def test_a_rehearsal_shows_the_request_and_makes_none(channel: EventbridgeChannel, receiver: Receiver) -> None:
    written: list[str] = []
    channel.rehearsal = written.append
    assert await channel.send(make_alert()) == Accepted()
    assert written[0].startswith("events:put_events\n")
    assert receiver.requests == []


@pytest.mark.parametrize("name", ATTACKS)
def test_attacks_make_valid_entries(name: str) -> None:
    alert = hostile(ATTACKS[name], items=1)
    assert _faults(alert) == _faults(alert, minimal=True) == []


@given(alerts())
@settings(max_examples=10, deadline=None)
def test_any_alert_makes_a_valid_entry(alert: Alert) -> None:
    assert _faults(alert) == []


@pytest.mark.parametrize(
    ("value", "region"),
    [("default", None), ("aws.partner/x.example/1", None), (ARN.format("111122223333"), "us-east-1")],
)
def test_a_bus_is_a_name_or_an_arn_that_says_the_region(
    value: str, region: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRAILSTREAM_EVENTBRIDGE_BUS", value)
    section = load([EventbridgeSettings])[EventbridgeSettings]
    assert isinstance(section, EventbridgeSettings)
    assert section.enabled
    assert EventbridgeChannel(section).region() == region


@pytest.mark.parametrize("value", ["my bus", "arn:aws:sns:us-east-1:111122223333:event-bus/x"])
def test_a_bad_bus_is_an_error_that_names_the_variable(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRAILSTREAM_EVENTBRIDGE_BUS", value)
    with pytest.raises(ConfigError, match=r"^TRAILSTREAM_EVENTBRIDGE_BUS: must be a bus's name"):
        load([EventbridgeSettings])
