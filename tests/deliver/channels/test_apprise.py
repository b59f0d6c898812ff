import importlib.abc
import logging
import sys
from collections.abc import Sequence
from typing import Final

import pytest
from hypothesis import given, settings

from stream.alert import Alert, Links
from stream.deliver.channel import Accepted, Retry
from stream.deliver.channels.apprise import AppriseChannel, AppriseSettings
from stream.deliver.group import Group
from stream.environment import load, reference
from stream.errors import ConfigError
from tests.deliver.alerts import alerts, make_alert
from tests.deliver.channels.attacks import ATTACKS, active, hostile
from tests.receiver import Receiver, Reply, Request

HAPPENED: Final = (
    "StopLogging succeeded in account prod 111122223333, eu-west-1, by Admin from 198.51.100.7 at 2026-03-01T12:00:00Z"
)


def _channel(*urls: str, timeout: float = 20.0, **more: object) -> AppriseChannel:
    return AppriseChannel(AppriseSettings.model_validate({"urls": urls, "timeout": timeout, **more}))


def _json_url(receiver: Receiver, path: str = "") -> str:
    return receiver.url.replace("http://", "json://user:sEcReT@") + f"/{path}"


def _paths(requests: Sequence[Request]) -> list[str]:
    return sorted(request.path.strip("/") for request in requests)


async def test_an_alert_goes_to_every_address_as_plain_text(receiver: Receiver) -> None:
    channel = _channel(_json_url(receiver, "one"), _json_url(receiver, "two"))
    assert (
        await channel.send(make_alert(links=Links("https://console.example/", "https://runbook.example/")))
        == Accepted()
    )
    assert _paths(receiver.requests) == ["one", "two"]
    for request in receiver.requests:
        said = request.json()
        assert said["title"] == "CRITICAL: Logging of trail main was stopped"
        assert said["type"] == "failure"
        assert said["message"].split("\n") == [
            HAPPENED,
            "API calls in this account are no longer recorded by trail main.",
            "Console: https://console.example/",
            "Runbook: https://runbook.example/",
            "Alert alert-1",
        ]


