"""Everything on its way to one channel: alerts go in, and each comes out with one outcome, counted once.

Retries, rate, deadline, circuit breaker and de-duplication meet here. One task decides what may go and when; each
request is a task of its own. What another channel does is of no consequence here.
"""

import asyncio
import math
from typing import Final

from stream.alert import Alert
from stream.deliver.backoff import Backoff
from stream.deliver.breaker import CircuitBreaker
from stream.deliver.channel import Accepted, Answer, Channel, Down, PeopleChannel, Rejected, Retry
from stream.deliver.clock import Alarm, Clock
from stream.deliver.delivery import Delivery, Outcome, WaitingLine
from stream.deliver.instruments import Instruments
from stream.deliver.rate import TokenBucket
from stream.errors import ConfigError
from stream.ledger import Ledger
from stream.metrics import Metrics

_HELD_S: Final = 2.0  # until a claim that another replica holds is looked at again


class Outbox:
    """The deliveries of one channel.

    Args:
        channel: where they go.
        ledger: knows what has gone there before.
        metrics: where all of it is counted.
        clock: tells the time.
        backoff: how long one alert waits between its requests.
        breaker: leaves the channel alone while it is out of order.
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
    ) -> None:
        self.channel = channel
        self._ledger = ledger
        self._clock = clock
        self._backoff = backoff or Backoff()
        self._breaker = breaker or CircuitBreaker()
        self._bucket = TokenBucket(channel.settings.rate, channel.burst)
        self._deadline_s = channel.settings.deadline
        self._instruments = Instruments(channel.name, metrics, clock)
        if isinstance(channel, PeopleChannel):
            channel.template_failed = self._instruments.template_failed
        self._alarm = Alarm(clock)
        self._pending: dict[str, Delivery] = {}  # by alert id; deadlines are alike, so the first one is due first
        self._line = WaitingLine()
        self._requests: set[asyncio.Task[None]] = set()
        self._in_flight = 0
        self._arrivals = 0
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

    async def deliver(self, alert: Alert, received_at: float) -> Outcome:
        """Have an alert sent; return once its outcome is known.

        Callers with the same alert share one delivery. A caller that is cancelled has no part in it any more; when
        none is left, the delivery is withdrawn, unless a request is under way.
        """
        if alert.id not in self._pending and await self._ledger.sent(self.channel.name, alert.id):
            self._instruments.duplicate()
            return "duplicate"
        if self._closed:  # perhaps while the ledger was asked
            return "withdrawn"
        delivery = self._pending.get(alert.id) or self._submit(alert, received_at)
        delivery.callers += 1
        try:
            return await asyncio.shield(delivery.done)
        finally:
            delivery.callers -= 1
            if delivery.callers == 0 and delivery.waiting:
                self._finish(delivery, "withdrawn")

    async def run(self, tasks: asyncio.TaskGroup) -> None:
        """Send what may be sent, for ever; each request becomes a task of the group."""
        while True:
            now = self._clock.now()
            self._expire(now)
            while (delivery := self._next(now)) is not None:
                request = tasks.create_task(self._attempt(delivery))
                self._requests.add(request)
                request.add_done_callback(self._requests.discard)
            await self._alarm.wait_until(self._next_change(now))

    def close(self) -> None:
        """Cut requests short and let go of every caller: whatever is pending is withdrawn.

        The claim of a request that was cut short is left to lapse, since nobody knows whether it was accepted.
        """
        self._closed = True
        for request in self._requests:
            request.cancel()
        for delivery in list(self._pending.values()):
            self._finish(delivery, "withdrawn")

    # What may go, and when

    def _submit(self, alert: Alert, received_at: float) -> Delivery:
        now = self._clock.now()
        self._arrivals += 1
        delivery = Delivery(alert, self._arrivals, received_at, now, now + self._deadline_s)
        self._line.compact(len(self._pending))
        self._pending[alert.id] = delivery
        self._line.add(delivery, now)
        self._alarm.ring()
        return delivery

    def _next(self, now: float) -> Delivery | None:
        if self._in_flight >= self.channel.concurrency:
            return None
        if max(self._breaker.ready_at(), self._bucket.ready_at()) > now:
            return None
        delivery = self._line.pop(now, least_tried=self._breaker.state == "open")
        if delivery is not None:
            self._breaker.enter()
            self._bucket.take(now)
            delivery.in_flight = True
            self._in_flight += 1
        return delivery

    def _next_change(self, now: float) -> float:
        """The moment at which, if nobody rings before, there is something to do."""
        change = next((each.deadline for each in self._pending.values() if each.waiting), math.inf)
        due = self._line.next_at(now)
        if due is not None and self._in_flight < self.channel.concurrency:
            change = min(change, max(due, self._breaker.ready_at(), self._bucket.ready_at()))
        return change

    def _expire(self, now: float) -> None:
        for delivery in list(self._pending.values()):
            if delivery.deadline > now:
                break
            if delivery.waiting:
                self._finish(delivery, "expired", "deadline")

    # One request

    async def _attempt(self, delivery: Delivery) -> None:
        name, alert_id = self.channel.name, delivery.alert.id
        try:
            claim = await self._ledger.claim(name, alert_id)
            if claim == "granted":
                await self._judge(delivery, await self._send(delivery))
                return
            self._breaker.abandon()
            if claim == "sent":
                self._finish(delivery, "duplicate")
            else:
                self._put_back(delivery, self._clock.now() + _HELD_S)
        finally:
            delivery.in_flight = False
            self._in_flight -= 1
            self._alarm.ring()

    async def _send(self, delivery: Delivery) -> Answer:
        delivery.attempts += 1
        began = self._clock.now()
        answer: Answer
        try:
            answer = await self.channel.send(delivery.alert, minimal=delivery.minimal)
        except Exception as error:  # noqa: BLE001 - a fault in a channel costs this alert, not the others; it is logged
            self._instruments.stumbled(delivery, error)
            answer = Rejected("other")  # so that the minimal payload is tried: it is simpler to make
        self._instruments.answered(answer, self._clock.now() - began)
        return answer

    async def _judge(self, delivery: Delivery, answer: Answer) -> None:
        name, alert_id = self.channel.name, delivery.alert.id
        if isinstance(answer, Accepted):
            self._succeeded()
            await self._ledger.accepted(name, alert_id)
            self._finish(delivery, "accepted")
            return
        await self._ledger.release(name, alert_id)
        now = self._clock.now()
        if isinstance(answer, Rejected):
            self._succeeded()  # it answers, after all
            self._rejected(delivery, answer, now)
        else:
            delay_s = self._failed(delivery, answer, now)
            if isinstance(answer, Down) and answer.reason in ("unauthorized", "forbidden"):
                await self._refresh()
            # While the breaker is open it alone decides when to try again.
            self._put_back(delivery, now + delay_s if self._breaker.state == "closed" else now)

    def _rejected(self, delivery: Delivery, answer: Rejected, now: float) -> None:
        if delivery.minimal:
            self._finish(delivery, "rejected", answer.reason)
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
        return delay_s

    def _succeeded(self) -> None:
        if self._breaker.failing:
            self._instruments.recovered(len(self._pending))
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

    # The end of a delivery, or of its turn

    def _put_back(self, delivery: Delivery, not_before: float) -> None:
        delivery.in_flight = False
        if delivery.callers == 0:
            self._finish(delivery, "withdrawn")
        elif not delivery.done.done():
            self._line.add(delivery, not_before)

    def _finish(self, delivery: Delivery, outcome: Outcome, reason: str = "") -> None:
        if not delivery.done.done():
            delivery.done.set_result(outcome)
            del self._pending[delivery.alert.id]
            self._instruments.finished(delivery, outcome, reason)

    def _oldest_age_s(self) -> float:
        oldest = next(iter(self._pending.values()), None)
        return 0.0 if oldest is None else self._clock.now() - oldest.submitted_at
