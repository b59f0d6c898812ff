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

_TINY_BYTES: Final = 64
_MOST_ENDS: Final = 2_000
"""What is smaller than a record, or has more literals than records, is nothing to be quick about: where literals end
would be more than a few milliseconds' work."""

_SEARCHES_A_STEP: Final = 1_000


def suspects(batch: Batch, prefilter: Prefilter) -> Iterator[bytes | None] | None:
    """Those of a batch that the prefilter can't rule out; `None` among them after each few milliseconds' search.

    Instead of all of it, `None`: of most it can't, so that all had best be parsed.
    """
    elements = batch.elements
    if len(elements) == 1:
        return iter((bytes(elements[0]),))
    if len(batch.text) < len(elements) * _TINY_BYTES:
        return _by_groups(elements, prefilter)
    hit = _hit(batch, prefilter)
    if hit is not None:
        return filter(prefilter.texts, (bytes(elements[index]) for index in hit))
    tried = _by_groups(elements[:_TRIED], prefilter)
    if len(elements) > _TRIED and sum(text is not None for text in tried) > _TRIED // 2:
        return None
    return _by_groups(elements, prefilter)


def _hit(batch: Batch, prefilter: Prefilter) -> Sequence[int] | None:
    """Which elements hold a literal, by where literals end; `None`: most do, or it can't be told, or not soon."""
    number = len(batch.elements)
    if prefilter.ends is None or not batch.checked:
        return None
    lengths = list(accumulate(map(len, batch.elements)))
    start, stop, _ = slice(*batch.array).indices(len(batch.text))
    if start + 1 + lengths[-1] + number != stop:
        return None  # there is more between them than brackets and commas
    found = prefilter.ends(batch.text, min(number // 2, _MOST_ENDS))
    if found is None:
        return None

    def last_byte(index: int) -> int:
        return start + lengths[index] + index

    # A literal's last byte is the one before where it ends.
    hit = {bisect_left(range(number), end - 1, key=last_byte) for end in found}
    return sorted(hit - {number})


def _by_groups(elements: Sequence[msgspec.Raw | bytes], prefilter: Prefilter) -> Iterator[bytes | None]:
    searches = 0
    for start in range(0, len(elements), _GROUP):
        group = elements[start : start + _GROUP]
        searches += 1
        if prefilter.search(b"".join(group)):
            searches += len(group)
            yield from filter(prefilter.search, map(bytes, group))
        if searches >= _SEARCHES_A_STEP:
            searches = 0
            yield None
