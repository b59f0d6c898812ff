"""Prometheus Alertmanager, by its API v2: the alert as one that fires for a while, which Alertmanager routes on.

https://prometheus.io/docs/alerting/latest/alerts_api and
https://github.com/prometheus/alertmanager/blob/main/api/v2/openapi.yaml
"""

import base64
import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated, Any, Final
from urllib.parse import unquote, urlsplit

import orjson
from pydantic import AfterValidator, Field, SecretStr

from stream.alert import Alert
from stream.deliver.channel import Answer
from stream.deliver.channels.relayed import relayed, web_address
from stream.deliver.http import HttpChannel
from stream.deliver.text import as_text
from stream.deliver.trail import trail_arn
from stream.settings import ChannelSettings
from stream.urls import http_url

ALERT_NAME: Final = "TrailstreamAlert"

# Alertmanager documents no limits; these keep a notification that quotes all of it within those of other services.
_MAX_ID: Final = 2048
_MAX_FREE: Final = 4000
_MAX_ITEMS: Final = 20

_TOKEN: Final = re.compile(r"[A-Za-z0-9._~+/-]+=*")  # RFC 6750, 2.1


def _bearer_token(value: SecretStr | None) -> SecretStr | None:
    if value is not None and not _TOKEN.fullmatch(value.get_secret_value()):
        raise ValueError("must be a bearer token: letters, digits and ._~+/- with = at its end")
    return value


class AlertmanagerSettings(ChannelSettings):
    """Variables of the channel `alertmanager`."""

    env_prefix = "TRAILSTREAM_ALERTMANAGER_"

    url: Annotated[SecretStr | None, AfterValidator(http_url)] = Field(
        None,
        description="Base URL of an Alertmanager, with its path prefix if it has one; `https://user:password@host/` "
        "logs in by basic authentication.",
    )
    token: Annotated[SecretStr | None, AfterValidator(_bearer_token)] = Field(
        None, description="Bearer token, if a proxy before Alertmanager asks for one; it goes before a password."
    )
    ends_after: float = Field(
        default=86_400.0,
        ge=60,
        le=30 * 86_400,
        description="Seconds after which an alert counts as resolved. Longer than group_wait and group_interval, or "
        "nobody is told; a receiver with send_resolved closes its incident then.",
    )

    @property
    def enabled(self) -> bool:
        """Whether `TRAILSTREAM_ALERTMANAGER_URL` is set."""
        return self.url is not None


class AlertmanagerChannel(HttpChannel):
    """Posts each alert to one Alertmanager."""

    kind = "alertmanager"
    deduplicates = True
    section = AlertmanagerSettings
    example = (("url", "https://alertmanager.example/"),)
    settings: AlertmanagerSettings

    async def send(self, alert: Alert, *, minimal: bool = False) -> Answer:
        """Post one alert; see `Channel.send`. 200 accepts it, 400 and 422 refuse it."""
        body = orjson.dumps([postable(alert, time.time(), self.settings.ends_after, minimal=minimal)])
        url, headers = self._endpoint()
        return await self.request(url, body, {"Content-Type": "application/json", **headers})

    async def probe(self) -> Answer:
        """See `Channel.probe`; of credentials it is found out whether they are right."""
        return await self.reach(*self._endpoint())

    def _endpoint(self) -> tuple[SecretStr, dict[str, str]]:
        """The address without a password, and the header that has it."""
        parts = urlsplit((self.settings.url or SecretStr("")).get_secret_value())
        login, _, host = parts.netloc.rpartition("@")
        path = parts.path.rstrip("/") + "/api/v2/alerts"
        url = SecretStr(parts._replace(netloc=host, path=path, fragment="").geturl())
        if self.settings.token is not None:
            return url, {"Authorization": f"Bearer {self.settings.token.get_secret_value()}"}
        if login:
            user, _, password = login.partition(":")
            # By ourselves: aiohttp writes it in Latin-1 and raises on any other letter. RFC 7617 has UTF-8.
            pair = base64.b64encode(f"{unquote(user)}:{unquote(password)}".encode()).decode()
            return url, {"Authorization": f"Basic {pair}"}
        return url, {}


