"""An intrusion, step by step: how somebody switches the audit trail off, and how it is switched on again.

Every change to the audit trail in it, also one that was refused or failed, is to be alerted on: it is planted.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import Any, Final

from stream.demo.calls import Call
from stream.demo.principals import Principal, role, user

HOSTILE_USER_AGENT: Final = (
    "Boto3/1.37 \x1b]0;all is well\x07\x1b[2J[bold green]no findings[/] <!channel> <b>ok</b> "
    "\u202esgnidnif on\u202c\r\nBcc: intruder@example.com"
)
"""What an intruder may type: codes for a terminal, markup of all sorts, text that runs backwards, a mail header."""

_CONSOLE: Final = (
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/133.0.0.0"
)
_CLI: Final = "aws-cli/2.24.5 md/awscrt#0.23.8 ua/2.0 os/linux#6.1 md/arch#x86_64 lang/python#3.12.9"
_SCRIPT: Final = "Boto3/1.37.2 md/Botocore#1.37.2 ua/2.1 os/linux#6.1 md/arch#x86_64 lang/python#3.12.9"
_TERRAFORM: Final = "APN/1.0 HashiCorp/1.0 Terraform/1.10.5 aws-sdk-go-v2/1.36.1 os/linux"
_DENIED: Final = (
    "User: {arn} is not authorized to perform: cloudtrail:StopLogging on resource: {trail} because no identity-based "
    "policy allows the cloudtrail:StopLogging action"
)


@dataclass(frozen=True, slots=True)
class Step:
    """One call of the story.

    Attributes:
        after_s: seconds since the step before.
        planted: it has to be alerted on.
        event_type: as CloudTrail writes it.
    """

    actor: Principal
    call: Call
    after_s: float
    planted: bool
    event_type: str = "AwsApiCall"


def intrusion(rng: Random, account_id: str, region: str, log_bucket: str) -> Iterator[Step]:
    """The whole story in one account: ten changes to the trail, all eight kinds of them.

    `log_bucket` is the trail's; the new trail that the responders make writes to it too.
    """
    name = rng.choice(("management-events", "org-audit", "security-trail"))
    arn = f"arn:aws:cloudtrail:{region}:{account_id}:trail/{name}"
    login = rng.choice(("k.novak", "build-agent", "t.weber", "contractor-07"))
    intruder = user(rng, account_id, login, _CONSOLE, mfa=False)
    shell = Principal(account_id, intruder.identity, intruder.source_ip, _CLI)
    admin = role(rng, account_id, "break-glass-admin", login, _SCRIPT)
    admin = Principal(account_id, admin.identity, intruder.source_ip, admin.user_agent)
    responder = role(rng, account_id, "audit-baseline-deploy", "restore-trail", _TERRAFORM)

    def step(actor: Principal, call: Call, after_s: float, *, event_type: str = "AwsApiCall") -> Step:
        changes_trail = call.service == "cloudtrail" and not call.read_only
        return Step(actor, call, after_s, planted=changes_trail, event_type=event_type)

    def change(event: str, request: dict[str, Any], response: dict[str, Any] | None = None) -> Call:
        return Call("cloudtrail", event, False, request, response)

    yield step(
        intruder,
        Call(
            "signin",
            "ConsoleLogin",
            False,
            response={"ConsoleLogin": "Success"},
            additional={
                "LoginTo": "https://console.aws.amazon.com/console/home",
                "MobileVersion": "No",
                "MFAUsed": "No",
            },
        ),
        0,
        event_type="AwsConsoleSignIn",
    )
    yield step(intruder, Call("s3", "ListBuckets", True, {"Host": "s3.us-east-1.amazonaws.com"}), 40)
    yield step(shell, Call("sts", "GetCallerIdentity", True), 70)
    yield step(shell, Call("iam", "ListUsers", True, {"maxItems": 100}), 9)
    yield step(shell, Call("cloudtrail", "DescribeTrails", True, {"includeShadowTrails": True}), 12)
    yield step(shell, Call("cloudtrail", "GetTrailStatus", True, {"name": arn}), 5)
    yield step(shell, Call("cloudtrail", "GetEventSelectors", True, {"trailName": arn}), 4)
    refused = ("AccessDenied", _DENIED.format(arn=shell.identity["arn"], trail=arn))
    yield step(shell, Call("cloudtrail", "StopLogging", False, {"name": arn}, error=refused), 21)
    yield step(shell, _assume(account_id, login), 35)

    yield step(admin, change("RemoveTags", {"resourceId": arn, "tagsList": [{"key": "aws-control-tower"}]}), 8)
    selectors = [{"readWriteType": "All", "includeManagementEvents": False, "dataResources": []}]
    forget = {"trailName": arn, "eventSelectors": selectors}
    yield step(admin, change("PutEventSelectors", forget, {"trailARN": arn, "eventSelectors": selectors}), 15)
    narrower = {"name": arn, "isMultiRegionTrail": False, "enableLogFileValidation": False}
    yield step(admin, change("UpdateTrail", narrower, _trail(name, arn, log_bucket, strong=False)), 11)
    stop = Call("cloudtrail", "StopLogging", False, {"name": arn}, user_agent=HOSTILE_USER_AGENT)
    yield step(admin, stop, 6)
    yield step(admin, Call("ec2", "DescribeInstances", True, {"maxResults": 1000}), 60)
    unknown = ("TrailNotFoundException", f"Unknown trail: {arn}-backup for the user: {account_id}")
    yield step(admin, Call("cloudtrail", "DeleteTrail", False, {"name": f"{name}-backup"}, error=unknown), 14)
    yield step(admin, change("DeleteTrail", {"name": arn}), 9)

    create = {
        "name": name,
        "s3BucketName": log_bucket,
        "isMultiRegionTrail": True,
        "includeGlobalServiceEvents": True,
        "enableLogFileValidation": True,
        "kmsKeyId": f"arn:aws:kms:{region}:{account_id}:key/1234abcd-12ab-34cd-56ef-1234567890ab",
    }
    created = _trail(name, arn, log_bucket, strong=True) | {"kmsKeyId": create["kmsKeyId"]}
    yield step(responder, change("CreateTrail", create, created), 540)
    yield step(responder, change("StartLogging", {"name": arn}), 2)
    tags = {"resourceId": arn, "tagsList": [{"key": "aws-control-tower", "value": "managed-by-control-tower"}]}
    yield step(responder, change("AddTags", tags), 2)


def _assume(account_id: str, session: str) -> Call:
    arn = f"arn:aws:iam::{account_id}:role/break-glass-admin"
    return Call(
        "sts",
        "AssumeRole",
        True,
        {"roleArn": arn, "roleSessionName": session, "durationSeconds": 3600},
        {"assumedRoleUser": {"arn": f"arn:aws:sts::{account_id}:assumed-role/break-glass-admin/{session}"}},
        resources=({"accountId": account_id, "type": "AWS::IAM::Role", "ARN": arn},),
    )


def _trail(name: str, arn: str, log_bucket: str, *, strong: bool) -> dict[str, Any]:
    return {
        "name": name,
        "s3BucketName": log_bucket,
        "includeGlobalServiceEvents": True,
        "isMultiRegionTrail": strong,
        "trailARN": arn,
        "logFileValidationEnabled": strong,
        "isOrganizationTrail": False,
        **(
            {"kmsKeyId": "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"}
            if strong
            else {}
        ),
    }
