"""A log file's first bytes, as they are stored, kept for whoever has to look at them again.

That are three: the decoder, if a quick look was not enough; the inflater, for what stands before a fault; and what else
a principal did. Real files are smaller than what is kept of any. Of a larger one all is kept while there is room for
it, since a quick look is only worth its while at what can be looked at again.
"""

import threading
import weakref
from typing import Final

MOST_BYTES: Final = 256 * 1024
"""With sixteen files at once, four MiB. At CloudTrail's ten to one it is a file of two thousand records."""

LARGEST_BYTES: Final = 4 * 1024 * 1024
_ROOM_BYTES: Final = 8 * 1024 * 1024
"""For all larger files that are kept at once, in this process."""


class _Room:
    def __init__(self, size_bytes: int) -> None:
        self._left_bytes = size_bytes
        self._lock = threading.RLock()  # a collection, and so what gives back, may come in the midst of taking

    def take(self, size_bytes: int) -> bool:
        with self._lock:
            if size_bytes > self._left_bytes:
                return False
            self._left_bytes -= size_bytes
            return True

    def give_back(self, size_bytes: int) -> None:
        with self._lock:
            self._left_bytes += size_bytes


_room: Final = _Room(_ROOM_BYTES)


class Beginning:
    """The first bytes of one file.

    Attributes:
        chunks: as they came.
        whole: whether they are all that came.
    """

    def __init__(self) -> None:
        self.chunks: list[bytes] = []
        self.whole = True
        self._bytes = 0
        self._most_bytes = MOST_BYTES

    def has_room_for(self, stored_bytes: int) -> bool:
        """Whether all of a file of this size will be kept; to be asked once, before the first chunk."""
        if stored_bytes <= MOST_BYTES:
            return True
        if stored_bytes > LARGEST_BYTES or not _room.take(stored_bytes):
            return False
        self._most_bytes = stored_bytes
        weakref.finalize(self, _room.give_back, stored_bytes).atexit = False
        return True

    def add(self, chunk: bytes) -> bool:
        """Take the file's next bytes; whether there was room for them, and for all before.

        The last chunk that is kept may pass the limit.
        """
        self.whole = self.whole and self._bytes < self._most_bytes
        if self.whole:
            self.chunks.append(chunk)
            self._bytes += len(chunk)
        return self.whole

    def since(self, offset: int) -> bytes:
        """What came from this offset on; nothing, if that was not all kept."""
        return b"".join(self.chunks)[offset:] if self.whole else b""
