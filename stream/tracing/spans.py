"""What becomes of a message in, its spans out: receive, process, get_object for each log file, deliver a request.

Each message is a trace of its own. Whether it is sampled is asked only when it is done, so that one in which nothing is
found costs no span before that; the first alert asks at once, and says that there is one: such a trace is always
sampled, whole, and so is that of a message that failed. Of all others OTEL_TRACES_SAMPLER decides.

A message's own trace header is not believed: whoever may send to the queue could have every message sampled.
"""

import asyncio
import logging
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter, SpanExporter
from opentelemetry.sdk.trace.sampling import Decision, Sampler, SamplingResult
from opentelemetry.trace import (
    Link,
    Span,
    SpanKind,
    Status,
    StatusCode,
    TraceState,
    get_current_span,
    set_span_in_context,
)
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from opentelemetry.util.types import Attributes, AttributeValue

from stream import __version__
from stream.alert import Alert
from stream.books import Reading
from stream.deliver.channel import Accepted, Answer
from stream.intake.queue import Message
from stream.tracing.current import CURRENT

ALWAYS: Final = "trailstream.always_sampled"
"""An attribute of spans that no sampler is asked about."""

_FLUSH_S: Final = 3.0  # at the end; what a dead collector has not taken by then is lost
_QUIET_S: Final = 60.0
_TEXT_CHARACTERS: Final = 1024


class Always(Sampler):
    """Samples what says that it has to be, and what belongs to that; of the rest another sampler decides."""

    def __init__(self, others: Sampler) -> None:
        self._others = others

    def should_sample(
        self,
        parent_context: Context | None,
        trace_id: int,
        name: str,
        kind: SpanKind | None = None,
        attributes: Attributes = None,
        links: Sequence[Link] | None = None,
        trace_state: TraceState | None = None,
    ) -> SamplingResult:
        """See `Sampler`."""
        parent = get_current_span(parent_context).get_span_context()
        if (attributes or {}).get(ALWAYS) or (parent.is_valid and parent.trace_flags.sampled):
            return SamplingResult(Decision.RECORD_AND_SAMPLE, attributes, trace_state)
        if parent.is_valid:
            return SamplingResult(Decision.DROP, None, trace_state)
        return self._others.should_sample(parent_context, trace_id, name, kind, attributes, links, trace_state)

    def get_description(self) -> str:
        """See `Sampler`."""
        return f"matches, and {self._others.get_description()}"


@dataclass(frozen=True, slots=True)
class _Done:
    """A span that is over before it is known whether it is one."""

    name: str
    began_ns: int
    ended_ns: int
    attributes: Mapping[str, AttributeValue]
    failure: str | None


