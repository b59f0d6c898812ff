"""moto's IAM, made to ask for what AWS's asks for: a policy that lacks an action makes the request fail.

moto alone has no move of messages (of which AWS asks that whoever starts it may do all that it does:
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-configure-dead-letter-queue-redrive.html),
takes the API's names for IAM's (`DeleteMessageBatch`), knows no resources but S3's and SQS's, never asks
for the key of what is encrypted, and says 404 of a missing object to whoever may not list its bucket.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final
from unittest.mock import patch

from moto.core.authorization import ActionAuthenticatorMixin, enable_iam_authentication
from moto.core.responses import ActionResult
from moto.dynamodb.responses import DynamoHandler
from moto.iam.access_control import IAMPolicy, PermissionResult
from moto.s3.models import s3_backends
from moto.sqs.responses import SQSResponse

Asked = tuple[str, str, dict[str, str]]
"""An action as IAM calls it, on a resource, and what conditions are told."""

_IAM_NAMES: Final = {
    "dynamodb:DescribeTTL": "dynamodb:DescribeTimeToLive",
    "s3:HeadBucket": "s3:ListBucket",
    "sqs:ChangeMessageVisibilityBatch": "sqs:ChangeMessageVisibility",
    "sqs:DeleteMessageBatch": "sqs:DeleteMessage",
    "sqs:SendMessageBatch": "sqs:SendMessage",
}
# Of a service that has more than one resource, by its request and the caller's account:
# https://docs.aws.amazon.com/service-authorization/latest/reference/
_RESOURCES: Final[Mapping[str, Callable[[Mapping[str, Any], str], str]]] = {
    "events:DescribeEventBus": lambda asked, _: str(asked["Name"]),
    "events:PutEvents": lambda asked, _: str(asked["Entries"][0]["EventBusName"]),
    "securityhub:BatchImportFindings": lambda asked, _: str(asked["Findings"][0]["ProductArn"]),
    "securityhub:DescribeHub": lambda _, account: f"arn:aws:securityhub:us-east-1:{account}:hub/default",
    "ses:SendEmail": lambda asked, account: (
        f"arn:aws:ses:us-east-1:{account}:identity/{str(asked['FromEmailAddress']).rpartition('@')[2]}"
    ),
    "sns:GetTopicAttributes": lambda asked, _: str(asked["TopicArn"]),
    "sns:Publish": lambda asked, _: str(asked.get("TopicArn", "*")),
}


@contextmanager
def enforced() -> Iterator[None]:
    """Inside it every request to moto's server in this process needs a permission."""
    with (
        enable_iam_authentication(),
        patch.object(ActionAuthenticatorMixin, "_authenticate_and_authorize_action", _authorize),
        patch.object(SQSResponse, "start_message_move_task", _started, create=True),
        patch.object(SQSResponse, "list_message_move_tasks", _listed, create=True),
    ):
        yield


def _authorize(response: Any, request_class: Any, resource: str = "*") -> None:
    request = request_class(
        account_id=response.current_account,
        method=response.method,
        path=response.raw_path,
        data=response.data,
        body=response.raw_body,
        headers=response.headers,
        action=response._get_action(),
    )
    policies = [IAMPolicy(each) for each in request._access_key.collect_policies()]
    asked_for = _IAM_NAMES.get(request._action, request._action)
    for action, on, context in _asked(response, asked_for, resource):
        answers = {policy.is_action_permitted(action, on, None, context) for policy in policies}
        if action != "sts:GetCallerIdentity" and PermissionResult.PERMITTED not in answers:
            request._action = action
            request._raise_access_denied()


def _asked(response: Any, action: str, resource: str) -> Iterator[Asked]:
    if isinstance(response, SQSResponse):
        yield from _of_queue(response, action)
    elif isinstance(response, DynamoHandler):
        table = str(response.params["TableName"])
        yield action, f"arn:aws:dynamodb:{response.region}:{response.current_account}:table/{table}", {}
    elif action.startswith("s3:") and "/" in resource:
        yield from _of_object(response, action, resource)
    else:
        asked, find = _request(response), _RESOURCES.get(action)
        on = find(asked, response.current_account) if find else resource
        yield action, on, {}
        if action == "ses:SendEmail" and "Raw" in asked["Content"]:
            yield "ses:SendRawEmail", on, {}


def _request(response: Any) -> Mapping[str, Any]:
    """The parameters, of whichever of AWS's protocols."""
    if response.raw_body[:1] == b"{":
        return dict(json.loads(response.raw_body))
    return {name: values[0] for name, values in response.querystring.items()}


def _of_queue(response: Any, action: str) -> Iterator[Asked]:
    asked = response.params
    name = str(asked.get("QueueName") or asked.get("SourceArn") or asked["QueueUrl"]).replace("/", ":").split(":")[-1]
    yield from _of(response, name, action)
    if action == "sqs:StartMessageMoveTask":
        for each in ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"):
            yield from _of(response, name, each)
        # Where to, as our dead-letter queue's name says.
        yield from _of(response, name.removesuffix("-dead-letters"), "sqs:SendMessage")


def _of(response: Any, name: str, action: str) -> Iterator[Asked]:
    queue = response.sqs_backend.get_queue(name)
    yield action, queue.queue_arn, {}
    via = {"kms:ViaService": f"sqs.{response.region}.amazonaws.com"}
    if queue.kms_master_key_id and action in ("sqs:ReceiveMessage", "sqs:SendMessage"):
        yield "kms:Decrypt", queue.kms_master_key_id, via
    if queue.kms_master_key_id and action == "sqs:SendMessage":
        yield "kms:GenerateDataKey", queue.kms_master_key_id, via


def _started(_: SQSResponse) -> ActionResult:
    return ActionResult({"TaskHandle": "task"})


def _listed(_: SQSResponse) -> ActionResult:
    return ActionResult({"Results": [{"Status": "COMPLETED", "ApproximateNumberOfMessagesMoved": 1}]})


def _of_object(response: Any, action: str, resource: str) -> Iterator[Asked]:
    yield action, resource, {}
    if action not in ("s3:GetObject", "s3:GetObjectVersion"):
        return
    bucket, _, key = resource.rpartition(":::")[2].partition("/")
    there = s3_backends[response.current_account]["aws"].get_object(bucket, key)
    if there is None:
        yield "s3:ListBucket", f"arn:aws:s3:::{bucket}", {}
    elif there.kms_key_id:
        yield "kms:Decrypt", there.kms_key_id, {"kms:ViaService": f"s3.{response.region}.amazonaws.com"}
