import json
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings

from stream.alert import Alert, Change, Links, Resource
from stream.deliver.channel import Accepted, Answer, Down, Rejected, Retry
from stream.deliver.channels.pagerduty import PagerdutyChannel, PagerdutySettings
from stream.deliver.gaps import Gaps
from stream.deliver.group import Group
from stream.deliver.text import CUT
from stream.environment import load, reference
from stream.errors import ConfigError
from tests.deliver.alerts import TRAIL, alerts, make_alert
from tests.deliver.channels.attacks import ATTACKS, active, hostile, texts
from tests.receiver import Receiver, Reply, Request

KEY = "0123456789abcdef0123456789sEcReT"


def _service(request: Request) -> Reply:
    """Answers as PagerDuty's documents say."""
    if request.method != "POST":
        return Reply(404)
    faults = _faults(request.body)
    if faults:
        body = {"status": "invalid event", "message": "Event object is invalid", "errors": faults}
        return Reply(400, json.dumps(body))
    return Reply(202, '{"status":"success","message":"Event processed","dedup_key":"x"}')


def _faults(body: bytes) -> list[str]:
    made = json.loads(body)
    payload = made["payload"]
    checks = {
        "512 KB": len(body) <= 512_000,
        "'routing_key'": len(made["routing_key"]) == 32,
        "'event_action'": made["event_action"] in ("trigger", "acknowledge", "resolve"),
        "'dedup_key'": 0 < len(made["dedup_key"]) <= 255,
        "'summary'": 0 < len(payload["summary"]) <= 1024,
        "'source'": bool(payload["source"]),
        "'severity'": payload["severity"] in ("critical", "error", "warning", "info"),
        "'timestamp'": "timestamp" not in payload or datetime.fromisoformat(payload["timestamp"]).tzinfo is not None,
        "'custom_details'": isinstance(payload["custom_details"], dict),
        "'links'": all(link["href"].startswith("https://") for link in made.get("links", [])),
    }
    return [name for name, kept in checks.items() if not kept]


@pytest.fixture
async def channel(receiver: Receiver) -> AsyncIterator[PagerdutyChannel]:
    receiver.default = _service
    made = PagerdutyChannel(PagerdutySettings.model_validate({"routing_key": KEY, "url": receiver.url}))
    yield made
    await made.aclose()


def event(alert: Alert, group: Group | None = None, *, minimal: bool = False, template: str | None = None) -> bytes:
    settings = {"routing_key": KEY, "template": template}
    return PagerdutyChannel(PagerdutySettings.model_validate(settings)).event(alert, group, minimal=minimal)


def _event(alert: Alert, group: Group | None = None, template: str | None = None) -> dict[str, Any]:
    made: dict[str, Any] = json.loads(event(alert, group, template=template))
    return made


def dedup_key(alert: Alert) -> str:
    return str(_event(alert)["dedup_key"])


async def test_an_alert_triggers_an_incident(channel: PagerdutyChannel, receiver: Receiver) -> None:
    assert await channel.send(make_alert()) == Accepted()
    (request,) = receiver.requests
    assert (request.method, request.path) == ("POST", "/v2/enqueue")
    assert request.headers["Content-Type"] == "application/json"
    made = request.json()
    assert made["routing_key"] == KEY
    assert made["event_action"] == "trigger"
    assert made["payload"]["severity"] == "critical"
    assert made["payload"]["source"] == TRAIL
    assert made["payload"]["timestamp"] == "2026-03-01T12:00:00Z"
    assert made["payload"]["component"] == "cloudtrail.amazonaws.com"
    assert made["payload"]["group"] == "prod"
    assert made["payload"]["class"] == "StopLogging"


def test_the_summary_says_what_where_who_and_what_it_means() -> None:
    assert _event(make_alert())["payload"]["summary"] == (
        "CRITICAL: Logging of trail main was stopped. StopLogging succeeded in account prod 111122223333, eu-west-1, "
        "by Admin from 198.51.100.7 at 2026-03-01T12:00:00Z. API calls in this account are no longer recorded by trail "
        "main."
    )


def test_the_summary_may_be_in_words_of_ones_own_and_the_details_stay() -> None:
    made = _event(make_alert(title="{{ title }}"), template="{{ event.name }} of {{ title }}")
    assert made["payload"]["summary"] == "StopLogging of {\u2060{ title }}."
    assert made["payload"]["custom_details"]["event"]["account_name"] == "prod"


