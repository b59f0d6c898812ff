import asyncio
import json
import re
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from hypothesis import given, settings

from stream.alert import Alert, Change, Links, Resource
from stream.deliver.channel import Accepted, Answer, Down, Rejected, Retry
from stream.deliver.channels.slack import SlackChannel, SlackSettings
from stream.deliver.channels.slack_answers import API_ERRORS, NO_THREAD, WEBHOOK_ERRORS
from stream.deliver.group import Group
from stream.environment import load
from stream.errors import ConfigError
from stream.metrics import ATTEMPT_REASONS
from tests.deliver.alerts import TRAIL, alerts, make_alert
from tests.deliver.channels.attacks import ATTACKS, hostile
from tests.receiver import Receiver, Reply

EVIL = "<!channel> <@U1> <https://evil.example|click> *b* `c` \u202e\x00"


@pytest.fixture
async def channel(receiver: Receiver) -> AsyncIterator[SlackChannel]:
    made = SlackChannel(SlackSettings.model_validate({"webhook_url": f"{receiver.url}/services/T/B/x"}))
    yield made
    await made.aclose()


def message(
    alert: Alert, group: Group | None = None, *, minimal: bool = False, template: str | None = None
) -> dict[str, Any]:
    settings = SlackSettings.model_validate({"webhook_url": "https://hooks.slack.example/", "template": template})
    return SlackChannel(settings).message(alert, group, minimal=minimal)


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
    header, happened = message(make_alert())["blocks"][:2]
    assert header["text"]["text"] == "🔴 CRITICAL: Logging of trail main was stopped"
    assert happened["text"]["text"].splitlines() == [
        (
            "*StopLogging* succeeded in account *prod* `111122223333`, `eu-west-1`, by `Admin` from `198.51.100.7` at "
            "`2026-03-01T12:00:00Z`"
        ),
        "API calls in this account are no longer recorded by trail main.",
    ]


def test_the_words_may_be_ones_own_and_what_is_below_them_stays() -> None:
    template = "{{ title }}\n<https://wiki.example/trails|What to do> with {{ record.name | code }}, {{ summary }}"
    made = message(make_alert(title=EVIL, summary="*no*", record={"name": "a`*b*"}), template=template)
    assert made["blocks"][0]["text"]["text"].startswith("🔴 &lt;!channel&gt; &lt;@U1&gt;")
    assert made["blocks"][1]["text"]["text"] == (
        "<https://wiki.example/trails|What to do> with `a\u02cb*b*`, \u2217no\u2217"
    )
    assert f"`{TRAIL}`" in _shown(made["blocks"])


def test_a_group_is_told_with_its_number_times_and_events() -> None:
    several = tuple(make_alert(f"a{n}", event_id=f"e{n}", event_time=f"2026-03-01T12:{n:02}:00Z") for n in range(12))
    made = message(several[0], Group(several))
    assert made["blocks"][0]["text"]["text"].endswith("(12 times)")
    told = "12 alike between `2026-03-01T12:00:00Z` and `2026-03-01T12:11:00Z`; events `e0`, `e1`, `e2`"
    assert told in made["blocks"][1]["text"]["text"]
    assert "and 2 more" in made["blocks"][1]["text"]["text"]
    assert "12 alike" in made["text"]


@pytest.mark.parametrize("template", [None, "{{ title }}"])
def test_what_is_told_late_says_so_and_shows_no_single_event(template: str | None) -> None:
    several = (make_alert("a"), make_alert("b", title="other"))
    made = message(several[0], Group(several, late=True), template=template)
    assert made["text"].startswith("LATE: ")
    assert made["blocks"][0]["text"]["text"].startswith("🔴 LATE: ")
    assert len(made["blocks"]) == (2 if template is None else 1)
    assert ("other" in _shown(made["blocks"])) == (template is None)


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
        "*Error*\n`AccessDenied` explicit deny in an SCP",
        f"`{TRAIL}`",
        "`name` = `main`: recording stops",
        "<https://console.example/|Open in the CloudTrail console>",
        "<https://runbook.example/|Runbook>",
        "Rule: `ct-013` CloudTrail configuration changes",
        "`s3://logs/AWSLogs/111122223333/CloudTrail/eu-west-1/2026/03/01/file.json.gz`",
        "`11111111-2222-3333-4444-555555555555`",
        "`alert-1`",
        "By the same principal in this log file: `DescribeTrails` x 3",
    ):
        assert part in shown


def test_an_inline_event_says_that_there_is_no_log_file() -> None:
    assert "Log file: none: the event was brought by EventBridge" in _shown(
        message(make_alert(log_file=None, provenance="inline"))["blocks"]
    )


@pytest.mark.parametrize("severity", ["informational", "low", "medium", "high", "critical"])
def test_the_severity_is_seen_first(severity: str) -> None:
    made = message(make_alert(severity=severity))
    assert severity.upper() in made["blocks"][0]["text"]["text"]
    assert made["text"].startswith(severity.upper())


