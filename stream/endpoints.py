"""A service and a region in, its URL out: what botocore would say, at a hundredth of the memory in the usual case.

botocore's own way is a client, for which it reads every service's endpoints and all that the service can do: fifteen
megabytes and two tenths of a second of CPU for SQS and S3. The usual case is the service's plain name in one of the
regions that botocore's `partitions.json` lists, or a URL that is configured; in any other a client is asked.
"""

import os
from collections.abc import Awaitable, Callable
from typing import Any, Final

from aiobotocore.session import AioSession
from botocore.configprovider import ConfiguredEndpointProvider

_PLAIN: Final = ("sqs", "s3", "sts")
"""Services that are at `https://SERVICE.REGION.SUFFIX` in every region, by test."""


class Endpoints:
    """Where services are.

    Args:
        session: whose configuration it goes by: environment, profile, defaults.
        asked: finds an endpoint by a client of this service and region.

    Attributes:
        regions: all that botocore lists, of all partitions.
    """

    def __init__(self, session: AioSession, asked: Callable[[str, str], Awaitable[str]]) -> None:
        self._session = session
        self._asked = asked
        self._suffixes: dict[str, str] = {
            region: partition["outputs"]["dnsSuffix"]
            for partition in session.get_data("partitions")["partitions"]
            for region in partition["regions"]
            if not region.endswith("-global")  # which is where the services are that have no regions
        }
        self.regions = frozenset(self._suffixes)

    async def find(self, service: str, region: str) -> str:
        """The URL of a service in a region: `AWS_ENDPOINT_URL`, FIPS, dual stack and all."""
        configured = self._configured(service)
        if configured:
            return configured
        if service in _PLAIN and region in self._suffixes and not self._of_another_kind():
            return f"https://{service}.{region}.{self._suffixes[region]}"
        return await self._asked(service, region)

    def _configured(self, service: str) -> str | None:
        """https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html."""
        if self._session.get_config_variable("ignore_configured_endpoint_urls"):
            return None
        provider = ConfiguredEndpointProvider(
            full_config=self._session.full_config,
            scoped_config=self._session.get_scoped_config(),
            client_name=service,
            environ=os.environ,
        )
        url: Any = provider.provide()
        return None if url is None else str(url)

    def _of_another_kind(self) -> bool:
        wanted = ("use_fips_endpoint", "use_dualstack_endpoint")
        return any(self._session.get_config_variable(each) for each in wanted)
