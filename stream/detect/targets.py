"""What the call was aimed at: a record in, the trail's ARN and its plain name out."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from stream.alert import Resource
from stream.detect.surroundings import Surroundings
from stream.json_value import at, items, shown, text_at

TRAIL: Final = "AWS::CloudTrail::Trail"

# https://docs.aws.amazon.com/global-infrastructure/latest/regions/aws-regions.html and .../aws-partitions.html
_PARTITIONS: Final = (
    ("us-gov-", "aws-us-gov"),
    ("cn-", "aws-cn"),
    ("us-iso-", "aws-iso"),
    ("us-isob-", "aws-iso-b"),
    ("us-isof-", "aws-iso-f"),
    ("eu-isoe-", "aws-iso-e"),
    ("eusc-", "aws-eusc"),
)
_ARN: Final = re.compile(r"arn:[^:]*:cloudtrail:[^:]*:(?P<account>[^:]*):(?P<kind>[a-z]+)/(?P<name>.+)", re.DOTALL)
_KINDS: Final[Mapping[str, tuple[str, str]]] = {
    "trail": (TRAIL, "trail"),
    "eventdatastore": ("AWS::CloudTrail::EventDataStore", "event data store"),
    "channel": ("AWS::CloudTrail::Channel", "channel"),
    "dashboard": ("AWS::CloudTrail::Dashboard", "dashboard"),
}
_NAME_CHARACTERS: Final = 64
_NOTHING_KNOWN: Final = Surroundings()


@dataclass(frozen=True, slots=True)
class Target:
    """What one of CloudTrail's own calls was aimed at.

    Attributes:
        resource: `None` if the record does not say.
        words: what to call it: `trail main`.
        protected: as the resource's; what could not be read is taken for a protected trail.
        organization: it is known to be an organisation's trail.
        stand_in: the name of another trail that records the same, as far as is known.
    """

    resource: Resource | None
    words: str
    protected: bool
    organization: bool = False
    stand_in: str | None = None


def partition_of(region: str) -> str:
    """The partition that a region is in; `aws` for one that nobody knows."""
    return next((partition for prefix, partition in _PARTITIONS if region.startswith(prefix)), "aws")


def target_of(record: Mapping[str, Any], *, account: str, region: str, around: Surroundings = _NOTHING_KNOWN) -> Target:
    """The trail (or, of a tag, whatever CloudTrail has) that the call was aimed at.

    Args:
        record: of an event of CloudTrail's own.
        account: the recipient's, 12 digits, for a trail that was named without one.
        region: for the same.
        around: says what is protected; if it names nothing, every trail is.
    """
    named = _named(record)
    if named is None:
        return Target(None, "a trail whose name could not be read", protected=True)
    arn = (
        named if named.startswith("arn:") else f"arn:{partition_of(region)}:cloudtrail:{region}:{account}:trail/{named}"
    )
    found = _ARN.fullmatch(arn)
    if found is None:
        protected = not around.protected or around.protects((arn, named))
        return Target(Resource(TRAIL, arn, protected), f"trail {shown(named, _NAME_CHARACTERS)}", protected)
    kind, words = _KINDS.get(found["kind"], ("AWS::CloudTrail::" + found["kind"], found["kind"]))
    words = f"{words} {shown(found['name'], _NAME_CHARACTERS)}"
    if found["account"] != account and found["account"]:
        words += f" of account {shown(found['account'], 20)}"
    # Until somebody says which ones, every trail is protected, and nothing else is.
    protected = around.protects((arn, found["name"], named)) or (kind == TRAIL and around.needs(arn))
    known, stand_in = (around.trails.find(arn), around.trails.stand_in(arn)) if around.trails else (None, None)
    return Target(
        Resource(kind, arn, protected),
        words,
        protected,
        organization=known is not None and known.organization,
        stand_in=shown(stand_in.arn.rpartition("/")[2], _NAME_CHARACTERS) if stand_in else None,
    )


def listed_resources(record: Mapping[str, Any]) -> tuple[Resource, ...]:
    """The resources that a record itself lists; whether they are protected, nobody can say yet."""
    found = []
    for entry in items(record.get("resources")):
        arn = text_at(entry, "ARN")
        if arn:
            found.append(Resource(text_at(entry, "type") or "", arn, protected=None))
    return tuple(found)


def _named(record: Mapping[str, Any]) -> str | None:
    """The trail's ARN, or its name; the response knows best."""
    parameters = record.get("requestParameters")
    listed = (text_at(entry, "ARN") for entry in items(record.get("resources")) if at(entry, "type") == TRAIL)
    candidates = (
        _text(record, "responseElements", "trailARN"),
        _text(parameters, "resourceId"),
        next(filter(None, listed), None),
        _text(parameters, "name"),
        _text(parameters, "trailName"),
    )
    return next(filter(None, candidates), None)


def _text(value: Any, *path: str) -> str | None:
    found = at(value, *path)
    return found.strip() or None if isinstance(found, str) else None
