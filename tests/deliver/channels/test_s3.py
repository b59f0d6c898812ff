import json
import re
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import given, settings

from stream.alert import Alert
from stream.deliver.channel import Accepted, Answer, Down, Rejected, Retry
from stream.deliver.channels.s3 import S3Channel, S3Settings, object_name
from stream.environment import load
from stream.errors import ConfigError
from tests.deliver.alerts import alerts, make_alert
from tests.deliver.aws import aws
from tests.deliver.channels.attacks import ATTACKS, hostile
from tests.receiver import Receiver

DAY = "region=eu-west-1/accountId=111122223333/eventDay=20260301"
_NAME = re.compile(
    r"region=[A-Za-z0-9-]{1,64}/accountId=[A-Za-z0-9-]{1,64}/eventDay=(\d{8}|unknown)/[A-Za-z0-9-]{1,64}\.json"
)


def _make(url: str, **fields: Any) -> S3Channel:
    return S3Channel(S3Settings.model_validate({"url": url, "timeout": 20, **fields}), aws=aws())


@pytest.fixture
async def stub(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[S3Channel]:
    """A channel whose S3 answers as it is told."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", receiver.url)
    made = _make("s3://alerts/ext/trailstream/", kms_key_id="alias/alerts", owner="111122223333")
    yield made
    await made.aclose()


def _error(code: str) -> str:
    return f"<Error><Code>{code}</Code><Message>hunter2</Message></Error>"


@pytest.mark.usefixtures("aws_environ")
async def test_alerts_become_objects_which_are_found_by_region_account_and_day_and_never_doubled() -> None:
    async with aws().client("s3") as s3:
        await s3.create_bucket(Bucket="s3-alerts")
        channel = _make("s3://s3-alerts/ext/trailstream")
        assert await channel.probe() == Accepted()
        for alert in (make_alert("a"), make_alert("a"), make_alert("b"), hostile(ATTACKS["direction"])):
            assert await channel.send(alert) == Accepted()
        assert await channel.send(make_alert("c"), minimal=True) == Accepted()
        await channel.aclose()
        listed = (await s3.list_objects_v2(Bucket="s3-alerts", Prefix=f"ext/trailstream/{DAY}/"))["Contents"]
        assert [each["Key"] for each in listed] == [f"ext/trailstream/{DAY}/{name}.json" for name in "abc"]
        got = await s3.get_object(Bucket="s3-alerts", Key=listed[0]["Key"])
        line = await got["Body"].read()
        everything = (await s3.list_objects_v2(Bucket="s3-alerts"))["Contents"]
    assert got["ContentType"] == "application/x-ndjson"
    assert line.endswith(b"\n")
    assert json.loads(line)["finding_info"]["uid"] == "a"
    assert len(everything) == 4


@pytest.mark.usefixtures("aws_environ")
async def test_a_bucket_that_is_missing_is_noticed() -> None:
    channel = _make("s3://s3-alerts-missing")
    assert await channel.probe() == Down("not_found")
    assert await channel.send(make_alert()) == Down("not_found")
    await channel.aclose()


async def test_answers_are_classified(stub: S3Channel, receiver: Receiver) -> None:
    answers: dict[tuple[str, int], Answer] = {
        ("AccessDenied", 403): Down("forbidden"),
        ("AllAccessDisabled", 403): Down("forbidden"),
        ("ExpiredToken", 400): Down("unauthorized"),
        ("InvalidAccessKeyId", 403): Down("unauthorized"),
        ("NoSuchBucket", 404): Down("not_found"),
        ("InvalidBucketName", 400): Down("other"),
        ("InvalidRequest", 400): Down("other"),
        ("EntityTooLarge", 400): Rejected("too_large"),
        ("BadDigest", 400): Retry("other"),
        ("OperationAborted", 409): Retry("other"),
        ("RequestTimeout", 400): Retry("timeout"),
        ("InternalError", 500): Retry("server_error"),
        ("SlowDown", 503): Retry("throttled", 7.0),
        ("ServiceUnavailable", 503): Retry("server_error", 7.0),
        ("KMS.DisabledException", 400): Down("other"),
        ("KMS.NotFoundException", 400): Down("not_found"),
        ("KMS.ThrottlingException", 400): Retry("throttled"),
    }
    received: dict[tuple[str, int], Answer] = {}
    for code, status in answers:
        receiver.answer(status, body=_error(code), headers={"Retry-After": "7"} if status == 503 else None)
        received[code, status] = await stub.send(make_alert())
    assert received == answers
    assert len(receiver.requests) == len(answers)


async def test_the_key_of_kms_and_the_owner_go_with_the_request(stub: S3Channel, receiver: Receiver) -> None:
    assert await stub.send(make_alert()) == Accepted()
    (request,) = receiver.requests
    assert request.method == "PUT"
    assert unquote(request.path) == f"/alerts/ext/trailstream/{DAY}/alert-1.json"
    assert request.headers["x-amz-server-side-encryption"] == "aws:kms"
    assert request.headers["x-amz-server-side-encryption-aws-kms-key-id"] == "alias/alerts"
    assert request.headers["x-amz-expected-bucket-owner"] == "111122223333"
    assert not [name for name in request.headers if name.lower().startswith(("x-amz-acl", "x-amz-grant"))]


async def test_who_may_not_look_may_put_all_the_same(stub: S3Channel, receiver: Receiver) -> None:
    receiver.answer(403, 404, 400)
    assert [await stub.probe() for _ in range(3)] == [Accepted(), Down("not_found"), Down("other")]
    assert {request.method for request in receiver.requests} == {"HEAD"}


async def test_a_bucket_of_another_region_is_followed_there_once(stub: S3Channel, receiver: Receiver) -> None:
    moved = {"x-amz-bucket-region": "eu-central-1"}
    receiver.answer(301, body=_error("PermanentRedirect"), headers=moved)
    receiver.answer(200)
    assert await stub.send(make_alert()) == Accepted()
    first, second = (request.headers["Authorization"] for request in receiver.requests)
    assert "/us-east-1/s3/" in first
    assert "/eu-central-1/s3/" in second
    receiver.answer(301, 301, body=_error("PermanentRedirect"), headers=moved)
    assert await stub.send(make_alert()) == Down("redirect")


async def test_a_rehearsal_asks_nobody(stub: S3Channel, receiver: Receiver) -> None:
    shown: list[str] = []
    stub.rehearsal = shown.append
    assert await stub.send(make_alert()) == Accepted()
    assert shown[0].startswith("s3:put_object\n")
    assert receiver.requests == []


def test_a_forged_record_makes_no_other_key() -> None:
    forged = make_alert(
        "../../x", event_region="../eu-west-1", event_account_id="1/accountId=2", event_time="2026-03-01T23:59:59-02:00"
    )
    assert re.fullmatch(r"region=unknown/accountId=unknown/eventDay=20260302/[0-9a-f]{64}\.json", object_name(forged))
    assert object_name(make_alert(event_time="yesterday")).split("/")[2] == "eventDay=unknown"


@given(alerts())
@settings(max_examples=20, deadline=None)
def test_any_alert_has_a_plain_name(alert: Alert) -> None:
    assert _NAME.fullmatch(object_name(alert))


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("s3://alerts", ("alerts", "")),
        ("s3://my.alerts-1/", ("my.alerts-1", "")),
        ("s3://alerts/ext/trail_stream.v1/source=x/", ("alerts", "ext/trail_stream.v1/source=x/")),
    ],
)
def test_a_url_is_a_bucket_and_a_prefix(url: str, place: tuple[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRAILSTREAM_S3_URL", url)
    monkeypatch.setenv("TRAILSTREAM_S3_REGION", "eu-west-1")
    section = load([S3Settings])[S3Settings]
    assert isinstance(section, S3Settings)
    assert section.enabled
    channel = S3Channel(section)
    assert (channel._place, channel.region()) == (place, "eu-west-1")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(
            ("URL", value)
            for value in (
                "alerts",
                "https://alerts.s3.amazonaws.com/",
                "s3://",
                "s3://ab",
                "s3://Alerts",
                "s3://al..erts",
                f"s3://{'a' * 64}",
                "s3://alerts//x",
                "s3://alerts/../x",
                "s3://alerts/a b",
                f"s3://alerts/{'x' * 513}",
            )
        ),
        ("REGION", "Ireland"),
        ("KMS_KEY_ID", "my key"),
        ("OWNER", "me"),
    ],
)
def test_a_bad_setting_is_an_error_that_names_the_variable(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"TRAILSTREAM_S3_{name}", value)
    with pytest.raises(ConfigError, match=rf"^TRAILSTREAM_S3_{name}: must be "):
        load([S3Settings])
