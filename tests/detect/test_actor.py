from typing import Any

import pytest
from hypothesis import given

from stream.detect.actor import account_of_arn, actor_of, described, is_person, is_root
from tests.detect.records import ACCOUNT, OTHER_ACCOUNT, ROLE, ROOT, record
from tests.detect.strategies import json_values, objects, texts


def by(identity: Any, **fields: Any) -> dict[str, Any]:
    return record("StopLogging", {"name": "main"}, userIdentity=identity, **fields)


OIDC = f"arn:aws:iam::{ACCOUNT}:oidc-provider/"
RESERVED = "AWSReservedSSO_Power_User_0123456789abcdef"


def named(session: str, **context: Any) -> dict[str, Any]:
    arn = f"arn:aws:sts::{ACCOUNT}:assumed-role/deploy/{session}"
    return ROLE | {
        "principalId": f"AROAEXAMPLE:{session}",
        "arn": arn,
        "sessionContext": ROLE["sessionContext"] | context,
    }


def web(provider: str, *, session: str) -> dict[str, Any]:
    return named(session, webIdFederationData={"federatedProvider": OIDC + provider, "attributes": {}})


def sso(*, session: str, path: str = "role/aws-reserved/sso.amazonaws.com/eu-west-1/") -> dict[str, Any]:
    issuer = {"type": "Role", "userName": RESERVED, "arn": f"arn:aws:iam::{ACCOUNT}:{path}{RESERVED}"}
    return named(session, sessionIssuer=issuer) | {
        "arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/{RESERVED}/{session}",
    }


