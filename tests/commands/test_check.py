"""`trailstream check`: what it finds, what it says to do about it, and that it takes nothing from the queue."""

import asyncio
import json
import os
import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from stream.aws import Aws
from stream.metrics import Metrics
from tests.checks.aws_stub import DLQ_ARN, GOOD, QUEUE_ARN, AwsStub, attributes
from tests.commands.running import Finished, invoke, run
from tests.receiver import Receiver


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[AwsStub]:
    """An AWS where all is well, and the settings that go with it."""
    with AwsStub() as stub:
        monkeypatch.setenv("AWS_ENDPOINT_URL", stub.url)
        monkeypatch.setenv("TRAILSTREAM_QUEUE_URL", f"{stub.url}/111122223333/trail")
        monkeypatch.setenv("TRAILSTREAM_BUCKETS", "acme")
        monkeypatch.setenv("TRAILSTREAM_STDOUT", "true")
        yield stub


def outcomes(done: Finished) -> dict[str, dict[str, Any]]:
    found = {outcome["check"]: outcome for outcome in json.loads(done.out)}
    for outcome in found.values():
        assert set(outcome) == {"check", "status", "evidence", "fix"}
        assert outcome["status"] in ("ok", "warn", "FAIL")
        assert outcome["status"] == "ok" or outcome["fix"], outcome
    return found


def check(name: str, code: int | None = None, **environ: str) -> dict[str, Any]:
    """The outcome of one check."""
    done = invoke("check", "--format", "json", stdin=b"", **environ)
    assert code is None or done.code == code, done.out
    outcome: dict[str, Any] = outcomes(done)[name]
    return outcome


def test_where_all_is_well_each_line_says_so_and_nothing_was_received(aws: AwsStub) -> None:
    aws.answers["GetQueueAttributes"] = attributes(**GOOD | {"ApproximateNumberOfMessages": "0"})
    done = invoke("check")

    assert done.code == 0
    assert [line[:4] for line in done.out.splitlines()] == ["ok  "] * 9
    assert set(aws.asked) == {"GetCallerIdentity", "GetQueueAttributes", "GetQueueUrl", "HeadBucket", "GetObject"}


def test_the_evidence_names_who_where_and_how_many(aws: AwsStub) -> None:
    found = outcomes(invoke("check", "--format", "json"))

    assert found["credentials"]["evidence"] == (
        "arn:aws:sts::111122223333:assumed-role/trailstream/pod in account 111122223333"
    )
    assert found["queue"]["evidence"] == f"{QUEUE_ARN}: about 7 waiting, 2 in flight, 1 delayed"
    assert found["redrive policy"]["evidence"] == f"after 10 receives to {DLQ_ARN}"
    assert found["visibility timeout"]["evidence"] == "120 s, by the queue"
    assert found["bucket acme"]["evidence"] == "readable in eu-west-1: a random missing key answers 404"
    assert "of ct-013" in found["rules"]["evidence"]
    assert aws.asked.count("GetObject") == 1


def test_without_settings_it_is_a_fault_of_the_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRAILSTREAM_QEUE_URL", "x")
    done = invoke("check")

    assert done.code == 2
    assert [line[:4] for line in done.out.splitlines() if not line.startswith(" ")] == ["FAIL"] * 4
    assert "did you mean TRAILSTREAM_QUEUE_URL?" in done.out
    assert "Traceback" not in done.err
    assert [outcome["check"] for outcome in json.loads(invoke("check", "--format", "json").out)] == [
        "configuration"
    ] * 4


@pytest.mark.usefixtures("aws")
def test_one_port_for_two_things_is_a_fault_of_the_configuration() -> None:
    done = invoke("check", "--config-only", TRAILSTREAM_HTTP_PORT="9090", TRAILSTREAM_STATUS_PORT="9090")

    assert done.code == 2
    assert "TRAILSTREAM_HTTP_PORT and TRAILSTREAM_STATUS_PORT are both 9090" in done.out


@pytest.mark.usefixtures("aws")
def test_rules_that_cannot_be_used_are_a_fault_of_the_configuration() -> None:
    assert "nowhere" in check("configuration", 2, TRAILSTREAM_RULES="/nowhere.yml")["evidence"]


