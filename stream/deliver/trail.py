"""Which trail an alert is about: what the alerts of one incident have in common."""

import hashlib
import re
from typing import Final

from stream.alert import Alert
from stream.notice import is_notice

_TRAIL: Final = "AWS::CloudTrail::Trail"
"""https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-resource-cloudtrail-trail.html"""

# What real ARNs and our own ids are made of, save what some program would take for an address.
_PLAIN: Final = re.compile(r"(?!.*(//|www\.))[A-Za-z0-9._:/-]{1,255}", re.IGNORECASE)


def trail_arn(alert: Alert) -> str | None:
    """The ARN of the first trail among the alert's resources, as it was recorded."""
    return next((resource.arn for resource in alert.resources if resource.type == _TRAIL and resource.arn), None)


def incident_key(alert: Alert) -> str:
    """What is one incident: account and trail, or the alert itself if it is about no trail; 255 characters at most.

    What Trailstream tells of itself is one incident from its beginning to its end.

    One that is too long, or not fit to be shown, becomes its SHA-256: cut, two trails might share it.
    """
    arn = trail_arn(alert)
    if arn is not None:
        key = f"trailstream/{alert.event.account_id}/{arn}"
    else:
        key = f"trailstream/notice/{alert.event.id}" if is_notice(alert) else alert.id
    return key if _PLAIN.fullmatch(key) else "trailstream/" + _digest(key)


def incident_id(alert: Alert) -> str:
    """The same in 76 letters, digits and hyphens whatever was recorded: fit for a query, a list and a URL."""
    return "trailstream-" + _digest(incident_key(alert))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
