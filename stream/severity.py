"""How grave a change is: Sigma's levels."""

from typing import Final, Literal, get_args

Severity = Literal["informational", "low", "medium", "high", "critical"]
SEVERITIES: Final[tuple[Severity, ...]] = get_args(Severity)
"""Mildest first."""
