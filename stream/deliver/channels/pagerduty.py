"""PagerDuty, by its Events API v2: one incident a trail, opened or added to by each alert, and never resolved by one.

https://github.com/PagerDuty/developer-docs/tree/main/docs/events-API-v2: 01-Overview (answers, 512 KB),
02-Trigger-Events (fields, their lengths, de-duplication).
"""

import hashlib
import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Annotated, Any, Final
from urllib.parse import urlsplit

import orjson
from pydantic import AfterValidator, Field, SecretStr

from stream.alert import Alert
from stream.deliver.channel import Answer, Down, PeopleChannel
from stream.deliver.channels.relayed import Limits, fitting, relayed, web_address
from stream.deliver.facts import links
from stream.deliver.group import Group
from stream.deliver.http import HttpChannel, Reply, classify
from stream.deliver.text import as_text, cut
from stream.deliver.trail import incident_key, trail_arn
from stream.deliver.words import Style
from stream.settings import PeopleSettings
from stream.severity import Severity
from stream.urls import http_url

ENQUEUE_PATH: Final = "/v2/enqueue"

_MAX_BYTES: Final = 512_000  # "512 KB", read in the narrower way
_MAX_SUMMARY: Final = 1024
_MAX_HEADLINE: Final = 300
_PLAIN: Final = Style(relayed, relayed, relayed)

# The most generous first: free texts are cut, and names only if they are in letters that no AWS service allows: those
# in ASCII fit the third whatever their length.
_LEVELS: Final = (
    Limits(free=4000, ids=2048, items=20),
    Limits(free=1000, ids=2048, items=20),
    Limits(free=300, ids=2048, items=20),
    Limits(free=200, ids=512, items=20),
)
_SEVERITIES: Final[Mapping[Severity, str]] = {
    "critical": "critical",
    "high": "error",
    "medium": "warning",
    "low": "info",
    "informational": "info",
}
# A 400 whose cause is the key and no alert's says so among its `errors`: that it is an invalid routing key, or what is
# wrong with 'routing_key' (https://github.com/robusta-dev/robusta/issues/571, https://github.com/envato/pagerduty/issues/70,
# https://github.com/blockpane/tenderduty/issues/10).
_BAD_KEY: Final = re.compile(r"(?i)\binvalid routing key\b|'routing_key'")


def _enqueue_url(value: str) -> str:
    url = (http_url(SecretStr(value)) or SecretStr("")).get_secret_value()
    return url.rstrip("/") + ENQUEUE_PATH if urlsplit(url).path in ("", "/") else url


def _key(value: SecretStr | None) -> SecretStr | None:
    if value is not None and not re.fullmatch(r"[!-~]+", value.get_secret_value()):
        raise ValueError("must be an integration key: 32 letters and digits")
    return value


class PagerdutySettings(PeopleSettings):
    """Variables of the channel `pagerduty`."""

    env_prefix = "TRAILSTREAM_PAGERDUTY_"

    routing_key: Annotated[SecretStr | None, AfterValidator(_key)] = Field(
        None, description="Integration key (32 characters) of an Events API v2 integration of a PagerDuty service."
    )
    url: Annotated[str, AfterValidator(_enqueue_url)] = Field(
        "https://events.pagerduty.com/v2/enqueue",
        description="Address of the Events API; for an account in the EU service region: "
        "https://events.eu.pagerduty.com/v2/enqueue.",
    )

    @property
    def enabled(self) -> bool:
        """Whether `TRAILSTREAM_PAGERDUTY_ROUTING_KEY` is set."""
        return self.routing_key is not None


