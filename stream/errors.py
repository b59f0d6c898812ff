"""The few ways in which Trailstream's own work can fail.

A stage raises; only the pipeline decides what becomes of the message.
"""

from typing import Final, Literal, get_args

LogFileReason = Literal[
    # The object could not be had.
    "foreign_bucket",  # TRAILSTREAM_BUCKETS does not name it
    "not_found",
    "forbidden",
    "unavailable",  # 5xx, timeouts and cut connections, after all retries
    # Its bytes are not a whole gzip or JSON text.
    "empty",
    "not_gzip",
    "bad_gzip",
    "bad_crc",
    "truncated",
    # Its JSON is not a log file.
    "bad_json",
    "no_records",
    "unreadable_record",
    # It passes a limit.
    "record_too_large",
    "log_too_large",
]
LOG_FILE_REASONS: Final[tuple[LogFileReason, ...]] = get_args(LogFileReason)


class TrailstreamError(Exception):
    """Base of every error that Trailstream raises on purpose."""


class ConfigError(TrailstreamError):
    """The environment, or a file it names, can't be used: exit code 2.

    The message names the variable and says what is allowed; it never holds a secret.
    """


class OutputError(Exception):
    """Standard output takes no more, or was never open: no command can do without it, so none looks after it.

    `stream.cli.main` tells it, with exit code 2. A reader who has left is none of these: that is a `BrokenPipeError`.
    """


class PoisonMessage(TrailstreamError):
    """A queue message that is none of the bodies that Trailstream knows."""


class LogFileError(TrailstreamError):
    """A log file that could not be read to its end.

    Attributes:
        reason: one of `LOG_FILE_REASONS`; becomes a metric label.
    """

    def __init__(self, reason: LogFileReason, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason: LogFileReason = reason
        self.detail = detail
