"""Changes to a log file other than writing it anew and deleting it: a call's parameters in, findings out.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/cloudtrail-logging-s3-info.html
"""

from collections.abc import Sequence
from typing import Final
from urllib.parse import unquote

from stream.detect.finding import Finding
from stream.detect.watch import buckets
from stream.detect.watch.log_keys import is_of_logs
from stream.detect.watch.row import Scene
from stream.json_value import text_at

_SOURCE: Final = "x-amz-rename-source"


def renamed(scene: Scene) -> Sequence[Finding] | None:
    """Of RenameObject, whose `key` is the new one: a file that leaves `AWSLogs/`, or takes the place of one there."""
    source = unquote(text_at(scene.parameters, _SOURCE) or "")
    if is_of_logs(source):
        return [Finding(_SOURCE, source, "a log file is no longer where its service wrote it", "critical")]
    return buckets.log_object(scene)


def encryption(scene: Scene) -> Sequence[Finding] | None:
    """Of UpdateObjectEncryption."""
    if buckets.log_object(scene) is None:
        return None
    effect = "a log file may be encrypted with a key that readers can't use"
    return [Finding("ObjectEncryption", scene.parameters.get("ObjectEncryption"), effect, "critical")]


def legal_hold(scene: Scene) -> Sequence[Finding] | None:
    """Of PutObjectLegalHold."""
    if not _is_log(scene):
        return None
    status = text_at(scene.parameters, "LegalHold", "Status")
    if status == "ON":
        return [Finding("LegalHold", status, "a log file can't be deleted while it is held")]
    effect = "nothing holds it any more" if status == "OFF" else "its hold was changed, and may be gone"
    return [Finding("LegalHold", status, f"a log file may be deleted: {effect}", "high")]


def access_list(scene: Scene) -> Sequence[Finding] | None:
    """Of PutObjectAcl."""
    return buckets.access_list(scene) if _is_log(scene) else None


def _is_log(scene: Scene) -> bool:
    return is_of_logs(text_at(scene.parameters, "key") or "")
