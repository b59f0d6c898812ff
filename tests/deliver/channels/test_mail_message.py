import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from email.message import EmailMessage
from html.parser import HTMLParser
from typing import Final

import pytest
from hypothesis import given, settings

from stream.alert import Alert, Change, Links, Resource
from stream.deliver.channels.mail_body import MAX_SUBJECT, MAX_TEXT, STYLE, Body, body
from stream.deliver.channels.mail_message import Envelope, is_address, message, sender_address
from stream.deliver.group import Group
from stream.deliver.text import CUT
from stream.deliver.words import words
from tests.deliver.alerts import TRAIL, alerts, make_alert
from tests.deliver.channels.attacks import ATTACKS, active, hostile
from tests.deliver.channels.mail_server import contents, parsed

ENVELOPE: Final = Envelope(
    sender_address("Trailstream <alerts@example.com>"), ("ann@example.com",), datetime(2026, 3, 1, 12, tzinfo=UTC)
)
LINKS: Final = Links("https://console.example/?a=b&c=%3D#x", "https://runbook.example/")
HEADERS: Final = [
    "From",
    "To",
    "Subject",
    "Date",
    "Message-ID",
    "In-Reply-To",
    "References",
    "List-Id",
    "Auto-Submitted",
    "X-Auto-Response-Suppress",
    "X-Priority",
    "Importance",
    "MIME-Version",
    "Content-Type",
]
HAPPENED: Final = (
    "StopLogging succeeded in account prod 111122223333, eu-west-1, by Admin from 198.51.100.7 at 2026-03-01T12:00:00Z"
)
TAGS: Final = {
    *(
        "html",
        "head",
        "meta",
        "title",
        "body",
        "div",
        "p",
        "h1",
        "a",
        "table",
        "tr",
        "th",
        "td",
        "br",
        "strong",
        "code",
    ),
}
ATTRIBUTES: Final = {"lang", "charset", "name", "content", "style", "scope", "href"}


