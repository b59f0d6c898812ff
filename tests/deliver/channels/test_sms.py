from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import aiohttp
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream.alert import Alert
from stream.deliver.channel import Accepted, Down, Rejected, Retry
from stream.deliver.channels.gsm7 import SEGMENT, gsm7, septets
from stream.deliver.channels.sms import SmsChannel, SmsSettings, least_text, text
from stream.deliver.group import Group
from stream.environment import load
from stream.errors import ConfigError
from tests.deliver.alerts import alerts, make_alert
from tests.deliver.aws import SNS_TAKEN, aws, sns_error
from tests.deliver.channels.attacks import ATTACKS, active, hostile
from tests.receiver import Receiver, Reply, Request

ANNA, BERT, CARL = "+4915112345678", "+12065550100", "+33612345678"


class _Sns:
    """Takes messages, save for the numbers for which it has an answer of its own."""

    def __init__(self) -> None:
        self.refusals: dict[str, Reply] = {}
        self.sent: list[dict[str, str]] = []

    def __call__(self, request: Request) -> Reply:
        sent = {name: values[0] for name, values in parse_qs(request.body.decode()).items()}
        if sent["Action"] != "Publish":
            return Reply(403, sns_error("AuthorizationError"))
        self.sent.append(sent)
        return self.refusals.get(sent["PhoneNumber"], Reply(200, SNS_TAKEN))

    @property
    def told(self) -> list[str]:
        return sorted(sent["PhoneNumber"] for sent in self.sent)


