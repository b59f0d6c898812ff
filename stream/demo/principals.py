"""Who calls: identities as CloudTrail writes them, with the addresses and programs that they call from.

Accounts, keys and addresses are those set aside for documentation.
"""

from dataclasses import dataclass
from random import Random
from typing import Any, Final

ACCOUNTS: Final = ("111122223333", "444455556666", "777788889999", "123456789012")
REGIONS: Final = ("us-east-1", "eu-west-1", "eu-central-1", "ap-southeast-2")

_ID_LETTERS: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
_SERVICE_ROLES: Final = (
    ("eks-node", "i-0{}", "aws-sdk-go-v2/1.36.3 os/linux lang/go#1.23.6 md/GOARCH#arm64 api/ec2#1.203.1"),
    ("checkout-api", "checkout-api-{}", "aws-sdk-java/2.30.2 Linux/6.1 OpenJDK_64-Bit_Server_VM/21.0.5"),
    ("order-events-lambda", "order-events-{}", "Boto3/1.37.2 md/Botocore#1.37.2 md/awscrt#0.23.8 lang/python#3.12"),
    ("terraform-deploy", "ci-{}", "APN/1.0 HashiCorp/1.0 Terraform/1.10.5 aws-sdk-go-v2/1.36.1 os/linux"),
    ("datadog-integration", "DatadogAWSIntegration", "Datadog aws-sdk-go-v2/1.32.6"),
    ("karpenter-controller", "17{}", "aws-sdk-go-v2/1.34.0 ua/2.1 os/linux lang/go#1.23.4 md/GOOS#linux"),
    ("backup-runner", "AWSBackup-{}", "backup.amazonaws.com"),
    ("AWSReservedSSO_PowerUserAccess_0f1e2d3c4b5a6978", "a.silva@example.com", "Mozilla/5.0 (X11; Linux x86_64)"),
    ("AWSReservedSSO_ReadOnlyAccess_8a7b6c5d4e3f2a1b", "n.okafor@example.com", "aws-cli/2.24.5 md/awscrt#0.23.8"),
)
_USERS: Final = (
    ("metrics-exporter", "prometheus-cloudwatch-exporter/0.16.0 aws-sdk-java/2.29.0"),
    ("legacy-ftp-sync", "Boto3/1.26.90 Python/3.9.16 Linux/5.10 Botocore/1.29.90"),
    ("m.garcia", "aws-cli/2.22.35 md/awscrt#0.22.0 ua/2.0 os/macos#24.3.0 md/arch#arm64 lang/python#3.12.6"),
    ("j.doe", "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/133.0.0.0"),
    ("李雷", "aws-cli/2.24.0 md/awscrt#0.23.8 os/linux"),
)
_SERVICES: Final = ("autoscaling", "elasticloadbalancing", "config", "eks", "backup", "ecs-tasks")


@dataclass(frozen=True, slots=True)
class Principal:
    """Someone, or something, that calls AWS in one account.

    Attributes:
        identity: a `userIdentity`.
        console: it works in a browser.
    """

    account_id: str
    identity: dict[str, Any]
    source_ip: str
    user_agent: str
    console: bool = False


def unique_id(rng: Random, prefix: str, length: int = 21) -> str:
    """An id of IAM's form, such as `AROA…`, that says EXAMPLE at its end as those in AWS's documentation do."""
    return prefix + "".join(rng.choices(_ID_LETTERS, k=length - len(prefix) - 7)) + "EXAMPLE"


def address(rng: Random) -> str:
    """An address out of the ranges for documentation (RFC 5737, RFC 3849)."""
    if rng.random() < 0.1:
        return f"2001:db8:{rng.randrange(65536):x}:{rng.randrange(65536):x}::{rng.randrange(1, 65536):x}"
    return f"{rng.choice(('192.0.2', '198.51.100', '203.0.113'))}.{rng.randrange(1, 255)}"


def user(rng: Random, account_id: str, name: str, user_agent: str, *, mfa: bool | None = None) -> Principal:
    """An IAM user; `mfa` is `None` for one who calls with a long-lived key."""
    identity: dict[str, Any] = {
        "type": "IAMUser",
        "principalId": unique_id(rng, "AIDA"),
        "arn": f"arn:aws:iam::{account_id}:user/{name}",
        "accountId": account_id,
        "accessKeyId": unique_id(rng, "AKIA" if mfa is None else "ASIA", 20),
        "userName": name,
    }
    if mfa is not None:
        identity["sessionContext"] = {
            "attributes": {"creationDate": "2026-01-01T00:00:00Z", "mfaAuthenticated": str(mfa).lower()}
        }
    return Principal(account_id, identity, address(rng), user_agent, console="Mozilla" in user_agent)


def role(rng: Random, account_id: str, name: str, session: str, user_agent: str) -> Principal:
    """A session of an assumed role."""
    role_id = unique_id(rng, "AROA")
    identity = {
        "type": "AssumedRole",
        "principalId": f"{role_id}:{session}",
        "arn": f"arn:aws:sts::{account_id}:assumed-role/{name}/{session}",
        "accountId": account_id,
        "accessKeyId": unique_id(rng, "ASIA", 20),
        "sessionContext": {
            "sessionIssuer": {
                "type": "Role",
                "principalId": role_id,
                "arn": f"arn:aws:iam::{account_id}:role/{name}",
                "accountId": account_id,
                "userName": name,
            },
            "webIdFederationData": {},
            "attributes": {"creationDate": "2026-01-01T00:00:00Z", "mfaAuthenticated": "false"},
        },
    }
    return Principal(account_id, identity, address(rng), user_agent, console="Mozilla" in user_agent)


def service(account_id: str, name: str) -> Principal:
    """An AWS service that acts on its own."""
    host = f"{name}.amazonaws.com"
    return Principal(account_id, {"type": "AWSService", "invokedBy": host}, host, host)


def cast(rng: Random, account_id: str) -> tuple[Principal, ...]:
    """Everybody who usually calls in an account: roles most of the time, some users, some services."""
    roles = [
        role(rng, account_id, name, session.format(f"{rng.getrandbits(64):016x}"), agent)
        for name, session, agent in _SERVICE_ROLES
        for _ in range(3)
    ]
    users = [user(rng, account_id, name, agent, mfa=True if "Mozilla" in agent else None) for name, agent in _USERS]
    return (*roles, *users, *(service(account_id, name) for name in _SERVICES))
