"""The filters of TRAILSTREAM_SUPPRESS: how many work, and what their authors had better know."""

import time
from collections import Counter
from collections.abc import Iterator

from stream.checks.outcome import Outcome
from stream.detect.detection import rules_of, suppressions_of
from stream.settings import Settings


def check_suppressions(settings: Settings) -> Iterator[Outcome]:
    """Read them; nothing if there are none to be.

    Raises:
        ConfigError: a rule or a filter can't be used.
    """
    if not settings.suppress:
        return
    found = suppressions_of(settings, rules_of(settings)).all
    now = time.time()
    states = Counter(suppression.state(now) for suppression in found)
    evidence = ", ".join(f"{count} {state}" for state, count in states.items())
    warnings = [f"{one.id}: {warning}" for one in found for warning in one.warnings]
    if warnings:
        fix = "`trailstream rules list --suppressions` shows where each stands."
        yield Outcome("suppressions", "warn", f"{evidence}; {'; '.join(warnings)}", fix)
    else:
        yield Outcome("suppressions", "ok", evidence)
