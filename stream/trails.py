"""The trails that record our own account, as CloudTrail lists them: AWS in, `KnownTrails` out."""

import asyncio
from collections.abc import Mapping
from typing import Any, Final

import structlog
from botocore.exceptions import BotoCoreError, ClientError

from stream.aws import Aws
from stream.detect.known_trails import KnownTrail, KnownTrails

log = structlog.get_logger()

ERRORS: Final = (BotoCoreError, ClientError, OSError, TimeoutError, KeyError, ValueError)
"""Whatever comes of asking."""

_AT_ONCE: Final = 5


async def list_trails(aws: Aws, region: str, known: KnownTrails | None = None) -> KnownTrails:
    """Every trail that records this account in that region, organisation trails of another account included.

    https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_DescribeTrails.html, which needs
    `cloudtrail:DescribeTrails`, and API_GetTrailStatus, which needs `cloudtrail:GetTrailStatus`.

    Args:
        aws: the session.
        region: any in which trails are looked for; those of all regions are listed everywhere.
        known: as they were before: one that is gone since stays in the answer.

    Raises:
        One of `ERRORS`: CloudTrail can't be asked.
    """
    async with aws.client("cloudtrail", region=region, attempts=2) as cloudtrail:
        listed = (await cloudtrail.describe_trails(includeShadowTrails=True))["trailList"]
        gate = asyncio.Semaphore(_AT_ONCE)

        async def look(trail: Mapping[str, Any]) -> KnownTrail:
            async with gate:
                return _known(trail, await cloudtrail.get_trail_status(Name=trail["TrailARN"]))

        trails = await asyncio.gather(*map(look, listed))
    return (known or KnownTrails(())).updated(trails)


def _known(trail: Mapping[str, Any], status: Mapping[str, Any]) -> KnownTrail:
    return KnownTrail(
        arn=trail["TrailARN"],
        home_region=trail.get("HomeRegion", ""),
        organization=bool(trail.get("IsOrganizationTrail")),
        multi_region=bool(trail.get("IsMultiRegionTrail")),
        global_services=bool(trail.get("IncludeGlobalServiceEvents")),
        selective=bool(trail.get("HasCustomEventSelectors")),
        logging=bool(status.get("IsLogging")) and not status.get("LatestDeliveryError"),
    )
