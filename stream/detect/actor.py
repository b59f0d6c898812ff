"""Who made the call: a record's `userIdentity` in, an `Actor` and what to call it out.

https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-user-identity.html
"""

import re
from collections.abc import Mapping
from typing import Any, Final

from stream.alert import Actor, Via
from stream.json_value import at, flag, shown, text_at

_CONSOLE_AGENTS: Final = ("console.amazonaws.com", "signin.amazonaws.com")
_NAME_CHARACTERS: Final = 64
_IDENTITY_CENTER_ROLE: Final = "AWSReservedSSO_"
_ASSUMED_ROLE: Final = re.compile(r"arn:[^:]*:sts:[^:]*:[^:]*:assumed-role/(?P<role>.*)/(?P<session>[^/]*)", re.DOTALL)
_MFA_BY_ANOTHER: Final = frozenset({"SAMLUser", "WebIdentityUser", "IdentityCenterUser", "Directory"})
"""Types whose sign-in, and so whose second factor, is an identity provider's: CloudTrail says `false` all the same."""
_PEOPLE: Final = frozenset({"IAMUser", "FederatedUser", "SAMLUser", "IdentityCenterUser", "Directory"})
_KINDS: Final[Mapping[str, str]] = {
    "IAMUser": "IAM user",
    "AssumedRole": "role",
    "Role": "role",
    "FederatedUser": "federated user",
    "AWSAccount": "account",
    "AWSService": "the AWS service",
    "SAMLUser": "SAML user",
    "WebIdentityUser": "web identity",
    "IdentityCenterUser": "Identity Center user",
    "Directory": "directory user",
}


def actor_of(record: Mapping[str, Any]) -> Actor:
    """The caller as the record has it; what it has not, or in a shape that can't be, is `None` or empty."""
    identity = at(record, "userIdentity")
    kind = _type(identity)
    arn = text_at(identity, "arn")
    return Actor(
        type=kind,
        name=_name(identity, kind),
        session_name=_session_name(identity, kind),
        source_identity=text_at(identity, "sessionContext", "sourceIdentity") or text_at(identity, "sourceIdentity"),
        arn=arn,
        account_id=text_at(identity, "accountId")
        or text_at(identity, "sessionContext", "sessionIssuer", "accountId")
        or account_of_arn(arn),
        principal_id=text_at(identity, "principalId"),
        access_key_id=text_at(identity, "accessKeyId"),
        mfa=_mfa(identity, kind),
        source_ip=text_at(record, "sourceIPAddress"),
        location=None,
        user_agent=text_at(record, "userAgent"),
        via=_via(record, kind),
        invoked_by=text_at(identity, "invokedBy"),
    )


def account_of_arn(arn: str | None) -> str | None:
    """The account, 12 digits, that an ARN names."""
    parts = (arn or "").split(":", 5)
    named = len(parts) == 6 and parts[0] == "arn" and re.fullmatch(r"[0-9]{12}", parts[4])
    return parts[4] if named else None


def is_root(record: Mapping[str, Any], actor: Actor) -> bool:
    """Whether the caller is the root user, also by a session that `AssumeRoot` gave to somebody."""
    return actor.type == "Root" or flag(at(record, "userIdentity", "sessionContext", "assumedRoot")) is True


def is_person(actor: Actor) -> bool:
    """Whether a person is likely to be behind the call, rather than a program."""
    return actor.type in _PEOPLE or actor.via == "console" or actor.name.startswith(_IDENTITY_CENTER_ROLE)


def described(actor: Actor) -> str:
    """The caller in a few words, to begin a sentence with: `Role deploy (session ci)`."""
    name = shown(actor.name, _NAME_CHARACTERS)
    if actor.type == "Root":
        words = "The root user"
    elif not name:
        words = "Somebody unknown"
    else:
        words = f"{_KINDS.get(actor.type, 'caller')} {name}"
    if actor.session_name:
        words += f" (session {shown(actor.session_name, _NAME_CHARACTERS)})"
    if actor.invoked_by and actor.type != "AWSService":
        words += f" through {shown(actor.invoked_by, _NAME_CHARACTERS)}"
    return words[0].upper() + words[1:]


def _type(identity: Any) -> str:
    kind = text_at(identity, "type")
    # AWS documents records of Identity Center users with no type at all, or with `Unknown`.
    if kind in (None, "Unknown") and text_at(identity, "onBehalfOf", "userId"):
        return "IdentityCenterUser"
    if kind is None:
        return "AWSService" if text_at(identity, "invokedBy") else "Unknown"
    return kind


def _name(identity: Any, kind: str) -> str:
    user = text_at(identity, "userName")
    arn = text_at(identity, "arn")
    issuer = text_at(identity, "sessionContext", "sessionIssuer", "userName")
    account = text_at(identity, "accountId")
    principal = text_at(identity, "principalId")
    candidates: tuple[str | None, ...]
    if kind == "Root":
        return user or "root"
    if kind == "AssumedRole":
        candidates = (issuer, _assumed(arn, "role"), principal)
    elif kind == "AWSService":
        candidates = (text_at(identity, "invokedBy"), user, principal)
    elif kind == "AWSAccount":
        candidates = (account, principal)
    elif kind == "FederatedUser":
        candidates = (user, _last(arn), issuer, principal)
    elif kind == "IdentityCenterUser":
        candidates = (user, text_at(identity, "onBehalfOf", "userId"), principal)
    else:
        candidates = (user, _last(arn), principal, issuer, account)
    return next(filter(None, candidates), "")


def _session_name(identity: Any, kind: str) -> str | None:
    if kind != "AssumedRole":
        return None
    principal = text_at(identity, "principalId") or ""
    return _assumed(text_at(identity, "arn"), "session") or principal.partition(":")[2] or None


def _assumed(arn: str | None, part: str) -> str | None:
    found = _ASSUMED_ROLE.fullmatch(arn or "")
    return found[part] or None if found else None


def _last(arn: str | None) -> str | None:
    return (arn or "").rpartition("/")[2] or None


def _mfa(identity: Any, kind: str) -> bool | None:
    """Whether the session was begun with a second factor that AWS itself asked for; `None`: the record can't say."""
    federated = at(identity, "sessionContext", "webIdFederationData", "federatedProvider") is not None
    issuer = text_at(identity, "sessionContext", "sessionIssuer", "userName") or ""
    role = issuer or _assumed(text_at(identity, "arn"), "role") or ""
    if kind in _MFA_BY_ANOTHER or federated or role.startswith(_IDENTITY_CENTER_ROLE):
        return None
    return flag(at(identity, "sessionContext", "attributes", "mfaAuthenticated"))


def _via(record: Mapping[str, Any], kind: str) -> Via:
    agent = (text_at(record, "userAgent") or "").lstrip("[")  # S3 writes it in brackets
    invoked_by = text_at(record, "userIdentity", "invokedBy") or ""
    source = text_at(record, "sourceIPAddress") or ""
    event_type = text_at(record, "eventType")
    if invoked_by in _CONSOLE_AGENTS or agent in _CONSOLE_AGENTS or event_type == "AwsConsoleSignIn":
        return "console"
    if (
        kind == "AWSService"
        or invoked_by
        or event_type == "AwsServiceEvent"
        or source.endswith(".amazonaws.com")
        or agent.endswith(".amazonaws.com")
    ):
        return "service"
    if flag(record.get("sessionCredentialFromConsole")) or agent.startswith(("Mozilla/", "S3Console/")):
        return "console"
    return "cli" if agent.startswith("aws-cli/") else "sdk"
