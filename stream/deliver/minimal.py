"""The least that still tells the alert, as JSON: for a service that has refused the whole of it."""

from dataclasses import asdict, replace
from typing import Any, Final

from stream.alert import Alert
from stream.deliver.text import as_text, cut
from stream.json_value import strict_json

_MAX_TEXT: Final = 500  # characters of one text
_MAX_ITEMS: Final = 20  # of one list


def minimal_json(alert: Alert) -> bytes:
    """The alert's JSON without `record` and `context`, with `"minimal": true`, its long texts and lists cut."""
    changes = tuple(replace(change, value=as_text(change.value)) for change in alert.changes[:_MAX_ITEMS])
    fields = asdict(replace(alert, record={}, context=None, changes=changes))
    del fields["record"], fields["context"]
    return strict_json({"minimal": True, **_shorten(fields)})


def _shorten(value: Any) -> Any:
    if isinstance(value, str):
        return cut(value, _MAX_TEXT)
    if isinstance(value, dict):
        return {key: _shorten(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_shorten(item) for item in value[:_MAX_ITEMS]]
    return value
