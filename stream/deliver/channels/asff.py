"""An alert as a finding in the AWS Security Finding Format (ASFF), within the format's limits.

https://docs.aws.amazon.com/securityhub/1.0/APIReference/API_AwsSecurityFinding.html (fields, lengths),
https://docs.aws.amazon.com/securityhub/latest/userguide/securityhub-findings-format-type-taxonomy.html (types).
"""

import hashlib
import ipaddress
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from stream.alert import Alert, Resource
from stream.deliver.arn import parse_arn
from stream.deliver.channels.relayed import Limits, relayed, web_address
from stream.deliver.moment import moment, rfc_3339
from stream.deliver.text import as_text, cut

_MAX_BYTES: Final = 240_000  # "240 KB", read in the narrower way
_MAX_TITLE: Final = 256
_MAX_DESCRIPTION: Final = 1024
_MAX_ID: Final = 512
_MAX_FIELD: Final = 2048
_MAX_API: Final = 128
_LEVELS: Final = (
    Limits(free=1000, ids=2048, items=32),
    Limits(free=300, ids=2048, items=20),
    Limits(free=300, ids=512, items=20),
    Limits(free=100, ids=128, items=5),
)
_OUTCOMES: Final = {"success": "succeeded", "denied": "was denied", "failed": "failed"}

