"""What the channels share that keep one ticket an incident: its text out of an alert, style, within a size.

The text is plain: lines of our own making, in which whatever was recorded stands behind a label of ours.
"""

import base64
import hashlib
from collections.abc import Iterator, Sequence
from typing import Final
from urllib.parse import urlsplit

from pydantic import SecretStr

from stream.alert import Actor, Alert
from stream.deliver.channels.relayed import Limits, web_address
from stream.deliver.facts import questions
from stream.deliver.group import Group
from stream.deliver.text import as_text
from stream.deliver.words import Style
from stream.urls import http_url

MARK_CHARACTERS: Final = 10
_MAX_LINK: Final = 300  # a link that is cut leads nowhere; ours have half of that
_MAX_OWN_ID: Final = 64  # our ids and CloudTrail's are never cut

# The most generous first: free texts are cut before lists, and names only where they are longer than real ones.
_LEVELS: Final = (
    Limits(free=1000, ids=1100, items=20),
    Limits(free=300, ids=1100, items=20),
    Limits(free=150, ids=1100, items=10),
    Limits(free=100, ids=256, items=5),
    Limits(free=60, ids=128, items=3),
    Limits(free=30, ids=48, items=2),
)


def base_url(value: str | None) -> str | None:
    """Accept the address that an API's paths are added to.

    Raises:
        ValueError: it is none.
    """
    if value is None:
        return None
    url = (http_url(SecretStr(value)) or SecretStr("")).get_secret_value()
    parts = urlsplit(url)
    if parts.username is not None or parts.query or parts.fragment:
        raise ValueError("must be the address alone, without a login, a query or a fragment")
    return url.rstrip("/")


def basic(login: str, password: str) -> str:
    """The value of `Authorization` by RFC 7617, in UTF-8."""
    return "Basic " + base64.b64encode(f"{login}:{password}".encode()).decode("ascii")


def ids(alert: Alert, group: Group | None) -> tuple[str, ...]:
    """The ids of all alerts that one message tells."""
    return (alert.id,) if group is None else group.ids


def mark(alert: Alert, group: Group | None) -> str:
    """What a ticket remembers of a message, in whatever order its alerts came, so that it is not added twice.

    Ten hexadecimal digits.
    """
    told = "\n".join(sorted(ids(alert, group))).encode("utf-8", "surrogatepass")
    return hashlib.sha256(told).hexdigest()[:MARK_CHARACTERS]


def late(group: Group | None) -> bool:
    """Whether nobody is to be hurried."""
    return group is not None and group.late


def marked_late(headline: str, group: Group | None, limit: int) -> str:
    """The headline; of a late group it begins with LATE, whatever the template says."""
    if not late(group) or headline.startswith("LATE"):
        return headline
    return f"LATE: {headline}"[:limit]


def links(alert: Alert) -> list[tuple[str, str]]:
    """Where to look next: label and address, in ASCII."""
    labelled = (("Console", alert.links.console), ("Runbook", alert.links.runbook))
    addresses = [(label, web_address(url)) for label, url in labelled]
    return [(label, url) for label, url in addresses if url is not None and len(url) <= _MAX_LINK]


def details(alert: Alert, group: Group | None, style: Style, room: int) -> str:
    """What an analyst needs after the first lines, a fact a line, in at most `room` characters (2,000 suffice)."""
    for limits in _LEVELS:
        text = "\n".join(_lines(alert, group, style, limits))
        if len(text) <= room:
            return text
    return "\n".join(own_ids(alert, group, style, 2))


def own_ids(alert: Alert, group: Group | None, style: Style, items: int) -> Iterator[str]:
    """By which ids the alerts are found in our logs, and their events in CloudTrail."""
    events = [alert.event.id] if group is None else [each.event.id for each in group.alerts]
    yield f"Event id: {_listed(events, style, items)}"
    yield f"Alert id: {_listed(ids(alert, group), style, items)}"


def _listed(values: Sequence[str], style: Style, items: int) -> str:
    shown = ", ".join(style.code(value, _MAX_OWN_ID) for value in values[:items])
    return shown if len(values) <= items else f"{shown} and {len(values) - items} more"


def _lines(alert: Alert, group: Group | None, style: Style, limits: Limits) -> Iterator[str]:
    if group is not None:
        first, last = style.code(group.first, _MAX_OWN_ID), style.code(group.last, _MAX_OWN_ID)
        yield f"Count: {group.count}, first {first}, last {last}"
    if not late(group):
        yield from _facts(alert, style, limits)
    yield from own_ids(alert, group, style, limits.items)


def _facts(alert: Alert, style: Style, limits: Limits) -> Iterator[str]:
    happened, actor = alert.event, alert.actor
    name, source = style.code(happened.name, limits.ids), style.code(happened.source, limits.ids)
    yield f"Severity: {alert.severity}, by rule {style.code(alert.rule.id, limits.ids)}"
    yield f"Event: {name} of {source}, {happened.outcome}"
    if happened.error_code or happened.error_message:
        code = style.code(happened.error_code or "", limits.ids)
        yield f"Error: {code} {style.prose(happened.error_message or '', limits.free)}".rstrip()
    yield f"Who: {', '.join(_who(actor, style, limits))}"
    if actor.access_key_id:
        yield f"Access key: {style.code(actor.access_key_id, limits.ids)}"
    if actor.user_agent:
        yield f"User agent: {style.prose(actor.user_agent, limits.free)}"
    yield from (f"Target: {style.code(resource.arn, limits.ids)}" for resource in alert.resources[: limits.items])
    yield from _more("targets", len(alert.resources), limits)
    for change in alert.changes[: limits.items]:
        field, value = style.code(change.field, limits.ids), style.prose(as_text(change.value), limits.free)
        effect = f": {style.prose(change.effect, limits.free)}" if change.effect else ""
        yield f"Change: {field} = {value}{effect}"
    yield from _more("changes", len(alert.changes), limits)
    if alert.log_file is not None:
        bucket, key = style.code(alert.log_file.bucket, limits.ids), style.code(alert.log_file.key, limits.ids)
        yield f"Log file: s3://{bucket}/{key}" if bucket else f"Log file: {key}"
    yield from (f"{label}: {' '.join(lines)}" for label, lines in questions(alert))


def _who(actor: Actor, style: Style, limits: Limits) -> Iterator[str]:
    yield style.code(actor.arn or actor.name, limits.ids)
    yield style.code(actor.type, limits.ids)
    if actor.session_name:
        yield f"session {style.code(actor.session_name, limits.ids)}"
    if actor.source_identity:
        yield f"source identity {style.code(actor.source_identity, limits.ids)}"
    if actor.mfa is not None:
        yield "with MFA" if actor.mfa else "without MFA"
    yield f"via {actor.via}"


def _more(what: str, count: int, limits: Limits) -> Iterator[str]:
    if count > limits.items:
        yield f"… and {count - limits.items} more {what}"
