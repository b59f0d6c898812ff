"""A batch of elements one of which could match in; the texts of those that could out."""

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


def suspects(batch: Batch, prefilter: Prefilter) -> Iterator[bytes] | None:
    """Those of a batch that the prefilter can't rule out; `None`: of most it can't, so that all had best be parsed."""
    elements = batch.elements
    if len(elements) == 1:
        return iter((bytes(elements[0]),))
    hit = _hit(batch, prefilter)
    if hit is not None:
        return filter(prefilter.search, (bytes(elements[index]) for index in hit))
    if len(elements) > _TRIED and sum(1 for _ in _by_groups(elements[:_TRIED], prefilter)) > _TRIED // 2:
        return None
    return _by_groups(elements, prefilter)


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
    for start in range(0, len(elements), _GROUP):
        group = elements[start : start + _GROUP]
        if prefilter.search(b"".join(group)):
            yield from filter(prefilter.search, map(bytes, group))
