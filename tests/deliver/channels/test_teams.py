import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from hypothesis import given, settings

from stream.alert import Alert, Change, Links, Resource
from stream.deliver.channel import Accepted, Answer, Down, Rejected, Retry
from stream.deliver.channels.teams import _ERRORS, TeamsChannel, TeamsSettings
from stream.deliver.group import Group
from stream.deliver.text import CUT
from stream.environment import load, reference
from stream.metrics import ATTEMPT_REASONS
from tests.deliver.alerts import TRAIL, alerts, make_alert
from tests.deliver.channels.attacks import ATTACKS, active, hostile
from tests.receiver import Receiver

MAX_BYTES = 20_000
STYLES = {"default", "emphasis", "good", "attention", "warning", "accent"}


@pytest.fixture
async def channel(receiver: Receiver) -> AsyncIterator[TeamsChannel]:
    made = TeamsChannel(TeamsSettings.model_validate({"webhook_url": f"{receiver.url}/workflows/x?sig=sEcReT"}))
    yield made
    await made.aclose()


def message(alert: Alert, group: Group | None = None, *, minimal: bool = False, template: str | None = None) -> bytes:
    settings = {"webhook_url": "https://flow.example/", "template": template}
    return TeamsChannel(TeamsSettings.model_validate(settings)).message(alert, group, minimal=minimal)


def minimal_message(alert: Alert) -> bytes:
    return message(alert, minimal=True)


def _card(body: bytes) -> dict[str, Any]:
    made = json.loads(body)
    assert made.keys() == {"type", "attachments"}
    assert made["type"] == "message"
    (attachment,) = made["attachments"]
    assert attachment["contentType"] == "application/vnd.microsoft.card.adaptive"
    card: dict[str, Any] = attachment["content"]
    return card


def _lines(elements: list[dict[str, Any]]) -> Iterator[str]:
    """The texts of a card, one a block, after a look at what the schema of Adaptive Cards 1.2 demands."""
    for element in elements:
        if element["type"] == "Container":
            assert element.get("style", "default") in STYLES
            yield from _lines(element["items"])
        else:
            # TextBlock and FactSet are in Markdown, and know mentions: none of ours.
            assert element["type"] == "RichTextBlock"
            assert element["inlines"]
            for run in element["inlines"]:
                assert run["type"] == "TextRun"
                assert isinstance(run["text"], str)
                assert run["text"]
                assert run.keys() <= {"type", "text", "size", "weight", "fontType"}
            yield "".join(run["text"] for run in element["inlines"])


def _check(body: bytes) -> list[str]:
    assert len(body) <= MAX_BYTES
    card = _card(body)
    assert (card["type"], card["version"]) == ("AdaptiveCard", "1.4")
    assert "entities" not in card["msteams"], "nobody is mentioned"
    for action in card["actions"]:
        assert action["type"] == "Action.OpenUrl"
        assert action["url"].startswith(("http://", "https://"))
    return list(_lines(card["body"]))


async def test_an_alert_is_posted_as_a_message_with_a_card(channel: TeamsChannel, receiver: Receiver) -> None:
    receiver.answer(202)
    assert await channel.send(make_alert()) == Accepted()
    (request,) = receiver.requests
    assert (request.method, request.path, request.query) == ("POST", "/workflows/x", {"sig": "sEcReT"})
    assert request.headers["Content-Type"] == "application/json; charset=utf-8"
    assert request.body == message(make_alert())


def test_the_first_lines_say_what_happened_where_who_did_it_and_what_it_means() -> None:
    assert _check(message(make_alert()))[:3] == [
        "🔴 CRITICAL: Logging of trail main was stopped",
        (
            "StopLogging succeeded in account prod 111122223333, eu-west-1, by Admin from 198.51.100.7 at "
            "2026-03-01T12:00:00Z"
        ),
        "API calls in this account are no longer recorded by trail main.",
    ]
    unnamed = _check(message(make_alert(event_account_name=None, actor_location="Bern, CH")))
    assert unnamed[1].startswith(
        "StopLogging succeeded in account 111122223333, eu-west-1, by Admin from 198.51.100.7 (Bern, CH) at "
    )


