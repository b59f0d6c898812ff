"""Writes `deploy/images/slack.png` and `page.png`; needs chromium, node, and playwright-core on NODE_PATH."""

import asyncio
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from jinja2 import Environment
from markupsafe import Markup

from stream.alert import Alert
from stream.deliver.channels.slack import SlackChannel, SlackSettings
from stream.deliver.recent import ChannelState, Recent
from stream.detect.sample import example_alert
from stream.metrics import Metrics
from stream.status.page import showing
from stream.status.snapshot import Status

_FOLDER: Final = Path(__file__).parents[2] / "deploy" / "images"
_NOW: Final = 1_772_366_400.0  # 2026-03-01T12:00:00Z


def mrkdwn(text: str) -> Markup:
    """Slack's mark-up as HTML; it is escaped already as HTML is."""
    text = re.sub(r"```(.*?)```", r"<pre>\1</pre>", text, flags=re.DOTALL)
    text = re.sub(r"`([^`\n]+)`", r"<code>\1</code>", text)
    text = re.sub(r"<(https://[^|>]+)\|([^>]+)>", r'<a href="\1">\2</a>', text)
    return Markup(re.sub(r"(?m)(?<![\w*])\*([^*\n]+)\*", r"<b>\1</b>", text))  # noqa: S704 - of our own example


def slack(alert: Alert) -> str:
    """The message that the channel sends, as Slack would show it."""
    channel = SlackChannel(SlackSettings.model_validate({"webhook_url": "https://hooks.slack.com/services/x"}))
    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    environment.filters["mrkdwn"] = mrkdwn
    template = environment.from_string(Path(__file__).with_name("slack.html.j2").read_text())
    return template.render(blocks=channel.message(alert, None)["blocks"])


def status(alert: Alert) -> Status:
    """A morning's work of one replica."""
    metrics, recent = Metrics(), Recent(lambda: _NOW)
    recent.found(alert, ("slack", "pagerduty"))
    for channel, seconds in (("slack", 0.4), ("pagerduty", 0.7)):
        recent.ended(alert.id, channel, "accepted", seconds)
    metrics.messages_received.inc(48_211)
    metrics.messages_settled.labels("acknowledged").inc(48_209)
    metrics.messages_in_flight.set(2)
    metrics.log_files.labels("read", "ok").inc(48_209)
    metrics.records.inc(3_104_877)
    metrics.alerts.labels(alert.rule.id, alert.severity).inc()
    metrics.last_log_file.set(_NOW - 4)
    for channel in ("slack", "pagerduty"):
        metrics.declare_channel(channel, pending=lambda: 0, oldest=lambda: 0.0, open_=lambda: 0.0)
        metrics.channel_last_success.labels(channel).set(_NOW - 40)
        metrics.deliveries.labels(channel, "accepted").inc()
    return Status(
        metrics.registry,
        recent,
        buckets=("acme-cloudtrail",),
        channels=lambda: (ChannelState("slack"), ChannelState("pagerduty")),
        unix_time=lambda: _NOW,
    )


async def main() -> None:
    """Render both and take their pictures."""
    chromium = shutil.which("chromium")
    if chromium is None or shutil.which("node") is None:
        sys.exit("needs chromium and node")
    platform.node = lambda: "trailstream-5c9f7d-x2k8p"
    alert = example_alert()
    _FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        html = Path(folder) / "slack.html"
        html.write_text(slack(alert))
        async with showing(status(alert).snapshot, port=0) as port:
            pictures = [
                (html.as_uri(), str(_FOLDER / "slack.png"), "740"),
                (f"http://localhost:{port}/", str(_FOLDER / "page.png"), "900"),
            ]
            arguments = [argument for picture in pictures for argument in picture]
            await asyncio.to_thread(
                subprocess.run,
                ["node", str(Path(__file__).with_name("shoot.cjs")), chromium, *arguments],
                check=True,
            )


if __name__ == "__main__":
    asyncio.run(main())