class Tracing:
    """Traces messages.

    Args:
        exporter: where spans go.
        queue_url: whose messages they are.
    """

    def __init__(self, exporter: SpanExporter, queue_url: str) -> None:
        service = Resource.create({SERVICE_VERSION: __version__})
        if str(service.attributes.get(SERVICE_NAME, "")).startswith("unknown_service"):
            service = service.merge(Resource({SERVICE_NAME: "trailstream"}))
        usual = TracerProvider(shutdown_on_exit=False).sampler  # as OTEL_TRACES_SAMPLER has it
        self._provider = TracerProvider(sampler=Always(usual), resource=service, shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self.tracer = self._provider.get_tracer("trailstream", __version__)
        self.queue = urlsplit(queue_url).path.rpartition("/")[2]
        self._by_alert: dict[str, MessageTrace] = {}
        logging.getLogger("opentelemetry").addFilter(_Seldom())
        for name in ("exporter.otlp.proto.http.trace_exporter", "sdk.trace.export", "sdk._shared_internal"):
            logging.getLogger(f"opentelemetry.{name}").addFilter(_Seldom())

    @classmethod
    def sending(cls, exporter: str, queue_url: str) -> "Tracing":
        """To a collector by OTLP, or to standard output (`console`)."""
        return cls(ConsoleSpanExporter() if exporter == "console" else OTLPSpanExporter(), queue_url)

    def message(self, message: Message) -> "MessageTrace":
        """The trace of a message, whose processing begins."""
        return MessageTrace(self, message)

    def found(self, alert: Alert, trace: "MessageTrace") -> None:
        """An alert comes of that message: it is sampled."""
        trace.sample()
        self._by_alert[alert.id] = trace

    def forget(self, alert: Alert) -> None:
        """The alert is delivered, or is not going to be."""
        self._by_alert.pop(alert.id, None)

    @contextmanager
    def delivering(self, alerts: Iterable[Alert], channel: str, attempt: int) -> Iterator[list[Answer]]:
        """A request to a channel; its answer is put into the list. `traceparent` names the first alert's span."""
        spans = [
            self.tracer.start_span(
                f"deliver {channel}",
                context=trace.context,
                kind=SpanKind.CLIENT,
                attributes={
                    "trailstream.channel": channel,
                    "trailstream.attempt": attempt,
                    "trailstream.alert.id": alert.id,
                    "trailstream.rule.id": _bounded(alert.rule.id),
                    "trailstream.severity": alert.severity,
                },
            )
            for alert in alerts
            if (trace := self._by_alert.get(alert.id)) is not None
        ]
        answers: list[Answer] = []
        token = CURRENT.set(_header(spans[0])) if spans else None
        try:
            yield answers
        finally:
            if token is not None:
                CURRENT.reset(token)
            answer = answers[0] if answers else None
            for span in spans:
                span.set_attribute("trailstream.answer", type(answer).__name__.lower() if answer else "none")
                if not isinstance(answer, Accepted):
                    span.set_status(Status(StatusCode.ERROR, getattr(answer, "reason", "unexpected")))
                span.end()

    async def close(self) -> None:
        """Send what there is to send, for a few seconds."""
        loop, sent = asyncio.get_running_loop(), asyncio.Event()

        def send() -> None:
            self._provider.force_flush(round(_FLUSH_S * 1000))
            with suppress(RuntimeError):  # the loop has not waited
                loop.call_soon_threadsafe(sent.set)

        threading.Thread(target=send, name="traces", daemon=True).start()  # a pool's would be waited for at exit
        with suppress(TimeoutError):
            async with asyncio.timeout(_FLUSH_S):
                await sent.wait()


class MessageTrace:
    """The trace of one message while it is worked on."""

    def __init__(self, tracing: Tracing, message: Message) -> None:
        self._tracing = tracing
        self._message = message
        self._began_ns = time.time_ns()
        self._done: list[_Done] = []
        self._spans: tuple[Span, Span] | None = None
        self.context: Context | None = None

    def sample(self) -> None:
        """Have it sampled, whatever the sampler says."""
        if self._spans is None:
            self._begin({ALWAYS: True})

    def read(self, reading: Reading) -> None:
        """A log file was read, well or not."""
        ended_ns = time.time_ns()
        decoder = reading.decoder
        done = _Done(
            "get_object",
            ended_ns - round((time.perf_counter() - reading.began) * 1e9),
            ended_ns,
            {
                "rpc.system": "aws-api",
                "rpc.service": "S3",
                "rpc.method": "GetObject",
                "aws.s3.bucket": _bounded(reading.log_file.bucket),
                "aws.s3.key": _bounded(reading.log_file.key),
                "trailstream.compressed_bytes": decoder.compressed_bytes,
                "trailstream.json_bytes": decoder.json_bytes,
                "trailstream.records": decoder.records,
                "trailstream.alerts": reading.alerts,
                "trailstream.decode_s": reading.decode_s,
                "trailstream.detect_s": reading.detect_s,
            },
            None if reading.error is None else reading.error.reason,
        )
        if self.context is None:
            self._done.append(done)
        else:
            self._add(done)

    def ended(self, failure: str) -> None:
        """The work on the message is over; why it goes back to the queue, or nothing."""
        if self._spans is None:
            self._begin({ALWAYS: True} if failure else {})
        for span in reversed(self._spans or ()):
            if failure:
                span.set_status(Status(StatusCode.ERROR, failure))
            span.end()

    def _begin(self, attributes: dict[str, AttributeValue]) -> None:
        """https://opentelemetry.io/docs/specs/semconv/messaging/sqs/."""
        message, queue = self._message, self._tracing.queue
        common: dict[str, AttributeValue] = {
            "messaging.system": "aws_sqs",
            "messaging.destination.name": queue,
            "messaging.message.id": message.id,
        }
        waited_ns = round((time.monotonic() - message.received_at) * 1e9)
        root = self._tracing.tracer.start_span(
            f"receive {queue}",
            context=Context(),
            kind=SpanKind.CLIENT,
            start_time=min(self._began_ns, time.time_ns() - waited_ns),
            attributes={
                **common,
                **attributes,
                "messaging.operation.name": "receive",
                "messaging.operation.type": "receive",
                "messaging.message.body.size": len(message.body),
                "trailstream.receive_count": message.receive_count,
                **({} if message.sent_at is None else {"trailstream.age_s": time.time() - message.sent_at}),
            },
        )
        process = self._tracing.tracer.start_span(
            f"process {queue}",
            context=set_span_in_context(root, Context()),
            kind=SpanKind.CONSUMER,
            start_time=self._began_ns,
            attributes={**common, "messaging.operation.name": "process", "messaging.operation.type": "process"},
        )
        self._spans, self.context = (root, process), set_span_in_context(process, Context())
        for done in self._done:
            self._add(done)
        self._done.clear()

    def _add(self, done: _Done) -> None:
        span = self._tracing.tracer.start_span(
            done.name, context=self.context, kind=SpanKind.CLIENT, start_time=done.began_ns, attributes=done.attributes
        )
        if done.failure is not None:
            span.set_status(Status(StatusCode.ERROR, done.failure))
        span.end(done.ended_ns)


class _Seldom(logging.Filter):
    """Lets one line a minute pass: a collector that is down must not fill the log."""

    def __init__(self) -> None:
        super().__init__()
        self._next = 0.0

    def filter(self, record: logging.LogRecord) -> bool:
        """See `logging.Filter`."""
        if record.created < self._next:
            return False
        self._next = record.created + _QUIET_S
        return True


def _header(span: Span) -> str:
    carrier: dict[str, str] = {}
    TraceContextTextMapPropagator().inject(carrier, set_span_in_context(span, Context()))
    return carrier["traceparent"]


def _bounded(text: str) -> str:
    return text[:_TEXT_CHARACTERS].encode("utf-8", "replace").decode()
