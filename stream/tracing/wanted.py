"""Whether traces are wanted, by OpenTelemetry's own variables, and can be had.

https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/
"""

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

import structlog

if TYPE_CHECKING:
    from stream.tracing.spans import Tracing

log = structlog.get_logger()

_ENDPOINTS: Final = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
_PROTOCOLS: Final = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
_PROTOCOL: Final = "http/protobuf"
_EXPORTERS: Final = ("otlp", "console")


def tracing_of(queue_url: str | None, environ: Mapping[str, str] | None = None) -> "Tracing | None":
    """What traces messages of this queue; `None` if nobody asks for it, or it can't be had, which is then logged."""
    environ = os.environ if environ is None else environ
    exporter = _exporter(environ)
    if exporter is None:
        return None
    protocol = next((value for name in _PROTOCOLS if (value := environ.get(name))), _PROTOCOL)
    if exporter not in _EXPORTERS or (exporter == "otlp" and protocol != _PROTOCOL):
        log.warning(
            "no traces: of OpenTelemetry's exporters there are otlp by http/protobuf, and console",
            exporter=exporter,
            protocol=protocol,
        )
        return None
    try:
        from stream.tracing.spans import Tracing
    except ImportError:
        log.warning("no traces: OpenTelemetry is not installed; pip install 'trailstream[otel]'")
        return None
    return Tracing.sending(exporter, queue_url or "")


def _exporter(environ: Mapping[str, str]) -> str | None:
    """The exporter that is asked for; `None` if there is to be none."""
    if environ.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return None
    named = environ.get("OTEL_TRACES_EXPORTER", "").strip()
    if not named and any(environ.get(name) for name in _ENDPOINTS):
        named = "otlp"
    return None if named in ("", "none") else named
