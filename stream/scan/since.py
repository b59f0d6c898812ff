"""What people write for a moment in the past, in; Unix time out."""

import re
from datetime import UTC, datetime, timedelta
from typing import Final

_AGO: Final = re.compile(r"(\d{1,6})\s*([mhdw])", re.IGNORECASE)
_UNITS: Final = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def parse_since(text: str, now: datetime) -> float:
    """Unix time of `24h`, `7d`, `2024-05-01` or `2024-05-01T12:00:00Z`; without an offset it is UTC, as in CloudTrail.

    Raises:
        ValueError: it is none of these.
    """
    ago = _AGO.fullmatch(text.strip())
    try:
        if ago:
            return (now - timedelta(**{_UNITS[ago[2].lower()]: int(ago[1])})).timestamp()
        moment = datetime.fromisoformat(text.strip())
    except (ValueError, OverflowError) as error:
        raise ValueError(
            f"{text!r} is neither a time ago (90m, 24h, 7d, 2w) nor a date or time (2024-05-01, 2024-05-01T12:00:00Z)"
        ) from error
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
