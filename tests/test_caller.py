"""Whose credentials these are is told as botocore's own client tells it."""

import pytest
from botocore.exceptions import ClientError

from stream.aws import Aws
from stream.caller import Caller, caller
from stream.demo.emulator import Emulator
from stream.metrics import Metrics
from tests.receiver import Receiver, Reply


@pytest.mark.parametrize("server", ["emulator", "moto"])
async def test_it_is_whom_botocores_client_names(
    server: str, emulator: Emulator, moto_endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", emulator.endpoint if server == "emulator" else moto_endpoint)
    metrics = Metrics()
    aws = Aws(metrics)
    async with aws.client("sts") as client:
        theirs = await client.get_caller_identity()

    assert await caller(aws) == Caller(theirs["Account"], theirs["Arn"])
    assert metrics.aws_requests.labels("sts", "GetCallerIdentity", "200")._value.get() == 2


REFUSED = """<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
  <Error><Type>Sender</Type><Code>ExpiredToken</Code><Message>The token is expired</Message></Error>
</ErrorResponse>"""


@pytest.mark.parametrize(
    ("status", "text", "code"), [(403, REFUSED, "ExpiredToken"), (200, "<html>", "200"), (500, "", "500")]
)
async def test_a_refusal_has_its_code(status: int, text: str, code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async with Receiver() as receiver:
        receiver.default = Reply(status, text)
        monkeypatch.setenv("AWS_ENDPOINT_URL", receiver.url)
        with pytest.raises(ClientError, match=code):
            await caller(Aws(Metrics()), user_agent="word")
        assert receiver.requests[0].headers["User-Agent"].endswith(" word")


async def test_no_answer_is_a_fault_of_the_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    with pytest.raises(ConnectionError):
        await caller(Aws(Metrics()))
