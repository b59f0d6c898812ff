"""What commands say when AWS can't be used: what `check` would, and not what another cause would take."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.checks.aws_stub import AwsStub, sqs_error, xml_error
from tests.commands.running import Finished, invoke

VERIFY = ("verify", "s3://acme/AWSLogs/", "--since", "1d")
REPLAY = ("replay", "s3://acme/AWSLogs/", "--since", "1d")
COUNT = (*REPLAY, "--dry-run")
REDRIVE = ("redrive", "--look-only")
SCAN = ("scan", "-q", "s3://acme/AWSLogs/")
LISTING = (VERIFY, REPLAY, COUNT, SCAN)


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[AwsStub]:
    with AwsStub() as stub:
        monkeypatch.setenv("AWS_ENDPOINT_URL", stub.url)
        yield stub


def told(command: tuple[str, ...], **environ: Any) -> Finished:
    queue = "https://sqs.eu-west-1.amazonaws.com/111122223333/trail"
    done = invoke(*command, TRAILSTREAM_QUEUE_URL=queue, TRAILSTREAM_BUCKETS="acme", **environ)
    assert (done.code, done.out) == (2 if command[0] in ("verify", "scan") else 1, "")
    return done


@pytest.mark.parametrize("command", [*LISTING, REDRIVE])
@pytest.mark.parametrize(
    ("environ", "cause", "fix"),
    [
        (
            {"AWS_ACCESS_KEY_ID": None, "AWS_EC2_METADATA_DISABLED": "true"},
            "credentials: the standard chain has none that can be used (NoCredentialsError)",
            "set AWS_PROFILE, or AWS_ACCESS_KEY_ID",
        ),
        ({"AWS_PROFILE": "nobody"}, "AWS: its settings can't be used: ProfileNotFound", "Look at AWS_PROFILE"),
        ({"AWS_ENDPOINT_URL": "over there"}, "AWS: its settings can't be used: ValueError", "AWS_ENDPOINT_URL"),
        ({"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}, "EndpointConnectionError", "Allow traffic to S"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_the_cause_is_said_and_what_to_do_about_it(
    command: tuple[str, ...], environ: dict[str, str | None], cause: str, fix: str
) -> None:
    done = told(command, **environ)

    assert cause in done.err
    assert fix in done.err
    assert "s3:ListBucket" not in done.err
    assert "forbidden" not in done.err


@pytest.mark.parametrize("command", LISTING)
def test_a_bucket_that_is_not_there_is_no_want_of_a_permission(aws: AwsStub, command: tuple[str, ...]) -> None:
    aws.answers |= {"GetObject": xml_error("NoSuchBucket", 404), "HeadBucket": (404, {}, "")}

    assert "there is no such bucket" in told(command).err


@pytest.mark.parametrize("command", LISTING)
def test_a_permission_that_is_missing_is_named(aws: AwsStub, command: tuple[str, ...]) -> None:
    aws.answers |= {"GetObject": xml_error("AccessDenied", 403), "HeadBucket": (403, {}, "")}

    assert "isting it takes s3:ListBucket on the bucket" in told(command).err


def test_a_queue_that_is_not_there_is_told_by_the_variable_that_names_it(aws: AwsStub) -> None:
    aws.answers["GetQueueAttributes"] = sqs_error("AWS.SimpleQueueService.NonExistentQueue")

    assert told(REDRIVE).err == (
        "trailstream: queue: there is none with this URL in eu-west-1 (AWS.SimpleQueueService.NonExistentQueue)\n"
        "trailstream: Correct TRAILSTREAM_QUEUE_URL.\n"
    )


def test_a_queue_that_may_not_be_used_is_left_to_check(aws: AwsStub) -> None:
    aws.answers["GetQueueAttributes"] = sqs_error("AccessDenied", 403)

    assert told(REDRIVE).err == (
        "trailstream: queue: AccessDenied on arn:aws:sqs:eu-west-1:111122223333:trail\n"
        "trailstream: `trailstream check` has the statement that allows it.\n"
    )