def test_the_minimal_message_is_one_plain_text() -> None:
    made = message(make_alert(title=EVIL), minimal=True)
    assert "blocks" not in made
    assert made["mrkdwn"] is False
    assert "<" not in made["text"]
    assert "no longer recorded" in made["text"]


def test_more_changes_than_fit_are_counted() -> None:
    changes = tuple(Change(f"field{n}", "v" * 300, "e" * 300) for n in range(40))
    shown = _shown(message(make_alert(changes=changes))["blocks"])
    listed = len(re.findall(r"• `field\d+`", shown))
    assert 0 < listed < 40
    assert f"and {40 - listed} more" in shown


def test_more_resources_than_fit_are_counted() -> None:
    resources = tuple(Resource("AWS::S3::Bucket", f"arn:aws:s3:::b{n}", None) for n in range(9))
    assert "and 6 more" in _shown(message(make_alert(resources=resources))["blocks"])


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
@settings(max_examples=20, deadline=None)
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
                assert bare.count("*") in (0, 2, 4)


@pytest.mark.parametrize("name", ATTACKS)
def test_attacks_come_out_inert(name: str) -> None:
    alert = hostile(ATTACKS[name])
    for group in (None, Group((alert, alert)), Group((alert, alert), late=True)):
        made = message(alert, group)
        assert len(made["text"]) <= 4000
        assert _is_inert(made["text"], "plain_text")
        for text in _texts(made["blocks"]):
            assert _is_inert(text["text"], text["type"])
            bare = re.sub(r"`[^`]*`|<[^>]*>", "", text["text"])  # links are ours, as `_is_inert` has seen
            assert not re.search(r"(?i)://|www\.(?!\u2060)|@(channel|here|everyone)\b", bare)


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
    for answer in WEBHOOK_ERRORS.values():
        assert answer.reason in ATTEMPT_REASONS[answer.outcome]


async def test_probing_posts_nothing(channel: SlackChannel, receiver: Receiver) -> None:
    assert await channel.probe() == Accepted()
    assert [request.method for request in receiver.requests] == ["HEAD"]


BOT = {"bot_token": "xoxb-sEcReT-1", "channel": "C0123456789"}


@pytest.fixture
async def bot(receiver: Receiver) -> AsyncIterator[SlackChannel]:
    receiver.default = Reply(200, json.dumps({"ok": True, "channel": "C0123456789", "ts": "1503435956.000247"}))
    made = SlackChannel(SlackSettings.model_validate(BOT | {"api_url": f"{receiver.url}/api/"}))
    yield made
    await made.aclose()


def _refusal(code: str) -> str:
    return json.dumps({"ok": False, "error": code})


async def test_a_bot_posts_the_same_message_to_its_channel_with_its_token(
    bot: SlackChannel, receiver: Receiver
) -> None:
    assert await bot.send(make_alert()) == Accepted()
    (request,) = receiver.requests
    assert (request.method, request.path) == ("POST", "/api/chat.postMessage")
    assert request.headers["Authorization"] == "Bearer xoxb-sEcReT-1"
    assert request.headers["Content-Type"] == "application/json; charset=utf-8"
    assert request.json() == message(make_alert()) | {"channel": "C0123456789"}


async def test_alerts_about_one_trail_share_a_thread_and_what_is_grave_is_seen_outside_it(
    bot: SlackChannel, receiver: Receiver
) -> None:
    other = make_alert("c", resources=(Resource("AWS::CloudTrail::Trail", TRAIL + "2", None),))
    once = make_alert("a"), make_alert("b", severity="low"), other
    answers = list(await asyncio.gather(*map(bot.send, once)))
    answers.append(await bot.send(make_alert("d", severity="high")))
    answers += [await bot.send(make_alert(f"{n}", resources=())) for n in range(2)]
    assert answers == [Accepted()] * 6
    posted = [request.json() for request in receiver.requests]
    threads = [(each.get("thread_ts"), each.get("reply_broadcast")) for each in posted]
    ts = "1503435956.000247"
    assert sorted(threads, key=str) == sorted([(None, None)] * 4 + [(ts, None), (ts, True)], key=str)
    low = next(each for each in posted if "LOW" in each["text"] or each.get("reply_broadcast"))
    assert low["thread_ts"] == ts


async def test_what_is_told_late_stands_by_itself(bot: SlackChannel, receiver: Receiver) -> None:
    await bot.send(make_alert())
    await bot.tell(make_alert(), Group((make_alert(),), late=True))
    assert ["thread_ts" in request.json() for request in receiver.requests] == [False, False]


