"""A stub of AWS for the checks, and one session for all of them: loading botocore's models takes most of the time."""

from collections.abc import Iterator

import pytest

from stream.aws import Aws
from stream.metrics import Metrics
from tests.checks.aws_stub import AwsStub


@pytest.fixture(scope="package")
def aws() -> Aws:
    return Aws(Metrics())


@pytest.fixture
def stub(monkeypatch: pytest.MonkeyPatch) -> Iterator[AwsStub]:
    """An AWS where all is well."""
    with AwsStub() as running:
        monkeypatch.setenv("AWS_ENDPOINT_URL", running.url)
        yield running
