"""The metrics keep Prometheus' conventions, and every child is there before anything has happened."""

import re
import shutil
import subprocess

import pytest
from prometheus_client.exposition import generate_latest

from stream.errors import LOG_FILE_REASONS
from stream.metrics import ATTEMPT_REASONS, ERRORS, Metrics

DESIGN = re.findall(
    r"\w+",
    """
messages_received_total messages_settled_total messages_in_flight message_age_seconds message_receives
notifications_total log_files_total log_file_compressed_bytes_total log_file_bytes_total log_file_duration_seconds
records_total records_matched_total alerts_total alerts_suppressed_total alert_latency_seconds alert_processing_seconds
deliveries_total delivery_attempts_total delivery_duration_seconds deliveries_pending oldest_pending_delivery_seconds
circuit_breaker_open channel_last_success_timestamp_seconds intake_paused visibility_extensions_total
aws_requests_total queue_messages dead_letter_messages notification_to_ack_seconds errors_total
event_loop_lag_seconds rules_loaded config_hash build_info
""",
)


def metrics() -> Metrics:
    made = Metrics()
    made.declare_rules([("rule-1", "ct-013")])
    made.declare_channel("webhook", pending=lambda: 1, oldest=lambda: 2, open_=lambda: 0)
    return made


def test_every_name_of_the_contract_is_exported_and_described() -> None:
    text = generate_latest(metrics().registry).decode()

    for name in DESIGN:
        assert f"# HELP trailstream_{name} " in text, name


def test_children_exist_before_anything_has_happened() -> None:
    text = generate_latest(metrics().registry).decode()

    for outcome in ("acknowledged", "failed", "released", "expired"):
        assert f'trailstream_messages_settled_total{{outcome="{outcome}"}} 0.0' in text
    for fault in LOG_FILE_REASONS:
        assert f'trailstream_log_files_total{{outcome="failed",reason="{fault}"}} 0.0' in text
    for stage, reasons in ERRORS.items():
        for reason in reasons:
            assert f'trailstream_errors_total{{reason="{reason}",stage="{stage}"}} 0.0' in text
    for outcome, reasons in ATTEMPT_REASONS.items():
        for reason in reasons:
            child = f'channel="webhook",outcome="{outcome}",reason="{reason}"'
            assert f"trailstream_delivery_attempts_total{{{child}}} 0.0" in text
    assert 'trailstream_alerts_total{rule="rule-1",severity="critical"} 0.0' in text
    assert 'trailstream_rules_loaded{pack="ct-013"} 1.0' in text
    assert 'trailstream_deliveries_pending{channel="webhook"} 1.0' in text


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not here: Debian's package prometheus has it")
def test_promtool_has_nothing_to_say() -> None:
    text = generate_latest(metrics().registry)
    ours = b"\n".join(line for line in text.splitlines() if re.match(rb"(# \w+ )?trailstream_", line)) + b"\n"
    told = subprocess.run(["promtool", "check", "metrics"], input=ours, capture_output=True, check=False)

    assert (told.returncode, told.stdout + told.stderr) == (0, b"")
