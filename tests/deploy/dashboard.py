"""The dashboard, as rows of panels; `python -m tests.deploy.dashboard` writes deploy/grafana/trailstream.json.

Schema: https://grafana.com/docs/grafana/latest/dashboards/build-dashboards/view-dashboard-json-model/.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

FILE: Final = Path(__file__).parents[2] / "deploy/grafana/trailstream.json"
_SOURCE: Final = {"type": "prometheus", "uid": "${datasource}"}
_ALL: Final = 'namespace=~"$namespace"'
_POD: Final = f'{_ALL},pod=~"$pod"'
_CHANNEL: Final = f'{_ALL},channel=~"$channel"'
_WIDTH: Final = 24
_HEIGHT: Final = 7


@dataclass(frozen=True)
class Panel:
    """One picture.

    Attributes:
        title: of it.
        meaning: what a reader sees in it, and what would be wrong.
        queries: legend and expression.
        unit: Grafana's name of it.
        kind: `timeseries` or `stat`.
        width: of 24.
    """

    title: str
    meaning: str
    queries: dict[str, str]
    unit: str = "short"
    kind: str = "timeseries"
    width: int = 8


def _quantiles(metric: str, labels: str, by: str = "") -> dict[str, str]:
    grouped = f"{by}, le" if by else "le"
    legend = f" {{{{{by}}}}}" if by else ""
    return {
        f"p{part}{legend}": f"histogram_quantile({part / 100:g}, sum by ({grouped}) "
        f"(rate({metric}_bucket{{{labels}}}[$__rate_interval])))"
        for part in (50, 99)
    }


def _slo(name: str, title: str, meaning: str) -> Panel:
    ratio = f"namespace:trailstream_slo_{name}:bad_ratio_rate"
    return Panel(
        title,
        meaning,
        {"last hour": f"max({ratio}1h{{{_ALL}}})", "last 6 hours": f"max({ratio}6h{{{_ALL}}})"},
        "percentunit",
    )


ROWS: Final[dict[str, list[Panel]]] = {
    "Service level objectives": [
        Panel(
            "Last log file",
            "Age of the newest log file. CloudTrail delivers every few minutes: an hour is an intrusion or a fault.",
            {"age": f"time() - max(trailstream_last_log_file_timestamp_seconds{{{_ALL}}} > 0)"},
            "s",
            "stat",
            6,
        ),
        Panel(
            "Unaccounted for",
            "Messages that were received and are neither settled nor in hand. Anything but zero is a fault of ours.",
            {"messages": f"sum(pod:trailstream_messages_unaccounted:sum{{{_ALL}}})"},
            "short",
            "stat",
            6,
        ),
        Panel(
            "Dead letters",
            "Messages that were tried as often as may be: what they say was not told.",
            {"messages": f"max(trailstream_dead_letter_messages{{{_ALL}}})"},
            "short",
            "stat",
            6,
        ),
        Panel(
            "Silent sources",
            "Accounts and regions whose log files no longer come.",
            {"silent": f"max(trailstream_sources_silent{{{_ALL}}})"},
            "short",
            "stat",
            6,
        ),
        _slo(
            "freshness", "Received late", "Messages received more than a minute after they were sent; 1 % is allowed."
        ),
        _slo(
            "processing",
            "Accepted late",
            "Alerts accepted more than 30 s after their message's receipt; 1 % is allowed.",
        ),
        _slo("delivery", "Not delivered", "Deliveries that ended without acceptance; 0.1 % is allowed."),
    ],
    "Flow": [
        Panel(
            "Messages",
            "Received, and what became of them. Failed ones come again.",
            {
                "received": f"sum(rate(trailstream_messages_received_total{{{_ALL}}}[$__rate_interval]))",
                "{{outcome}}": "sum by (outcome) "
                f"(rate(trailstream_messages_settled_total{{{_ALL}}}[$__rate_interval]))",
            },
            "ops",
        ),
        Panel(
            "Queue",
            "Messages in the queue, as SQS estimates them. Visible ones that grow: too few replicas, or nobody reads.",
            {"{{state}}": f"max by (state) (trailstream_queue_messages{{{_ALL}}})"},
        ),
        Panel(
            "Age of messages",
            "From sent to received. CloudTrail's own minutes are before that.",
            _quantiles("trailstream_message_age_seconds", _ALL),
            "s",
        ),
        Panel(
            "Log files",
            "By what became of them; failed ones have a reason.",
            {
                "{{outcome}} {{reason}}": "sum by (outcome, reason) "
                f"(rate(trailstream_log_files_total{{{_ALL}}}[$__rate_interval])) > 0"
            },
            "ops",
        ),
        Panel(
            "From receipt to acknowledgement",
            "How long a message is in hand.",
            _quantiles("trailstream_notification_to_ack_seconds", _ALL),
            "s",
        ),
        Panel(
            "Receiving paused",
            "1 while too many alerts wait for a channel.",
            {"{{pod}}": f"max by (pod) (trailstream_intake_paused{{{_POD}}})"},
        ),
    ],
    "Work": [
        Panel(
            "JSON inflated",
            "Bytes a second, of all replicas.",
            {"inflated": f"sum(rate(trailstream_log_file_bytes_total{{{_ALL}}}[$__rate_interval]))"},
            "Bps",
        ),
        Panel(
            "Records",
            "Seen a second; almost none is parsed.",
            {"records": f"sum(rate(trailstream_records_total{{{_ALL}}}[$__rate_interval]))"},
            "ops",
        ),
        Panel(
            "Time for a log file",
            "By stage: fetching, decoding, judging.",
            _quantiles("trailstream_log_file_duration_seconds", _ALL, "stage"),
            "s",
        ),
        Panel(
            "Records that matched",
            "By rule, in the last hour.",
            {"{{rule}}": f"sum by (rule) (increase(trailstream_records_matched_total{{{_ALL}}}[1h])) > 0"},
        ),
        Panel(
            "Errors",
            "Everything that went wrong, by stage and reason; each has its log line.",
            {
                "{{stage}} {{reason}}": "sum by (stage, reason) "
                f"(increase(trailstream_errors_total{{{_ALL}}}[$__rate_interval])) > 0"
            },
        ),
        Panel(
            "Requests to AWS",
            "By service and code.",
            {
                "{{service}} {{code}}": "sum by (service, code) "
                f"(rate(trailstream_aws_requests_total{{{_ALL}}}[$__rate_interval]))"
            },
            "ops",
        ),
    ],
    "People": [
        Panel(
            "Alerts",
            "Raised in an hour, by severity.",
            {"{{severity}}": f"sum by (severity) (increase(trailstream_alerts_total{{{_ALL}}}[1h])) > 0"},
        ),
        Panel(
            "Kept back",
            "Suppressed by a filter, routed nowhere, or told together with others, in an hour.",
            {
                "suppressed": f"sum(increase(trailstream_alerts_suppressed_total{{{_ALL}}}[1h]))",
                "unrouted": f"sum(increase(trailstream_alerts_unrouted_total{{{_ALL}}}[1h]))",
                "together": f"sum(increase(trailstream_alerts_grouped_total{{{_CHANNEL}}}[1h]))",
            },
        ),
        Panel(
            "From receipt to acceptance",
            "Trailstream's own part of the way to people.",
            _quantiles("trailstream_alert_processing_seconds", _CHANNEL, "channel"),
            "s",
        ),
        Panel(
            "From the event to acceptance",
            "With CloudTrail's own minutes.",
            _quantiles("trailstream_alert_latency_seconds", _CHANNEL, "channel"),
            "s",
        ),
        Panel(
            "Deliveries",
            "Finished ones, by channel and outcome.",
            {
                "{{channel}} {{outcome}}": "sum by (channel, outcome) "
                f"(increase(trailstream_deliveries_total{{{_CHANNEL}}}[$__rate_interval])) > 0"
            },
        ),
        Panel(
            "Attempts that failed",
            "By channel and reason.",
            {
                "{{channel}} {{reason}}": "sum by (channel, reason) (rate(trailstream_delivery_attempts_total"
                f'{{{_CHANNEL},outcome!="accepted"}}[$__rate_interval])) > 0'
            },
            "ops",
        ),
        Panel(
            "Waiting",
            "Alerts that wait for a channel.",
            {"{{channel}}": f"sum by (channel) (trailstream_deliveries_pending{{{_CHANNEL}}})"},
        ),
        Panel(
            "Oldest that waits",
            "Its age, by channel.",
            {"{{channel}}": f"max by (channel) (trailstream_oldest_pending_delivery_seconds{{{_CHANNEL}}})"},
            "s",
        ),
        Panel(
            "Out of order",
            "1 while a channel is only probed.",
            {"{{channel}}": f"max by (channel) (trailstream_circuit_breaker_open{{{_CHANNEL}}})"},
        ),
    ],
    "Resources": [
        Panel(
            "Memory",
            "Resident; the limit is 256 MiB.",
            {"{{pod}}": f"max by (pod) (process_resident_memory_bytes{{{_POD}}} and on (pod) trailstream_config_hash)"},
            "bytes",
            width=6,
        ),
        Panel(
            "CPU",
            "Cores in use.",
            {
                "{{pod}}": f"max by (pod) (rate(process_cpu_seconds_total{{{_POD}}}[$__rate_interval]) "
                "and on (pod) trailstream_config_hash)"
            },
            "short",
            width=6,
        ),
        Panel(
            "Event loop",
            "Its longest delay between two scrapes.",
            {"{{pod}}": f"max by (pod) (trailstream_event_loop_lag_seconds{{{_POD}}})"},
            "s",
            width=6,
        ),
        Panel(
            "Versions and configurations",
            "More than one of either for long: a rollout is stuck.",
            {
                "versions": f"count(count by (version) (trailstream_build_info{{{_ALL}}}))",
                "configurations": f'count(count_values("config", trailstream_config_hash{{{_ALL}}}))',
            },
            width=6,
        ),
    ],
}


def _variable(name: str, query: str) -> dict[str, Any]:
    return {
        "name": name,
        "label": name.capitalize(),
        "type": "query",
        "datasource": _SOURCE,
        "query": {"query": query, "refId": name},
        "definition": query,
        "refresh": 2,
        "sort": 1,
        "multi": True,
        "includeAll": True,
        "allValue": ".*",
        "current": {"text": "All", "value": "$__all"},
    }


def _panel(panel: Panel, number: int, x: int, y: int) -> dict[str, Any]:
    made: dict[str, Any] = {
        "id": number,
        "type": panel.kind,
        "title": panel.title,
        "description": panel.meaning,
        "datasource": _SOURCE,
        "gridPos": {"h": _HEIGHT, "w": panel.width, "x": x, "y": y},
        "fieldConfig": {"defaults": {"unit": panel.unit, "min": 0}, "overrides": []},
        "targets": [
            {"refId": chr(ord("A") + at), "datasource": _SOURCE, "expr": expression, "legendFormat": legend}
            for at, (legend, expression) in enumerate(panel.queries.items())
        ],
    }
    if panel.kind == "stat":
        made["options"] = {"reduceOptions": {"calcs": ["lastNotNull"]}, "colorMode": "value", "graphMode": "area"}
    else:
        made["options"] = {"legend": {"displayMode": "list", "placement": "bottom"}, "tooltip": {"mode": "multi"}}
    return made


def dashboard() -> dict[str, Any]:
    """The whole of it."""
    panels: list[dict[str, Any]] = []
    y = 0
    for title, row in ROWS.items():
        grid = {"h": 1, "w": _WIDTH, "x": 0, "y": y}
        panels.append(
            {"id": len(panels) + 1, "type": "row", "title": title, "collapsed": False, "gridPos": grid, "panels": []}
        )
        y, x = y + 1, 0
        for panel in row:
            if x + panel.width > _WIDTH:
                x, y = 0, y + _HEIGHT
            panels.append(_panel(panel, len(panels) + 1, x, y))
            x += panel.width
        y += _HEIGHT
    source = {"name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus"}
    return {
        "uid": "trailstream",
        "title": "Trailstream",
        "description": "Alerts when somebody changes an AWS account's audit trail.",
        "tags": ["trailstream", "cloudtrail", "security"],
        "schemaVersion": 39,
        "editable": True,
        "graphTooltip": 1,
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "templating": {
            "list": [
                source,
                _variable("namespace", "label_values(trailstream_config_hash, namespace)"),
                _variable("pod", 'label_values(trailstream_config_hash{namespace=~"$namespace"}, pod)'),
                _variable("channel", 'label_values(trailstream_deliveries_pending{namespace=~"$namespace"}, channel)'),
            ]
        },
        "panels": panels,
    }


if __name__ == "__main__":
    FILE.write_text(json.dumps(dashboard(), indent=2) + "\n")
