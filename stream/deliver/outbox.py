"""Everything on its way to one channel: alerts go in, and each comes out with one outcome, counted once.

Grouping, retries, rate, deadline, circuit breaker and de-duplication meet here. One task decides what may go and when;
each request is a task of its own. What another channel does is of no consequence here.
"""

import asyncio
import math
from collections.abc import Awaitable, Callable, Hashable
from itertools import takewhile
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

from stream.alert import Alert
from stream.deliver.backoff import Backoff
from stream.deliver.breaker import CircuitBreaker
from stream.deliver.channel import Accepted, Answer, Channel, Down, PeopleChannel, Rejected, Retry
from stream.deliver.clock import Alarm, Clock
from stream.deliver.delivery import Delivery, Outcome, Pending, WaitingLine
from stream.deliver.grouping import LATE, Grouping
from stream.deliver.instruments import Instruments
from stream.deliver.rate import TokenBucket
from stream.errors import ConfigError
from stream.ledger import Ledger
from stream.metrics import Metrics

if TYPE_CHECKING:
    from stream.tracing.spans import Tracing

_HELD_S: Final = 2.0  # until a claim that another replica holds is looked at again
_ASKED_AT_ONCE: Final = 20  # requests to the ledger for the alerts of one group
_MOST_TOGETHER: Final = 2000
_OF_SECRETS: Final = ("unauthorized", "forbidden", "not_found", "gone")  # the last two where the URL is the secret
_HURRIED_S: Final = 1.0  # that one waits for company at the end: a storm then must not become a message an alert

T = TypeVar("T")


class Watch(Protocol):
    """Is told when a channel goes out of order, and when it is back."""

    def began(self, channel: str, reason: str) -> None:
        """The channel's circuit breaker has opened."""

    def ended(self, channel: str) -> None:
        """The channel answers well again."""


