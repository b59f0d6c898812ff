"""Windows of a log file's JSON in; out, whether nothing in them can match a rule, so that nothing has to be split.

A file that is large, looks like CloudTrail's at its beginning and its end, and holds no literal in between, is proven
harmless by that alone: its records are counted by what stands between them, and not parsed. At the first doubt whoever
drives this begins the file anew, the slow way.

As long as no event is named that could match, names are all that is searched for. Where one is, the texts that have to
stand beside it are searched for in all of the file: they may be in another window of the same record.
"""

import re
from typing import Final

import msgspec
import stringzilla

from stream.decode.scan import Prefilter

SHORTEST_BYTES: Final = 256 * 1024
"""A first window that is shorter is of a small file, which is split in no time."""

LEAST_RECORD_BYTES: Final = 4 * SHORTEST_BYTES
"""With a limit for records below this the slow way alone can tell which one passes it."""

SPACE: Final = rb"[ \t\r\n]*"
"""JSON's white space, in a regular expression."""

_HEAD: Final = re.compile(
    SPACE.join((b"", rb"\{", b'"Records"', b":", rb"\[", b"")) + rb"(\{" + SPACE + b'"eventVersion")'
)
"""CloudTrail's records all begin so; what stands between others is rarely of one shape, and would be miscounted."""

_TAIL: Final = re.compile(SPACE.join((rb"\}", rb"\]", rb"\}", rb"\Z")))
_KEPT_BYTES: Final = 4096  # of the end: white space may follow the last bracket
_TRIED_BYTES: Final = 8 * 1024
_ELEMENTS: Final = msgspec.json.Decoder(list[msgspec.Raw])


class Scout:
    """Looks through one file.

    Attributes:
        named: whether it doubts for a name alone, so that one which begins the file anew by texts may prove it.
        records: that were seen, by the separators between them: nothing but a count hangs on whether all are such.
        first: the text of the first one.
    """

    def __init__(self, prefilter: Prefilter, *, max_record_bytes: int, by_texts: bool = False) -> None:
        self.named = False
        self.records = 0
        self.first = b""
        self._texts = prefilter.texts
        self._names = None if by_texts else prefilter.names
        self._overlap = prefilter.longest_bytes
        self._kept = max(_KEPT_BYTES, self._overlap)
        self._longest_gap = max_record_bytes - 2 * SHORTEST_BYTES
        self._separator = b""
        self._end = b""
        self._gap = 0

    @property
    def begun(self) -> bool:
        """Whether it has seen a window."""
        return bool(self._separator)

    def is_clean(self, window: bytes) -> bool:
        """Whether the file is proven harmless up to here."""
        if not self._separator and not self._begin(window):
            return False
        if not self._is_free(window):
            return False
        seam = self._end[-len(self._separator) + 1 :] + window[: len(self._separator) - 1]
        # By vector instructions: Python's own count takes longer than the search for all literals.
        count = stringzilla.count(window, self._separator) + seam.count(self._separator)
        self.records += count
        self._gap = 0 if count else self._gap + len(window)
        # Of short windows, several: what they cut may lie across more than two of them.
        self._end = (window if len(window) >= self._kept else self._end + window)[-self._kept :]
        return self._gap <= self._longest_gap  # or a record may be too large

    def _is_free(self, window: bytes) -> bool:
        """Whether there is nothing in this window, nor at its seam with the last, that doubts could be of."""
        # What is cut in two by the end of a window stands in neither of them.
        seam = self._end[-self._overlap :] + window[: self._overlap]
        if self._names is not None:
            if not self._names(window) and not self._names(seam):
                return True
            if self._end:
                self.named = True
                return False
            self._names = None
        return not self._texts(window) and not self._texts(seam)

    def is_whole(self) -> bool:
        """Whether what came last is the end of a log file."""
        return self.begun and _TAIL.search(self._end) is not None

    def _begin(self, window: bytes) -> bool:
        """Learn how this file writes the end of a record and the beginning of the next; not every file shows that."""
        head = _HEAD.match(window)
        if head is None:
            return False
        between = re.compile(SPACE.join((rb"\}", b",", re.escape(head[1])))).search(window, head.end(), _TRIED_BYTES)
        if between is None:
            return False
        separator = between.group()
        last = window.rfind(separator, head.end(), _TRIED_BYTES)
        if last < 0 or not self._counts(window[head.start(1) : last + 1], separator):
            return False
        self._separator = separator
        self.records = 1
        return True

    def _counts(self, records: bytes, separator: bytes) -> bool:
        """Whether a parser sees as many records here as the separators say; the first one is kept."""
        try:
            elements = _ELEMENTS.decode(b"[" + records + b"]")
        except (msgspec.DecodeError, RecursionError):
            return False
        self.first = bytes(elements[0])
        return len(elements) == int(stringzilla.count(records, separator)) + 1
