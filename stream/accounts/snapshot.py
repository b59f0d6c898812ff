"""The accounts as they are now, for a command that ends: what `TRAILSTREAM_ACCOUNTS` says in, accounts by id out."""

import sys
from collections.abc import Mapping
from dataclasses import replace

from stream.accounts import listed
from stream.accounts.account import Account


def known_accounts(setting: str, *, whole: bool = False) -> Mapping[str, Account]:
    """Accounts by id; those that AWS Organizations won't tell of are done without, which is said.

    Args:
        setting: the variable's value.
        whole: organizational units and tags are wanted too, which costs Organizations a request for each of both.

    Raises:
        ConfigError: the variable or its file can't be used.
    """
    if not setting.strip():
        return {}
    if setting.strip() != listed.ORGANIZATIONS:
        return listed.load(setting)
    import asyncio

    from stream.accounts import organizations  # brings AWS's whole client with it, which most scans don't need

    try:
        return asyncio.run(_organization(whole=whole))
    except (*organizations.ERRORS, ValueError) as error:
        code = organizations.error_code(error)
        sys.stderr.write(f"trailstream: accounts go without names: AWS Organizations can't be asked ({code})\n")
        return {}


def account_names(setting: str) -> dict[str, str]:
    """The names alone, by account id.

    Raises:
        ConfigError: the variable or its file can't be used.
    """
    return {account.id: account.name for account in known_accounts(setting).values()}


async def _organization(*, whole: bool) -> Mapping[str, Account]:
    from stream.accounts import organizations
    from stream.aws import Aws
    from stream.metrics import Metrics

    async with Aws(Metrics()).client(listed.ORGANIZATIONS) as client:
        found = await organizations.accounts(client)
        if not whole:
            return found
        units = await organizations.units(client)
        tags = await organizations.tags(client, found)
    return {id_: replace(one, ou=units.get(id_), tags=tags.get(id_, {})) for id_, one in found.items()}
