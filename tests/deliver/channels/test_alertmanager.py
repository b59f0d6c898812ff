import asyncio
import base64
import json
import re
import shutil
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stream.alert import Alert, Change, Links, Resource
from stream.deliver.channel import Accepted, Answer, Down, Rejected, Retry
from stream.deliver.channels.alertmanager import ALERT_NAME, AlertmanagerChannel, AlertmanagerSettings, postable
from stream.environment import load, reference
from stream.errors import ConfigError
from tests.deliver.alerts import TRAIL, alerts, make_alert
from tests.deliver.channels.attacks import ATTACKS, active, hostile
from tests.receiver import Receiver, Reply

NOW = datetime(2026, 3, 1, 12, 0, 30, tzinfo=UTC)


def _postable(alert: Alert, *, minimal: bool = False) -> dict[str, Any]:
    return postable(alert, NOW.timestamp(), 3600, minimal=minimal)


def _channel(url: str, **values: Any) -> AlertmanagerChannel:
    return AlertmanagerChannel(AlertmanagerSettings.model_validate({"url": url, **values}))


@pytest.fixture
async def channel(receiver: Receiver) -> AsyncIterator[AlertmanagerChannel]:
    made = _channel(receiver.url)
    yield made
    await made.aclose()


def _check(made: dict[str, Any]) -> None:
    """What Alertmanager validates: https://github.com/prometheus/alertmanager/blob/main/types/types.go"""
    assert made.keys() <= {"labels", "annotations", "startsAt", "endsAt", "generatorURL"}
    assert made["labels"]["alertname"] == ALERT_NAME
    for pairs in (made["labels"], made["annotations"]):
        for name, value in pairs.items():
            assert re.fullmatch(r"[a-zA-Z_][a-zA-Z0-9_]*", name)
            assert value
            value.encode()
    assert _time(made["startsAt"]) <= NOW < _time(made["endsAt"])


def _time(text: str) -> datetime:
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", text)
    return datetime.fromisoformat(text)


async def test_an_alert_is_posted_alone_in_a_list(channel: AlertmanagerChannel, receiver: Receiver) -> None:
    before = datetime.now(UTC) - timedelta(seconds=1)
    assert await channel.send(make_alert()) == Accepted()
    (request,) = receiver.requests
    assert (request.method, request.path) == ("POST", "/api/v2/alerts")
    assert request.headers["Content-Type"] == "application/json"
    assert "Authorization" not in request.headers
    (made,) = request.json()
    assert made["labels"] == _postable(make_alert())["labels"]
    assert _time(made["endsAt"]) >= before + timedelta(days=1)


def test_labels_identify_and_annotations_tell() -> None:
    made = _postable(make_alert(links=Links("https://console.example/", "https://runbook.example/")))
    _check(made)
    assert made["labels"] == {
        "alertname": ALERT_NAME,
        "severity": "critical",
        "account": "111122223333",
        "region": "eu-west-1",
        "rule": "ct-013",
        "event": "StopLogging",
        "outcome": "success",
        "trail": TRAIL,
        "alert_id": "alert-1",
    }
    told = made["annotations"]
    assert told["summary"] == "Logging of trail main was stopped"
    assert told["description"] == "API calls in this account are no longer recorded by trail main."
    assert told["account_name"] == "prod"
    assert told["actor"] == "Admin"
    assert told["source_ip"] == "198.51.100.7"
    assert told["user_agent"] == "aws-cli/2.15.0"
    assert told["changes"] == "name = main: recording stops"
    assert told["resources"] == TRAIL
    assert told["log_file"] == "s3://logs/AWSLogs/111122223333/CloudTrail/eu-west-1/2026/03/01/file.json.gz"
    assert told["runbook_url"] == "https://runbook.example/"
    assert made["generatorURL"] == "https://console.example/"
    assert made["startsAt"] == "2026-03-01T12:00:00.000Z"
    assert made["endsAt"] == "2026-03-01T13:00:30.000Z"


