"""The ledger that the settings name: open while the context lasts, and looked at before. It creates nothing."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from stream.aws import Aws
from stream.errors import ConfigError
from stream.ledger.dynamodb import CONNECTIONS, DynamoLedger
from stream.ledger.faults import TableError
from stream.ledger.interface import Ledger
from stream.ledger.memory import MemoryLedger
from stream.ledger.outage import Outage
from stream.ledger.table import ACTIONS, KEY, TTL_ATTRIBUTE, Address, Table
from stream.metrics import Metrics
from stream.settings import Settings

HOW_TO_MAKE_IT: Final = (
    f"partition key `{KEY}` (String), no sort key, on-demand billing, TTL on the attribute `{TTL_ATTRIBUTE}`"
)
_TRIES: Final = 2  # of one request, by botocore
_LONGEST_TIMEOUT_S: Final = 300.0  # that ChannelSettings.timeout allows
_REQUESTS_A_SEND: Final = 3  # a look-up, a creation, a comment
_SHORTEST_CLAIM_S: Final = 30.0


def claim_s(longest_timeout_s: float) -> float:
    """Seconds that sending may take where one request may take this long.

    No longer than that: what a replica was sending when it died waits until its claim lapses.
    """
    return max(_SHORTEST_CLAIM_S, _REQUESTS_A_SEND * longest_timeout_s)


@asynccontextmanager
async def open_ledger(
    settings: Settings, aws: Aws, metrics: Metrics, *, longest_timeout_s: float = _LONGEST_TIMEOUT_S
) -> AsyncIterator[Ledger]:
    """The ledger of `TRAILSTREAM_LEDGER`.

    Args:
        settings: the program's own.
        aws: the process's session.
        metrics: where failures are counted.
        longest_timeout_s: the longest that a request to a channel may take; a claim lasts some times as long.

    Raises:
        ConfigError: there is no such table, its key is another, or it may not be used. That it can't be reached at
            this moment is a warning.
    """
    memory = MemoryLedger(claim_s=claim_s(longest_timeout_s))
    if settings.ledger == "memory":
        yield memory
        return
    address = Address.of(settings.ledger, aws.region)
    async with aws.client("dynamodb", region=address.region, connections=CONNECTIONS, attempts=_TRIES) as client:
        table = Table(client, address, claim_s=claim_s(longest_timeout_s))
        outage = Outage(metrics, address.table)
        await _look(table, outage)
        async with DynamoLedger(table, metrics, memory=memory, outage=outage) as ledger:
            yield ledger


async def _look(table: Table, outage: Outage) -> None:
    try:
        for action in ACTIONS:
            await table.try_action(action)
    except TableError as error:
        if error.reason in ("no_table", "bad_key", "forbidden"):
            raise ConfigError(f"TRAILSTREAM_LEDGER: {_explain(error, table.address)}") from error
        outage.failed(error)


def _explain(error: TableError, address: Address) -> str:
    """What is wrong with the table, and what to do about it."""
    name = f"the table {address.table} in {address.region}"
    if error.reason == "no_table":
        return f"there is no such thing as {name}, and none is made here. Make it: {HOW_TO_MAKE_IT}."
    if error.reason == "bad_key":
        return f"{name} has another key than ours ({error.code}). Make one for this alone: {HOW_TO_MAKE_IT}."
    return f"{name} may not be used ({error.code}): these credentials need {', '.join(ACTIONS)} on {address.arn}."
