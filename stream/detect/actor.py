"""Who made the call: a record's `userIdentity` in, an `Actor` and what to call it out.

https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-user-identity.html
"""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from stream.alert import Actor, Via
from stream.json_value import at, flag, shown, text_at
from stream.location import nowhere

_CONSOLE_AGENTS: Final = ("console.amazonaws.com", "signin.amazonaws.com")
_SERVICE_ENDINGS: Final = (".amazonaws.com", ".amazonaws.com.cn")
_INTERNAL: Final = "AWS Internal"
_NAME_CHARACTERS: Final = 64
# https://docs.aws.amazon.com/singlesignon/latest/userguide/referencingpermissionsets.html. Nobody else may make a role
# under this path, whatever its name is.
_IDENTITY_CENTER_ROLE: Final = re.compile(r"AWSReservedSSO_(?P<permissions>.+)_[0-9a-f]{16}", re.DOTALL)
_IDENTITY_CENTER_PATH: Final = ":role/aws-reserved/sso.amazonaws.com/"
_NOBODY_SAYS: Final = "HIDDEN_DUE_TO_SECURITY_REASONS"
_PROVIDER: Final = ":oidc-provider/"
# https://docs.github.com/en/actions/reference/security/oidc, https://docs.gitlab.com/ci/cloud_services/aws/,
# https://docs.aws.amazon.com/eks/latest/userguide/iam-roles-for-service-accounts.html; an issuer may go on with a path.
_PROVIDERS: Final = (
    (re.compile(r"token\.actions\.githubusercontent\.com(/.*)?", re.DOTALL), "GitHub Actions"),
    (re.compile(r"oidc(-eks)?\.(eks\.)?[a-z0-9-]+\.(amazonaws\.com(\.cn)?|api\.aws)/id/.*", re.DOTALL), "a pod of EKS"),
    (re.compile(r"gitlab\.com", re.DOTALL), "GitLab CI"),
    (re.compile(r"app\.terraform\.io", re.DOTALL), "HCP Terraform"),
    (re.compile(r"accounts\.google\.com", re.DOTALL), "Google"),
    (re.compile(r"cognito-identity\.amazonaws\.com", re.DOTALL), "Amazon Cognito"),
)
# `eks-<cluster>-<pod>-<UUID>`: https://docs.aws.amazon.com/eks/latest/APIReference/API_auth_AssumeRoleForPodIdentity.html.
# Whoever may assume the role may choose such a name, too.
_POD_SESSION: Final = re.compile(r"eks-.+-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.DOTALL)
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


def actor_of(record: Mapping[str, Any], location: Callable[[str | None], str | None] = nowhere) -> Actor:
    """The caller as the record has it; what it has not, or in a shape that can't be, is `None` or empty.

    Args:
        record: any JSON object.
        location: where an address is, `None` if that is not known.
    """
    identity = at(record, "userIdentity")
    kind = _type(identity)
    arn = text_at(identity, "arn")
    context = at(identity, "sessionContext")
    address = text_at(record, "sourceIPAddress")
    issuer = _issuer(identity, kind)
    session = _session_name(identity, kind)
    reserved = kind == "AssumedRole" and _is_reserved(issuer, text_at(context, "sessionIssuer", "arn"))
    return Actor(
        type=kind,
        name=(session if reserved else None) or _name(identity, kind),
        session_name=session,
        source_identity=text_at(context, "sourceIdentity") or text_at(identity, "sourceIdentity"),
        arn=arn,
        account_id=text_at(identity, "accountId")
        or text_at(context, "sessionIssuer", "accountId")
        or account_of_arn(arn),
        principal_id=text_at(identity, "principalId"),
        access_key_id=text_at(identity, "accessKeyId"),
        mfa=None if reserved else _mfa(identity, kind),
        source_ip=address,
        location=location(address),
        user_agent=text_at(record, "userAgent"),
        via=_via(record, kind),
        invoked_by=text_at(identity, "invokedBy"),
        issuer=issuer,
        provider=text_at(context, "webIdFederationData", "federatedProvider") or text_at(identity, "identityProvider"),
        on_behalf_of=text_at(identity, "onBehalfOf", "userId"),
        credential_id=text_at(identity, "credentialId"),
        assumed_root=flag(at(context, "assumedRoot")) is True,
    )


def account_of_arn(arn: str | None) -> str | None:
    """The account, 12 digits, that an ARN names."""
    parts = (arn or "").split(":", 5)
    named = len(parts) == 6 and parts[0] == "arn" and re.fullmatch(r"[0-9]{12}", parts[4])
    return parts[4] if named else None


def is_root(record: Mapping[str, Any], actor: Actor) -> bool:
    """Whether it has the root user's rights: also by a session that `AssumeRoot` or the root user gave to somebody."""
    issuer = text_at(record, "userIdentity", "sessionContext", "sessionIssuer", "type")
    return actor.type == "Root" or issuer == "Root" or actor.assumed_root


def is_person(actor: Actor) -> bool:
    """Whether a person is likely to be behind the call, rather than a program."""
    return (
        actor.type in _PEOPLE
        or actor.via == "console"
        or actor.on_behalf_of is not None
        or _permission_set(actor) is not None
    )


def described(actor: Actor) -> str:
    """The caller in a few words, to begin a sentence with: `Role deploy (session ci)`."""
    name = _shown(actor.name)
    permissions = _permission_set(actor)
    if actor.type == "Root":
        words = "The root user"
    elif not name:
        words = "Somebody unknown"
    elif permissions is not None:
        words = f"Identity Center user {name}"
    else:
        words = f"{_KINDS.get(actor.type, 'caller')} {name}"
    details = list(_details(actor, permissions))
    if details:
        words += f" ({', '.join(details)})"
    if actor.invoked_by and actor.type != "AWSService":
        words += f" through {_shown(actor.invoked_by)}"
    return words[0].upper() + words[1:]


def _details(actor: Actor, permissions: str | None) -> Iterator[str]:
    if permissions is not None:
        yield f"permission set {_shown(permissions)}"
    elif actor.session_name:
        yield f"session {_shown(actor.session_name)}"
    elif actor.type == "FederatedUser" and actor.issuer:
        yield f"named so by {_shown(actor.issuer)}"
    if actor.provider and (provider := _provider(actor.provider)):
        yield provider
    elif permissions is None and _POD_SESSION.fullmatch(actor.session_name or ""):
        yield "by that name a pod of EKS"
    if actor.on_behalf_of and actor.on_behalf_of != actor.name:
        yield f"for the Identity Center user {_shown(actor.on_behalf_of)}"
    if actor.source_identity and actor.source_identity not in (actor.name, actor.session_name):
        yield f"source identity {_shown(actor.source_identity)}"
    if actor.assumed_root:
        yield "by AssumeRoot" if actor.type == "Root" else "as root, by AssumeRoot"


def _shown(text: str) -> str:
    return shown(text, _NAME_CHARACTERS)


def _provider(provider: str) -> str:
    """What a web identity's provider is to people: `GitHub Actions`, or its own name."""
    name = provider.rpartition(_PROVIDER)[2]
    return next((words for pattern, words in _PROVIDERS if pattern.fullmatch(name)), _shown(name))


def _permission_set(actor: Actor) -> str | None:
    """The permission set by which an Identity Center user has a role's session; `None` of every other caller."""
    if actor.type != "AssumedRole" or not actor.session_name or actor.name != actor.session_name:
        return None
    found = _IDENTITY_CENTER_ROLE.fullmatch(actor.issuer or "")
    return found["permissions"] if found else None


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
    if user == _NOBODY_SAYS:  # a sign-in by a name that there is not
        user = None
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


def _issuer(identity: Any, kind: str) -> str | None:
    issuer = at(identity, "sessionContext", "sessionIssuer")
    if text_at(issuer, "type") == "Root":
        return "root"
    name = text_at(issuer, "userName")
    return name or (_assumed(text_at(identity, "arn"), "role") if kind == "AssumedRole" else None)


def _is_reserved(role: str | None, arn: str | None) -> bool:
    """Whether a role is one that Identity Center has made, by its name and by its path, where an ARN tells that."""
    named = _IDENTITY_CENTER_ROLE.fullmatch(role or "")
    return named is not None and (arn is None or _IDENTITY_CENTER_PATH in arn)


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
    if kind in _MFA_BY_ANOTHER or federated:
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
        or source.endswith(_SERVICE_ENDINGS)
        or agent.endswith(_SERVICE_ENDINGS)
        or _INTERNAL in (source, agent)
    ):
        return "service"
    if flag(record.get("sessionCredentialFromConsole")) or agent.startswith(("Mozilla/", "S3Console/")):
        return "console"
    return "cli" if agent.startswith("aws-cli/") else "sdk"