def postable(alert: Alert, now: float, ends_after_s: float, *, minimal: bool = False) -> dict[str, Any]:
    """One element of what is posted.

    Args:
        alert: what to tell.
        now: Unix time. The end counts from it and not from the event: what has ended already, Alertmanager tells nobody
            (https://prometheus.io/docs/alerting/latest/configuration/#route, `group_wait`).
        ends_after_s: seconds.
        minimal: leave out all annotations but one.
    """
    fields: dict[str, Any] = {
        "labels": dict(_labels(alert)),
        "annotations": dict(_told({"summary": alert.title}, _MAX_FREE) if minimal else _annotations(alert)),
        "startsAt": _rfc3339(_started(alert.event.time, now)),
        "endsAt": _rfc3339(now + ends_after_s),
    }
    address = web_address(alert.links.console)
    return fields if address is None else fields | {"generatorURL": address}


def _labels(alert: Alert) -> Iterator[tuple[str, str]]:
    """What identifies the alert and routes it.

    The id is one of them: without it a second UpdateTrail would only replace the first one's annotations, and nobody
    would be told. A retry has the same labels, and is the same alert.
    """
    event = alert.event
    labels = {
        "alertname": ALERT_NAME,
        "severity": alert.severity,
        "account": event.account_id,
        "region": event.region,
        "rule": alert.rule.id,
        "event": event.name,
        "outcome": event.outcome,
        "trail": trail_arn(alert) or "",
        "alert_id": alert.id,
    }
    yield from _told(labels, _MAX_ID)


def _annotations(alert: Alert) -> Iterator[tuple[str, str]]:
    event, actor = alert.event, alert.actor
    ids = {
        "account_name": event.account_name,
        "event_id": event.id,
        "event_time": event.time,
        "event_source": event.source,
        "actor": actor.name,
        "actor_type": actor.type,
        "actor_arn": actor.arn,
        "actor_account": actor.account_id,
        "session_name": actor.session_name,
        "source_identity": actor.source_identity,
        "access_key_id": actor.access_key_id,
        "mfa": {True: "true", False: "false", None: None}[actor.mfa],
        "source_ip": actor.source_ip,
        "via": actor.via,
        "invoked_by": actor.invoked_by,
        "error_code": event.error_code,
    }
    free = {
        "summary": alert.title,
        "description": alert.summary,
        "rule_title": alert.rule.title,
        "location": actor.location,
        "user_agent": actor.user_agent,
        "error_message": event.error_message,
    }
    yield from _told(free, _MAX_FREE)
    yield from _told(ids, _MAX_ID)
    changes = [
        f"{relayed(change.field, 300)} = {relayed(as_text(change.value), 400)}"
        + (f": {relayed(change.effect, 400)}" if change.effect else "")
        for change in alert.changes[:_MAX_ITEMS]
    ]
    resources = [relayed(resource.arn, _MAX_ID) or "(none)" for resource in alert.resources[:_MAX_ITEMS]]
    if changes:
        yield "changes", "\n".join(changes) + _more(len(alert.changes))
    if resources:
        yield "resources", "\n".join(resources) + _more(len(alert.resources))
    if alert.log_file is not None:
        yield "log_file", f"s3://{relayed(alert.log_file.bucket, 255)}/{relayed(alert.log_file.key, _MAX_ID)}"
    if (runbook := web_address(alert.links.runbook)) is not None:
        yield "runbook_url", runbook


def _told(fields: dict[str, Any], limit: int) -> Iterator[tuple[str, str]]:
    """Those that say something: to Alertmanager an empty label is none."""
    for name, value in fields.items():
        if value and (text := relayed(value, limit)):
            yield name, text


def _more(count: int) -> str:
    return f"\n… and {count - _MAX_ITEMS} more" if count > _MAX_ITEMS else ""


def _started(text: str, now: float) -> float:
    """The event's time in Unix seconds; now, if it is none or has not come: an alert may not start after its end."""
    try:
        moment = datetime.fromisoformat(text)
        started = moment.timestamp() if moment.tzinfo is not None else now
    except (ValueError, OverflowError):
        return now
    return started if 0 < started <= now else now


def _rfc3339(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
