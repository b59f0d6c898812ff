import json
import ssl
from pathlib import Path

import aiohttp
import pytest
from structlog.testing import capture_logs

from stream.aws import Aws
from stream.deliver.channel import Accepted, Answer, Down, Rejected, Retry
from stream.deliver.channels.email import _ERRORS, EmailChannel, EmailSettings
from stream.deliver.group import Group
from stream.demo.emulator import Emulator
from stream.environment import load, reference
from stream.errors import ConfigError
from stream.metrics import ATTEMPT_REASONS, Metrics
from tests.deliver.alerts import make_alert
from tests.deliver.channels.mail_server import MailServer, contents, parsed
from tests.receiver import Receiver
from tests.tls import self_signed

ANN, BOB = "ann@example.com", "bob@example.com"


def _channel(url: str, *, to: tuple[str, ...] = (ANN, BOB), timeout: float = 20.0, **more: object) -> EmailChannel:
    values = {"to": to, "sender": "Trailstream <alerts@example.com>", "smtp_url": url, "timeout": timeout, **more}
    return EmailChannel(EmailSettings.model_validate(values))


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, Path]:
    return self_signed(tmp_path_factory.mktemp("tls"))


async def test_everybody_gets_one_mail() -> None:
    async with MailServer() as server:
        assert await _channel(server.url).send(make_alert()) == Accepted()
    (mail,) = server.mails
    assert (mail.sender, mail.recipients) == ("alerts@example.com", (ANN, BOB))
    assert mail.message["Subject"] == "CRITICAL: Logging of trail main was stopped"
    assert mail.message["To"] == f"{ANN}, {BOB}"
    assert mail.message["Message-ID"] == "<alert-1@example.com>"
    assert server.commands[-1] == "QUIT"


