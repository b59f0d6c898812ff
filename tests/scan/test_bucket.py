"""Log files that lie in S3."""

import asyncio
import gzip
import itertools
import json
import os
from multiprocessing import forkserver

import pytest

from stream.aws import Aws
from stream.errors import LogFileError
from stream.metrics import Metrics
from stream.scan.download import Downloads
from stream.scan.opening import Opener
from stream.scan.sources import Missing, Skipped, Source, find
from tests.commands.running import invoke
from tests.commands.test_scan import log_text, record

_names = itertools.count()

LOG = "AWSLogs/111122223333/CloudTrail/eu-west-1/2024/05/01/{}.json.gz"


@pytest.fixture
def bucket(aws_environ: dict[str, str]) -> str:
    """The name of a bucket of the embedded AWS that is not there yet."""
    assert aws_environ
    return _name()


@pytest.fixture(params=["emulator", "moto"])
def either_bucket(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The same, of the embedded AWS and of moto's server."""
    if request.param == "emulator":
        request.getfixturevalue("aws_environ")
    else:
        monkeypatch.setenv("AWS_ENDPOINT_URL", request.getfixturevalue("moto_endpoint"))
    return _name()


def _name() -> str:
    # Processes of a pool have the environment of the server that forks them: the next one shall have this test's.
    forkserver._forkserver._stop()  # type: ignore[attr-defined]  # typeshed leaves it out
    return f"scan-{os.getpid()}-{next(_names)}"


def put(bucket: str, objects: dict[str, bytes]) -> None:
    """Make a bucket with these objects."""

    async def call() -> None:
        async with Aws(Metrics()).client("s3") as client:
            await client.create_bucket(Bucket=bucket)
            for key, body in objects.items():
                await client.put_object(Bucket=bucket, Key=key, Body=body)

    asyncio.run(call())


def test_log_files_below_a_prefix_are_found_and_read_and_nothing_else(either_bucket: str) -> None:
    sizes = {LOG.format(name): b"x" * (index + 1) for index, name in enumerate(("b", "a +ä%2B"))}
    others = {"AWSLogs/1/CloudTrail-Digest/d.json.gz": b"d", "AWSLogs/readme.txt": b"r", "else/1.json": b"e"}
    put(either_bucket, sizes | others)
    found = list(find([f"s3://{either_bucket}/AWSLogs/"]))

    assert [item for item in found if isinstance(item, Source)] == [
        Source(either_bucket, key, len(body)) for key, body in sorted(sizes.items())
    ]
    assert [item.name for item in found if isinstance(item, Skipped)] == [
        f"s3://{either_bucket}/AWSLogs/1/CloudTrail-Digest/d.json.gz"
    ]
    assert len(found) == 3
    with Opener() as opener:
        read = [b"".join(chunks) for _, chunks in opener.opened(item for item in found if isinstance(item, Source))]
    assert read == [body for _, body in sorted(sizes.items())]
    assert len(list(find([f"s3://{either_bucket}"]))) == 4
    assert [item.name for item in find([f"S3://{either_bucket}/else/1.json"])] == [f"s3://{either_bucket}/else/1.json"]


def test_what_is_not_there_is_missing(bucket: str) -> None:
    put(bucket, {"a.json": b"1"})

    assert list(find([f"s3://{bucket}/b"])) == [Missing(f"s3://{bucket}/b", "no object's key begins with that")]
    assert list(find([f"s3://{bucket}-not"])) == [Missing(f"s3://{bucket}-not", "there is no such bucket")]
    (nameless,) = find(["s3:///x"])
    assert isinstance(nameless, Missing)


def test_a_listing_of_several_pages_is_read_to_its_end(bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stream.scan.bucket._PAGE_KEYS", 3)
    keys = [f"{number:02}.json" for number in range(10)]
    put(bucket, dict.fromkeys(keys, b"1"))

    assert [item.key for item in find([f"s3://{bucket}"]) if isinstance(item, Source)] == keys


def test_objects_are_read_whole_in_order_and_more_of_them_than_are_fetched_at_once(bucket: str) -> None:
    bodies = {f"{number:03}.json": os.urandom(number * 50_000) for number in range(1, 25)}
    put(bucket, bodies)
    sources = [item for item in find([f"s3://{bucket}"]) if isinstance(item, Source)]
    with Opener() as opener:
        read = {source.key: b"".join(chunks) for source, chunks in opener.opened(sources)}

    assert list(read) == list(bodies)
    assert read == bodies


def test_what_cannot_be_fetched_is_an_error_of_that_object_alone(bucket: str) -> None:
    put(bucket, {"1.json": b"one", "3.json": b"three"})
    sources = [Source(bucket, f"{number}.json", 1) for number in (1, 2, 3)]
    seen: list[bytes | str] = []
    with Opener() as opener:
        for _, chunks in opener.opened(sources):
            try:
                seen.append(b"".join(chunks))
            except LogFileError as error:
                seen.append(error.reason)

    assert seen == [b"one", "not_found", b"three"]


def test_an_object_that_is_not_read_to_its_end_keeps_nothing_waiting(bucket: str) -> None:
    put(bucket, {f"{number}.json": b"x" * 1_500_000 for number in range(20)})
    sources = [Source(bucket, f"{number}.json", 1_500_000) for number in range(20)]
    with Opener() as opener:
        begun = [len(next(chunks)) > 0 for _, chunks in opener.opened(sources)]

    assert begun == [True] * 20


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_a_bucket_is_scanned_like_a_folder(bucket: str, jobs: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stream.commands.scan._POOL_FILES", 1)
    put(
        bucket,
        {LOG.format(number): gzip.compress(log_text(record(number))) for number in range(5)}
        | {LOG.format("broken"): gzip.compress(log_text(record(9)))[:-9]},
    )
    done = invoke("scan", f"s3://{bucket}/AWSLogs/", "--format", "jsonl", "--jobs", jobs)
    alerts = [json.loads(line) for line in done.out.splitlines()]

    assert done.code == 2
    assert f"s3://{bucket}/{LOG.format('broken')}: truncated" in done.err
    assert [alert["log_file"]["key"] for alert in alerts[:5]] == [LOG.format(number) for number in range(5)]
    assert {alert["log_file"]["bucket"] for alert in alerts} == {bucket}


def test_a_client_that_cannot_be_made_is_a_fault_of_every_object(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "over there")
    reasons = []
    with Opener() as opener:
        for _, chunks in opener.opened([Source("acme", "1.json", 1), Source("acme", "2.json", 1)]):
            with pytest.raises(LogFileError, match="ValueError") as caught:
                next(chunks)
            reasons.append(caught.value.reason)

    assert reasons == ["unavailable", "unavailable"]


def test_a_thread_that_ends_early_leaves_nobody_waiting(bucket: str) -> None:
    """Whatever makes it end; here it is told to while an object is still being read."""
    put(bucket, {"1.json": b"x" * 1_500_000})
    downloads = Downloads()
    with downloads:
        chunks = downloads.begin(Source(bucket, "1.json", 1))
        assert next(chunks)
        downloads.__exit__()
        with pytest.raises(LogFileError, match="nothing can be fetched"):
            list(downloads.begin(Source(bucket, "1.json", 1)))


def test_without_an_answer_from_s3_the_reason_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    done = invoke("scan", "s3://acme/AWSLogs/")

    assert done.code == 2
    assert done.err.startswith("trailstream: s3://acme/AWSLogs/: no answer from S3: EndpointConnectionError\n")


def test_without_credentials_the_reason_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    (missing,) = find(["s3://acme/AWSLogs/"])

    assert missing == Missing("s3://acme/AWSLogs/", "no answer from S3: NoCredentialsError")
