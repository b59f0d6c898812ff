import asyncio
import json
import ssl
from collections.abc import AsyncIterator
from typing import Any, ClassVar

import aiohttp
import pytest
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    InvalidRegionError,
    NoCredentialsError,
    ParamValidationError,
    ReadTimeoutError,
    SSLError,
)

from stream.alert import Alert
from stream.deliver.aws import AwsChannel, Caller, classify_code, classify_error
from stream.deliver.channel import Accepted, Answer, Down, Rejected, Retry
from stream.settings import ChannelSettings
from tests.deliver.alerts import make_alert
from tests.deliver.aws import aws
from tests.receiver import Receiver

IDENTITY = (
    '<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult>'
    "<Arn>arn:aws-cn:sts::111122223333:assumed-role/trailstream/pod</Arn><UserId>A</UserId>"
    "<Account>111122223333</Account></GetCallerIdentityResult>"
    "<ResponseMetadata><RequestId>r</RequestId></ResponseMetadata></GetCallerIdentityResponse>"
)


def _client_error(code: str, status: int = 400, headers: dict[str, str] | None = None) -> ClientError:
    metadata = {"HTTPStatusCode": status, "HTTPHeaders": headers or {}}
    return ClientError({"Error": {"Code": code}, "ResponseMetadata": metadata}, "Publish")


@pytest.mark.parametrize(
    ("error", "answer"),
    [
        (_client_error("ExpiredToken", 403), Down("unauthorized")),
        (_client_error("InvalidClientTokenId", 403), Down("unauthorized")),
        (_client_error("AccessDeniedException"), Down("forbidden")),
        (_client_error("AuthorizationError", 403), Down("forbidden")),
        (_client_error("SomethingNew", 403), Down("forbidden")),
        (_client_error("SomethingNew", 401), Down("unauthorized")),
        (_client_error("NotFound", 404), Down("not_found")),
        (_client_error("ResourceNotFoundException"), Down("not_found")),
        (_client_error("ThrottlingException"), Retry("throttled")),
        (_client_error("Throttling"), Retry("throttled")),
        (_client_error("SomethingNew", 429), Retry("throttled")),
        (_client_error("RequestTimeoutException"), Retry("timeout")),
        (_client_error("SomethingNew", 408), Retry("timeout")),
        (_client_error("InternalFailure"), Retry("server_error")),
        (_client_error("ServiceUnavailable", 503, {"retry-after": "7"}), Retry("server_error", 7.0)),
        (_client_error("SomethingNew", 502), Retry("server_error")),
        (_client_error("InvalidParameter"), Rejected("bad_request")),
        (_client_error("RequestEntityTooLarge", 413), Rejected("too_large")),
        (ClientError({}, "Publish"), Retry("server_error")),
        (NoCredentialsError(), Down("unauthorized")),
        (InvalidRegionError(region_name="x"), Down("other")),
        (SSLError(endpoint_url="https://x", error="x"), Down("tls")),
        (ParamValidationError(report="x"), Rejected("payload")),
        (ConnectTimeoutError(endpoint_url="https://x"), Retry("timeout")),
        (ReadTimeoutError(endpoint_url="https://x"), Retry("timeout")),
        (TimeoutError(), Retry("timeout")),
        (EndpointConnectionError(endpoint_url="https://x"), Retry("connection")),
        (BotoCoreError(), Retry("connection")),
        (aiohttp.ServerDisconnectedError(), Retry("connection")),
        (ConnectionResetError(), Retry("connection")),
    ],
    ids=lambda value: repr(value)[:60],
)
def test_the_end_of_a_request_is_classified(error: BaseException, answer: Answer) -> None:
    assert classify_error(error) == answer


def test_an_error_of_tls_in_the_client_is_one_of_the_channels() -> None:
    key = aiohttp.client_reqrep.ConnectionKey("h", 443, True, True, None, None, None)
    assert classify_error(aiohttp.ClientConnectorSSLError(key, ssl.SSLError())) == Down("tls")