def test_a_group_is_one_event_that_says_how_many_it_stands_for() -> None:
    several = tuple(make_alert(f"a{n}", event_id=f"e{n}", event_time=f"2026-03-01T12:{n:02}:00Z") for n in range(30))
    made = _event(several[0], Group(several))
    details = made["payload"]["custom_details"]
    assert "(30 times)" in made["payload"]["summary"]
    assert made["dedup_key"] == dedup_key(several[0])
    assert (details["count"], details["first"], details["last"]) == (30, "2026-03-01T12:00:00Z", "2026-03-01T12:29:00Z")
    assert (details["event_ids"][1], details["alert_ids"][1], details["more_ids"]) == ("e1", "a1", 10)


def test_what_is_told_late_is_an_incident_of_its_own_that_calls_nobody() -> None:
    several = (make_alert("a"), make_alert("b"))
    made = _event(several[0], Group(several, late=True))
    assert made["payload"]["summary"].startswith("LATE: 2 alerts")
    assert made["payload"]["severity"] == "info"
    assert made["dedup_key"].startswith("trailstream/late/")
    assert made["dedup_key"] == _event(several[0], Group(several, late=True))["dedup_key"]
    assert made["dedup_key"] == _event(several[0], Group(several[::-1], late=True))["dedup_key"], "whoever came first"
    assert _faults(event(several[0], Group(several, late=True))) == []


def test_what_is_told_late_of_several_kinds_has_no_details_of_one_of_them() -> None:
    worst = make_alert("a", links=Links("https://console.example/", None))
    tagged = make_alert("b", severity="low", title="Trail got a tag", event_name="AddTags", actor_name="carol")
    made = _event(worst, Group((tagged, worst), late=True))
    payload = made["payload"]
    assert payload.keys() == {"summary", "source", "severity", "custom_details"}
    assert "links" not in made
    assert [(each["event"], each["severity"], each["actor"]) for each in payload["custom_details"]["alerts"]] == [
        ("AddTags", "low", "carol"),
        ("StopLogging", "critical", "Admin"),
    ]
    assert payload["custom_details"].keys().isdisjoint({"event", "actor", "rule", "changes"})
    assert _event(worst, Group((worst, worst), late=True))["payload"]["class"] == "StopLogging"


def test_the_details_are_the_alerts_own_fields() -> None:
    alert = make_alert(context={"calls": {"DescribeTrails": 3}})
    details = _event(alert)["payload"]["custom_details"]
    whole = json.loads(alert.to_json())
    assert details["alert_id"] == alert.id
    assert details["event_id"] == alert.event.id
    for part in ("event", "actor", "log_file"):
        assert details[part] == {name: whole[part][name] for name in details[part]}
    assert details["resources"] == whole["resources"]
    assert details["changes"] == whole["changes"]
    assert details["rule"]["id"] == "ct-013"
    assert "DescribeTrails" in details["same_principal_in_this_log_file"]
    assert "record" not in details


@pytest.mark.parametrize(
    ("severity", "theirs"),
    [("critical", "critical"), ("high", "error"), ("medium", "warning"), ("low", "info"), ("informational", "info")],
)
def test_the_severity_is_translated(severity: str, theirs: str) -> None:
    payload = _event(make_alert(severity=severity))["payload"]
    assert payload["severity"] == theirs
    assert payload["summary"].startswith(severity.upper())


def test_links_lead_to_the_console_and_the_runbook() -> None:
    alert = make_alert(links=Links("https://console.example/", "https://runbook.example/"))
    assert _event(alert)["links"] == [
        {"href": "https://console.example/", "text": "Open in the CloudTrail console"},
        {"href": "https://runbook.example/", "text": "Runbook"},
    ]
    assert _event(make_alert(links=Links("javascript:alert(1)", None)))["links"] == []


def test_alerts_about_one_trail_are_one_incident_which_starting_it_again_joins_and_does_not_resolve() -> None:
    stopped = _event(make_alert("a"))
    started = _event(make_alert("b", event_name="StartLogging", event_id="other", event_outcome="success"))
    assert stopped["dedup_key"] == started["dedup_key"] == f"trailstream/111122223333/{TRAIL}"
    assert started["event_action"] == "trigger"