def test_the_rest_says_all_that_an_analyst_looks_for() -> None:
    alert = make_alert(
        event_outcome="denied",
        event_error_code="AccessDenied",
        event_error_message="explicit deny in an SCP",
        actor_mfa=False,
        actor_source_identity="alice",
        actor_invoked_by="ssm.amazonaws.com",
        context={"calls": {"DescribeTrails": 3}},
    )
    lines = _check(message(alert))
    assert " was denied in account " in lines[1]
    for line in (
        "When: 2026-03-01T12:00:00Z",
        "Who: AssumedRole, session alice@example.com, source identity alice, of account 111122223333, without MFA",
        "Identity: arn:aws:sts::111122223333:assumed-role/Admin/alice@example.com",
        "Access key: ASIAEXAMPLE",
        "Via: cli, ssm.amazonaws.com",
        "User agent: aws-cli/2.15.0",
        "Error: AccessDenied explicit deny in an SCP",
        f"Target: {TRAIL}",
        "name = main: recording stops",
        "Rule: ct-013 CloudTrail configuration changes",
        "Log file: s3://logs/AWSLogs/111122223333/CloudTrail/eu-west-1/2026/03/01/file.json.gz",
        "Event: 11111111-2222-3333-4444-555555555555",
        "Alert: alert-1",
        "By the same principal in this log file: DescribeTrails x 3",
    ):
        assert line in lines


def test_an_inline_event_says_that_there_is_no_log_file() -> None:
    assert "Log file: none: the event was brought by EventBridge" in _check(message(make_alert(log_file=None)))


@pytest.mark.parametrize(
    ("severity", "style"),
    [
        ("critical", "attention"),
        ("high", "attention"),
        ("medium", "warning"),
        ("low", "accent"),
        ("informational", "emphasis"),
    ],
)
def test_the_severity_is_seen_first_in_words_and_in_colour(severity: str, style: str) -> None:
    for body in (message(make_alert(severity=severity)), minimal_message(make_alert(severity=severity))):
        assert severity.upper() in _check(body)[0]
        assert _card(body)["body"][0]["style"] == style


def test_links_are_buttons() -> None:
    alert = make_alert(links=Links("https://console.example/?a=b&c", "https://runbook.example/"))
    assert _card(message(alert))["actions"] == [
        {"type": "Action.OpenUrl", "title": "Open in the CloudTrail console", "url": "https://console.example/?a=b&c"},
        {"type": "Action.OpenUrl", "title": "Runbook", "url": "https://runbook.example/"},
    ]
    assert _card(message(make_alert(links=Links("javascript:alert(1)", None))))["actions"] == []


def test_a_template_of_ones_own_is_used_and_what_is_below_it_stays() -> None:
    lines = _check(
        message(make_alert(title="<at>all</at>"), template="{{ title }}\nin {{ event.account_name | strong }}")
    )
    assert lines[:2] == ["🔴 \u2039at\u203aall\u2039/at\u203a", "in prod"]
    assert f"Target: {TRAIL}" in lines


def test_a_group_is_told_with_its_number_times_and_events() -> None:
    several = tuple(make_alert(f"a{n}", event_id=f"e{n}", event_time=f"2026-03-01T12:0{n}:00Z") for n in range(7))
    lines = _check(message(several[0], Group(several)))
    assert lines[0] == "🔴 CRITICAL: Logging of trail main was stopped (7 times)"
    told = "7 alike between 2026-03-01T12:00:00Z and 2026-03-01T12:06:00Z; events e0, e1, e2, e3, e4, e5, e6"
    assert told in lines
    late = _check(message(several[0], Group(several, late=True)))
    assert late[0].startswith("🔴 LATE: 7 alerts")
    assert not any(line.startswith("Target") for line in late)


def test_the_minimal_message_is_the_words() -> None:
    assert _check(minimal_message(make_alert())) == _check(message(make_alert()))[:3]
    assert _card(minimal_message(make_alert()))["actions"] == []


@pytest.mark.parametrize("name", ATTACKS)
def test_attacks_come_out_inert(name: str) -> None:
    for body in (message(hostile(ATTACKS[name])), minimal_message(hostile(ATTACKS[name]))):
        for line in _check(body):
            assert active(line) is None
            assert "\n" not in line


@given(alerts())
@settings(max_examples=25, deadline=None)
def test_any_alert_makes_a_valid_card(alert: Alert) -> None:
    for body in (message(alert), minimal_message(alert)):
        for line in _check(body):
            assert active(line) is None


