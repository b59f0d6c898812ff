"""What can be wrong with a trail's files."""

from dataclasses import dataclass
from typing import Final, Literal

Kind = Literal[
    "digest_altered",
    "digest_missing",
    "chain_restarted",
    "log_altered",
    "log_missing",
    "log_unlisted",
    "log_unannounced",
    "unreadable",
]

TITLES: Final[dict[Kind, str]] = {
    "digest_altered": "digest altered",
    "digest_missing": "digest missing",
    "chain_restarted": "chain restarted",
    "log_altered": "log file altered",
    "log_missing": "log file missing",
    "log_unlisted": "log file not listed",
    "log_unannounced": "log file not announced",
    "unreadable": "not to be read",
}
"""In words; the last one is no finding, but a hole in the search."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as CloudTrail left it.

    Attributes:
        kind: what.
        bucket: where.
        key: of the object; of a digest whose name nobody knows, the folder it would be in.
        detail: why, or what else is known, in words.
        gap: Unix times between which a trail that was stopped would explain it; `None` where nothing would.
    """

    kind: Kind
    bucket: str
    key: str
    detail: str
    gap: tuple[float, float] | None = None
