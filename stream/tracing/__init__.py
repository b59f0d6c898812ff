"""Traces of messages, by OpenTelemetry, if its own variables ask for them; without them nothing of it is loaded."""

from stream.tracing.current import traceparent
from stream.tracing.wanted import tracing_of

__all__ = ["traceparent", "tracing_of"]
