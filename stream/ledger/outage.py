"""When to leave the table alone: answers go in, and out comes whether to ask it, each failure counted and told once."""

import math
import time
from collections.abc import Callable
from typing import Final

import structlog

from stream.ledger.faults import TableError
from stream.metrics import Metrics

log = structlog.get_logger()

_TOLERATED: Final = 1  # failures in a row without a pause after them
_FIRST_PAUSE_S: Final = 1.0
_LONGEST_PAUSE_S: Final = 30.0
_LOG_EVERY_S: Final = 60.0


class Outage:
    """After some failures in a row the table is not asked for a while, and then by one request at a time.

    Args:
        metrics: where failures are counted.
        table: its name, for the log.
        first_pause_s: seconds of the first pause; each one after it is twice as long, up to half a minute.
        now: tells the time in seconds.
    """

    def __init__(
        self,
        metrics: Metrics,
        table: str,
        *,
        first_pause_s: float = _FIRST_PAUSE_S,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._metrics = metrics
        self._table = table
        self._first_pause_s = first_pause_s
        self._now = now
        self._row = 0  # failures in a row
        self._paused_until = -math.inf
        self._probing = False
        self._untold = 0  # failures since the last line in the log
        self._told = False
        self._silent_until = -math.inf

    @property
    def remaining_s(self) -> float:
        """Seconds until `may_ask` may say yes again, 0 if it does now."""
        return max(0.0, self._paused_until - self._now())

    def may_ask(self) -> bool:
        """Whether to make a request now; whoever is told so first after a pause tries it for all the others."""
        if self.remaining_s:
            return False
        if self._row > _TOLERATED:
            self._probing = True
            self._pause()
        return True

    def failed(self, error: TableError) -> None:
        """A request has failed. One that was under way when the pause began does not make it longer."""
        self._metrics.errors.labels("ledger", error.reason).inc()
        self._tell(error)
        if self.remaining_s and not self._probing:
            return
        self._probing = False
        self._row += 1
        if self._row > _TOLERATED:
            self._pause()

    def succeeded(self) -> None:
        """The table has answered."""
        self._row = 0
        self._paused_until = -math.inf
        self._probing = False
        if self._told:
            self._told = False
            log.info("ledger reached again", table=self._table, failures=self._untold)
            self._untold = 0

    def _pause(self) -> None:
        doublings = min(self._row - _TOLERATED - 1, 30)  # beyond, the longest has been reached for certain
        self._paused_until = self._now() + min(self._first_pause_s * 2.0**doublings, _LONGEST_PAUSE_S)

    def _tell(self, error: TableError) -> None:
        """Say when it begins, but not each minute of one that comes and goes."""
        self._untold += 1
        now = self._now()
        if self._told or now < self._silent_until:
            return
        self._told = True
        self._silent_until = now + _LOG_EVERY_S
        log.warning(
            "ledger out of reach: replicas may repeat one another's alerts",
            table=self._table,
            reason=error.reason,
            code=error.code,
            failures=self._untold,
        )
        self._untold = 0
