"""The trails that record our own account: which of them are needed, and what it costs not to know."""

from collections.abc import AsyncIterator, Iterator
from typing import Final

from stream.aws import Aws, queue_region
from stream.checks.outcome import AWS_ERRORS, Outcome, allow, error_code, is_forbidden
from stream.detect.known_trails import KnownTrail
from stream.detect.surroundings import LEARNT_TRAILS
from stream.settings import Settings
from stream.trails import list_trails

ACTIONS: Final = ("cloudtrail:DescribeTrails", "cloudtrail:GetTrailStatus")
_CHECK: Final = "trails"
_COST: Final = (
    "so every trail is taken for one that is needed: a secondary one that is stopped is told as critical, not medium"
)


async def check_trails(aws: Aws, settings: Settings) -> AsyncIterator[Outcome]:
    """Ask CloudTrail for the trails, if TRAILSTREAM_PROTECTED says that they are to be learnt."""
    if LEARNT_TRAILS not in settings.protected:
        return
    region = (queue_region(settings.queue_url) if settings.queue_url else None) or aws.region
    try:
        known = await list_trails(aws, region)
    except AWS_ERRORS as error:
        evidence = f"CloudTrail doesn't list them ({error_code(error)}), {_COST}"
        fix = f"Allow traffic to CloudTrail in {region}."
        yield Outcome(_CHECK, "warn", evidence, allow((ACTIONS, "*")) if is_forbidden(error) else fix)
        return
    if not known.trails:
        yield Outcome(
            _CHECK,
            "warn",
            f"none records this account in {region}",
            "Look whether this is the account and the region that you mean.",
        )
        return
    told = "; ".join(
        f"{trail.arn} ({', '.join(_words(trail, spared=known.stand_in(trail.arn) is not None))})"
        for trail in known.trails
    )
    yield Outcome(_CHECK, "ok", told)


async def check_digest(aws: Aws, settings: Settings) -> AsyncIterator[Outcome]:
    """Ask CloudTrail for the public keys that digests are held against, if TRAILSTREAM_DIGEST wants that."""
    if not settings.digest:
        return
    region = (queue_region(settings.queue_url) if settings.queue_url else None) or aws.region
    try:
        async with aws.client("cloudtrail", region=region, attempts=2) as client:
            answer = await client.list_public_keys()
    except AWS_ERRORS as error:
        evidence = f"CloudTrail doesn't give its public keys ({error_code(error)}): no digest can be looked at"
        fix = f"Allow traffic to CloudTrail in {region} and every region that digests come from."
        actions = (("cloudtrail:ListPublicKeys",), "*")
        yield Outcome("digest", "FAIL", evidence, allow(actions) if is_forbidden(error) else fix)
        return
    yield Outcome("digest", "ok", f"{len(answer.get('PublicKeyList', ()))} public keys in {region}")


def _words(trail: KnownTrail, *, spared: bool) -> Iterator[str]:
    yield "of the organisation" if trail.organization else "of an account"
    yield "all regions" if trail.multi_region else "one region"
    yield "recording" if trail.logging else "not recording"
    if spared:
        yield "can be spared"
