"""Takes each alert to every channel it is routed to, and says when all of them have it.

Every channel has an outbox of its own, so one that is out of order holds its own alerts and nobody else's.
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Final, Self

import structlog

from stream.accounts.account import Account
from stream.alert import Alert
from stream.deliver.channel import Channel, PeopleChannel
from stream.deliver.clock import Clock, SystemClock
from stream.deliver.delivery import Outcome
from stream.deliver.outages import Outages
from stream.deliver.outbox import Outbox
from stream.deliver.recent import ChannelState, Recent
from stream.deliver.routes import Routes
from stream.errors import TrailstreamError
from stream.ledger import Ledger
from stream.metrics import Metrics

if TYPE_CHECKING:
    from stream.tracing.spans import Tracing

log = structlog.get_logger()


_DELIVERED: Final = ("accepted", "duplicate")
_MOMENT_S: Final = 1.0  # until it is looked again whether it is company that keeps others waiting
_MANY: Final = 1000  # alerts that wait for company: half of what one message may have on its way


def _unknown(_: str) -> Account | None:
    """Of no account anything is known."""


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
        routes: says which alert goes to which of them.
        max_pending_alerts: alerts in delivery at which `room` makes its callers wait.
        max_event_age_s: channels that people read are told of what happened earlier in digests; 0: as of the rest.
        account: what is known of an account by its id.
        recent: is told of each alert and how its deliveries ended.
        tracing: makes a span of each request.
        clock: tells the time.
    """

    def __init__(
        self,
        channels: Iterable[Channel],
        ledger: Ledger,
        metrics: Metrics,
        *,
        routes: Routes,
        max_pending_alerts: int,
        max_event_age_s: float = 0.0,
        account: Callable[[str], Account | None] = _unknown,
        recent: Recent | None = None,
        tracing: "Tracing | None" = None,
        clock: Clock | None = None,
    ) -> None:
        self._clock = clock or SystemClock()
        self._outages = Outages(self._tell_of_outage, self._clock)
        self._outboxes = {
            channel.name: Outbox(
                channel,
                ledger,
                metrics,
                self._clock,
                max_event_age_s=max_event_age_s,
                watch=self._outages,
                tracing=tracing,
            )
            for channel in channels
        }
        self.routes = routes
        self._account = account
        self._recent = recent
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
    def channels(self) -> Iterator[ChannelState]:
        """The channels as they are now."""
        for name, outbox in self._outboxes.items():
            yield ChannelState(name, *(outbox.last_failure or ()))

    @property
    def pending_alerts(self) -> int:
        """Calls of `deliver` that wait for at least one channel."""
        return self._waiting

    async def __aenter__(self) -> Self:
        await self._tasks.__aenter__()
        self._runners = [self._tasks.create_task(outbox.run(self._tasks)) for outbox in self._outboxes.values()]
        self._outages.start(self._tasks)
        return self

    async def __aexit__(self, *_: object) -> None:
        for runner in self._runners:
            runner.cancel()
        self._outages.stop()
        for outbox in self._outboxes.values():
            outbox.close()
        try:
            # The group isn't told how the body ended: an error of the body goes on its way by itself, not wrapped into
            # an ExceptionGroup. One of the group's own is raised here.
            await self._tasks.__aexit__(None, None, None)
        finally:
            for outbox in self._outboxes.values():
                await outbox.channel.aclose()

    async def deliver(self, alert: Alert, received_at: float, *, quiet: bool = False) -> None:
        """Return when every channel that the alert is routed to has accepted it, now or earlier.

        Args:
            alert: what to tell.
            received_at: when its message was received, on the scale of `time.monotonic()`.
            quiet: it is of history: no people are told.

        Raises:
            DeliveryFailed: a channel has rejected it, or its deadline has passed. All the others have had their turn.
        """
        names = self.routes.channels(alert, self._account(alert.event.account_id))
        if not names:
            self._metrics.alerts_unrouted.inc()
            log.info("alert routed nowhere", alert_id=alert.id, severity=alert.severity)
            return
        if quiet:
            names = tuple(name for name in names if not isinstance(self._outboxes[name].channel, PeopleChannel))
        self._arrive()
        if self._recent is not None:
            self._recent.found(alert, names)
        try:
            outcomes = await self._deliver_to_all(names, alert, received_at)
        finally:
            self._leave()
        failures = tuple((name, outcome) for name, outcome in outcomes.items() if outcome not in _DELIVERED)
        if failures:
            raise DeliveryFailed(alert.id, failures)

    async def room(self) -> None:
        """Wait while as many alerts as allowed, or more, wait for a channel."""
        while not self._has_room.is_set():
            if not self._paused:
                self._paused = True
                self._metrics.intake_paused.set(1)
                log.warning("intake paused", pending_alerts=self._waiting, limit=self._max_pending)
            self.flush()  # what waits only for company must not keep others from being read
            making_room = asyncio.get_running_loop().create_task(self.make_room())  # nor what comes meanwhile
            try:
                await self._has_room.wait()
            finally:
                making_room.cancel()

    async def make_room(self) -> None:
        """Let alerts go each time that many wait only for company; runs while others wait for them to be gone.

        Where they are few it is a slow channel that holds the room, and a storm must not become a message an alert.
        """
        many = min(_MANY, self._max_pending // 2)
        while True:
            await self._clock.sleep(_MOMENT_S)
            if sum(outbox.gathered for outbox in self._outboxes.values()) >= many:
                self.flush()

    def flush(self, *, for_good: bool = False) -> None:
        """Let alerts go that wait for others to be told together with; `for_good`: from now on none waits long."""
        for outbox in self._outboxes.values():
            outbox.flush(for_good=for_good)

    async def _deliver_to_all(self, names: Sequence[str], alert: Alert, received_at: float) -> dict[str, Outcome]:
        if len(names) == 1:  # as most are, and a task costs as much as the rest of this
            return {names[0]: await self._deliver_to(names[0], alert, received_at)}
        async with asyncio.TaskGroup() as tasks:
            told = {name: tasks.create_task(self._deliver_to(name, alert, received_at)) for name in names}
        return {name: task.result() for name, task in told.items()}

    async def _deliver_to(self, name: str, alert: Alert, received_at: float) -> Outcome:
        """Have one channel told, or, when it can't be, the one that it falls back to, and so on."""
        tried: set[str] = set()
        outcome: Outcome = "expired"
        fallback: str | None = name
        while fallback is not None and fallback in self._outboxes and fallback not in tried:
            tried.add(fallback)
            outbox = self._outboxes[fallback]
            outcome = await outbox.deliver(alert, received_at)
            if outcome in (*_DELIVERED, "withdrawn"):
                break
            fallback = outbox.channel.settings.fallback
            if fallback is not None:
                log.warning("falling back", alert_id=alert.id, channel=name, outcome=outcome, fallback=fallback)
        if self._recent is not None:
            self._recent.ended(alert.id, name, outcome, self._clock.now() - received_at)
        return outcome

    async def _tell_of_outage(self, notice: Alert, channel: str) -> None:
        """Bring a notice to every other channel; one that won't take it has its own counts and log lines for that."""
        others = (outbox for name, outbox in self._outboxes.items() if name != channel)
        async with asyncio.TaskGroup() as tasks:
            for outbox in others:
                tasks.create_task(outbox.deliver(notice, self._clock.now()))

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
