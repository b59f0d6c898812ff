"""Where an account's log files lie in their bucket: how keys begin or end in; out, whether theirs may do so.

https://docs.aws.amazon.com/awscloudtrail/latest/userguide/get-and-view-cloudtrail-log-files.html
"""

import re
from typing import Final

from stream.detect.watch.row import Scene
from stream.json_value import text_at

LOGS: Final = "AWSLogs/"
_AFTER_ANY_PREFIX: Final = re.compile(r"\A(?:.*/)?AWSLogs/", re.DOTALL)
_ACCOUNT: Final = re.compile(r"([0-9]{12})/")
_ORGANIZATION: Final = re.compile(r"\Ao-[a-z0-9]*(?:/|\Z)")


def is_of_logs(key: str) -> bool:
    """Whether a file lies under `AWSLogs/`, in either case: there CloudTrail and other services log."""
    return LOGS.lower() in key.lower()


def whose(scene: Scene) -> tuple[str | None, str]:
    """Prefix and account of the log files in a scene's bucket, `None` and empty where they are unknown."""
    if scene.own.bucket is None or scene.own.bucket not in scene.names:
        return None, ""  # the record came by another way, and tells nothing of whose files are in this bucket
    return scene.own.prefix, text_at(scene.record, "recipientAccountId") or ""


def may_begin(text: str, prefix: str | None, account: str) -> bool | None:
    """Whether the key of a log file may begin like this; `None` if that hangs on a prefix that nobody knows.

    Args:
        text: how a key begins.
        prefix: of the log files, without slashes at its ends; `None` if unknown.
        account: whose log files they are; empty: anybody's.
    """
    if prefix is not None:
        head = f"{prefix}/{LOGS}" if prefix else LOGS
    else:
        found = _AFTER_ANY_PREFIX.match(text)
        head = found[0] if found else LOGS
    if head.startswith(text):
        return True
    if not text.startswith(head):
        return None if prefix is None else False
    rest = _ORGANIZATION.sub("", text.removeprefix(head))
    if not account and (found := _ACCOUNT.match(rest)):
        account = found[1]
    folder = f"{account}/CloudTrail/"
    return not account or folder.startswith(rest) or rest.startswith(folder)


def may_end(text: str) -> bool:
    """Whether the key of a log file may end like this."""
    return ".json.gz".endswith(text)
