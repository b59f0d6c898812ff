import base64
import io
import json
import unicodedata
from typing import Any

import aiohttp
import pytest
from rich.console import Console
from standardwebhooks import Webhook

from stream.demo.receiver import AlertReceiver, Terminal, show
from stream.demo.story import HOSTILE_USER_AGENT

SECRET = "whsec_" + base64.b64encode(b"k" * 32).decode()
HOSTILE = HOSTILE_USER_AGENT + " [link=https://evil.example]x[/link] \x9b31m \u2066\u200b\ud800"


def alert(**fields: Any) -> dict[str, Any]:
    return {
        "id": "alert-1",
        "severity": "critical",
        "title": "Trail stopped",
        "summary": "Recording stopped: API calls are no longer logged.",
        "event": {
            "id": "event-1",
            "name": "StopLogging",
            "time": "2026-01-15T09:00:00Z",
            "region": "us-east-1",
            "account_id": "111122223333",
            "account_name": None,
            "outcome": "success",
        },
        "actor": {
            "type": "IAMUser",
            "name": "k.novak",
            "session_name": None,
            "mfa": False,
            "source_ip": "192.0.2.7",
            "user_agent": "aws-cli/2.24.5",
            "via": "cli",
        },
        "changes": [{"field": "isMultiRegionTrail", "value": False, "effect": "only one region is logged now"}],
        **fields,
    }


def gone(_: str) -> int:
    raise BrokenPipeError


def shown(alert: dict[str, Any], *, terminal: bool) -> str:
    output = io.StringIO()
    show(alert, Console(file=output, force_terminal=terminal, no_color=True, width=120, highlight=False))
    return output.getvalue()


async def post(url: str, body: bytes, *, signed: bool = True) -> int:
    import datetime as dt

    now = dt.datetime.now(tz=dt.UTC)
    headers = {
        "webhook-id": "alert-1",
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Webhook(SECRET).sign("alert-1", now, body.decode()) if signed else "v1,bm8=",
    }
    async with aiohttp.ClientSession() as http, http.post(url, data=body, headers=headers) as answer:
        return answer.status


async def test_a_signed_alert_is_shown_and_remembered() -> None:
    output = io.StringIO()
    async with AlertReceiver(SECRET, Console(file=output, width=120)) as receiver:
        assert await post(receiver.url, json.dumps({"data": alert()}).encode()) == 204
    assert [(each.alert_id, each.event_id, each.event_name) for each in receiver.arrivals] == [
        ("alert-1", "event-1", "StopLogging")
    ]
    assert receiver.refused == 0
    assert "Trail stopped" in output.getvalue()


async def test_an_alert_is_taken_though_nobody_looks_any_more() -> None:
    output = io.StringIO()
    output.write = gone  # type: ignore[method-assign]  # a pipe whose reader has ended
    async with AlertReceiver(SECRET, Terminal(file=output)) as receiver:
        for _ in range(2):
            assert await post(receiver.url, json.dumps({"data": alert()}).encode()) == 204
    assert len(receiver.arrivals) == 2


async def test_one_that_is_not_signed_is_refused_and_counted() -> None:
    async with AlertReceiver(SECRET, None) as receiver:
        assert await post(receiver.url, json.dumps({"data": alert()}).encode(), signed=False) == 401
    assert not receiver.arrivals
    assert receiver.refused == 1


@pytest.mark.parametrize("body", [b"{", b"[]", b"{}", b'{"data": 1}', b'{"data": {"id": "x"}}'])
async def test_what_is_no_alert_is_refused_and_counted(body: bytes) -> None:
    async with AlertReceiver(SECRET, None) as receiver:
        assert await post(receiver.url, body) == 400
    assert not receiver.arrivals
    assert receiver.refused == 1


def test_a_terminal_gets_a_panel_that_says_who_what_and_where() -> None:
    text = shown(alert(), terminal=True)
    for part in (
        "CRITICAL",
        "Trail stopped",
        "Recording stopped",
        "IAMUser k.novak, no MFA, from 192.0.2.7 by cli",
        "111122223333 / us-east-1",
        "isMultiRegionTrail = false: only one region is logged now",
    ):
        assert part in text


def test_anything_else_gets_one_plain_line() -> None:
    text = shown(alert(), terminal=False)
    assert text.count("\n") == 1
    assert text.startswith("CRITICAL      Trail stopped | Recording stopped")
    assert text.isprintable() or text[:-1].isprintable()


@pytest.mark.parametrize("terminal", [True, False])
def test_hostile_text_does_nothing_to_a_terminal(terminal: bool) -> None:
    hostile = alert(
        title=HOSTILE,
        summary=HOSTILE,
        changes=[{"field": HOSTILE, "value": {"a": [HOSTILE]}, "effect": HOSTILE}],
    )
    hostile["actor"] |= {"name": HOSTILE, "user_agent": HOSTILE, "session_name": HOSTILE, "source_ip": HOSTILE}
    hostile["event"] |= {"account_name": HOSTILE, "region": HOSTILE}
    plain = shown(alert(), terminal=terminal)
    text = shown(hostile, terminal=terminal)
    ours = {character for character in plain if not character.isprintable()}  # the panel's own styles, newlines
    assert {character for character in text if unicodedata.category(character)[0] == "C"} <= ours
    assert "\x1b]" not in text
    assert "\x1b[2J" not in text
    assert "\x1b]8;" not in text, "markup made a link"
    assert "[bold green]no findings[/]" in text.replace("\n", " ") or terminal
    if not terminal:
        assert text.count("\n") == 1
