"""One queue message in; every alert that comes of it accepted by every channel it is routed to, or an error.

The flow, and nothing else: notification, log file, records, alerts, deliveries. What becomes of the message is decided
here: a return acknowledges it, an error hands it back to the queue.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from concurrent.futures import Executor
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import structlog

from stream.alert import Alert, LogFile
from stream.books import Books, Reading
from stream.canary.mark import Heard
from stream.decode import LogDecoder, Record
from stream.deliver.deliveries import Deliveries
from stream.deliver.dispatcher import DeliveryFailed, Dispatcher
from stream.deliver.gaps import Gaps
from stream.deliver.selections import Selections
from stream.deliver.trail_states import TrailStates
from stream.detect.context import LogFileContext
from stream.detect.detection import Detection
from stream.detect.detector import account_mismatch
from stream.detect.impact import operation_of
from stream.errors import LogFileError, PoisonMessage, TrailstreamError
from stream.faults import Place, misplaced, unread, unreadable
from stream.intake.download import WHOLE_BYTES
from stream.intake.keys import key_region
from stream.intake.notification import Notification, ObjectRef, parse
from stream.intake.objects import Objects
from stream.intake.queue import Message
from stream.ledger import Notes
from stream.metrics import Metrics
from stream.notice import PACK, Notice
from stream.settings import Settings
from stream.sources.hearing import Hearing
from stream.turn import Turn

if TYPE_CHECKING:
    from stream.digest.watching import DigestWatch
    from stream.tracing.spans import MessageTrace, Tracing

log = structlog.get_logger()

_INLINE_BYTES: Final = 2 * 1024 * 1024
# Up to so many bytes of JSON a file is decoded on the event loop, in about three milliseconds; what is larger goes on
# in a thread. It is what was inflated that counts: 256 KB of gzip may be 256 MB. And there are texts that take longer
# than their size lets one expect.
_INLINE_S: Final = 0.01

_INLINE_CONTEXT_BYTES: Final = 256 * 1024  # a millisecond on the event loop; what is larger is looked at in a thread
_INLINE_CONTEXT_S: Final = 0.003  # what took longer to decode will take longer here as well
_CONTEXT_S: Final = 2.0
"""For so long an alert may wait, when threads are scarce, to be told together with what else its principal did."""


_LARGE_AT_ONCE: Final = 16
"""Log files of many chunks that are read at once, whatever the concurrency: each costs a megabyte meanwhile."""


class MessageFailed(TrailstreamError):
    """Something that came from the message could not be read or delivered: it goes back to the queue."""


@dataclass(slots=True)
class _Work:
    """What is known of one message while it is worked on; all that it brings is held against one set of rules."""

    message: Message
    notification: Notification
    detection: Detection
    deliveries: Deliveries
    faults: list[str] = field(default_factory=list)
    done: list[Callable[[], Awaitable[None]]] = field(default_factory=list)  # to be called when all is read and told
    trace: "MessageTrace | None" = None


def _nameless(_: str) -> str | None:
    """Of no account a name is known."""


class Pipeline:
    """What every message goes through.

    Attributes:
        detection: what messages are held against that begin from now on; may be replaced at any time.

    Args:
        account_name: the name of an account by its id, if it is known.
        hearing: is told of every log file that was announced.
        canary: is shown every record that is judged.
        digests: looks at digest files that are announced; `None`: they are skipped.
        tracing: makes spans of what becomes of each message.
        look_around: brings what is known of the trails up to date; awaited before a change to one is judged.
    """

    def __init__(
        self,
        settings: Settings,
        metrics: Metrics,
        *,
        objects: Objects,
        detection: Detection,
        dispatcher: Dispatcher,
        threads: Executor,
        notes: Notes | None = None,
        look_around: Callable[[], Awaitable[None]] | None = None,
        account_name: Callable[[str], str | None] = _nameless,
        hearing: Hearing | None = None,
        canary: Heard | None = None,
        digests: "DigestWatch | None" = None,
        tracing: "Tracing | None" = None,
        unix_time: Callable[[], float] = time.time,
    ) -> None:
        self._settings = settings
        self._metrics = metrics
        self._objects = objects
        self.detection = detection
        self._dispatcher = dispatcher
        self._threads = threads
        self._unix_time = unix_time
        self._looking_around = look_around
        self._account_name = account_name
        self._hearing = hearing
        self._canary = canary
        self._digests = digests
        self._tracing = tracing
        self._tells_of_itself = PACK in settings.packs
        self._told_of_inline = False
        self._books = Books(metrics)
        self._large = asyncio.Semaphore(_LARGE_AT_ONCE)
        self._turn = Turn()
        # Of what trails were like before; replicas share a ledger.
        self._memories = (Gaps(alone=settings.ledger == "memory", notes=notes), Selections(notes), TrailStates(notes))

    async def process(self, message: Message) -> None:
        """Do all that one message asks for. Returning acknowledges it.

        Raises:
            PoisonMessage: the body is none of those known.
            MessageFailed: a log file could not be read to its end, or an alert was rejected or expired. Everything
                else in the message was done all the same.
        """
        if self._tracing is None:
            await self._process(message, None)
            return
        trace, failure = self._tracing.message(message), "interrupted"
        try:
            await self._process(message, trace)
            failure = ""
        except (PoisonMessage, MessageFailed) as error:
            failure = "poison" if isinstance(error, PoisonMessage) else str(error)
            raise
        finally:
            trace.ended(failure)

    async def _process(self, message: Message, trace: "MessageTrace | None") -> None:
        if self._hearing is not None:
            self._hearing.received(message)
        notification = self._open(message)
        async with Deliveries(self._dispatcher.make_room) as deliveries:
            work = _Work(message, notification, self.detection, deliveries, trace=trace)
            for source in self._sources(work):
                try:
                    await source
                except Exception as error:  # noqa: BLE001 - whatever it is, it concerns this source only
                    self._unexpected(error, work, None)
            message.waiting()  # others may be read while people are told
        if work.faults:
            raise MessageFailed(", ".join(dict.fromkeys(work.faults)))
        for done in work.done:
            await done()

    def _open(self, message: Message) -> Notification:
        try:
            notification = parse(message.body)
        except PoisonMessage as error:
            self._books.poison(error, message)
            raise
        self._books.opened(notification, message, digests=self._digests is not None)
        return notification

    def _sources(self, work: _Work) -> Iterator[Coroutine[Any, Any, None]]:
        """All that the message brings, to be looked at one by one; what can't be read is a fault of the message."""
        for ref in work.notification.objects:
            if self._digests is not None:
                self._digests.hear(ref.bucket, ref.key)
            yield self._read(ref, work)
        if self._digests is not None:
            for bucket, key, reason in work.notification.skipped:
                if reason == "digest":
                    yield self._look_at_digest(self._digests, bucket, key, work)
        if work.notification.record is not None:
            yield self._inline(work.notification.record, work)

    async def _tell(self, alert: Alert, work: _Work) -> None:
        """Have people told of an alert; waits while too many of one message are on their way."""
        began = time.perf_counter()
        for memory in self._memories:
            alert = await memory.told_to_all(alert)
        self._books.told(alert, work.message)
        if not self._suppressed(alert, work):
            await work.deliveries.begin(partial(self._deliver, alert, work))
        self._turn.worked(time.perf_counter() - began)
        await self._turn.go_on()  # a file may be full of alerts

    async def _look_at_digest(self, digests: "DigestWatch", bucket: str, key: str, work: _Work) -> None:
        """Tell what is wrong with a digest file, and read what it lists and nobody announced; else it is a fault."""
        if not any(fnmatchcase(bucket, glob) for glob in self._settings.buckets):
            return
        try:
            looked = await digests.look(bucket, key, self._unix_time())
        except LogFileError as error:
            self._failed(error, ObjectRef.newest(bucket, key), work)
            return
        for notice in looked.notices:
            await self._tell(notice.alert(), work)
        for each in looked.unread:
            await self._read(ObjectRef.newest(bucket, each), work)
        work.done.append(partial(digests.read, looked))

    async def _inline(self, record: dict[str, Any], work: _Work) -> None:
        if self._settings.inline_events:
            self._metrics.records.inc()
            if self._looking_around is not None and operation_of(record):
                await self._looking_around()
            for alert in work.detection.detector.alerts(record, provenance="inline", log_file=None):
                await self._tell(alert, work)
            return
        self._books.count("notification", "inline_disabled")
        if not self._told_of_inline:
            self._told_of_inline = True
            log.warning(
                "EventBridge sends records themselves and they are passed over, since whoever may send to the queue "
                "could forge them; TRAILSTREAM_INLINE_EVENTS=true alerts on them (said once)",
                message_id=work.message.id,
            )

    async def _read(self, ref: ObjectRef, work: _Work) -> None:
        """Tell of all in one log file; if it can't be read to its end, of what is before that, and it is a fault."""
        decoder = LogDecoder(
            work.detection.prefilter,
            max_record_bytes=self._settings.max_record_bytes,
            max_log_bytes=self._settings.max_log_bytes,
            stored_bytes=ref.size,
        )
        context = LogFileContext(decoder.beginning, max_record_bytes=self._settings.max_record_bytes)
        reading = Reading(LogFile(ref.bucket, ref.key, ref.version_id), decoder, context)
        try:
            if not any(fnmatchcase(ref.bucket, glob) for glob in self._settings.buckets):
                raise LogFileError("foreign_bucket", "TRAILSTREAM_BUCKETS does not name this bucket: it is not read")
            async with self._room_for(ref), self._objects.open(ref) as log_file:
                while chunk := await log_file.read():
                    await self._decode(decoder.steps(chunk), reading, work)
            await self._decode(decoder.last_steps(), reading, work)
        except LogFileError as error:
            self._failed(error, ref, work)
            reading.error = error.with_traceback(None)  # which would keep all that was read
            if self._hearing is not None and error.reason != "foreign_bucket":
                self._hearing.failed(ref)
        else:
            self._books.read(self._unix_time())
            if self._hearing is not None:
                self._hearing.read(ref)
        context.ended()
        await self._found(decoder.take(), reading, work)
        self._books.measured(reading, work.message)
        if work.trace is not None:
            work.trace.read(reading)
        if self._tells_of_itself:
            for notice in self._notices(reading, ref, work.message):
                await self._tell(notice.alert(), work)

    def _room_for(self, ref: ObjectRef) -> AbstractAsyncContextManager[None]:
        return self._large if (ref.size or 0) > WHOLE_BYTES else nullcontext()

    async def _found(self, records: list[Record], reading: Reading, work: _Work) -> None:
        """Judge records that could match, and tell of those that do."""
        if self._looking_around is not None and any(operation_of(record) for record in records):
            await self._looking_around()
        for alert in self._judge(records, reading, work):
            reading.alerts += 1
            await self._tell(await self._in_context(alert, records, reading, work), work)

    def _notices(self, reading: Reading, ref: ObjectRef, message: Message) -> Iterator[Notice]:
        """What is to be told of the file itself."""
        decoder, now = reading.decoder, self._unix_time()
        if reading.error is None and not reading.misplaced and not decoder.unreadable:
            return
        place = Place(reading.log_file, ref.account_id, self._account_name(ref.account_id), key_region(ref.key), now)
        if reading.error is not None:
            announced_s = None if message.sent_at is None else now - message.sent_at
            notice = unread(reading.error, place, announced_s=announced_s)
            if notice is not None:
                yield notice
        if reading.misplaced:
            yield misplaced(place)
        yield from unreadable(decoder.unreadable_first, decoder.unreadable, place)

    async def _decode(self, steps: Iterator[list[Record]], reading: Reading, work: _Work) -> None:
        """Go through the decoder's steps: on the event loop while the file is small, in a thread from then on."""
        records: list[Record] | None = []
        while records is not None:
            began = time.perf_counter()
            if reading.decoder.json_bytes <= _INLINE_BYTES and reading.decode_s < _INLINE_S:
                records = next(steps, None)
            else:
                records = await asyncio.get_running_loop().run_in_executor(self._threads, _until_some, steps)
            reading.decode_s += time.perf_counter() - began
            if records:
                await self._found(records, reading, work)

    async def _in_context(self, alert: Alert, records: list[Record], reading: Reading, work: _Work) -> Alert:
        """The alert with what its file tells of its principal."""
        if reading.context.lacks(alert.record):
            await self._look(alert, records, reading, work)
        return reading.context.with_context(alert)

    async def _look(self, alert: Alert, records: list[Record], reading: Reading, work: _Work) -> None:
        """Look what the principals of an alert and of the records beside it did; no alert waits long for that."""
        look = partial(reading.context.look, [alert.record, *records])
        began = time.perf_counter()
        try:
            if reading.decoder.json_bytes <= _INLINE_CONTEXT_BYTES and reading.decode_s < _INLINE_CONTEXT_S:
                reading.context.add(look())
            else:
                async with asyncio.timeout(_CONTEXT_S):
                    reading.context.add(await asyncio.get_running_loop().run_in_executor(self._threads, look))
        except Exception as error:  # whatever it is: an alert without its context is better than none
            reading.context.give_up()
            late = isinstance(error, TimeoutError)
            self._books.count("context", "timeout" if late else "unexpected")
            log.warning(
                "no context for the alerts of a log file",
                bucket=reading.log_file.bucket,
                key=reading.log_file.key,
                message_id=work.message.id,
                reason="timeout" if late else "unexpected",
                exc_info=None if late else error,
            )
        reading.detect_s += time.perf_counter() - began

    def _judge(self, records: list[Record], reading: Reading, work: _Work) -> Iterator[Alert]:
        for record in records:
            began = time.perf_counter()
            if self._canary is not None:
                self._canary.hear(record)
            try:
                alerts = work.detection.detector.alerts(
                    record,
                    provenance="log_file",
                    log_file=reading.log_file,
                    topic_arn=work.notification.topic_arn,
                    envelope=None if work.message.replayed else work.notification.envelope,
                )
            except Exception as error:  # noqa: BLE001 - it concerns this record only
                alerts = []
                self._unexpected(error, work, reading.log_file)
            spent_s = time.perf_counter() - began
            self._turn.worked(spent_s)
            reading.detect_s += spent_s
            for alert in alerts:
                reading.misplaced = reading.misplaced or account_mismatch(record, reading.log_file)
                yield alert

    def _suppressed(self, alert: Alert, work: _Work) -> bool:
        """Whether a filter keeps the alert from being delivered; it is counted and told all the same."""
        suppression = work.detection.suppressions.find(alert.rule.id, alert.record, self._unix_time())
        if suppression is None:
            return False
        self._books.suppressed(alert, suppression, work.message)
        return True

    def _failed(self, error: LogFileError, ref: ObjectRef, work: _Work) -> None:
        work.faults.append(error.reason)
        self._books.failed(error, ref, work.message)

    def _unexpected(self, error: Exception, work: _Work, log_file: LogFile | None) -> None:
        work.faults.append("unexpected")
        self._books.unexpected(error, work.message, log_file)

    async def _deliver(self, alert: Alert, work: _Work) -> None:
        if self._tracing is not None and work.trace is not None:
            self._tracing.found(alert, work.trace)
        try:
            await self._dispatcher.deliver(alert, work.message.received_at, quiet=work.message.quiet)
        except DeliveryFailed as error:
            work.faults.append("delivery")
            log.error("alert not delivered", alert_id=alert.id, message_id=work.message.id, cause=str(error))
        except Exception as error:  # noqa: BLE001 - it concerns this alert only
            self._unexpected(error, work, alert.log_file)
        finally:
            if self._tracing is not None:
                self._tracing.forget(alert)


def _until_some(steps: Iterator[list[Record]]) -> list[Record] | None:
    """Go on decoding until there are records to hand on; `None` at the chunk's end."""
    return next((records for records in steps if records), None)
