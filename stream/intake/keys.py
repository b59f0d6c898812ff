"""A key of S3 in; out, the account whose CloudTrail log file it is, or why it is none of our business.

Judged by its end alone and by whole path segments, so that no prefix can pass for something that it isn't.
"""

import re
from typing import Final, Literal

SkipReason = Literal["digest", "insight", "aggregated", "other_service", "not_a_log_file", "not_created"]

# https://docs.aws.amazon.com/awscloudtrail/latest/userguide/get-and-view-cloudtrail-log-files.html: an optional prefix,
# then AWSLogs/[organization/]account/CloudTrail/region/YYYY/MM/DD/name.json.gz. Some tools keep the files unpacked.
_ACCOUNT: Final = r"AWSLogs/(?:o-[a-z0-9]+/)?([0-9]{12})/"
_LOG_FILE: Final = re.compile(
    r"(?:\A|/)"
    + _ACCOUNT
    + r"(?:CloudTrail|CloudTrail-NetworkActivity)/([a-z0-9-]+)/[0-9]{4}/[0-9]{2}/[0-9]{2}/[^/]+\.json(?:\.gz)?\Z"
)
_SERVICE: Final = re.compile(r"\A(?:.*/)?" + _ACCOUNT + r"([^/]+)/", re.DOTALL)  # greedy: the last one in the key

_SKIPPED: Final[dict[str, SkipReason]] = {
    "CloudTrail-Digest": "digest",
    "CloudTrail-Insight": "insight",
    "CloudTrail-Aggregated": "aggregated",
    "CloudTrail": "not_a_log_file",
    "CloudTrail-NetworkActivity": "not_a_log_file",
}


def log_file_account(key: str) -> str | None:
    """The account, 12 digits, whose log file this (decoded) key names; `None` if it names no log file."""
    found = _LOG_FILE.search(key)
    return found[1] if found else None


def key_region(key: str) -> str | None:
    """The region that a log file's (decoded) key names; `None` if it names no log file."""
    found = _LOG_FILE.search(key)
    return found[2] if found else None


def skip_reason(key: str) -> SkipReason:
    """Why a (decoded) key that names no log file is skipped."""
    found = _SERVICE.match(key)
    return _SKIPPED.get(found[2], "other_service") if found else "not_a_log_file"