class Outbox:
    """The deliveries of one channel.

    Args:
        channel: where they go.
        ledger: knows what has gone there before.
        metrics: where all of it is counted.
        clock: tells the time.
        backoff: how long one delivery waits between its requests.
        breaker: leaves the channel alone while it is out of order.
        max_event_age_s: people are told of what happened earlier in digests; see `Grouping`.
        watch: is told of outages.
        tracing: makes a span of each request.
    """

    def __init__(
        self,
        channel: Channel,
        ledger: Ledger,
        metrics: Metrics,
        clock: Clock,
        *,
        backoff: Backoff | None = None,
        breaker: CircuitBreaker | None = None,
        max_event_age_s: float = 0.0,
        watch: Watch | None = None,
        tracing: "Tracing | None" = None,
    ) -> None:
        self.channel = channel
        self._ledger = ledger
        self._clock = clock
        self._backoff = backoff or Backoff()
        self._breaker = breaker or CircuitBreaker()
        self._bucket = TokenBucket(channel.settings.rate, channel.burst)
        self._deadline_s = channel.settings.deadline
        self._instruments = Instruments(channel.name, metrics, clock)
        self._watch = watch
        self._tracing = tracing
        self._grouping: Grouping | None = None
        if isinstance(channel, PeopleChannel):
            channel.template_failed = self._instruments.template_failed
            self._grouping = Grouping(max_event_age_s)
        self._alarm = Alarm(clock)
        self._pending: dict[str, Pending] = {}  # by alert id; deadlines are alike, so the first one is due first
        self._gathering: dict[Hashable, Delivery] = {}  # those that others may still join
        self._line = WaitingLine()
        self._requests: set[asyncio.Task[None]] = set()
        self._in_flight = 0
        self._arrivals = 0
        self._hurried = False
        self._closed = False
        metrics.declare_channel(
            channel.name,
            pending=lambda: len(self._pending),
            oldest=self._oldest_age_s,
            open_=lambda: float(self._breaker.state != "closed"),
        )

    def __repr__(self) -> str:
        return (
            f"<Outbox {self.channel.name}: {len(self._pending)} pending, {self._in_flight} in flight, {self._breaker}>"
        )

    @property
    def last_failure(self) -> tuple[str, float] | None:
        """The reason of the last answer that was no acceptance, and when it came in Unix time."""
        return self._instruments.last_failure

    @property
    def gathered(self) -> int:
        """Alerts that wait for others to be told together with."""
        return sum(len(delivery.pending) for delivery in self._gathering.values())

    async def deliver(self, alert: Alert, received_at: float) -> Outcome:
        """Have an alert sent; return once its outcome is known.

        Callers with the same alert share its way. A caller that is cancelled has no part in it any more; when none is
        left, the alert is withdrawn, unless a request is under way.
        """
        if alert.id not in self._pending and await self._ledger.sent(self.channel.name, alert.id):
            self._instruments.duplicate()
            return "duplicate"
        if self._closed:  # perhaps while the ledger was asked
            return "withdrawn"
        pending = self._pending.get(alert.id) or self._submit(alert, received_at)
        pending.callers += 1
        try:
            return await asyncio.shield(pending.done)
        finally:
            pending.callers -= 1
            if pending.callers == 0 and pending.delivery.waiting:
                self._finish(pending, "withdrawn")

    async def run(self, tasks: asyncio.TaskGroup) -> None:
        """Send what may be sent, for ever; each request becomes a task of the group."""
        try:
            while True:
                now = self._clock.now()
                self._expire(now)
                while (delivery := self._next(now)) is not None:
                    request = tasks.create_task(self._attempt(delivery))
                    self._requests.add(request)
                    request.add_done_callback(self._requests.discard)
                await self._alarm.wait_until(self._next_change(now))
        finally:
            self._alarm.stop()

    def flush(self, *, for_good: bool = False) -> None:
        """Let what is gathered go as soon as it may, and wait for no others.

        Args:
            for_good: from now on nothing waits for longer than a moment.
        """
        self._hurried = self._hurried or for_good
        for delivery in list(self._gathering.values()):
            self._let_go(delivery)

    def close(self) -> None:
        """Cut requests short and let go of every caller: whatever is pending is withdrawn.

        The claim of a request that was cut short is left to lapse, since nobody knows whether it was accepted.
        """
        self._closed = True
        for request in self._requests:
            request.cancel()
        for pending in list(self._pending.values()):
            self._finish(pending, "withdrawn")

    # What goes with what

    def _submit(self, alert: Alert, received_at: float) -> Pending:
        now = self._clock.now()
        self._line.compact(len(self._pending))
        together = self._grouping and self._grouping.gather(alert, now, self._clock.unix())
        key, until = together or (None, now)
        until = min(until, now + (_HURRIED_S if self._hurried else self._deadline_s / 2))
        delivery = self._gathering.get(key)
        joins = delivery is not None
        if delivery is None:
            delivery = self._new_delivery(key)
        pending = Pending(alert, received_at, now, now + self._deadline_s, delivery)
        self._pending[alert.id] = delivery.pending[alert.id] = pending
        if not joins:
            self._line.add(delivery, until)
        if len(delivery.pending) >= _MOST_TOGETHER:
            self._let_go(delivery)
        self._alarm.ring()
        return pending

    def _new_delivery(self, key: Hashable | None = None) -> Delivery:
        self._arrivals += 1
        delivery = Delivery(self._arrivals, key, late=key is LATE)
        if key is not None:
            self._gathering[key] = delivery
        return delivery

    def _let_go(self, delivery: Delivery) -> None:
        """Have a delivery that others may join go now."""
        self._close_to_others(delivery)
        self._line.add(delivery, self._clock.now())
        self._alarm.ring()

    def _close_to_others(self, delivery: Delivery) -> None:
        if delivery.key is not None and self._gathering.get(delivery.key) is delivery:
            del self._gathering[delivery.key]

    # What may go, and when

    def _next(self, now: float) -> Delivery | None:
        if self._in_flight >= self.channel.concurrency:
            return None
        if max(self._breaker.ready_at(), self._bucket.ready_at()) > now:
            return None
        delivery = self._line.pop(now, least_tried=self._breaker.state == "open")
        if delivery is not None:
            self._close_to_others(delivery)
            delivery.probe = self._breaker.enter()
            self._bucket.take(now)
            delivery.in_flight = True
            self._in_flight += 1
        return delivery

    def _next_change(self, now: float) -> float:
        """The moment at which, if nobody rings before, there is something to do."""
        change = next((each.deadline for each in self._pending.values() if each.delivery.waiting), math.inf)
        due = self._line.next_at(now)
        if due is not None and self._in_flight < self.channel.concurrency:
            change = min(change, max(due, self._breaker.ready_at(), self._bucket.ready_at()))
        return change

    def _expire(self, now: float) -> None:
        overdue = takewhile(lambda pending: pending.deadline <= now, self._pending.values())
        for pending in [each for each in overdue if each.delivery.waiting]:
            self._finish(pending, "expired", "deadline")

    # One request

    async def _attempt(self, delivery: Delivery) -> None:
        try:
            if await self._claim(delivery):
                await self._judge(delivery, await self._send(delivery))
            elif delivery.probe:
                self._breaker.abandon()
        finally:
            delivery.in_flight = False
            self._in_flight -= 1
            self._alarm.ring()

    async def _claim(self, delivery: Delivery) -> bool:
        """Claim every alert of a delivery; those that can't be had leave it. Whether any are left."""
        everything = list(delivery.pending.values())
        held: list[Pending] = []
        for pending, claim in zip(everything, await self._for_each(delivery, self._ledger.claim), strict=True):
            if claim == "sent":
                self._finish(pending, "duplicate")
            elif claim == "held":
                held.append(pending)
        if held:
            self._set_apart(held, delivery)
        return bool(delivery.pending)

    def _set_apart(self, held: list[Pending], delivery: Delivery) -> None:
        """What another replica is sending at this moment is looked at again a little later."""
        apart = self._new_delivery()
        apart.late, apart.attempts, apart.minimal = delivery.late, delivery.attempts, delivery.minimal
        for pending in held:
            if delivery.pending.pop(pending.alert.id, None) is not None:
                pending.delivery = apart
                apart.pending[pending.alert.id] = pending
        self._put_back(apart, self._clock.now() + _HELD_S)

    async def _send(self, delivery: Delivery) -> Answer:
        delivery.attempts += 1
        began = self._clock.now()
        answer: Answer
        try:
            answer = await self._request(delivery)
        except Exception as error:  # noqa: BLE001 - a fault in a channel costs this alert, not the others; it is logged
            self._instruments.stumbled(delivery, error)
            answer = Rejected("other")  # so that the minimal payload is tried: it is simpler to make
        self._instruments.answered(answer, self._clock.now() - began)
        return answer

    async def _request(self, delivery: Delivery) -> Answer:
        if self._tracing is None:
            return await self._tell(delivery)
        alerts = [pending.alert for pending in delivery.pending.values()]
        with self._tracing.delivering(alerts, self.channel.name, delivery.attempts) as answers:
            answers.append(await self._tell(delivery))
        return answers[0]

    async def _tell(self, delivery: Delivery) -> Answer:
        if isinstance(self.channel, PeopleChannel):
            return await self.channel.tell(delivery.alert, delivery.group, minimal=delivery.minimal)
        return await self.channel.send(delivery.alert, minimal=delivery.minimal)

    async def _judge(self, delivery: Delivery, answer: Answer) -> None:
        if isinstance(answer, Accepted):
            self._succeeded()
            await self._for_each(delivery, self._ledger.accepted)
            self._instruments.told(delivery)
            self._finish_all(delivery, "accepted")
            return
        await self._for_each(delivery, self._ledger.release)
        now = self._clock.now()
        if isinstance(answer, Rejected):
            self._succeeded()  # it answers, after all
            self._rejected(delivery, answer, now)
        elif isinstance(answer, Retry) and answer.partial:
            self._succeeded()  # it is one of several who can't be told for now; the others must not wait for that
            self._put_back(delivery, now + self._backoff.delay_s(delivery.attempts, answer.after_s))
        else:
            delay_s = self._failed(delivery, answer, now)
            if isinstance(answer, Down) and answer.reason in _OF_SECRETS:
                await self._refresh()
            # While the breaker is open it alone decides when to try again.
            self._put_back(delivery, now + delay_s if self._breaker.state == "closed" else now)

    def _rejected(self, delivery: Delivery, answer: Rejected, now: float) -> None:
        if delivery.minimal:
            self._finish_all(delivery, "rejected", answer.reason)
        else:
            delivery.minimal = True
            self._instruments.refused(delivery, answer)
            self._put_back(delivery, now)

    def _failed(self, delivery: Delivery, answer: Retry | Down, now: float) -> float:
        """Tell the breaker of a failure; return the seconds that this alert has to wait."""
        delay_s, was_closed = 0.0, self._breaker.state == "closed"
        if isinstance(answer, Retry):
            if not self._breaker.failing:
                self._instruments.fails(answer)
            if answer.after_s:
                self._bucket.pause(now + answer.after_s)
            self._breaker.fail(now, answer.after_s)
            delay_s = self._backoff.delay_s(delivery.attempts, answer.after_s)
        else:
            self._breaker.trip(now)
        if was_closed and self._breaker.state == "open":
            self._instruments.opened(answer, len(self._pending))
            if self._watch is not None:
                self._watch.began(self.channel.name, answer.reason)
        return delay_s

    def _succeeded(self) -> None:
        if self._breaker.failing:
            self._instruments.recovered(len(self._pending))
            if self._watch is not None:
                self._watch.ended(self.channel.name)
        self._breaker.succeed()

    async def _refresh(self) -> None:
        before = self.channel.settings
        try:
            await self.channel.refresh()
        except ConfigError as error:
            self._instruments.not_refreshed(error)
        if self.channel.settings != before:
            self._instruments.refreshed()
            self._breaker.probe_now(self._clock.now())

    async def _for_each(self, delivery: Delivery, ask: Callable[[str, str], Awaitable[T]]) -> list[T]:
        """Ask the ledger something about every alert of a delivery."""
        name, ids = self.channel.name, list(delivery.pending)
        if len(ids) == 1:
            return [await ask(name, ids[0])]
        answers: list[T] = []
        for begin in range(0, len(ids), _ASKED_AT_ONCE):
            part = ids[begin : begin + _ASKED_AT_ONCE]
            answers += await asyncio.gather(*(ask(name, alert_id) for alert_id in part))
        return answers

    # The end of a delivery, or of its turn

    def _put_back(self, delivery: Delivery, not_before: float) -> None:
        delivery.in_flight = False
        for pending in [each for each in delivery.pending.values() if each.callers == 0]:
            self._finish(pending, "withdrawn")
        if delivery.pending:
            self._line.add(delivery, not_before)

    def _finish_all(self, delivery: Delivery, outcome: Outcome, reason: str = "") -> None:
        for pending in list(delivery.pending.values()):
            self._finish(pending, outcome, reason)

    def _finish(self, pending: Pending, outcome: Outcome, reason: str = "") -> None:
        if pending.done.done():
            return
        pending.done.set_result(outcome)
        del self._pending[pending.alert.id]
        delivery = pending.delivery
        delivery.pending.pop(pending.alert.id, None)
        if not delivery.pending:
            self._close_to_others(delivery)
        self._instruments.finished(pending, outcome, reason)

    def _oldest_age_s(self) -> float:
        oldest = next(iter(self._pending.values()), None)
        return 0.0 if oldest is None else self._clock.now() - oldest.submitted_at
