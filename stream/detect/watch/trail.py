"""The watch list of what a trail itself stands on: CloudTrail's other resources, its bucket, key, log group, alarms.

https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_Operations.html
https://docs.aws.amazon.com/AmazonS3/latest/userguide/cloudtrail-logging-s3-info.html
https://docs.aws.amazon.com/kms/latest/developerguide/logging-using-cloudtrail.html
"""

from typing import Final

from stream.detect.watch import buckets, kinds, objects, policies, settings
from stream.detect.watch.row import Judge, Row, Rows
from stream.severity import Severity


def _bucket(verb: str, severity: Severity, meaning: str, judge: Judge | None = None) -> Row:
    return Row(kinds.BUCKET, ("bucketName",), verb, severity, meaning, judge)


def _object(verb: str, meaning: str, judge: Judge | None = None, severity: Severity = "critical") -> Row:
    return Row(kinds.OBJECT, ("bucketName",), verb, severity, meaning, judge)


def _store(verb: str, severity: Severity, meaning: str, judge: Judge | None = None) -> Row:
    return Row(kinds.STORE, ("eventDataStore",), verb, severity, meaning, judge)


def _key(verb: str, severity: Severity, meaning: str, judge: Judge | None = None, *, opaque: bool = False) -> Row:
    return Row(kinds.KEY, ("keyId",), verb, severity, meaning, judge, opaque)


def _group(verb: str, meaning: str, judge: Judge | None = None) -> Row:
    return Row(kinds.LOG_GROUP, ("logGroupName", "logGroupIdentifier"), verb, "high", meaning, judge)


_OVERWRITTEN = _object("overwrite a file in", "it is not what was recorded", buckets.log_object)
_LIFECYCLE = _bucket("change the lifecycle of", "critical", "log files may expire", buckets.lifecycle)
_REPLICATION = _bucket("change the replication of", "high", "copies of log files go elsewhere", buckets.replication)
_LOCK = _bucket("change the object lock of", "high", "log files may be deleted", buckets.object_lock)

