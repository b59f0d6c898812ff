"""Text messages by Amazon SNS: each alert, or group, as one message of 160 characters to each of some numbers.

https://docs.aws.amazon.com/sns/latest/dg/sms_publish-to-phone.html (attributes, lengths, E.164). SNS takes messages for
numbers that have opted out, and drops them: its delivery logs tell.
"""

import asyncio
import hashlib
import re
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, Final

from pydantic import AfterValidator, Field

from stream.alert import Alert
from stream.deliver.aws import AwsChannel
from stream.deliver.channel import Accepted, Answer, Down, PeopleChannel, Rejected, Retry
from stream.deliver.channels.gsm7 import SEGMENT, fit, septets, spoken
from stream.deliver.channels.sns import SNS_ERRORS
from stream.deliver.group import Group
from stream.deliver.words import Style, words
from stream.notice import is_notice
from stream.settings import CommaSeparated, PeopleSettings

if TYPE_CHECKING:
    from stream.aws import Aws

_E_164: Final = re.compile(r"\+[1-9]\d{6,14}", re.ASCII)
_REGION: Final = re.compile(r"[a-z]{2}(-[a-z]+)+-\d{1,2}", re.ASCII)
_SENDER_ID: Final = re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9]{1,11}", re.ASCII)
_MAX_NUMBERS: Final = 50
_REMEMBERED: Final = 10_000  # alerts that some numbers have and others have not
_WORST_LAST: Final = (Accepted, Rejected, Retry, Down)
_STYLE: Final = Style(prose=spoken, code=spoken, strong=spoken)
_TEMPLATE_ROOM: Final = 2000  # a template may say more than is sent: it is cut, like everything
_LEAST_TITLE: Final = 12
# Characters of the event's name, the account's, the actor's, and of where he called from: the last always fit.
_LEVELS: Final = ((64, 50, 64, 45), (64, 24, 40, 45), (44, 24, 24, 39), (36, 20, 16, 39))
_OUTCOMES: Final = {"success": "", "denied": " DENIED", "failed": " FAILED"}


def _numbers(values: tuple[str, ...]) -> tuple[str, ...]:
    if not all(_E_164.fullmatch(value) for value in values):
        raise ValueError("must be telephone numbers by E.164, such as +4915112345678, comma-separated")
    if len(values) > _MAX_NUMBERS:
        raise ValueError(f"{_MAX_NUMBERS} numbers are the most; for more, subscribe them to a topic (SNS_TOPIC_ARN)")
    return tuple(dict.fromkeys(values))


def _region(value: str | None) -> str | None:
    if value is not None and not _REGION.fullmatch(value):
        raise ValueError("must be a region, such as eu-west-1")
    return value


def _sender_id(value: str | None) -> str | None:
    if value is not None and not _SENDER_ID.fullmatch(value):
        raise ValueError("must be 1 to 11 letters and digits, with one letter at least")
    return value


class SmsSettings(PeopleSettings):
    """Variables of the channel `sms`."""

    env_prefix = "TRAILSTREAM_SMS_"

    to: Annotated[CommaSeparated, AfterValidator(_numbers)] = Field(
        (),
        description="Telephone numbers by E.164 (+4915112345678), comma-separated, that get a text message by Amazon "
        "SNS; needs sns:Publish on `*`.",
    )
    region: Annotated[str | None, AfterValidator(_region)] = Field(
        None, description="Region whose SNS sends them: not every one can. Unset: our own."
    )
    sender_id: Annotated[str | None, AfterValidator(_sender_id)] = Field(
        None, description="Who the messages are from, in countries that show it: 1 to 11 letters and digits."
    )

    @property
    def enabled(self) -> bool:
        """Whether `TRAILSTREAM_SMS_TO` is set."""
        return bool(self.to)