@pytest.mark.parametrize("code", sorted(NO_THREAD))
async def test_a_thread_that_is_there_no_more_is_begun_anew(code: str, bot: SlackChannel, receiver: Receiver) -> None:
    receiver.answer(200, body=json.dumps({"ok": True, "ts": "1.1"}))
    receiver.answer(200, body=_refusal(code))
    receiver.answer(200, body=json.dumps({"ok": True, "ts": "2.2"}))
    assert [await bot.send(make_alert(name)) for name in "abc"] == [Accepted()] * 3
    assert [request.json().get("thread_ts") for request in receiver.requests] == [None, "1.1", None, "2.2"]


async def test_a_message_that_was_not_taken_begins_no_thread(bot: SlackChannel, receiver: Receiver) -> None:
    receiver.answer(200, body=_refusal("internal_error"))
    assert await bot.send(make_alert()) == Retry("server_error")
    assert await bot.send(make_alert()) == Accepted()
    assert ["thread_ts" in request.json() for request in receiver.requests] == [False, False]


@pytest.mark.parametrize(
    ("status", "body", "answer"),
    [
        (200, _refusal("invalid_auth"), Down("unauthorized")),
        (200, _refusal("token_revoked"), Down("unauthorized")),
        (200, _refusal("missing_scope"), Down("forbidden")),
        (200, _refusal("not_in_channel"), Down("forbidden")),
        (200, _refusal("channel_not_found"), Down("not_found")),
        (200, _refusal("is_archived"), Down("gone")),
        (200, _refusal("msg_too_long"), Rejected("too_large")),
        (200, _refusal("invalid_blocks"), Rejected("payload")),
        (200, _refusal("something_new"), Rejected("other")),
        (200, _refusal("ratelimited"), Retry("throttled", 30.0)),
        (429, _refusal("ratelimited"), Retry("throttled", 30.0)),
        (429, "", Retry("throttled", 30.0)),
        (500, _refusal("fatal_error"), Retry("server_error", 30.0)),
        (503, "<html>", Retry("server_error", 30.0)),
        (404, "", Down("not_found")),
        (302, "", Down("redirect")),
        (200, "<html>a proxy's page</html>", Down("other")),
        (200, '{"ok":true,"ts":"1.', Retry("other")),
        (200, "", Retry("other")),
        (200, "[]", Retry("other")),
    ],
)
async def test_the_apis_answers_are_classified(
    status: int, body: str, answer: Answer, bot: SlackChannel, receiver: Receiver
) -> None:
    receiver.answer(status, body=body, headers={"Retry-After": "30"})
    assert await bot.send(make_alert()) == answer


def test_every_error_of_the_api_has_a_reason_that_the_metrics_know() -> None:
    assert API_ERRORS.keys() >= NO_THREAD
    for answer in API_ERRORS.values():
        assert answer.reason in ATTEMPT_REASONS[answer.outcome]


async def test_probing_a_bot_asks_about_its_token(bot: SlackChannel, receiver: Receiver) -> None:
    receiver.answer(200, body=json.dumps({"ok": True, "team": "x"}))
    receiver.answer(200, body=_refusal("account_inactive"))
    assert [await bot.probe(), await bot.probe()] == [Accepted(), Down("unauthorized")]
    assert [request.path for request in receiver.requests] == ["/api/auth.test"] * 2


@pytest.mark.parametrize(
    ("variables", "fault"),
    [
        ({"WEBHOOK_URL": "https://x/", "BOT_TOKEN": "xoxb-sEcReT", "CHANNEL": "C1"}, "WEBHOOK_URL: .*keep one of them"),
        ({"BOT_TOKEN": "xoxb-sEcReT"}, "CHANNEL is required with"),
        ({"WEBHOOK_URL": "https://x/sEcReT", "CHANNEL": "C1"}, "CHANNEL is of no use without"),
        ({"BOT_TOKEN": "xoxb sEcReT", "CHANNEL": "C1"}, "BOT_TOKEN: must be a bot token"),
        ({"BOT_TOKEN": "xoxb-sEcReT", "CHANNEL": "a b"}, "CHANNEL: must be one channel's id"),
        ({"BOT_TOKEN": "xoxb-sEcReT", "CHANNEL": "C1", "API_URL": "slack.com"}, "API_URL: must be a URL"),
    ],
)
def test_a_webhook_or_a_bot_and_its_channel_are_set(
    variables: dict[str, str], fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(f"TRAILSTREAM_SLACK_{name}", value)
    with pytest.raises(ConfigError, match=f"^TRAILSTREAM_SLACK_{fault}") as raised:
        load([SlackSettings])
    assert "sEcReT" not in str(raised.value)


def test_a_bot_switches_the_channel_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRAILSTREAM_SLACK_BOT_TOKEN", "xoxb-sEcReT")
    monkeypatch.setenv("TRAILSTREAM_SLACK_CHANNEL", "#security")
    section = load([SlackSettings])[SlackSettings]
    assert isinstance(section, SlackSettings)
    assert section.enabled
    assert section.api_url == "https://slack.com/api"
    assert "sEcReT" not in repr(section)
