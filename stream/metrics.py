"""Every metric that Trailstream exports, declared once; `/metrics` is nothing but this.

Base units, bounded labels, and every label child present from the start, so that `rate()` and `absent()` mean what
they say on the first scrape.
"""

import platform
from collections.abc import Callable, Iterable
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, disable_created_metrics
from prometheus_client.gc_collector import GCCollector
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

from stream import __version__
from stream.cgroup import memory_limit_bytes
from stream.errors import LOG_FILE_REASONS
from stream.notice import KINDS
from stream.settings import SEVERITIES

ENVELOPES: Final = (
    "s3",
    "sns_s3",
    "eventbridge",
    "sns_eventbridge",
    "cloudtrail_sns",
    "inline",
    "test",
    "unrelated",
    "poison",
)
"""Shapes of a queue message; see `stream.intake.notification`."""

SKIP_REASONS: Final = (
    "digest",
    "insight",
    "aggregated",
    "other_service",
    "not_a_log_file",
    "not_created",
)
"""Why an announced object is none of our business."""

SETTLEMENTS: Final = ("acknowledged", "failed", "released", "expired")
DELIVERY_OUTCOMES: Final = ("accepted", "duplicate", "rejected", "expired")
ATTEMPT_REASONS: Final = {
    "accepted": ("ok",),
    "retry": ("timeout", "connection", "throttled", "server_error", "other"),
    "rejected": ("bad_request", "too_large", "payload", "other"),
    "down": ("unauthorized", "forbidden", "not_found", "gone", "redirect", "tls", "other"),
}
"""For each outcome of an attempt, the reasons that a channel may give."""

ERRORS: Final = {
    "receive": ("throttled", "no_queue", "forbidden", "connection", "other"),
    "settle": ("throttled", "no_queue", "forbidden", "connection", "handle_expired", "other"),
    "notification": ("poison", "inline_disabled"),
    "log_file": LOG_FILE_REASONS,
    "record": ("unreadable", "not_an_object", "account_mismatch"),
    "deliver": ("rejected", "expired", "minimal_payload", "template"),
    "accounts": ("forbidden", "throttled", "connection", "unreadable", "other"),
    "ledger": (
        "throttled",
        "no_table",
        "bad_key",
        "forbidden",
        "connection",
        "server_error",
        "other",
        "forgotten",
        "note",
    ),
    "rules": ("refused", "reload"),
    "process": ("unexpected",),
    "context": ("timeout", "unexpected"),
    "geoip": ("unreadable", "damaged"),
    "canary": ("connection", "refused"),
    "heartbeat": ("timeout", "connection", "tls", "refused"),
    "digest": ("unannounced", "unchecked"),
}
"""For each stage, the reasons that `errors_total` counts."""

# OpenMetrics' creation times: a series beside each counter that nothing of ours needs.
disable_created_metrics()  # type: ignore[no-untyped-call]  # it has no annotations

_SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
_MINUTES: Final = (1, 5, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400)
_PREFIX: Final = "trailstream"


