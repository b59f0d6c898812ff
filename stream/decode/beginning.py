"""A log file's first bytes, as they are stored, kept for whoever has to look at them again.

That are three: the decoder, if a quick look was not enough; the inflater, for what stands before a fault; and what else
a principal did. Real files are smaller than what is kept.
"""

from typing import Final

MOST_BYTES: Final = 256 * 1024
"""With sixteen files at once, four MiB. At CloudTrail's ten to one it is a file of two thousand records."""


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

    def add(self, chunk: bytes) -> bool:
        """Take the file's next bytes; whether there was room for them, and for all before.

        The last chunk that is kept may pass the limit.
        """
        self.whole = self.whole and self._bytes < MOST_BYTES
        if self.whole:
            self.chunks.append(chunk)
            self._bytes += len(chunk)
        return self.whole

    def since(self, offset: int) -> bytes:
        """What came from this offset on; nothing, if that was not all kept."""
        return b"".join(self.chunks)[offset:] if self.whole else b""
