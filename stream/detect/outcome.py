"""What became of the call: a record's error in, success, denied or failed out, and who or what refused it.

A denied call changed nothing, but somebody tried; a failed one changed nothing by accident.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from stream.alert import Outcome
from stream.json_value import fold, text_at

_DENIED: Final = frozenset(
    {
        "accessdenied",
        "accessdeniedexception",
        "accessdeniedfordependencyexception",  # Organizations
        "authorizationerror",  # SNS
        "authorizationerrorexception",
        "notauthorized",
        "notauthorizedexception",
        "unauthorized",
        "unauthorizedaccess",
        "unauthorizedexception",
        "unauthorizedoperation",  # EC2, as Client.UnauthorizedOperation
        "vpceaccessdenied",  # network activity events
    }
)
_DRY_RUNS: Final = frozenset({"dryrunoperation", "dryrunoperationexception"})  # EC2; KMS and others
# https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html. What a caller may choose (names, the
# resource) comes before these words in the message: the last ones are AWS's.
_POLICY: Final = re.compile(
    r"(?:with an explicit deny in an?|because no) "
    r"(service control|resource control|identity-based|resource-based|session|VPC endpoint) policy"
    r"|(?:with an explicit deny in a|because no) (permissions boundary)",
    re.IGNORECASE,
)
_POLICIES: Final[Mapping[str, str]] = {
    "service control": "a service control policy (SCP) of the organisation",
    "resource control": "a resource control policy (RCP) of the organisation",
    "identity-based": "the caller's own permissions",
    "resource-based": "a resource-based policy",
    "session": "a session policy",
    "vpc endpoint": "a VPC endpoint policy",
    "permissions boundary": "a permissions boundary",
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of the call.

    Attributes:
        reason: why it did not succeed, in words that continue a sentence; empty on success or where unknown.
    """

    outcome: Outcome
    error_code: str | None
    error_message: str | None
    reason: str


def verdict_of(record: Mapping[str, Any]) -> Verdict:
    """Judge a record's `errorCode` and `errorMessage`.

    One in a shape that CloudTrail does not write counts as none: an odd record is taken for a success, the worse case.
    """
    code = record.get("errorCode")
    code = code if isinstance(code, str) and code else None
    message = record.get("errorMessage")
    message = message if isinstance(message, str) and message else None
    outcome = outcome_of(code, message)
    reason = ""
    if outcome == "denied":
        reason = _denied_by(message)
    elif outcome == "failed":
        dry_run = _short(code) in _DRY_RUNS
        reason = "it was a dry run, which would have succeeded" if dry_run else text_at(record, "errorCode") or ""
    return Verdict(outcome, code, message, reason)


def outcome_of(code: Any, message: Any) -> Outcome:
    """What became of the call by its `errorCode` and `errorMessage` alone; see `verdict_of`."""
    code = code if isinstance(code, str) else ""
    short = _short(code)
    if short == "success" or not (code or (isinstance(message, str) and message)):
        return "success"
    return "denied" if short in _DENIED else "failed"


def _short(code: str | None) -> str:
    """A code without the part of the service that some have before it."""
    return fold(code or "").rpartition(".")[2]


def _denied_by(message: str | None) -> str:
    found = list(_POLICY.finditer(message or ""))
    return "stopped by " + _POLICIES[fold(found[-1][1] or found[-1][2])] if found else ""
