"""The names of accounts as they are now, for a scan: what `TRAILSTREAM_ACCOUNTS` says in, names by account id out."""

import asyncio
import sys

from stream.accounts import listed


def account_names(setting: str) -> dict[str, str]:
    """Names by account id; those that AWS Organizations won't tell are done without, which is said.

    Raises:
        ConfigError: the variable or its file can't be used.
    """
    if not setting.strip():
        return {}
    if setting.strip() != listed.ORGANIZATIONS:
        return {account.id: account.name for account in listed.load(setting).values()}
    from stream.accounts import organizations  # brings AWS's whole client with it, which most scans don't need

    try:
        return asyncio.run(_organization())
    except (*organizations.ERRORS, ValueError) as error:
        code = organizations.error_code(error)
        sys.stderr.write(f"trailstream: accounts go without names: AWS Organizations can't be asked ({code})\n")
        return {}


async def _organization() -> dict[str, str]:
    from stream.accounts import organizations
    from stream.aws import Aws
    from stream.metrics import Metrics

    async with Aws(Metrics()).client(listed.ORGANIZATIONS) as client:
        return {account.id: account.name for account in (await organizations.accounts(client)).values()}