TRAIL: Final[Rows] = {
    "cloudtrail": {
        "DeleteEventDataStore": _store("delete", "critical", "what it collected can no longer be searched"),
        "StopEventDataStoreIngestion": _store("stop", "high", "it collects no more events"),
        "UpdateEventDataStore": _store("change", "critical", "what it collects is unknown", settings.event_data_store),
        "PutInsightSelectors": Row(
            kinds.TRAIL,
            ("trailName", "eventDataStore"),
            "change the insights of",
            "medium",
            "unusual activity may no longer be looked for",
            settings.insight_selectors,
        ),
        "PutEventConfiguration": Row(
            kinds.TRAIL,
            ("trailName", "eventDataStore"),
            "change the event configuration of",
            "low",
            "how much each event says has changed",
        ),
        "DeregisterOrganizationDelegatedAdmin": Row(
            kinds.ACCOUNT,
            ("delegatedAdminAccountId",),
            "remove the delegated administration from",
            "high",
            "that account no longer looks after the organisation's trails",
        ),
        "RegisterOrganizationDelegatedAdmin": Row(
            kinds.ACCOUNT,
            ("memberAccountId",),
            "add a delegated administrator:",
            "high",
            "that account may now change and delete the organisation's trails",
        ),
        "PutResourcePolicy": Row(
            kinds.STORE, ("resourceArn",), "change the policy of", "high", "others may have got access, or lost it"
        ),
        "DeleteResourcePolicy": Row(
            kinds.STORE, ("resourceArn",), "delete the policy of", "high", "others have lost their access to it"
        ),
        "DisableFederation": _store("disable queries on", "medium", "Athena can no longer search it"),
        "DeleteChannel": Row(
            kinds.CHANNEL, ("channel",), "delete", "medium", "events from outside AWS are no longer collected"
        ),
        "UpdateChannel": Row(
            kinds.CHANNEL, ("channel",), "change", "medium", "events from outside AWS go to other places"
        ),
        "StopImport": Row(kinds.IMPORT, ("importId",), "stop", "low", "old log files are no longer copied"),
    },
    "s3": {
        "PutBucketPolicy": _bucket(
            "change the policy of", "critical", "CloudTrail may no longer write there", policies.bucket_policy
        ),
        "DeleteBucketPolicy": _bucket(
            "delete the policy of", "critical", "CloudTrail may no longer write log files there"
        ),
        "DeleteBucket": _bucket("delete", "critical", "log files have no place to go, and none are delivered"),
        "PutBucketLifecycle": _LIFECYCLE,
        "PutBucketLifecycleConfiguration": _LIFECYCLE,
        "PutBucketVersioning": _bucket(
            "change the versioning of", "high", "versions may no longer be kept", buckets.versioning
        ),
        "PutObjectLockConfiguration": _LOCK,
        "PutBucketObjectLockConfiguration": _LOCK,
        "PutBucketReplication": _REPLICATION,
        "PutBucketReplicationConfiguration": _REPLICATION,
        "DeleteBucketReplication": _bucket("stop the replication of", "high", "no more copies of log files are made"),
        "PutBucketEncryption": _bucket(
            "change the encryption of", "medium", "log files may be encrypted with a key that readers can't use"
        ),
        "DeleteBucketEncryption": _bucket(
            "remove the encryption from", "medium", "log files are encrypted by S3's own key only"
        ),
        "PutBucketPublicAccessBlock": _bucket(
            "change the public access to", "high", "it may be opened to the public", buckets.public_access
        ),
        "DeleteBucketPublicAccessBlock": _bucket(
            "remove the public access block from", "high", "it may now be opened to the public"
        ),
        "PutBucketAcl": _bucket(
            "change the access list of", "high", "others may have got access to it", buckets.access_list
        ),
        "PutBucketOwnershipControls": _bucket(
            "change the ownership of objects in", "medium", "log files may belong to somebody else, who may deny them"
        ),
        "PutBucketLogging": _bucket(
            "change the access log of", "medium", "access to it may no longer be logged", buckets.access_logging
        ),
        "DeleteObject": _object("delete a file from", "what was recorded in it is lost", buckets.deleted_object),
        "DeleteObjects": _object("delete files from", "what was recorded in them is lost"),
        "PutObject": _OVERWRITTEN,
        "CopyObject": _OVERWRITTEN,
        "PostObject": _OVERWRITTEN,
        "CompleteMultipartUpload": _OVERWRITTEN,
        "RenameObject": _object("move a file in", "what was recorded is no longer there", objects.renamed),
        "UpdateObjectEncryption": _object(
            "change the encryption of a file in", "readers may not be able to use its key", objects.encryption
        ),
        "PutObjectRetention": _object(
            "change the lock of a file in", "it may be deleted before its time", buckets.retention
        ),
        "PutObjectLegalHold": _object(
            "change the legal hold of a file in", "it may be deleted before its time", objects.legal_hold, "high"
        ),
        "PutObjectAcl": _object(
            "change the access list of a file in", "others may have got access to it", objects.access_list, "high"
        ),
    },
    "kms": {
        "DisableKey": _key(
            "disable",
            "critical",
            "what it encrypts (log files, if it is the trail's) can't be read or written",
            opaque=True,
        ),
        "ScheduleKeyDeletion": _key(
            "schedule the deletion of",
            "critical",
            "what it encrypts (log files, if it is the trail's) can't be read or written, and soon never again",
            opaque=True,
        ),
        "DeleteImportedKeyMaterial": _key(
            "delete the material of",
            "critical",
            "what it encrypts (log files, if it is the trail's) can't be read or written",
            opaque=True,
        ),
        "PutKeyPolicy": _key(
            "change the policy of", "critical", "CloudTrail may no longer use it", policies.key_policy
        ),
        "UpdateAlias": Row(
            kinds.ALIAS, ("aliasName", "targetKeyId"), "redirect", "high", "log files may be encrypted with another key"
        ),
        "DeleteAlias": Row(
            kinds.ALIAS, ("aliasName",), "delete", "high", "whoever names the key by it no longer finds it"
        ),
        "RevokeGrant": _key("revoke a grant on", "medium", "a service or reader can no longer use it"),
        "RetireGrant": _key("retire a grant on", "medium", "a service or reader can no longer use it"),
        "CancelKeyDeletion": _key("cancel the deletion of", "low", "it will not be deleted; it is still disabled"),
        "EnableKey": _key("enable", "low", "log files can be read and written again"),
    },
    "logs": {
        "DeleteLogGroup": _group("delete", "the live copy of the trail and its metric filters are gone"),
        "DeleteLogStream": _group("delete a stream of", "a part of the live copy of the trail is gone"),
        "PutRetentionPolicy": _group(
            "change the retention of", "the live copy of the trail may be deleted sooner", settings.log_retention
        ),
        "PutSubscriptionFilter": _group("change the subscription to", "the live copy goes to another place"),
        "DeleteSubscriptionFilter": _group("delete a subscription to", "whoever read the live copy gets no more of it"),
        "PutMetricFilter": _group("change a metric filter of", "alarms on it may no longer go off"),
        "DeleteMetricFilter": _group("delete a metric filter of", "alarms on it no longer go off"),
        "DeleteDestination": Row(
            kinds.DESTINATION, ("destinationName",), "delete", "high", "logs of other accounts no longer arrive there"
        ),
        "DeleteResourcePolicy": Row(
            kinds.LOG_POLICY, ("policyName",), "delete", "high", "services may no longer write their logs"
        ),
    },
    "monitoring": {
        "DeleteAlarms": Row(
            kinds.ALARM, ("alarmNames",), "delete", "high", "nobody is told any more of what it watched"
        ),
        "DisableAlarmActions": Row(
            kinds.ALARM, ("alarmNames",), "disable the actions of", "high", "nobody is told any more when it goes off"
        ),
        "PutMetricAlarm": Row(
            kinds.ALARM, ("alarmName",), "change", "medium", "it may no longer go off", settings.alarm
        ),
    },
}