IDENTITIES = {
    "a role": (ROLE, "AssumedRole", "deploy", "Role deploy (session ci)"),
    "a role known by its ARN alone": (
        {"type": "AssumedRole", "arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/path/deploy/ci"},
        "AssumedRole",
        "path/deploy",
        "Role path/deploy (session ci)",
    ),
    "a role known by its principal alone": (
        {"type": "AssumedRole", "principalId": "AROAEXAMPLE:ci"},
        "AssumedRole",
        "AROAEXAMPLE:ci",
        "Role AROAEXAMPLE:ci (session ci)",
    ),
    "the root user": (ROOT, "Root", "root", "The root user"),
    "an IAM user": (
        {"type": "IAMUser", "userName": "alice", "arn": f"arn:aws:iam::{ACCOUNT}:user/alice"},
        "IAMUser",
        "alice",
        "IAM user alice",
    ),
    "an IAM user known by its ARN alone": (
        {"type": "IAMUser", "arn": f"arn:aws:iam::{ACCOUNT}:user/team/alice"},
        "IAMUser",
        "alice",
        "IAM user alice",
    ),
    "a federated user": (
        {
            "type": "FederatedUser",
            "arn": f"arn:aws:sts::{ACCOUNT}:federated-user/bob",
            "sessionContext": {"sessionIssuer": {"type": "IAMUser", "userName": "mallory"}},
        },
        "FederatedUser",
        "bob",
        "Federated user bob (named so by mallory)",
    ),
    "a federated user of root's": (
        {
            "type": "FederatedUser",
            "principalId": f"{ACCOUNT}:bob",
            "arn": f"arn:aws:sts::{ACCOUNT}:federated-user/bob",
            "sessionContext": {"sessionIssuer": {"type": "Root", "arn": f"arn:aws:iam::{ACCOUNT}:root"}},
        },
        "FederatedUser",
        "bob",
        "Federated user bob (named so by root)",
    ),
    "an Identity Center user by a reserved role": (
        sso(session="alice@example.com"),
        "AssumedRole",
        "alice@example.com",
        "Identity Center user alice@example.com (permission set Power_User)",
    ),
    "an Identity Center user by a reserved role's ARN alone": (
        {
            "type": "AssumedRole",
            "arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/{RESERVED}/alice@example.com",
        },
        "AssumedRole",
        "alice@example.com",
        "Identity Center user alice@example.com (permission set Power_User)",
    ),
    "a role that only has a reserved name": (
        sso(session="alice@example.com", path="role/"),
        "AssumedRole",
        RESERVED,
        f"Role {RESERVED} (session alice@example.com)",
    ),
    "a session that carries an Identity Center user's identity": (
        ROLE | {"onBehalfOf": {"userId": "u-1", "identityStoreArn": "arn:aws:identitystore::1:identitystore/d-1"}},
        "AssumedRole",
        "deploy",
        "Role deploy (session ci, for the Identity Center user u-1)",
    ),
    "a session with a source identity": (
        ROLE | {"sessionContext": ROLE["sessionContext"] | {"sourceIdentity": "alice"}},
        "AssumedRole",
        "deploy",
        "Role deploy (session ci, source identity alice)",
    ),
    "a workflow of GitHub Actions": (
        web("token.actions.githubusercontent.com", session="GitHubActions"),
        "AssumedRole",
        "deploy",
        "Role deploy (session GitHubActions, GitHub Actions)",
    ),
    "a workflow of GitHub Actions, of one enterprise": (
        web("token.actions.githubusercontent.com/octo", session="GitHubActions"),
        "AssumedRole",
        "deploy",
        "Role deploy (session GitHubActions, GitHub Actions)",
    ),
    "a provider that is named nearly so": (
        web("token.actions.githubusercontent.com.example", session="GitHubActions"),
        "AssumedRole",
        "deploy",
        "Role deploy (session GitHubActions, token.actions.githubusercontent.com.example)",
    ),
    "a pod of EKS by its service account": (
        web("oidc.eks.eu-west-1.amazonaws.com/id/0123456789ABCDEF", session="botocore-session-1735787045"),
        "AssumedRole",
        "deploy",
        "Role deploy (session botocore-session-1735787045, a pod of EKS)",
    ),
    "a pod of EKS by Pod Identity": (
        named("eks-prod-payments-7d9f-0b1c2d3e-1111-2222-3333-444455556666"),
        "AssumedRole",
        "deploy",
        "Role deploy (session eks-prod-payments-7d9f-0b1c2d3e-1111-2222-3333-444455556666, by that name a pod of EKS)",
    ),
    "the call that a workflow gets its session by": (
        {
            "type": "WebIdentityUser",
            "principalId": f"{OIDC}token.actions.githubusercontent.com:sts.amazonaws.com:repo:octo/cat",
            "userName": "repo:octo/cat:ref:refs/heads/main",
            "identityProvider": f"{OIDC}token.actions.githubusercontent.com",
        },
        "WebIdentityUser",
        "repo:octo/cat:ref:refs/heads/main",
        "Web identity repo:octo/cat:ref:refs/heads/main (GitHub Actions)",
    ),
    "the root user of a member account by AssumeRoot": (
        ROOT | {"sessionContext": {"assumedRoot": "true"}},
        "Root",
        "root",
        "The root user (by AssumeRoot)",
    ),
    "a role that was made root": (
        ROLE | {"sessionContext": ROLE["sessionContext"] | {"assumedRoot": "true"}},
        "AssumedRole",
        "deploy",
        "Role deploy (session ci, as root, by AssumeRoot)",
    ),
    "a sign-in by a name that there is not": (
        {"type": "IAMUser", "userName": "HIDDEN_DUE_TO_SECURITY_REASONS", "accountId": ACCOUNT},
        "IAMUser",
        ACCOUNT,
        f"IAM user {ACCOUNT}",
    ),
    "a service": (
        {"type": "AWSService", "invokedBy": "controltower.amazonaws.com"},
        "AWSService",
        "controltower.amazonaws.com",
        "The AWS service controltower.amazonaws.com",
    ),
    "a service without a type": (
        {"invokedBy": "controltower.amazonaws.com"},
        "AWSService",
        "controltower.amazonaws.com",
        "The AWS service controltower.amazonaws.com",
    ),
    "an account": (
        {"type": "AWSAccount", "accountId": OTHER_ACCOUNT, "principalId": "AIDAEXAMPLE"},
        "AWSAccount",
        OTHER_ACCOUNT,
        f"Account {OTHER_ACCOUNT}",
    ),
    "a SAML user": (
        {"type": "SAMLUser", "userName": "carol", "principalId": "x:carol"},
        "SAMLUser",
        "carol",
        "SAML user carol",
    ),
    "a web identity": (
        {"type": "WebIdentityUser", "userName": "dave", "principalId": "accounts.google.com:dave"},
        "WebIdentityUser",
        "dave",
        "Web identity dave",
    ),
    "an Identity Center user": (
        {"type": "IdentityCenterUser", "onBehalfOf": {"userId": "u-1"}, "credentialId": "c"},
        "IdentityCenterUser",
        "u-1",
        "Identity Center user u-1",
    ),
    "an Identity Center user of type Unknown": (
        {"type": "Unknown", "onBehalfOf": {"userId": "u-1"}},
        "IdentityCenterUser",
        "u-1",
        "Identity Center user u-1",
    ),
    "a directory user": ({"type": "Directory", "userName": "erin"}, "Directory", "erin", "Directory user erin"),
    "somebody unknown": ({"type": "Unknown", "principalId": "p"}, "Unknown", "p", "Caller p"),
    "a type to come": ({"type": "Robot", "userName": "r2"}, "Robot", "r2", "Caller r2"),
    "nobody": ({}, "Unknown", "", "Somebody unknown"),
    "no identity": (None, "Unknown", "", "Somebody unknown"),
}