class SmsChannel(AwsChannel, PeopleChannel):
    """Sends one message to each number, and none twice to a number that has it, while this process lives."""

    kind = "sms"
    service = "sns"
    errors = SNS_ERRORS
    section = SmsSettings
    example = (("to", ("+12025550123",)),)
    settings: SmsSettings

    def __init__(self, settings: SmsSettings, *, name: str | None = None, aws: "Aws | None" = None) -> None:
        super().__init__(settings, name=name, aws=aws)
        self._told: OrderedDict[str, set[str]] = OrderedDict()

    def region(self) -> str | None:
        """Where numbers are told from."""
        return self.settings.region

    async def tell(self, alert: Alert, group: Group | None, *, minimal: bool = False) -> Answer:
        """Send to every number that has not got it yet; the answer is the worst of theirs. See `PeopleChannel.tell`."""
        message = least_text(alert) if minimal else self._text(alert, group)
        attributes = _attributes(None if minimal else self.settings.sender_id)
        key = _key(alert, group)
        told = self._told_of(key)
        async with asyncio.TaskGroup() as tasks:
            requests = [
                tasks.create_task(self._send(number, message, attributes, told))
                for number in self.settings.to
                if number not in told
            ]
        answers = [request.result() for request in requests]
        worst = max(answers, key=lambda answer: _WORST_LAST.index(type(answer)), default=Accepted())
        if isinstance(worst, Accepted):
            self._told.pop(key, None)
        return replace(worst, partial=True) if isinstance(worst, Retry) and told else worst

    async def probe(self) -> Answer:
        """See `Channel.probe`."""
        return await self.look("get_sms_attributes", attributes=["DefaultSMSType"])

    async def _send(self, number: str, message: str, attributes: Mapping[str, Any], told: set[str]) -> Answer:
        answer = await self.attempt("publish", PhoneNumber=number, Message=message, MessageAttributes=attributes)
        if isinstance(answer, Accepted):
            told.add(number)
        return answer

    def _told_of(self, key: str) -> set[str]:
        """The numbers that have this message, to be added to; the oldest of many are forgotten."""
        told = self._told.setdefault(key, set())
        if len(self._told) > _REMEMBERED:
            self._told.popitem(last=False)
        return told

    def _text(self, alert: Alert, group: Group | None) -> str:
        """The user's template if there is one that can be used, else ours, which is made for so little room."""
        if self.settings.template is not None:
            failures: list[str] = []
            said = words(
                alert,
                group,
                _STYLE,
                template=self.settings.template,
                headline=_TEMPLATE_ROOM,
                text=_TEMPLATE_ROOM,
                failed=failures.append,
            )
            if not failures:
                return fit(f"{said.headline}\n{said.text}".strip(), SEGMENT)
            self.template_failed(failures[0])
        return text(alert, group)


def text(alert: Alert, group: Group | None = None) -> str:
    """How grave, what, in which account, by whom, from where; and with what room is left, what it means."""
    if is_notice(alert) and group is None:
        return fit(f"{alert.severity.upper()} {spoken(alert.title, SEGMENT)}", SEGMENT)
    if group is not None and group.mixed:
        many = f"LATE: {group.count} alerts, the worst of them {alert.severity.upper()}"
        return fit(f"{many}: {spoken(alert.title, SEGMENT - septets(many) - 2)}", SEGMENT)
    for name, account, who, origin in _LEVELS:
        said = _facts(alert, group, name, account, who, origin)
        if septets(said) <= SEGMENT:
            break
    room = SEGMENT - septets(said) - 2
    title = spoken(alert.title, room) if room >= _LEAST_TITLE else ""
    return fit(f"{said}: {title}" if title else said, SEGMENT)


def least_text(alert: Alert) -> str:
    """How grave, what, and in which account, in plain letters."""
    said = f"{alert.severity.upper()} {spoken(alert.event.name, 64)} in {spoken(alert.event.account_id, 24)}"
    return said.encode("ascii", "replace").decode()


def _facts(alert: Alert, group: Group | None, name: int, account: int, who: int, origin: int) -> str:
    happened, actor = alert.event, alert.actor
    several = "" if group is None else f"{'LATE ' if group.late else ''}{group.count}x "
    place = spoken(happened.account_name or "", 160)
    if not place or septets(place) > account:
        place = spoken(happened.account_id, account)
    parts = [
        f"{several}{alert.severity.upper()} {spoken(happened.name, name)}{_OUTCOMES[happened.outcome]}",
        f"in {place}",
    ]
    if person := spoken(_who(alert), who):
        parts.append(f"by {person}")
    if address := spoken(actor.source_ip or "", origin):
        parts.append(f"from {address}")
    return " ".join(parts)


def _who(alert: Alert) -> str:
    """The person behind a role's name, where a session names him."""
    actor = alert.actor
    return f"{actor.name}/{actor.session_name}" if actor.session_name else actor.name


def _key(alert: Alert, group: Group | None) -> str:
    ids = (alert.id,) if group is None else sorted(group.ids)  # the same, in whatever order they came
    return hashlib.sha256("\n".join(ids).encode("utf-8", "surrogatepass")).hexdigest()


def _attributes(sender_id: str | None) -> dict[str, Any]:
    values = {"AWS.SNS.SMS.SMSType": "Transactional"}
    if sender_id is not None:
        values["AWS.SNS.SMS.SenderID"] = sender_id
    return {name: {"DataType": "String", "StringValue": value} for name, value in values.items()}