async def test_a_start_joins_the_incident_of_its_stop_and_says_for_how_long_the_trail_was_off(
    channel: PagerdutyChannel, receiver: Receiver
) -> None:
    gaps = Gaps()
    for alert in (make_alert("a"), make_alert("b", event_name="StartLogging", event_time="2026-03-01T14:13:00Z")):
        assert await channel.send(gaps.told(alert)) == Accepted()
    stopped, started = (request.json() for request in receiver.requests)
    assert stopped["event_action"] == started["event_action"] == "trigger"
    assert stopped["dedup_key"] == started["dedup_key"]
    assert "It was off" not in stopped["payload"]["summary"]
    assert "off for 2 h 13 min (from 2026-03-01T12:00:00Z to 2026-03-01T14:13:00Z)" in started["payload"]["summary"]
    assert started["payload"]["custom_details"]["changes"][-1]["effect"].startswith("the trail was off for 2 h 13 min")


def test_other_trails_other_accounts_and_alerts_without_a_trail_are_incidents_of_their_own() -> None:
    bucket = Resource("AWS::S3::Bucket", "arn:aws:s3:::logs", None)
    keys = [
        dedup_key(alert)
        for alert in (
            make_alert(),
            make_alert(event_account_id="444455556666"),
            make_alert(resources=(Resource("AWS::CloudTrail::Trail", TRAIL + "2", None),)),
            make_alert("c", resources=(bucket,)),
            make_alert("d", resources=()),
        )
    ]
    assert len(set(keys)) == 5
    assert keys[3:] == ["c", "d"]
    assert dedup_key(make_alert(resources=(bucket, Resource("AWS::CloudTrail::Trail", TRAIL, None)))) == keys[0]


def test_trails_whose_long_names_differ_in_the_last_letter_are_two_incidents() -> None:
    keys = {
        dedup_key(make_alert(resources=(Resource("AWS::CloudTrail::Trail", TRAIL + "x" * 500 + end, None),)))
        for end in ("a", "b", "\ud800", "\u202e")
    }
    assert len(keys) == 4
    assert all(len(key) <= 255 and key.isascii() for key in keys)


@pytest.mark.parametrize("name", ATTACKS)
async def test_attacks_come_out_inert_and_are_accepted(
    name: str, channel: PagerdutyChannel, receiver: Receiver
) -> None:
    for minimal in (False, True):
        assert await channel.send(hostile(ATTACKS[name]), minimal=minimal) == Accepted()
    for request in receiver.requests:
        for text in texts(request.json()):
            assert active(text) is None or text in (link["href"] for link in request.json()["links"])


@given(alerts())
@settings(max_examples=25, deadline=None)
def test_any_alert_makes_a_valid_event(alert: Alert) -> None:
    mixed = Group((alert, make_alert("other")), late=True)
    assert _faults(event(alert, mixed)) == []
    assert all(active(text) is None for text in texts(json.loads(event(alert, mixed))))
    for body in (event(alert), event(alert, minimal=True)):
        assert _faults(body) == []


@pytest.mark.parametrize("name", [name for name in ATTACKS if name.startswith("long")])
def test_the_largest_of_alerts_keeps_within_the_limit(name: str) -> None:
    body = event(hostile(ATTACKS[name], items=1000))
    assert _faults(body) == []
    assert CUT in body.decode()


def test_the_longest_texts_are_cut_and_no_id_is() -> None:
    arns = [f"arn:aws:s3:::{'b' * 200}{n}" for n in range(20)]
    alert = make_alert(
        actor_user_agent="short",
        event_error_message="long " * 100_000,
        resources=tuple(Resource("AWS::S3::Bucket", arn, None) for arn in arns),
        changes=tuple(Change(f"field{n}", "😀" * 5000, "😀" * 5000) for n in range(20)),
    )
    details = _event(alert)["payload"]["custom_details"]
    assert [resource["arn"] for resource in details["resources"]] == arns
    assert details["actor"]["user_agent"] == "short"
    assert details["event"]["error_message"].endswith(CUT)
    assert all(change["value"].endswith(CUT) for change in details["changes"])
    assert (details["event_id"], details["alert_id"]) == (alert.event.id, alert.id)
    assert details["log_file"]["key"] == alert.log_file.key if alert.log_file else False


def test_what_is_left_out_of_lists_is_counted() -> None:
    changes = tuple(Change(f"field{n}", "v", "e") for n in range(130))
    details = _event(make_alert(changes=changes))["payload"]["custom_details"]
    assert (len(details["changes"]), details["more_changes"], details["more_resources"]) == (20, 110, 0)


