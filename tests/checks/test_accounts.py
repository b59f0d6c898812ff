"""The names of accounts: how many, and what is missing where AWS Organizations tells none."""

import json

import pytest

from stream.aws import Aws
from stream.checks.accounts import check_listed_accounts, check_organization
from stream.checks.outcome import Outcome
from stream.settings import Settings
from tests.checks.aws_stub import Answer, AwsStub

ONE: Answer = (200, {}, json.dumps({"Accounts": [{"Id": "111122223333", "Name": "prod"}]}))
NONE: Answer = (200, {}, json.dumps({"Roots": []}))
REFUSED: Answer = (400, {}, json.dumps({"__type": "AccessDeniedException"}))


async def organization(aws: Aws) -> Outcome:
    settings = Settings(accounts="organizations")
    assert list(check_listed_accounts(settings)) == []
    (outcome,) = [found async for found in check_organization(aws, settings)]
    return outcome


@pytest.mark.parametrize(
    ("value", "evidence"), [("111122223333=a", "1 name"), ("111122223333=a,444455556666=b", "2 names")]
)
async def test_names_that_are_listed_are_counted(aws: Aws, value: str, evidence: str) -> None:
    settings = Settings(accounts=value)

    assert list(check_listed_accounts(settings)) == [Outcome("accounts", "ok", evidence)]
    assert [found async for found in check_organization(aws, settings)] == []


async def test_nothing_is_said_where_none_are_wanted(aws: Aws) -> None:
    assert list(check_listed_accounts(Settings())) == []
    assert [found async for found in check_organization(aws, Settings())] == []


async def test_organizations_that_tells_is_ok(aws: Aws, stub: AwsStub) -> None:
    stub.answers.update(ListAccounts=ONE, ListRoots=NONE)

    assert await organization(aws) == Outcome("accounts", "ok", "1 name of AWS Organizations")


@pytest.mark.parametrize(
    ("refused", "evidence"),
    [
        ("ListAccounts", "tells no names, and alerts go without"),
        ("ListRoots", "1 name of AWS Organizations, but no org"),
    ],
)
async def test_a_refusal_is_a_warning_with_the_statement_that_allows_it(
    aws: Aws, stub: AwsStub, refused: str, evidence: str
) -> None:
    stub.answers.update({"ListAccounts": ONE, "ListRoots": NONE, refused: REFUSED})
    outcome = await organization(aws)

    assert outcome.status == "warn"
    assert evidence in outcome.evidence
    assert "AccessDeniedException" in outcome.evidence
    assert "management account" in (outcome.fix or "")
    allowed = json.loads((outcome.fix or "").partition("above:\n")[2])
    assert "organizations:ListAccounts" in allowed["Action"]
    assert allowed["Resource"] == "*"


async def test_an_account_without_an_organization_is_told_what_else_to_do(aws: Aws, stub: AwsStub) -> None:
    stub.answers["ListAccounts"] = (400, {}, json.dumps({"__type": "AWSOrganizationsNotInUseException"}))
    outcome = await organization(aws)

    assert (outcome.status, "NotInUse" in outcome.evidence) == ("warn", True)
    assert "TRAILSTREAM_ACCOUNTS" in (outcome.fix or "")
