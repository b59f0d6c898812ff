import json
import re
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from hypothesis import given, settings

from stream.alert import Alert, Change, Links, Resource
from stream.deliver.channel import Accepted, Answer, Down, Rejected, Retry
from stream.deliver.channels.slack import _ERRORS, SlackChannel, SlackSettings, message, plain_message
from stream.metrics import ATTEMPT_REASONS
from tests.deliver.alerts import TRAIL, alerts, make_alert
from tests.receiver import Receiver

EVIL = "<!channel> <@U1> <https://evil.example|click> *b* `c` \u202e\x00"


@pytest.fixture
async def channel(receiver: Receiver) -> AsyncIterator[SlackChannel]:
    made = SlackChannel(SlackSettings.model_validate({"webhook_url": f"{receiver.url}/services/T/B/x"}))
    yield made
    await made.aclose()


def _texts(value: Any) -> Iterator[dict[str, Any]]:
    """Every text object of a message."""
    if isinstance(value, dict):
        if value.get("type") in ("mrkdwn", "plain_text"):
            yield value
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)


def _shown(blocks: list[dict[str, Any]]) -> str:
    return "\n".join(text["text"] for text in _texts(blocks))


async def test_an_alert_is_posted_as_blocks_with_a_text_beside_them(channel: SlackChannel, receiver: Receiver) -> None:
    receiver.answer(200, body="ok")
    assert await channel.send(make_alert()) == Accepted()
    (request,) = receiver.requests
    assert (request.method, request.path) == ("POST", "/services/T/B/x")
    assert request.headers["Content-Type"].startswith("application/json")
    assert request.json() == message(make_alert())
    assert request.json()["text"].startswith("CRITICAL: Logging of trail main was stopped")


def test_the_first_lines_say_what_happened_where_who_did_it_and_what_it_means() -> None:
    header, happened, meaning = message(make_alert())["blocks"][:3]
    assert header["text"]["text"] == "🔴 CRITICAL: Logging of trail main was stopped"
    assert happened["text"]["text"] == (
        "*StopLogging* succeeded in account `111122223333` (`prod`), `eu-west-1`, by `Admin` from `198.51.100.7`"
    )
    assert meaning["text"]["text"] == "API calls in this account are no longer recorded by trail main."


def test_the_rest_says_all_that_an_analyst_looks_for() -> None:
    alert = make_alert(
        event_outcome="denied",
        event_error_code="AccessDenied",
        event_error_message="explicit deny in an SCP",
        actor_mfa=False,
        actor_source_identity="alice",
        actor_invoked_by="ssm.amazonaws.com",
        links=Links("https://console.example/", "https://runbook.example/"),
        context={"calls": {"DescribeTrails": 3}},
    )
    blocks = message(alert)["blocks"]
    assert "was denied" in blocks[1]["text"]["text"]
    shown = _shown(blocks)
    for part in (
        "2026-03-01T12:00:00Z",
        "session `alice@example.com`",
        "source identity `alice`",
        "without MFA",
        "`ASIAEXAMPLE`",
        "cli, `ssm.amazonaws.com`",
        "`aws-cli/2.15.0`",
        "`AccessDenied` explicit deny in an SCP",
        f"`{TRAIL}`",
        "`name` = `main`: recording stops",
        "<https://console.example/|Open in the CloudTrail console>",
        "<https://runbook.example/|Runbook>",
        "`ct-013` CloudTrail configuration changes",
        "`s3://logs/AWSLogs/111122223333/CloudTrail/eu-west-1/2026/03/01/file.json.gz`",
        "`11111111-2222-3333-4444-555555555555`",
        "`alert-1`",
        "`DescribeTrails` x `3`",
    ):
        assert part in shown


def test_an_inline_event_says_that_there_is_no_log_file() -> None:
    assert "without a log file" in _shown(message(make_alert(log_file=None, provenance="inline"))["blocks"])


@pytest.mark.parametrize("severity", ["informational", "low", "medium", "high", "critical"])
def test_the_severity_is_seen_first(severity: str) -> None:
    made = message(make_alert(severity=severity))
    assert severity.upper() in made["blocks"][0]["text"]["text"]
    assert made["text"].startswith(severity.upper())


def test_the_minimal_message_is_one_plain_text() -> None:
    made = plain_message(make_alert(title=EVIL))
    assert "blocks" not in made
    assert made["mrkdwn"] is False
    assert "<" not in made["text"]
    assert "StopLogging" not in made["text"]
    assert "no longer recorded" in made["text"]


