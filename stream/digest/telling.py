"""What is wrong with a trail's files, in words for people: a finding in, a notice out."""

from dataclasses import dataclass
from typing import Final

from stream.alert import LogFile
from stream.digest.digest import Place
from stream.digest.finding import Finding, Kind
from stream.json_value import shown
from stream.notice import Notice
from stream.severity import Severity

_NAME_CHARACTERS: Final = 120


@dataclass(frozen=True, slots=True)
class _Words:
    """How a kind of finding is told."""

    kind: str
    event_name: str
    severity: Severity
    title: str
    summary: str


_OFF: Final = (
    "Either somebody has deleted digests, or logging or validation was off then "
    "(StopLogging, DeleteTrail, UpdateTrail)."
)
_DELETED: Final = "Somebody has deleted it."
_TOLD: Final[dict[Kind, _Words]] = {
    "digest_altered": _Words(
        "trailstream-digest-altered",
        "DigestAltered",
        "critical",
        "A digest of log files is not CloudTrail's",
        "Somebody has changed or replaced the digest by which CloudTrail proves the log files of an hour of {whose}: "
        "{detail}. What that hour's log files say can't be believed any more.",
    ),
    "digest_missing": _Words(
        "trailstream-digest-missing",
        "DigestMissing",
        "high",
        "A digest of log files is missing",
        "CloudTrail proves the log files of {whose} by a digest an hour, and one is missing: {detail}. {reason}",
    ),
    "chain_restarted": _Words(
        "trailstream-digest-chain-restarted",
        "DigestChainRestarted",
        "high",
        "CloudTrail began its digests anew",
        "Digests of {whose} no longer follow one another: {detail}. {reason}",
    ),
    "log_altered": _Words(
        "trailstream-log-file-altered",
        "LogFileAltered",
        "critical",
        "A log file is not as CloudTrail delivered it",
        "Somebody has changed or replaced a log file of {whose}: {detail}. What it said before may not have been read.",
    ),
    "log_unlisted": _Words(
        "trailstream-log-file-forged",
        "LogFileForged",
        "high",
        "A log file is not of CloudTrail's making",
        "A log file lies among those of {whose} that CloudTrail's digests do not list, as they do all others there. "
        "Either somebody has put it there, and what it records never happened, or a trail without validation has begun "
        "to write there.",
    ),
    "log_missing": _Words(
        "trailstream-log-file-deleted",
        "LogFileDeleted",
        "critical",
        "A log file was deleted",
        "A log file of {whose} that CloudTrail delivered is not there any more: {detail}.",
    ),
    "log_unannounced": _Words(
        "trailstream-log-file-unannounced",
        "LogFilesUnannounced",
        "high",
        "Log files were never announced",
        "{detail} of {whose} were delivered, as CloudTrail's digest says, and never announced to this queue. They are "
        "read now, so that what they record is told late. Either the bucket's notifications were changed, or somebody "
        "takes messages off the queue.",
    ),
}


def notice_of(finding: Finding, place: Place, account: str | None, now: float) -> Notice:
    """What to tell.

    Args:
        finding: what is wrong.
        place: of the digest by which it was found.
        account: its name, if it is known.
        now: Unix time.
    """
    words = _TOLD[finding.kind]
    name = shown(finding.key.rstrip("/").rpartition("/")[2], _NAME_CHARACTERS)
    return Notice(
        kind=words.kind,
        event_name=words.event_name,
        # How many there are may differ the next time.
        incident="\n".join(
            (finding.bucket, finding.key, *([] if finding.kind == "log_unannounced" else [finding.detail]))
        ),
        severity=words.severity,
        title=f"{words.title}: {name}",
        summary=words.summary.format(
            whose=f"account {account or place.account} in {place.region}",
            detail=finding.detail,
            reason=_DELETED if finding.gap is None else _OFF,
        ),
        time=now,
        account_id=place.account,
        account_name=account,
        region=place.region,
        log_file=LogFile(finding.bucket, finding.key, None),
        facts={"bucket": finding.bucket, "key": finding.key, "digest": place.key},
    )
