"""What is ours, as far as anybody has said or found out: the settings in; out, by what a target is judged."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Final

from stream.detect.known_trails import KnownTrails

if TYPE_CHECKING:
    from stream.settings import Settings

LEARNT_TRAILS: Final = "trails"
"""Among what is protected: the trails without which an account, or the organisation, is not recorded."""

_DYNAMODB: Final = "dynamodb://"
# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-arns
_ASSUMED_ROLE: Final = re.compile(r"arn:([^:]*):sts::([0-9]{12}):assumed-role/([^/]+)/.*", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the process uses, and what it was told to protect.

    Attributes:
        protected: globs of names and ARNs; empty: every trail is, and of the rest what is known to be ours.
        learns_trails: which trails are needed is to be learnt; as long as it isn't, every one is.
        trails: those that record our own account, if they are known.
        buckets: globs of the buckets that are read.
        log_buckets: globs of the buckets that trails may log to; empty: see `own_path`.
        queues: URLs and ARNs: the queue that is read, its dead-letter queue.
        topics: ARNs.
        keys: ARNs or ids of KMS keys, or ARNs or names of their aliases.
        roles: ARNs: the process's own.
        tables: ARNs or names: the ledger's.
    """

    protected: tuple[str, ...] = ()
    learns_trails: bool = False
    trails: KnownTrails | None = None
    buckets: tuple[str, ...] = ()
    log_buckets: tuple[str, ...] = ()
    queues: tuple[str, ...] = ()
    topics: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    tables: tuple[str, ...] = ()

    @classmethod
    def of(cls, settings: "Settings") -> "Surroundings":
        """What the settings alone tell."""
        ledger = settings.ledger
        return cls(
            protected=tuple(glob for glob in settings.protected if glob != LEARNT_TRAILS),
            learns_trails=LEARNT_TRAILS in settings.protected,
            buckets=settings.buckets,
            log_buckets=settings.log_buckets,
            queues=(settings.queue_url,) if settings.queue_url else (),
            tables=(ledger.removeprefix(_DYNAMODB),) if ledger.startswith(_DYNAMODB) else (),
        )

    def protects(self, names: Iterable[str]) -> bool:
        """Whether something that has these names (and ARNs) was named as protected."""
        return any(fnmatchcase(name, glob) for name in names for glob in self.protected)

    def needs(self, trail_arn: str) -> bool:
        """Whether it is a trail without which something is not recorded; any is of which not enough is known."""
        if not self.learns_trails:
            return not self.protected
        return self.trails is None or self.trails.stand_in(trail_arn) is None

    def reads(self, bucket: str) -> bool:
        """Whether this is a bucket that is read; that any may be read (`*`) says nothing of this one."""
        return any(fnmatchcase(bucket, glob) for glob in self.buckets if glob.strip("*"))


def role_of_session(arn: str) -> str | None:
    """The ARN of the role, without its path, that a session's ARN (as STS gives it) is of; `None` if it is of none."""
    found = _ASSUMED_ROLE.fullmatch(arn)
    return f"arn:{found[1]}:iam::{found[2]}:role/{found[3]}" if found else None
