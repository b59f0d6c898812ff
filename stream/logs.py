"""Logging: one line an event to standard error, JSON for machines or coloured text for people.

Nobody's secret and nobody's record gets through: fields that could hold one are redacted by name, an exception is
its class and where it was raised, never its text, and what an attacker typed can't write lines or control codes.
"""

import atexit
import json
import logging
import os
import re
import sys
import traceback
from contextlib import suppress
from typing import Any, Final, Literal, TextIO

import orjson
import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from stream.repeats import Repeats
from stream.terminal import REDACTED, inert

Level = Literal["debug", "info", "warning", "error"]
Format = Literal["json", "console"]

_REDACTED_FIELDS: Final = frozenset(
    {
        "authorization",
        "body",
        "headers",
        "message_body",
        "password",
        "receipt_handle",
        "record",
        "routing_key",
        "secret",
        "token",
        "webhook_url",
    }
)
_FIELD_CHARACTERS: Final = 2048
_FRAMES: Final = 8
_URL: Final = re.compile(r"(\w+://)(?:[^/@\s'\"]*@)?([^/\s'\"<>]*)[^\s'\"<>]*")


def configure(level: Level, format: Format, stream: TextIO | None = None) -> None:  # noqa: A002 - the setting's name
    """Send structlog's events and, from warning upwards, the standard library's to a stream.

    Args:
        level: quietest level of our own events that is written.
        format: `json`, a line an event; `console`, coloured on a terminal unless NO_COLOR is set.
        stream: unset: standard error.
    """
    stream = stream or sys.stderr
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _without_secrets,
        _described_exception,
        _inert_fields,
    ]
    renderer: Processor
    if format == "json":
        renderer = _to_json
    else:
        renderer = structlog.dev.ConsoleRenderer(colors=stream.isatty() and not os.environ.get("NO_COLOR"))
    logger = structlog.PrintLogger(stream)

    def write(event: EventDict) -> None:
        with suppress(ValueError, OSError):  # at the very end the stream may be closed
            logger.msg(renderer(logger, "", event))

    repeats = Repeats(write)
    atexit.register(repeats.flush)
    structlog.configure(
        processors=[*shared, repeats, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.PrintLoggerFactory(stream),
        cache_logger_on_first_use=False,  # or structlog.testing could no longer see what is logged
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[_named_and_without_urls, *shared],
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.WARNING)
    logging.captureWarnings(capture=True)


def _to_json(_: WrappedLogger, __: str, event: EventDict) -> str:
    ordered = {field: event.pop(field, None) for field in ("timestamp", "level", "event")} | dict(event)
    try:
        return orjson.dumps(ordered, default=str, option=orjson.OPT_NON_STR_KEYS).decode()
    except TypeError:  # orjson refuses integers of more than 64 bits
        return json.dumps(ordered, default=str, skipkeys=True)


def _named_and_without_urls(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """A library's message may hold the address of a webhook, whose path is a secret."""
    record: logging.LogRecord | None = event.get("_record")
    if record is not None:
        event["logger"] = record.name
    event["event"] = _URL.sub(r"\1\2/…", str(event["event"]))
    return event


def _without_secrets(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    for field in _REDACTED_FIELDS & event.keys():
        event[field] = REDACTED
    return event


def _described_exception(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Replace `exc_info` by `error` (class names) and `raised_at` (the innermost frames)."""
    given = event.pop("exc_info", None)
    event.pop("stack_info", None)
    error = given if isinstance(given, BaseException) else given[1] if isinstance(given, tuple) else None
    if error is None and given:
        error = sys.exc_info()[1]
    if error is not None:
        event["error"] = _class_names(error)
        frames = traceback.extract_tb(error.__traceback__)[-_FRAMES:]
        event["raised_at"] = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames]
    return event


def _class_names(error: BaseException) -> str:
    if isinstance(error, BaseExceptionGroup):
        return f"{type(error).__name__}[{', '.join(dict.fromkeys(map(_class_names, error.exceptions)))}]"
    cause = error.__cause__
    return type(error).__name__ + (f" from {type(cause).__name__}" if cause is not None else "")


def _inert_fields(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    return {field: value if field.startswith("_") else _inert(value) for field, value in event.items()}


def _inert(value: Any) -> Any:
    if isinstance(value, str):
        return inert(value, _FIELD_CHARACTERS)
    if isinstance(value, list | tuple | set | frozenset):
        return [_inert(item) for item in value]
    if isinstance(value, dict):
        return {inert(str(name)): _inert(item) for name, item in value.items()}
    if value is None or isinstance(value, bool | int | float):
        return value
    return inert(str(value), _FIELD_CHARACTERS)