@pytest.mark.usefixtures("aws")
def test_a_rule_that_is_left_out_is_warned_of(tmp_path: Path) -> None:
    (tmp_path / "bad.yml").write_text("title: [")
    found = check("rules", 0, TRAILSTREAM_RULES=str(tmp_path))

    assert found["status"] == "warn"
    assert f"refused: {tmp_path}/bad.yml: it is not YAML" in found["evidence"]
    assert (
        "bad.yml"
        in check("configuration", 2, TRAILSTREAM_RULES=str(tmp_path), TRAILSTREAM_RULES_STRICT="1")["evidence"]
    )


FILTER = """
title: At work
logsource: {product: aws, service: cloudtrail}
filter: {rules: any, selection: {sourceIPAddress: 198.51.100.7}, condition: not selection}
"""


def test_suppressions_and_names_of_accounts_are_looked_at(
    aws: AwsStub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "filter.yml").write_text(FILTER)
    monkeypatch.setenv("TRAILSTREAM_SUPPRESS", str(tmp_path))
    monkeypatch.setenv("TRAILSTREAM_ACCOUNTS", "111122223333=prod")
    found = outcomes(invoke("check", "--config-only", "--format", "json"))
    aws.answers["ListAccounts"] = (400, {}, json.dumps({"__type": "AccessDeniedException"}))
    asked = check("accounts", TRAILSTREAM_ACCOUNTS="organizations")

    assert (found["suppressions"]["evidence"], found["accounts"]["evidence"]) == ("1 active", "1 name")
    assert asked["status"] == "warn"
    assert "organizations:ListAccounts" in asked["fix"]
    assert "entry 1" in check("configuration", 2, TRAILSTREAM_ACCOUNTS="1=prod")["evidence"]


def test_config_only_asks_nobody(aws: AwsStub) -> None:
    found = outcomes(invoke("check", "--config-only", "--format", "json"))

    assert list(found) == ["settings", "rules", "channel stdout"]
    assert {outcome["status"] for outcome in found.values()} == {"ok"}
    assert aws.asked == []


@pytest.mark.usefixtures("aws")
def test_no_credentials_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    found = outcomes(invoke("check", "--format", "json"))

    assert "NoCredentialsError" in found["credentials"]["evidence"]
    assert "AWS_PROFILE" in found["credentials"]["fix"]
    assert found["queue"]["status"] == "FAIL"
    assert found["channel stdout"]["status"] == "ok"


def test_an_address_where_nobody_listens(monkeypatch: pytest.MonkeyPatch, aws: AwsStub) -> None:
    with closing(socket.socket()) as taken:  # bound and not listening: connections are refused
        taken.bind(("127.0.0.1", 0))
        nobody = f"http://127.0.0.1:{taken.getsockname()[1]}"
        monkeypatch.setenv("AWS_ENDPOINT_URL", nobody)
        monkeypatch.setenv("TRAILSTREAM_QUEUE_URL", f"{nobody}/111122223333/trail")
        monkeypatch.setenv("TRAILSTREAM_WEBHOOK_URL", f"{nobody}/T0/hunter2")
        done = invoke("check", "--format", "json")
    found = outcomes(done)

    assert done.code == 1
    assert found["credentials"]["status"] == "warn"
    assert {found[name]["status"] for name in ("queue", "bucket acme", "channel webhook")} == {"FAIL"}
    assert "EndpointConnectionError" in found["queue"]["evidence"]
    assert found["channel webhook"]["evidence"] == "not now: connection"
    assert "hunter2" not in done.out + done.err
    assert aws.asked == []


@pytest.mark.usefixtures("aws")
def test_an_endpoint_that_is_no_url() -> None:
    assert "AWS_ENDPOINT_URL" in check("AWS", 1, AWS_ENDPOINT_URL="over there")["fix"]


