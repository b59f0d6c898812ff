"""Who we are, as STS says."""

import pytest

from stream.aws import Aws
from stream.checks.credentials import check_credentials
from tests.checks.aws_stub import AwsStub, sts_error


async def test_the_identity_is_named(aws: Aws, stub: AwsStub) -> None:
    outcome = await check_credentials(aws)

    assert outcome.status == "ok"
    assert outcome.evidence == "arn:aws:sts::111122223333:assumed-role/trailstream/pod in account 111122223333"
    assert stub.asked == ["GetCallerIdentity"]


@pytest.mark.parametrize("code", ["ExpiredToken", "InvalidClientTokenId", "SignatureDoesNotMatch"])
async def test_credentials_that_are_refused_fail(aws: Aws, stub: AwsStub, code: str) -> None:
    stub.answers["GetCallerIdentity"] = sts_error(code)
    outcome = await check_credentials(aws)

    assert (outcome.status, outcome.evidence) == ("FAIL", f"STS refuses them: {code}")