@pytest.mark.parametrize(("identity", "kind", "name", "words"), IDENTITIES.values(), ids=IDENTITIES.keys())
def test_who_it_was(identity: Any, kind: str, name: str, words: str) -> None:
    actor = actor_of(by(identity))

    assert (actor.type, actor.name, described(actor)) == (kind, name, words)


def test_everything_that_a_record_says_of_its_caller_is_carried() -> None:
    identity = named("ci", sourceIdentity="alice", webIdFederationData={"federatedProvider": OIDC + "gitlab.com"})
    identity |= {"onBehalfOf": {"userId": "u-1"}, "credentialId": "c-1"}

    actor = actor_of(by(identity))

    assert (actor.issuer, actor.provider) == ("deploy", OIDC + "gitlab.com")
    assert (actor.on_behalf_of, actor.credential_id, actor.assumed_root) == ("u-1", "c-1", False)

    assert actor.session_name == "ci"
    assert actor.source_identity == "alice"
    assert actor.arn == ROLE["arn"]
    assert (actor.account_id, actor.principal_id, actor.access_key_id) == (ACCOUNT, "AROAEXAMPLE:ci", "ASIAEXAMPLE")
    assert (actor.source_ip, actor.user_agent, actor.location) == ("192.0.2.7", "aws-cli/2.22.0", None)


def test_a_caller_without_an_account_is_of_its_arns() -> None:
    assert actor_of(by({"type": "IAMUser", "arn": f"arn:aws:iam::{OTHER_ACCOUNT}:user/x"})).account_id == OTHER_ACCOUNT
    assert account_of_arn("arn:aws:iam::12345678901٢:user/x") is None
    assert account_of_arn("arn:aws:s3:::bucket") is None


def with_mfa(value: Any, **identity: Any) -> dict[str, Any]:
    return by(
        {
            "type": "IAMUser",
            "userName": "alice",
            "sessionContext": {"attributes": {"mfaAuthenticated": value}},
            **identity,
        }
    )


@pytest.mark.parametrize(
    ("one", "mfa"),
    [
        (with_mfa("true"), True),
        (with_mfa("false"), False),
        (with_mfa(True), True),
        (with_mfa("yes"), None),
        (with_mfa(None), None),
        (by({"type": "IAMUser", "userName": "alice"}), None),  # a long-lived key says nothing
        (by(ROLE), False),
        (with_mfa("false", type="SAMLUser"), None),
        (with_mfa("false", type="IdentityCenterUser"), None),
        (with_mfa("false", type="WebIdentityUser"), None),
        (
            by(
                {
                    "type": "AssumedRole",
                    "sessionContext": {
                        "sessionIssuer": {"userName": "AWSReservedSSO_Admin_0123456789abcdef"},
                        "attributes": {"mfaAuthenticated": "false"},
                    },
                }
            ),
            None,
        ),
        (
            by(
                {
                    "type": "AssumedRole",
                    "sessionContext": {
                        "webIdFederationData": {"federatedProvider": "accounts.google.com"},
                        "attributes": {"mfaAuthenticated": "false"},
                    },
                }
            ),
            None,
        ),
    ],
)
def test_a_second_factor_is_only_denied_by_a_record_that_can_say(one: dict[str, Any], mfa: bool | None) -> None:
    assert actor_of(one).mfa is mfa


