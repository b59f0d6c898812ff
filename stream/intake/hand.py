"""What is in hand: every message received and not yet settled, and the two counters that must always add up.

received = settled + in flight holds at every moment, because each change to one of the three is one synchronous step.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Final, Literal, get_args

import structlog

from stream.intake.sqs import Received
from stream.metrics import Metrics

log = structlog.get_logger()

Outcome = Literal["acknowledged", "failed", "released", "expired"]

_MOST_SETTLING: Final = 1000
"""Messages done with but not yet settled at which receiving waits: SQS takes deletes as quickly as it hands out."""


def _no_slot() -> None:
    """For a message that takes up no work slot."""


@dataclass(frozen=True, slots=True)
class Message:
    """A message to process.

    Attributes:
        receive_count: how often SQS had handed it out by the time that work on it began.
        sent_at: Unix time, if SQS said.
        received_at: as `time.monotonic()` has it.
        quiet: it is of history, and no people are to be told of what is found.
        replayed: `trailstream replay` wrote it: how the log file was announced at the time, it does not tell.
    """

    id: str
    body: str = field(repr=False)  # up to 1 MiB, and anybody's text
    receive_count: int
    sent_at: float | None
    received_at: float
    quiet: bool = False
    replayed: bool = False
    give_back_slot: Callable[[], None] = field(default=_no_slot, repr=False, compare=False)

    def waiting(self) -> None:
        """The work is done but for deliveries: let another message have the work slot (idempotent)."""
        self.give_back_slot()


class Stage(Enum):
    """Where a message in hand stands."""

    WORKING = auto()
    DELETING = auto()  # processed; SQS has not yet confirmed that it is deleted
    RETURNING = auto()  # failed or released; SQS has not yet confirmed when it comes back


@dataclass(slots=True, eq=False)
class Held:
    """A message in hand.

    Attributes:
        handle: the newest receipt handle.
        receive_count: at the newest receipt.
        received_at: monotonic time of the newest receipt; SQS's 12 hours run from there.
        hidden_at: monotonic time at which SQS last (re)started its visibility timeout,
        hidden_s: and how long that was.
        returns_after_s: while RETURNING: the visibility timeout to set.
        returns_as: while RETURNING: how it settles.
        task: its work, once that has begun.
        cancelled: its work was told to end; that is not the message's fault.
        extending: a request that extends its visibility is under way.
        handle_dead: it can't be extended any more.
        deleted: SQS confirmed a delete, though with an older handle.
        failures: requests to settle it that failed.
    """

    message: Message
    handle: str
    receive_count: int
    received_at: float
    hidden_at: float
    hidden_s: float
    stage: Stage = Stage.WORKING
    returns_after_s: int = 0
    returns_as: Literal["failed", "released"] = "released"
    task: asyncio.Task[None] | None = None
    cancelled: bool = False
    extending: bool = False
    handle_dead: bool = False
    deleted: bool = False
    failures: int = 0
    settled: bool = False

    @property
    def extendable(self) -> bool:
        """Whether its visibility is to be extended when the time comes."""
        idle = not (self.settled or self.extending or self.handle_dead)
        return idle and self.stage is not Stage.RETURNING

    def cancel(self) -> None:
        """End its work, now or as soon as it would begin."""
        self.cancelled = True
        if self.task is not None:
            self.task.cancel()


class Hand:
    """All messages in hand, by message id.

    Attributes:
        visibility_timeout_s: how long SQS hides a message that it hands out.
        empty: set while there is none.
        uncongested: set while few enough wait to be settled for more to be received.
    """

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._held: dict[str, Held] = {}
        self._settling = 0
        self.visibility_timeout_s = 30
        self.empty = asyncio.Event()
        self.empty.set()
        self.uncongested = asyncio.Event()
        self.uncongested.set()
        metrics.messages_in_flight.set_function(self.__len__)
        # Looking up a metric by its labels costs as much as counting.
        self._settled = {outcome: metrics.messages_settled.labels(outcome) for outcome in get_args(Outcome)}

    def __len__(self) -> int:
        return len(self._held)

    def all(self) -> list[Held]:
        """Everything in hand, at this moment."""
        return list(self._held.values())

    def join(self, received: Received) -> Held | None:
        """Let a redelivery of a message still in hand join it; `None` if there is nothing to join.

        The newest handle is the one that counts for SQS, so the older receipt has expired. What was to be given back
        has come back by itself: it is settled, and the redelivery is a message like any other.
        """
        held = self._held.get(received.id)
        if held is not None and held.stage is Stage.RETURNING:
            self.settle(held, held.returns_as)
            held = None
        if held is None:
            return None
        self._count(received)
        self._settled["expired"].inc()
        held.handle = received.handle
        held.receive_count = received.receive_count
        held.received_at = held.hidden_at = time.monotonic()
        held.hidden_s = self.visibility_timeout_s
        held.handle_dead = False
        log.warning("message redelivered while in hand", message_id=received.id, receive_count=received.receive_count)
        return held

    def take(self, received: Received, give_back_slot: Callable[[], None] = _no_slot) -> Held:
        """Take a message into the hand."""
        now = time.monotonic()
        message = Message(
            received.id,
            received.body,
            received.receive_count,
            received.sent_at,
            now,
            quiet=received.quiet,
            replayed=received.replayed,
            give_back_slot=give_back_slot,
        )
        held = Held(
            message,
            received.handle,
            received.receive_count,
            received_at=now,
            hidden_at=now,
            hidden_s=self.visibility_timeout_s,
        )
        self._count(received)
        self._held[received.id] = held
        self.empty.clear()
        return held

    def begin_to_settle(self, held: Held, stage: Stage) -> None:
        """The work on it is over."""
        if held.stage is Stage.WORKING:
            self._settling += 1
            if self._settling >= _MOST_SETTLING:
                self.uncongested.clear()
        held.stage = stage

    def settle(self, held: Held, outcome: Outcome) -> None:
        """Let go of it; the first outcome is the one that counts."""
        if held.settled:
            return
        held.settled = True
        del self._held[held.message.id]
        self._settled[outcome].inc()
        if held.stage is not Stage.WORKING:
            self._settling -= 1
            if self._settling < _MOST_SETTLING:
                self.uncongested.set()
        if not self._held:
            self.empty.set()

    def _count(self, received: Received) -> None:
        self._metrics.messages_received.inc()
        self._metrics.message_receives.observe(received.receive_count)
        if received.sent_at is not None:
            self._metrics.message_age.observe(max(0.0, time.time() - received.sent_at))