@pytest.mark.parametrize("name", [name for name in ATTACKS if name.startswith("long")])
def test_the_largest_of_alerts_keeps_within_the_limit(name: str) -> None:
    assert CUT in "\n".join(_check(message(hostile(ATTACKS[name], items=1000))))
    _check(minimal_message(hostile(ATTACKS[name], items=1000)))


def test_the_longest_texts_are_cut_and_no_id_is() -> None:
    arns = [f"arn:aws:s3:::{'b' * 60}{n}" for n in range(10)]
    alert = make_alert(
        actor_user_agent="a user agent that is not long",
        event_error_message="long " * 10_000,
        resources=tuple(Resource("AWS::S3::Bucket", arn, None) for arn in arns),
        changes=tuple(Change(f"field{n}", "😀" * 5000, "effect") for n in range(10)),
    )
    lines = _check(message(alert))
    assert [line.removeprefix("Target: ") for line in lines if line.startswith("Target: ")] == arns
    assert "User agent: a user agent that is not long" in lines
    assert "Event: 11111111-2222-3333-4444-555555555555" in lines
    assert [line.startswith("Error: ") and line.endswith(CUT) for line in lines].count(True) == 1
    assert sum(line.startswith("field") and CUT in line for line in lines) == 10


def test_what_is_left_out_of_lists_is_counted() -> None:
    alert = make_alert(
        changes=tuple(Change(f"field{n}", "v", "e") for n in range(13)),
        resources=tuple(Resource("AWS::S3::Bucket", f"b{n}", None) for n in range(14)),
        context={"calls": {f"Call{n}": n for n in range(15)}},
    )
    lines = _check(message(alert))
    assert "… and 3 more" in lines
    assert "Target: … and 4 more" in lines
    assert any(line.endswith("Call9 x 9 and 5 more") for line in lines)


def _code(code: str) -> str:
    return json.dumps({"error": {"code": code, "message": "Could not execute workflow 'x' trigger 'manual'."}})


def _connector(status: int) -> str:
    return f"Webhook message delivery failed with error: Microsoft Teams endpoint returned HTTP error {status} with x"


@pytest.mark.parametrize(
    ("status", "body", "answer"),
    [
        (202, "", Accepted()),
        (200, "", Accepted()),
        (200, "1", Accepted()),
        (200, _connector(429), Retry("throttled", 30.0)),
        (200, _connector(413), Rejected("too_large")),
        (400, _code("WorkflowTriggerIsNotEnabled"), Down("gone")),
        (400, _code("TriggerInputSchemaMismatch"), Rejected("payload")),
        (400, _code("SomethingNew"), Rejected("bad_request")),
        (400, "no JSON", Rejected("bad_request")),
        (401, _code("DirectApiAuthorizationRequired"), Down("unauthorized")),
        (403, "", Down("forbidden")),
        (404, _code("WorkflowNotFound"), Down("not_found")),
        (410, "", Down("gone")),
        (413, "", Rejected("too_large")),
        (429, _code("SomethingNew"), Retry("throttled", 30.0)),
        (502, "", Retry("server_error", 30.0)),
        (302, "", Down("redirect")),
    ],
)
async def test_answers_are_classified(
    status: int, body: str, answer: Answer, channel: TeamsChannel, receiver: Receiver
) -> None:
    receiver.answer(status, body=body, headers={"Retry-After": "30"})
    assert await channel.send(make_alert()) == answer


def test_every_code_has_a_reason_that_the_metrics_know() -> None:
    for answer in _ERRORS.values():
        assert answer.reason in ATTEMPT_REASONS[answer.outcome]


async def test_probing_posts_nothing(channel: TeamsChannel, receiver: Receiver) -> None:
    assert await channel.probe() == Accepted()
    assert [request.method for request in receiver.requests] == ["HEAD"]


def test_the_address_is_a_secret_that_switches_the_channel_on(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not TeamsSettings.model_validate({}).enabled
    monkeypatch.setenv("TRAILSTREAM_TEAMS_WEBHOOK_URL", "https://flow.example/x?sig=sEcReT")
    section = load([TeamsSettings])[TeamsSettings]
    assert isinstance(section, TeamsSettings)
    assert section.enabled
    assert section.rate == 1.0
    assert "sEcReT" not in repr(section) + repr(reference([TeamsSettings]))