def test_more_changes_than_fit_are_counted() -> None:
    changes = tuple(Change(f"field{n}", "v" * 300, "e" * 300) for n in range(40))
    shown = _shown(message(make_alert(changes=changes))["blocks"])
    listed = len(re.findall(r"• `field\d+`", shown))
    assert 0 < listed < 40
    assert f"and {40 - listed} more" in shown


def test_more_resources_than_fit_are_counted() -> None:
    resources = tuple(Resource("AWS::S3::Bucket", f"arn:aws:s3:::b{n}", None) for n in range(9))
    assert "and 4 more" in _shown(message(make_alert(resources=resources))["blocks"])


def test_a_link_that_is_none_is_left_out() -> None:
    shown = _shown(message(make_alert(links=Links("javascript:alert(1)", None)))["blocks"])
    assert "console>" not in shown
    assert "javascript" not in shown


def _is_inert(text: str, kind: str) -> bool:
    """Whether nothing in a text object is parsed by Slack but formats and links of our own."""
    rest = text
    if kind == "mrkdwn":
        rest = re.sub(r"<https?://[^<>|\s]+\|(Open in the CloudTrail console|Runbook)>", "", rest)
    return "<" not in rest and ">" not in rest and "\u202e" not in rest and "\x00" not in rest


@given(alerts())
@settings(max_examples=50, deadline=None)
def test_whatever_was_typed_stays_inert_and_within_slacks_limits(alert: Alert) -> None:
    made = message(alert)
    json.dumps(made).encode()
    assert len(made["blocks"]) <= 50
    assert len(made["text"]) <= 4000
    assert _is_inert(made["text"], "plain_text")
    for block in made["blocks"]:
        limit = {"header": 150, "section": 3000, "context": 3000}[block["type"]]
        assert len(block.get("fields", [])) <= 10
        assert len(block.get("elements", [])) <= 10
        for text in _texts(block):
            assert 0 < len(text["text"]) <= (2000 if "fields" in block else limit)
            assert _is_inert(text["text"], text["type"])
            # What is outside of code and of our own bold labels holds no character that formats.
            if text["type"] == "mrkdwn":
                assert text["verbatim"] is True
                assert text["text"].count("`") % 2 == 0
                bare = re.sub(r"`[^`]*`", "", text["text"])
                assert "~" not in re.sub(r"<https?://[^>]*>", "", bare)
                assert bare.count("*") in (0, 2)


def test_an_alert_of_empty_texts_makes_a_valid_message() -> None:
    blank = {"title": "", "summary": "\r", "event_name": "", "actor_name": " ", "actor_user_agent": "\n"}
    alert = make_alert(**blank, changes=(Change("", "", ""),), resources=(Resource("", "", None),))
    assert all(text["text"] for text in _texts(message(alert)["blocks"]))


@pytest.mark.parametrize(
    ("status", "body", "answer"),
    [
        (200, "ok", Accepted()),
        (200, "", Accepted()),
        (400, "invalid_payload", Rejected("payload")),
        (400, "invalid_blocks", Rejected("payload")),
        (400, "user_not_found", Down("not_found")),
        (400, "something new", Rejected("bad_request")),
        (403, "action_prohibited", Down("forbidden")),
        (403, "invalid_token", Down("unauthorized")),
        (404, "no_service", Down("not_found")),
        (404, "channel_not_found", Down("not_found")),
        (410, "channel_is_archived", Down("gone")),
        (200, "no_service", Down("not_found")),
        (413, "", Rejected("too_large")),
        (429, "", Retry("throttled", 30.0)),
        (429, "rate_limited", Retry("throttled", 30.0)),
        (500, "rollup_error", Retry("server_error", 30.0)),
        (503, "", Retry("server_error", 30.0)),
        (302, "", Down("redirect")),
    ],
)
async def test_slacks_answers_are_classified(
    status: int, body: str, answer: Answer, channel: SlackChannel, receiver: Receiver
) -> None:
    receiver.answer(status, body=body, headers={"Retry-After": "30"})
    assert await channel.send(make_alert()) == answer


def test_every_word_of_slacks_has_a_reason_that_the_metrics_know() -> None:
    for answer in _ERRORS.values():
        assert answer.reason in ATTEMPT_REASONS[answer.outcome]


async def test_probing_posts_nothing(channel: SlackChannel, receiver: Receiver) -> None:
    assert await channel.probe() == Accepted()
    assert [request.method for request in receiver.requests] == ["HEAD"]
