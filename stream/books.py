"""What the pipeline does, as counts and log lines: an event in; out, its metric with a bounded reason and its line."""

import time
from dataclasses import dataclass, field

import structlog

from stream.alert import Alert, LogFile
from stream.decode import LogDecoder
from stream.detect.context import LogFileContext
from stream.detect.detector import account_mismatch
from stream.detect.suppressions import Suppression
from stream.errors import LogFileError, PoisonMessage
from stream.intake.notification import Notification, ObjectRef
from stream.intake.queue import Message
from stream.metrics import ENVELOPES, Metrics
from stream.notice import is_notice

log = structlog.get_logger()


@dataclass(slots=True)
class Reading:
    """One log file while it is read, and where the time went.

    Attributes:
        misplaced: whether a record is of another account than the key says.
        error: why it could not be read to its end.
        alerts: that came of it.
        began: as `time.perf_counter()` has it; of the time since then, `decode_s` and `detect_s` were spent so.
    """

    log_file: LogFile
    decoder: LogDecoder
    context: LogFileContext
    misplaced: bool = False
    error: LogFileError | None = None
    alerts: int = 0
    began: float = field(default_factory=time.perf_counter)
    decode_s: float = 0.0
    detect_s: float = 0.0


class Books:
    """Keeps them."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        # Looking up a metric by its labels costs as much as counting.
        self._envelopes = {envelope: metrics.notifications.labels(envelope) for envelope in ENVELOPES}
        self._read_well = metrics.log_files.labels("read", "ok")
        self._stages = tuple(metrics.log_file_duration.labels(stage) for stage in ("fetch", "decode", "detect"))

    def count(self, stage: str, reason: str) -> None:
        """Count something that went wrong."""
        self._metrics.errors.labels(stage, reason).inc()

    def poison(self, error: PoisonMessage, message: Message) -> None:
        """A message is none that is known."""
        self._envelopes["poison"].inc()
        self.count("notification", "poison")
        log.error("poison message", message_id=message.id, receives=message.receive_count, cause=str(error))

    def opened(self, notification: Notification, message: Message, *, digests: bool) -> None:
        """A message says this; what is none of our business is skipped, digests too unless they are looked at."""
        self._envelopes[notification.envelope].inc()
        for bucket, key, reason in notification.skipped:
            if reason == "digest" and digests:
                continue
            self._metrics.log_files.labels("skipped", reason).inc()
            log.debug("object skipped", bucket=bucket, key=key, message_id=message.id, reason=reason)

    def read(self, unix_time: float) -> None:
        """A log file was read to its end."""
        self._read_well.inc()
        self._metrics.last_log_file.set(unix_time)

    def measured(self, reading: Reading, message: Message) -> None:
        """A log file was read, well or not: its sizes, times, and the records that were passed over."""
        metrics, decoder = self._metrics, reading.decoder
        metrics.log_file_compressed_bytes.inc(decoder.compressed_bytes)
        metrics.log_file_bytes.inc(decoder.json_bytes)
        metrics.records.inc(decoder.records)
        spent_s = time.perf_counter() - reading.began - reading.decode_s - reading.detect_s
        for stage, seconds in zip(self._stages, (spent_s, reading.decode_s, reading.detect_s), strict=True):
            stage.observe(seconds)
        where = {"bucket": reading.log_file.bucket, "key": reading.log_file.key, "message_id": message.id}
        reading.misplaced = reading.misplaced or account_mismatch(decoder.first_record(), reading.log_file)
        if reading.misplaced:
            self.count("record", "account_mismatch")
            log.warning("records are of another account than their key says", reason="account_mismatch", **where)
        for reason, records in (("unreadable", decoder.unreadable), ("not_an_object", decoder.not_objects)):
            if records:
                metrics.errors.labels("record", reason).inc(records)
                log.warning("records passed over", reason=reason, records=records, **where)

    def told(self, alert: Alert, message: Message) -> None:
        """An alert was raised."""
        if not is_notice(alert):
            self._metrics.records_matched.labels(alert.rule.id).inc()
        self._metrics.alerts.labels(alert.rule.id, alert.severity).inc()
        log_file = alert.log_file
        log.info(
            "change found",
            alert_id=alert.id,
            severity=alert.severity,
            outcome=alert.event.outcome,
            event_name=alert.event.name,
            event_id=alert.event.id,
            account_id=alert.event.account_id,
            region=alert.event.region,
            bucket=log_file.bucket if log_file else None,
            key=log_file.key if log_file else None,
            message_id=message.id,
        )

    def suppressed(self, alert: Alert, suppression: Suppression, message: Message) -> None:
        """A filter keeps an alert from being delivered."""
        self._metrics.alerts_suppressed.labels(suppression.id).inc()
        log_file = alert.log_file
        log.info(
            "alert suppressed",
            filter=suppression.id,
            until=suppression.ends,
            alert_id=alert.id,
            bucket=log_file.bucket if log_file else None,
            key=log_file.key if log_file else None,
            message_id=message.id,
        )

    def failed(self, error: LogFileError, ref: ObjectRef, message: Message) -> None:
        """A log file could not be read to its end."""
        self._metrics.log_files.labels("failed", error.reason).inc()
        self.count("log_file", error.reason)
        log.error(
            "log file failed",
            bucket=ref.bucket,
            key=ref.key,
            version_id=ref.version_id,
            message_id=message.id,
            receives=message.receive_count,
            reason=error.reason,
            cause=error.detail,
        )

    def unexpected(self, error: Exception, message: Message, log_file: LogFile | None) -> None:
        """Something that nobody has foreseen."""
        self.count("process", "unexpected")
        log.error(
            "message failed unexpectedly",
            bucket=log_file.bucket if log_file else None,
            key=log_file.key if log_file else None,
            message_id=message.id,
            reason="unexpected",
            exc_info=error,
        )
