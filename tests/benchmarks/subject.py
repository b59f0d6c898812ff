"""What every benchmark has in common: rows with a target, and a word on standard error about how far it is."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Target:
    """A row of the table before it is measured: what is measured, and what it should come to."""

    what: str
    target: str


class Subject(Protocol):
    """A module with some rows; `measure` gives the middle column of each, in their order."""

    @property
    def TARGETS(self) -> Sequence[Target]:  # noqa: N802 - a module's constant
        """What it measures."""

    async def measure(self) -> Sequence[str]:
        """Run it, and say what came of it."""


def say(text: str) -> None:
    """Progress, for whoever waits."""
    print(text, file=sys.stderr, flush=True)
