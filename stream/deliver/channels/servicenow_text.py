"""What ServiceNow is told: an alert as the texts of an incident or a work note, or as an event of Event Management.

https://www.servicenow.com/docs/r/platform-administration/c_JournalFields.html (4,000 characters, `[code]` is HTML)
https://www.servicenow.com/docs/r/it-operations-management/event-management/event-collection-custom-payloads.html
"""

import re
from collections.abc import Mapping
from typing import Any, Final

import orjson

from stream.alert import Alert
from stream.deliver.channels.relayed import Limits, relayed, unlinked
from stream.deliver.channels.tickets import details, ids, late, links, marked_late, own_ids
from stream.deliver.group import Group
from stream.deliver.moment import moment
from stream.deliver.text import cut
from stream.deliver.trail import incident_id, trail_arn
from stream.deliver.words import Style, Words
from stream.severity import Severity

_MAX_TEXT: Final = 4000  # of a description and of a note
_MAX_SHORT: Final = 160
_MAX_FIELD: Final = 100  # of source, node, type, resource, …
_SEVERAL: Final = "several"  # instead of the event's name, where there is more than one
_CODE_TAG: Final = re.compile(r"(?i)\[(?=/?code)")  # what stands between two is shown as HTML
_INFO_LEVELS: Final = (
    Limits(free=500, ids=2048, items=20),
    Limits(free=200, ids=256, items=20),
    Limits(free=60, ids=100, items=5),
    Limits(free=20, ids=48, items=2),
)
# https://www.servicenow.com/docs/r/it-operations-management/event-management/c_EMIntegrateRequirementEvent.html
# 0 would clear the alert, and is never sent.
_SEVERITIES: Final[Mapping[Severity, int]] = {"critical": 1, "high": 2, "medium": 3, "low": 4, "informational": 5}

# 1 is the gravest of three; from the two ServiceNow itself makes the priority (1 to 5):
# https://www.servicenow.com/community/itsm-blog/managing-incident-priority/ba-p/2294101
_IMPACT_URGENCY: Final[Mapping[Severity, tuple[int, int]]] = {
    "critical": (1, 1),
    "high": (2, 1),
    "medium": (2, 2),
    "low": (3, 2),
    "informational": (3, 3),
}


def inert(text: str, limit: int) -> str:
    """At most `limit` characters on one line, which ServiceNow shows as they are."""
    return cut(_CODE_TAG.sub("[\u2060", relayed(text, limit)), limit)


def _prose(text: str, limit: int) -> str:
    return cut(_CODE_TAG.sub("[\u2060", unlinked(text, limit)), limit)


STYLE: Final = Style(prose=_prose, code=inert, strong=_prose)


def impact_and_urgency(alert: Alert, group: Group | None) -> tuple[int, int]:
    """How grave an incident is, and how soon it is to be looked at: 1 to 3, the lowest of both for what comes late."""
    return (3, 3) if late(group) else _IMPACT_URGENCY[alert.severity]


def incident(alert: Alert, group: Group | None, words: Words, *, minimal: bool) -> dict[str, str]:
    """The texts of a new incident."""
    headline = marked_late(words.headline, group, _MAX_SHORT)
    return {"short_description": headline, "description": _text("", alert, group, words, minimal=minimal)}


def note(alert: Alert, group: Group | None, words: Words, *, minimal: bool) -> str:
    """A work note, which only those see who work on the incident."""
    return _text(marked_late(words.headline, group, _MAX_SHORT), alert, group, words, minimal=minimal)


def event(
    alert: Alert, group: Group | None, words: Words, more: Mapping[str, str], *, minimal: bool
) -> dict[str, list[dict[str, str]]]:
    """The body for Event Management: one event.

    The alert that ServiceNow makes of events takes the severity of the last; so that a StartLogging lowers none, an
    incident has a key, and with it an alert, for each severity.
    """
    happened, mixed = alert.event, group is not None and group.mixed
    severity = 5 if late(group) else _SEVERITIES[alert.severity]
    headline = marked_late(words.headline, group, _MAX_SHORT)
    trail = trail_arn(alert) or next((resource.arn for resource in alert.resources), "")
    made = {
        "source": "Trailstream",
        "node": inert(happened.account_name or happened.account_id, _MAX_FIELD),
        "resource": inert(trail.rpartition("/")[2], _MAX_FIELD) or "CloudTrail",
        "type": _SEVERAL if mixed else inert(happened.name, _MAX_FIELD),
        "severity": str(severity),
        "message_key": f"{incident_id(alert)}/{severity}",
        "description": _text(headline, alert, group, words, minimal=minimal),
    }
    if minimal:
        return {"records": [made]}
    made |= {"event_class": "AWS CloudTrail", "additional_info": _additional_info(alert, group, more)}
    if mixed:
        return {"records": [made]}
    made["metric_name"] = inert(alert.rule.id, _MAX_FIELD)
    if (time := moment(happened.time)) is not None:  # otherwise ServiceNow takes the time of arrival
        made["time_of_event"] = time.strftime("%Y-%m-%d %H:%M:%S")
    return {"records": [made]}


def _text(headline: str, alert: Alert, group: Group | None, words: Words, *, minimal: bool) -> str:
    """The lines that say what happened, then where to look, then the facts; 4,000 characters at most."""
    first = "\n".join(part for part in (headline, words.text) if part)
    if minimal:
        return "\n".join((cut(first, 1000), *own_ids(alert, group, STYLE, 3)))
    parts = [first, "\n".join(f"{label}: {url}" for label, url in links(alert))]
    head = "\n\n".join(part for part in parts if part)
    return f"{head}\n\n{details(alert, group, STYLE, _MAX_TEXT - len(head) - 2)}".lstrip()


def _additional_info(alert: Alert, group: Group | None, more: Mapping[str, str]) -> str:
    """JSON in a text, of no more characters than a description."""
    text = ""
    for limits in _INFO_LEVELS:
        text = orjson.dumps({**more, **_info(alert, group, limits)}).decode()
        if len(text) <= _MAX_TEXT:
            break
    return text


def _info(alert: Alert, group: Group | None, limits: Limits) -> dict[str, Any]:
    happened, actor = alert.event, alert.actor
    told = ids(alert, group)
    counted = {
        "alert_ids": ", ".join(inert(alert_id, 64) for alert_id in told[: limits.items]),
        "count": str(len(told)),
        "severity": alert.severity,
    }
    if group is not None and group.mixed:
        return counted
    named = {
        "event_id": happened.id,
        "account_id": happened.account_id,
        "account_name": happened.account_name,
        "region": happened.region,
        "error_code": happened.error_code,
        "trail": trail_arn(alert),
        "actor": actor.arn or actor.name,
        "access_key_id": actor.access_key_id,
        "source_ip": actor.source_ip,
    }
    return {
        **counted,
        "outcome": happened.outcome,
        **{name: inert(value, limits.ids) for name, value in named.items() if value},
        **({"user_agent": inert(actor.user_agent, limits.free)} if actor.user_agent else {}),
        **{label.lower(): url for label, url in links(alert)},
    }
