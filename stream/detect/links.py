"""Where to look next: an event in; addresses and ready-made questions, of which nothing is an attacker's text, out."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final, Self
from urllib.parse import quote

from stream.alert import Actor, Event, Links
from stream.detect.targets import partition_of

if TYPE_CHECKING:
    from stream.settings import Settings

# Those of the isolated partitions are not public.
_CONSOLES: Final[Mapping[str, str]] = {
    "aws": "console.aws.amazon.com",
    "aws-us-gov": "console.amazonaws-us-gov.com",
    "aws-cn": "console.amazonaws.cn",
}
_REGION: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
"""One label of a host name: what an attacker typed must not become another address."""
_ACCOUNT: Final = re.compile(r"[0-9]{12}")
_REFERENCE: Final = "https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_{}.html"

# What goes into a shell or a query is one of these to the last character, or isn't put there.
_KEY_ID: Final = re.compile(r"[A-Z0-9]{16,128}")
_PRINCIPAL_ID: Final = re.compile(r"([A-Z0-9]{12,128})(:.*)?", re.DOTALL)
_EVENT_ID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_TIME: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z")
_AROUND: Final = timedelta(days=1)
_COLUMNS: Final = (
    "eventtime, eventsource, eventname, awsregion, recipientaccountid, sourceipaddress, useragent, errorcode, "
    "requestparameters"
)


@dataclass(frozen=True, slots=True)
class Portal:
    """The access portal of IAM Identity Center, through which the console opens in the right account.

    https://docs.aws.amazon.com/singlesignon/latest/userguide/createshortcutlink.html

    Attributes:
        url: its address, without a slash at its end.
        role: the permission set to take; `None`: the portal asks.
    """

    url: str
    role: str | None = None

    @classmethod
    def of(cls, settings: "Settings") -> Self | None:
        """That of the settings, if they name one."""
        return cls(settings.sso_portal, settings.sso_role) if settings.sso_portal else None

    def leading_to(self, address: str, account_id: str) -> str:
        """The portal's link to an address of the console, in this account."""
        role = f"&role_name={quote(self.role, safe='')}" if self.role else ""
        return f"{self.url}/#/console?account_id={account_id}{role}&destination={quote(address, safe='')}"


def links(
    event: Event, actor: Actor, *, operation: str | None, reference: str | None = None, portal: Portal | None = None
) -> Links:
    """Links for an event.

    Args:
        event: as the record has it; the event history finds it by its id for 90 days.
        actor: whose other calls are to be found.
        operation: CloudTrail's own operation, in our spelling, that AWS's reference describes; `None` of any other.
        reference: what to read otherwise: a page that a rule of our own names.
        portal: through which the console is opened.
    """
    region = event.region if _REGION.fullmatch(event.region) else None
    around = _around(event.time)
    return Links(
        console=_console(event, region, portal) if region else None,
        runbook=_REFERENCE.format(operation) if operation else reference,
        lookup_events=_lookup_events(event, actor, region, around) if region else None,
        athena=_athena(actor, around) if around else None,
    )


def _console(event: Event, region: str, portal: Portal | None) -> str | None:
    host = _CONSOLES.get(partition_of(region))
    if not host or not event.id:
        return None
    found_by = quote(event.id, safe="", errors="replace")
    address = f"https://{host}/cloudtrailv2/home?region={region}#/events?EventId={found_by}"
    in_account = portal is not None and _ACCOUNT.fullmatch(event.account_id)
    return portal.leading_to(address, event.account_id) if portal is not None and in_account else address


def _around(time: str) -> tuple[str, str] | None:
    """A day before an event and a day after it, as CloudTrail spells times; `None` if its time is none."""
    if not _TIME.fullmatch(time):
        return None
    try:
        then = datetime.fromisoformat(time).astimezone(UTC)
        first, last = then - _AROUND, then + _AROUND
    except (ValueError, OverflowError):
        return None
    return f"{first:%Y-%m-%dT%H:%M:%SZ}", f"{last:%Y-%m-%dT%H:%M:%SZ}"


def _lookup_events(event: Event, actor: Actor, region: str, around: tuple[str, str] | None) -> str | None:
    """The command that lists the other calls by the same key in that region (or, without a key, finds the event).

    https://docs.aws.amazon.com/cli/latest/reference/cloudtrail/lookup-events.html
    """
    if actor.access_key_id and _KEY_ID.fullmatch(actor.access_key_id):
        attribute = f"AttributeKey=AccessKeyId,AttributeValue={actor.access_key_id}"
    elif _EVENT_ID.fullmatch(event.id):
        attribute = f"AttributeKey=EventId,AttributeValue={event.id}"
    else:
        return None
    times = f" --start-time {around[0]} --end-time {around[1]}" if around else ""
    return f"aws cloudtrail lookup-events --region {region} --lookup-attributes {attribute}{times}"


def _athena(actor: Actor, around: tuple[str, str]) -> str | None:
    """The same, everywhere, of the table that AWS's documentation has one make for a trail's files.

    https://docs.aws.amazon.com/athena/latest/ug/cloudtrail-logs.html
    """
    principal = _PRINCIPAL_ID.fullmatch(actor.principal_id or "")
    if actor.access_key_id and _KEY_ID.fullmatch(actor.access_key_id):
        by = f"useridentity.accesskeyid = '{actor.access_key_id}'"
    elif principal:
        by = "useridentity.principalid " + (f"LIKE '{principal[1]}:%'" if principal[2] else f"= '{principal[1]}'")
    else:
        return None
    first, last = around
    return (
        f"SELECT {_COLUMNS} FROM cloudtrail_logs WHERE {by} "  # noqa: S608 - of nothing but what was checked above
        f"AND eventtime BETWEEN '{first}' AND '{last}' ORDER BY eventtime"
    )