@pytest.fixture
def sns(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> _Sns:
    monkeypatch.setenv("AWS_ENDPOINT_URL_SNS", receiver.url)
    service = _Sns()
    receiver.default = service
    return service


def _make(**values: Any) -> SmsChannel:
    settings = {"to": (ANNA, BERT, CARL), "timeout": 20, **values}
    return SmsChannel(SmsSettings.model_validate(settings), aws=aws())


@pytest.fixture
async def channel(sns: _Sns) -> AsyncIterator[SmsChannel]:
    del sns
    made = _make()
    yield made
    await made.aclose()


async def test_every_number_gets_the_message(moto_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", moto_endpoint)
    channel = _make()
    assert await channel.probe() == Accepted()
    assert await channel.send(make_alert()) == Accepted()
    await channel.aclose()
    async with aiohttp.ClientSession() as session, session.get(f"{moto_endpoint}/moto-api/data.json") as answer:
        sent = {each["phone_number"]: each["message"] for each in (await answer.json(content_type=None))["sns"]["SMS"]}
    assert sent == dict.fromkeys((ANNA, BERT, CARL), text(make_alert()))


def test_the_text_says_how_grave_what_where_by_whom_and_from_where() -> None:
    assert text(make_alert()) == (
        "CRITICAL StopLogging in prod by Admin/alice@example .com from 198.51.100.7: Logging of trail main was stopped"
    )
    denied = make_alert(
        event_outcome="denied", event_account_name=None, actor_session_name=None, actor_source_ip=None, severity="low"
    )
    assert text(denied).startswith("LOW StopLogging DENIED in 111122223333 by Admin: Logging")


def test_long_names_leave_room_for_the_rest() -> None:
    alert = make_alert(
        severity="informational",
        event_name="DisassociateFromAdministratorAccount",
        event_outcome="denied",
        event_account_name="production of the department of everything",
        actor_name="n" * 64,
        actor_source_ip="2001:0db8:85a3:0000:0000:8a2e:0370:7334",
    )
    group = Group(tuple([alert] * 9999), late=True)
    said = text(alert, group)
    assert septets(said) <= SEGMENT
    for part in ("LATE 9999x INFORMATIONAL DisassociateFromAdministratorAccount DENIED", "in 111122223333"):
        assert part in said
    assert said.endswith("from 2001:0db8:85a3:0000:0000:8a2e:0370:7334")


def test_of_late_alerts_of_several_kinds_it_says_how_many_and_the_worst() -> None:
    worst = make_alert("a", title="Logging of trail main was stopped " + "x" * 200)
    tagged = make_alert("b", severity="low", title="Trail got a tag", event_name="AddTags", actor_name="carol")
    said = text(worst, Group((tagged, worst, make_alert("c", severity="medium")), late=True))
    assert said.startswith("LATE: 3 alerts, the worst of them CRITICAL: Logging of trail main was stopped x")
    assert septets(said) <= SEGMENT
    for alone in ("StopLogging", "alice", "198.51.100.7"):
        assert alone not in said
    alike = text(worst, Group((worst, worst), late=True))
    assert alike.startswith("LATE 2x CRITICAL StopLogging in prod by Admin/alice")


async def test_it_is_a_transactional_message_from_whom_the_settings_say(sns: _Sns) -> None:
    channel = _make(sender_id="Trail", to=(ANNA,))
    assert await channel.send(make_alert()) == Accepted()
    assert await channel.send(make_alert(), minimal=True) == Accepted()
    await channel.aclose()
    whole, minimal = ([value for name, value in sorted(sent.items()) if "entry" in name] for sent in sns.sent)
    assert whole == [
        *("AWS.SNS.SMS.SMSType", "String", "Transactional"),
        *("AWS.SNS.SMS.SenderID", "String", "Trail"),
    ]
    assert minimal == ["AWS.SNS.SMS.SMSType", "String", "Transactional"]
    assert sns.sent[1]["Message"] == "CRITICAL StopLogging in 111122223333"


async def test_who_has_it_is_not_told_again_when_others_are(sns: _Sns, channel: SmsChannel) -> None:
    sns.refusals = {BERT: Reply(500, sns_error("InternalError"))}
    assert await channel.send(make_alert()) == Retry("server_error", partial=True)
    assert sns.told == sorted([ANNA, BERT, CARL])
    sns.sent.clear()
    sns.refusals.clear()
    assert await channel.send(make_alert()) == Accepted()
    assert sns.told == [BERT]
    sns.sent.clear()
    assert await channel.send(make_alert("another")) == Accepted()
    assert sns.told == sorted([ANNA, BERT, CARL])


async def test_the_answer_is_the_worst_and_a_number_refused_keeps_nobody_from_being_told(
    sns: _Sns, channel: SmsChannel
) -> None:
    invalid, denied = Reply(400, sns_error("InvalidParameter")), Reply(403, sns_error("AuthorizationError"))
    sns.refusals = {ANNA: invalid}
    assert await channel.send(make_alert()) == Rejected("bad_request")
    sns.refusals[BERT] = Reply(429, sns_error("Throttled"))
    assert await channel.send(make_alert("b")) == Retry("throttled", partial=True)
    sns.refusals[CARL] = denied
    assert await channel.send(make_alert("c")) == Down("forbidden")
    sns.sent.clear()
    sns.refusals.clear()
    assert await channel.send(make_alert(), minimal=True) == Accepted()
    assert sns.told == [ANNA]


async def test_a_group_is_one_message_with_its_count_and_remembered_by_itself(sns: _Sns, channel: SmsChannel) -> None:
    first, second = make_alert("a"), make_alert("b")
    sns.refusals = {ANNA: Reply(500, sns_error("InternalError"))}
    assert await channel.send(first) == Retry("server_error", partial=True)
    sns.refusals.clear()
    sns.sent.clear()
    assert await channel.tell(first, Group((first, second))) == Accepted()
    assert sns.told == sorted([ANNA, BERT, CARL])
    assert sns.sent[0]["Message"].startswith("2x CRITICAL StopLogging in prod")


async def test_a_group_is_the_same_in_whatever_order_its_alerts_came(sns: _Sns, channel: SmsChannel) -> None:
    first, second = make_alert("a"), make_alert("b")
    sns.refusals = {ANNA: Reply(500, sns_error("InternalError"))}
    assert await channel.tell(first, Group((first, second))) == Retry("server_error", partial=True)
    sns.refusals.clear()
    sns.sent.clear()
    assert await channel.tell(first, Group((second, first))) == Accepted()
    assert sns.told == [ANNA]


async def test_only_so_much_is_remembered(sns: _Sns, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stream.deliver.channels.sms._REMEMBERED", 2)
    channel = _make(to=(ANNA, BERT))
    sns.refusals = {ANNA: Reply(500, sns_error("InternalError"))}
    for name in "abc":
        assert await channel.send(make_alert(name)) == Retry("server_error", partial=True)
    await channel.aclose()
    assert len(channel._told) == 2


async def test_a_template_is_the_users_own_words_in_one_segment(sns: _Sns) -> None:
    template = "{{ severity }} {{ event.name }} \u2014 {{ actor.user_agent }}\nhttps://wiki.example/{{ rule.id }}"
    channel = _make(to=(ANNA,), template=template)
    assert await channel.send(make_alert(actor_user_agent="<b> https://evil.example")) == Accepted()
    assert await channel.send(make_alert("b", actor_user_agent="x" * 500)) == Accepted()
    await channel.aclose()
    said = [sent["Message"] for sent in sns.sent]
    assert said[0] == "critical StopLogging - (b) https: //evil .example\nhttps://wiki.example/ct-013"
    assert septets(said[1]) == SEGMENT
    assert said[1].endswith("...")


async def test_a_template_that_fails_is_counted_and_ours_is_sent(sns: _Sns, tmp_path: Path) -> None:
    file = tmp_path / "template"
    file.write_text("{{ severity }}")
    channel = _make(to=(ANNA,), template=str(file))
    file.write_text("{{ no_such_thing }}")
    failures: list[str] = []
    channel.template_failed = failures.append
    assert await channel.send(make_alert()) == Accepted()
    await channel.aclose()
    assert failures == ["UndefinedError"]
    assert sns.sent[0]["Message"] == text(make_alert())


async def test_who_may_not_look_may_send_all_the_same(sns: _Sns, channel: SmsChannel) -> None:
    assert await channel.probe() == Accepted()
    assert sns.sent == []


def _is_fit(said: str) -> bool:
    return bool(said) and septets(said) <= SEGMENT and gsm7(said) == said and active(said) is None


@pytest.mark.parametrize("name", ATTACKS)
def test_attacks_come_out_inert_in_one_segment(name: str) -> None:
    alert = hostile(ATTACKS[name])
    for said in (text(alert), text(alert, Group((alert, alert))), least_text(alert)):
        assert _is_fit(said)
    assert _is_fit(text(alert, Group((alert, make_alert()), late=True)))


@given(alerts(), st.booleans())
@settings(max_examples=15, deadline=None)
def test_any_alert_is_one_segment(alert: Alert, late: bool) -> None:
    for said in (text(alert), text(alert, Group((alert,), late=late)), least_text(alert)):
        assert _is_fit(said)
    assert _is_fit(text(alert, Group((alert, make_alert("other")), late=True)))


def test_numbers_are_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRAILSTREAM_SMS_TO", f"{ANNA}, {BERT},{ANNA}")
    monkeypatch.setenv("TRAILSTREAM_SMS_REGION", "eu-west-1")
    section = load([SmsSettings])[SmsSettings]
    assert isinstance(section, SmsSettings)
    assert (section.enabled, section.to, section.region) == (True, (ANNA, BERT), "eu-west-1")
    assert SmsChannel(section).region() == "eu-west-1"
    monkeypatch.delenv("TRAILSTREAM_SMS_TO")
    assert not SmsSettings.model_validate({}).enabled


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TRAILSTREAM_SMS_TO", "015112345678"),
        ("TRAILSTREAM_SMS_TO", "+4915112345678,Anna"),
        ("TRAILSTREAM_SMS_TO", ",".join(f"+491511234{n:04}" for n in range(51))),
        ("TRAILSTREAM_SMS_REGION", "Ireland"),
        ("TRAILSTREAM_SMS_SENDER_ID", "12345"),
        ("TRAILSTREAM_SMS_SENDER_ID", "Trailstream 1"),
    ],
)
def test_a_bad_value_is_an_error_that_names_the_variable(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError, match=rf"^{name}: "):
        load([SmsSettings])
