"""The names of accounts: how many are known, and whether AWS Organizations would tell them."""

from collections.abc import AsyncIterator, Iterator
from typing import Final

from stream.accounts.book import AccountBook
from stream.accounts.listed import ORGANIZATIONS
from stream.accounts.organizations import ACTIONS, accounts, units
from stream.aws import Aws
from stream.checks.outcome import AWS_ERRORS, Outcome, allow, error_code, is_forbidden
from stream.settings import Settings

_CHECK: Final = "accounts"


def check_listed_accounts(settings: Settings) -> Iterator[Outcome]:
    """Read the names that the variable or its file lists; nothing if there are none to be.

    Raises:
        ConfigError: they can't be used.
    """
    book = AccountBook(settings.accounts)
    if len(book):
        yield Outcome(_CHECK, "ok", f"{len(book)} {'name' if len(book) == 1 else 'names'}")


async def check_organization(aws: Aws, settings: Settings) -> AsyncIterator[Outcome]:
    """Ask AWS Organizations for the names, if that is where they come from, and for the organizational units."""
    if settings.accounts.strip() != ORGANIZATIONS:
        return
    try:
        async with aws.client(ORGANIZATIONS, attempts=2) as client:
            found = len(await accounts(client))
            evidence = f"{found} {'name' if found == 1 else 'names'} of AWS Organizations"
            try:
                await units(client)
            except AWS_ERRORS as error:
                yield _failed(error, f"{evidence}, but no organizational units")
            else:
                yield Outcome(_CHECK, "ok", evidence)
    except AWS_ERRORS as error:
        yield _failed(error, "AWS Organizations tells no names, and alerts go without")


def _failed(error: BaseException, evidence: str) -> Outcome:
    told = f"{evidence} ({error_code(error)})"
    if is_forbidden(error):
        where = "It has to be an identity of the management account, or of a delegated administrator's."
        return Outcome(_CHECK, "warn", told, f"{where}\n{allow((ACTIONS, '*'))}")
    return Outcome(_CHECK, "warn", told, "List the names in TRAILSTREAM_ACCOUNTS or in a file that it names.")
