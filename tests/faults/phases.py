"""What goes wrong, and for how long: a schedule drawn from a seed."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

from tests.faults.aws import Fault

Mood = Literal["well", "errors", "throttles", "hangs", "closes", "redirects", "shouts", "unauthorized"]
"""How a channel's service behaves."""

BATCHES: Final = ("DeleteMessageBatch", "ChangeMessageVisibilityBatch")
LEDGER: Final = ("GetItem", "PutItem", "UpdateItem", "DeleteItem")


@dataclass(frozen=True, slots=True)
class Phase:
    """One kind of trouble."""

    name: str
    faults: tuple[Fault, ...] = ()
    mood: Mood = "well"


PHASES: Final = (
    Phase("all is well"),
    Phase("SQS is slow", (Fault(("ReceiveMessage", *BATCHES), "slow", 0.5, seconds=1.5),)),
    Phase("SQS throttles", (Fault(("ReceiveMessage", *BATCHES), "error", 0.6, 403, "RequestThrottled"),)),
    Phase("SQS fails", (Fault(("ReceiveMessage", *BATCHES), "error", 0.6, 500, "InternalError"),)),
    Phase("SQS's answers are lost", (Fault(("ReceiveMessage", *BATCHES), "lost", 0.4),)),
    Phase("batches fail in part", (Fault(BATCHES, "partial", 0.8, code="InternalError"),)),
    Phase("handles die", (Fault(BATCHES, "partial", 0.5, code="ReceiptHandleIsInvalid"),)),
    Phase("S3 is unavailable", (Fault(("GetObject",), "error", 0.7, 503, "SlowDown"),)),
    Phase("S3 fails", (Fault(("GetObject",), "error", 0.7, 500, "InternalError"),)),
    Phase("a key is being repaired", (Fault(("GetObject",), "error", 0.8, 403, "AccessDenied"),)),
    Phase("objects are not there yet", (Fault(("GetObject",), "error", 0.5, 404, "NoSuchKey"),)),
    Phase("connections are cut", (Fault(("*",), "refused", 0.2), Fault(("GetObject",), "cut", 0.6))),
    Phase("bodies stall", (Fault(("GetObject",), "stalled", 0.4),)),
    Phase("lengths are wrong", (Fault(("GetObject",), "short", 0.5),)),
    Phase("credentials have expired", (Fault(("*",), "error", 0.5, 400, "ExpiredToken"),)),
    Phase("DynamoDB throttles", (Fault(LEDGER, "error", 0.7, 400, "ProvisionedThroughputExceededException"),)),
    Phase("DynamoDB is gone", (Fault(LEDGER, "refused"),)),
    Phase("DynamoDB's answers are lost", (Fault(LEDGER, "lost", 0.5),)),
    Phase("nothing of AWS answers", (Fault(("*",), "refused"),)),
    Phase("a channel fails", mood="errors"),
    Phase("a channel throttles", mood="throttles"),
    Phase("a channel hangs", mood="hangs"),
    Phase("a channel closes connections", mood="closes"),
    Phase("a channel redirects", mood="redirects"),
    Phase("a channel sends ten megabytes", mood="shouts"),
    Phase("a channel's token is revoked", mood="unauthorized"),
)


def schedule(rng: random.Random) -> Iterator[Phase]:
    """Every phase once in some order, and so on for ever."""
    while True:
        yield from rng.sample(PHASES, len(PHASES))
