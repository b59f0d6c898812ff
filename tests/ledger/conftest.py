"""One AWS session for all: loading botocore's models takes most of the time."""

import pytest

from stream.aws import Aws
from stream.demo.emulator import Emulator
from stream.metrics import Metrics
from tests.ledger.replicas import create_table


@pytest.fixture(scope="package")
def aws() -> Aws:
    return Aws(Metrics())


@pytest.fixture(params=["ministack", "moto"])
async def table(
    request: pytest.FixtureRequest,
    aws: Aws,
    emulator: Emulator,
    moto_endpoint: str,
    monkeypatch: pytest.MonkeyPatch,
) -> str:
    """The name of a table, once in each of two DynamoDBs."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", emulator.endpoint if request.param == "ministack" else moto_endpoint)
    async with aws.client("dynamodb") as client:
        return await create_table(client)