def test_an_alert_sent_again_is_the_same_and_another_is_another() -> None:
    first = _postable(make_alert())
    again = postable(make_alert(), NOW.timestamp() + 999, 3600)
    assert first["labels"] == again["labels"]
    assert first["startsAt"] == again["startsAt"]
    assert first["labels"] != _postable(make_alert("alert-2"))["labels"]


def test_what_an_alert_does_not_have_is_no_label() -> None:
    assert "trail" not in _postable(make_alert(resources=()))["labels"]
    assert "account" not in _postable(make_alert(event_account_id=" "))["labels"]


@pytest.mark.parametrize(
    ("time", "starts"),
    [
        ("2026-03-01T12:00:00Z", "2026-03-01T12:00:00.000Z"),
        ("2026-03-01T13:00:00+01:00", "2026-03-01T12:00:00.000Z"),
        ("2026-02-01T12:00:00Z", "2026-02-01T12:00:00.000Z"),
        ("2026-03-01T12:01:00Z", "2026-03-01T12:00:30.000Z"),
        ("9999-12-31T23:59:59Z", "2026-03-01T12:00:30.000Z"),
        ("0001-01-01T00:00:00Z", "2026-03-01T12:00:30.000Z"),
        ("2026-03-01T12:00:00", "2026-03-01T12:00:30.000Z"),
        ("yesterday", "2026-03-01T12:00:30.000Z"),
        ("", "2026-03-01T12:00:30.000Z"),
    ],
)
def test_it_starts_with_the_event_or_now_and_ends_after_now(time: str, starts: str) -> None:
    made = _postable(make_alert(event_time=time))
    assert made["startsAt"] == starts
    assert made["endsAt"] == "2026-03-01T13:00:30.000Z"


@pytest.mark.parametrize("name", ATTACKS)
def test_attacks_come_out_inert(name: str) -> None:
    for minimal in (False, True):
        made = _postable(hostile(ATTACKS[name]), minimal=minimal)
        _check(made)
        for text in [*made["labels"].values(), *made["annotations"].values()]:
            assert active(text) is None or text == made["annotations"].get("runbook_url")


@given(alerts())
@settings(max_examples=25, deadline=None)
def test_any_alert_makes_a_valid_one(alert: Alert) -> None:
    for minimal in (False, True):
        made = _postable(alert, minimal=minimal)
        json.dumps(made).encode()
        _check(made)


@settings(max_examples=50, deadline=None)
@given(st.datetimes(timezones=st.just(UTC)) | st.text(max_size=30))
def test_any_time_makes_a_valid_one(time: datetime | str) -> None:
    _check(_postable(make_alert(event_time=time if isinstance(time, str) else time.isoformat())))


def test_the_largest_of_alerts_is_cut_and_counts_what_is_left_out() -> None:
    made = _postable(hostile("😀" * 100_000, items=1000))
    _check(made)
    assert len(json.dumps(made, ensure_ascii=False).encode()) < 1_000_000
    assert made["annotations"]["changes"].endswith("… and 980 more")
    assert made["annotations"]["resources"].endswith("… and 980 more")
    assert len(made["annotations"]["user_agent"]) == 4000


def test_the_minimal_one_has_its_labels_and_a_summary() -> None:
    made = _postable(make_alert(), minimal=True)
    assert made["labels"] == _postable(make_alert())["labels"]
    assert made["annotations"] == {"summary": "Logging of trail main was stopped"}


def test_a_change_without_effect_and_a_link_that_is_none() -> None:
    made = _postable(make_alert(changes=(Change("a", {"b": [1]}, ""),), links=Links("javascript:x", "ftp://x")))
    assert made["annotations"]["changes"] == 'a = {"b": [1]}'
    assert "generatorURL" not in made
    assert "runbook_url" not in made["annotations"]


