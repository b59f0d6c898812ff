"""What is read from an SQS queue's URL."""

import pytest

from stream.aws import queue_region


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
