"""The span that is under way, for whoever sends a request on its behalf."""

from contextvars import ContextVar
from typing import Final

CURRENT: Final[ContextVar[str | None]] = ContextVar("traceparent", default=None)
"""As the header has it: https://www.w3.org/TR/trace-context/#traceparent-header."""


def traceparent() -> dict[str, str]:
    """The header to send; none if nothing is traced."""
    current = CURRENT.get()
    return {} if current is None else {"traceparent": current}
