"""What the reader itself stands on, as far as one message tells: by it a change is judged to blind us or not."""

import re
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Final

from stream.alert import LogFile
from stream.detect.surroundings import Surroundings

# https://docs.aws.amazon.com/awscloudtrail/latest/userguide/get-and-view-cloudtrail-log-files.html
_FOLDER: Final = "AWSLogs/"
_ORGANIZATION: Final = _FOLDER + "o-"
_BY_S3: Final = ("s3", "sns_s3")
_ACCOUNT: Final = re.compile(_FOLDER + r"(?:o-[a-z0-9]+/)?([0-9]{12})/")


@dataclass(frozen=True, slots=True)
class OwnPath:
    """How a record came to us, and where logs may go.

    Attributes:
        log_buckets: globs of the buckets that trails may log to.
        bucket: of the log file that held the record; `None` if there was none.
        prefix: of that log file's key, without slashes at its ends; `None` if unknown.
        organization: whether that key lies in an organization's folder, whose trail may be another account's.
        topic_arn: the SNS topic that the notification came through, if any.
        envelope: the shape of that notification, one of `stream.metrics.ENVELOPES`; `None` if unknown.
        around: what is ours, whichever message is looked at.
    """

    log_buckets: tuple[str, ...] = ()
    bucket: str | None = None
    prefix: str | None = None
    organization: bool = False
    topic_arn: str | None = None
    envelope: str | None = None
    around: Surroundings = field(default_factory=Surroundings)

    def knows(self, bucket: str) -> bool:
        """Whether trails may log to this bucket; never if nobody has said which."""
        return any(fnmatchcase(bucket, glob) for glob in self.log_buckets)

    @property
    def told_by_s3(self) -> bool:
        """Whether the reader surely stands on a queue or topic that S3 itself tells of new files."""
        return self.envelope in _BY_S3

    def is_topic(self, name_or_arn: str) -> bool:
        """Whether this is the topic that the notification came through."""
        if self.topic_arn is None:
            return False
        return name_or_arn == self.topic_arn or name_or_arn == self.topic_arn.rpartition(":")[2]


def own_path(
    log_file: LogFile | None, topic_arn: str | None, around: Surroundings, envelope: str | None = None
) -> OwnPath:
    """Gather it for one message.

    Trails may log to `around.log_buckets`; if there are none, to `around.buckets` without `*`, and the log file's own.

    Args:
        log_file: that held the record, if one did.
        topic_arn: SNS topic that the notification came through, if one did.
        around: what is ours, whichever message is looked at.
        envelope: shape of the notification, if one came.
    """
    bucket = log_file.bucket or None if log_file else None
    at, account = _account_folder(log_file.key) if log_file else (0, None)
    globs = list(around.log_buckets) or [glob for glob in around.buckets if glob.strip("*")]
    if bucket and not around.log_buckets:
        globs.append(_literally(bucket))
    prefix = log_file.key[:at].strip("/") if log_file and account else None
    organization = bool(log_file and account and log_file.key.startswith(_ORGANIZATION, at))
    return OwnPath(tuple(globs), bucket, prefix, organization, topic_arn, envelope, around)


def key_account(key: str) -> str | None:
    """The account, 12 digits, that a log file's key names, by the last `AWSLogs/` in it; a prefix may hold others."""
    return _account_folder(key)[1]


def _account_folder(key: str) -> tuple[int, str | None]:
    """Where the last folder `AWSLogs/` begins that has an account's in it, and the account."""
    at = len(key)
    while (at := key.rfind(_FOLDER, 0, at)) >= 0:
        found = _ACCOUNT.match(key, at) if at == 0 or key[at - 1] == "/" else None
        if found:
            return at, found[1]
    return 0, None


def _literally(name: str) -> str:
    return re.sub(r"([*?\[])", r"[\1]", name)
