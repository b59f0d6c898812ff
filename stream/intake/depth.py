"""How deep the queue and its dead-letter queue are, as SQS estimates it."""

import math

import structlog

from stream.intake.faults import SqsError, Streak
from stream.intake.sqs import QueueAttributes, Sqs
from stream.metrics import Metrics

log = structlog.get_logger()


class Depth:
    """Sets `queue_messages` and `dead_letter_messages`; what can't be measured is NaN."""

    def __init__(self, sqs: Sqs, metrics: Metrics) -> None:
        self._sqs = sqs
        self._states = metrics.queue_messages
        self._dead_letters = metrics.dead_letter_messages
        self._streak = Streak("measuring the queue fails", "measuring the queue works again")
        self._unmeasured = False

    async def measure(self) -> QueueAttributes | None:
        """Measure both; returns the queue's attributes, or `None` if they can't be had."""
        try:
            attributes = await self._sqs.attributes()
        except SqsError as error:
            self._streak.failed(reason=error.reason, code=error.code)
            self._show(math.nan, math.nan, math.nan)
            self._dead_letters.set(math.nan)
            return None
        self._streak.ended()
        self._show(attributes.visible, attributes.in_flight, attributes.delayed)
        self._dead_letters.set(await self._measure_dead_letters(attributes.dead_letter_arn))
        return attributes

    def _show(self, visible: float, in_flight: float, delayed: float) -> None:
        self._states.labels("visible").set(visible)
        self._states.labels("in_flight").set(in_flight)
        self._states.labels("delayed").set(delayed)

    async def _measure_dead_letters(self, arn: str | None) -> float:
        if arn is None:
            return math.nan
        try:
            depth = await self._sqs.depth_of(arn)
        except SqsError as error:
            if not self._unmeasured:
                log.warning(
                    "dead-letter queue not measured",
                    reason=error.reason,
                    code=error.code,
                    allow="sqs:GetQueueUrl, sqs:GetQueueAttributes",
                    resource=arn,
                )
            self._unmeasured = True
            return math.nan
        self._unmeasured = False
        return depth
