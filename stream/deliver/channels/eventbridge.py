"""An EventBridge bus: each alert as one event, whose detail is the alert's JSON.

https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html, …/API_PutEventsResultEntry.html (codes),
https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-putevent-size.html (256 KB an entry, before it was 1 MB).
"""

import re
import time
from collections.abc import Mapping
from typing import Annotated, Any, Final

from pydantic import AfterValidator, Field

from stream.alert import Alert
from stream.deliver.arn import parse_arn
from stream.deliver.aws import AwsChannel, Caller, classify_code
from stream.deliver.channel import Accepted, Answer, Down, Rejected, Retry
from stream.deliver.moment import moment
from stream.deliver.sized import sized_json
from stream.settings import ChannelSettings

SOURCE: Final = "trailstream"
DETAIL_TYPE: Final = "Trailstream Alert"

_MAX_BYTES: Final = 256_000  # "256 KB", read in the narrower way
_TIME_BYTES: Final = 14
_MAX_RESOURCES: Final = 20
_LOOK_EVERY_S: Final = 300.0
_NAME: Final = re.compile(r"[/.\-_A-Za-z0-9]{1,256}")
_ERRORS: Final[Mapping[str, Answer]] = {
    "InternalException": Retry("server_error"),
    "InvalidAccountIdException": Down("not_found"),
    "InvalidArgument": Rejected("bad_request"),
    "MalformedDetail": Rejected("payload"),
    "NotAuthorizedForDetailTypeException": Down("forbidden"),
    "NotAuthorizedForSourceException": Down("forbidden"),
    "RedactionFailure": Rejected("payload"),
}


def _bus(value: str | None) -> str | None:
    if value is None or _NAME.fullmatch(value):
        return value
    arn = parse_arn(value)
    if arn is None or arn.service != "events" or not arn.region or not arn.resource.startswith("event-bus/"):
        raise ValueError("must be a bus's name, or its ARN: arn:aws:events:eu-west-1:111122223333:event-bus/alerts")
    return value


class EventbridgeSettings(ChannelSettings):
    """Variables of the channel `eventbridge`."""

    env_prefix = "TRAILSTREAM_EVENTBRIDGE_"

    bus: Annotated[str | None, AfterValidator(_bus)] = Field(
        None,
        description="Name or ARN of the EventBridge bus that every alert is put on (`default` is the account's own); "
        "needs events:PutEvents, and events:DescribeEventBus if a bus that is gone is to be noticed.",
    )

    @property
    def enabled(self) -> bool:
        """Whether `TRAILSTREAM_EVENTBRIDGE_BUS` is set."""
        return self.bus is not None


class EventbridgeChannel(AwsChannel):
    """Puts each alert on one bus.

    EventBridge takes events for a bus that does not exist, says that all is well, and drops them
    (https://github.com/aws/aws-cli/issues/9186): so we look for the bus, before the first event and then at times.
    """

    kind = "eventbridge"
    service = "events"
    errors = _ERRORS
    section = EventbridgeSettings
    example = (("bus", "default"),)
    settings: EventbridgeSettings
    _look_at = 0.0

    def region(self) -> str | None:
        """The bus's, where an ARN says it."""
        arn = parse_arn(self._bus)
        return arn.region if arn else None

    async def send(self, alert: Alert, *, minimal: bool = False) -> Answer:
        """Put one event; see `Channel.send`."""
        if await self._is_gone():
            return Down("not_found")
        response = await self.call("put_events", Entries=[entry(alert, self._bus, minimal=minimal)])
        if isinstance(response, Accepted | Retry | Rejected | Down):
            return response
        return judge(response)

    async def probe(self) -> Answer:
        """See `Channel.probe`."""
        answer = await self.look("describe_event_bus", Name=self._bus)
        if answer == Down("not_found") and not await self._is_ours():
            return Accepted()
        return answer

    async def _is_gone(self) -> bool:
        if self.rehearsal is not None or time.monotonic() < self._look_at:
            return False
        gone = await self.probe() == Down("not_found")
        if not gone:
            self._look_at = time.monotonic() + _LOOK_EVERY_S
        return gone

    async def _is_ours(self) -> bool:
        """Whether the bus is known to be the caller's own: of another account's, nobody need tell us that it exists."""
        arn = parse_arn(self._bus)
        if arn is None:
            return True
        caller = await self.caller()
        return isinstance(caller, Caller) and caller.account == arn.account

    @property
    def _bus(self) -> str:
        return self.settings.bus or ""


def entry(alert: Alert, bus: str, *, minimal: bool = False) -> dict[str, Any]:
    """One entry of `PutEvents`."""
    resources = [] if minimal else _resources(alert)
    rest = len(SOURCE) + len(DETAIL_TYPE) + _TIME_BYTES + sum(len(arn) for arn in resources)
    made: dict[str, Any] = {
        "EventBusName": bus,
        "Source": SOURCE,
        "DetailType": DETAIL_TYPE,
        "Resources": resources,
        "Detail": sized_json(alert, _MAX_BYTES - rest, minimal=minimal),
    }
    if (happened := moment(alert.event.time)) is not None and not minimal:
        made["Time"] = happened
    return made


def judge(response: Mapping[str, Any]) -> Answer:
    """What the answer says of the one entry: a failure of an entry comes with HTTP's 200."""
    if not response.get("FailedEntryCount"):
        return Accepted()
    codes = [str(each["ErrorCode"]) for each in response.get("Entries", ()) if each.get("ErrorCode")]
    return (classify_code(codes[0], _ERRORS) if codes else None) or Rejected("other")


def _resources(alert: Alert) -> list[str]:
    """The ARNs of what the event is about; what is none, EventBridge might refuse."""
    arns = dict.fromkeys(resource.arn for resource in alert.resources if parse_arn(resource.arn) is not None)
    return list(arns)[:_MAX_RESOURCES]