async def test_only_what_failed_is_tried_again_and_the_others_wait_for_nothing(
    receiver: Receiver, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    channel = _channel(_json_url(receiver, "one"), _json_url(receiver, "two"))
    receiver.default = lambda request: Reply(500 if request.path.startswith("/two") else 200)
    with caplog.at_level(logging.DEBUG, "apprise"):
        assert await channel.send(make_alert()) == Retry("other", partial=True)
        assert await channel.send(make_alert()) == Retry("other", partial=True)
    assert await channel.send(make_alert("alert-2")) == Retry("other", partial=True)
    receiver.default = Reply()
    assert await channel.send(make_alert()) == Accepted()
    assert _paths(receiver.requests) == ["one", "one", "two", "two", "two", "two"]
    assert len(channel._told) == 1
    assert caplog.records == [], "they would hold addresses"
    assert "sEcReT" not in "".join(capsys.readouterr())


async def test_if_all_fail_the_channel_does(receiver: Receiver) -> None:
    receiver.default = Reply(500)
    channel = _channel(_json_url(receiver, "one"), _json_url(receiver, "two"))
    assert await channel.send(make_alert()) == Retry("other")
    receiver.default = Reply(hang=True)
    slow = _channel(_json_url(receiver) + "?rto=1", timeout=0.2)
    assert await slow.send(make_alert()) == Retry("timeout")


async def test_a_redirect_is_not_followed(receiver: Receiver) -> None:
    receiver.default = lambda request: (
        Reply(307, headers={"Location": f"{receiver.url}/elsewhere"}) if "start" in request.path else Reply()
    )
    assert await _channel(_json_url(receiver, "start")).send(make_alert()) == Retry("other")
    assert _paths(receiver.requests) == ["start"]


async def test_a_group_says_how_many_and_what_is_late_is_no_failure(receiver: Receiver) -> None:
    repeats = tuple(make_alert(f"alert-{n}") for n in range(12))
    channel = _channel(_json_url(receiver))
    assert await channel.tell(repeats[0], Group(repeats)) == Accepted()
    assert await channel.tell(repeats[0], Group(repeats[:2], late=True)) == Accepted()
    assert await channel.tell(repeats[0], Group(repeats), minimal=True) == Accepted()
    whole, late, minimal = (request.json() for request in receiver.requests)
    assert whole["title"].endswith("(12 times)")
    assert whole["message"].endswith("alert-9 and 2 more")
    assert (late["title"][:5], late["type"]) == ("LATE:", "info")
    assert len(minimal["message"]) < 500
    assert "Console" not in minimal["message"]


async def _said(alert: Alert) -> list[str]:
    channel = _channel("json://localhost")
    written: list[str] = []
    channel.rehearsal = written.append
    assert await channel.send(alert) == Accepted()
    assert await channel.send(alert, minimal=True) == Accepted()
    return [line for text in written for line in text.partition("\n\n")[2].split("\n")]


@pytest.mark.parametrize("name", ATTACKS)
async def test_attacks_come_out_inert(name: str) -> None:
    for line in await _said(hostile(ATTACKS[name])):
        if not line.startswith(("Console: http", "Runbook: http")):
            assert active(line) is None
            assert "*" not in line
            assert not line.startswith(("#", "-", ">", "1. "))


@given(alerts())
@settings(max_examples=10, deadline=None)
async def test_any_alert_can_be_told(alert: Alert) -> None:
    lines = await _said(alert)
    assert len("\n".join(lines)) < 9000
    assert all(active(line) is None for line in lines if not line.startswith(("Console: http", "Runbook: http")))


async def test_a_rehearsal_shows_what_would_be_said_and_no_address(receiver: Receiver) -> None:
    channel = _channel(_json_url(receiver), "xml://user:sEcReT@localhost/x")
    written: list[str] = []
    channel.rehearsal = written.append
    assert await channel.send(make_alert()) == Accepted()
    assert written[0].startswith(
        "json://********\nxml://********\n\nCRITICAL: Logging of trail main was stopped\n\nStop"
    )
    assert "sEcReT" not in written[0]
    assert receiver.requests == []


def test_addresses_are_secrets_and_may_have_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not AppriseSettings.model_validate({}).enabled
    monkeypatch.setenv(
        "TRAILSTREAM_APPRISE_URLS", "json://user:sEcReT@a.example/?+X=1,2, xml://b.example\n,jsons://c.example/"
    )
    section = load([AppriseSettings])[AppriseSettings]
    assert isinstance(section, AppriseSettings)
    assert section.enabled
    assert [url.get_secret_value() for url in section.urls] == [
        "json://user:sEcReT@a.example/?+X=1,2",
        "xml://b.example",
        "jsons://c.example/",
    ]
    assert "sEcReT" not in repr(section) + repr(reference([AppriseSettings]))


def test_an_address_that_apprise_knows_nothing_of_is_said_when_it_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRAILSTREAM_APPRISE_URLS", "json://a.example,sEcReT://b.example")
    with pytest.raises(ConfigError) as raised:
        load([AppriseSettings])
    assert str(raised.value) == "TRAILSTREAM_APPRISE_URLS: address 2 of 2 is none that Apprise understands"


async def test_settings_that_are_read_again_are_used(receiver: Receiver) -> None:
    channel = _channel(_json_url(receiver, "old"))
    assert await channel.send(make_alert()) == Accepted()
    channel.settings = AppriseSettings.model_validate({"urls": (_json_url(receiver, "new"),)})
    assert await channel.send(make_alert("alert-2")) == Accepted()
    assert [request.path.strip("/") for request in receiver.requests] == ["old", "new"]


class _NotInstalled(importlib.abc.MetaPathFinder):
    def find_spec(self, name: str, path: object = None, target: object = None) -> None:
        del path, target
        if name.partition(".")[0] == "apprise":
            raise ModuleNotFoundError(name)


def test_what_is_not_installed_is_said_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in [name for name in sys.modules if name.partition(".")[0] == "apprise"]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setattr(sys, "meta_path", [_NotInstalled(), *sys.meta_path])
    monkeypatch.setenv("TRAILSTREAM_APPRISE_URLS", "json://a.example")
    with pytest.raises(ConfigError, match=r"pip install 'trailstream\[apprise\]'"):
        load([AppriseSettings])
    monkeypatch.delenv("TRAILSTREAM_APPRISE_URLS")
    assert not AppriseSettings.model_validate({}).enabled