async def test_a_test_alert_goes_through_each_channel_and_says_that_it_is_one(
    aws: AwsStub, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRAILSTREAM_WEBHOOK_URL", receiver.url)
    done = await asyncio.to_thread(run, "check", "--send-test-alert", "--format", "json")
    found = outcomes(done)
    (request,) = receiver.requests

    assert done.code == 0
    assert found["channel webhook"]["evidence"] == found["channel stdout"]["evidence"] == "took the test alert"
    assert request.json()["data"]["title"].startswith("TEST: ")
    assert json.loads(done.err)["title"].startswith("TEST: ")  # standard output is one document
    assert "ReceiveMessage" not in aws.asked


@pytest.mark.usefixtures("aws")
def test_text_of_others_is_inert(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRAILSTREAM_BUCKETS", "\x1b[2Jacme*")
    done = invoke("check", "--config-only")

    assert done.out.replace("\n", "").isprintable()
    assert "\\x1b[2Jacme*" in done.out


def test_on_a_real_queue_nothing_is_taken_and_all_is_well(
    aws_environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert aws_environ
    on_a_real_queue(monkeypatch)


def test_on_motos_queue_nothing_is_taken_and_all_is_well(moto_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", moto_endpoint)
    on_a_real_queue(monkeypatch)


def on_a_real_queue(monkeypatch: pytest.MonkeyPatch) -> None:
    name = f"check-{os.getpid()}"

    async def make() -> str:
        aws = Aws(Metrics())
        async with aws.client("sqs") as sqs, aws.client("s3") as s3:
            await s3.create_bucket(Bucket=name)
            dlq = await sqs.create_queue(QueueName=f"{name}-dlq")
            found = await sqs.get_queue_attributes(QueueUrl=dlq["QueueUrl"], AttributeNames=["QueueArn"])
            policy = {"deadLetterTargetArn": found["Attributes"]["QueueArn"], "maxReceiveCount": 10}
            queue = await sqs.create_queue(
                QueueName=name, Attributes={"RedrivePolicy": json.dumps(policy), "VisibilityTimeout": "90"}
            )
            await sqs.send_message(QueueUrl=queue["QueueUrl"], MessageBody="{}")
            return str(queue["QueueUrl"])

    async def receives(url: str) -> int:
        async with Aws(Metrics()).client("sqs") as sqs:
            answer = await sqs.receive_message(QueueUrl=url, MessageSystemAttributeNames=["ApproximateReceiveCount"])
            return int(answer["Messages"][0]["Attributes"]["ApproximateReceiveCount"])

    url = asyncio.run(make())
    monkeypatch.setenv("TRAILSTREAM_QUEUE_URL", url)
    monkeypatch.setenv("TRAILSTREAM_BUCKETS", f"{name},{name}-not-there")
    monkeypatch.setenv("TRAILSTREAM_STDOUT", "true")
    done = invoke("check", "--format", "json")
    found = outcomes(done)

    assert done.code == 1
    assert {check for check, outcome in found.items() if outcome["status"] != "ok"} == {f"bucket {name}-not-there"}
    assert found[f"bucket {name}-not-there"]["evidence"] == "there is no such bucket"
    assert "about 1 waiting" in found["queue"]["evidence"]
    assert found["dead-letter queue"]["evidence"] == "empty"
    assert asyncio.run(receives(url)) == 1


def test_a_database_of_locations_that_is_none_is_a_fault_of_the_configuration(aws: AwsStub, tmp_path: Path) -> None:
    del aws
    broken = tmp_path / "city.mmdb"
    broken.write_text("none")
    assert "TRAILSTREAM_GEOIP" in check("configuration", code=2, TRAILSTREAM_GEOIP=str(broken))["evidence"]


@pytest.mark.usefixtures("aws")
async def test_the_dead_man_s_switch_is_called_when_test_alerts_are(receiver: Receiver) -> None:
    for answer, arguments, status in (
        (None, (), "ok"),
        (200, ("--send-test-alert",), "ok"),
        (404, ("--send-test-alert",), "FAIL"),
    ):
        if answer:
            receiver.answer(answer)
        done = await asyncio.to_thread(
            run, "check", *arguments, "--format", "json", TRAILSTREAM_HEARTBEAT_URL=f"{receiver.url}/ping/secret"
        )
        assert outcomes(done)["heartbeat"]["status"] == status
        assert "secret" not in done.out
    assert [request.method for request in receiver.requests] == ["GET", "GET"]


@pytest.mark.usefixtures("aws")
def test_what_watches_without_the_pack_of_its_alerts_is_said_to_have_no_effect() -> None:
    found = check("own-path", TRAILSTREAM_CANARY="true", TRAILSTREAM_DIGEST="true", TRAILSTREAM_PACKS="ct-013")

    assert found["status"] == "warn"
    assert "TRAILSTREAM_CANARY, TRAILSTREAM_DIGEST has no effect" in found["evidence"]
    assert "own-path" not in outcomes(invoke("check", "--format", "json", stdin=b"", TRAILSTREAM_CANARY="true"))
