"""An unknown word in; the known one that was meant, or all there are, out: as the end of an error's sentence."""

import difflib
from collections.abc import Iterable
from typing import Final

_LISTED: Final = 30


def hint(word: str, known: Iterable[str]) -> str:
    """`did you mean …?`, or `there are: …` where none is near."""
    known = list(known)
    near = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    if near:
        return f"did you mean {near[0]}?"
    if not known:
        return "there are none"
    more = f" and {len(known) - _LISTED} more" if len(known) > _LISTED else ""
    return f"there are: {', '.join(known[:_LISTED])}{more}"
