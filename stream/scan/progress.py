"""How far a scan has got, as a bar on the terminal's standard error; nothing at all elsewhere."""

import threading
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Final, Self

from stream.scan.sources import Found, Source

if TYPE_CHECKING:
    from rich.progress import Progress

_REFRESH_S: Final = 0.1


class ScanProgress:
    """The bar; use it with `with`.

    Args:
        shown: draw it.
        find: finds the same sources as the scan, once more: how many there are tells how long it takes. It runs in a
            thread of its own.
    """

    def __init__(self, *, shown: bool, find: Callable[[], Iterable[Found]]) -> None:
        self.files = 0
        self.records = 0
        self.json_bytes = 0
        self.alerts = 0
        self._find = find
        self._ended = threading.Event()
        self._last_s = 0.0
        self._sizes: threading.Thread | None = None
        self._began_s = time.monotonic()
        self._progress: Progress | None = None
        if shown:
            from stream.scan.bar import bar  # a tenth of the time that a scan takes to start

            self._progress = bar(self.figures)
            self._task = self._progress.add_task("", total=None, files="")

    def __enter__(self) -> Self:
        if self._progress is not None:
            self._progress.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._ended.set()
        if self._progress is not None:
            self._progress.stop()

    def tick(self, worked_bytes: int) -> None:
        """Draw again if it is time; `worked_bytes` are stored bytes worked through so far."""
        if self._progress is None or time.monotonic() - self._last_s < _REFRESH_S:
            return
        self._last_s = time.monotonic()
        if self._sizes is None:
            # Not before: processes are started by then, which copy this one only if it has no other thread.
            self._sizes = threading.Thread(target=self._measure, name="sizes", daemon=True)
            self._sizes.start()
        self._progress.start()
        self._progress.update(self._task, completed=worked_bytes, files=f"{self.files:,} files")
        self._progress.refresh()

    def hide(self) -> None:
        """Take the bar away until the next tick: something is to be written to the same terminal."""
        if self._progress is not None and self._progress.live.is_started:
            self._progress.stop()

    def figures(self) -> str:
        """Records, rate and alerts so far."""
        seconds = max(time.monotonic() - self._began_s, 0.001)
        rate = self.json_bytes / seconds / 1e6
        return f"{self.records:,} records  {rate:,.0f} MB/s  {self.alerts:,} alerts"

    def _measure(self) -> None:
        total = 0
        for found in self._find():
            if self._ended.is_set():
                return
            if isinstance(found, Source):
                if not found.size_bytes:
                    return  # a pipe: nobody knows how much is to come
                total += found.size_bytes
        if self._progress is not None:
            self._progress.update(self._task, total=total)
