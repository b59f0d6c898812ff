"""The people's end of the demo: a webhook on loopback that shows each alert on the terminal and remembers it.

Requests are CloudEvents, signed as Standard Webhooks asks (https://www.standardwebhooks.com). Whatever an alert
holds, a terminal shows it as plain characters.
"""

import base64
import hashlib
import hmac
import json
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Self

from aiohttp import web
from rich.console import Console, Group
from rich.panel import Panel
from rich.text import Text

from stream.terminal import inert

_STYLES: Final = {
    "critical": "bold white on red",
    "high": "bold red",
    "medium": "yellow",
    "low": "cyan",
    "informational": "blue",
}
_MAX_TEXT: Final = 300
_MAX_CHANGES: Final = 5
_MAX_BODY_BYTES: Final = 8 * 1024**2


class Terminal(Console):
    """A console that leaves it to its caller what to do when nobody reads its output any more."""

    def on_broken_pipe(self) -> None:
        """Go on with the BrokenPipeError; rich would exit in the midst of whatever task this is."""
        raise  # noqa: PLE0704 - called while that error is handled


@dataclass(frozen=True, slots=True)
class Arrival:
    """One alert as it came; `at` is `time.monotonic()`."""

    alert_id: str
    event_id: str
    event_name: str
    severity: str
    at: float


class AlertReceiver:
    """`async with AlertReceiver(secret, console) as receiver`: post alerts to `receiver.url`.

    Attributes:
        arrivals: every accepted request, in order; an alert that was sent twice is in it twice.
        refused: requests that were no alert or whose signature did not fit.
    """

    def __init__(self, secret: str, console: Console | None) -> None:
        """Take `secret` as `whsec_<base64>`; without a console nothing is shown."""
        self._key = base64.b64decode(secret.removeprefix("whsec_"))
        self._console = console
        self._stack = AsyncExitStack()
        self.arrivals: list[Arrival] = []
        self.refused = 0
        self.url = ""

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=_MAX_BODY_BYTES)
        app.router.add_post("/alerts", self._receive)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await runner.setup()
        self._stack.push_async_callback(runner.cleanup)
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}/alerts"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    async def _receive(self, request: web.Request) -> web.Response:
        at = time.monotonic()
        body = await request.read()
        if not self._signed(request, body):
            self.refused += 1
            return web.Response(status=401)
        try:
            alert = json.loads(body)["data"]
            arrival = Arrival(
                alert_id=alert["id"],
                event_id=alert["event"]["id"],
                event_name=alert["event"]["name"],
                severity=alert["severity"],
                at=at,
            )
        except (ValueError, KeyError, TypeError):
            self.refused += 1
            return web.Response(status=400)
        self.arrivals.append(arrival)
        if self._console is not None:
            try:
                show(alert, self._console)
            except OSError:  # the terminal is gone, or what read our pipe: that is no fault of the alert
                self._console = None
        return web.Response(status=204)

    def _signed(self, request: web.Request, body: bytes) -> bool:
        signed = (
            f"{request.headers.get('webhook-id')}.{request.headers.get('webhook-timestamp')}.".encode(errors="replace")
            + body
        )
        right = "v1," + base64.b64encode(hmac.digest(self._key, signed, hashlib.sha256)).decode()
        given = request.headers.get("webhook-signature", "").split(" ")
        return any(hmac.compare_digest(right.encode(), each.encode(errors="replace")) for each in given)


def show(alert: dict[str, Any], console: Console) -> None:
    """Print an alert as people would want to see it: a panel on a terminal, one line anywhere else."""
    severity = str(alert["severity"])
    style = _STYLES.get(severity, "")
    title, summary = _plain(alert["title"]), _plain(alert["summary"])
    who, agent = _who(alert["actor"]), _plain(alert["actor"]["user_agent"] or "", 100)
    if not console.is_terminal:
        # By its own `out`, so that nothing wraps, colours or reads the text as markup.
        console.out(f"{severity.upper():<13} {title} | {summary} | {who} | {agent}", highlight=False)
        return
    event = alert["event"]
    where = f"{_plain(event['account_name'] or event['account_id'])} / {_plain(event['region'])}"
    lines = [
        Text(summary, style="bold"),
        _row("who", who),
        _row("agent", agent),
        _row("where", f"{where}, {_plain(event['time'])}, {_plain(event['outcome'])}"),
    ]
    for change in alert["changes"][:_MAX_CHANGES]:
        value = json.dumps(change["value"], ensure_ascii=False)
        lines.append(_row("change", f"{_plain(change['field'])} = {_plain(value, 80)}: {_plain(change['effect'])}"))
    if len(alert["changes"]) > _MAX_CHANGES:
        lines.append(_row("", f"and {len(alert['changes']) - _MAX_CHANGES} more"))
    console.print(
        Panel(
            Group(*lines),
            title=Text.assemble((f" {severity.upper()} ", style), " ", title),
            title_align="left",
            border_style="red" if severity in ("critical", "high") else style,
            width=min(console.width, 120),
        )
    )


def _who(actor: dict[str, Any]) -> str:
    mfa = {True: ", with MFA", False: ", no MFA"}.get(actor["mfa"], "")
    session = f" as {_plain(actor['session_name'])}" if actor["session_name"] else ""
    source = _plain(actor["source_ip"] or "unknown")
    return f"{_plain(actor['type'])} {_plain(actor['name'])}{session}{mfa}, from {source} by {_plain(actor['via'])}"


def _row(label: str, text: str) -> Text:
    return Text.assemble((f"{label:<7}", "dim"), text)


def _plain(value: object, limit: int = _MAX_TEXT) -> str:
    return inert(str(value), limit)
