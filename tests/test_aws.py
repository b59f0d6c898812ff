"""Which region is meant: by the environment, by an SQS queue's URL."""

import pytest

from stream.aws import Aws, queue_region
from stream.metrics import Metrics


@pytest.mark.parametrize(
    ("url", "region"),
    [
        ("https://sqs.eu-west-1.amazonaws.com/111122223333/trail", "eu-west-1"),
        ("https://sqs-fips.us-gov-west-1.amazonaws.com/111122223333/trail", "us-gov-west-1"),
        ("https://sqs.cn-north-1.amazonaws.com.cn/111122223333/trail", "cn-north-1"),
        ("https://sqs.eu-west-1.api.aws/111122223333/trail", "eu-west-1"),
        ("https://eu-west-1.queue.amazonaws.com/111122223333/trail", "eu-west-1"),
        ("http://127.0.0.1:4566/111122223333/trail", None),
        ("https://sqs.eu-west-1.amazonaws.com.example/111122223333/trail", None),
    ],
)
def test_the_region_is_in_awss_own_addresses_and_in_no_others(url: str, region: str | None) -> None:
    assert queue_region(url) == region


@pytest.mark.parametrize(
    ("environment", "region"),
    [
        ({"AWS_REGION": "eu-west-1"}, "eu-west-1"),
        ({"AWS_DEFAULT_REGION": "eu-central-1"}, "eu-central-1"),
        ({"AWS_REGION": "eu-west-1", "AWS_DEFAULT_REGION": "eu-central-1"}, "eu-west-1"),
        ({"AWS_REGION": "", "AWS_DEFAULT_REGION": "eu-central-1"}, "eu-central-1"),
        ({}, "us-east-1"),
    ],
)
async def test_the_region_is_what_the_environment_says_as_every_tool_of_awss_reads_it(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], region: str
) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    aws = Aws(Metrics())
    assert aws.region == region
    async with aws.client("sqs") as client:
        assert client.meta.region_name == region