@pytest.mark.parametrize("time", ["yesterday", "", "2026-03-01T12:00:00", "٢٠٢٦-03-01T12:00:00Z"])
def test_a_time_that_is_none_is_left_out(time: str) -> None:
    assert "timestamp" not in _event(make_alert(event_time=time))["payload"]


def test_the_minimal_event_has_what_is_required_and_the_ids() -> None:
    made = json.loads(event(make_alert(), minimal=True))
    assert made["payload"].keys() == {"summary", "source", "severity", "custom_details"}
    assert made["payload"]["custom_details"] == {
        "alert_id": "alert-1",
        "event_id": "11111111-2222-3333-4444-555555555555",
        "minimal": True,
    }
    assert made["dedup_key"] == dedup_key(make_alert())


def _invalid(*errors: str) -> str:
    return json.dumps({"status": "invalid event", "message": "Event object is invalid", "errors": errors})


@pytest.mark.parametrize(
    ("status", "body", "answer"),
    [
        (202, '{"status":"success"}', Accepted()),
        (400, _invalid("Length of 'routing_key' is incorrect (should be 32 characters)"), Down("unauthorized")),
        (400, _invalid("Invalid routing key"), Down("unauthorized")),
        (400, _invalid("'payload.summary' is missing or blank"), Rejected("bad_request")),
        (400, "", Rejected("bad_request")),
        (403, "", Down("forbidden")),
        (404, "", Down("not_found")),
        (413, "", Rejected("too_large")),
        (429, "", Retry("throttled", 30.0)),
        (500, "", Retry("server_error", 30.0)),
        (503, "", Retry("server_error", 30.0)),
        (302, "", Down("redirect")),
    ],
)
async def test_answers_are_classified(
    status: int, body: str, answer: Answer, channel: PagerdutyChannel, receiver: Receiver
) -> None:
    receiver.answer(status, body=body, headers={"Retry-After": "30"})
    assert await channel.send(make_alert()) == answer


async def test_probing_triggers_nothing(channel: PagerdutyChannel, receiver: Receiver) -> None:
    assert await channel.probe() == Accepted()
    assert [request.method for request in receiver.requests] == ["HEAD"]


@pytest.mark.parametrize(
    ("url", "used"),
    [
        (None, "https://events.pagerduty.com/v2/enqueue"),
        ("https://events.eu.pagerduty.com", "https://events.eu.pagerduty.com/v2/enqueue"),
        ("https://events.eu.pagerduty.com/", "https://events.eu.pagerduty.com/v2/enqueue"),
        ("https://events.eu.pagerduty.com/v2/enqueue", "https://events.eu.pagerduty.com/v2/enqueue"),
        ("https://gateway.example/pagerduty", "https://gateway.example/pagerduty"),
    ],
)
def test_the_address_is_the_us_regions_unless_another_is_set(
    url: str | None, used: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if url is not None:
        monkeypatch.setenv("TRAILSTREAM_PAGERDUTY_URL", url)
    section = load([PagerdutySettings])[PagerdutySettings]
    assert isinstance(section, PagerdutySettings)
    assert section.url == used
    assert not section.enabled


def test_the_key_comes_from_a_file_too_and_is_shown_by_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, channel: PagerdutyChannel
) -> None:
    file = tmp_path / "key"
    file.write_text(KEY + "\n")
    monkeypatch.setenv("TRAILSTREAM_PAGERDUTY_ROUTING_KEY_FILE", str(file))
    section = load([PagerdutySettings])[PagerdutySettings]
    assert isinstance(section, PagerdutySettings)
    assert section.enabled
    assert section.routing_key is not None
    assert section.routing_key.get_secret_value() == KEY
    for shown in (repr(section), repr(channel), repr(channel.settings), repr(reference([PagerdutySettings]))):
        assert KEY not in shown


@pytest.mark.parametrize("value", ["two sEcReTs", "sEcReTü"])
def test_a_bad_key_is_an_error_that_hides_it(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRAILSTREAM_PAGERDUTY_ROUTING_KEY", value)
    with pytest.raises(ConfigError, match=r"^TRAILSTREAM_PAGERDUTY_ROUTING_KEY: must be an integration key") as raised:
        load([PagerdutySettings])
    assert "sEcReT" not in str(raised.value)


def test_a_bad_address_is_an_error_that_names_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRAILSTREAM_PAGERDUTY_URL", "events.pagerduty.com")
    with pytest.raises(ConfigError, match=r"^TRAILSTREAM_PAGERDUTY_URL: must be a URL"):
        load([PagerdutySettings])
