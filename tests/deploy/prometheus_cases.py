"""For each alert, what metrics make it fire and what near them does not.

Series are in promtool's notation (https://prometheus.io/docs/prometheus/latest/configuration/unit_testing_rules/), a
sample a minute; those of a pod have its namespace and name added.
"""

from dataclasses import dataclass
from typing import Final

POD: Final = 'namespace="t",pod="a"'
OTHER: Final = 'namespace="t",pod="b"'


@dataclass(frozen=True)
class Case:
    """Series by metric and labels; `minutes` is when the alert is looked for.

    Attributes:
        firing: they make it fire.
        silent: they don't, though they are near.
    """

    firing: dict[str, str]
    silent: dict[str, str]
    minutes: int = 40


def _pod(metric: str, pod: str = POD, **labels: str) -> str:
    more = "".join(f',{name}="{value}"' for name, value in labels.items())
    return f"{metric}{{{pod}{more}}}"


def _ages(slow: str, fast: str) -> dict[str, str]:
    """Messages of which some took more than a minute, and none more than an hour."""
    return {
        _pod("trailstream_message_age_seconds_bucket", le="60.0"): fast,
        _pod("trailstream_message_age_seconds_bucket", le="600.0"): slow,
        _pod("trailstream_message_age_seconds_bucket", le="3600.0"): slow,
        _pod("trailstream_message_age_seconds_bucket", le="+Inf"): slow,
        _pod("trailstream_message_age_seconds_count"): slow,
    }


def _processing(all_: str, fast: str) -> dict[str, str]:
    return {
        _pod("trailstream_alert_processing_seconds_bucket", channel="slack", le="30.0"): fast,
        _pod("trailstream_alert_processing_seconds_count", channel="slack"): all_,
    }


def _deliveries(accepted: str, expired: str) -> dict[str, str]:
    return {
        _pod("trailstream_deliveries_total", channel="slack", outcome="accepted"): accepted,
        _pod("trailstream_deliveries_total", channel="slack", outcome="expired"): expired,
    }


HERE: Final = {_pod("trailstream_config_hash"): "7x500", _pod("trailstream_build_info", version="1"): "1x500"}

