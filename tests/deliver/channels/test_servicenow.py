import json
import re
from collections.abc import AsyncIterator
from typing import Any

import pytest

from stream.alert import Links
from stream.deliver.channel import Accepted, Answer, Down, Rejected, Retry
from stream.deliver.channels.servicenow import ServicenowChannel
from stream.deliver.channels.servicenow_settings import ServicenowSettings
from stream.deliver.group import Group
from stream.deliver.trail import incident_id
from tests.deliver.alerts import TRAIL, make_alert
from tests.deliver.channels.attacks import ATTACKS, active, hostile, texts
from tests.deliver.channels.servicenow_server import ServiceNow
from tests.receiver import Receiver

CREDENTIALS = {"username": "trailstream", "password": "sEcReT"}
STARTED = make_alert("started", event_name="StartLogging", severity="low", title="Logging of trail main was started")
HIBERNATING = "<html><body><h1>Your instance is hibernating</h1></body></html>"
CANCELLED = '{"result":[{"sys_id":"x"}],"error":{"message":"Transaction cancelled"},"status":"failure"}'


@pytest.fixture
def instance(receiver: Receiver) -> ServiceNow:
    made = ServiceNow()
    receiver.default = made
    return made


def make_channel(receiver: Receiver, **values: Any) -> ServicenowChannel:
    return ServicenowChannel(ServicenowSettings.model_validate({"url": receiver.url, **CREDENTIALS, **values}))


@pytest.fixture
async def channel(receiver: Receiver, instance: ServiceNow) -> AsyncIterator[ServicenowChannel]:
    assert receiver.default is instance
    made = make_channel(receiver)
    yield made
    await made.aclose()


def methods(receiver: Receiver) -> list[str]:
    return [request.method for request in receiver.requests]


async def test_an_alert_opens_an_incident_that_says_what_where_who_and_what_it_means(
    channel: ServicenowChannel, instance: ServiceNow
) -> None:
    alert = make_alert(links=Links("https://console.example/", "https://runbook.example/"))
    assert await channel.send(alert) == Accepted()
    (made,) = instance.incidents
    assert made["short_description"] == "CRITICAL: Logging of trail main was stopped"
    lines = made["description"].splitlines()
    assert lines[0].startswith("StopLogging succeeded in account prod 111122223333, eu-west-1, by Admin from 198.51")
    assert lines[1] == "API calls in this account are no longer recorded by trail main."
    for line in (
        "Console: https://console.example/",
        "Runbook: https://runbook.example/",
        "Severity: critical, by rule ct-013",
        f"Target: {TRAIL}",
        "Change: name = main: recording stops",
        "Event id: 11111111-2222-3333-4444-555555555555",
        "Alert id: alert-1",
    ):
        assert line in lines
    assert (made["impact"], made["urgency"]) == ("1", "1")
    assert made["correlation_id"] == incident_id(alert)


async def test_what_happens_to_the_trail_next_joins_the_incident_and_neither_resolves_nor_lowers_it(
    channel: ServicenowChannel, instance: ServiceNow, receiver: Receiver
) -> None:
    for alert in (make_alert("stopped", severity="medium"), make_alert("deleted"), STARTED):
        assert await channel.send(alert) == Accepted()
    (made,) = instance.incidents
    assert [note.splitlines()[0] for note in made["notes"]] == [
        "CRITICAL: Logging of trail main was stopped",
        "LOW: Logging of trail main was started",
    ]
    assert (made["impact"], made["urgency"], made["state"], made["active"]) == ("1", "1", "1", "true")
    assert methods(receiver) == ["GET", "POST", "GET", "PATCH", "GET", "PATCH"]
    assert receiver.requests[-1].json().keys() == {"work_notes", "correlation_display"}


async def test_a_message_that_was_told_is_not_told_again_whoever_told_it(
    channel: ServicenowChannel, instance: ServiceNow, receiver: Receiver
) -> None:
    group = Group((make_alert("b"), make_alert("c")))
    other = make_channel(receiver)
    for replica in (channel, other):
        assert await replica.send(make_alert("a")) == Accepted()
        assert await replica.tell(make_alert("c"), group) == Accepted()
    await other.aclose()
    (made,) = instance.incidents
    (note,) = made["notes"]
    assert "Count: 2" in note
    assert "Alert id: b, c" in note
    for n in range(20):
        assert await channel.send(make_alert(f"further-{n}")) == Accepted()
    assert len(made["notes"]) == 21


