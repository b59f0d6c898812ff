"""How grave the end of a trail is hangs on what CloudTrail says of the others, asked when it is told of."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import boto3
import pytest
from moto.server import ThreadedMotoServer

from stream.aws import Aws
from stream.decode import Prefilter
from stream.deliver.dispatcher import Dispatcher
from stream.detect.detection import Detection
from stream.detect.detector import Detector
from stream.detect.rules import RuleSet
from stream.detect.suppressions import Suppressions
from stream.intake.objects import Objects
from stream.intake.queue import Message
from stream.learning import Learning
from stream.ledger import MemoryLedger
from stream.metrics import Metrics
from stream.pipeline import Pipeline
from stream.settings import Settings
from tests.deliver.fakes import to_all
from tests.detect.records import record
from tests.test_pipeline import _Ears

ACCOUNT = "123456789012"  # moto's own


@pytest.fixture
def cloudtrail(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
    yield f"http://{host}:{port}"
    server.stop()


def stopped(trail: str) -> str:
    found = record(
        "StopLogging",
        {"name": f"arn:aws:cloudtrail:us-east-1:{ACCOUNT}:trail/{trail}"},
        eventID=trail,
        recipientAccountId=ACCOUNT,
        userIdentity={"type": "IAMUser", "userName": "alice", "accountId": ACCOUNT},
    )
    return json.dumps(
        {"detail-type": "AWS API Call via CloudTrail", "source": "aws.cloudtrail", "version": "0", "detail": found}
    )


async def test_one_of_two_trails_is_spared_until_the_other_stops_too(
    cloudtrail: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stream.learning._FRESH_S", 0.0)
    boto3.client("s3", endpoint_url=cloudtrail).create_bucket(Bucket="trail-logs")
    client = boto3.client("cloudtrail", endpoint_url=cloudtrail)
    for name in ("main", "other"):
        client.create_trail(Name=name, S3BucketName="trail-logs", IsMultiRegionTrail=True)
        client.start_logging(Name=name)
    settings = Settings(buckets=("logs",), protected=("trails",), inline_events=True)
    metrics, ears, rules, aws = Metrics(), _Ears(), RuleSet.load(("ct-013",), ()), Aws(Metrics())
    learning = Learning(settings)
    with ThreadPoolExecutor(1) as threads:
        async with (
            Objects(aws) as objects,
            Dispatcher([ears], MemoryLedger(), metrics, routes=to_all([ears]), max_pending_alerts=10) as dispatcher,
        ):
            pipeline = Pipeline(
                settings,
                metrics,
                objects=objects,
                detection=Detection(
                    Prefilter(rules.literals), Detector(rules, learning.known), Suppressions.load((), rules.rules)
                ),
                dispatcher=dispatcher,
                threads=threads,
                look_around=partial(learning.learn_trails, aws),
            )
            for name in ("main", "other"):
                client.stop_logging(Name=name)
                await pipeline.process(Message(name, stopped(name), receive_count=1, sent_at=None, received_at=0.0))

    assert [(alert.event.id, alert.severity) for alert in ears.told] == [("main", "medium"), ("other", "critical")]
