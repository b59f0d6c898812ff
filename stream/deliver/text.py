"""Text that an attacker may have typed, made fit to be shown to people in any format: one line, nothing invisible."""

import json
from typing import Any, Final

from stream.terminal import inert

CUT: Final = "… (cut)"
"""Ends a text of which not all is shown."""


def printable(text: str) -> str:
    r"""The text with white space as single spaces, and what can't be seen spelt out, as `\u202e`."""
    return inert(" ".join(text.split()))


def cut(text: str, limit: int) -> str:
    """At most `limit` characters of a text; one that is cut says so."""
    return text if len(text) <= limit else text[: max(limit - len(CUT), 0)] + CUT


def as_text(value: Any) -> str:
    """A parameter's value for people: a text as it is, anything else as JSON."""
    if isinstance(value, str):
        return value
    try:
        return json.dumps(value, ensure_ascii=False)
    except RecursionError:
        return "(nested too deeply to be shown)"
