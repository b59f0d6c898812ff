"""What is seen of a channel from outside: its metrics, and one log line for each change of its state."""

from pathlib import PurePath
from traceback import extract_tb

import structlog

from stream.deliver.channel import Answer, Down, Rejected, Retry
from stream.deliver.clock import Clock
from stream.deliver.delivery import Delivery, Outcome, Pending
from stream.deliver.grouping import unix_time
from stream.metrics import ATTEMPT_REASONS, DELIVERY_OUTCOMES, Metrics


class Instruments:
    """Counts and tells what happens to the deliveries of one channel.

    Args:
        channel: the channel's name.
        metrics: where it is counted.
        clock: tells the time.
    """

    def __init__(self, channel: str, metrics: Metrics, clock: Clock) -> None:
        self._channel = channel
        self._metrics = metrics
        self._clock = clock
        self._log = structlog.get_logger(channel=channel)
        # Looking up a metric by its labels costs as much as counting.
        self._duration = metrics.delivery_duration.labels(channel)
        self._attempts = {
            (outcome, reason): metrics.delivery_attempts.labels(channel, outcome, reason)
            for outcome, reasons in ATTEMPT_REASONS.items()
            for reason in reasons
        }
        self._deliveries = {outcome: metrics.deliveries.labels(channel, outcome) for outcome in DELIVERY_OUTCOMES}
        self._last_success = metrics.channel_last_success.labels(channel)
        self._processing = metrics.alert_processing.labels(channel)
        self._latency = metrics.alert_latency.labels(channel)
        self.last_failure: tuple[str, float] | None = None
        """The reason of the last answer that was no acceptance, and when it came in Unix time."""

    def answered(self, answer: Answer, seconds: float) -> None:
        """One request has been made, and took that long."""
        self._duration.observe(seconds)
        known = self._attempts.get((answer.outcome, answer.reason))
        (known or self._metrics.delivery_attempts.labels(self._channel, answer.outcome, answer.reason)).inc()
        if answer.outcome != "accepted":
            self.last_failure = answer.reason, self._clock.unix()

    def stumbled(self, delivery: Delivery, error: Exception) -> None:
        """The channel's own code has failed; no message, for it may hold an address that is a secret."""
        frame = extract_tb(error.__traceback__)[-1]
        self._log.error(
            "channel has a fault",
            alert_id=delivery.alert.id,
            error=type(error).__name__,
            at=f"{PurePath(frame.filename).name}:{frame.lineno}",
        )

    def refused(self, delivery: Delivery, answer: Rejected) -> None:
        """The whole alert was rejected; what is left to try is the minimal payload."""
        self._metrics.errors.labels("deliver", "minimal_payload").inc()
        self._log.warning(
            "alert refused, its minimal payload is tried", alert_id=delivery.alert.id, reason=answer.reason
        )

    def template_failed(self, error: str) -> None:
        """A template of the user's could not be used, and ours was."""
        self._metrics.errors.labels("deliver", "template").inc()
        self._log.warning("template failed, the default is used", error=error)

    def fails(self, answer: Retry) -> None:
        """The first failure since the channel last answered well."""
        self._log.warning("channel fails", reason=answer.reason)

    def opened(self, answer: Retry | Down, waiting: int) -> None:
        """The circuit breaker has opened."""
        self._log.warning("circuit breaker opened", reason=answer.reason, waiting=waiting)

    def recovered(self, waiting: int) -> None:
        """The channel answers well again."""
        self._log.info("channel recovered", waiting=waiting)

    def refreshed(self) -> None:
        """A secret was read again and is another one now."""
        self._log.info("secrets have changed")

    def not_refreshed(self, error: Exception) -> None:
        """Secrets could not be read again."""
        self._log.warning("secrets can't be read again", reason=str(error))

    def duplicate(self) -> None:
        """An alert was asked for that the channel had accepted before."""
        self._deliveries["duplicate"].inc()

    def told(self, delivery: Delivery) -> None:
        """A delivery was accepted; its alerts are still in it."""
        if (group := delivery.group) is not None:
            self._metrics.alerts_grouped.inc(group.count)
            self._log.info(
                "alerts told together", alerts=group.count, late=group.late, first=group.first, last=group.last
            )

    def finished(self, pending: Pending, outcome: Outcome, reason: str) -> None:
        """An alert's way has come to its end; of one that was withdrawn it has not: it comes again."""
        if outcome == "withdrawn":
            return
        self._deliveries[outcome].inc()
        if outcome == "accepted":
            self._timed(pending)
            self._log.debug("alert delivered", alert_id=pending.alert.id, attempts=pending.delivery.attempts)
        elif outcome != "duplicate":
            self._metrics.errors.labels("deliver", outcome).inc()
            self._log.error(
                "delivery given up",
                alert_id=pending.alert.id,
                outcome=outcome,
                reason=reason,
                attempts=pending.delivery.attempts,
            )

    def _timed(self, pending: Pending) -> None:
        unix, event = self._clock.unix(), pending.alert.event
        self._last_success.set(unix)
        processing_s = max(self._clock.now() - pending.received_at, 0.0)
        self._processing.observe(processing_s)
        happened = unix_time(event.time)
        if happened is not None:
            # prometheus_client raises on an exemplar of more than 128 characters, and later, in every scrape, on one
            # that isn't UTF-8. A real event's id is a UUID of 36.
            fit = len(event.id) <= 100 and event.id.isascii() and event.id.isprintable()
            exemplar = {"event_id": event.id} if fit else None
            self._latency.observe(max(unix - happened, 0.0), exemplar)
