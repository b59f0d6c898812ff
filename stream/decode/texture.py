"""How fine a text is: whether it is made of records, or of hundreds of thousands of something smaller.

What is split or parsed in one call holds up everything else until it is done, and a list of nothing, two bytes of JSON,
takes thirty times that in memory.
"""

from typing import Final

import stringzilla

_LEAST_BYTES: Final = 20
"""Between two commas, of which a record of CloudTrail's has one in thirty bytes."""

_LEAST_BYTES_A_VALUE: Final = 12
_WINDOW_BYTES: Final = 256 * 1024


def has_tiny_elements(text: bytes) -> bool:
    """Whether a list of its elements may be many times as large as the text."""
    return bool(stringzilla.count(text, b",") * _LEAST_BYTES >= len(text))


def has_tiny_values(text: bytes) -> bool:
    """Whether what a parser makes of some part of it may be many times as large as what it makes of records."""
    windows = (text[at : at + _WINDOW_BYTES] for at in range(0, len(text), _WINDOW_BYTES))  # to know it soon
    return any(_values(window) * _LEAST_BYTES_A_VALUE >= len(window) for window in windows)


def _values(text: bytes) -> int:
    """How many values there are at most."""
    return int(sum(stringzilla.count(text, mark) for mark in (b",", b"[", b"{")))