@pytest.mark.parametrize("over", [{"active": "false", "state": "7"}, {"state": "6"}])
async def test_an_incident_that_is_over_is_followed_by_a_new_one(
    over: dict[str, str], channel: ServicenowChannel, instance: ServiceNow
) -> None:
    await channel.send(make_alert("a"))
    instance.incidents[0] |= over
    assert await channel.send(make_alert("b")) == Accepted()
    assert len(instance.incidents) == 2


async def test_one_that_is_closed_between_look_and_note_is_followed_by_a_new_one(
    channel: ServicenowChannel, instance: ServiceNow
) -> None:
    await channel.send(make_alert("a"))
    instance.closes = True
    assert await channel.send(make_alert("b")) == Accepted()
    assert [len(made["notes"]) for made in instance.incidents] == [0, 0]


async def test_of_two_that_replicas_opened_at_one_moment_the_oldest_is_joined(
    channel: ServicenowChannel, instance: ServiceNow, receiver: Receiver
) -> None:
    for alert_id in ("a", "b"):
        receiver.answer(200, body='{"result":[]}')
        await channel.send(make_alert(alert_id))
    assert await channel.send(make_alert("c")) == Accepted()
    assert [len(made["notes"]) for made in instance.incidents] == [1, 0]
    assert "ORDERBYsys_created_on^ORDERBYsys_id" in receiver.requests[0].query["sysparm_query"]


async def test_a_group_is_added_once_in_whatever_order_its_alerts_came(
    channel: ServicenowChannel, instance: ServiceNow
) -> None:
    several = (make_alert("a"), make_alert("b"))
    for told in (several, several[::-1]):
        assert await channel.tell(make_alert("a"), Group(told)) == Accepted()
    (made,) = instance.incidents
    assert made["notes"] == []


async def test_late_alerts_hurry_nobody(channel: ServicenowChannel, instance: ServiceNow) -> None:
    late = Group((make_alert("a"), STARTED), late=True)
    assert await channel.tell(make_alert("a"), late) == Accepted()
    (made,) = instance.incidents
    assert made["short_description"].startswith("LATE: 2 alerts")
    assert (made["impact"], made["urgency"]) == ("3", "3")
    assert await channel.tell(make_alert("b"), Group((make_alert("b"),), late=True)) == Accepted()
    assert made["notes"][0].startswith("LATE: 1 alert")
    assert (made["impact"], made["urgency"]) == ("3", "3")


async def test_nobody_elses_record_is_written_to(channel: ServicenowChannel, instance: ServiceNow) -> None:
    stranger = {"sys_id": "s", "active": "true", "state": "1", "correlation_id": "theirs", "notes": []}
    instance.incidents.append(stranger)
    instance.unknown = frozenset({"correlation_id"})
    assert await channel.send(make_alert()) == Down("other")
    assert await channel.probe() == Down("other")
    assert instance.incidents == [stranger]
    assert stranger["notes"] == []


@pytest.mark.parametrize("name", ATTACKS)
async def test_attacks_come_out_inert_and_are_accepted(
    name: str, channel: ServicenowChannel, instance: ServiceNow, receiver: Receiver
) -> None:
    alert = hostile(ATTACKS[name])
    for alert_id in ("a", "b"):
        assert await channel.tell(alert, Group((alert, make_alert(alert_id)))) == Accepted()
    assert len(instance.incidents[0]["notes"]) == 1
    for request in receiver.requests:
        assert re.fullmatch(r"[\w=^. ,-]*", request.query.get("sysparm_query", ""), re.ASCII)
        for text in texts(request.json()) if request.body else []:
            assert active(text.replace("\n", " ")) is None


async def test_the_minimal_incident_has_ids_and_the_instances_own_fields(
    receiver: Receiver, instance: ServiceNow
) -> None:
    channel = make_channel(receiver, fields='{"assignment_group": "Security"}')
    assert await channel.send(make_alert(), minimal=True) == Accepted()
    await channel.aclose()
    (made,) = instance.incidents
    assert made["assignment_group"] == "Security"
    assert "User agent" not in made["description"]
    assert made["description"].endswith("Alert id: alert-1")


@pytest.mark.parametrize(
    ("status", "body", "answer"),
    [
        (200, HIBERNATING, Retry("server_error", 30.0)),
        (200, CANCELLED, Retry("server_error", 30.0)),
        (200, "", Retry("other", 30.0)),
        (302, "", Down("redirect")),
        (400, '{"error":{"message":"Invalid table"}}', Down("other")),
        (401, "", Down("unauthorized")),
        (403, "", Down("forbidden")),
        (404, "", Down("not_found")),
        (429, "", Retry("throttled", 30.0)),
        (503, "", Retry("server_error", 30.0)),
    ],
)
async def test_a_look_up_that_fails_is_the_answer_and_creates_nothing(
    status: int, body: str, answer: Answer, channel: ServicenowChannel, instance: ServiceNow, receiver: Receiver
) -> None:
    receiver.answer(status, body=body, headers={"Retry-After": "30"})
    assert await channel.send(make_alert()) == answer
    assert methods(receiver) == ["GET"]
    assert instance.incidents == []


