"""One parameter of a call, judged."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from stream.severity import SEVERITIES, Severity


@dataclass(frozen=True, slots=True)
class Finding:
    """What one parameter does, as if the call had succeeded.

    Attributes:
        field: the parameter, as `requestParameters` names it.
        value: as it was sent, `None` if it was not.
        effect: the state after the call in plain words, one clause without a full stop.
        severity: of this alone.
    """

    field: str
    value: Any
    effect: str
    severity: Severity = "informational"


def worst_first(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """The gravest first, otherwise as they came."""
    return tuple(sorted(findings, key=lambda finding: -SEVERITIES.index(finding.severity)))


def worst(*severities: Severity) -> Severity:
    """The gravest of these; `informational` of none."""
    return SEVERITIES[max(map(SEVERITIES.index, severities), default=0)]


def shifted(severity: Severity, levels: int) -> Severity:
    """So many levels up (or down, if negative), as far as there are any."""
    return SEVERITIES[min(max(SEVERITIES.index(severity) + levels, 0), len(SEVERITIES) - 1)]
