"""The watch list of what the reader stands on: topics, queues, rules, its role, its secrets and its table.

https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_Operations.html
https://docs.aws.amazon.com/sns/latest/api/API_Operations.html
https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_Operations.html
"""

from typing import Final

from stream.detect.watch import buckets, kinds, settings
from stream.detect.watch.row import Judge, Row, Rows
from stream.severity import Severity


def _topic(verb: str, severity: Severity, meaning: str, judge: Judge | None = None) -> Row:
    return Row(kinds.TOPIC, ("topicArn",), verb, severity, meaning, judge)


def _subscription(verb: str, severity: Severity, meaning: str, judge: Judge | None = None) -> Row:
    return Row(kinds.SUBSCRIBED, ("subscriptionArn",), verb, severity, meaning, judge)


def _queue(verb: str, severity: Severity, meaning: str, judge: Judge | None = None) -> Row:
    return Row(kinds.QUEUE, ("queueUrl",), verb, severity, meaning, judge)


def _rule(path: str, verb: str, meaning: str, judge: Judge | None = None) -> Row:
    return Row(kinds.RULE, (path,), verb, "high", meaning, judge)


def _bus(path: str, verb: str, meaning: str) -> Row:
    return Row(kinds.BUS, (path,), verb, "high", meaning)


def _role(verb: str) -> Row:
    return Row(
        kinds.ROLE, ("roleName",), verb, "high", "who reads or writes the audit trail by it may no longer be able to"
    )


_NOTIFICATION: Final = Row(
    kinds.BUCKET,
    ("bucketName",),
    "change the notifications of",
    "critical",
    "new log files may no longer be announced",
    buckets.notification,
)

PATH: Final[Rows] = {
    "s3": {"PutBucketNotification": _NOTIFICATION, "PutBucketNotificationConfiguration": _NOTIFICATION},
    "sns": {
        "DeleteTopic": _topic("delete", "critical", "new log files are no longer announced through it"),
        "Unsubscribe": _subscription(
            "cut a subscription to", "critical", "whoever listened hears of no more log files"
        ),
        "SetSubscriptionAttributes": _subscription(
            "change a subscription to", "high", "messages may no longer arrive", settings.subscription
        ),
        "SetTopicAttributes": _topic("change", "critical", "log files may no longer be announced", settings.topic),
        "RemovePermission": _topic(
            "remove a permission from", "high", "whoever announced log files may no longer do so"
        ),
    },
    "sqs": {
        "PurgeQueue": _queue("purge", "critical", "every log file that waited there to be read is forgotten"),
        "DeleteQueue": _queue("delete", "critical", "new log files are no longer announced: their reader is blind"),
        "SetQueueAttributes": _queue("change", "critical", "messages may no longer arrive or be lost", settings.queue),
        "AddPermission": _queue("add a permission to", "high", "somebody else may send, take or delete its messages"),
        "RemovePermission": _queue(
            "remove a permission from", "high", "whoever announces log files may no longer be allowed to"
        ),
    },
    "events": {
        "DisableRule": _rule("name", "disable", "its events are no longer passed on"),
        "DeleteRule": _rule("name", "delete", "its events are no longer passed on"),
        "RemoveTargets": _rule("rule", "remove targets of", "its events no longer reach whoever they were for"),
        "PutTargets": _rule("rule", "change the targets of", "its events go to other places"),
        "PutRule": _rule("name", "change", "which events are passed on may have changed", settings.rule),
        "DeleteEventBus": _bus("name", "delete", "no events come through it any more"),
        "PutPermission": _bus("eventBusName", "change the permissions of", "others may send to it, or no longer may"),
        "RemovePermission": _bus("eventBusName", "remove a permission from", "others may no longer send to it"),
    },
    "iam": {
        "PutRolePolicy": _role("change the permissions of"),
        "DeleteRolePolicy": _role("remove permissions from"),
        "AttachRolePolicy": _role("attach a policy to"),
        "DetachRolePolicy": _role("detach a policy from"),
        "UpdateAssumeRolePolicy": _role("change the trust of"),
        "PutRolePermissionsBoundary": _role("change the permissions boundary of"),
        "DeleteRole": _role("delete"),
        "DeleteOpenIDConnectProvider": Row(
            kinds.OIDC,
            ("openIDConnectProviderArn",),
            "delete",
            "high",
            "pods of that cluster can no longer take their roles",
        ),
    },
    "eks": {
        "DeletePodIdentityAssociation": Row(
            kinds.POD_IDENTITY, ("associationId",), "delete", "medium", "its pods no longer have their role"
        )
    },
    "secretsmanager": {
        "PutSecretValue": Row(kinds.SECRET, ("secretId",), "replace", "medium", "whoever uses it may be locked out"),
        "DeleteSecret": Row(kinds.SECRET, ("secretId",), "delete", "medium", "whoever uses it is locked out"),
    },
    "dynamodb": {
        "DeleteTable": Row(
            kinds.TABLE, ("tableName",), "delete", "medium", "what was sent already is forgotten, and is sent again"
        )
    },
    "ec2": {
        "DeleteVpcEndpoints": Row(
            kinds.ENDPOINT,
            ("DeleteVpcEndpointsRequest.VpcEndpointId", "vpcEndpointIds"),
            "delete",
            "medium",
            "what reached AWS only through it is cut off",
        )
    },
}
