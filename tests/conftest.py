"""What many tests stand on: an AWS emulator, moto's server, and a receiver that answers as it is told."""

import asyncio
import functools
import os
from collections.abc import AsyncIterator, Iterator
from typing import Final

import botocore.retries.standard
import botocore.session
import pytest
import structlog
from hypothesis import HealthCheck, settings
from moto.server import ThreadedMotoServer

from stream.demo.emulator import Emulator
from tests.receiver import Receiver

CREDENTIALS: Final = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_REGION": "us-east-1",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
}


# Each of the many processes that tests start would compile all of the program anew.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# Examples are bounded in number alone: how long one takes says more of the machine than of us. To look harder:
# pytest --hypothesis-profile=thorough
settings.register_profile("usual", max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("thorough", settings.get_profile("usual"), max_examples=2000)
settings.load_profile("usual")

# botocore's descriptions of services are read once, not by each session: that takes a tenth of a second. And its
# clients try again at once: how long they wait is botocore's affair.
botocore.session.create_loader = functools.cache(botocore.session.create_loader)
botocore.retries.standard.ExponentialBackoff.delay_amount = lambda *_: 0.0


@pytest.fixture(autouse=True)
def _clean_environ(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test sees the machine's own Trailstream or AWS settings, nor a proxy."""
    for name in list(os.environ):
        if name.upper().startswith(("TRAILSTREAM_", "AWS_")) or name.upper().endswith("_PROXY"):
            monkeypatch.delenv(name)
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)


@pytest.fixture(autouse=True)
def _logs_as_by_default() -> Iterator[None]:
    """What a test runs in this process may set up logging: the next test would not see what is logged."""
    yield
    structlog.reset_defaults()


@pytest.fixture(scope="session")
def emulator() -> Iterator[Emulator]:
    """The embedded AWS, one for all tests: give buckets, queues and topics names of your own."""
    with Emulator() as running:
        yield running


@pytest.fixture(scope="session")
def moto_endpoint() -> Iterator[str]:
    """Address of moto's server, a second opinion on S3 and SQS; one for all tests: use names of your own."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def aws_environ(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Points this process's AWS clients at the emulator; also the variables, for a child process."""
    for name, value in emulator.environ.items():
        monkeypatch.setenv(name, value)
    return emulator.environ


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    """A web service on loopback that keeps every request and answers as told: see `tests.receiver`."""
    async with Receiver() as running:
        yield running
        await asyncio.sleep(0)