CASES: Final = {
    "TrailstreamDown": Case(firing={}, silent=HERE),
    "TrailstreamReplicaDown": Case(
        firing={_pod("up", job="t"): "1x20 0x40", _pod("trailstream_config_hash"): "7x20"},
        silent={_pod("up", job="t"): "1x20 0x2 1x40", _pod("up", 'namespace="x",pod="else"'): "0x60", **HERE},
    ),
    "TrailstreamMessagesLost": Case(
        firing={
            _pod("trailstream_messages_received_total"): "0+10x60",
            _pod("trailstream_messages_settled_total", outcome="acknowledged"): "0+9x60",
            _pod("trailstream_messages_in_flight"): "0x60",
        },
        silent={
            _pod("trailstream_messages_received_total"): "5+10x60",
            _pod("trailstream_messages_settled_total", outcome="acknowledged"): "0+9x60",
            _pod("trailstream_messages_settled_total", outcome="failed"): "0+1x60",
            _pod("trailstream_messages_in_flight"): "5x60",
        },
    ),
    "TrailstreamNotReading": Case(
        firing={
            _pod("trailstream_queue_messages", state="visible"): "7x60",
            _pod("trailstream_messages_received_total"): "9x60",
        },
        silent={
            _pod("trailstream_queue_messages", state="visible"): "7x60",
            _pod("trailstream_queue_messages", OTHER, state="visible"): "7x60",
            _pod("trailstream_messages_received_total"): "9x60",
            _pod("trailstream_messages_received_total", OTHER): "0+1x60",
        },
    ),
    "TrailstreamQueueBarred": Case(
        firing={_pod("trailstream_errors_total", stage="receive", reason="forbidden"): "0+1x60"},
        silent={
            _pod("trailstream_errors_total", stage="receive", reason="forbidden"): "0x20 1x40",
            _pod("trailstream_errors_total", stage="receive", reason="throttled"): "0+2x60",
        },
    ),
    "TrailstreamReceivingFails": Case(
        firing={_pod("trailstream_errors_total", stage="receive", reason="forbidden"): "0+2x60"},
        silent={
            _pod("trailstream_errors_total", stage="receive", reason="connection"): "0x20 1x40",
            _pod("trailstream_errors_total", stage="deliver", reason="rejected"): "0+2x60",
        },
    ),
    "TrailstreamNoInput": Case(
        firing={_pod("trailstream_last_log_file_timestamp_seconds"): "60x200", **HERE},
        silent={
            _pod("trailstream_last_log_file_timestamp_seconds"): "60x200",
            _pod("trailstream_last_log_file_timestamp_seconds", OTHER): "0+60x200",
            **HERE,
        },
        minutes=90,
    ),
    "TrailstreamFallingBehind": Case(
        firing={
            _pod("trailstream_message_age_seconds_bucket", le="600.0"): "0+1x60",
            _pod("trailstream_message_age_seconds_bucket", le="3600.0"): "0+10x60",
            _pod("trailstream_message_age_seconds_bucket", le="+Inf"): "0+10x60",
        },
        silent={
            _pod("trailstream_message_age_seconds_bucket", le="600.0"): "0+10x60",
            _pod("trailstream_message_age_seconds_bucket", le="3600.0"): "0+10x60",
            _pod("trailstream_message_age_seconds_bucket", le="+Inf"): "0+10x60",
        },
    ),
    "TrailstreamDeliveryFailing": Case(
        firing={
            _pod("trailstream_delivery_attempts_total", channel="slack", outcome="retry", reason="timeout"): "0+3x60",
            _pod("trailstream_delivery_attempts_total", channel="slack", outcome="accepted", reason="ok"): "0+1x60",
        },
        silent={
            _pod("trailstream_delivery_attempts_total", channel="slack", outcome="retry", reason="timeout"): "0+1x60",
            _pod("trailstream_delivery_attempts_total", channel="slack", outcome="accepted", reason="ok"): "0+3x60",
            _pod("trailstream_delivery_attempts_total", channel="email", outcome="retry", reason="timeout"): "9x60",
            _pod("trailstream_delivery_attempts_total", channel="email", outcome="accepted", reason="ok"): "1x60",
        },
    ),
    "TrailstreamAlertsRejected": Case(
        firing={_pod("trailstream_deliveries_total", channel="zendesk", outcome="rejected"): "0x30 1x30"},
        silent={
            _pod("trailstream_deliveries_total", channel="zendesk", outcome="rejected"): "1x60",
            _pod("trailstream_deliveries_total", channel="zendesk", outcome="accepted"): "0+1x60",
        },
    ),
    "TrailstreamDeliveriesExpired": Case(
        firing=_deliveries("0+1x60", "0x30 1x30"),
        silent=_deliveries("0+1x60", "1x60"),
    ),
    "TrailstreamOldestPending": Case(
        firing={_pod("trailstream_oldest_pending_delivery_seconds", channel="slack"): "0+60x60"},
        silent={_pod("trailstream_oldest_pending_delivery_seconds", channel="slack"): "0+60x8 0x60"},
    ),
    "TrailstreamChannelDown": Case(
        firing={_pod("trailstream_circuit_breaker_open", channel="slack"): "0x20 1x40"},
        silent={_pod("trailstream_circuit_breaker_open", channel="slack"): "0x30 1x5 0x40"},
    ),
    "TrailstreamDeadLetters": Case(
        firing={_pod("trailstream_dead_letter_messages"): "0x20 1x40"},
        silent={_pod("trailstream_dead_letter_messages"): "0x60"},
    ),
    "TrailstreamPoison": Case(
        firing={_pod("trailstream_notifications_total", envelope="poison"): "0x30 1x30"},
        silent={
            _pod("trailstream_notifications_total", envelope="poison"): "1x60",
            _pod("trailstream_notifications_total", envelope="s3"): "0+1x60",
        },
    ),
    "TrailstreamLogFilesFailing": Case(
        firing={
            _pod("trailstream_log_files_total", outcome="read", reason="ok"): "0+9x90",
            _pod("trailstream_log_files_total", outcome="failed", reason="forbidden"): "0+1x90",
        },
        silent={
            _pod("trailstream_log_files_total", outcome="read", reason="ok"): "0+99x90",
            _pod("trailstream_log_files_total", outcome="failed", reason="forbidden"): "0+1x90",
            _pod("trailstream_log_files_total", outcome="skipped", reason="digest"): "0+9x90",
        },
        minutes=60,
    ),
    "TrailstreamMessagesExpired": Case(
        firing={_pod("trailstream_messages_settled_total", outcome="expired"): "0+1x60"},
        silent={_pod("trailstream_messages_settled_total", outcome="expired"): "0x30 2x30"},
    ),
    "TrailstreamIntakePaused": Case(
        firing={_pod("trailstream_intake_paused"): "0x20 1x40"},
        silent={_pod("trailstream_intake_paused"): "0x33 1x5 0x40"},
    ),
    "TrailstreamLedgerFailing": Case(
        firing={_pod("trailstream_errors_total", stage="ledger", reason="throttled"): "0+1x60"},
        silent={_pod("trailstream_errors_total", stage="ledger", reason="throttled"): "0x10 1x50"},
    ),
    "TrailstreamNearMemoryLimit": Case(
        firing={
            _pod("process_resident_memory_bytes"): "440000000x60",
            _pod("trailstream_memory_limit_bytes"): "512000000x60",
            **HERE,
        },
        silent={
            _pod("process_resident_memory_bytes"): "340000000x60",
            _pod("trailstream_memory_limit_bytes"): "512000000x60",
            _pod("process_resident_memory_bytes", OTHER): "940000000x60",  # another program's
            **HERE,
        },
    ),
    "TrailstreamEventLoopLag": Case(
        firing={_pod("trailstream_event_loop_lag_seconds"): "0.9x60"},
        silent={_pod("trailstream_event_loop_lag_seconds"): "0.02x38 0.9x2 0.02x20"},
    ),
    "TrailstreamSourcesSilent": Case(
        firing={_pod("trailstream_sources_silent"): "0x20 3x40"},
        silent={_pod("trailstream_sources_silent"): "0x60"},
    ),
    "TrailstreamCanaryMissing": Case(
        firing={_pod("trailstream_canary_waiting_since_timestamp_seconds"): "60x200"},  # it may never have come back
        silent={
            _pod("trailstream_canary_waiting_since_timestamp_seconds"): "60+60x200",
            _pod("trailstream_canary_waiting_since_timestamp_seconds", OTHER): "0x200",  # none is awaited, or it is off
        },
        minutes=120,
    ),
    "TrailstreamReloadFailing": Case(
        firing={_pod("trailstream_errors_total", stage="rules", reason="reload"): "0x30 1x30"},
        silent={_pod("trailstream_errors_total", stage="rules", reason="reload"): "1x60"},
    ),
    "TrailstreamConfigurationsDiffer": Case(
        firing={_pod("trailstream_config_hash"): "7x90", _pod("trailstream_config_hash", OTHER): "8x90"},
        silent={_pod("trailstream_config_hash"): "7x90", _pod("trailstream_config_hash", OTHER): "8x50 7x40"},
        minutes=70,
    ),
    "TrailstreamFreshnessBurnsFast": Case(_ages("0+100x90", "0+50x90"), _ages("0+100x90", "0+95x90"), 70),
    "TrailstreamFreshnessBurnsSlowly": Case(_ages("0+100x500", "0+90x500"), _ages("0+100x500", "0+97x500"), 400),
    "TrailstreamProcessingBurnsFast": Case(_processing("0+100x90", "0+50x90"), _processing("0+100x90", "0+95x90"), 70),
    "TrailstreamProcessingBurnsSlowly": Case(
        _processing("0+100x500", "0+90x500"), _processing("0+100x500", "0+97x500"), 400
    ),
    "TrailstreamDeliveryBurnsFast": Case(_deliveries("0+95x90", "0+5x90"), _deliveries("0+999x90", "0+1x90"), 70),
    "TrailstreamDeliveryBurnsSlowly": Case(
        _deliveries("0+98x500", "0+2x500"), _deliveries("0+999x500", "0+1x500"), 400
    ),
}
