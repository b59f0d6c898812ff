import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from pydantic import SecretStr

from stream.alert import Alert, Change, Links
from stream.deliver.channel import Accepted, Answer, Down, Rejected, Retry
from stream.deliver.channels import build, channel_sections
from stream.deliver.channels.zendesk import ZendeskChannel, ZendeskSettings
from stream.deliver.channels.zendesk_text import MAX_SUBJECT, MAX_WORDS, STYLE, comment, is_told
from stream.deliver.group import Group
from stream.deliver.text import CUT
from stream.deliver.trail import incident_id
from stream.deliver.words import Words, words
from stream.environment import load
from stream.errors import ConfigError
from tests.deliver.alerts import TRAIL, alerts, make_alert
from tests.deliver.channels.attacks import ATTACKS, active, hostile
from tests.deliver.channels.zendesk_server import Zendesk, plain
from tests.receiver import Receiver

CREDENTIALS = {"email": "soc@example.com", "api_token": "sEcReT"}
STARTED = make_alert("started", event_name="StartLogging", severity="low", title="Logging of trail main was started")
OUR_TAGS = re.compile(r'</?p>|<br>|</a>|<a href="https://[^"<>]+">')


@pytest.fixture
def account(receiver: Receiver) -> Zendesk:
    made = Zendesk()
    receiver.default = made
    return made


def make_channel(receiver: Receiver, **values: Any) -> ZendeskChannel:
    return ZendeskChannel(ZendeskSettings.model_validate({"url": receiver.url, **CREDENTIALS, **values}))


@pytest.fixture
async def channel(receiver: Receiver, account: Zendesk) -> AsyncIterator[ZendeskChannel]:
    assert receiver.default is account
    made = make_channel(receiver)
    yield made
    await made.aclose()


def methods(receiver: Receiver) -> list[str]:
    return [request.method for request in receiver.requests]


def words_of(alert: Alert, group: Group | None = None) -> Words:
    return words(alert, group, STYLE, headline=MAX_SUBJECT, text=MAX_WORDS, failed=pytest.fail)


async def test_an_alert_opens_a_ticket_that_says_what_where_who_and_what_it_means(
    channel: ZendeskChannel, account: Zendesk
) -> None:
    alert = make_alert(links=Links("https://console.example/?a=1&b=2", "https://runbook.example/"))
    assert await channel.send(alert) == Accepted()
    (made,) = account.tickets
    assert made["subject"] == "CRITICAL: Logging of trail main was stopped"
    assert (made["priority"], made["type"], made["tags"]) == ("urgent", "incident", ["trailstream"])
    assert made["external_id"] == incident_id(alert)
    (note,) = made["comments"]
    assert note["public"] is False
    assert '<a href="https://console.example/?a=1&amp;b=2">Console</a>' in note["html_body"]
    assert '<a href="https://runbook.example/">Runbook</a>' in note["html_body"]
    lines = [line for line in plain(note["html_body"]).splitlines() if line]
    assert lines[0].startswith("StopLogging succeeded in account prod 111122223333, eu-west-1, by Admin from 198.51")
    assert lines[1] == "API calls in this account are no longer recorded by trail main."
    for line in (f"Target: {TRAIL}", "Change: name = main: recording stops", "Alert id: alert-1"):
        assert line in lines


async def test_what_happens_to_the_trail_next_joins_the_ticket_and_neither_solves_nor_lowers_it(
    channel: ZendeskChannel, account: Zendesk, receiver: Receiver
) -> None:
    for alert in (make_alert("stopped", severity="medium"), make_alert("deleted"), STARTED):
        assert await channel.send(alert) == Accepted()
    (made,) = account.tickets
    assert [plain(note["html_body"]).split("\n")[1] for note in made["comments"][1:]] == [
        "CRITICAL: Logging of trail main was stopped",
        "LOW: Logging of trail main was started",
    ]
    assert (made["priority"], made["status"]) == ("urgent", "new")
    assert methods(receiver) == ["GET", "POST", "GET", "GET", "PUT", "GET", "GET", "PUT"]
    assert receiver.requests[-1].json()["ticket"].keys() == {"comment"}


async def test_a_message_that_was_told_is_not_told_again_whoever_told_it(
    channel: ZendeskChannel, account: Zendesk, receiver: Receiver
) -> None:
    group = Group((make_alert("b"), make_alert("c")))
    other = make_channel(receiver)
    for replica in (channel, other):
        assert await replica.send(make_alert("a")) == Accepted()
        assert await replica.tell(make_alert("c"), group) == Accepted()
    await other.aclose()
    (made,) = account.tickets
    assert len(made["comments"]) == 2
    text = plain(made["comments"][1]["html_body"])
    assert "Count: 2" in text
    assert "Alert id: b, c" in text


def test_nobody_can_have_an_alert_taken_for_told_by_typing_its_reference() -> None:
    alert, told = make_alert("a"), comment(make_alert("a"), None, words_of(make_alert("a")), minimal=False)
    (reference,) = re.findall(r"Reference: [0-9a-f]{10}", told)
    forged = make_alert("b", actor_user_agent=reference, summary=reference, event_name=reference)
    comments = [{"plain_body": plain(comment(forged, None, words_of(forged), minimal=False))}]
    assert reference in comments[0]["plain_body"]
    assert not is_told(comments, alert, None)
    assert is_told([*comments, {"plain_body": plain(told) + " \n"}], alert, None)


