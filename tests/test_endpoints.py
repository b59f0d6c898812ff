"""Endpoints are botocore's, region by region and however they are configured."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from stream.aws import Aws
from stream.metrics import Metrics


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """No configuration but the file that is returned."""
    for name in ("AWS_ENDPOINT_URL", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKID")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    return tmp_path / "config"


async def botocores(aws: Aws, service: str, region: str) -> str:
    async with aws.client(service, region=region) as client:
        return str(client.meta.endpoint_url)


@pytest.mark.usefixtures("bare")
@pytest.mark.parametrize("service", ["sqs", "s3", "sts"])
async def test_in_every_region_of_every_partition_it_is_botocores(
    service: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    aws = Aws(Metrics())
    theirs = {region: await botocores(aws, service, region) for region in aws.regions()}
    monkeypatch.setattr(aws, "_asked", None)

    assert {region: await aws.endpoint(service, region) for region in aws.regions()} == theirs
    assert len(theirs) > 40


CONFIGURED: list[tuple[dict[str, str], str]] = [
    ({"AWS_ENDPOINT_URL": "http://127.0.0.1:1"}, ""),
    ({"AWS_ENDPOINT_URL": "http://127.0.0.1:1", "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:2"}, ""),
    ({"AWS_ENDPOINT_URL": "http://127.0.0.1:1", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true"}, ""),
    (
        {"AWS_PROFILE": "trail"},
        "[profile trail]\nservices = own\n[services own]\ns3 =\n  endpoint_url = http://127.0.0.1:3\n",
    ),
    ({"AWS_PROFILE": "trail"}, "[profile trail]\nendpoint_url = http://127.0.0.1:4\n"),
    ({"AWS_USE_FIPS_ENDPOINT": "true"}, ""),
    ({"AWS_USE_DUALSTACK_ENDPOINT": "true"}, ""),
    ({}, "[default]\nuse_dualstack_endpoint = true\nuse_fips_endpoint = true\n"),
]


@pytest.mark.parametrize(("variables", "text"), CONFIGURED)
async def test_however_it_is_configured_it_is_botocores(
    bare: Path, variables: dict[str, str], text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await asyncio.to_thread(bare.write_text, text)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    aws = Aws(Metrics())
    for service in ("sqs", "s3", "sts"):
        assert await aws.endpoint(service, "us-east-2") == await botocores(aws, service, "us-east-2")


@pytest.mark.usefixtures("bare")
async def test_a_region_that_is_not_listed_is_asked_for() -> None:
    aws = Aws(Metrics())
    region: Any = "eu-new-7"
    assert region not in aws.regions()
    assert await aws.endpoint("s3", region) == await botocores(aws, "s3", region)
