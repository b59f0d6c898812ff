import base64
import json
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from hypothesis import given, settings
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from stream.alert import Alert, Change
from stream.deliver.channel import Accepted, Down, Rejected, Retry
from stream.deliver.channels.webhook import WebhookChannel, WebhookSettings, cloud_event
from tests.deliver.alerts import TRAIL, alerts, make_alert
from tests.receiver import Receiver

SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()


@pytest.fixture
async def channel(receiver: Receiver) -> AsyncIterator[WebhookChannel]:
    made = WebhookChannel(WebhookSettings.model_validate({"url": f"{receiver.url}/hook", "secret": SECRET}))
    yield made
    await made.aclose()


async def test_an_alert_is_posted_as_a_structured_cloud_event(channel: WebhookChannel, receiver: Receiver) -> None:
    alert = make_alert()
    assert await channel.send(alert) == Accepted()
    (request,) = receiver.requests
    assert (request.method, request.path) == ("POST", "/hook")
    assert request.headers["Content-Type"].split(";")[0] == "application/cloudevents+json"
    assert request.json() == {
        "specversion": "1.0",
        "id": alert.id,
        "source": "urn:trailstream:111122223333:eu-west-1",
        "type": "io.trailstream.alert.v1",
        "time": "2026-03-01T12:00:00Z",
        "subject": TRAIL,
        "datacontenttype": "application/json",
        "data": json.loads(alert.to_json()),
    }


async def test_the_signature_is_one_of_standard_webhooks_and_its_id_outlives_retries(
    channel: WebhookChannel, receiver: Receiver
) -> None:
    receiver.answer(500, 200, 200)
    alert = make_alert()
    assert isinstance(await channel.send(alert), Retry)
    assert isinstance(await channel.send(alert), Accepted)
    assert isinstance(await channel.send(alert, minimal=True), Accepted)
    assert len(receiver.requests) == 3
    for request in receiver.requests:
        headers = {name.lower(): value for name, value in request.headers.items()}
        assert headers["webhook-id"] == alert.id
        Webhook(SECRET).verify(request.body, headers)
        with pytest.raises(WebhookVerificationError):
            Webhook(SECRET).verify(request.body + b" ", headers)


async def test_without_a_secret_nothing_is_signed(receiver: Receiver) -> None:
    channel = WebhookChannel(WebhookSettings.model_validate({"url": receiver.url}))
    try:
        await channel.send(make_alert())
    finally:
        await channel.aclose()
    assert not [name for name in receiver.requests[0].headers if name.lower().startswith("webhook-")]


async def test_the_minimal_event_has_no_record_and_says_so(channel: WebhookChannel, receiver: Receiver) -> None:
    await channel.send(make_alert(), minimal=True)
    data = receiver.requests[0].json()["data"]
    assert data["minimal"] is True
    assert "record" not in data
    assert "context" not in data


async def test_answers_are_classified(channel: WebhookChannel, receiver: Receiver) -> None:
    receiver.answer(400, 410, 429)
    answers = [await channel.send(make_alert()) for _ in range(3)]
    assert answers == [Rejected("bad_request"), Down("gone"), Retry("throttled")]


async def test_probing_posts_nothing(channel: WebhookChannel, receiver: Receiver) -> None:
    assert await channel.probe() == Accepted()
    assert [request.method for request in receiver.requests] == ["HEAD"]


def test_a_record_that_orjson_refuses_is_carried_all_the_same() -> None:
    record = {"lone": "\ud800", "big": 2**70}
    text = cloud_event(make_alert(record=record))
    assert json.loads(text)["data"]["record"] == {"lone": "?", "big": 2**70}
    assert b"\\ud800" not in text, "strict readers would refuse all of it"


@pytest.mark.parametrize(
    "time", ["yesterday", "", "2026-03-01", "2026-03-01T12:00:00", "20260301T120000Z", "2026-W09-7T12:00:00Z"]
)
def test_a_time_that_is_none_is_left_out(time: str) -> None:
    assert "time" not in json.loads(cloud_event(make_alert(event_time=time)))


def test_an_alert_about_no_resource_has_the_event_for_its_subject() -> None:
    assert json.loads(cloud_event(make_alert(resources=())))["subject"] == "StopLogging"


@given(alerts())
@settings(max_examples=50, deadline=None)
def test_any_alert_makes_a_valid_event(alert: Alert) -> None:
    for minimal in (False, True):
        event: dict[str, Any] = json.loads(cloud_event(alert, minimal=minimal))
        for name in event.keys() - {"data"}:
            assert isinstance(event[name], str)
            assert event[name].isprintable()
            assert event[name]
        assert urlsplit(event["source"]).scheme == "urn"
        assert event["data"]["id"] == event["id"]


def test_a_change_of_any_value_is_carried() -> None:
    change = Change("eventSelectors", [{"readWriteType": "All", "includeManagementEvents": False}], "")
    data = json.loads(cloud_event(make_alert(changes=(change,))))["data"]
    assert data["changes"][0]["value"] == change.value
