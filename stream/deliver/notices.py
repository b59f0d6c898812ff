"""Brings what Trailstream tells of itself to the channels, as any other alert: routed, remembered, counted."""

import time

import structlog

from stream.deliver.dispatcher import DeliveryFailed, Dispatcher
from stream.metrics import Metrics
from stream.notice import Notice

log = structlog.get_logger()


async def tell(notice: Notice, dispatcher: Dispatcher, metrics: Metrics) -> bool:
    """Deliver a notice that belongs to no message; whether every channel that it is routed to has it, now or earlier.

    It may take as long as a channel's deadline. Whoever calls must remember what is not told, and try again later.
    """
    alert = notice.alert()
    metrics.alerts.labels(alert.rule.id, alert.severity).inc()
    log.info("notice", alert_id=alert.id, severity=alert.severity, rule=alert.rule.id, event_name=alert.event.name)
    try:
        await dispatcher.deliver(alert, time.monotonic())
    except DeliveryFailed as error:
        for channel, outcome in error.failures:
            log.error("notice not delivered", alert_id=alert.id, channel=channel, reason=outcome)
        return False
    return True
