"""An alert as a Detection Finding of the Open Cybersecurity Schema Framework (OCSF), on one line of JSON below 1 MB.

https://schema.ocsf.io/1.6.0/classes/detection_finding with the profile `cloud`; 1.6 is what AWS Security Hub speaks:
https://docs.aws.amazon.com/securityhub/latest/userguide/securityhub-ocsf.html. Whatever was recorded stays as it was.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from stream import __version__
from stream.alert import Alert, Resource
from stream.deliver.arn import parse_arn
from stream.deliver.channels.asff import types
from stream.deliver.channels.ocsf_evidence import account, evidence, known
from stream.deliver.channels.relayed import web_address
from stream.deliver.moment import moment
from stream.deliver.text import as_text, cut
from stream.deliver.trail import incident_id
from stream.deliver.words import LENGTHS, Lengths
from stream.json_value import at, items, plain, strict_json
from stream.severity import Severity

VERSION: Final = "1.6.0"
MAX_BYTES: Final = 1_000_000
"""Of one line; OCSF has no limit, but who reads millions of lines has one for each."""

_WHOLE: Final = Lengths(free=MAX_BYTES, ids=MAX_BYTES, items=MAX_BYTES)  # what is longer does not fit anyway
_DEPTH: Final = 100  # levels of the record, as in the alert's own JSON
_SEVERITIES: Final[Mapping[Severity, tuple[int, str]]] = {
    "informational": (1, "Informational"),
    "low": (2, "Low"),
    "medium": (3, "Medium"),
    "high": (4, "High"),
    "critical": (5, "Critical"),
}
_TECHNIQUE: Final = re.compile(r"attack\.(t\d{4})(\.\d{3})?", re.ASCII | re.IGNORECASE)
_TACTIC: Final = re.compile(r"attack\.([a-z]+([-_][a-z]+)*)", re.ASCII | re.IGNORECASE)


def finding_line(alert: Alert, now: datetime, *, minimal: bool = False) -> bytes:
    """The finding as JSON in UTF-8, which ends in the only end of a line it has; below 1 MB.

    Where it would be longer, the record goes first (`unmapped.omitted` says so), then the ends of long texts (each
    says so), never the alert's id; `metadata.is_truncated` is true then. An alert of a known time makes the same line
    at every attempt.

    Args:
        alert: what to tell.
        now: stands for the time of an event that has none.
        minimal: leave out the record whatever its size, and cut texts whatever theirs.

    Raises:
        ValueError: nothing was short enough, which is a fault of the lengths.
    """
    versions = [(lengths, False) for lengths in LENGTHS]
    if not minimal:
        versions = [(_WHOLE, True), (_WHOLE, False), *versions]
    for lengths, with_record in versions:
        line = _line(finding(alert, now, lengths, with_record=with_record))
        if len(line) <= MAX_BYTES:
            return line
    raise ValueError(f"no lengths keep the finding within {MAX_BYTES} bytes")


def finding(alert: Alert, now: datetime, lengths: Lengths = _WHOLE, *, with_record: bool = True) -> dict[str, Any]:
    """The finding's attributes, without those of which nothing is known.

    Its names are all known beforehand, for tables are made of them: what was recorded is nothing but values.
    """
    happened = moment(alert.event.time) or now
    time = int(happened.timestamp() * 1000)
    severity_id, severity = _SEVERITIES[alert.severity]
    call, cloud = evidence(alert, lengths), _cloud(alert, lengths)
    resources = [_resource(resource, lengths) for resource in alert.resources[: lengths.items] if resource.arn]
    record = strict_json(plain(alert.record, _DEPTH)) if with_record else None
    return known(
        {
            "activity_id": 1,
            "activity_name": "Create",
            "category_uid": 2,
            "category_name": "Findings",
            "class_uid": 2004,
            "class_name": "Detection Finding",
            "type_uid": 200401,
            "type_name": "Detection Finding: Create",
            "time": time,
            "timezone_offset": 0,
            "severity_id": severity_id,
            "severity": severity,
            "status_id": 1,
            "status": "New",
            "is_alert": True,
            "message": cut(alert.title, lengths.free),
            "metadata": _metadata(alert, lengths, truncated=not with_record or lengths != _WHOLE),
            "finding_info": _finding_info(alert, lengths, time),
            "cloud": cloud,
            "evidences": [call],
            "resources": resources,
            "observables": list(_observables(call, cloud, resources)),
            "remediation": _remediation(alert),
            "raw_data": None if record is None else record.decode(),
            "raw_data_size": None if record is None else len(record),
            "unmapped": _unmapped(alert, lengths, omitted=[] if with_record else ["record"]),
        }
    )


def _line(attributes: Mapping[str, Any]) -> bytes:
    return strict_json(attributes) + b"\n"


def _metadata(alert: Alert, lengths: Lengths, *, truncated: bool) -> dict[str, Any]:
    file = alert.log_file
    return known(
        {
            "version": VERSION,
            "product": {"name": "Trailstream", "vendor_name": "Trailstream", "version": __version__},
            "profiles": ["cloud"],
            "uid": alert.id,
            "correlation_uid": incident_id(alert),
            "event_code": cut(alert.event.name, lengths.ids),
            "original_time": cut(alert.event.time, lengths.ids),
            "log_provider": "AWS CloudTrail",
            "log_name": None if file is None else cut(f"s3://{file.bucket}/{file.key}", lengths.ids),
            "is_truncated": True if truncated else None,
        }
    )


def _finding_info(alert: Alert, lengths: Lengths, time: int) -> dict[str, Any]:
    return known(
        {
            "uid": alert.id,
            "uid_alt": cut(alert.event.id, lengths.ids),
            "title": cut(alert.title, lengths.free),
            "desc": cut(alert.summary, lengths.free),
            "types": types(alert),
            "created_time": time,
            "first_seen_time": time,
            "last_seen_time": time,
            "analytic": known(
                {
                    "type_id": 1,
                    "type": "Rule",
                    "uid": cut(alert.rule.id, lengths.ids) or "unknown",
                    "name": cut(alert.rule.title, lengths.free),
                }
            ),
            "attacks": list(_attacks(alert)),
            "src_url": web_address(alert.links.console),
        }
    )


def _attacks(alert: Alert) -> Iterator[dict[str, Any]]:
    """What the rule's tags name of MITRE ATT&CK, each by itself: they don't say which technique serves which tactic."""
    for tag in dict.fromkeys(alert.rule.tags):
        if found := _TECHNIQUE.fullmatch(tag):
            technique, sub = found[1].upper(), found[2]
            yield known({"technique": {"uid": technique}, "sub_technique": {"uid": technique + sub} if sub else None})
        elif found := _TACTIC.fullmatch(tag):
            words = re.split("[-_]", found[1].lower())
            yield {"tactic": {"name": " ".join(word if word == "and" else word.capitalize() for word in words)}}


def _cloud(alert: Alert, lengths: Lengths) -> dict[str, Any]:
    happened = alert.event
    return known(
        {
            "provider": "AWS",
            "region": cut(happened.region, lengths.ids),
            "account": account(happened.account_id, happened.account_name, lengths),
        }
    )


def _resource(resource: Resource, lengths: Lengths) -> dict[str, Any]:
    arn = parse_arn(resource.arn)
    return known(
        {
            "uid": cut(resource.arn, lengths.ids),
            "type": cut(resource.type, lengths.ids),
            "role_id": 1,
            "role": "Target",
            "region": arn and arn.region,
            "cloud_partition": arn and arn.partition,
            "labels": ["protected"] if resource.protected else [],
        }
    )


def _observables(call: Any, cloud: Any, resources: Sequence[Any]) -> Iterator[dict[str, Any]]:
    """What analysts search for, with where it stands in the finding."""
    user = at(call, "actor", "user")
    key = at(next(iter(items(at(user, "programmatic_credentials"))), None), "uid")
    found = [
        ("evidences[0].src_endpoint.ip", 2, "IP Address", at(call, "src_endpoint", "ip")),
        ("evidences[0].actor.user.name", 4, "User Name", at(user, "name")),
        ("evidences[0].actor.user.programmatic_credentials[0].uid", 19, "User Credential ID", key),
        ("evidences[0].http_request.user_agent", 16, "HTTP User-Agent", at(call, "http_request", "user_agent")),
        ("cloud.account.uid", 35, "Account Object: uid", at(cloud, "account", "uid")),
        *((f"resources[{n}].uid", 10, "Resource UID", resource["uid"]) for n, resource in enumerate(resources)),
    ]
    for name, type_id, kind, value in found:
        if value is not None:
            yield {"name": name, "type_id": type_id, "type": kind, "value": value}


def _remediation(alert: Alert) -> dict[str, Any] | None:
    runbook = web_address(alert.links.runbook)
    return {"desc": "Follow the runbook.", "references": [runbook]} if runbook else None


def _unmapped(alert: Alert, lengths: Lengths, *, omitted: list[str]) -> dict[str, Any]:
    """What the schema has no place for."""
    actor, file = alert.actor, alert.log_file
    calls = (alert.context or {}).get("calls")
    counted = list(calls.items())[: lengths.items] if isinstance(calls, Mapping) else []
    return known(
        {
            "outcome": alert.event.outcome,
            "provenance": alert.provenance,
            "via": actor.via,
            "source_identity": cut(actor.source_identity or "", lengths.ids),
            "location": cut(actor.location or "", lengths.free),
            "changes": [
                {
                    "field": cut(change.field, lengths.ids),
                    "value": cut(as_text(change.value), lengths.free),
                    "effect": cut(change.effect, lengths.free),
                }
                for change in alert.changes[: lengths.items]
            ],
            "calls": [
                {"name": cut(str(name), lengths.ids), "count": cut(as_text(count), lengths.ids)}
                for name, count in counted
            ],
            "rule_level": alert.rule.level,
            "rule_tags": list(alert.rule.tags[: lengths.items]),
            "compliance": list(alert.rule.compliance[: lengths.items]),
            "references": list(alert.rule.references[: lengths.items]),
            "log_file_version": cut(file.version_id or "", lengths.ids) if file else None,
            "omitted": omitted,
        }
    )