class PagerdutyChannel(HttpChannel, PeopleChannel):
    """Triggers an incident, or adds to the open one of the same trail."""

    kind = "pagerduty"
    deduplicates = True
    section = PagerdutySettings
    example = (("routing_key", "placeholder-for-an-integration-key"),)
    settings: PagerdutySettings

    async def tell(self, alert: Alert, group: Group | None, *, minimal: bool = False) -> Answer:
        """Post one event; see `PeopleChannel.tell`."""
        body = self.event(alert, group, minimal=minimal)
        return await self.request(SecretStr(self.settings.url), body, {"Content-Type": "application/json"})

    def event(self, alert: Alert, group: Group | None, *, minimal: bool = False) -> bytes:
        """The event in JSON, within PagerDuty's 512 KB; the minimal one has required fields and ids only."""
        envelope = {
            "routing_key": (self.settings.routing_key or SecretStr("")).get_secret_value(),
            # Also for a StartLogging: whoever stopped the trail can start it, and the incident is still one.
            "event_action": "trigger",
            "dedup_key": _late_key(group) if group is not None and group.late else incident_key(alert),
            "client": "Trailstream",
        }
        required = _required(alert, group, self._summary(alert, group))
        if minimal:
            least = _ids(alert, group, _LEVELS[-1]) | {"minimal": True}
            return orjson.dumps(envelope | {"payload": required | {"custom_details": least}})
        mixed = group if group is not None and group.mixed else None

        def body(limits: Limits) -> bytes:
            if mixed is not None:
                several = {"custom_details": _several(alert, mixed, limits)}
                return orjson.dumps(envelope | {"payload": required | several})
            payload = required | _optional(alert) | {"custom_details": _details(alert, group, limits)}
            return orjson.dumps(envelope | {"payload": payload, "links": list(_links(alert))})

        return fitting(body, _LEVELS, _MAX_BYTES)

    def _summary(self, alert: Alert, group: Group | None) -> str:
        """What is read out on the telephone: it begins with all that matters."""
        said = self.words(alert, group, _PLAIN, headline=_MAX_HEADLINE, text=_MAX_SUMMARY - _MAX_HEADLINE - 10)
        lines = [line.strip() for line in (said.headline, *said.text.splitlines()) if line.strip()]
        return cut(" ".join(line if line.endswith(".") else f"{line}." for line in lines), _MAX_SUMMARY)

    async def probe(self) -> Answer:
        """See `Channel.probe`."""
        return await self.reach(SecretStr(self.settings.url))

    def judge(self, reply: Reply) -> Answer:
        """Classify by the status (202, 400, 429 and 5xx are documented), save that a 400 may be the key's fault.

        A 403 is none of the API's (in its first version it meant throttling): something between us says it.
        """
        if reply.status == 400 and _BAD_KEY.search(reply.text):
            return Down("unauthorized")
        return classify(reply)


def _late_key(group: Group | None) -> str:
    """An incident of its own: what it tells of may be of many trails, and old."""
    ids = () if group is None else sorted(group.ids)  # the same, in whatever order they came
    return "trailstream/late/" + hashlib.sha256("\n".join(ids).encode("utf-8", "surrogatepass")).hexdigest()


def _required(alert: Alert, group: Group | None, summary: str) -> dict[str, Any]:
    happened = alert.event
    source = trail_arn(alert) or next((resource.arn for resource in alert.resources), "")
    return {
        "summary": summary,
        "source": relayed(source, 1024) or relayed(f"{happened.account_id}/{happened.region}", 255),
        # Nobody is to be called for what is told late.
        "severity": "info" if group is not None and group.late else _SEVERITIES[alert.severity],
    }


def _optional(alert: Alert) -> dict[str, Any]:
    happened = alert.event
    fields = {
        "component": relayed(happened.source, 255),
        "group": relayed(happened.account_name or happened.account_id, 255),
        "class": relayed(happened.name, 255),
    }
    return fields | {"timestamp": happened.time} if _is_timestamp(happened.time) else fields


