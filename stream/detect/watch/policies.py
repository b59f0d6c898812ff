"""Resource policies: a document as a record has it in; out, whether CloudTrail and the readers keep their way."""

import re
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any, Final

from stream.detect.fields import document
from stream.detect.finding import Finding
from stream.detect.watch.conditions import is_for_others, is_of_transport
from stream.detect.watch.log_keys import LOGS, may_begin, may_end, whose
from stream.detect.watch.row import Scene
from stream.json_value import at, fold, items, text_at

CLOUDTRAIL: Final = "cloudtrail.amazonaws.com"
_ACCOUNT: Final = re.compile(r"(?:arn:[^:]*:(?:iam|sts)::)?([0-9]{12})(?::.*)?", re.DOTALL)
_ON_FILES: Final = ("s3:getobject", "s3:putobject", "s3:deleteobject")
_WILDCARD: Final = re.compile(r"\$\{[^}]*\}|[*?]")


def bucket_policy(scene: Scene) -> Sequence[Finding]:
    """Of PutBucketPolicy: may CloudTrail still write, is anybody denied, and is everybody let in?"""
    given = scene.parameters.get("bucketPolicy")
    statements = _statements(given)
    if statements is None:
        effect = "its policy could not be read: CloudTrail may no longer be able to write log files"
        return [Finding("bucketPolicy", given, effect, "critical")]
    findings = []
    if not any(_allows(each, CLOUDTRAIL, "s3:putobject") and _lets_files_in(each, scene) for each in statements):
        effect = "CloudTrail may no longer write log files there: no statement of its policy allows it"
        findings.append(Finding("bucketPolicy", given, effect, "critical"))
    if any(_denies(each, ("s3:putobject", "s3:getobject", "s3:getbucketacl", "s3:listbucket")) for each in statements):
        effect = "a Deny in its policy may keep CloudTrail from writing, or readers from reading, log files"
        findings.append(Finding("bucketPolicy", given, effect, "critical"))
    if any(_opens(each) for each in statements):
        effect = "everybody on the Internet may read, write or delete what is in it"
        findings.append(Finding("bucketPolicy", given, effect, "high"))
    return findings or [Finding("bucketPolicy", given, "CloudTrail may still write log files there")]


def key_policy(scene: Scene) -> Sequence[Finding]:
    """Of PutKeyPolicy: may CloudTrail still encrypt, and somebody decrypt?"""
    given = scene.parameters.get("policy")
    statements = _statements(given)
    if statements is None:
        effect = "its policy could not be read: CloudTrail may no longer be able to encrypt log files"
        return [Finding("policy", given, effect, "critical")]
    findings = []
    home = text_at(scene.record, "recipientAccountId") or ""
    encrypting = [each for each in statements if _allows(each, CLOUDTRAIL, "kms:generatedatakey")]
    if all(is_for_others(each, "") for each in encrypting):
        effect = "CloudTrail may no longer encrypt log files with it, so that none are delivered"
        findings.append(Finding("policy", given, effect, "critical"))
    elif not scene.own.organization and all(is_for_others(each, home) for each in encrypting):
        # The key of an organization's log files is often in another account than its trail.
        effect = "CloudTrail may encrypt log files with it for another account's trail only"
        findings.append(Finding("policy", given, effect, "high"))
    readers = {home, *(role.split(":")[4] for role in scene.own.around.roles if role.count(":") > 4)}
    decrypting = [each for each in statements if _allows(each, None, "kms:decrypt")]
    if not any(_is_for(each, account) for each in decrypting for account in readers):
        effect = "no statement of its policy allows anybody of the account to decrypt log files"
        findings.append(Finding("policy", given, effect, "critical"))
    if any(_denies(each, ("kms:generatedatakey", "kms:decrypt")) for each in statements):
        effect = "a Deny in its policy may keep CloudTrail from encrypting, or readers from decrypting, log files"
        findings.append(Finding("policy", given, effect, "critical"))
    return findings or [Finding("policy", given, "CloudTrail and readers keep their rights to it")]


def _statements(policy: Any) -> list[Mapping[str, Any]] | None:
    """The statements of a policy, as an object or as text; `None` if it can't be read."""
    if isinstance(policy, str):
        policy = document(policy)
    if not isinstance(policy, Mapping):
        return None
    found = items(policy.get("Statement"))
    return [each for each in found if isinstance(each, Mapping)] if found else None


def _allows(statement: Mapping[str, Any], service: str | None, action: str) -> bool:
    if statement.get("Effect") != "Allow" or not _acts(statement, action):
        return False
    principal = statement.get("Principal")
    if service is None:
        return principal is not None
    if _is_everybody(principal):
        return True
    return any(isinstance(each, str) and fold(each) == service for each in items(at(principal, "Service")))


def _is_everybody(principal: Any) -> bool:
    return principal == "*" or "*" in items(at(principal, "AWS"))


def _is_for(statement: Mapping[str, Any], account: str) -> bool:
    """Whether principals of this account, or of an unknown one, are among its; an empty account is any."""
    principal = statement.get("Principal")
    if account and isinstance(principal, Mapping) and set(principal) == {"AWS"}:
        named = [_ACCOUNT.fullmatch(each) if isinstance(each, str) else None for each in items(principal["AWS"])]
        if named and not any(each is None or each[1] == account for each in named):
            return False
    return not is_for_others(statement, account)


def _opens(statement: Mapping[str, Any]) -> bool:
    """Whether everybody may do something to files by it, on no condition."""
    return (
        statement.get("Effect") == "Allow"
        and _is_everybody(statement.get("Principal"))
        and not statement.get("Condition")
        and any(_acts(statement, action) for action in _ON_FILES)
    )


def _lets_files_in(statement: Mapping[str, Any], scene: Scene) -> bool:
    """Whether log files of the account are among what CloudTrail may write by this statement."""
    named = [each for each in items(statement.get("Resource")) if isinstance(each, str)]
    # An organization's trail is its management account's, and its bucket is often in another.
    organization = scene.own.organization or any(f"/{LOGS}o-" in each for each in named)
    _, account = whose(scene)
    if is_for_others(statement, account, any_trail=organization):
        return False
    return not named or any(_holds_logs(each, scene) for each in named)


def _holds_logs(resource: str, scene: Scene) -> bool:
    """Whether what stands before the first wildcard, and after the last, can be of a log file's ARN."""
    start, *others = _WILDCARD.split(resource)
    if not others or not scene.names:
        return not scene.names
    folder = scene.names[0] + "/"
    if not may_end(others[-1]):
        return False
    return folder.startswith(start) or (
        start.startswith(folder) and may_begin(start.removeprefix(folder), *whose(scene)) is not False
    )


def _denies(statement: Mapping[str, Any], actions: Sequence[str]) -> bool:
    if statement.get("Effect") != "Deny" or not any(_acts(statement, action) for action in actions):
        return False
    return not is_of_transport(statement)


def _acts(statement: Mapping[str, Any], action: str) -> bool:
    if (spared := statement.get("NotAction")) is not None:
        return not _matches(spared, action)
    return _matches(statement.get("Action"), action)


def _matches(given: Any, action: str) -> bool:
    return any(isinstance(each, str) and fnmatchcase(action, fold(each)) for each in items(given))
