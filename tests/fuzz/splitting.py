"""JSON as it is split: what a full parse finds is found, looked over first or not, and in any pieces."""

import json
from itertools import pairwise
from typing import Any

from stream.decode import LogDecoder
from stream.errors import LogFileError
from tests.decode.logs import PREFILTER, matching
from tests.fuzz.draw import Draw

_LIMIT = 1024 * 1024


def TestOneInput(data: bytes) -> None:  # noqa: N802 - libFuzzer's name for it
    """One text; the last bytes say where it is cut."""
    body, draw = data[:-4], Draw(data[-4:])
    cuts = sorted({draw.byte() % (len(body) + 1), draw.byte() * 31 % (len(body) + 1)})
    pieces = [body[start:end] for start, end in pairwise([0, *cuts, len(body)])]

    found, fault = decoded(pieces, scouting=False)
    assert decoded([body], scouting=False) == (found, fault)
    assert decoded(pieces, scouting=True) == (found, fault)
    if fault is None and (document := _parsed(body)) is not None:
        assert found == matching(document.get("Records"))


def decoded(pieces: list[bytes], *, scouting: bool) -> tuple[list[dict[str, Any]], str | None]:
    """The records with names that are looked for, and the reason of the fault that ended the reading."""
    decoder = LogDecoder(PREFILTER, max_record_bytes=_LIMIT, max_log_bytes=_LIMIT, scouting=scouting)
    found, fault = [], None
    try:
        for piece in pieces:
            found += decoder.feed(piece)
        found += decoder.finish()
    except LogFileError as error:
        found += decoder.take()
        fault = error.reason
    return matching(found), fault


def _parsed(body: bytes) -> dict[str, Any] | None:
    """What the standard library makes of it; it is stricter with what a record may hold, but never wrong."""
    try:
        document = json.loads(body.decode("utf-8-sig", "replace"))
    except (ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) else None
