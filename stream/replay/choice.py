"""Which log files to take: a key of S3 in, whether its time, account and region are wanted out."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from typing import Final

from stream.intake.keys import log_file_account

# https://docs.aws.amazon.com/awscloudtrail/latest/userguide/get-and-view-cloudtrail-log-files.html
_TIME: Final = re.compile(r"_(\d{8}T\d{4})Z_[^/]*\Z")
_DAY_AND_REGION: Final = re.compile(r"/([a-z0-9-]+)/(\d{4})/(\d{2})/(\d{2})/[^/]+\Z")


@dataclass(frozen=True, slots=True)
class Choice:
    """What is wanted.

    Attributes:
        since: Unix time; by when CloudTrail made the file, which its name says, or else by the whole day of its folder.
        until: likewise; the first moment that is not wanted any more.
        accounts: globs of account ids; none: any.
        regions: globs; none: any.
    """

    since: float
    until: float
    accounts: tuple[str, ...] = ()
    regions: tuple[str, ...] = ()

    def takes(self, key: str) -> bool:
        """Whether a (decoded) key names a log file that is wanted."""
        account = log_file_account(key)
        folder = _DAY_AND_REGION.search(key)
        if account is None or folder is None:
            return False
        if self.accounts and not any(fnmatchcase(account, glob) for glob in self.accounts):
            return False
        if self.regions and not any(fnmatchcase(folder[1], glob) for glob in self.regions):
            return False
        first, last = _span(key, folder)
        return first.timestamp() < self.until and last.timestamp() >= self.since


def _span(key: str, folder: re.Match[str]) -> tuple[datetime, datetime]:
    """Between when and when the file was made: one moment if its name says so."""
    if found := _TIME.search(key):
        try:
            made = datetime.strptime(found[1], "%Y%m%dT%H%M").replace(tzinfo=UTC)
        except ValueError:
            pass
        else:
            return made, made
    try:
        day = datetime(int(folder[2]), int(folder[3]), int(folder[4]), tzinfo=UTC)
    except ValueError:  # a folder that is no date: it may be of any
        return datetime.min.replace(tzinfo=UTC) + timedelta(days=366 * 1970), datetime.max.replace(tzinfo=UTC)
    return day, day + timedelta(days=1) - timedelta(seconds=1)
