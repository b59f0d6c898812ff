"""AWS Organizations as moto has it: names, organizational units and tags, and what becomes of refusals."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import pytest
import structlog
from botocore.exceptions import ClientError, EndpointConnectionError, NoCredentialsError

from stream.accounts import organizations
from stream.accounts.book import AccountBook
from stream.aws import Aws
from stream.metrics import Metrics
from tests.accounts.naps import Naps
from tests.checks.aws_stub import Answer, AwsStub

LISTED: Final = {"Accounts": [{"Id": "111122223333", "Name": "pr\u202eod"}, {"Id": "012345670123", "Name": "\u200b"}]}
REFUSED: Final[Answer] = (400, {}, json.dumps({"__type": "AccessDeniedException", "message": "hunter2"}))


def json_answer(body: Any) -> Answer:
    return 200, {"Content-Type": "application/x-amz-json-1.1"}, json.dumps(body)


@asynccontextmanager
async def followed(metrics: Metrics | None = None) -> AsyncIterator[tuple[AccountBook, Naps]]:
    """A book that is kept fresh from Organizations, as it is after the first time."""
    book, naps, counted = AccountBook("organizations"), Naps(), metrics or Metrics()
    task = asyncio.create_task(book.keep_fresh(Aws(counted), counted, sleep=naps))
    try:
        yield book, naps
    finally:
        task.cancel()
        await asyncio.wait([task])


def counted(metrics: Metrics, reason: str) -> float | None:
    labels = {"stage": "accounts", "reason": reason}
    return metrics.registry.get_sample_value("trailstream_errors_total", labels)


async def test_names_units_and_tags_of_every_account_are_had(
    moto_endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_ORGANIZATIONS", moto_endpoint)
    async with Aws(Metrics()).client("organizations") as client:
        await client.create_organization(FeatureSet="ALL")
        root = (await client.list_roots())["Roots"][0]["Id"]
        made = {}
        for number in range(22):  # more than a page
            created = await client.create_account(Email=f"a{number}@example.com", AccountName=f"account {number}")
            made[number] = created["CreateAccountStatus"]["AccountId"]
        above = await client.create_organizational_unit(ParentId=root, Name="Workloads")
        below = await client.create_organizational_unit(ParentId=above["OrganizationalUnit"]["Id"], Name="Prod")
        place = below["OrganizationalUnit"]["Id"]
        await client.move_account(AccountId=made[3], SourceParentId=root, DestinationParentId=place)
        await client.tag_resource(ResourceId=made[3], Tags=[{"Key": "team", "Value": "core"}])

    async with followed() as (book, naps):
        await book.wait(20)
        assert await naps.begun() == 86_400

        assert len(book) == 23  # with the management account
        assert {book.name(id_) for id_ in made.values()} == {f"account {number}" for number in made}
        account = book.get(made[3])
        assert account is not None
        assert (account.name, account.ou, account.tags) == ("account 3", "Root/Workloads/Prod", {"team": "core"})
        assert [one.ou for id_ in (made[0], made[21]) if (one := book.get(id_))] == ["Root", "Root"]
        assert book.name("999999999999") is None


async def test_names_alone_will_do_where_no_more_is_permitted(monkeypatch: pytest.MonkeyPatch) -> None:
    metrics = Metrics()
    with AwsStub() as stub:
        monkeypatch.setenv("AWS_ENDPOINT_URL", stub.url)
        stub.answers.update(ListAccounts=json_answer(LISTED), ListRoots=REFUSED, ListTagsForResource=REFUSED)
        async with followed(metrics) as (book, naps):
            assert await naps.begun() == 86_400

            assert (book.name("111122223333"), book.name("012345670123")) == ("pr od", "012345670123")
            assert counted(metrics, "forbidden") == 2


async def test_the_old_copy_is_kept_when_it_can_not_be_had_again(monkeypatch: pytest.MonkeyPatch) -> None:
    metrics = Metrics()
    roots = json_answer({"Roots": [{"Id": "r-1", "Name": "Root"}]})
    with AwsStub() as stub, structlog.testing.capture_logs() as logs:
        monkeypatch.setenv("AWS_ENDPOINT_URL", stub.url)
        stub.answers.update(
            ListAccounts=json_answer(LISTED),
            ListRoots=roots,
            ListAccountsForParent=json_answer(LISTED),
            ListOrganizationalUnitsForParent=json_answer({"OrganizationalUnits": []}),
            ListTagsForResource=json_answer({"Tags": []}),
        )
        async with followed(metrics) as (book, naps):
            assert await naps.begun() == 86_400
            stub.answers["ListAccounts"] = REFUSED
            assert await naps.next() == 3600
            assert book.name("111122223333") == "pr od"
            assert counted(metrics, "forbidden") == 1

            renamed = {"Accounts": [{"Id": "111122223333", "Name": "new"}]}
            stub.answers.update(ListAccounts=json_answer(renamed), ListRoots=(400, {}, "{"))
            assert await naps.next() == 3600
            account = book.get("111122223333")
            assert account is not None
            assert (account.name, account.ou, len(book)) == ("new", "Root", 1)

            stub.answers.update(ListAccounts=json_answer({"Accounts": [{"Name": "x"}]}))  # nothing AWS would say
            assert await naps.next() == 3600
            assert len(book) == 1
            assert counted(metrics, "other") == 2
    assert "hunter2" not in json.dumps(logs)
    assert next((line["what"], line["code"]) for line in logs if "code" in line) == ("names", "AccessDeniedException")


async def test_alerts_wait_for_names_no_longer_than_they_should() -> None:
    book = AccountBook("organizations")
    with structlog.testing.capture_logs() as logs:
        await book.wait(0)

    assert [line["event"] for line in logs] == ["account names are still on their way"]


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ClientError({"Error": {"Code": "AccessDeniedException"}}, "ListAccounts"), "forbidden"),
        (ClientError({"Error": {"Code": "TooManyRequestsException"}}, "ListAccounts"), "throttled"),
        (ClientError({"Error": {"Code": "AWSOrganizationsNotInUseException"}}, "ListAccounts"), "other"),
        (EndpointConnectionError(endpoint_url="http://x"), "connection"),
        (ConnectionResetError(), "connection"),
        (NoCredentialsError(), "other"),
    ],
)
def test_every_error_has_a_reason_that_is_counted(error: Exception, reason: str) -> None:
    assert isinstance(error, organizations.ERRORS)
    assert organizations.reason(error) == reason
    assert counted(Metrics(), reason) == 0
