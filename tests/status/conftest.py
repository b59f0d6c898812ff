"""A status of which every part has something to show, all of it typed by an attacker where one could have."""

import pytest

from stream.deliver.recent import ChannelState, Recent
from stream.metrics import Metrics
from stream.status.snapshot import Status
from tests.deliver.alerts import make_alert

NOW = 1_772_366_400.0  # 2026-03-01T12:00:00Z
ATTACK = "<script>alert(1)</script><img src=x onerror=alert(1)>\u202eevil\x1b[2J \"'`id`"


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


@pytest.fixture
def quiet(metrics: Metrics) -> Status:
    """Of a process that has just started."""
    return Status(
        metrics.registry,
        Recent(lambda: NOW),
        buckets=("acme",),
        channels=lambda: [ChannelState("slack")],
        unix_time=lambda: NOW,
    )


@pytest.fixture
def busy(metrics: Metrics) -> Status:
    """Of a process that has seen all kinds of things."""
    recent = Recent(lambda: NOW)
    for number, severity in enumerate(("critical", "high", "medium", "low", "informational")):
        alert = make_alert(f"alert-{number}", severity=severity, title=f"{severity} {ATTACK}", summary=ATTACK * 3)
        recent.found(alert, ("slack", "webhook"))
        recent.ended(alert.id, "webhook", "accepted", 0.42)
    recent.ended("alert-0", "slack", "rejected", 3.0)
    metrics.messages_received.inc(12)
    metrics.messages_settled.labels("acknowledged").inc(9)
    metrics.messages_settled.labels("failed").inc(1)
    metrics.messages_in_flight.set(2)
    metrics.log_files.labels("read", "ok").inc(1_234_567)
    metrics.last_log_file.set(NOW - 40)
    metrics.errors.labels("log_file", "not_gzip").inc(3)
    metrics.dead_letter_messages.set(1)
    metrics.declare_channel("slack", pending=lambda: 4, oldest=lambda: 125.0, open_=lambda: 1.0)
    metrics.declare_channel("webhook", pending=lambda: 0, oldest=lambda: 0.0, open_=lambda: 0.0)
    metrics.channel_last_success.labels("webhook").set(NOW - 5)
    return Status(
        metrics.registry,
        recent,
        buckets=("acme", "other", "third"),
        channels=lambda: [ChannelState("slack", "unauthorized", NOW - 60), ChannelState("webhook")],
        quiet=lambda: [f"eu-west-1 {ATTACK}"],
        unix_time=lambda: NOW,
    )
