"""An SNS topic: each alert's JSON as one message, with attributes that subscriptions filter by.

https://docs.aws.amazon.com/sns/latest/api/API_Publish.html (errors, 256 KiB with the attributes, the subject),
https://docs.aws.amazon.com/sns/latest/dg/sns-message-attributes.html (names, types, 10 for raw delivery to SQS).
"""

import hashlib
import re
from collections.abc import Mapping
from typing import Annotated, Any, Final

from pydantic import AfterValidator, Field

from stream.alert import Alert
from stream.deliver.arn import parse_arn
from stream.deliver.aws import AwsChannel
from stream.deliver.channel import Answer, Down, Retry
from stream.deliver.sized import sized_json
from stream.deliver.text import printable
from stream.deliver.trail import trail_arn
from stream.settings import ChannelSettings

_MAX_BYTES: Final = 262_144
_MAX_ATTRIBUTE: Final = 256  # characters; longer than any name that AWS gives
# "Less than 100 characters", ASCII by the older documents, UTF-8 by those of today: what both allow.
_MAX_SUBJECT: Final = 99
_FIFO_ID: Final = re.compile(r"[!-~]{1,128}")

SNS_ERRORS: Final[Mapping[str, Answer]] = {
    "InvalidSecurity": Down("unauthorized"),
    "KMSAccessDenied": Down("forbidden"),
    "KMSDisabled": Down("other"),
    "KMSInvalidState": Down("other"),
    "KMSNotFound": Down("not_found"),
    "KMSOptInRequired": Down("forbidden"),
    "KMSThrottling": Retry("throttled"),
}
"""What SNS means by its own codes: all of a topic's key are a fault of the topic."""


def _topic(value: str | None) -> str | None:
    if value is None:
        return None
    arn = parse_arn(value)
    if arn is None or arn.service != "sns" or not (arn.region and arn.account) or ":" in arn.resource:
        raise ValueError("must be a topic's ARN, such as arn:aws:sns:eu-west-1:111122223333:alerts")
    return value


class SnsSettings(ChannelSettings):
    """Variables of the channel `sns`."""

    env_prefix = "TRAILSTREAM_SNS_"

    topic_arn: Annotated[str | None, AfterValidator(_topic)] = Field(
        None,
        description="ARN of the SNS topic that every alert is published to, as JSON; needs sns:Publish. A FIFO topic "
        "(.fifo) keeps the order of each trail's alerts.",
    )

    @property
    def enabled(self) -> bool:
        """Whether `TRAILSTREAM_SNS_TOPIC_ARN` is set."""
        return self.topic_arn is not None


class SnsChannel(AwsChannel):
    """Publishes each alert to one topic.

    Only FIFO topics drop what they have had before, and those for five minutes: it is not said to de-duplicate.
    """

    kind = "sns"
    service = "sns"
    errors = SNS_ERRORS
    section = SnsSettings
    example = (("topic_arn", "arn:aws:sns:eu-west-1:111122223333:trailstream"),)
    settings: SnsSettings

    def region(self) -> str | None:
        """The topic's."""
        arn = parse_arn(self._topic)
        return arn.region if arn else None

    async def send(self, alert: Alert, *, minimal: bool = False) -> Answer:
        """Publish one message; see `Channel.send`."""
        return await self.attempt("publish", TopicArn=self._topic, **message(alert, self._topic, minimal=minimal))

    async def probe(self) -> Answer:
        """See `Channel.probe`."""
        return await self.look("get_topic_attributes", TopicArn=self._topic)

    @property
    def _topic(self) -> str:
        return self.settings.topic_arn or ""


def message(alert: Alert, topic: str, *, minimal: bool = False) -> dict[str, Any]:
    """The parameters of `Publish`, all but the topic."""
    attributes = {name: {"DataType": "String", "StringValue": value} for name, value in attributes_of(alert).items()}
    made: dict[str, Any] = {
        "Message": sized_json(alert, _MAX_BYTES - _size(attributes), minimal=minimal),
        "MessageAttributes": attributes,
    }
    if not minimal:
        made["Subject"] = subject(alert)
    if topic.endswith(".fifo"):
        made["MessageGroupId"] = _fifo_id(trail_arn(alert) or alert.event.account_id)
        made["MessageDeduplicationId"] = _fifo_id(alert.id)
    return made


def attributes_of(alert: Alert) -> dict[str, str]:
    """What a filter policy may ask for: ten at most, or SQS would be sent none by raw delivery; none of them empty."""
    happened = alert.event
    values = {
        "id": alert.id,
        "severity": alert.severity,
        "rule": alert.rule.id,
        "event": happened.name,
        "source": happened.source,
        "account": happened.account_id,
        "region": happened.region,
        "outcome": happened.outcome,
        "actor_type": alert.actor.type,
        "provenance": alert.provenance,
    }
    shown = {name: printable(value[:_MAX_ATTRIBUTE])[:_MAX_ATTRIBUTE] for name, value in values.items()}
    return {name: value for name, value in shown.items() if value}


def subject(alert: Alert) -> str:
    """The line that subscribers by email see: ASCII, 99 characters, and it begins with a letter."""
    account = alert.event.account_name or alert.event.account_id
    text = f"{alert.severity.upper()}: {alert.title[:_MAX_SUBJECT]} ({account[:_MAX_SUBJECT]})"
    line = printable(text).encode("ascii", "replace").decode()
    return line if len(line) <= _MAX_SUBJECT else line[: _MAX_SUBJECT - 3] + "..."


def _fifo_id(text: str) -> str:
    """The text, or its SHA-256 if SNS would not take it: cut, two of them might become one."""
    if _FIFO_ID.fullmatch(text):
        return text
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _size(attributes: Mapping[str, Mapping[str, str]]) -> int:
    return sum(len(name) + sum(len(part.encode()) for part in value.values()) for name, value in attributes.items())