class Metrics:
    """One process's metrics, in a registry of their own (so that tests may have several)."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)
        GCCollector(registry=registry)

        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(f"{_PREFIX}_{name}", text, labels, registry=registry)

        def gauge(name: str, text: str, *labels: str) -> Gauge:
            return Gauge(f"{_PREFIX}_{name}", text, labels, registry=registry)

        def histogram(name: str, text: str, buckets: Iterable[float], *labels: str) -> Histogram:
            return Histogram(f"{_PREFIX}_{name}", text, labels, buckets=tuple(buckets), registry=registry)

        # Messages
        self.messages_received = counter("messages_received_total", "Messages received from the queue.")
        self.messages_settled = counter(
            "messages_settled_total", "Messages settled, each once: received = settled + in flight.", "outcome"
        )
        self.messages_in_flight = gauge("messages_in_flight", "Messages received and not yet settled.")
        self.message_age = histogram("message_age_seconds", "From sent to received.", _MINUTES)
        self.message_receives = histogram(
            "message_receives", "How often SQS had handed out the messages received.", (1, 2, 3, 5, 10, 20)
        )
        self.notifications = counter("notifications_total", "Messages by the shape of their body.", "envelope")
        self.notification_to_ack = histogram(
            "notification_to_ack_seconds", "From received to deleted from the queue.", _SECONDS
        )
        self.visibility_extensions = counter(
            "visibility_extensions_total", "Extensions of a message's visibility timeout.", "outcome"
        )
        self.intake_paused = gauge("intake_paused", "1 while too many alerts wait for receiving to go on.")
        self.queue_messages = gauge("queue_messages", "Messages in the queue, as SQS estimates them.", "state")
        self.dead_letter_messages = gauge(
            "dead_letter_messages", "Messages in the dead-letter queue, as SQS estimates them."
        )

        # Log files and records
        self.log_files = counter("log_files_total", "Log files announced, by what became of them.", "outcome", "reason")
        self.last_log_file = gauge(
            "last_log_file_timestamp_seconds", "When a log file was last read to its end, in Unix time; 0: never."
        )
        self.log_file_compressed_bytes = counter("log_file_compressed_bytes_total", "Bytes of log files read.")
        self.log_file_bytes = counter("log_file_bytes_total", "Bytes of JSON inflated from them.")
        self.log_file_duration = histogram(
            "log_file_duration_seconds", "Time spent on one log file.", _SECONDS, "stage"
        )
        self.records = counter("records_total", "Records seen in log files and inline events.")
        self.records_matched = counter("records_matched_total", "Records that a rule matched.", "rule")

        # The trail watched
        self.sources_tracked = gauge(
            "sources_tracked", "Regions of accounts whose log files were seen; NaN: another replica watches them."
        )
        self.sources_silent = gauge(
            "sources_silent", "Those that have fallen silent; 1 if nothing at all arrives. NaN: as above."
        )
        self.oldest_source_age = gauge(
            "oldest_source_age_seconds",
            "Since the last log file of the source that has had none for longest and is not yet silent.",
        )
        self.source_age = gauge(
            "source_age_seconds",
            "Since the last log file of a source (TRAILSTREAM_SOURCE_METRICS).",
            "account",
            "region",
        )

        # Alerts and deliveries
        self.alerts = counter("alerts_total", "Alerts raised.", "rule", "severity")
        self.alerts_suppressed = counter(
            "alerts_suppressed_total", "Alerts that a filter kept from being delivered.", "filter"
        )
        self.alerts_unrouted = counter(
            "alerts_unrouted_total", "Alerts that went to no channel, by the routes and the channels' own settings."
        )
        self.alerts_grouped = counter(
            "alerts_grouped_total", "Alerts told to people together, or late, in one message."
        )
        self.alert_latency = histogram(
            "alert_latency_seconds", "From the event's own time to acceptance by the channel.", _MINUTES, "channel"
        )
        self.alert_processing = histogram(
            "alert_processing_seconds", "From the message's receipt to acceptance by the channel.", _SECONDS, "channel"
        )
        self.deliveries = counter(
            "deliveries_total", "Deliveries finished: one for each alert and channel.", "channel", "outcome"
        )
        self.delivery_attempts = counter(
            "delivery_attempts_total", "Requests to a channel, by its answer.", "channel", "outcome", "reason"
        )
        self.delivery_duration = histogram(
            "delivery_duration_seconds", "Time that one request to a channel took.", _SECONDS, "channel"
        )
        self.deliveries_pending = gauge("deliveries_pending", "Alerts waiting for a channel.", "channel")
        self.oldest_pending_delivery = gauge(
            "oldest_pending_delivery_seconds", "Age of the alert that has waited longest for a channel.", "channel"
        )
        self.circuit_breaker_open = gauge(
            "circuit_breaker_open", "1 while a channel is taken to be out of order and only probed.", "channel"
        )
        self.channel_last_success = gauge(
            "channel_last_success_timestamp_seconds", "When a channel last accepted an alert, in Unix time.", "channel"
        )

        # The process
        self.aws_requests = counter("aws_requests_total", "Requests to AWS.", "service", "operation", "code")
        self.errors = counter("errors_total", "Everything that went wrong, each with its log line.", "stage", "reason")
        self.event_loop_lag = gauge(
            "event_loop_lag_seconds", "Longest delay of the event loop since the scrape before."
        )
        self.memory_limit = gauge(
            "memory_limit_bytes", "What the container may have of memory, by its cgroup; 0: there is no limit."
        )
        self.memory_limit.set(memory_limit_bytes())
        self.event_loop_tasks = gauge("event_loop_tasks", "Tasks of the event loop that are not done.")
        self.digests = counter(
            "digests_total", "Digest files looked at (TRAILSTREAM_DIGEST), by the outcome.", "outcome"
        )
        self.canary_last_seen = gauge(
            "canary_last_seen_timestamp_seconds",
            "When the newest call of TRAILSTREAM_CANARY was made that came back in a log file, in Unix time.",
        )
        self.canary_waiting_since = gauge(
            "canary_waiting_since_timestamp_seconds",
            "When the first call of TRAILSTREAM_CANARY was made that did not come back, nor a later one, in Unix time; "
            "0: none is awaited. NaN: the ledger is out of reach.",
        )
        self.canary_round_trip = gauge(
            "canary_round_trip_seconds", "From a call of TRAILSTREAM_CANARY until its record was read, to the minute."
        )
        self.heartbeat_last_success = gauge(
            "heartbeat_last_success_timestamp_seconds",
            "When the address of TRAILSTREAM_HEARTBEAT_URL last took a call, in Unix time.",
        )
        self.rules_loaded = gauge("rules_loaded", "Rules in force.", "pack")
        self._packs: set[str] = set()
        self.build_info = Info(f"{_PREFIX}_build", "The running version.", registry=registry)
        self.config_hash = gauge(
            "config_hash", "First 48 bits of a hash of the settings: replicas that differ are configured differently."
        )
        self._declare_children()

    def _declare_children(self) -> None:
        single: tuple[tuple[Counter | Gauge | Histogram, Iterable[str]], ...] = (
            (self.messages_settled, SETTLEMENTS),
            (self.notifications, ENVELOPES),
            (self.visibility_extensions, ("extended", "failed", "expired")),
            (self.queue_messages, ("visible", "in_flight", "delayed")),
            (self.digests, ("valid", "wrong")),
            (self.log_file_duration, ("fetch", "decode", "detect")),
        )
        for metric, values in single:
            for value in values:
                metric.labels(value)
        self.log_files.labels("read", "ok")
        for reason in SKIP_REASONS:
            self.log_files.labels("skipped", reason)
        for reason in LOG_FILE_REASONS:
            self.log_files.labels("failed", reason)
        for stage, reasons in ERRORS.items():
            for reason in reasons:
                self.errors.labels(stage, reason)
        for kind in KINDS:
            for severity in SEVERITIES:
                self.alerts.labels(kind, severity)
        self.build_info.info({"version": __version__, "python": platform.python_version()})

    def declare_rules(self, rules: Iterable[tuple[str, str]]) -> None:
        """Make the label children of these rules, which take the place of others; each is its id and its pack."""
        packs = dict.fromkeys(self._packs, 0)
        for rule, pack in rules:
            packs[pack] = packs.get(pack, 0) + 1
            self.records_matched.labels(rule)
            for severity in SEVERITIES:
                self.alerts.labels(rule, severity)
        self._packs.update(packs)
        for pack, count in packs.items():
            self.rules_loaded.labels(pack).set(count)

    def declare_filters(self, filters: Iterable[str]) -> None:
        """Make the label children of these filters, each named by what it goes by."""
        for filter_ in filters:
            self.alerts_suppressed.labels(filter_)

    def declare_channel(
        self, channel: str, *, pending: Callable[[], float], oldest: Callable[[], float], open_: Callable[[], float]
    ) -> None:
        """Make the label children of a channel, its gauges measured at each scrape by these functions."""
        for outcome in DELIVERY_OUTCOMES:
            self.deliveries.labels(channel, outcome)
        for outcome, reasons in ATTEMPT_REASONS.items():
            for reason in reasons:
                self.delivery_attempts.labels(channel, outcome, reason)
        for each in (self.alert_latency, self.alert_processing, self.delivery_duration):
            each.labels(channel)
        self.channel_last_success.labels(channel)
        self.deliveries_pending.labels(channel).set_function(pending)
        self.oldest_pending_delivery.labels(channel).set_function(oldest)
        self.circuit_breaker_open.labels(channel).set_function(open_)