@pytest.mark.parametrize(
    ("status", "answer"),
    [
        (200, Accepted()),
        (400, Rejected("bad_request")),
        (401, Down("unauthorized")),
        (403, Down("forbidden")),
        (404, Down("not_found")),
        (422, Rejected("payload")),
        (429, Retry("throttled", 30.0)),
        (500, Retry("server_error", 30.0)),
        (503, Retry("server_error", 30.0)),
        (302, Down("redirect")),
    ],
)
async def test_answers_are_classified(
    status: int, answer: Answer, channel: AlertmanagerChannel, receiver: Receiver
) -> None:
    receiver.answer(status, headers={"Retry-After": "30"})
    assert await channel.send(make_alert()) == answer


async def test_probing_posts_nothing(channel: AlertmanagerChannel, receiver: Receiver) -> None:
    assert await channel.probe() == Accepted()
    assert [request.method for request in receiver.requests] == ["HEAD"]


async def test_probing_finds_out_that_credentials_are_wrong(receiver: Receiver) -> None:
    receiver.default = lambda request: Reply(405 if request.headers.get("Authorization") == "Bearer good" else 401)
    probed = {}
    for token in ("good", "revoked"):
        channel = _channel(receiver.url, token=token)
        probed[token] = await channel.probe()
        await channel.aclose()
    assert probed == {"good": Accepted(), "revoked": Down("unauthorized")}


@pytest.mark.parametrize(
    ("suffix", "path"),
    [
        ("/", "/api/v2/alerts"),
        ("/prefix", "/prefix/api/v2/alerts"),
        ("/a/b/", "/a/b/api/v2/alerts"),
        ("/workspaces/ws-1/alertmanager?x=y#z", "/workspaces/ws-1/alertmanager/api/v2/alerts"),
    ],
)
async def test_a_path_prefix_is_kept(suffix: str, path: str, receiver: Receiver) -> None:
    channel = _channel(receiver.url + suffix)
    assert await channel.send(make_alert()) == Accepted()
    await channel.aclose()
    assert receiver.requests[0].path == path
    assert receiver.requests[0].query == ({"x": "y"} if "?" in suffix else {})


@pytest.mark.parametrize(
    ("login", "token", "header"),
    [
        ("user:pass", None, "Basic " + base64.b64encode(b"user:pass").decode()),
        ("user:p%40ss%E2%82%AC%0A", None, "Basic " + base64.b64encode("user:p@ss€\n".encode()).decode()),
        ("user", None, "Basic " + base64.b64encode(b"user:").decode()),
        ("user:pass", "abc.DEF-123==", "Bearer abc.DEF-123=="),
    ],
)
async def test_it_logs_in(login: str, token: str | None, header: str, receiver: Receiver) -> None:
    channel = _channel(receiver.url.replace("://", f"://{login}@"), token=token)
    assert await channel.send(make_alert()) == Accepted()
    await channel.aclose()
    assert receiver.requests[0].headers["Authorization"] == header


def test_secrets_are_shown_by_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not AlertmanagerSettings.model_validate({}).enabled
    monkeypatch.setenv("TRAILSTREAM_ALERTMANAGER_URL", "https://user:sEcReT@alertmanager.example/")
    monkeypatch.setenv("TRAILSTREAM_ALERTMANAGER_TOKEN", "sEcReT")
    section = load([AlertmanagerSettings])[AlertmanagerSettings]
    assert isinstance(section, AlertmanagerSettings)
    assert section.enabled
    assert "sEcReT" not in repr(section) + repr(reference([AlertmanagerSettings]))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TOKEN", "two sEcReTs"),
        ("TOKEN", "sEcReT\nX: y"),
        ("URL", "alertmanager.example/sEcReT"),
        ("ENDS_AFTER", "1"),
        ("ENDS_AFTER", "inf"),
    ],
)
def test_a_bad_setting_is_an_error_that_names_it(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"TRAILSTREAM_ALERTMANAGER_{name}", value)
    with pytest.raises(ConfigError, match=rf"^TRAILSTREAM_ALERTMANAGER_{name}: ") as raised:
        load([AlertmanagerSettings])
    assert "sEcReT" not in str(raised.value)


