"""AWS Organizations in; its accounts by id, the paths of their organizational units, and their tags out.

All of it can be asked for only in the management account, or in one that is a delegated administrator for some
service: https://docs.aws.amazon.com/organizations/latest/APIReference/API_ListAccounts.html
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from typing import Any, Final, Literal

import aiohttp
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as BotoConnectionError
from botocore.parsers import ResponseParserError

from stream.accounts.account import Account
from stream.json_value import shown

ACTIONS: Final = (
    "organizations:ListAccounts",
    "organizations:ListRoots",
    "organizations:ListOrganizationalUnitsForParent",
    "organizations:ListAccountsForParent",
    "organizations:ListTagsForResource",
)
"""What may be asked for. Only the first is needed for names."""

ERRORS: Final = (ClientError, BotoCoreError, ResponseParserError, aiohttp.ClientError, OSError)
"""What a request may end in, cut connections included."""

Reason = Literal["forbidden", "throttled", "connection", "other"]
Sleep = Callable[[float], Awaitable[object]]

_PACE_S: Final = 0.1  # between two requests for tags, of which each account takes one: the quota is the organization's
_OU_NAME_CHARACTERS: Final = 128
_FORBIDDEN: Final = frozenset({"AccessDenied", "AccessDeniedException"})
_THROTTLED: Final = frozenset({"Throttling", "ThrottlingException", "TooManyRequestsException"})


async def accounts(client: Any) -> dict[str, Account]:
    """Every account of the organization, suspended ones too.

    Raises:
        ERRORS: as they come.
    """
    found: dict[str, Account] = {}
    async for account in _pages(client, "list_accounts", "Accounts"):
        # A name that nobody can see is as good as none.
        found[account["Id"]] = Account.of(account["Id"], shown(account.get("Name", ""), 100) or account["Id"])
    return found


async def units(client: Any) -> dict[str, str]:
    """The path of the organizational unit of each account, such as `Root/Workloads/Prod`.

    Raises:
        ERRORS: as they come.
    """
    found: dict[str, str] = {}
    waiting = [(root["Id"], _plain(root)) async for root in _pages(client, "list_roots", "Roots")]
    while waiting:
        parent, path = waiting.pop()
        async for account in _pages(client, "list_accounts_for_parent", "Accounts", ParentId=parent):
            found[account["Id"]] = path
        below = _pages(client, "list_organizational_units_for_parent", "OrganizationalUnits", ParentId=parent)
        waiting += [(unit["Id"], f"{path}/{_plain(unit)}") async for unit in below]
    return found


async def tags(client: Any, ids: Iterable[str], *, sleep: Sleep = asyncio.sleep) -> dict[str, dict[str, str]]:
    """The tags of these accounts, one after the other so that nobody else is throttled.

    Raises:
        ERRORS: as they come.
    """
    found: dict[str, dict[str, str]] = {}
    for id_ in ids:
        pages = _pages(client, "list_tags_for_resource", "Tags", ResourceId=id_)
        found[id_] = {shown(tag["Key"], 128): shown(tag["Value"], 256) async for tag in pages}
        await sleep(_PACE_S)
    return found


def error_code(error: BaseException) -> str:
    """AWS's own error code, or the class of the exception; never its text, which may quote anything."""
    if isinstance(error, ClientError):
        return str(error.response.get("Error", {}).get("Code", "") or "unknown")[:80]
    return type(error).__name__


def reason(error: BaseException) -> Reason:
    """What to count an error as."""
    code = error_code(error)
    if code in _FORBIDDEN:
        return "forbidden"
    if code in _THROTTLED:
        return "throttled"
    unreached = (BotoConnectionError, HTTPClientError, aiohttp.ClientError, OSError)
    return "connection" if isinstance(error, unreached) else "other"


def _plain(unit: Any) -> str:
    return shown(unit.get("Name", ""), _OU_NAME_CHARACTERS) or str(unit["Id"])


async def _pages(client: Any, operation: str, member: str, **parameters: str) -> AsyncIterator[Any]:
    """The elements of all pages; one may be empty and not the last."""
    async for page in client.get_paginator(operation).paginate(**parameters):
        for element in page[member]:
            yield element