@pytest.mark.parametrize(
    ("status", "body", "answer"),
    [
        (201, HIBERNATING, Retry("server_error", 30.0)),
        (201, '{"result":{}}', Retry("other", 30.0)),
        (201, '{"result":{"sys_id":"0', Retry("other", 30.0)),
        (400, "", Rejected("bad_request")),
        (403, "", Down("forbidden")),
        (413, "", Rejected("too_large")),
        (429, "", Retry("throttled", 30.0)),
    ],
)
async def test_only_a_record_that_was_made_is_an_acceptance(
    status: int, body: str, answer: Answer, channel: ServicenowChannel, receiver: Receiver
) -> None:
    receiver.answer(404, body='{"error":{"message":"No Record found"}}')
    receiver.answer(status, body=body, headers={"Retry-After": "30"})
    said = await channel.send(make_alert())
    assert said == answer or (isinstance(said, Retry) and isinstance(answer, Retry) and said.reason == answer.reason)
    assert methods(receiver) == ["GET", "POST"]


async def test_what_we_may_not_write_to_opens_no_second_incident(
    channel: ServicenowChannel, instance: ServiceNow, receiver: Receiver
) -> None:
    await channel.send(make_alert("a"))
    found = instance(receiver.requests[0])
    receiver.answer(200, body=found.body)
    receiver.answer(403)
    assert await channel.send(make_alert("b")) == Down("forbidden")
    assert len(instance.incidents) == 1


async def test_events_have_a_key_for_each_severity_so_that_none_is_lowered(
    receiver: Receiver, instance: ServiceNow
) -> None:
    channel = make_channel(receiver, table="em_event", fields='{"team": "soc"}')
    for alert in (make_alert(), STARTED):
        assert await channel.send(alert) == Accepted()
    for minimal in (True, False):
        assert await channel.send(hostile(ATTACKS["long in escapes"]), minimal=minimal) == Accepted()
    receiver.answer(200, body='{"result":{"Default Bulk Endpoint":"0 events were inserted"}}')
    assert await channel.send(make_alert()) == Rejected("other")
    receiver.answer(200, body=HIBERNATING)
    assert await channel.send(make_alert()) == Retry("server_error")
    assert await channel.probe() == Accepted()
    await channel.aclose()
    stopped, started, *_ = instance.events
    assert (stopped["severity"], started["severity"]) == ("1", "4")
    assert stopped["message_key"] != started["message_key"]
    assert (stopped["node"], stopped["resource"], stopped["type"]) == ("prod", "main", "StopLogging")
    assert stopped["time_of_event"] == "2026-03-01 12:00:00"
    info = json.loads(stopped["additional_info"])
    assert (info["trail"], info["team"], info["alert_ids"]) == (TRAIL, "soc", "alert-1")


async def test_probing_creates_nothing_and_finds_a_wrong_password(
    channel: ServicenowChannel, instance: ServiceNow, receiver: Receiver
) -> None:
    assert await channel.probe() == Accepted()
    wrong = make_channel(receiver, password="other")
    assert await wrong.probe() == Down("unauthorized")
    await wrong.aclose()
    assert set(methods(receiver)) == {"GET"}
    assert instance.incidents == []


async def test_a_rehearsal_shows_both_steps_without_secrets_and_takes_neither(
    channel: ServicenowChannel, receiver: Receiver
) -> None:
    shown: list[str] = []
    channel.rehearsal = shown.append
    assert await channel.send(make_alert()) == Accepted()
    assert [text.split()[0] for text in shown] == ["GET", "POST"]
    assert "correlation_id" in shown[1]
    assert not re.search("sEcReT|dHJhaWxz", "".join(shown))
    assert receiver.requests == []


async def test_a_token_is_sent_as_a_bearer(receiver: Receiver) -> None:
    channel = make_channel(receiver, token="sEcReT-token", username=None, password=None)
    receiver.answer(401)
    assert await channel.send(make_alert()) == Down("unauthorized")
    await channel.aclose()
    assert receiver.requests[0].headers["Authorization"] == "Bearer sEcReT-token"
