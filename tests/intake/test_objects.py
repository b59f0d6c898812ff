"""Objects come whole, from the version named, through every break that passes, and else with a named fault."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from aiobotocore.session import get_session

from stream.aws import Aws
from stream.demo.emulator import Emulator
from stream.errors import LogFileError
from stream.intake.notification import ObjectRef
from stream.intake.objects import Objects
from stream.metrics import Metrics
from tests.intake.s3_stub import S3Stub, s3_stub

BODY = bytes(range(256)) * 4000  # about a megabyte: many chunks


def ref(key: str = "AWSLogs/1/log.json.gz", *, bucket: str = "logs", version_id: str | None = None) -> ObjectRef:
    return ObjectRef(bucket, key, version_id, "us-east-1", None, "111122223333")


@pytest.fixture
async def stub(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[S3Stub]:
    async with s3_stub() as running:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", running.url)
        running.body = BODY
        yield running


async def read(wanted: ObjectRef, metrics: Metrics | None = None, *, stall_s: float = 20.0) -> bytes:
    async with Objects(Aws(metrics or Metrics()), stall_s=stall_s, backoff_s=0.001) as objects:
        return await whole(objects, wanted)


async def whole(objects: Objects, wanted: ObjectRef) -> bytes:
    read_back = b""
    async with objects.open(wanted) as log_file:
        while chunk := await log_file.read():
            read_back += chunk
    return read_back


async def test_an_object_comes_in_one_request(stub: S3Stub) -> None:
    metrics = Metrics()

    assert await read(ref(), metrics) == BODY
    assert len(stub.gets) == 1
    assert stub.heads == 0
    assert metrics.aws_requests.labels("s3", "GetObject", "200")._value.get() == 1


@pytest.mark.parametrize("act", ["500", "503:SlowDown", "429", "cut:0", "cut:100", "cut:700000", "400:ExpiredToken"])
@pytest.mark.parametrize("key", ["plain/log.json.gz", "double//log.json.gz"])
async def test_what_passes_is_tried_again(stub: S3Stub, act: str, key: str) -> None:
    stub.script.extend([act, act])

    assert await read(ref(key)) == BODY


async def test_a_broken_body_is_resumed_where_it_broke(stub: S3Stub) -> None:
    stub.script.extend(["cut:500000", "cut:100000"])

    assert await read(ref()) == BODY
    assert all(int(get.headers["Range"].removeprefix("bytes=").removesuffix("-")) > 0 for get in stub.gets[1:])
    assert {get.headers["If-Match"] for get in stub.gets[1:]} == {stub.etag}


async def test_a_body_that_stalls_is_resumed(stub: S3Stub) -> None:
    stub.script.append("stall:200000")

    assert await read(ref(), stall_s=0.3) == BODY


async def test_a_body_that_comes_slowly_is_waited_for(stub: S3Stub) -> None:
    stub.script.append("drip:5000")

    assert await read(ref(), stall_s=10.0) == BODY
    assert len(stub.gets) == 1


@pytest.mark.parametrize(
    ("act", "reason"),
    [
        ("404", "not_found"),
        ("403:AccessDenied", "forbidden"),
        ("401", "forbidden"),
        ("400:KMS.DisabledException", "forbidden"),
        ("500", "unavailable"),
        ("cut:0", "unavailable"),
        ("416", "unavailable"),
    ],
)
@pytest.mark.parametrize("key", ["plain/log.json.gz", "double//log.json.gz"])
async def test_what_does_not_pass_is_a_named_fault(stub: S3Stub, act: str, reason: str, key: str) -> None:
    stub.otherwise = act

    with pytest.raises(LogFileError) as fault:
        await read(ref(key))

    assert fault.value.reason == reason
    assert len(stub.gets) == (6 if reason == "unavailable" and act != "416" else 1)


async def test_a_body_shorter_than_announced_is_no_whole_object(stub: S3Stub) -> None:
    stub.otherwise = "long:100"

    with pytest.raises(LogFileError, match="unavailable"):
        await read(ref())


async def test_an_object_that_changed_meanwhile_is_not_pieced_together(stub: S3Stub) -> None:
    stub.script.extend(["cut:500000", "412"])

    with pytest.raises(LogFileError, match="unavailable"):
        await read(ref())


async def test_of_a_whole_that_is_sent_for_the_rest_no_byte_comes_twice(stub: S3Stub) -> None:
    stub.ranges = None
    stub.script.extend(["cut:500000", "cut:700000", "cut:100000"])

    assert await read(ref()) == BODY


@pytest.mark.parametrize("change", ["ranges", "etag", "body"])
async def test_what_is_not_the_rest_is_not_taken_for_it(stub: S3Stub, change: str) -> None:
    stub.script.append("cut:500000")
    async with Objects(Aws(Metrics()), backoff_s=0.001) as objects, objects.open(ref()) as log_file:
        await log_file.read()
        stub.ranges = 100 if change == "ranges" else None
        stub.etag = '"two"' if change == "etag" else stub.etag
        stub.body = BODY[:1000] if change == "body" else BODY

        async def rest() -> None:
            while await log_file.read():
                pass

        with pytest.raises(LogFileError, match="unavailable"):
            await rest()


async def test_the_bucket_is_asked_for_its_region_once(stub: S3Stub) -> None:
    stub.region = "eu-west-1"
    wanted = ObjectRef("logs", "log.json.gz", None, None, None, "111122223333")
    async with Objects(Aws(Metrics())) as objects:
        for _ in range(3):
            assert await whole(objects, wanted) == BODY

    assert stub.heads == 1
    assert all("/eu-west-1/s3/aws4_request" in get.headers["Authorization"] for get in stub.gets)


async def test_a_wrong_region_is_put_right(stub: S3Stub) -> None:
    stub.region = "eu-west-1"
    stub.script.append("301:PermanentRedirect")

    assert await read(ref()) == BODY
    assert "/eu-west-1/s3/aws4_request" in stub.gets[-1].headers["Authorization"]


async def test_an_invented_region_is_not_believed(stub: S3Stub) -> None:
    async with Objects(Aws(Metrics())) as objects:
        for number in range(20):
            wanted = ObjectRef("logs", "log.json.gz", None, f"xx-made-up-{number}", None, "111122223333")
            assert await whole(objects, wanted) == BODY
        assert list(objects._endpoints) == ["us-east-1"]

    assert stub.heads == 1


async def test_asking_for_the_region_is_tried_again(stub: S3Stub) -> None:
    stub.broken_heads = 2
    wanted = ObjectRef("logs", "log.json.gz", None, None, None, "111122223333")

    assert await read(wanted) == BODY
    assert stub.heads == 3


async def test_what_is_not_read_to_its_end_keeps_no_connection(stub: S3Stub) -> None:
    async with Objects(Aws(Metrics())) as objects, asyncio.timeout(60):
        for _ in range(25):
            async with objects.open(ref("double//log.json.gz")) as log_file:
                assert await log_file.read()
    assert len(stub.gets) == 25


async def test_a_key_that_reads_like_an_error_code_is_no_error_code(stub: S3Stub) -> None:
    stub.otherwise = "404:NoSuchKey"

    with pytest.raises(LogFileError, match="not_found"):
        await read(ref("AWSLogs/ExpiredToken.json.gz"))
    assert len(stub.gets) == 1


async def test_without_credentials_the_fault_is_named(stub: S3Stub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")

    with pytest.raises(LogFileError):
        await read(ref())
    assert stub.gets == []


KEYS = [
    "a b",
    "a+b",
    "a%2Bb",
    "a%25b",
    "ünï/日本",
    "double//slash",
    "/lead",
    "a/./b",
    "a/../b",
    "q?x#y&z=1",
    "a*[b]{c}|~`^",
    "😀",
]


@pytest.mark.parametrize("server", ["emulator", "moto"])
async def test_any_key_is_read_as_it_is(
    server: str, emulator: Emulator, moto_endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", emulator.endpoint if server == "emulator" else moto_endpoint)
    async with get_session().create_client("s3") as client, Objects(Aws(Metrics())) as objects:
        await client.create_bucket(Bucket="any-key")
        for key in KEYS:
            await client.put_object(Bucket="any-key", Key=key, Body=key.encode())
            read_back = await whole(objects, ref(key, bucket="any-key"))
            assert read_back == key.encode(), key


@pytest.mark.parametrize("server", ["emulator", "moto"])
@pytest.mark.parametrize("key", ["log.json.gz", "double//log.json.gz"])
async def test_the_version_named_is_the_version_read(
    key: str, server: str, emulator: Emulator, moto_endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", emulator.endpoint if server == "emulator" else moto_endpoint)
    bucket = f"versions-{server}-{len(key)}"
    async with get_session().create_client("s3") as client:
        await client.create_bucket(Bucket=bucket)
        await client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
        first = await client.put_object(Bucket=bucket, Key=key, Body=b"first")
        await client.put_object(Bucket=bucket, Key=key, Body=b"second")
        await client.delete_object(Bucket=bucket, Key=key)

    assert await read(ref(key, bucket=bucket, version_id=first["VersionId"])) == b"first"
    with pytest.raises(LogFileError, match="not_found"):
        await read(ref(key, bucket=bucket))
