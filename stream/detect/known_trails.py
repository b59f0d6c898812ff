"""The trails that an account has, as CloudTrail itself lists them: by them a trail is the record, or one of several."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class KnownTrail:
    """One trail, as DescribeTrails and GetTrailStatus describe it.

    Attributes:
        arn: its ARN, of another account's if it is an organisation's.
        home_region: where it can be changed.
        organization: it records every account of the organisation.
        multi_region: it records every region.
        global_services: it records IAM, STS and other services without a region.
        selective: it has event selectors of its own, and may leave management events out.
        logging: it records, and its last delivery succeeded, as far as is known.
    """

    arn: str
    home_region: str
    organization: bool
    multi_region: bool
    global_services: bool
    selective: bool
    logging: bool

    def stands_in_for(self, other: "KnownTrail") -> bool:
        """Whether all that the other recorded is surely in this one too."""
        if not self.logging or self.selective or self.arn == other.arn:
            return False
        regions = self.multi_region or (not other.multi_region and self.home_region == other.home_region)
        return regions and (self.global_services or not other.global_services)


@dataclass(frozen=True, slots=True)
class KnownTrails:
    """Every trail that records one account."""

    trails: tuple[KnownTrail, ...]

    def find(self, arn: str) -> KnownTrail | None:
        """The trail of this ARN."""
        return next((trail for trail in self.trails if trail.arn == arn), None)

    def stand_in(self, arn: str) -> KnownTrail | None:
        """Another trail that records all that this one did; none for an organisation's, and for one that is unknown."""
        trail = self.find(arn)
        if trail is None or trail.organization:
            return None
        return next((other for other in self.trails if other.stands_in_for(trail)), None)

    def updated(self, now: Iterable[KnownTrail]) -> "KnownTrails":
        """These as they are listed now. One that is gone stays known, as one that records nothing."""
        trails = {trail.arn: _gone(trail) for trail in self.trails} | {trail.arn: trail for trail in now}
        return KnownTrails(tuple(trails.values()))


def _gone(trail: KnownTrail) -> KnownTrail:
    return KnownTrail(
        trail.arn,
        trail.home_region,
        trail.organization,
        trail.multi_region,
        trail.global_services,
        trail.selective,
        logging=False,
    )
