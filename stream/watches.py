"""What watches beside the work, each if the settings want it: for silence, forged digests, the canary, our own life."""

import time
from functools import partial
from typing import TYPE_CHECKING

from stream.accounts.book import AccountBook
from stream.aws import Aws
from stream.canary.call import call
from stream.canary.mark import Heard
from stream.canary.watch import Canary
from stream.deliver.clock import SystemClock
from stream.deliver.dispatcher import Dispatcher
from stream.deliver.notices import tell
from stream.heartbeat import Heartbeat
from stream.intake.queue import Queue
from stream.ledger import Ledger
from stream.ledger.dynamodb import DynamoLedger
from stream.metrics import Metrics
from stream.notice import PACK
from stream.server import READY_S
from stream.settings import Settings
from stream.sources.hearing import Hearing
from stream.sources.watch import Watch
from stream.status.snapshot import Status

if TYPE_CHECKING:
    from stream.digest.watching import DigestWatch


def silence_watch(
    hearing: Hearing,
    settings: Settings,
    metrics: Metrics,
    dispatcher: Dispatcher,
    ledger: Ledger,
    accounts: AccountBook,
) -> Watch | None:
    """The watch for silence, if it is wanted."""
    shared = isinstance(ledger, DynamoLedger)
    if PACK not in settings.packs or not (shared if settings.silence is None else settings.silence):
        return None
    return Watch(
        hearing,
        lambda notice: tell(notice, dispatcher, metrics),
        metrics,
        clock=SystemClock(),
        notes=ledger if isinstance(ledger, DynamoLedger) else None,
        account_name=accounts.name,
        by_source=settings.source_metrics,
    )


def digest_watch(
    settings: Settings, aws: Aws, metrics: Metrics, ledger: Ledger, accounts: AccountBook, hearing: Hearing
) -> "DigestWatch | None":
    """What looks at digests, if that is wanted."""
    if not settings.digest or PACK not in settings.packs:
        return None
    from stream.digest.announced import Announcements
    from stream.digest.watching import DigestWatch  # cryptography takes six megabytes

    notes = ledger if isinstance(ledger, DynamoLedger) else None
    # Of several replicas that share nothing, each hears of a part only. SILENCE says that there is one.
    told = notes is not None or settings.silence is True
    return DigestWatch(
        aws,
        metrics,
        account_name=accounts.name,
        notes=notes,
        announcements=Announcements(notes, behind=hearing.behind) if told else None,
    )


def canary_watch(
    heard: Heard | None, hearing: Hearing, aws: Aws, metrics: Metrics, dispatcher: Dispatcher, ledger: Ledger
) -> Canary | None:
    """The calls that have to come back in a log file, if they are wanted."""
    if heard is None:
        return None
    return Canary(
        partial(call, aws),
        heard,
        hearing.settled,
        lambda notice: tell(notice, dispatcher, metrics),
        metrics,
        clock=SystemClock(),
        notes=ledger if isinstance(ledger, DynamoLedger) else None,
    )


def heartbeat_of(settings: Settings, metrics: Metrics, status: Status, queue: Queue) -> Heartbeat | None:
    """The calls that say that all is well, if they are wanted."""
    if settings.heartbeat_url is None:
        return None

    def wrong() -> set[str]:
        return status.wrong() | ({"queue"} if time.monotonic() - queue.last_success > READY_S else set())

    return Heartbeat(lambda: Settings().heartbeat_url, wrong, metrics, clock=SystemClock())
