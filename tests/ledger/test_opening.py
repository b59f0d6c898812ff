"""`TRAILSTREAM_LEDGER`: what may stand there, and what is refused at the start because it can't work."""

import asyncio
import json

import pytest
import structlog

from stream.aws import Aws
from stream.demo.emulator import Emulator
from stream.errors import ConfigError
from stream.ledger import MemoryLedger, open_ledger
from stream.ledger.opening import claim_s
from stream.ledger.table import Address
from stream.metrics import Metrics
from stream.settings import Settings
from tests.ledger.replicas import create_table
from tests.ledger.test_outage import JSON, error
from tests.receiver import Receiver, Reply
from tests.test_app import refuse

ARN = "arn:aws:dynamodb:eu-west-1:111122223333:table/trailstream"


def settings(ledger: str, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("TRAILSTREAM_LEDGER", ledger)
    return Settings()


@pytest.mark.parametrize("ledger", ["memory", "dynamodb://a.B_c-1", f"dynamodb://{ARN}", "dynamodb://" + "a" * 255])
def test_addresses_that_may_be(ledger: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert settings(ledger, monkeypatch).ledger == ledger


@pytest.mark.parametrize(
    "ledger",
    ["dynamodb", "dynamodb://", "dynamodb://ab", "dynamodb://" + "a" * 256, "dynamodb://a/b", "dynamodb://abc\n",
     "DynamoDB://abc", "Memory", "dynamodb://arn:aws:sqs:eu-west-1:111122223333:table/abc", f"dynamodb://{ARN}/index/x"],
)  # fmt: skip
def test_addresses_that_may_not_be(ledger: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match="TRAILSTREAM_LEDGER: it should be `memory`, or `dynamodb://` and"):
        settings(ledger, monkeypatch)


def test_an_arn_brings_its_region_and_a_name_is_of_ours() -> None:
    assert Address.of(f"dynamodb://{ARN}", "us-east-1") == Address(ARN, "eu-west-1")
    assert Address.of(f"dynamodb://{ARN}", "us-east-1").arn == ARN
    assert Address.of("dynamodb://abc", "us-gov-west-1").arn == "arn:aws-us-gov:dynamodb:us-gov-west-1:*:table/abc"


def test_a_claim_lasts_longer_than_sending_may_take() -> None:
    assert claim_s(10) == 30
    assert claim_s(1) == 30
    assert claim_s(300) == 900


async def test_memory_needs_no_aws(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    async with open_ledger(settings("memory", monkeypatch), aws, Metrics()) as ledger:
        assert isinstance(ledger, MemoryLedger)


@pytest.mark.parametrize(("table", "by"), [("ministack", "name"), ("moto", "ARN")], indirect=["table"])
async def test_a_table_as_it_should_be_is_opened_by_name_or_arn_and_nothing_is_written(
    aws: Aws, table: str, monkeypatch: pytest.MonkeyPatch, by: str
) -> None:
    async with aws.client("dynamodb") as client:
        arn = (await client.describe_table(TableName=table))["Table"]["TableArn"]
        # Of the two emulators only moto's takes an ARN, as AWS does.
        configured = settings(f"dynamodb://{table if by == 'name' else arn}", monkeypatch)
        async with open_ledger(configured, aws, Metrics()) as one, open_ledger(configured, aws, Metrics()) as other:
            assert (await client.scan(TableName=table))["Count"] == 0
            assert await one.claim("sms", "a") == "granted"
            assert await other.claim("sms", "a") == "held"
            assert (await client.scan(TableName=table))["Count"] == 1


@pytest.mark.parametrize("table", ["ministack"], indirect=True)
async def test_a_table_that_is_not_there_is_refused(aws: Aws, table: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match=r"TRAILSTREAM_LEDGER: there is no .*-not in us-east-1.*`id` \(String\)"):
        async with open_ledger(settings(f"dynamodb://{table}-not", monkeypatch), aws, Metrics()):
            pass


@pytest.mark.parametrize("key", [("pk", "S"), ("id", "N")])
async def test_a_table_with_another_key_is_refused(
    aws: Aws, emulator: Emulator, monkeypatch: pytest.MonkeyPatch, key: tuple[str, str]
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", emulator.endpoint)
    async with aws.client("dynamodb") as client:
        name = await create_table(client, key=key[0], type_=key[1])
    with pytest.raises(ConfigError, match=r"TRAILSTREAM_LEDGER: the table .* has another key"):
        async with open_ledger(settings(f"dynamodb://{name}", monkeypatch), aws, Metrics()):
            pass


async def test_a_missing_permission_of_any_kind_is_refused_with_all_that_it_takes(
    aws: Aws, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", receiver.url)
    for allowed in range(3):
        answers = [Reply(200, "{}", JSON), error("ConditionalCheckFailedException")]
        for reply in answers[:allowed]:
            receiver.answer(reply.status, body=reply.body, headers=reply.headers)
        receiver.default = error("AccessDeniedException")
        with pytest.raises(ConfigError) as refused:
            async with open_ledger(settings("dynamodb://trail", monkeypatch), aws, Metrics()):
                pass
        told = str(refused.value)
        assert told.startswith("TRAILSTREAM_LEDGER: ")
        assert "dynamodb:GetItem, dynamodb:PutItem, dynamodb:DeleteItem" in told
        assert "on arn:aws:dynamodb:us-east-1:*:table/trail" in told
        assert "SECRET" not in told
    assert len(receiver.requests) == 6
    writes = [
        request.json() for request in receiver.requests if not request.headers["X-Amz-Target"].endswith("GetItem")
    ]
    assert {json.dumps(write["ConditionExpression"]) for write in writes} == {'"attribute_exists(id)"'}


async def test_a_mere_outage_at_the_start_is_a_warning(
    aws: Aws, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    receiver.default = error("SomethingElse")
    monkeypatch.setenv("AWS_ENDPOINT_URL", receiver.url)
    with structlog.testing.capture_logs() as logs:
        async with open_ledger(settings("dynamodb://trail", monkeypatch), aws, Metrics()) as ledger:
            assert await ledger.claim("sms", "a") == "granted"
    assert [entry["log_level"] for entry in logs] == ["warning"]


async def test_run_refuses_a_table_that_is_not_there(emulator: Emulator) -> None:
    wanted = {"QUEUE_URL": f"{emulator.endpoint}/1/q", "BUCKETS": "*", "STDOUT": "true", "LEDGER": "dynamodb://nowhere"}
    told = await asyncio.to_thread(refuse, wanted, emulator.environ)

    assert "TRAILSTREAM_LEDGER: there is no such thing as the table nowhere in us-east-1" in told


async def test_run_warns_where_only_its_own_memory_keeps_it_from_telling_people_twice(emulator: Emulator) -> None:
    wanted = {"QUEUE_URL": f"{emulator.endpoint}/1/q", "BUCKETS": "*", "SLACK_WEBHOOK_URL": "http://127.0.0.1:9/x"}
    told = await asyncio.to_thread(refuse, wanted, emulator.environ)

    warning = next(line for line in told.splitlines() if "replicas may tell people one alert twice" in line)
    assert json.loads(warning)["channels"] == ["slack"]
    assert "TRAILSTREAM_LEDGER=dynamodb://<table>" in warning
