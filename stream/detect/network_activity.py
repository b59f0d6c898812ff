"""A record in; out, whether it only says that a call passed a VPC endpoint.

https://docs.aws.amazon.com/awscloudtrail/latest/userguide/logging-network-events-with-cloudtrail.html
"""

import re
from collections.abc import Mapping
from typing import Any, Final

from stream.alert import LogFile

_FOLDER: Final = re.compile(r"(?:\A|/)AWSLogs/(?:o-[a-z0-9]+/)?[0-9]{12}/CloudTrail-NetworkActivity(?:/[^/]+){5}\Z")
"""To a file's end: region, year, month, day, name. A prefix may be called like anything."""


def is_network_activity(record: Mapping[str, Any], log_file: LogFile | None) -> bool:
    """Whether a record is a network activity event: of whoever's call and trail, without its parameters.

    The call itself is recorded, where it concerns us, as a management or data event in a file of another folder. The
    record has to say so and to come from the folder for them, which only the object's own key tells: a record that
    says so anywhere else is none that CloudTrail wrote, and is judged like any other.
    """
    return (
        log_file is not None
        and record.get("eventCategory") == "NetworkActivity"
        and record.get("eventType") == "AwsVpceEvent"
        and _FOLDER.search(log_file.key) is not None
    )
