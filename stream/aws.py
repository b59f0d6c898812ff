"""One AWS session: clients, credentials, endpoints and regions, all from the standard chain.

IRSA, Pod Identity, profiles, assumed roles, `AWS_ENDPOINT_URL`, `AWS_ENDPOINT_URL_S3`, `AWS_ENDPOINT_URL_SQS` and the
rest mean here what they mean to every AWS tool.
"""

import os
import re
from contextlib import AbstractAsyncContextManager
from typing import Any, Final
from urllib.parse import urlsplit

from aiobotocore.config import AioConfig
from aiobotocore.session import AioSession, get_session
from botocore.exceptions import NoCredentialsError
from prometheus_client import Counter

from stream import __version__
from stream.endpoints import Endpoints
from stream.http import Client
from stream.metrics import Metrics
from stream.signing import Credentials

# Today's addresses, dual-stack ones, and those of before 2012, all of which SQS still serves:
# https://docs.aws.amazon.com/general/latest/gr/sqs-service.html
_QUEUE_HOST: Final = re.compile(
    r"(?:sqs(?:-fips)?\.(?P<new>[a-z0-9-]+)|(?P<old>[a-z0-9-]+)\.queue)\.(?:amazonaws\.com(?:\.cn)?|amazonaws\.eu|api\.aws)"
)
_CONNECT_TIMEOUT_S: Final = 5
_READ_TIMEOUT_S: Final = 30  # above SQS's longest long poll of 20 s


class Aws:
    """The one session of this process.

    Each request of its clients is counted in `aws_requests_total{service,operation,code}`.
    """

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._counters: dict[tuple[str, str, str], Counter] = {}
        self.session: AioSession = get_session()
        # As in AWS's command line and every SDK of AWS's but Python's, which knows AWS_DEFAULT_REGION alone:
        # https://docs.aws.amazon.com/sdkref/latest/guide/feature-region.html
        if region := os.environ.get("AWS_REGION"):
            self.session.set_config_variable("region", region)
        self._endpoints: Endpoints | None = None

    def client(
        self,
        service: str,
        *,
        region: str | None = None,
        connections: int = 10,
        attempts: int = 3,
        user_agent: str = "",
    ) -> AbstractAsyncContextManager[Any]:
        """An aiobotocore client, to be entered with `async with`.

        Args:
            service: as botocore names it (`sqs`, `s3`, `sts`).
            region: unset: the chain's; where that has none either, us-east-1.
            connections: size of the pool. Each long poll holds one for 20 seconds, so a client that polls needs more
                than it has receivers.
            attempts: how often one request is tried in all, by botocore's own standard retries.
            user_agent: a word to put into it beside our own.
        """
        config = AioConfig(
            region_name=region or self.region,
            max_pool_connections=connections,
            connect_timeout=_CONNECT_TIMEOUT_S,
            read_timeout=_READ_TIMEOUT_S,
            retries={"mode": "standard", "total_max_attempts": attempts},
            user_agent_extra=f"trailstream/{__version__} {user_agent}".rstrip(),
        )
        return _Counted(self.session.create_client(service, config=config), service, self._metrics)

    def count(self, service: str, operation: str, code: str) -> None:
        """Count a request that was made by other means than a client of this session."""
        counter = self._counters.get((service, operation, code))
        if counter is None:
            counter = self._counters[service, operation, code] = self._metrics.aws_requests.labels(
                service, operation, code
            )
        counter.inc()

    async def credentials(self) -> Credentials:
        """The session's credentials as they are now; botocore renews those that are about to expire.

        Raises:
            NoCredentialsError: the chain has none.
            BotoCoreError: they can't be had now.
        """
        credentials = await self.session.get_credentials()
        if credentials is None:
            raise NoCredentialsError
        frozen = await credentials.get_frozen_credentials()
        return Credentials(frozen.access_key, frozen.secret_key, frozen.token)

    def http(self, *, stall_s: float, user_agent: str = "") -> Client:
        """Sends requests that are signed here; to be entered with `async with`.

        `AWS_CA_BUNDLE` and the variables of proxies mean what they mean to botocore.

        Args:
            stall_s: for so long a server may say nothing in the middle of an answer.
            user_agent: a word to put into it beside our own.
        """
        return Client(
            user_agent=f"trailstream/{__version__} {user_agent}".rstrip(),
            stall_s=stall_s,
            authorities=os.environ.get("AWS_CA_BUNDLE"),
        )

    async def endpoint(self, service: str, region: str) -> str:
        """The URL of a service in a region, as botocore has it."""
        return await self._where().find(service, region)

    def regions(self) -> frozenset[str]:
        """Every region, of all partitions, that botocore lists."""
        return self._where().regions

    def _where(self) -> Endpoints:
        if self._endpoints is None:
            self._endpoints = Endpoints(self.session, self._asked)
        return self._endpoints

    async def _asked(self, service: str, region: str) -> str:
        async with self.client(service, region=region) as client:
            return str(client.meta.endpoint_url)

    @property
    def region(self) -> str:
        """The region of the environment or profile, or us-east-1."""
        region: str | None = self.session.get_config_variable("region")
        return region or "us-east-1"


class _Counted(AbstractAsyncContextManager[Any]):
    """Enters a client and has its answers counted."""

    def __init__(self, context: Any, service: str, metrics: Metrics) -> None:
        self._context = context
        self._service = service
        self._metrics = metrics

    async def __aenter__(self) -> Any:
        client = await self._context.__aenter__()
        client.meta.events.register("after-call", self._answered)
        client.meta.events.register("after-call-error", self._unanswered)
        return client

    async def __aexit__(self, *exc_info: object) -> None:
        await self._context.__aexit__(*exc_info)

    def _answered(self, http_response: Any, model: Any, **_: object) -> None:
        self._metrics.aws_requests.labels(self._service, model.name, str(http_response.status_code)).inc()

    def _unanswered(self, model: Any = None, **_: object) -> None:
        self._metrics.aws_requests.labels(self._service, getattr(model, "name", "unknown"), "error").inc()


def queue_region(queue_url: str) -> str | None:
    """The region that an SQS queue's URL names, if it is one of AWS's own addresses.

    `https://sqs.eu-west-1.amazonaws.com/111122223333/trail` is in eu-west-1.
    """
    found = _QUEUE_HOST.fullmatch(urlsplit(queue_url).hostname or "")
    return found and (found["new"] or found["old"])
