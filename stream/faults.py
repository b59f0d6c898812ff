"""A log file that could not be read, or not be believed, in; the notice that tells of it out, if it is one to tell.

Whoever wants to hide a record pads it, makes it unreadable, deletes the file or forges one: each is told once, however
often its message comes again. What may heal by itself, or be a fault of our own (a file that is not there for a moment,
half an object, a key that we may not use), is counted, and its message ends in the dead-letter queue.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from stream.alert import LogFile
from stream.decode.records import Unreadable
from stream.errors import LogFileError, LogFileReason
from stream.json_value import shown
from stream.notice import Notice
from stream.severity import Severity

MISSING_AFTER_S: Final = 300.0
"""An object that is missing for longer after its announcement has been deleted: S3 shows a new object at once.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/Welcome.html#ConsistencyModel
"""

_PAST_LIMITS: Final[frozenset[LogFileReason]] = frozenset({"log_too_large", "record_too_large"})
_NAME_CHARACTERS: Final = 80
_EXCERPT_CHARACTERS: Final = 400
_MOST_RECORDS: Final = 20


@dataclass(frozen=True, slots=True)
class Place:
    """The log file that is told of, and whose it is by its key.

    Attributes:
        now: Unix time.
    """

    log_file: LogFile
    account_id: str | None
    account_name: str | None
    region: str | None
    now: float

    @property
    def name(self) -> str:
        """The file's name, to be read."""
        return shown(self.log_file.key.rpartition("/")[2], _NAME_CHARACTERS)

    @property
    def whose(self) -> str:
        """Whose records are concerned."""
        if self.account_id is None:
            return "an account that its key does not name"
        return f"account {self.account_name or self.account_id}"

    def notice(self, kind: str, event_name: str, title: str, summary: str, *, state: str = "") -> Notice:
        """A notice of this file; the same again on every replica and at every try."""
        file = self.log_file
        severity: Severity = "high"
        return Notice(
            kind=kind,
            event_name=event_name,
            incident="\n".join((file.bucket, file.key, file.version_id or "")),
            state=state,
            severity=severity,
            title=title,
            summary=summary,
            time=self.now,
            account_id=self.account_id,
            account_name=self.account_name,
            region=self.region,
            log_file=file,
            facts={"bucket": file.bucket, "key": file.key, "versionId": file.version_id},
        )


def unread(error: LogFileError, place: Place, *, announced_s: float | None) -> Notice | None:
    """The notice of a file that could not be read to its end.

    Args:
        error: why not.
        place: which file.
        announced_s: for how many seconds its message has been on the queue, if that is known.
    """
    reason, name = error.reason, place.name
    if reason in _PAST_LIMITS:
        what, limit = ("log file", "LOG") if reason == "log_too_large" else ("record", "RECORD")
        return place.notice(
            "trailstream-log-file-past-limits",
            "LogFilePastLimits",
            f"A {what} is larger than may be read: {name}",
            f"The {what} of {place.whose} passes a limit (TRAILSTREAM_MAX_{limit}_BYTES), and what stands behind that "
            "was not looked at: somebody may be hiding a record behind padding. Its message goes to the dead-letter "
            "queue.",
            state=reason,
        )
    if reason == "not_found" and announced_s is not None and announced_s >= MISSING_AFTER_S:
        return place.notice(
            "trailstream-log-file-missing",
            "LogFileMissing",
            f"An announced log file is missing: {name}",
            f"S3 announced this log file of {place.whose} more than {int(MISSING_AFTER_S // 60)} minutes ago, and it "
            "is not there. Somebody has deleted it before it was read: what it recorded is not known.",
        )
    return None


def misplaced(place: Place) -> Notice:
    """The notice of a file whose records are of another account than its key says."""
    return place.notice(
        "trailstream-log-file-misplaced",
        "LogFileMisplaced",
        f"A log file holds records of another account: {place.name}",
        f"By its key this is a log file of {place.whose}, but its records are of another one. CloudTrail does not do "
        "that: whoever wrote it can write to the log bucket, and may have invented what it says.",
    )


def unreadable(records: Sequence[Unreadable], count: int, place: Place) -> Iterator[Notice]:
    """A notice for each record that no parser takes and that could match a rule; of very many, for the first ones.

    Args:
        records: the first ones.
        count: how many there are.
        place: which file.
    """
    for number, record in enumerate(records[:_MOST_RECORDS]):
        last = number == _MOST_RECORDS - 1 and count > _MOST_RECORDS
        others = f" {count - _MOST_RECORDS} more records of the file are like it." if last else ""
        notice = place.notice(
            "trailstream-unreadable-record",
            "UnreadableRecord",
            f"A record that can't be read may be a change: {place.name}",
            f"A record in a log file of {place.whose} is no JSON that any parser takes, and its text holds words that "
            f"a rule looks for. It was not judged: read it in the file. The records beside it were.{others}",
            state=record.digest.hex(),
        )
        excerpt = shown(record.excerpt.decode("utf-8", "replace"), _EXCERPT_CHARACTERS)
        yield notice.with_facts({**(notice.facts or {}), "excerpt": excerpt})
