"""Which trail an alert is about: what the alerts of one incident have in common."""

from typing import Final

from stream.alert import Alert

_TRAIL: Final = "AWS::CloudTrail::Trail"
"""https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-resource-cloudtrail-trail.html"""


def trail_arn(alert: Alert) -> str | None:
    """The ARN of the first trail among the alert's resources, as it was recorded."""
    return next((resource.arn for resource in alert.resources if resource.type == _TRAIL and resource.arn), None)
