"""A batch of elements one of which could match in; the texts of those that could out, and maybe of some more."""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import Final

import msgspec

from stream.decode.scan import Prefilter
from stream.decode.split import Batch

_GROUP: Final = 4
"""Elements that are searched at once: a search costs more to begin than to do on a record's text."""

_TRIED: Final = 16
"""Of so many it is seen whether most could match."""


def suspects(batch: Batch, prefilter: Prefilter) -> Iterator[bytes]:
    """Those of a batch that the prefilter can't rule out as a whole."""
    elements = batch.elements
    if len(elements) == 1:
        yield bytes(elements[0])
        return
    hit = _hit(batch, prefilter)
    if hit is None:
        yield from _by_groups(elements, prefilter)
        return
    for index in hit:
        text = bytes(elements[index])
        if prefilter.search(text):
            yield text


def _hit(batch: Batch, prefilter: Prefilter) -> Sequence[int] | None:
    """Which elements hold a literal, by where literals end; `None`: most do, or it can't be told."""
    if prefilter.ends is None or not batch.checked:
        return None
    lengths = list(accumulate(map(len, batch.elements)))
    last = len(lengths) - 1
    if 1 + lengths[-1] + last + 1 != len(batch.text):
        return None  # there is more between them than brackets and commas
    found = prefilter.ends(batch.text, len(lengths) // 2)
    if found is None:
        return None

    def last_byte(index: int) -> int:
        return lengths[index] + index

    # A literal's last byte is the one before where it ends.
    hit = {bisect_left(range(last + 1), end - 1, key=last_byte) for end in found}
    return sorted(hit - {last + 1})


def _by_groups(elements: Sequence[msgspec.Raw | bytes], prefilter: Prefilter) -> Iterator[bytes]:
    found = 0
    for start in range(0, len(elements), _GROUP):
        group = elements[start : start + _GROUP]
        if start >= _TRIED and found > start // 2:  # most can: to parse the others costs less than to find them
            yield from map(bytes, elements[start:])
            return
        if prefilter.search(b"".join(group)):
            for text in map(bytes, group):
                if prefilter.search(text):
                    found += 1
                    yield text