class _Page(HTMLParser):
    """The texts of a page, after a look at its tags."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.texts: list[str] = []
        self.links: list[str] = []
        self.open: list[str] = []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in TAGS
        assert {name for name, _ in attrs} <= ATTRIBUTES
        assert "url(" not in str(dict(attrs).get("style")), "nothing is loaded"
        if tag == "a":
            self.links.append(str(dict(attrs)["href"]))
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def handle_comment(self, data: str) -> None:
        raise AssertionError(data)

    def handle_pi(self, data: str) -> None:
        raise AssertionError(data)


def _body(alert: Alert, group: Group | None = None) -> Body:
    failures: list[str] = []
    said = words(alert, group, STYLE, headline=MAX_SUBJECT, text=MAX_TEXT, failed=failures.append)
    return body(alert, group, said)


def _mail(alert: Alert, group: Group | None = None) -> EmailMessage:
    source = bytes(message(alert, group, _body(alert, group), ENVELOPE))
    source.decode("ascii")
    assert all(len(line) <= 998 for line in source.split(b"\r\n"))
    return parsed(source)


def _check(mail: EmailMessage, links: Sequence[str]) -> list[str]:
    """All that is read in a mail, after a look at what it consists of."""
    assert not mail.defects
    assert [part.get_content_type() for part in mail.walk()] == ["multipart/alternative", "text/plain", "text/html"]
    plain, html = contents(mail)
    page = _Page(html)
    assert page.links == list(links)
    assert len(html.encode()) <= 90_000
    for link in links:
        assert f":\n{link}\n" in plain
        plain = plain.replace(link, "")
    return [str(mail["Subject"]), *plain.split("\n"), *page.texts]


def test_the_first_lines_say_what_happened_where_who_did_it_and_what_it_means() -> None:
    mail = _mail(make_alert())
    plain, html = contents(mail)
    assert plain.split("\n")[:4] == [
        "CRITICAL: Logging of trail main was stopped",
        "",
        HAPPENED,
        "API calls in this account are no longer recorded by trail main.",
    ]
    read = [text for text in (text.strip() for text in _Page(html).texts) if text]
    assert read[:3] == ["CRITICAL: Logging of trail main was stopped", "CRITICAL", read[0]], "a title, a band, a head"
    assert "".join(_Page(html).texts).count(HAPPENED) == 1


def test_the_rest_says_all_that_an_analyst_looks_for() -> None:
    alert = make_alert(
        event_outcome="denied",
        event_error_code="AccessDenied",
        event_error_message="explicit deny in an SCP",
        actor_mfa=False,
        actor_source_identity="alice",
        links=replace(LINKS, lookup_events="aws cloudtrail lookup-events", athena="SELECT a FROM b WHERE c = 'd'"),
        changes=(Change("isMultiRegionTrail", False, "other regions go dark"), Change("x", {"y": 1}, "z")),
        context={"calls": {"DescribeTrails": 3}},
    )
    plain, html = contents(_mail(alert))
    shown = "\n".join(_Page(html).texts)
    for name, value in (
        ("When", "2026-03-01T12:00:00Z"),
        ("Identity", "arn:aws:sts::111122223333:assumed-role/Admin/alice@example.com"),
        ("Access key", "ASIAEXAMPLE"),
        ("User agent", "aws-cli/2.15.0"),
        ("Error", "AccessDenied explicit deny in an SCP"),
        ("Target", TRAIL),
        ("Rule", "ct-013 CloudTrail configuration changes"),
        ("Log file", "s3://logs/AWSLogs/111122223333/CloudTrail/eu-west-1/2026/03/01/file.json.gz"),
        ("By the same principal in this log file", "DescribeTrails x 3"),
        ("Event", "11111111-2222-3333-4444-555555555555"),
        ("Alert", "alert-1"),
        ("What else it did, by the AWS CLI", "aws cloudtrail lookup-events"),
        ("By Athena", "SELECT a FROM b WHERE c = 'd'"),
    ):
        assert f"\n{name}: {value}\n" in plain
        assert f"\n{name}\n\n\n{value}\n" in shown
    assert '\n  isMultiRegionTrail = false: other regions go dark\n  x = {"y": 1}: z\n' in plain
    assert "source identity alice" in plain
    assert "without MFA" in plain
    assert "Open in the CloudTrail console:\nhttps://console.example/?a=b&c=%3D#x\n" in plain
    assert _Page(html).links == [LINKS.console, LINKS.runbook]


def test_a_thread_is_named_in_plain_letters_however_long_the_name_is() -> None:
    alert = make_alert()
    source = bytes(message(alert, None, _body(alert, None), ENVELOPE))
    for header in (b"References", b"In-Reply-To", b"Message-ID"):
        assert re.search(rb"(?m)^" + header + rb": <[\w.-]+@example\.com>\r$", source), header


def test_headers_make_threads_and_keep_machines_from_answering() -> None:
    first, second = _mail(make_alert()), _mail(make_alert("alert-2", event_name="UpdateTrail"))
    assert first.keys() == HEADERS
    assert (first["Message-ID"], second["Message-ID"]) == ("<alert-1@example.com>", "<alert-2@example.com>")
    assert first["References"] == second["References"] == first["In-Reply-To"]
    assert re.fullmatch(r"<trailstream-[0-9a-f]{64}@example\.com>", first["References"])
    assert first["Date"] == "Sun, 01 Mar 2026 12:00:00 +0000"
    assert (first["Auto-Submitted"], first["X-Auto-Response-Suppress"]) == ("auto-generated", "All")
    other = _mail(make_alert(resources=(Resource("AWS::CloudTrail::Trail", f"{TRAIL}2", None),)))
    assert other["References"] != first["References"]
    assert "References" not in _mail(make_alert(resources=()))


@pytest.mark.parametrize(
    ("severity", "priority", "importance"),
    [("critical", "1 (Highest)", "high"), ("high", "2 (High)", "high"), ("medium", None, None), ("low", None, None)],
)
def test_only_what_is_urgent_says_so(severity: str, priority: str | None, importance: str | None) -> None:
    mail = _mail(make_alert(severity=severity))
    assert (mail["X-Priority"], mail["Importance"]) == (priority, importance)
    assert str(mail["Subject"]).startswith(severity.upper())


def test_a_group_says_how_many_when_and_which() -> None:
    repeats = tuple(make_alert(f"alert-{n:02}", event_time=f"2026-03-01T12:00:{n:02}Z") for n in range(25))
    group = Group(repeats)
    mail = _mail(repeats[0], group)
    assert mail["Subject"] == "CRITICAL: Logging of trail main was stopped (25 times)"
    plain, html = contents(mail)
    assert "25 alike between 2026-03-01T12:00:00Z and 2026-03-01T12:00:24Z" in plain
    assert "\nAlerts: alert-00, alert-01, " in plain
    assert plain.rstrip().endswith("alert-19 and 5 more")
    assert ">One of them<" in html
    assert mail["Message-ID"] == _mail(repeats[3], Group(repeats[::-1]))["Message-ID"]
    assert mail["Message-ID"] != _mail(repeats[0], Group(repeats[1:]))["Message-ID"]
    assert mail["References"] == _mail(repeats[0])["References"]


def test_what_is_told_late_says_so_and_hurries_nobody() -> None:
    late = Group((make_alert(links=LINKS), make_alert("alert-2", resources=(), severity="low")), late=True)
    mail = _mail(late.alerts[0], late)
    assert str(mail["Subject"]).startswith("LATE: 2 alerts of earlier events, the worst of them CRITICAL")
    assert (mail["X-Priority"], mail["References"]) == (None, None)
    plain = contents(mail)[0]
    assert "\nAlerts: alert-1, alert-2\n" in plain
    assert "Identity" not in plain, "one's details would be taken for everybody's"
    said = words(late.alerts[0], late, STYLE, template="Mine\n", headline=99, text=99, failed=pytest.fail)
    assert body(late.alerts[0], late, said).subject == "LATE: Mine"


ENCODED: Final = {
    "encoded word": "=?utf-8?q?x=0D=0ABcc:_all@evil.example=0D=0A?= =?utf-8?b?DQpCY2M6IGFsbEBldmlsLmV4YW1wbGU=?=",
    "header": "x\r\nBcc: all@evil.example\r\n\r\n<script>",
    "boundary": "--===============\r\nContent-Type: text/html\r\n\r\n<script>",
    "html entity": "&lt;script&gt; &#x3c;script&#x3e; &amp; \" '",
    "names": "see evil.example/reset or help@evil.example, evil.example",
    "end of mail": ".\r\nQUIT\r\n.",
}


@pytest.mark.parametrize("name", [*ATTACKS, *ENCODED])
def test_attacks_come_out_inert(name: str) -> None:
    text = (ATTACKS | ENCODED)[name]
    alert = replace(hostile(text), links=LINKS)
    for group in (None, Group((alert, replace(alert, id="alert-2"))), Group((alert,), late=True)):
        late = group is not None and group.late
        absent = {"X-Priority", "Importance"} if late else set()
        absent |= set() if text else {"In-Reply-To", "References"}  # there is no trail to speak of
        mail = _mail(alert, group)
        assert mail.keys() == [header for header in HEADERS if header not in absent]
        for line in _check(mail, [] if late else [str(LINKS.console), str(LINKS.runbook)]):
            assert active(line.replace("\n", "")) is None


def test_names_of_hosts_and_mailboxes_are_no_links_where_they_are_read() -> None:
    evil = "see evil.example/reset or help@evil.example, EVIL.EXAMPLE"
    alert = make_alert(
        title=evil,
        summary=evil,
        event_name=evil,
        event_account_name=evil,
        event_error_message=evil,
        actor_name=evil,
        actor_session_name=evil,
        actor_user_agent=evil,
        actor_source_ip=evil,
        actor_invoked_by=evil,
        event_time=evil,
        changes=(Change("name", evil, evil),),
        links=LINKS,
    )
    told = 0
    for line in _check(_mail(alert), [str(LINKS.console), str(LINKS.runbook)]):
        assert re.search(r"(?i)evil\.example|@evil", line) is None
        told += line.lower().count("evil.\u2060example")
    assert told > 40


def test_a_subject_reads_as_it_was_typed() -> None:
    mail = _mail(make_alert(title="=?utf-8?q?a?= ünd   😀 " + "ü" * 60))
    assert mail["Subject"] == "CRITICAL: =\u2060?utf-8?q?a?= ünd 😀 " + "ü" * 60


@given(alerts())
@settings(max_examples=10, deadline=None)
def test_any_alert_makes_a_valid_mail(alert: Alert) -> None:
    mail = _mail(replace(alert, links=LINKS))
    assert "Bcc" not in mail
    for line in _check(mail, [str(LINKS.console), str(LINKS.runbook)]):
        assert active(line.replace("\n", "")) is None


@pytest.mark.parametrize("name", [name for name in ATTACKS if name.startswith("long")])
def test_the_largest_of_alerts_is_cut_and_says_so(name: str) -> None:
    alert = replace(hostile(ATTACKS[name], items=500), links=LINKS)
    lines = _check(_mail(alert), [str(LINKS.console), str(LINKS.runbook)])
    assert any(CUT in line for line in lines)
    assert any(re.fullmatch(r"(Target: )?… and 4\d\d more", line.strip()) for line in lines)
    assert "Alert: alert-1" in lines


@pytest.mark.parametrize(
    ("text", "name", "address"),
    [
        ("alerts@example.com", "", "alerts@example.com"),
        ("Trailstream <a.b+c@mail.example.com>", "Trailstream", "a.b+c@mail.example.com"),
        ('"Träil, Ltd." <root@localhost>', "Träil, Ltd.", "root@localhost"),
    ],
)
def test_a_sender_may_have_a_name(text: str, name: str, address: str) -> None:
    found = sender_address(text)
    assert (found.display_name, found.addr_spec) == (name, address)


@pytest.mark.parametrize(
    "text",
    ["", "ann", "@b.example", "ann@", "a b@c.example", "a@b@c.example", "ä@b.example", "a@ä.example", "a@b..example",
     "<a@b.example>", "a@b.example\n", "a@-b.example", ".a@b.example", "a" * 65 + "@b.example",
     "a@" + "b." * 130 + "c"],
)  # fmt: skip
def test_what_is_no_mailbox_is_known(text: str) -> None:
    assert not is_address(text)
