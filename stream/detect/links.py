"""Where to look next: an event in, an address of AWS's console and a page of its documentation out."""

import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import quote

from stream.alert import Links
from stream.detect.targets import partition_of

# Those of the isolated partitions are not public.
_CONSOLES: Final[Mapping[str, str]] = {
    "aws": "console.aws.amazon.com",
    "aws-us-gov": "console.amazonaws-us-gov.com",
    "aws-cn": "console.amazonaws.cn",
}
_REGION: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
"""One label of a host name: what an attacker typed must not become another address."""
_REFERENCE: Final = "https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_{}.html"


def links(*, region: str, event_id: str, operation: str | None) -> Links:
    """Links for an event.

    Args:
        region: where it was recorded, as the record says.
        event_id: as the record says; the event history finds the event by it for 90 days.
        operation: CloudTrail's own operation, in our spelling, that AWS's reference describes; `None` of any other.
    """
    host = _CONSOLES.get(partition_of(region)) if _REGION.fullmatch(region) else None
    console = None
    if host and event_id:
        found_by = quote(event_id, safe="", errors="replace")
        console = f"https://{host}/cloudtrailv2/home?region={region}#/events?EventId={found_by}"
    return Links(console, _REFERENCE.format(operation) if operation else None)