@pytest.mark.parametrize("security", ["starttls", "tls"])
async def test_mail_goes_by_tls_with_a_login(
    security: str, context: tuple[ssl.SSLContext, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(context[1]))
    async with MailServer(
        context[0], "tls" if security == "tls" else "starttls", password=b"p@ss/w\xc3\xb6rd"
    ) as server:
        right = _channel(server.url_with("us%40er:p%40ss%2Fw%C3%B6rd"))
        assert await right.probe() == Accepted()
        assert server.commands == ["QUIT"], "nobody was told anything"
        assert await right.send(make_alert()) == Accepted()
        assert await _channel(server.url_with("user:wrong")).send(make_alert()) == Down("unauthorized")
        assert await _channel(server.url_with("user:wrong")).probe() == Down("unauthorized")
        assert await _channel(server.url).send(make_alert()) == Down("unauthorized")
    assert [mail.login for mail in server.mails] == [b"us@er"]


@pytest.mark.parametrize("security", ["starttls", "tls"])
async def test_a_certificate_that_nobody_knows_is_not_accepted(
    security: str, context: tuple[ssl.SSLContext, Path]
) -> None:
    async with MailServer(context[0], "tls" if security == "tls" else "starttls") as server:
        assert await _channel(server.url).send(make_alert()) == Down("tls")
        optional = server.url if security == "tls" else f"{server.url}?starttls=optional"
        assert await _channel(optional).send(make_alert()) == Down("tls")
    assert server.commands == []


async def test_a_server_without_starttls_is_told_nothing_unless_that_is_allowed() -> None:
    async with MailServer() as server:
        plain = server.url.partition("?")[0]
        assert await _channel(plain).send(make_alert()) == Down("tls")
        assert await _channel(plain).probe() == Down("tls")
        assert server.commands == []
        assert await _channel(f"{plain}?starttls=optional").send(make_alert()) == Accepted()
        login = plain.replace("://", "://user:password@") + "?starttls=no"
        assert await _channel(login).send(make_alert()) == Down("unauthorized"), "it knows no logins"
    assert len(server.mails) == 1


async def test_only_who_was_refused_for_now_is_tried_again() -> None:
    async with MailServer() as server:
        channel = _channel(server.url)
        server.refused[BOB] = ["451 4.7.1 grey-listed", "450 4.2.0 busy"]
        with capture_logs() as logs:
            assert await channel.send(make_alert()) == Retry("throttled", partial=True)
        assert logs == [
            {"event": "recipients refused", "log_level": "warning", "channel": "email", "refused": 1, "for_now": 1}
        ]
        assert await channel.send(make_alert()) == Retry("server_error", partial=True)
        assert await channel.send(make_alert()) == Accepted()
    assert [mail.recipients for mail in server.mails] == [(ANN,), (BOB,)]
    first, second = (mail.message for mail in server.mails)
    assert (first["Message-ID"], first["To"]) == (second["Message-ID"], second["To"])
    assert len(channel._told) == 0


async def test_who_is_refused_for_good_keeps_nobody_from_being_told_nor_has_them_told_twice() -> None:
    async with MailServer() as server:
        channel = _channel(server.url)
        server.refused[BOB] = ["550 5.1.1 no such user!"]
        assert await channel.send(make_alert()) == Rejected("other")
        assert await channel.send(make_alert(), minimal=True) == Rejected("other")
        assert await channel.send(make_alert("alert-2")) == Rejected("other")
        assert [mail.recipients for mail in server.mails] == [(ANN,), (ANN,)]
        channel.settings = channel.settings.model_copy(update={"to": (ANN,)})
        assert await channel.send(make_alert()) == Accepted(), "the address was taken out: everybody has it"
    assert len(server.mails) == 2


async def test_a_group_is_told_to_who_lacks_any_of_it() -> None:
    alerts = tuple(make_alert(f"alert-{n}") for n in range(3))
    async with MailServer() as server:
        channel = _channel(server.url)
        server.refused[BOB] = ["450 busy"]
        assert await channel.send(alerts[0]) == Retry("server_error", partial=True)
        assert await channel.tell(alerts[0], Group(alerts)) == Accepted()
        server.refused[BOB] = ["450 busy"]
        assert await channel.tell(alerts[1], Group(alerts[1:])) == Retry("server_error", partial=True)
        assert await channel.tell(alerts[2], Group(alerts[1:])) == Accepted()
    assert [mail.recipients for mail in server.mails] == [(ANN,), (ANN, BOB), (ANN,), (BOB,)]


@pytest.mark.parametrize(
    ("refusal", "answer"),
    [
        ("550 5.1.1 no such user", Down("not_found")),
        ("550 5.7.1 relaying denied", Down("forbidden")),
        ("530 5.7.0 log in first", Down("unauthorized")),
        ("552 5.2.2 mailbox full", Retry("server_error")),
        ("451 4.7.1 grey-listed", Retry("throttled")),
    ],
)
async def test_if_nobody_is_let_in_it_is_no_fault_of_the_alert(refusal: str, answer: Answer) -> None:
    async with MailServer() as server:
        server.refused = {ANN: [refusal], BOB: [refusal]}
        channel = _channel(server.url)
        assert await channel.send(make_alert()) == answer
        assert await channel.send(make_alert()) == Accepted()
    assert [mail.recipients for mail in server.mails] == [(ANN, BOB)]


@pytest.mark.parametrize(
    ("senders", "contents", "answer"),
    [
        ([], ["451 4.3.0 try later"], Retry("server_error")),
        ([], ["421 4.7.0 too many"], Retry("throttled")),
        ([], ["554 5.7.1 spam"], Rejected("payload")),
        ([], ["552 5.3.4 too big"], Rejected("too_large")),
        ([], ["close"], Retry("connection")),
        (["550 5.7.1 not your address"], [], Down("forbidden")),
        (["552 5.3.4 too big"], [], Rejected("too_large")),
        (["530 5.7.0 log in first"], [], Down("unauthorized")),
        (["421 4.3.2 closing"], [], Retry("server_error")),
    ],
)
async def test_answers_are_classified(senders: list[str], contents: list[str], answer: Answer) -> None:
    async with MailServer() as server:
        server.senders.extend(senders)
        server.contents.extend(contents)
        channel = _channel(server.url)
        assert await channel.send(make_alert()) == answer
        assert server.mails == []
        assert await channel.send(make_alert()) == Accepted()
    assert len(server.mails) == 1


async def test_a_server_that_is_silent_or_gone_is_tried_again() -> None:
    async with MailServer() as server:
        server.contents.append("hang")
        assert await _channel(server.url, timeout=0.3).send(make_alert()) == Retry("timeout")
        url = server.url
    assert await _channel(url).send(make_alert()) == Retry("connection")
    assert await _channel(url).probe() == Retry("connection")


async def test_what_was_taken_stays_taken_however_the_session_ends() -> None:
    async with MailServer(goodbye="500 what?") as server:
        assert await _channel(server.url).send(make_alert()) == Accepted()
    assert len(server.mails) == 1


async def test_something_else_at_that_port_is_not_mailed_to(receiver: Receiver) -> None:
    url = receiver.url.replace("http://", "smtps://")
    assert await _channel(url).send(make_alert()) == Down("tls")


async def test_a_rehearsal_writes_the_message_and_sends_none() -> None:
    channel = _channel("smtp://user:s3cret-pass@mail.example")
    written: list[str] = []
    channel.rehearsal = written.append
    assert await channel.send(make_alert(actor_user_agent="s3cret-pass")) == Accepted()
    (source,) = written
    assert parsed(source.encode())["Subject"] == "CRITICAL: Logging of trail main was stopped"
    assert "smtp://user" not in source


async def test_a_template_of_the_users_is_used_for_every_part_and_escaped_in_html() -> None:
    template = "My {{ title }} & <i>more</i>\nBy {{ actor.name | strong }}"
    async with MailServer() as server:
        assert await _channel(server.url, template=template).send(make_alert(actor_name="<b>x</b>")) == Accepted()
    message = server.mails[0].message
    assert message["Subject"] == "My Logging of trail main was stopped & <i>more</i>"
    plain, html = contents(message)
    assert "\nBy \u2039b\u203ax\u2039/b\u203a\n" in plain
    assert "was stopped &amp; &lt;i&gt;more&lt;/i&gt;</h1>" in html
    assert ">By <strong>\u2039b\u203ax\u2039/b\u203a</strong></p>" in html


# Amazon SES


def _by_ses(aws: Aws, **more: object) -> EmailChannel:
    values = {"to": (ANN, BOB), "sender": "alerts@example.com", "ses": True, "timeout": 20.0, **more}
    return EmailChannel(EmailSettings.model_validate(values), aws=aws)


@pytest.mark.usefixtures("aws_environ")
async def test_ses_takes_the_message_as_it_is(emulator: Emulator) -> None:
    channel = _by_ses(Aws(Metrics()), ses_region="eu-west-1")
    try:
        assert await channel.probe() == Accepted()
        assert await channel.send(make_alert(title="Sent by SES")) == Accepted()
    finally:
        await channel.aclose()
    async with aiohttp.ClientSession() as client, client.get(f"{emulator.endpoint}/_ministack/ses/messages") as answer:
        kept = [mail for mails in (await answer.json())["messages"].values() for mail in mails]
    (mail,) = [mail for mail in kept if mail["Subject"] == "CRITICAL: Sent by SES"]
    assert (mail["Source"], mail["To"]) == ("alerts@example.com", [ANN, BOB])
    assert "StopLogging succeeded in account prod" in mail["BodyText"]
    assert "<strong>StopLogging</strong>" in mail["BodyHtml"]


_SAID_BY_SES: list[tuple[int, str, str, Answer]] = [
    (400, "MessageRejected", "Message contains a virus", Rejected("payload")),
    (400, "MessageRejected", "Email address is not verified. The following …", Down("forbidden")),
    (400, "MailFromDomainNotVerifiedException", "", Down("forbidden")),
    (400, "AccountSuspendedException", "", Down("forbidden")),
    (400, "SendingPausedException", "", Down("forbidden")),
    (404, "NotFoundException", "Configuration set <x> does not exist", Down("not_found")),
    (400, "LimitExceededException", "", Retry("throttled")),
    (429, "TooManyRequestsException", "", Retry("throttled")),
    (400, "BadRequestException", "", Rejected("bad_request")),
    (403, "AccessDeniedException", "", Down("forbidden")),
    (500, "InternalServiceErrorException", "", Retry("server_error")),
]


async def test_what_ses_says_is_classified(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_SESV2", receiver.url)
    channel = _by_ses(Aws(Metrics()), ses_configuration_set="ours")
    try:
        for status, code, text, answer in _SAID_BY_SES:
            receiver.answer(status, body=json.dumps({"message": text}), headers={"x-amzn-errortype": code})
            assert await channel.send(make_alert()) == answer, (code, text)
    finally:
        await channel.aclose()
    assert len(receiver.requests) == len(_SAID_BY_SES)
    for request in receiver.requests:
        assert request.path == "/v2/email/outbound-emails"
        assert request.json()["ConfigurationSetName"] == "ours"
        assert request.json()["Destination"] == {"ToAddresses": [ANN, BOB]}


async def test_whether_ses_would_send_is_asked_and_need_not_be_allowed(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_SESV2", receiver.url)
    channel = _by_ses(Aws(Metrics()))
    said: list[tuple[int, dict[str, object], Answer]] = [
        (200, {"SendingEnabled": True}, Accepted()),
        (200, {"SendingEnabled": False}, Down("forbidden")),
        (403, {"__type": "AccessDeniedException"}, Accepted()),
        (403, {"__type": "ExpiredTokenException"}, Down("unauthorized")),
    ]
    try:
        for status, body, answer in said:
            receiver.answer(status, body=json.dumps(body))
            assert await channel.probe() == answer
    finally:
        await channel.aclose()
    assert {(request.method, request.path) for request in receiver.requests} == {("GET", "/v2/email/account")}


def test_every_code_has_a_reason_that_the_metrics_know() -> None:
    for answer in _ERRORS.values():
        assert answer.reason in ATTEMPT_REASONS[answer.outcome]


# Settings


def _set(monkeypatch: pytest.MonkeyPatch, **variables: str) -> EmailSettings:
    for name, value in variables.items():
        monkeypatch.setenv(f"TRAILSTREAM_{name}", value)
    section = load([EmailSettings])[EmailSettings]
    assert isinstance(section, EmailSettings)
    return section


def test_addresses_switch_the_channel_on_and_the_server_is_a_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not _set(monkeypatch).enabled
    section = _set(
        monkeypatch,
        EMAIL_TO=f"{ANN}, {BOB},{ANN}",
        EMAIL_FROM="alerts@example.com",
        SMTP_URL="smtp://u:sEcReT@mail.example",
        EMAIL_MIN_SEVERITY="high",
    )
    assert section.enabled
    assert section.to == (ANN, BOB)
    assert section.min_severity == "high"
    assert "sEcReT" not in repr(section) + repr(reference([EmailSettings]))
    names = {row.name for row in reference([EmailSettings])}
    assert {"TRAILSTREAM_SES", "TRAILSTREAM_SES_REGION", "TRAILSTREAM_EMAIL_TEMPLATE"} <= names


@pytest.mark.parametrize(
    ("variables", "fault"),
    [
        ({"EMAIL_TO": ANN, "SES": "true"}, "TRAILSTREAM_EMAIL_FROM: it is required"),
        ({"EMAIL_TO": ANN, "EMAIL_FROM": BOB}, "TRAILSTREAM_SMTP_URL: it, or TRAILSTREAM_SES=true, is required"),
        (
            {"EMAIL_TO": ANN, "EMAIL_FROM": BOB, "SES": "true", "SMTP_URL": "smtp://x"},
            "TRAILSTREAM_SMTP_URL: TRAILSTREAM_SES is set as well",
        ),
        ({"EMAIL_TO": "ann"}, "TRAILSTREAM_EMAIL_TO: must be addresses in ASCII"),
        ({"EMAIL_TO": "änn@example.com"}, "TRAILSTREAM_EMAIL_TO: must be addresses in ASCII"),
        ({"EMAIL_TO": "ann@exämple.com"}, "TRAILSTREAM_EMAIL_TO: must be addresses in ASCII"),
        ({"EMAIL_TO": f"{ANN} SIZE=1"}, "TRAILSTREAM_EMAIL_TO: must be addresses in ASCII"),
        ({"EMAIL_TO": ",".join(f"a{n}@b.example" for n in range(51))}, "TRAILSTREAM_EMAIL_TO: more than 50"),
        ({"EMAIL_FROM": "Ann\r\nBcc: x <ann@example.com>"}, "TRAILSTREAM_EMAIL_FROM: must be an address"),
        ({"EMAIL_FROM": "=?utf-8?q?a=0D=0ABcc:x?= <ann@example.com>"}, "TRAILSTREAM_EMAIL_FROM: must be an address"),
    ],
)
def test_what_is_missing_or_wrong_is_said_when_it_is_read(
    variables: dict[str, str], fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ConfigError) as raised:
        _set(monkeypatch, **variables)
    assert str(raised.value).startswith(fault)
    assert len(str(raised.value).splitlines()) == 1
