"""What CreateTrail and UpdateTrail do: their parameters in, a finding for each out.

A value that was sent says what is so afterwards, never what was so before: what is sent counts as a change unless what
we see of the trail ourselves says that it is none. A value in a shape that can't be is taken for the worst.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from stream.detect.actor import account_of_arn
from stream.detect.finding import Finding
from stream.detect.own_path import OwnPath
from stream.json_value import flag, shown
from stream.severity import Severity

UNREADABLE: Final = "could not be read"
_VALUE_CHARACTERS: Final = 80


@dataclass(frozen=True, slots=True)
class Call:
    """A call of CreateTrail or UpdateTrail.

    Attributes:
        parameters: `requestParameters`.
        response: `responseElements`; `None` if there are none to be read (denied, failed, or left out of the record).
        account: the recipient's, 12 digits; empty if unknown.
        own: what the reader stands on.
    """

    parameters: Mapping[str, Any]
    response: Mapping[str, Any] | None
    account: str
    own: OwnPath


@dataclass(frozen=True, slots=True)
class _Switch:
    """A boolean setting: its default in CreateTrail, what off means (of a new trail: `weak`) and what on means."""

    default: bool
    off: str
    weak: str
    on: str
    off_in_update: Severity


_SWITCHES: Final[Mapping[str, _Switch]] = {
    "isOrganizationTrail": _Switch(
        default=False,
        off="it is a trail of this account alone; the organisation's member accounts lose it",
        weak="it is a trail of this account alone",
        on="it records every account of the organisation",
        off_in_update="critical",
    ),
    "isMultiRegionTrail": _Switch(
        default=False,
        off="only its home region is recorded from now on",
        weak="only its home region is recorded",
        on="every region is recorded",
        off_in_update="critical",
    ),
    "enableLogFileValidation": _Switch(
        default=False,
        off="log file validation is now off: tampering with log files can no longer be proven",
        weak="it has no log file validation: tampering with log files can't be proven",
        on="log file validation is now on",
        off_in_update="high",
    ),
    "includeGlobalServiceEvents": _Switch(
        default=True,
        off="IAM, STS and other global events are no longer recorded",
        weak="IAM, STS and other global events are not recorded",
        on="IAM, STS and other global events are recorded",
        off_in_update="high",
    ),
    "recursiveLogging": _Switch(
        default=True,
        off="CloudTrail's own deliveries are now hidden",
        weak="CloudTrail's own deliveries are hidden",
        on="CloudTrail's own deliveries are recorded",
        off_in_update="low",
    ),
}
_IDENTIFIERS: Final = frozenset({"name", "omitted", "originalSize", "reason"})


def update_findings(call: Call) -> list[Finding]:
    """A finding for every parameter of UpdateTrail that was sent."""
    findings = []
    for field, value in call.parameters.items():
        if value is None or field in _IDENTIFIERS:
            continue
        if field in _SWITCHES:
            findings.append(_switch_in_update(field, value))
        elif field in _UPDATES:
            findings.append(_UPDATES[field](field, value, call))
        else:
            findings.append(Finding(field, value, f"{shown(field, 64)} is a setting unknown to this version", "low"))
    return findings


def create_findings(call: Call) -> list[Finding]:
    """A finding for every parameter of CreateTrail that was sent, and for every default that leaves the trail weak."""
    findings = [_bucket_in_create(call)]
    for field in _SWITCHES:
        finding = _switch_in_create(field, call)
        if finding is not None:
            findings.append(finding)
    findings.append(_key_in_create(call))
    for field, value in call.parameters.items():
        if value is None or field in _IDENTIFIERS or field in _SWITCHES or field in ("s3BucketName", "kmsKeyId"):
            continue
        known = _DESCRIBED.get(field)
        if known:
            findings.append(Finding(field, value, known.format(shown(value, _VALUE_CHARACTERS))))
        else:
            findings.append(Finding(field, value, f"{shown(field, 64)} is a setting unknown to this version", "low"))
    return findings


_DESCRIBED: Final[Mapping[str, str]] = {
    "s3KeyPrefix": "log files are kept under {}",
    "snsTopicName": "log files are announced through {}",
    "cloudWatchLogsLogGroupArn": "a live copy goes to the log group {}",
    "cloudWatchLogsRoleArn": "the live copy is written with the role {}",
    "tagsList": "it is labelled",
}


def _sent(field: str, call: Call) -> Any:
    """The value that was sent, or else the one that the response gives."""
    value = call.parameters.get(field)
    return value if value is not None else (call.response or {}).get(field)


# UpdateTrail


def _switch_in_update(field: str, value: Any) -> Finding:
    switch = _SWITCHES[field]
    state = flag(value)
    if state:
        return Finding(field, value, switch.on)
    effect = switch.off if state is False else f"{field} {UNREADABLE}; at worst, {switch.off}"
    return Finding(field, value, effect, switch.off_in_update)


def _bucket(field: str, value: Any, call: Call) -> Finding:
    if isinstance(value, str) and call.own.knows(value):
        return Finding(field, value, f"logs go to the known bucket {shown(value, _VALUE_CHARACTERS)}")
    named = f"bucket {shown(value, _VALUE_CHARACTERS)}" if isinstance(value, str) else f"a bucket that {UNREADABLE}"
    return Finding(field, value, f"logs now go to another place, {named}; this reader will not see them", "critical")


def _prefix(field: str, value: Any, call: Call) -> Finding:
    if not isinstance(value, str):
        return Finding(field, value, f"the path of log files {UNREADABLE}; readers may lose them", "high")
    ours = call.own.bucket is not None and _sent("s3BucketName", call) == call.own.bucket
    if ours and call.own.prefix == value.strip("/"):
        return Finding(field, value, "log files stay under the path that this reader reads")
    path = shown(value, _VALUE_CHARACTERS) or "no prefix"
    return Finding(
        field, value, f"log files are now kept under {path}; readers of the old path no longer see them", "high"
    )


def _key(field: str, value: Any, call: Call) -> Finding:
    if not isinstance(value, str):
        return Finding(field, value, f"the encryption key {UNREADABLE}; readers may lose decryption", "high")
    if not value:
        return Finding(field, value, "logs are no longer encrypted with a key of the customer", "medium")
    answered = None if call.response is None else call.response.get(field)
    if call.response is not None and not answered:
        return Finding(
            field, value, "logs are not encrypted with a key of the customer: the response has none", "medium"
        )
    for key in (value, answered):
        if isinstance(key, str) and key.startswith("arn:") and account_of_arn(key) != (call.account or None):
            owner = account_of_arn(key) or "an unknown account"
            effect = f"logs are now encrypted with a key of another account ({owner}); readers may lose decryption"
            return Finding(field, value, effect, "high")
    return Finding(field, value, f"logs are encrypted with the key {shown(value, _VALUE_CHARACTERS)}")


def _log_group(field: str, value: Any, call: Call) -> Finding:
    del call
    if isinstance(value, str) and value:
        place = shown(value, _VALUE_CHARACTERS)
        return Finding(
            field, value, f"the live copy goes to {place}; metric alarms on any other log group stop", "high"
        )
    how = "" if value == "" else f" (the log group {UNREADABLE})"
    return Finding(field, value, f"there is no live copy in CloudWatch Logs, and its metric alarms stop{how}", "high")


def _log_role(field: str, value: Any, call: Call) -> Finding:
    del call
    if isinstance(value, str) and value:
        effect = f"the live copy is written with the role {shown(value, _VALUE_CHARACTERS)}, and stops if that may not"
        return Finding(field, value, effect, "low")
    return Finding(field, value, "the live copy in CloudWatch Logs stops: no role may write it", "high")


def _topic(field: str, value: Any, call: Call) -> Finding:
    if isinstance(value, str) and value and call.own.is_topic(value):
        return Finding(field, value, "log files are announced through the topic that this reader hears")
    # Whether the trail announced its files through our topic, nobody knows; that there is one says that it may have.
    severity: Severity = "high" if call.own.topic_arn else "low"
    blind = "; this reader may hear of no more log files" if call.own.topic_arn else ""
    if value == "":
        return Finding(field, value, f"log files are no longer announced through SNS{blind}", severity)
    topic = shown(value, _VALUE_CHARACTERS) if isinstance(value, str) else f"a topic that {UNREADABLE}"
    return Finding(field, value, f"log files are now announced through {topic}{blind}", severity)


_UPDATES: Final[Mapping[str, Callable[[str, Any, Call], Finding]]] = {
    "s3BucketName": _bucket,
    "s3KeyPrefix": _prefix,
    "kmsKeyId": _key,
    "cloudWatchLogsLogGroupArn": _log_group,
    "cloudWatchLogsRoleArn": _log_role,
    "snsTopicName": _topic,
}


# CreateTrail


def _bucket_in_create(call: Call) -> Finding:
    value = _sent("s3BucketName", call)
    if isinstance(value, str) and call.own.knows(value):
        return Finding("s3BucketName", value, f"logs go to the known bucket {shown(value, _VALUE_CHARACTERS)}")
    named = f"bucket {shown(value, _VALUE_CHARACTERS)}" if isinstance(value, str) else f"a bucket that {UNREADABLE}"
    organisation = _sent("isOrganizationTrail", call)
    if organisation is not None and flag(organisation) is not False:
        effect = f"a copy of the whole organisation's audit stream goes to an unknown place, {named}"
        return Finding("s3BucketName", value, effect, "critical")
    return Finding("s3BucketName", value, f"a copy of this account's activity goes elsewhere, to {named}", "high")


def _switch_in_create(field: str, call: Call) -> Finding | None:
    switch = _SWITCHES[field]
    value = _sent(field, call)
    if value is None and field == "enableLogFileValidation":
        value = (call.response or {}).get("logFileValidationEnabled")
    state = switch.default if value is None else flag(value)
    if state:
        return None if value is None else Finding(field, value, switch.on)
    if field == "isOrganizationTrail":
        return None if value is None else Finding(field, value, switch.weak)
    effect = switch.weak if state is False else f"{field} {UNREADABLE}; at worst, {switch.weak}"
    return Finding(field, value, effect, "low")


def _key_in_create(call: Call) -> Finding:
    value = _sent("kmsKeyId", call)
    if not value:
        return Finding("kmsKeyId", value, "logs are not encrypted with a key of the customer", "low")
    if not isinstance(value, str):
        return Finding("kmsKeyId", value, f"the encryption key {UNREADABLE}", "low")
    owner = account_of_arn(value) if value.startswith("arn:") else call.account
    if owner != call.account:
        return Finding(
            "kmsKeyId", value, f"logs are encrypted with a key of another account ({owner or 'unknown'})", "low"
        )
    return Finding("kmsKeyId", value, f"logs are encrypted with the key {shown(value, _VALUE_CHARACTERS)}")
