"""Changes to a bucket of log files and to the files in it: a call's parameters in, findings out.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/cloudtrail-logging-s3-info.html
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from stream.detect.finding import Finding
from stream.detect.watch.log_keys import LOGS, is_of_logs, may_begin, may_end, whose
from stream.detect.watch.row import Scene
from stream.json_value import at, flag, items, shown, text_at

_EVERYBODY: Final = ("groups/global/AllUsers", "groups/global/AuthenticatedUsers")
_TRAIL_FILE: Final = re.compile(r"(?:^|/)AWSLogs/(?:o-[a-z0-9]+/)?[0-9]{12}/CloudTrail[^/]*/", re.IGNORECASE)
_DELIVERED: Final = ("s3:ObjectCreated:*", "s3:ObjectCreated:Put")
"""CloudTrail puts its files: it copies none, and uploads none by parts or by a form."""
_TEXT_CHARACTERS: Final = 80


def lifecycle(scene: Scene) -> Sequence[Finding]:
    """Of PutBucketLifecycle: does a rule let log files expire?"""
    given = at(scene.parameters, "LifecycleConfiguration", "Rule")
    if given is None:
        given = at(scene.parameters, "LifecycleConfiguration", "Rules")
    findings = []
    for rule in items(given):
        if not isinstance(rule, Mapping) or rule.get("Status") == "Disabled":
            continue
        expiry = [rule.get(name) for name in ("Expiration", "NoncurrentVersionExpiration")]
        days = [_days(each) for each in expiry if isinstance(each, Mapping)]
        prefix = _prefix(rule)
        if not [each for each in days if each] or (covered := _covers_logs(prefix, scene)) is False:
            continue
        under = f" under {shown(prefix, _TEXT_CHARACTERS)}" if prefix else ""
        what = "log files" if covered else "files that may be log files"
        effect = f"{what}{under} are deleted by themselves {', '.join(filter(None, days))}"
        findings.append(Finding("LifecycleConfiguration", rule, effect, "critical" if covered else "high"))
    if given is None and not findings:
        effect = "its lifecycle could not be read and may let log files expire"
        return [Finding("LifecycleConfiguration", None, effect, "critical")]
    return findings or [Finding("LifecycleConfiguration", given, "no rule lets log files expire")]


def _days(expiration: Mapping[str, Any]) -> str | None:
    for name in ("Days", "NoncurrentDays"):
        if (days := text_at(expiration, name)) is not None:
            return f"after {shown(days, 16)} days"
    if (date := text_at(expiration, "Date")) is not None:
        return f"on {shown(date, 32)}"
    return None


def _prefix(rule: Mapping[str, Any]) -> str:
    places = (("Prefix",), ("Filter", "Prefix"), ("Filter", "And", "Prefix"))
    return next(filter(None, (text_at(rule, *place) for place in places)), "")


def _covers_logs(prefix: str, scene: Scene) -> bool | None:
    """Log files lie under `[prefix/]AWSLogs/`; who writes `*` means all, though S3 takes it to the letter.

    `None`: it may. Of a bucket that is only taken for one of log files, an unknown prefix is not said to be theirs too.
    """
    start = prefix.rstrip("*")
    own_prefix, _ = whose(scene)
    place = f"{own_prefix}/{LOGS}" if own_prefix else LOGS
    if place.startswith(start) or LOGS in start + "/":
        return True
    named = any(scene.own.knows(name) or scene.own.around.reads(name) for name in scene.names)
    return None if own_prefix is None and named else False


def versioning(scene: Scene) -> Sequence[Finding]:
    """Of PutBucketVersioning."""
    status = text_at(scene.parameters, "VersioningConfiguration", "Status")
    mfa = text_at(scene.parameters, "VersioningConfiguration", "MfaDelete")
    findings = []
    if mfa == "Disabled":
        findings.append(Finding("MfaDelete", mfa, "versions may be deleted without a second factor", "high"))
    if status == "Enabled":
        findings.append(Finding("Status", status, "versions of log files are kept"))
    else:
        effect = "versions are no longer kept: who overwrites or deletes a log file destroys it"
        findings.append(Finding("Status", status, effect, "high"))
    return findings


def object_lock(scene: Scene) -> Sequence[Finding]:
    """Of PutBucketObjectLockConfiguration."""
    rule = at(scene.parameters, "ObjectLockConfiguration", "Rule", "DefaultRetention")
    mode = text_at(rule, "Mode")
    if mode == "COMPLIANCE":
        return [Finding("ObjectLockConfiguration", rule, "new log files can't be deleted before their time")]
    effect = (
        "new log files may be deleted by whoever may bypass the lock: its mode is GOVERNANCE"
        if mode == "GOVERNANCE"
        else "new log files are no longer locked against deletion"
    )
    return [Finding("ObjectLockConfiguration", rule, effect, "high")]


def public_access(scene: Scene) -> Sequence[Finding]:
    """Of PutBucketPublicAccessBlock."""
    block = at(scene.parameters, "PublicAccessBlockConfiguration")
    names = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
    off = [name for name in names if flag(at(block, name)) is not True]
    if off:
        return [
            Finding(
                "PublicAccessBlockConfiguration", block, f"it may be opened to the public: {', '.join(off)} off", "high"
            )
        ]
    return [Finding("PublicAccessBlockConfiguration", block, "it can't be opened to the public")]


def access_list(scene: Scene) -> Sequence[Finding]:
    """Of PutBucketAcl."""
    text = shown(scene.parameters, 20_000)
    if "public-read" in text or any(each in text for each in _EVERYBODY):
        return [Finding("AccessControlPolicy", None, "everybody on the Internet may see what is in it", "high")]
    return [Finding("AccessControlPolicy", None, "other accounts may have got access to it", "medium")]


def access_logging(scene: Scene) -> Sequence[Finding]:
    """Of PutBucketLogging."""
    to = at(scene.parameters, "BucketLoggingStatus", "LoggingEnabled")
    if isinstance(to, Mapping):
        return [Finding("BucketLoggingStatus", to, "access to it is logged")]
    return [Finding("BucketLoggingStatus", to, "access to it is no longer logged", "medium")]


def notification(scene: Scene) -> Sequence[Finding]:
    """Of PutBucketNotification: does word of new log files still come our way?"""
    given = at(scene.parameters, "NotificationConfiguration")
    if not isinstance(given, Mapping):
        effect = "new log files may no longer be announced: what is announced could not be read"
        return [Finding("NotificationConfiguration", given, effect, "critical")]
    ours = (*scene.own.around.queues, *scene.own.around.topics, *filter(None, (scene.own.topic_arn,)))
    announced = [
        (text_at(each, "Queue") or text_at(each, "Topic") or "", each)
        for name in ("QueueConfiguration", "QueueConfigurations", "TopicConfiguration", "TopicConfigurations")
        for each in items(given.get(name))
        if isinstance(each, Mapping)
    ]
    reached = [(to, _reaches(each, scene)) for to, each in announced if _is_of_new_files(each)]
    useful = [to for to, whether in reached if whether is not False]
    bridged = any(name in given for name in ("EventBridgeConfiguration", "EventBridge"))
    # What S3 gives to EventBridge is of no use to who hears of this bucket by S3's own queue or topic.
    by_s3 = scene.own.told_by_s3 and scene.own.bucket in scene.names
    if (bridged and not by_s3) or any(to in ours and whether for to, whether in reached):
        return [Finding("NotificationConfiguration", given, "new log files are still announced")]
    if any(to in ours for to in useful):
        effect = "new files are announced only in some folder; if log files are not in it, we are blind"
        return [Finding("NotificationConfiguration", given, effect, "high")]
    if bridged and not useful:
        effect = "new log files are announced to EventBridge alone, and to no queue or topic of S3's: we are blind"
        return [Finding("NotificationConfiguration", given, effect, "critical")]
    if not useful:
        effect = "new log files are no longer announced: Trailstream hears of none and is blind"
        return [Finding("NotificationConfiguration", given, effect, "critical")]
    if any(to.startswith("arn:") for to in ours):
        effect = "new log files are no longer announced to Trailstream's queue or topic: it is blind"
        return [Finding("NotificationConfiguration", given, effect, "critical")]
    effect = f"new log files are announced to {shown(useful[0], _TEXT_CHARACTERS)}; if that is not ours, we are blind"
    return [Finding("NotificationConfiguration", given, effect, "high")]


def _is_of_new_files(configuration: Mapping[str, Any]) -> bool:
    events = list(items(configuration.get("Event") or configuration.get("Events")))
    return not events or any(each in _DELIVERED for each in events)


def _reaches(configuration: Mapping[str, Any], scene: Scene) -> bool | None:
    """Whether the filter on keys, if there is one, lets log files through; `None` if nobody knows."""
    prefix, account = whose(scene)
    reaches: bool | None = True
    for rule in items(at(configuration, "Filter", "S3Key", "FilterRule")):
        value = text_at(rule, "Value") or ""
        name = (text_at(rule, "Name") or "").lower()
        if name == "suffix" and not may_end(value):
            return False
        if name == "prefix":
            reaches = may_begin(value, prefix, account)
            if reaches is False:
                return False
    return reaches


def replication(scene: Scene) -> Sequence[Finding]:
    """Of PutBucketReplication: where do copies go?"""
    rules = items(at(scene.parameters, "ReplicationConfiguration", "Rule"))
    to = [text_at(rule, "Destination", "Bucket") for rule in rules]
    places = ", ".join(shown(each, _TEXT_CHARACTERS) for each in to if each) or "an unknown place"
    return [Finding("ReplicationConfiguration", rules, f"copies of log files now go to {places}", "high")]


def log_object(scene: Scene) -> Sequence[Finding] | None:
    """Of DeleteObject, PutObject and CopyObject: a file under `AWSLogs/`, and not written by the service itself."""
    key = text_at(scene.parameters, "key") or ""
    identity = scene.record.get("userIdentity")
    writer = text_at(identity, "invokedBy") if at(identity, "type") == "AWSService" else None
    # AWS's own services write under AWSLogs/ all the time.
    if not is_of_logs(key) or (writer and writer.endswith(".amazonaws.com")):
        return None
    of_trail = _TRAIL_FILE.search(key)
    what = "a log file of CloudTrail's" if of_trail else "a log file"
    return [Finding("key", key, f"{what} is not what its service wrote any more", "critical")]


def deleted_object(scene: Scene) -> Sequence[Finding] | None:
    """Of DeleteObject: a file under `AWSLogs/`."""
    key = text_at(scene.parameters, "key") or ""
    if not is_of_logs(key):
        return None
    version = text_at(scene.parameters, "versionId")
    effect = (
        "what was recorded in that file is lost" if version else "that file is gone, but for versions that are kept"
    )
    return [Finding("key", key, effect, "critical")]


def retention(scene: Scene) -> Sequence[Finding] | None:
    """Of PutObjectRetention: is a lock bypassed?"""
    key = text_at(scene.parameters, "key") or ""
    if not is_of_logs(key):
        return None
    bypass = scene.parameters.get("x-amz-bypass-governance-retention")
    if flag(bypass) is not True:
        return [Finding("key", key, "the lock of a log file was set")]
    return [Finding("x-amz-bypass-governance-retention", bypass, "the lock of a log file was bypassed", "critical")]
