"""Which data events a trail records by a call of PutEventSelectors, so that two calls can be held against each other.

https://docs.aws.amazon.com/awscloudtrail/latest/userguide/logging-data-events-with-cloudtrail.html
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from stream.detect.selectors import ADVANCED, BASIC
from stream.json_value import at, canonical, fold, items, text_at

_MOST: Final = 500
"""AWS allows a trail 250 data resources (https://docs.aws.amazon.com/awscloudtrail/latest/userguide/WhatIsCloudTrail-Limits.html),
of which each may count for reads and for writes."""
_EVERYTHING: Final = re.compile(r"arn:[^:]*:[a-z0-9]+(:::)?")
"""How the basic selectors spell all buckets, all functions, all tables: `arn:aws:s3`, `arn:aws:lambda`."""
_BOTH: Final = ("read", "write")
_KINDS: Final[Mapping[str, tuple[str, ...]]] = {"all": _BOTH, "readonly": ("read",), "writeonly": ("write",)}
_OBJECTS: Final = "aws::s3::object"


@dataclass(frozen=True, slots=True, order=True)
class Recorded:
    """Some data events that are recorded.

    Attributes:
        kind: `read` or `write`.
        type: of the resources, folded: `aws::s3::object`.
        prefix: of their ARNs; empty: of all.
        more: what else is asked of them, spelt out; empty: nothing.
    """

    kind: str
    type: str
    prefix: str
    more: str = ""

    def covers(self, other: "Recorded") -> bool:
        """Whether all of the other's events are among these."""
        return (
            (self.kind, self.type) == (other.kind, other.type)
            and other.prefix.startswith(self.prefix)
            and self.more in ("", other.more)
        )


def recorded(parameters: Any) -> frozenset[Recorded] | None:
    """What selectors record of data events; `None` if they can't be read, or are too many.

    Args:
        parameters: `requestParameters` of the call.
    """
    found: set[Recorded] = set()
    for field, read in ((BASIC, _basic), (ADVANCED, _advanced)):
        sent = at(parameters, field)
        if sent is not None and not isinstance(sent, list | tuple):
            return None
        for entry in sent or ():
            if not isinstance(entry, Mapping):
                return None
            found.update(read(entry))
            if len(found) > _MOST:
                return None
    sent_any = any(at(parameters, field) is not None for field in (BASIC, ADVANCED))
    return frozenset(found) if sent_any else None


def lost(before: Iterable[Recorded], after: Iterable[Recorded]) -> list[Recorded]:
    """What was recorded before and is not, or not for certain, any more."""
    after = list(after)
    return sorted(one for one in before if not any(other.covers(one) for other in after))


def writes_to(bucket: str, recorded_events: Iterable[Recorded]) -> bool:
    """Whether writes of all objects in a bucket are recorded."""
    arn = re.compile(rf"arn:[^:]*:s3:::{re.escape(bucket)}/")
    return any(
        one.kind == "write" and one.type == _OBJECTS and not one.more and (not one.prefix or arn.fullmatch(one.prefix))
        for one in recorded_events
    )


def _basic(entry: Mapping[str, Any]) -> Iterator[Recorded]:
    kinds = _KINDS.get(fold(text_at(entry, "readWriteType") or "all"), ())
    for resource in items(entry.get("dataResources")):
        type_ = fold(text_at(resource, "type") or "")
        for value in items(at(resource, "values")):
            if isinstance(value, str):
                prefix = "" if _EVERYTHING.fullmatch(value) else value
                yield from (Recorded(kind, type_, prefix) for kind in kinds)


def _advanced(entry: Mapping[str, Any]) -> Iterator[Recorded]:
    fields = {
        fold(text_at(one, "field") or ""): one for one in items(entry.get("fieldSelectors")) if isinstance(one, Mapping)
    }
    category = items(at(fields.pop("eventcategory", None), "equals"))
    if not any(isinstance(value, str) and fold(value) == "data" for value in category):
        return
    types = [fold(value) for value in items(at(fields.pop("resources.type", None), "equals")) if isinstance(value, str)]
    read_only = [fold(str(value)) for value in items(at(fields.pop("readonly", None), "equals"))]
    kinds = tuple(kind for kind, value in (("read", "true"), ("write", "false")) if value in (read_only or [value]))
    prefixes = [""]
    arn = fields.get("resources.arn")
    if arn is not None and set(arn) <= {"field", "startsWith", "equals"}:
        named = [*items(arn.get("startsWith")), *items(arn.get("equals"))]
        if named and all(isinstance(value, str) for value in named):
            prefixes = [str(value) for value in named]
            del fields["resources.arn"]
    more = canonical(fields) if fields else ""
    for kind in kinds:
        for type_ in types:
            yield from (Recorded(kind, type_, prefix, more) for prefix in prefixes)
