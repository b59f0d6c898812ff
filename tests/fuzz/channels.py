"""Alerts of any record by every channel: a request is made of each, whatever somebody has typed into it."""

import asyncio
import os
from typing import Final

from stream.alert import Alert
from stream.aws import Aws
from stream.deliver.channel import Accepted, Channel, PeopleChannel
from stream.deliver.channels import CHANNELS, make
from stream.deliver.instances import Instance
from stream.metrics import Metrics
from tests.deliver.channels.attacks import hostile
from tests.fuzz.draw import Draw
from tests.fuzz.impact import alerts

os.environ.setdefault("AWS_REGION", "us-east-1")
_LOOP: Final = asyncio.new_event_loop()
_LONGEST: Final = 4096


def _made(kind: str) -> Channel:
    section = CHANNELS[kind].section
    instance = Instance(kind, kind, section.of(dict(CHANNELS[kind].example)), reload=section)
    (channel,) = make((instance,), Aws(Metrics()))
    return channel


_CHANNELS: Final = tuple(_made(kind) for kind in sorted(CHANNELS))


def TestOneInput(data: bytes) -> None:  # noqa: N802 - libFuzzer's name for it
    """One channel, and an alert of a record that the bytes make, or with one text of theirs in its every field."""
    draw = Draw(data)
    channel, minimal, items = draw.one_of(_CHANNELS), bool(draw.byte() % 2), draw.byte() % 12
    told = [hostile(draw.text(), items)] if draw.byte() % 2 else alerts(draw)
    for alert in told[:1]:
        _LOOP.run_until_complete(_rehearse(channel, alert, minimal=minimal))


async def _rehearse(channel: Channel, alert: Alert, *, minimal: bool) -> None:
    requests: list[str] = []
    faults: list[str] = []
    channel.rehearsal = requests.append
    if isinstance(channel, PeopleChannel):
        channel.template_failed = faults.append
    answer = await channel.send(alert, minimal=minimal)
    assert answer == Accepted(), (channel.kind, answer)
    assert faults == []
    assert requests
    "".join(requests).encode()