@pytest.mark.parametrize("status", ["solved", "closed"])
async def test_a_ticket_that_is_over_is_followed_by_a_new_one(
    status: str, channel: ZendeskChannel, account: Zendesk
) -> None:
    await channel.send(make_alert("a"))
    account.tickets[0]["status"] = status
    assert await channel.send(make_alert("b")) == Accepted()
    assert len(account.tickets) == 2


async def test_one_that_is_closed_between_look_and_note_is_followed_by_a_new_one(
    channel: ZendeskChannel, account: Zendesk
) -> None:
    await channel.send(make_alert("a"))
    account.closes = True
    assert await channel.send(make_alert("b")) == Accepted()
    assert [len(made["comments"]) for made in account.tickets] == [1, 1]


async def test_replicas_that_open_at_one_moment_open_one_ticket(channel: ZendeskChannel, account: Zendesk) -> None:
    await channel.send(make_alert("a"))
    account.blind = 1  # as if the second had looked before the first opened it
    assert await channel.send(make_alert("b")) == Accepted()
    (made,) = account.tickets
    assert len(made["comments"]) == 2
    account.blind = 1
    assert await channel.send(make_alert("a")) == Accepted()
    assert len(made["comments"]) == 2


async def test_an_alert_is_not_held_where_the_ticket_was_deleted(channel: ZendeskChannel, account: Zendesk) -> None:
    await channel.send(make_alert("a"))
    account.tickets.clear()
    assert await channel.send(make_alert("b")) == Accepted()
    assert len(account.tickets) == 1


async def test_late_alerts_hurry_nobody(channel: ZendeskChannel, account: Zendesk) -> None:
    late = Group((make_alert("a"), STARTED), late=True)
    assert await channel.tell(make_alert("a"), late) == Accepted()
    assert await channel.tell(make_alert("b"), Group((make_alert("b"),), late=True)) == Accepted()
    (made,) = account.tickets
    assert made["subject"].startswith("LATE: 2 alerts")
    assert made["priority"] == "low"
    assert plain(made["comments"][1]["html_body"]).lstrip().startswith("LATE: 1 alert")


async def test_nobody_elses_ticket_is_written_to(channel: ZendeskChannel, account: Zendesk, receiver: Receiver) -> None:
    receiver.answer(200, body=json.dumps({"tickets": [{"id": 7, "external_id": None, "status": "open"}]}))
    assert await channel.send(make_alert()) == Accepted()
    assert methods(receiver) == ["GET", "POST"]
    assert len(account.tickets) == 1


@pytest.mark.parametrize("name", ATTACKS)
async def test_attacks_come_out_inert_and_are_accepted(name: str, channel: ZendeskChannel, account: Zendesk) -> None:
    alert = hostile(ATTACKS[name])
    for alert_id in ("a", "b"):
        assert await channel.tell(alert, Group((alert, make_alert(alert_id)))) == Accepted()
    (made,) = account.tickets
    assert active(made["subject"]) is None
    assert len(made["comments"]) == 2
    for note in made["comments"]:
        without_ours = OUR_TAGS.sub(" ", note["html_body"])
        assert "<" not in without_ours
        assert re.search(r"&(?!(amp|lt|gt);)", without_ours) is None
        assert active(plain(note["html_body"]).replace("\n", " ")) is None


@given(alerts())
@settings(max_examples=10, deadline=None)
def test_any_alert_keeps_within_the_limits(alert: Alert) -> None:
    said = words_of(alert)
    assert 0 < len(said.headline) <= MAX_SUBJECT
    for minimal in (False, True):
        text = comment(alert, None, said, minimal=minimal, headline=said.headline)
        assert len(text.encode()) <= 65_535
        assert f"Alert id: {alert.id}" in plain(text).splitlines()


def test_the_longest_texts_are_cut_and_no_id_is() -> None:
    alert = make_alert(
        event_error_message="long & " * 100_000,
        changes=tuple(Change(f"field{n}", "😀" * 5000, "&" * 5000) for n in range(30)),
    )
    text = comment(alert, None, words_of(alert), minimal=False)
    assert len(text.encode()) <= 65_535
    assert CUT in text
    assert " more changes" in text
    for whole in (TRAIL, alert.actor.arn, alert.actor.access_key_id, alert.event.id):
        assert whole is not None
        assert whole in text


async def test_the_minimal_ticket_has_what_is_mandatory_and_the_ids(channel: ZendeskChannel, account: Zendesk) -> None:
    assert await channel.send(make_alert(), minimal=True) == Accepted()
    (made,) = account.tickets
    assert made.keys() == {"id", "status", "comments", "subject", "external_id", "priority"}
    assert "Event id: 11111111-2222-3333-4444-555555555555<br>Alert id: alert-1" in made["comments"][0]["html_body"]


