"""Takes each alert to every channel it is routed to, and says when all of them have it.

Every channel has an outbox of its own, so one that is out of order holds its own alerts and nobody else's.
"""

import asyncio
from collections.abc import Iterable
from typing import Self

import structlog

from stream.alert import Alert
from stream.deliver.channel import Channel
from stream.deliver.clock import Clock, SystemClock
from stream.deliver.delivery import Outcome
from stream.deliver.outbox import Outbox
from stream.errors import TrailstreamError
from stream.ledger import Ledger
from stream.metrics import Metrics
from stream.severity import SEVERITIES, Severity

log = structlog.get_logger()


class DeliveryFailed(TrailstreamError):
    """An alert that not every channel has accepted.

    Attributes:
        alert_id: which alert.
        failures: for each channel that has not, its name and how the delivery ended: `rejected`, `expired`, or
            `withdrawn` when the dispatcher was closed.
    """

    def __init__(self, alert_id: str, failures: tuple[tuple[str, Outcome], ...]) -> None:
        ended = ", ".join(f"{channel}: {outcome}" for channel, outcome in failures)
        super().__init__(f"alert {alert_id} was not delivered ({ended})")
        self.alert_id = alert_id
        self.failures = failures


class Dispatcher:
    """Owns the channels and their outboxes; to be entered with `async with`, which closes both at its end.

    Args:
        channels: those that are on.
        ledger: what was sent before.
        metrics: where deliveries are counted.
        min_severity: mildest severity delivered, unless a channel's own settings say otherwise.
        max_pending_alerts: alerts in delivery at which `room` makes its callers wait.
        clock: tells the time.
    """

    def __init__(
        self,
        channels: Iterable[Channel],
        ledger: Ledger,
        metrics: Metrics,
        *,
        min_severity: Severity,
        max_pending_alerts: int,
        clock: Clock | None = None,
    ) -> None:
        clock = clock or SystemClock()
        self._outboxes = [Outbox(channel, ledger, metrics, clock) for channel in channels]
        self._min_severity = min_severity
        self._max_pending = max_pending_alerts
        self._metrics = metrics
        # Calls, not different alerts: the same one announced a thousand times is held a thousand times.
        self._waiting = 0
        self._has_room = asyncio.Event()
        self._has_room.set()
        self._paused = False
        self._tasks = asyncio.TaskGroup()
        self._runners: list[asyncio.Task[None]] = []

    @property
    def pending_alerts(self) -> int:
        """Calls of `deliver` that wait for at least one channel."""
        return self._waiting

    async def __aenter__(self) -> Self:
        await self._tasks.__aenter__()
        self._runners = [self._tasks.create_task(outbox.run(self._tasks)) for outbox in self._outboxes]
        return self

    async def __aexit__(self, *_: object) -> None:
        for runner in self._runners:
            runner.cancel()
        for outbox in self._outboxes:
            outbox.close()
        try:
            # The group isn't told how the body ended: an error of the body goes on its way by itself, not wrapped into
            # an ExceptionGroup. One of the group's own is raised here.
            await self._tasks.__aexit__(None, None, None)
        finally:
            for outbox in self._outboxes:
                await outbox.channel.aclose()

    async def deliver(self, alert: Alert, received_at: float) -> None:
        """Return when every channel that the alert is routed to has accepted it, now or earlier.

        Args:
            alert: what to tell.
            received_at: when its message was received, on the scale of `time.monotonic()`.

        Raises:
            DeliveryFailed: a channel has rejected it, or its deadline has passed. All the others have had their turn.
        """
        outboxes = [outbox for outbox in self._outboxes if self._is_routed(alert, outbox.channel)]
        if not outboxes:
            return
        self._arrive()
        try:
            async with asyncio.TaskGroup() as tasks:
                outcomes = [tasks.create_task(outbox.deliver(alert, received_at)) for outbox in outboxes]
        finally:
            self._leave()
        failures = tuple(
            (outbox.channel.name, task.result())
            for outbox, task in zip(outboxes, outcomes, strict=True)
            if task.result() not in ("accepted", "duplicate")
        )
        if failures:
            raise DeliveryFailed(alert.id, failures)

    async def room(self) -> None:
        """Wait while as many alerts as allowed, or more, wait for a channel."""
        while not self._has_room.is_set():
            if not self._paused:
                self._paused = True
                self._metrics.intake_paused.set(1)
                log.warning("intake paused", pending_alerts=self._waiting, limit=self._max_pending)
            await self._has_room.wait()

    def _is_routed(self, alert: Alert, channel: Channel) -> bool:
        mildest = channel.settings.min_severity or self._min_severity
        return SEVERITIES.index(alert.severity) >= SEVERITIES.index(mildest)

    def _arrive(self) -> None:
        self._waiting += 1
        if self._waiting >= self._max_pending:
            self._has_room.clear()

    def _leave(self) -> None:
        self._waiting -= 1
        if self._waiting < self._max_pending:
            self._has_room.set()
            if self._paused:
                self._paused = False
                self._metrics.intake_paused.set(0)
                log.info("intake resumed", pending_alerts=self._waiting)
