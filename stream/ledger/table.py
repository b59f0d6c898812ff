"""The ledger's table as DynamoDB's API shows it: deliveries in, what the table knows of them out.

Every failure is a `TableError`. Replicas' clocks differ and TTL deletes by DynamoDB's own, days late at times, so
that every item carries a margin, and whether it has expired is compared here.
"""

import asyncio
import math
import time
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final, Self

from stream.ledger.faults import FAILURES, ConditionFailed, failure
from stream.ledger.interface import CLAIM_S, NOTE_S, REDELIVERY_S, Claim

SCHEME: Final = "dynamodb://"
KEY: Final = "id"
TTL_ATTRIBUTE: Final = "expires_at"
ACTIONS: Final = ("dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:DeleteItem")
"""All that `run` may have to do."""

_REQUEST_S: Final = 3.0  # with its second try; above it an outage would be felt by every alert
_CLOCK_MARGIN_S: Final = 15.0  # by which two replicas' clocks may differ

# `state` and `owner` are reserved words of DynamoDB's expressions.
_NAMES: Final = {"#state": "state", "#owner": "owner"}
_MINE: Final = "#state = :claimed AND #owner = :me"
# An item without an end, which nobody but a person may have written, must not hold an alert back for ever.
_FREE: Final = f"attribute_not_exists({TTL_ATTRIBUTE}) OR {TTL_ATTRIBUTE} <= :now OR ({_MINE})"
_THERE: Final = f"attribute_exists({KEY})"

Item = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Address:
    """Which table.

    Attributes:
        table: its name or its ARN, as every request of ours takes either:
            https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_PutItem.html
        region: where it is.
    """

    table: str
    region: str

    @classmethod
    def of(cls, setting: str, here: str) -> Self:
        """Of `TRAILSTREAM_LEDGER`; a mere name is a table of the region that we are in."""
        table = setting.removeprefix(SCHEME)
        return cls(table, table.split(":")[3] if table.startswith("arn:") else here)

    @property
    def arn(self) -> str:
        """For a policy: of a mere name the account is left open."""
        if self.table.startswith("arn:"):
            return self.table
        partition = {"cn": "aws-cn", "us-gov": "aws-us-gov"}.get(self.region.rsplit("-", 2)[0], "aws")
        return f"arn:{partition}:dynamodb:{self.region}:*:table/{self.table}"


@dataclass(frozen=True, slots=True)
class Note:
    """A text that replicas share; `version` counts its revisions, 0: there is none yet."""

    text: str | None
    version: int


