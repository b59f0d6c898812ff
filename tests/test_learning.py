import json
from collections.abc import Iterator

import boto3
import pytest
from moto.server import ThreadedMotoServer
from structlog.testing import capture_logs

from stream.aws import Aws
from stream.detect.surroundings import Surroundings
from stream.intake.sqs import QueueAttributes
from stream.learning import Learning
from stream.metrics import Metrics
from stream.settings import Settings

QUEUE = "https://sqs.us-east-1.amazonaws.com/111122223333/files"
ARN = "arn:aws:sqs:us-east-1:111122223333:files"
SETTINGS = Settings(
    queue_url=QUEUE, buckets=("logs",), log_buckets=("archive",), protected=("main",), ledger="dynamodb://sent"
)


@pytest.fixture(scope="module")
def sts() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(autouse=True)
def _credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")


def test_the_settings_tell_what_is_ours() -> None:
    assert Surroundings.of(SETTINGS) == Surroundings(
        protected=("main",), buckets=("logs",), log_buckets=("archive",), queues=(QUEUE,), tables=("sent",)
    )
    assert Surroundings.of(Settings()) == Surroundings()


def test_the_queue_tells_of_its_dead_letter_queue_and_its_key() -> None:
    learning = Learning(SETTINGS)
    learning.learn_queue(None)
    assert learning.known() == Surroundings.of(SETTINGS)

    learning.learn_queue(QueueAttributes(ARN, 30, "alias/files", True, ARN + "-dead", 0, 0, 0))

    assert learning.known().queues == (QUEUE, ARN, ARN + "-dead")
    assert learning.known().keys == ("alias/files",)


async def test_the_own_role_is_asked_for(sts: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", sts)
    client = boto3.client("iam", endpoint_url=sts)
    client.create_role(RoleName="reader", AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17"}))
    session = boto3.client("sts", endpoint_url=sts).assume_role(
        RoleArn="arn:aws:iam::123456789012:role/reader", RoleSessionName="pod"
    )["Credentials"]
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", session["AccessKeyId"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", session["SecretAccessKey"])
    monkeypatch.setenv("AWS_SESSION_TOKEN", session["SessionToken"])
    learning = Learning(SETTINGS)

    await learning.learn_role(Aws(Metrics()))

    assert learning.known().roles == ("arn:aws:iam::123456789012:role/reader",)


async def test_a_role_that_nobody_tells_stays_unknown_and_is_logged_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    learning = Learning(SETTINGS)

    with capture_logs() as lines:
        await learning.learn_role(Aws(Metrics()))

    assert learning.known().roles == ()
    assert [line["event"] for line in lines] == ["own role unknown"]


def _trails(endpoint: str) -> None:
    s3 = boto3.client("s3", endpoint_url=endpoint)
    cloudtrail = boto3.client("cloudtrail", endpoint_url=endpoint)
    s3.create_bucket(Bucket="trail-logs")
    for name in ("main", "other"):
        cloudtrail.create_trail(Name=name, S3BucketName="trail-logs", IsMultiRegionTrail=True)
        cloudtrail.start_logging(Name=name)


async def test_the_trails_are_asked_for_where_they_are_to_be_learnt(sts: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", sts)
    _trails(sts)
    cloudtrail = boto3.client("cloudtrail", endpoint_url=sts)
    arns = [f"arn:aws:cloudtrail:us-east-1:123456789012:trail/{name}" for name in ("main", "other")]
    learning = Learning(SETTINGS.model_copy(update={"protected": ("trails",)}))
    assert learning.known().needs(arns[0])

    await learning.learn_trails(Aws(Metrics()))
    assert [learning.known().needs(arn) for arn in arns] == [False, False]

    cloudtrail.stop_logging(Name="other")
    monkeypatch.setattr("stream.learning._FRESH_S", 0.0)
    await learning.learn_trails(Aws(Metrics()))
    assert [learning.known().needs(arn) for arn in arns] == [True, False]

    cloudtrail.delete_trail(Name="other")
    cloudtrail.delete_trail(Name="main")
    await learning.learn_trails(Aws(Metrics()))
    assert [learning.known().needs(arn) for arn in arns] == [True, True]


async def test_every_trail_is_needed_while_nobody_can_be_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setattr("stream.learning._FRESH_S", 0.0)
    learning = Learning(SETTINGS.model_copy(update={"protected": ("trails", "main")}))

    with capture_logs() as lines:
        await learning.learn_trails(Aws(Metrics()))
        await learning.learn_trails(Aws(Metrics()))

    assert learning.known().needs("arn:aws:cloudtrail:us-east-1:123456789012:trail/any")
    assert learning.known().protected == ("main",)
    assert [line["event"] for line in lines] == ["trails unknown"]


async def test_nobody_is_asked_for_trails_unless_it_is_wished(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    learning = Learning(SETTINGS)
    await learning.keep_trails(Aws(Metrics()))
    with capture_logs() as lines:
        await learning.learn_trails(Aws(Metrics()))
    assert lines == []
