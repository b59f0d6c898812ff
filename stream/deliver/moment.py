"""When an event happened, for services that want a time and no text: RFC 3339 in, UTC out."""

import re
from datetime import UTC, datetime
from typing import Final

_RFC_3339: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)", re.ASCII)
_FIRST_YEAR: Final = 1970  # Unix time, which many services count in, begins there


def moment(text: str) -> datetime | None:
    """The moment, aware and in UTC; `None` if the text is no time by RFC 3339, or one that no event can have."""
    if not _RFC_3339.fullmatch(text):
        return None
    try:
        parsed = datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return parsed if parsed.year >= _FIRST_YEAR else None


def rfc_3339(time: datetime) -> str:
    """The time as `2026-03-01T12:00:00Z`, with milliseconds where it has any."""
    precision = "milliseconds" if time.microsecond else "seconds"
    return time.astimezone(UTC).isoformat(timespec=precision).replace("+00:00", "Z")