@pytest.mark.parametrize(
    ("status", "body", "answer"),
    [
        (200, "<html>maintenance</html>", Retry("server_error", 30.0)),
        (200, '{"tickets":[{"id":', Retry("other", 30.0)),
        (302, "", Down("redirect")),
        (400, "", Down("other")),
        (401, "", Down("unauthorized")),
        (403, "", Down("forbidden")),
        (404, "", Down("not_found")),
        (422, "", Down("other")),
        (429, "", Retry("throttled", 30.0)),
        (503, "", Retry("server_error", 30.0)),
    ],
)
async def test_a_look_up_that_fails_is_the_answer_and_creates_nothing(
    status: int, body: str, answer: Answer, channel: ZendeskChannel, account: Zendesk, receiver: Receiver
) -> None:
    receiver.answer(status, body=body, headers={"Retry-After": "30"})
    assert await channel.send(make_alert()) == answer
    assert methods(receiver) == ["GET"]
    assert account.tickets == []


@pytest.mark.parametrize(
    ("status", "body", "answer"),
    [
        (201, "<html>maintenance</html>", Retry("server_error", 30.0)),
        (201, '{"ticket":{"id":', Retry("other", 30.0)),
        (400, "", Rejected("bad_request")),
        (403, "", Down("forbidden")),
        (405, "", Rejected("other")),
        (409, "", Retry("other", 30.0)),
        (413, "", Rejected("too_large")),
        (422, '{"details":{"requester":[{"description":"Requester: is suspended"}]}}', Down("forbidden")),
        (422, '{"details":{"base":[]}}', Rejected("payload")),
        (429, "", Retry("throttled", 30.0)),
    ],
)
async def test_only_a_ticket_that_was_made_is_an_acceptance(
    status: int, body: str, answer: Answer, channel: ZendeskChannel, account: Zendesk, receiver: Receiver
) -> None:
    receiver.answer(200, body='{"tickets":[]}')
    receiver.answer(status, body=body, headers={"Retry-After": "30"})
    assert await channel.send(make_alert()) == answer
    assert methods(receiver) == ["GET", "POST"]
    assert account.tickets == []


async def test_probing_creates_nothing_and_finds_out_an_anonymous_user(
    channel: ZendeskChannel, account: Zendesk, receiver: Receiver
) -> None:
    assert await channel.probe() == Accepted()
    wrong = make_channel(receiver, api_token="other")
    assert await wrong.probe() == Down("unauthorized")
    await wrong.aclose()
    receiver.answer(200, body='{"user":{"id":5,"role":"end-user"}}')
    assert await channel.probe() == Down("forbidden")
    assert set(methods(receiver)) == {"GET"}
    assert account.tickets == []


async def test_a_rehearsal_shows_both_steps_without_secrets_and_takes_neither(
    channel: ZendeskChannel, receiver: Receiver
) -> None:
    shown: list[str] = []
    channel.rehearsal = shown.append
    assert await channel.send(make_alert()) == Accepted()
    assert await channel.probe() == Accepted()
    assert [text.split()[0] for text in shown] == ["GET", "POST", "GET"]
    assert "Idempotency-Key" in shown[1]
    assert not re.search("sEcReT|c29jQGV4", "".join(shown))
    assert receiver.requests == []


def test_the_settings_come_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "token"
    file.write_text("sEcReT\n")
    monkeypatch.setenv("TRAILSTREAM_ZENDESK_URL", "https://acme.zendesk.com/")
    monkeypatch.setenv("TRAILSTREAM_ZENDESK_EMAIL", "soc@example.com")
    monkeypatch.setenv("TRAILSTREAM_ZENDESK_API_TOKEN_FILE", str(file))
    (channel,) = build(load(channel_sections()))
    assert isinstance(channel.settings, ZendeskSettings)
    assert channel.settings.url == "https://acme.zendesk.com"
    assert channel.settings.api_token == SecretStr("sEcReT")
    assert "sEcReT" not in repr(channel.settings)


@pytest.mark.parametrize(
    ("variables", "fault"),
    [
        ({}, "URL: it takes TRAILSTREAM_ZENDESK_EMAIL and TRAILSTREAM_ZENDESK_API_TOKEN"),
        ({"EMAIL": "soc@example.com"}, "URL: it takes"),
        ({"EMAIL": "soc@example.com/token", "API_TOKEN": "sEcReT"}, "EMAIL: must be the email address"),
        ({"EMAIL": "soc@example.com", "API_TOKEN": "two sEcReTs"}, "API_TOKEN: must be an API token"),
        ({"EMAIL": "soc@example.com", "API_TOKEN": "sEcReT", "URL": "acme"}, "URL: must be a URL"),
    ],
)
def test_bad_settings_are_errors_that_name_the_variable(
    variables: dict[str, str], fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in ({"URL": "https://acme.zendesk.com"} | variables).items():
        monkeypatch.setenv(f"TRAILSTREAM_ZENDESK_{name}", value)
    with pytest.raises(ConfigError) as raised:
        load([ZendeskSettings])
    assert str(raised.value).startswith(f"TRAILSTREAM_ZENDESK_{fault}")
    assert "sEcReT" not in str(raised.value)