def _ids(alert: Alert, group: Group | None, limits: Limits) -> dict[str, Any]:
    own = {"alert_id": relayed(alert.id, limits.ids), "event_id": relayed(alert.event.id, limits.ids)}
    if group is None:
        return own
    told = group.alerts[: limits.items]
    return own | {
        "count": group.count,
        "first": relayed(group.first, limits.ids),
        "last": relayed(group.last, limits.ids),
        "late": group.late,
        "event_ids": [relayed(each.event.id, limits.ids) for each in told],
        "alert_ids": [relayed(each.id, limits.ids) for each in told],
        "more_ids": group.count - len(told),
    }


def _several(alert: Alert, group: Group, limits: Limits) -> dict[str, Any]:
    """What each of some alerts of several kinds is about."""
    return _ids(alert, group, limits) | {
        "alerts": [
            {
                "severity": each.severity,
                "title": relayed(each.title, limits.free),
                "event": relayed(each.event.name, limits.ids),
                "time": relayed(each.event.time, limits.ids),
                "account_id": relayed(each.event.account_id, limits.ids),
                "actor": relayed(each.actor.name, limits.ids),
            }
            for each in group.alerts[: limits.items]
        ],
    }


def _details(alert: Alert, group: Group | None, limits: Limits) -> dict[str, Any]:
    """The alert's fields by their own names, all but the record."""
    happened, actor = alert.event, alert.actor

    def ids(value: str | None) -> str | None:
        return None if value is None else relayed(value, limits.ids)

    def free(value: str | None) -> str | None:
        return None if value is None else relayed(value, limits.free)

    changes = [
        {"field": ids(change.field), "value": free(as_text(change.value)), "effect": free(change.effect)}
        for change in alert.changes[: limits.items]
    ]
    resources = [
        {"type": ids(resource.type), "arn": ids(resource.arn), "protected": resource.protected}
        for resource in alert.resources[: limits.items]
    ]
    return _ids(alert, group, limits) | {
        "severity": alert.severity,
        "title": free(alert.title),
        "summary": free(alert.summary),
        "rule": {"id": ids(alert.rule.id), "title": free(alert.rule.title), "level": alert.rule.level},
        "event": {
            "name": ids(happened.name),
            "source": ids(happened.source),
            "time": ids(happened.time),
            "region": ids(happened.region),
            "account_id": ids(happened.account_id),
            "account_name": ids(happened.account_name),
            "type": ids(happened.type),
            "outcome": happened.outcome,
            "error_code": ids(happened.error_code),
            "error_message": free(happened.error_message),
        },
        "actor": {
            "type": ids(actor.type),
            "name": ids(actor.name),
            "session_name": ids(actor.session_name),
            "source_identity": ids(actor.source_identity),
            "arn": ids(actor.arn),
            "account_id": ids(actor.account_id),
            "principal_id": ids(actor.principal_id),
            "access_key_id": ids(actor.access_key_id),
            "mfa": actor.mfa,
            "source_ip": ids(actor.source_ip),
            "location": free(actor.location),
            "user_agent": free(actor.user_agent),
            "via": actor.via,
            "invoked_by": ids(actor.invoked_by),
        },
        "resources": resources,
        "more_resources": len(alert.resources) - len(resources),
        "changes": changes,
        "more_changes": len(alert.changes) - len(changes),
        "provenance": alert.provenance,
        "log_file": None
        if alert.log_file is None
        else {
            "bucket": ids(alert.log_file.bucket),
            "key": ids(alert.log_file.key),
            "version_id": ids(alert.log_file.version_id),
        },
        "what_else_it_did": {"aws_cli": alert.links.lookup_events, "athena": alert.links.athena},
        "same_principal_in_this_log_file": None if alert.context is None else free(as_text(alert.context)),
    }


def _links(alert: Alert) -> Iterator[dict[str, str]]:
    for url, text in links(alert):
        if (address := web_address(url)) is not None:
            yield {"href": address, "text": text}


def _is_timestamp(text: str) -> bool:
    """Whether it is ISO 8601 with a zone; one that is not is left out, and PagerDuty takes the time of arrival."""
    try:
        return datetime.fromisoformat(text).tzinfo is not None and text.isascii() and text.isprintable()
    except ValueError:
        return False