@pytest.fixture
async def real(receiver: Receiver, tmp_path: Path) -> AsyncIterator[str]:
    """Base URL, with a prefix, of a real Alertmanager that tells the receiver of each alert at once."""
    program = shutil.which("prometheus-alertmanager") or shutil.which("alertmanager")
    if program is None:
        pytest.skip("Alertmanager (Debian package prometheus-alertmanager) is not installed")
    config = {
        "route": {"receiver": "told", "group_by": ["..."], "group_wait": "0s"},
        "receivers": [{"name": "told", "webhook_configs": [{"url": f"{receiver.url}/told"}]}],
    }
    (tmp_path / "alertmanager.yml").write_text(json.dumps(config))
    process = await asyncio.create_subprocess_exec(
        program,
        f"--config.file={tmp_path / 'alertmanager.yml'}",
        f"--storage.path={tmp_path / 'data'}",
        "--web.listen-address=127.0.0.1:0",
        "--web.route-prefix=/prefix",
        "--cluster.listen-address=",
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield f"http://127.0.0.1:{await asyncio.wait_for(_port(process), 20)}/prefix"
    finally:
        process.kill()
        await process.communicate()


async def _port(process: asyncio.subprocess.Process) -> str:
    assert process.stderr is not None
    async for line in process.stderr:
        if found := re.search(rb"Listening on\D+127\.0\.0\.1:(\d+)", line):
            return found[1].decode()
    raise AssertionError("Alertmanager did not start")


async def test_a_real_alertmanager_lists_the_alerts_and_tells_of_them(real: str, receiver: Receiver) -> None:
    hours_old = make_alert("late", event_time=(datetime.now(UTC) - timedelta(hours=30)).isoformat())
    sent = {alert.id: alert for alert in (make_alert("a"), make_alert("b", event_outcome="denied"), hours_old)}
    channel = _channel(real)
    for alert in (*sent.values(), sent["a"]):
        assert await channel.send(alert) == Accepted()
    await channel.aclose()
    listed = {alert["labels"]["alert_id"]: alert for alert in await _listed(real)}
    assert listed.keys() == sent.keys()
    for alert_id, alert in sent.items():
        made = _postable(alert)
        assert listed[alert_id]["labels"] == made["labels"]
        assert listed[alert_id]["annotations"] == made["annotations"]
        assert listed[alert_id]["generatorURL"] == made["generatorURL"]
        assert listed[alert_id]["status"]["state"] in ("active", "unprocessed")
    told = [alert for request in await receiver.wait_for(3) for alert in request.json()["alerts"]]
    assert {alert["labels"]["alert_id"] for alert in told} == sent.keys()
    assert {alert["status"] for alert in told} == {"firing"}


async def test_a_real_alertmanager_takes_whatever_was_typed(real: str) -> None:
    channel = _channel(real)
    odd = [make_alert(time, event_time=time) for time in ("9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z", "never")]
    links = [make_alert(url, links=Links(url, url)) for url in ("https://x.example/%zz <ü>", "https://x.example?a=[1]")]
    bare = [make_alert("bare", resources=(Resource("", "", None),), changes=(), log_file=None)]
    for alert in (*odd, *links, *bare, *map(hostile, ATTACKS.values())):
        for minimal in (True, False):
            assert await channel.send(alert, minimal=minimal) == Accepted()
    await channel.aclose()
    assert {alert["labels"].get("alert_id") for alert in await _listed(real)} >= {"bare", "never"}


async def _listed(url: str) -> list[dict[str, Any]]:
    async with aiohttp.ClientSession() as session, session.get(f"{url}/api/v2/alerts") as response:
        listed: list[dict[str, Any]] = await response.json()
        return listed
