"""`trailstream channels show` and `trailstream channels test`."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from stream.deliver.channel import PeopleChannel
from stream.deliver.channels import CHANNELS
from stream.environment import Section
from tests.commands.running import Finished, invoke
from tests.receiver import Receiver

KEY = "0123456789abcdef0123456789sEcReT"


def _secrets(values: Any) -> Iterator[str]:
    """Every secret of some settings; of a URL also the login in it."""
    for value in values:
        if isinstance(value, SecretStr):
            yield value.get_secret_value()
        elif isinstance(value, tuple | list):
            yield from _secrets(value)


def _example(kind: str) -> Section:
    return CHANNELS[kind].section.of(dict(CHANNELS[kind].example))


@pytest.mark.parametrize("kind", CHANNELS)
def test_every_channel_shows_its_request_where_nothing_is_set(kind: str) -> None:
    done = invoke("channels", "show", kind, "--example")

    assert (done.code, done.err) == (0, "")
    settings, request = done.out.split("What it would send for a sample alert", 1)
    assert f"{kind}: off\n" in settings
    assert f"TRAILSTREAM_{kind.upper()}_MIN_SEVERITY" in settings
    assert request.startswith(", with placeholders for what is not set")
    assert "StopLogging" in request
    assert "management-events" in request
    for secret in _secrets(value for _, value in _example(kind)):
        assert secret not in done.out
    assert done.out.replace("\n", "").isprintable()


def test_what_is_set_of_a_channel_that_is_off_is_in_the_request(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRAILSTREAM_PAGERDUTY_URL", "https://events.eu.pagerduty.com")
    monkeypatch.setenv("TRAILSTREAM_SES", "true")

    assert (
        "\nPOST https://events.eu.pagerduty.com/v2/enqueue\n"
        in invoke("channels", "show", "pagerduty", "--example").out
    )
    assert invoke("channels", "show", "email", "--example").code == 0


def test_there_are_secrets_to_be_left_out() -> None:
    kinds = {kind for kind in CHANNELS if any(_secrets(value for _, value in _example(kind)))}
    assert kinds >= {"slack", "teams", "pagerduty", "webhook"}


def test_a_channel_that_is_on_shows_its_settings_and_the_exact_request(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRAILSTREAM_PAGERDUTY_ROUTING_KEY", KEY)
    monkeypatch.setenv("TRAILSTREAM_PAGERDUTY_RATE", "2")
    done = invoke("channels", "show", "pagerduty", "--example")
    settings, _, request = done.out.partition("\nPOST ")
    rows = dict(line.split(maxsplit=1) for line in settings.splitlines() if line.startswith("TRAILSTREAM_"))

    assert done.code == 0
    assert settings.startswith("pagerduty: on\n  read by people")
    assert "the service itself drops an alert that it has had before" in settings
    assert "requests: 8 at once at most, 2 a second after a burst of 1; each may take 10 s, and an alert is" in settings
    assert rows["TRAILSTREAM_PAGERDUTY_ROUTING_KEY"] == "********"
    assert rows["TRAILSTREAM_PAGERDUTY_RATE"] == "2"
    assert rows["TRAILSTREAM_PAGERDUTY_URL"] == "https://events.pagerduty.com/v2/enqueue (by default)"
    assert rows["TRAILSTREAM_PAGERDUTY_TEMPLATE"] == "(not set)"
    assert request.startswith("https://events.pagerduty.com/v2/enqueue\nContent-Type: application/json\n\n{")
    made = json.loads(request[request.index("{") :])
    assert made["routing_key"] == "********"
    assert made["event_action"] == "trigger"
    assert "prod 111122223333" in made["payload"]["summary"]
    assert KEY not in done.out


def test_the_template_is_the_ones_that_is_set_and_what_is_wrong_with_it_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TRAILSTREAM_TEAMS_TEMPLATE", "{{ event.name }} in {{ event.account_name }}!")
    done = invoke("channels", "show", "teams", "--example")
    assert (done.code, done.err) == (0, "")
    assert "StopLogging in prod!" in done.out

    monkeypatch.setenv("TRAILSTREAM_TEAMS_TEMPLATE", "{{ event.nonsense }}")
    done = invoke("channels", "show", "teams", "--example")
    assert done.code == 1
    assert "template could not be used (UndefinedError)" in done.err
    assert "StopLogging" in done.out


def test_a_channel_of_the_file_of_routes_is_shown_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "routes.yml").write_text(
        f"channels:\n  night-pager: {{type: pagerduty, routing_key: {KEY}}}\ndefault: [night-pager]\n"
    )
    monkeypatch.setenv("TRAILSTREAM_ROUTES", str(tmp_path / "routes.yml"))
    done = invoke("channels", "show", "night-pager", "--example")

    assert done.code == 0
    assert done.out.startswith("night-pager: on\n  of type pagerduty, set in ")
    assert any(line.split() == ["routing_key", "********"] for line in done.out.splitlines())
    assert "POST https://events.pagerduty.com/v2/enqueue" in done.out
    assert KEY not in done.out + done.err


@pytest.mark.parametrize("command", ["show", "test"])
def test_a_channel_that_is_none_or_at_fault_is_exit_code_2(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    done = invoke("channels", command, "slak")
    assert (done.code, done.out) == (2, "")
    assert "there is no channel 'slak'; did you mean slack?" in done.err

    monkeypatch.setenv("TRAILSTREAM_SLACK_WEBHOOK_URL", "hunter2")
    monkeypatch.setenv("TRAILSTREAM_WEBHOOK_URL", "hunter2")
    done = invoke("channels", command, "slack")
    assert done.code == 2
    assert done.err.startswith("trailstream: TRAILSTREAM_SLACK_WEBHOOK_URL: must be a URL")
    assert len(done.err.splitlines()) == 1
    assert "hunter2" not in done.err


def test_a_channel_that_is_off_has_nothing_to_test() -> None:
    done = invoke("channels", "test", "slack")
    assert (done.code, done.out) == (2, "")
    assert "the channel slack is off: `trailstream channels show slack`" in done.err


async def test_a_test_alert_is_sent_once_and_told_as_what_it_is(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRAILSTREAM_WEBHOOK_URL", f"{receiver.url}/sEcReT")
    monkeypatch.setenv("TRAILSTREAM_SLACK_WEBHOOK_URL", f"{receiver.url}/slack")
    done = await _elsewhere("channels", "test", "webhook")

    assert (done.code, done.out, done.err) == (0, "ok  channel webhook: took the test alert\n", "")
    (request,) = receiver.requests
    assert request.path == "/sEcReT"
    assert request.json()["data"]["title"].startswith("TEST: ")


@pytest.mark.parametrize(
    ("status", "says"),
    [
        (401, "out of order: unauthorized\n      Look at TRAILSTREAM_WEBHOOK_*: the secret is wrong"),
        (404, "out of order: not_found\n      Look at TRAILSTREAM_WEBHOOK_*: there is nothing behind this address"),
        (429, "not now: throttled\n      Look at TRAILSTREAM_WEBHOOK_* and at who else sends there"),
        (422, "refuses the alert: payload\n      Look at TRAILSTREAM_WEBHOOK_* and its TEMPLATE"),
    ],
)
async def test_what_is_not_accepted_is_exit_code_1_with_the_reason_and_what_to_do(
    status: int, says: str, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    receiver.answer(status)
    monkeypatch.setenv("TRAILSTREAM_WEBHOOK_URL", f"{receiver.url}/sEcReT")
    done = await _elsewhere("channels", "test", "webhook")

    assert done.code == 1
    assert done.out.startswith(f"FAIL  channel webhook: {says}")
    assert "sEcReT" not in done.out + done.err


def test_every_channel_that_people_read_says_so() -> None:
    for kind, channel in CHANNELS.items():
        assert ("read by people" in invoke("channels", "show", kind).out) == issubclass(channel, PeopleChannel)


async def _elsewhere(*arguments: str) -> Finished:
    """Run the command in a thread: it has an event loop of its own, and the receiver's has to turn."""
    return await asyncio.to_thread(invoke, *arguments)


@pytest.mark.parametrize("kind", ["slack", "teams", "pagerduty", "zendesk", "servicenow", "email"])
def test_whoever_is_told_finds_what_to_ask_next_to_be_copied(kind: str) -> None:
    shown = invoke("channels", "show", kind, "--example").out

    assert "aws cloudtrail lookup-events --region" in shown
    assert "SELECT " in shown
