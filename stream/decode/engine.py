"""Expressions in; an engine out that tells whether, and where, some bytes hold one of them, in either ASCII case."""

import re
import threading
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any

from stream.logger import logger

hyperscan: Any
try:
    hyperscan = import_module("hyperscan")
except ImportError:  # no wheel for this platform: the standard library's engine is as right, only slower
    hyperscan = None

Search = Callable[[bytes], bool]
"""Whether these bytes hold one."""

Ends = Callable[[bytes, int], Sequence[int] | None]
"""Where each one ends in these bytes, in order (an offset may come twice); `None` if there are more than so many."""


def portable(expressions: Sequence[bytes]) -> Search:
    """The standard library's engine: for platforms without the fast one, and what the fast one is held against."""
    pattern = re.compile(b"|".join(expressions), re.IGNORECASE)
    return lambda data: pattern.search(data) is not None


class Hyperscan:
    """Intel's engine. May be used from several threads.

    Raises:
        HyperscanError: it does not take these expressions.
    """

    def __init__(self, expressions: Sequence[bytes]) -> None:
        self._database = hyperscan.Database(mode=hyperscan.HS_MODE_BLOCK)
        self._database.compile(
            expressions=expressions,
            ids=list(range(len(expressions))),
            elements=len(expressions),
            flags=[hyperscan.HS_FLAG_CASELESS] * len(expressions),
        )
        # A scratch must not be shared by two threads at once; hyperscan raises if it is.
        self._scratches = threading.local()

    def search(self, data: bytes) -> bool:
        """See `Search`."""
        try:
            self._database.scan(data, match_event_handler=_stop, scratch=self._scratch())
        except hyperscan.ScanTerminated:
            return True
        return False

    def ends(self, data: bytes, most: int) -> Sequence[int] | None:
        """See `Ends`."""
        found: list[int] = []

        def note(_id: int, _from: int, to: int, *_: object) -> bool:
            found.append(to)
            return len(found) > most

        try:
            self._database.scan(data, match_event_handler=note, scratch=self._scratch())
        except hyperscan.ScanTerminated:
            return None
        found.sort()
        return found

    def _scratch(self) -> Any:
        try:
            return self._scratches.own
        except AttributeError:
            self._scratches.own = hyperscan.Scratch(self._database)
            return self._scratches.own


def fast(expressions: Sequence[bytes]) -> Hyperscan | None:
    """The fast engine; `None` if it is not here or does not take these expressions."""
    if hyperscan is None:
        return None
    try:
        return Hyperscan(expressions)
    except hyperscan.HyperscanError as error:
        logger().warning("hyperscan refused the rules' literals, using the slower engine", error=str(error))
        return None


def _stop(*_: object) -> bool:
    return True
