"""Replicas of one table, the tables themselves, and a clock that a test turns by hand."""

import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from stream.aws import Aws
from stream.ledger.dynamodb import DynamoLedger
from stream.ledger.memory import MemoryLedger
from stream.ledger.outage import Outage
from stream.ledger.table import Address, Table
from stream.metrics import Metrics

CLAIM_S = 60.0
TTL_S = 3600.0
MARGIN_S = 16.0
"""By which the table keeps all of it longer, for clocks that differ, rounded up."""


class Time:
    """Unix time that stands still; it begins now, or an emulator's own TTL might delete what a test has written."""

    def __init__(self) -> None:
        self.now = time.time()

    def __call__(self) -> float:
        return self.now


async def create_table(client: Any, *, key: str = "id", type_: str = "S", ttl: str | None = "expires_at") -> str:
    """Make a table, by default as it should be; its name."""
    name = f"ledger-{uuid.uuid4().hex}"
    await client.create_table(
        TableName=name,
        AttributeDefinitions=[{"AttributeName": key, "AttributeType": type_}],
        KeySchema=[{"AttributeName": key, "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
    )
    if ttl:
        await client.update_time_to_live(
            TableName=name, TimeToLiveSpecification={"Enabled": True, "AttributeName": ttl}
        )
    return name


@asynccontextmanager
async def replica(
    aws: Aws,
    table: str,
    *,
    now: Time | None = None,
    metrics: Metrics | None = None,
    request_s: float = 20.0,
    pause_s: float = 0.01,
    **options: Any,
) -> AsyncIterator[DynamoLedger]:
    """A ledger with a memory of its own; an emulator may take its time, unless told otherwise."""
    clock, metrics = now or Time(), metrics or Metrics()
    async with aws.client("dynamodb", attempts=1, connections=32) as client:
        shared = Table(client, Address(table, aws.region), claim_s=CLAIM_S, ttl_s=TTL_S, request_s=request_s, now=clock)
        memory = MemoryLedger(TTL_S + MARGIN_S, claim_s=CLAIM_S + MARGIN_S, now=clock)
        outage = Outage(metrics, table, first_pause_s=pause_s)
        async with DynamoLedger(shared, metrics, memory=memory, outage=outage, **options) as ledger:
            yield ledger