def test_a_services_own_meaning_goes_first() -> None:
    own: dict[str, Answer] = {"NotFound": Rejected("other")}
    assert classify_error(_client_error("NotFound", 404), own) == Rejected("other")
    assert classify_code("NotFound", own) == Rejected("other")
    assert classify_code("SomethingNew") is None


@pytest.mark.parametrize("error", [KeyError("x"), asyncio.CancelledError()])
def test_what_no_request_ends_in_is_raised_again(error: BaseException) -> None:
    with pytest.raises(type(error)):
        classify_error(error)


class _Channel(AwsChannel):
    kind = "asks"
    service = "sts"
    errors: ClassVar[dict[str, Answer]] = {"Odd": Rejected("other")}
    section = ChannelSettings

    async def send(self, alert: Alert, *, minimal: bool = False) -> Answer:
        del alert, minimal
        return await self.attempt("get_caller_identity")


@pytest.fixture
async def channel(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[_Channel]:
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", receiver.url)
    made = _Channel(ChannelSettings(timeout=20), aws=aws())
    yield made
    await made.aclose()


def _error(code: str) -> str:
    return f"<ErrorResponse><Error><Code>{code}</Code></Error><RequestId>r</RequestId></ErrorResponse>"


async def test_each_answer_costs_one_request_since_the_dispatcher_has_the_retries(
    channel: _Channel, receiver: Receiver
) -> None:
    receiver.answer(500, body=_error("InternalFailure"), headers={"Retry-After": "9"})
    receiver.answer(400, body=_error("Odd"))
    receiver.answer(200, body=IDENTITY)
    receiver.answer(close=True)
    answers = [await channel.send(make_alert()) for _ in range(4)]
    assert answers == [Retry("server_error", 9.0), Rejected("other"), Accepted(), Retry("connection")]
    assert len(receiver.requests) == 4


async def test_a_service_that_says_nothing_is_given_up(channel: _Channel, receiver: Receiver) -> None:
    channel.settings = ChannelSettings(timeout=0.2)
    receiver.answer(hang=True)
    assert await channel.send(make_alert()) == Retry("timeout")


async def test_who_may_not_look_may_send_all_the_same(channel: _Channel, receiver: Receiver) -> None:
    receiver.answer(403, body=_error("AccessDenied"))
    receiver.answer(404, body=_error("NotFound"))
    assert await channel.look("get_caller_identity") == Accepted()
    assert await channel.look("get_caller_identity") == Down("not_found")


async def test_the_caller_is_asked_for_once_he_is_known(channel: _Channel, receiver: Receiver) -> None:
    receiver.answer(503, body="")
    receiver.answer(200, body=IDENTITY)
    assert await channel.caller() == Retry("server_error")
    for _ in range(2):
        assert await channel.caller() == Caller("111122223333", "aws-cn")
    assert len(receiver.requests) == 2


async def test_it_may_be_closed_twice_and_used_again(channel: _Channel, receiver: Receiver) -> None:
    receiver.answer(200, 200, body=IDENTITY)
    for _ in range(2):
        assert await channel.send(make_alert()) == Accepted()
        await channel.aclose()
        await channel.aclose()


async def test_a_rehearsal_makes_no_request(channel: _Channel, receiver: Receiver) -> None:
    written: list[str] = []
    channel.rehearsal = written.append
    assert await channel.send(make_alert()) == Accepted()
    operation, _, parameters = written[0].partition("\n")
    assert operation == "sts:get_caller_identity"
    assert json.loads(parameters) == {}
    assert receiver.requests == []


async def test_without_a_session_it_says_what_is_wrong() -> None:
    with pytest.raises(RuntimeError, match="asks was made without an AWS session"):
        await _Channel(ChannelSettings()).client()


async def test_a_fault_of_ours_is_no_answer(channel: _Channel) -> None:
    unknown: Any = "no_such_operation"
    with pytest.raises(AttributeError):
        await channel.attempt(unknown)
