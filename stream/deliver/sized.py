"""The alert's JSON within a size: whole if it fits, else without its record, which is the first to go, and says so.

It is JSON that the strictest of readers takes: UTF-8, and no half of a surrogate pair.
"""

from collections.abc import Iterator
from dataclasses import asdict, replace
from typing import Any, Final

from stream.alert import Alert
from stream.deliver.text import as_text, cut
from stream.deliver.words import LENGTHS, Lengths
from stream.json_value import strict_json

_FREE: Final = frozenset({"title", "summary", "error_message", "user_agent", "location", "value", "effect"})
_MINIMAL: Final = LENGTHS[1:]


def sized_json(alert: Alert, max_bytes: int, *, minimal: bool = False) -> str:
    """One line of JSON of at most `max_bytes` bytes in UTF-8.

    What is left out of it is named in its member `omitted`; texts that are cut end in saying so.

    Args:
        alert: what to tell.
        max_bytes: 64 KiB at least, into which every alert fits.
        minimal: leave out the record whatever its size, and say so by `"minimal": true`.

    Raises:
        ValueError: `max_bytes` is too few.
    """
    for text in _versions(alert, minimal=minimal):
        if len(text) <= max_bytes and len(text.encode()) <= max_bytes:
            return text
    raise ValueError(f"no alert is sure to fit into {max_bytes} bytes")


def _versions(alert: Alert, *, minimal: bool) -> Iterator[str]:
    """The same alert, shorter and shorter."""
    if not minimal:
        yield alert.to_json().decode()
    head = {"minimal": True} if minimal else {}
    for lengths in _MINIMAL if minimal else LENGTHS:
        yield strict_json(head | _without_record(alert, lengths)).decode()


def _without_record(alert: Alert, lengths: Lengths) -> dict[str, Any]:
    changes = tuple(replace(change, value=as_text(change.value)) for change in alert.changes[: lengths.items])
    fields = asdict(replace(alert, record={}, context=None, changes=changes))
    del fields["record"], fields["context"]
    omitted = ["record", "context"] if alert.context is not None else ["record"]
    omitted += [name for name in ("changes", "resources") if len(getattr(alert, name)) > lengths.items]
    return {"omitted": omitted, **_shortened(fields, lengths)}


def _shortened(value: Any, lengths: Lengths, name: str = "") -> Any:
    if isinstance(value, str):
        return cut(value, lengths.free if name in _FREE else lengths.ids)
    if isinstance(value, dict):
        return {key: _shortened(item, lengths, key) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_shortened(item, lengths, name) for item in value[: lengths.items]]
    return value
