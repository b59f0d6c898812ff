"""The ledger: that its table is there, made as it should be, and may be used. Nothing is written."""

from collections.abc import AsyncIterator, Iterable
from typing import Any, Final

from stream.aws import Aws
from stream.checks.outcome import AWS_ERRORS, Outcome, allow, error_code, is_forbidden
from stream.deliver.channels import CHANNELS
from stream.deliver.instances import Instance
from stream.deliver.repeats import SHARE_THE_LEDGER, may_repeat
from stream.ledger.faults import TableError, failure
from stream.ledger.opening import HOW_TO_MAKE_IT
from stream.ledger.table import ACTIONS, KEY, TTL_ATTRIBUTE, Address, Table
from stream.notice import PACK
from stream.settings import Settings

_LOOK: Final = ("dynamodb:DescribeTable", "dynamodb:DescribeTimeToLive")
_TABLE, _EXPIRY, _PERMISSIONS = "ledger", "ledger's expiry", "ledger's permissions"
_MAKE_IT: Final = f"Make a table for this alone: {HOW_TO_MAKE_IT}."


def check_memory(instances: Iterable[Instance]) -> Outcome | None:
    """Say which channels a ledger of one process does not keep from repeating themselves, if there are any."""
    repeating = [each.name for each in instances if may_repeat(CHANNELS[each.kind])]
    if not repeating:
        return None
    return Outcome(
        _TABLE,
        "warn",
        f"in the memory of each process alone, and nothing else keeps {', '.join(repeating)} from telling twice",
        SHARE_THE_LEDGER,
    )


def check_silence(settings: Settings) -> Outcome | None:
    """Say that silence is told by one process alone, if it is to be without a shared ledger."""
    if not settings.silence or settings.ledger != "memory":
        return None
    return Outcome(
        "silence",
        "warn",
        "watched by each process alone, of which each of several hears a part",
        "Run one replica, or set TRAILSTREAM_LEDGER=dynamodb://<table>, by which replicas put together what they hear.",
    )


def check_own_path(settings: Settings) -> Outcome | None:
    """Say that what watches the trail tells nobody, if the pack of its alerts is left out."""
    wanted = [f"TRAILSTREAM_{name.upper()}" for name in ("silence", "canary", "digest") if getattr(settings, name)]
    if not wanted or PACK in settings.packs:
        return None
    return Outcome(
        "own-path",
        "warn",
        f"{', '.join(wanted)} has no effect: TRAILSTREAM_PACKS leaves {PACK} out, whose alerts these are",
        f"Add {PACK} to TRAILSTREAM_PACKS.",
    )


def check_canary(settings: Settings) -> Outcome | None:
    """Say that a call that any replica may read has to be known to all."""
    if not settings.canary or settings.ledger != "memory":
        return None
    return Outcome(
        "canary",
        "warn",
        "each process waits for its own calls, which another one may read",
        "Run one replica, or set TRAILSTREAM_LEDGER=dynamodb://<table>, by which replicas know of one another's calls.",
    )


async def check_table(aws: Aws, settings: Settings) -> AsyncIterator[Outcome]:
    """Look at the table that `TRAILSTREAM_LEDGER` names, and try what `run` will do."""
    address = Address.of(settings.ledger, aws.region)
    async with aws.client("dynamodb", region=address.region, attempts=2) as client:
        table = await _table(client, address)
        yield table
        if table.status == "FAIL":
            return
        if table.status == "ok":
            yield await _expiry(client, address)
        yield await _permissions(Table(client, address))


async def _table(client: Any, address: Address) -> Outcome:
    try:
        answer = await client.describe_table(TableName=address.table)
    except AWS_ERRORS as error:
        return _no_look(error, address)
    found: dict[str, Any] = answer.get("Table", {})
    arn, status = found.get("TableArn", address.table), found.get("TableStatus", "?")
    keys = [(key.get("AttributeName"), key.get("KeyType")) for key in found.get("KeySchema", ())]
    types = {each.get("AttributeName"): each.get("AttributeType") for each in found.get("AttributeDefinitions", ())}
    if keys != [(KEY, "HASH")] or types.get(KEY) != "S":
        told = ", ".join(f"{name} ({types.get(name)}, {kind})" for name, kind in keys)
        return Outcome(_TABLE, "FAIL", f"{arn} has the key {told}", _MAKE_IT)
    if status not in ("ACTIVE", "UPDATING"):
        return Outcome(_TABLE, "FAIL", f"{arn} is {status}", "Wait until it is ACTIVE.")
    return Outcome(_TABLE, "ok", f"{arn} is {status}")


def _no_look(error: BaseException, address: Address) -> Outcome:
    code, fault = error_code(error), failure(error)
    if is_forbidden(error):
        return Outcome(
            _TABLE,
            "warn",
            f"{code}: neither its key nor its expiry can be looked at, which only this check does",
            allow((_LOOK, address.arn)),
        )
    if isinstance(fault, TableError) and fault.reason == "no_table":
        return Outcome(_TABLE, "FAIL", f"there is no table {address.table} in {address.region}", _MAKE_IT)
    if isinstance(fault, TableError) and fault.reason == "forbidden":
        return Outcome(_TABLE, "FAIL", f"DynamoDB refuses the credentials: {code}", "Renew the credentials.")
    return Outcome(
        _TABLE,
        "FAIL",
        f"no answer from DynamoDB in {address.region}: {code}",
        "Allow traffic to DynamoDB there (a NAT gateway or a VPC endpoint); look at AWS_REGION and AWS_ENDPOINT_URL.",
    )


async def _expiry(client: Any, address: Address) -> Outcome:
    try:
        answer = await client.describe_time_to_live(TableName=address.table)
    except AWS_ERRORS as error:
        fix = allow((_LOOK, address.arn)) if is_forbidden(error) else None
        return Outcome(_EXPIRY, "warn", f"it can't be looked at: {error_code(error)}", fix)
    found: dict[str, str] = answer.get("TimeToLiveDescription", {})
    state, attribute = found.get("TimeToLiveStatus", "DISABLED"), found.get("AttributeName", "")
    if state in ("ENABLED", "ENABLING") and attribute == TTL_ATTRIBUTE:
        return Outcome(_EXPIRY, "ok", f"TTL is {state} on {attribute}")
    return Outcome(
        _EXPIRY,
        "warn",
        f"TTL is {state}{f' on {attribute}' if attribute else ''}, so that nothing is ever deleted and the table grows",
        f"Enable TTL on the attribute {TTL_ATTRIBUTE}.",
    )


async def _permissions(table: Table) -> Outcome:
    forbidden = []
    for action in ACTIONS:
        try:
            await table.try_action(action)
        except TableError as error:
            if error.reason in ("no_table", "bad_key"):
                return Outcome(_PERMISSIONS, "FAIL", f"not the table that is needed: {error.code}", _MAKE_IT)
            if error.reason != "forbidden":
                return Outcome(_PERMISSIONS, "warn", f"they can't be tried: {error.code}")
            forbidden.append(action)
    if forbidden:
        return Outcome(_PERMISSIONS, "FAIL", f"refused: {', '.join(forbidden)}", allow((ACTIONS, table.address.arn)))
    return Outcome(_PERMISSIONS, "ok", f"{', '.join(ACTIONS)}; tried without writing")