# Those of ATT&CK's tactics that the format has a category for, by the names that Sigma's tags give them.
_TACTICS: Final[Mapping[str, str]] = {
    "initial-access": "TTPs/Initial Access",
    "execution": "TTPs/Execution",
    "persistence": "TTPs/Persistence",
    "privilege-escalation": "TTPs/Privilege Escalation",
    "defense-evasion": "TTPs/Defense Evasion",
    "defense-impairment": "TTPs/Defense Evasion",
    "stealth": "TTPs/Defense Evasion",
    "credential-access": "TTPs/Credential Access",
    "discovery": "TTPs/Discovery",
    "lateral-movement": "TTPs/Lateral Movement",
    "collection": "TTPs/Collection",
    "command-and-control": "TTPs/Command and Control",
    "exfiltration": "Effects/Data Exfiltration",
    "impact": "Effects",
}
_DEFAULT_TYPE: Final = "TTPs/Defense Evasion"
# https://docs.aws.amazon.com/securityhub/latest/userguide/asff-resources.html
_RESOURCE_TYPES: Final[Mapping[str, str]] = {
    "AWS::CloudTrail::Trail": "AwsCloudTrailTrail",
    "AWS::DynamoDB::Table": "AwsDynamoDbTable",
    "AWS::IAM::Policy": "AwsIamPolicy",
    "AWS::IAM::Role": "AwsIamRole",
    "AWS::IAM::User": "AwsIamUser",
    "AWS::KMS::Key": "AwsKmsKey",
    "AWS::Lambda::Function": "AwsLambdaFunction",
    "AWS::S3::Bucket": "AwsS3Bucket",
    "AWS::SNS::Topic": "AwsSnsTopic",
    "AWS::SQS::Queue": "AwsSqsQueue",
}
_PARTITIONS: Final = frozenset({"aws", "aws-cn", "aws-us-gov", "aws-us-iso", "aws-us-iso-b"})
_REGION: Final = re.compile(r"[a-z]{2}(-[a-z]+)+-\d{1,2}", re.ASCII)
_MAX_REGION: Final = 16
_HOST: Final = re.compile(r"[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+", re.ASCII)
_WORD: Final = re.compile(r"[A-Za-z0-9]{1,128}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Product:
    """In whose name findings are imported.

    Attributes:
        arn: of the product.
        account: the importing account, which Security Hub wants every finding to be of.
    """

    arn: str
    account: str


def finding(alert: Alert, product: Product, now: datetime) -> dict[str, Any]:
    """The finding, its longest free texts cut first until it keeps within 240 KB."""
    for limits in _LEVELS:
        made = _required(alert, product, now) | _optional(alert, limits)
        if len(json.dumps(made)) <= _MAX_BYTES:  # in ASCII, so that every way to write it is shorter
            break
    return made


def minimal_finding(alert: Alert, product: Product, now: datetime) -> dict[str, Any]:
    """The finding with required fields and ids only."""
    ids = {"trailstream/AlertId": alert.id, "trailstream/EventId": alert.event.id, "trailstream/Minimal": "true"}
    shown = {name: relayed(value, _MAX_FIELD) for name, value in ids.items()}
    return _required(alert, product, now) | {
        "Resources": [_account(alert)],
        "ProductFields": {name: value for name, value in shown.items() if value},
    }


def finding_id(alert: Alert) -> str:
    """The same for the same alert, always, so that a finding that is sent again is updated and not doubled."""
    name = f"trailstream/{alert.id}"
    if alert.id.isascii() and relayed(name, _MAX_ID) == name:
        return name
    return "trailstream/" + hashlib.sha256(alert.id.encode("utf-8", "surrogatepass")).hexdigest()


def types(alert: Alert) -> list[str]:
    """The finding's types: the tactics of the rule's tags, each with the event as its classifier."""
    tactics = [tag.removeprefix("attack.").replace("_", "-") for tag in alert.rule.tags if tag.startswith("attack.")]
    found = dict.fromkeys(_TACTICS[tactic] for tactic in tactics if tactic in _TACTICS)
    classifier = f"/{alert.event.name}" if _WORD.fullmatch(alert.event.name) else ""
    return [kind + classifier if "/" in kind else kind for kind in found or (_DEFAULT_TYPE,)]


def _required(alert: Alert, product: Product, now: datetime) -> dict[str, Any]:
    created = moment(alert.event.time) or now
    return {
        "SchemaVersion": "2018-10-08",
        "Id": finding_id(alert),
        "ProductArn": product.arn,
        "GeneratorId": relayed(f"trailstream/{alert.rule.id}", _MAX_ID),
        "AwsAccountId": product.account,
        "CreatedAt": rfc_3339(created),
        "UpdatedAt": rfc_3339(max(created, now)),
        "Title": relayed(alert.title, _MAX_TITLE) or relayed(f"Alert {alert.id}", _MAX_TITLE),
        "Description": _description(alert),
        # Not at the top level: there they are the customer's, who may have changed them since.
        "FindingProviderFields": {
            "Severity": {"Label": alert.severity.upper(), "Original": alert.severity},
            "Types": types(alert),
        },
    }


def _description(alert: Alert) -> str:
    """It begins with all that matters, and the free text at its end is cut."""
    happened, actor = alert.event, alert.actor
    name = f"{relayed(happened.account_name, 64)} " if happened.account_name else ""
    origin = f" from {relayed(actor.source_ip, 64)}" if actor.source_ip else ""
    session = f" ({relayed(actor.session_name, 64)})" if actor.session_name else ""
    facts = (
        f"{relayed(happened.name, 128)} {_OUTCOMES[happened.outcome]} in account {name}"
        f"{relayed(happened.account_id, 32)}, {relayed(happened.region, 32)}, by {relayed(actor.name, 128)}{session}"
        f"{origin}. "
    )
    return cut(facts + relayed(alert.summary, _MAX_DESCRIPTION), _MAX_DESCRIPTION)


def _optional(alert: Alert, limits: Limits) -> dict[str, Any]:
    made: dict[str, Any] = {
        "ProductName": "Trailstream",
        "CompanyName": "Trailstream",
        "RecordState": "ACTIVE",
        "Resources": _resources(alert, limits),
        "ProductFields": dict(_fields(alert, limits)),
    }
    if (console := web_address(alert.links.console)) is not None:
        made["SourceUrl"] = console
    if (runbook := web_address(alert.links.runbook)) is not None:
        made["Remediation"] = {"Recommendation": {"Text": "Follow the runbook.", "Url": runbook}}
    if (happened := moment(alert.event.time)) is not None:
        made["FirstObservedAt"] = made["LastObservedAt"] = rfc_3339(happened)
    if (call := _call(alert)) is not None:
        made["Action"] = {"ActionType": "AWS_API_CALL", "AwsApiCallAction": call}
    return made


def _resources(alert: Alert, limits: Limits) -> list[dict[str, Any]]:
    found = [_resource(alert, resource, limits) for resource in alert.resources[: limits.items]]
    return [each for each in found if each["Id"]] or [_account(alert)]


def _resource(alert: Alert, resource: Resource, limits: Limits) -> dict[str, Any]:
    arn = parse_arn(resource.arn)
    made: dict[str, Any] = {
        "Type": _RESOURCE_TYPES.get(resource.type, "Other"),
        "Id": relayed(resource.arn, limits.ids),
        "ResourceRole": "Target",
    }
    if arn is not None and arn.partition in _PARTITIONS:
        made["Partition"] = arn.partition
    region = (arn.region if arn is not None else "") or alert.event.region
    return made | _region(region)


def _account(alert: Alert) -> dict[str, Any]:
    account = relayed(alert.event.account_id, 64)
    return {"Type": "AwsAccount", "Id": f"AWS::::Account:{account}"} | _region(alert.event.region)


def _region(region: str) -> dict[str, str]:
    return {"Region": region} if len(region) <= _MAX_REGION and _REGION.fullmatch(region) else {}


def _call(alert: Alert) -> dict[str, Any] | None:
    """The recorded API call; `None` if the event was none."""
    happened = alert.event
    if happened.type != "AwsApiCall" or not happened.name.strip() or not happened.source.strip():
        return None
    made: dict[str, Any] = {
        "Api": relayed(happened.name, _MAX_API) or "unknown",
        "ServiceName": relayed(happened.source, _MAX_API) or "unknown",
        **_origin(alert.actor.source_ip or ""),
    }
    if (time := moment(happened.time)) is not None:
        made["FirstSeen"] = made["LastSeen"] = rfc_3339(time)
    return made


def _origin(address: str) -> dict[str, Any]:
    """Where the call came from, if the format can say it: it has no place for IPv6."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        is_domain = len(address) <= 253 and _HOST.fullmatch(address) is not None  # RFC 1035
        return {"CallerType": "domain", "DomainDetails": {"Domain": address}} if is_domain else {}
    if ip.version == 6:
        return {}
    return {"CallerType": "remoteIp", "RemoteIpDetails": {"IpAddressV4": str(ip)}}


_FREE: Final = frozenset({"RuleTitle", "ErrorMessage", "UserAgent", "Location", "Changes"})


def _fields(alert: Alert, limits: Limits) -> Iterator[tuple[str, str]]:
    """The alert's fields for which the format has no place of its own; 50 at most, none of them empty."""
    happened, actor = alert.event, alert.actor
    values: dict[str, str | None] = {
        "AlertId": alert.id,
        "RuleId": alert.rule.id,
        "RuleTitle": alert.rule.title,
        "Tags": ", ".join(alert.rule.tags[: limits.items]),
        "EventId": happened.id,
        "EventName": happened.name,
        "EventSource": happened.source,
        "EventTime": happened.time,
        "EventRegion": happened.region,
        "EventType": happened.type,
        "AccountId": happened.account_id,
        "AccountName": happened.account_name,
        "Outcome": happened.outcome,
        "ErrorCode": happened.error_code,
        "ErrorMessage": happened.error_message,
        "ActorType": actor.type,
        "ActorName": actor.name,
        "ActorSession": actor.session_name,
        "ActorArn": actor.arn,
        "ActorAccountId": actor.account_id,
        "ActorSourceIdentity": actor.source_identity,
        "ActorPrincipalId": actor.principal_id,
        "ActorAccessKeyId": actor.access_key_id,
        "ActorMfa": None if actor.mfa is None else str(actor.mfa).lower(),
        "ActorVia": actor.via,
        "ActorInvokedBy": actor.invoked_by,
        "SourceIp": actor.source_ip,
        "Location": actor.location,
        "UserAgent": actor.user_agent,
        "Changes": _changes(alert, limits.items),
        "Provenance": alert.provenance,
    }
    if alert.log_file is not None:
        values["LogFileBucket"] = alert.log_file.bucket
        values["LogFileKey"] = alert.log_file.key
        values["LogFileVersion"] = alert.log_file.version_id
    for name, value in values.items():
        shown = relayed(value or "", min(limits.free if name in _FREE else limits.ids, _MAX_FIELD))
        if shown:
            yield f"trailstream/{name}", shown


def _changes(alert: Alert, items: int) -> str:
    changes: Sequence[str] = [
        f"{change.field[:200]}: {as_text(change.value)[:500]} ({change.effect[:500]})"
        for change in alert.changes[:items]
    ]
    return "; ".join(changes)