class Table:
    """The requests that a ledger makes of one table.

    Args:
        client: aiobotocore's, for DynamoDB.
        address: which table.
        claim_s: seconds for which a claim holds.
        ttl_s: seconds for which an acceptance is remembered.
        request_s: seconds that one request may take, retries included.
        now: Unix time in seconds.
    """

    def __init__(
        self,
        client: Any,
        address: Address,
        *,
        claim_s: float = CLAIM_S,
        ttl_s: float = REDELIVERY_S,
        request_s: float = _REQUEST_S,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.address = address
        self._client = client
        self._claim_s = claim_s
        self._ttl_s = ttl_s
        self._request_s = request_s
        self._now = now
        self._owner = uuid.uuid4().hex

    async def sent(self, channel: str, alert_id: str) -> bool:
        """Whether the table has an acceptance.

        Raises:
            TableError: nobody knows.
        """
        return self._is_accepted(await self._get(_key(channel, alert_id)))

    async def claim(self, channel: str, alert_id: str) -> Claim:
        """Take a claim, by one conditional write; one that is ours already is taken again.

        Raises:
            TableError: nobody knows whether it was taken.
        """
        key = _key(channel, alert_id)
        try:
            await self._request(
                self._client.put_item,
                Item={
                    KEY: {"S": key},
                    "state": {"S": "claimed"},
                    "owner": {"S": self._owner},
                    TTL_ATTRIBUTE: self._until(self._claim_s),
                },
                ConditionExpression=_FREE,
                ExpressionAttributeNames=_NAMES,
                ExpressionAttributeValues=self._mine() | {":now": {"N": str(math.floor(self._now()))}},
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except ConditionFailed as refused:
            there = refused.item or await self._get(key)  # old emulators don't say what was there
            return "sent" if self._is_accepted(there) else "held"
        return "granted"

    async def accept(self, channel: str, alert_id: str) -> None:
        """Write an acceptance, whatever was there.

        Raises:
            TableError: nobody knows whether it was written.
        """
        await self._request(
            self._client.put_item,
            Item={
                KEY: {"S": _key(channel, alert_id)},
                "state": {"S": "accepted"},
                TTL_ATTRIBUTE: self._until(self._ttl_s),
            },
        )

    async def release(self, channel: str, alert_id: str) -> None:
        """Delete a claim, if it is ours.

        Raises:
            TableError: nobody knows whether it was deleted.
        """
        try:
            await self._request(
                self._client.delete_item,
                Key={KEY: {"S": _key(channel, alert_id)}},
                ConditionExpression=_MINE,
                ExpressionAttributeNames=_NAMES,
                ExpressionAttributeValues=self._mine(),
            )
        except ConditionFailed:
            return

    async def note(self, name: str) -> Note:
        """A note, as it is now.

        Raises:
            TableError: nobody knows.
        """
        item = await self._get(_note_key(name))
        version = item.get("version", {}).get("N", "")
        return Note(item.get("note", {}).get("S"), int(version) if version.isdecimal() else 0)

    async def put_note(self, name: str, text: str, version: int) -> bool:
        """Put a note in the place of the one that had this version (0: of none); whether it was still that one.

        Raises:
            TableError: nobody knows.
        """
        condition, values = f"attribute_not_exists({KEY})", {}
        if version:
            condition, values = "#version = :before", {":before": {"N": str(version)}}
        options: dict[str, Any] = {"ExpressionAttributeValues": values} if values else {}
        if version:
            options["ExpressionAttributeNames"] = {"#version": "version"}
        try:
            await self._request(
                self._client.put_item,
                Item={
                    KEY: {"S": _note_key(name)},
                    "note": {"S": text},
                    "version": {"N": str(version + 1)},
                    TTL_ATTRIBUTE: self._until(NOTE_S),
                },
                ConditionExpression=condition,
                **options,
            )
        except ConditionFailed:
            return False
        return True

    async def try_action(self, action: str) -> None:
        """Find out whether one of `ACTIONS` is possible, writing nothing: no item has the key that is asked for.

        Raises:
            TableError: it is not.
        """
        key = {KEY: {"S": f"trailstream#{uuid.uuid4().hex}"}}
        try:
            match action:
                case "dynamodb:GetItem":
                    await self._request(self._client.get_item, Key=key)
                case "dynamodb:PutItem":
                    await self._request(self._client.put_item, Item=key, ConditionExpression=_THERE)
                case "dynamodb:DeleteItem":
                    await self._request(self._client.delete_item, Key=key, ConditionExpression=_THERE)
        except ConditionFailed:
            return

    async def _get(self, key: str) -> Item:
        answer = await self._request(self._client.get_item, Key={KEY: {"S": key}}, ConsistentRead=True)
        item: Item = answer.get("Item") or {}
        return item

    async def _request(self, operation: Callable[..., Awaitable[Any]], **parameters: Any) -> dict[str, Any]:
        try:
            async with asyncio.timeout(self._request_s):
                answer: dict[str, Any] = await operation(TableName=self.address.table, **parameters)
        except FAILURES as error:
            raise failure(error) from error
        return answer

    def _is_accepted(self, item: Item) -> bool:
        expires_at = float(item.get(TTL_ATTRIBUTE, {}).get("N", 0))
        return item.get("state") == {"S": "accepted"} and expires_at > self._now()

    def _mine(self) -> Item:
        return {":claimed": {"S": "claimed"}, ":me": {"S": self._owner}}

    def _until(self, seconds: float) -> Item:
        return {"N": str(math.ceil(self._now() + seconds + _CLOCK_MARGIN_S))}


def _note_key(name: str) -> str:
    return f"trail#{name}"


def _key(channel: str, alert_id: str) -> str:
    return f"{channel}#{alert_id}"
