"""Any web service: the alert as a CloudEvents 1.0 event in structured JSON, signed by Standard Webhooks if asked to.

https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md
https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import base64
import binascii
import hmac
import re
import time
from datetime import datetime
from typing import Annotated, Final
from urllib.parse import quote

import orjson
from pydantic import AfterValidator, Field, SecretStr

from stream.alert import Alert
from stream.deliver.channel import Answer
from stream.deliver.http import HttpChannel
from stream.deliver.minimal import minimal_json
from stream.deliver.text import cut, printable
from stream.settings import ChannelSettings
from stream.tracing import traceparent
from stream.urls import http_url

EVENT_TYPE: Final = "io.trailstream.alert.v1"
_SCHEME: Final = "whsec_"
_MAX_SUBJECT: Final = 1024


def _signing_secret(value: SecretStr | None) -> SecretStr | None:
    if value is not None:
        _signing_key(value)
    return value


def _signing_key(secret: SecretStr) -> bytes:
    """The bytes behind `whsec_<base64>`.

    Raises:
        ValueError: it is none; the message doesn't show it.
    """
    text = secret.get_secret_value()
    try:
        key = base64.b64decode(text.removeprefix(_SCHEME), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not text.startswith(_SCHEME) or not key:
        raise ValueError(f"must be {_SCHEME} and the key in base64; better 24 to 64 random bytes than fewer")
    return key


_RFC_3339: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", re.ASCII)


class WebhookSettings(ChannelSettings):
    """Variables of the channel `webhook`."""

    env_prefix = "TRAILSTREAM_WEBHOOK_"

    url: Annotated[SecretStr | None, AfterValidator(http_url)] = Field(
        None, description="URL that every alert is posted to, as a CloudEvents 1.0 event in JSON."
    )
    secret: Annotated[SecretStr | None, AfterValidator(_signing_secret)] = Field(
        None,
        description="Key to sign requests with by Standard Webhooks: `whsec_` and 24 to 64 random bytes in base64.",
    )

    @property
    def enabled(self) -> bool:
        """Whether `TRAILSTREAM_WEBHOOK_URL` is set."""
        return self.url is not None


class WebhookChannel(HttpChannel):
    """Posts each alert to one URL."""

    kind = "webhook"
    deduplicates = True
    section = WebhookSettings
    example = (
        ("url", "https://hooks.example/trailstream"),
        ("secret", "whsec_cGxhY2Vob2xkZXIgZm9yIGEgc2lnbmluZyBzZWNyZXQ="),
    )
    settings: WebhookSettings

    async def send(self, alert: Alert, *, minimal: bool = False) -> Answer:
        """Post one event; see `Channel.send`. The id of the event and of the webhook is the alert's, always."""
        body = cloud_event(alert, minimal=minimal)
        headers = {"Content-Type": "application/cloudevents+json; charset=UTF-8"}
        headers |= traceparent()
        if self.settings.secret is not None:
            headers |= signature(_signing_key(self.settings.secret), alert.id, int(time.time()), body)
        return await self.request(self._url, body, headers)

    async def probe(self) -> Answer:
        """See `Channel.probe`."""
        return await self.reach(self._url)

    @property
    def _url(self) -> SecretStr:
        return self.settings.url or SecretStr("")


def cloud_event(alert: Alert, *, minimal: bool = False) -> bytes:
    """The event in CloudEvents' structured JSON; `data` is the alert's own JSON, byte for byte."""
    event = alert.event
    subject = alert.resources[0].arn if alert.resources else event.name
    attributes = {
        "specversion": "1.0",
        "id": alert.id,
        "source": f"urn:trailstream:{_part(event.account_id)}:{_part(event.region)}",
        "type": EVENT_TYPE,
        "time": event.time if _is_timestamp(event.time) else None,
        "subject": cut(printable(subject), _MAX_SUBJECT) or None,  # CloudEvents allows no control characters
        "datacontenttype": "application/json",
    }
    head = orjson.dumps({name: value for name, value in attributes.items() if value is not None})
    # Spliced, not parsed and written again: a record that orjson refuses has passed through to_json already.
    return head[:-1] + b',"data":' + (minimal_json(alert) if minimal else alert.to_json()) + b"}"


def signature(key: bytes, message_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """The three headers of Standard Webhooks; the timestamp is Unix time in seconds."""
    digest = hmac.digest(key, f"{message_id}.{timestamp}.".encode() + body, "sha256")
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": "v1," + base64.b64encode(digest).decode(),
    }


def _part(text: str) -> str:
    return quote(text, safe="", errors="replace") or "unknown"


def _is_timestamp(text: str) -> bool:
    """Whether it is RFC 3339, as CloudEvents demands of `time`: ISO 8601 has more forms than that."""
    try:
        return bool(_RFC_3339.fullmatch(text)) and datetime.fromisoformat(text).tzinfo is not None
    except (TypeError, ValueError):
        return False