@pytest.mark.parametrize(
    ("fields", "identity", "via"),
    [
        ({"userAgent": "aws-cli/2.22.0 md/awscrt"}, ROLE, "cli"),
        ({"userAgent": "[aws-cli/1.11.0]"}, ROLE, "cli"),
        ({"userAgent": "Boto3/1.35.0"}, ROLE, "sdk"),
        ({"userAgent": "APN/1.0 HashiCorp/1.0 Terraform/1.9"}, ROLE, "sdk"),
        ({"userAgent": None}, ROLE, "sdk"),
        ({"userAgent": ["aws-cli/"]}, ROLE, "sdk"),
        ({"userAgent": "Mozilla/5.0"}, ROLE, "console"),
        ({"userAgent": "console.amazonaws.com"}, ROLE, "console"),
        ({"userAgent": "signin.amazonaws.com"}, ROLE, "console"),
        ({"userAgent": "[S3Console/0.4, aws-internal/3]"}, ROLE, "console"),
        ({"sessionCredentialFromConsole": "true"}, ROLE, "console"),
        ({"userAgent": "cloudformation.amazonaws.com"}, ROLE, "service"),
        ({"sourceIPAddress": "ssm.amazonaws.com"}, ROLE, "service"),
        ({"sourceIPAddress": "AWS Internal"}, ROLE, "service"),
        ({"userAgent": "cloudformation.amazonaws.com.cn"}, ROLE, "service"),
        ({"userAgent": "aws-cli/2.22.0 exec-env/CloudShell"}, ROLE, "cli"),
        ({"eventType": "AwsServiceEvent"}, ROLE, "service"),
        ({}, {"type": "AWSService", "invokedBy": "controltower.amazonaws.com"}, "service"),
        ({"sessionCredentialFromConsole": "true"}, ROLE | {"invokedBy": "cloudformation.amazonaws.com"}, "service"),
    ],
)
def test_how_the_call_was_made(fields: dict[str, Any], identity: dict[str, Any], via: str) -> None:
    assert actor_of(by(identity, **fields)).via == via


def test_the_root_user_is_one_also_by_a_borrowed_session() -> None:
    for identity, root in (
        (ROOT, True),
        (ROLE, False),
        (ROLE | {"sessionContext": {"assumedRoot": True}}, True),
        (ROLE | {"sessionContext": {"assumedRoot": "false"}}, False),
        ({"type": "FederatedUser", "sessionContext": {"sessionIssuer": {"type": "Root"}}}, True),
        ({"type": "FederatedUser", "sessionContext": {"sessionIssuer": {"type": "IAMUser"}}}, False),
    ):
        one = by(identity)
        assert is_root(one, actor_of(one)) is root


def test_a_person_is_told_from_a_program() -> None:
    assert is_person(actor_of(by(sso(session="alice"))))
    assert is_person(actor_of(by(ROLE | {"onBehalfOf": {"userId": "u-1"}})))
    assert not is_person(actor_of(by(web("token.actions.githubusercontent.com", session="alice"))))
    assert is_person(actor_of(by({"type": "IAMUser", "userName": "alice"})))
    assert is_person(actor_of(by(ROLE, userAgent="Mozilla/5.0")))
    assert not is_person(actor_of(by(ROLE)))


def test_names_are_shown_in_one_short_line() -> None:
    words = described(actor_of(by({"type": "IAMUser", "userName": "a\nb\u202e" + "x" * 500})))

    assert words.startswith("IAM user a b x")
    assert len(words) < 80


@given(objects(userIdentity=objects(type=texts(), arn=texts(), sessionContext=json_values()), userAgent=texts()))
def test_no_record_is_too_odd_to_have_a_caller(one: dict[str, Any]) -> None:
    actor = actor_of(one)

    assert described(actor).isprintable()
    assert is_person(actor) in (True, False)
    assert is_root(one, actor) in (True, False)
