"""What this process hears: log files that were read or could not be, and how it gets on with the queue itself.

Each costs a look at the key and an entry in a dictionary; what follows from it is somebody else's, once a minute.
"""

import calendar
import math
import re
import time
from collections import Counter
from collections.abc import Callable
from typing import Final

from stream.intake.hand import Message
from stream.intake.notification import ObjectRef

MOST_SOURCES: Final = 20_000
"""A thousand accounts in all regions; keys may be made up, by whoever may write to a bucket of ours."""

MOST_REGIONS: Final = 100
"""Of one account, so that names made up for it leave room for others; AWS has about forty."""

MINUTE: Final = 60
_SETTLED_S: Final = 900.0  # a message that failed is back after that long at the latest
_POLLED_S: Final = 90.0  # a long poll takes 20 s, a pause after a failure no longer than a minute
_BEHIND_S: Final = 600.0
_BEHIND_LATELY_S: Final = 3600.0
_STEPPED_S: Final = 60.0
_STALE_MINUTES: Final = 1440
_UNREAD_MINUTES: Final = 60

# https://docs.aws.amazon.com/awscloudtrail/latest/userguide/get-and-view-cloudtrail-log-files.html: the name holds the
# minute of delivery. Files of CloudTrail-NetworkActivity come at another rhythm, and are no sign of the trail's life.
_KEY: Final = re.compile(r"/CloudTrail/([a-z0-9-]{1,32})/[0-9/]{10}/[^/]*\Z")
_DELIVERED: Final = re.compile(r"_([0-9]{4})([01][0-9])([0-3][0-9])T([0-2][0-9])([0-5][0-9])Z_[^/]*\Z")


class Minutes(dict[str, int]):
    """A minute for each source, of as many as there is room for: those that are known for longest come first."""

    def __init__(self) -> None:
        super().__init__()
        self._regions: Counter[str] = Counter()

    def note(self, source: str, minute: int) -> None:
        """Set a source's minute; one more than there is room for is left out."""
        if source not in self:
            account = _account(source)
            if len(self) >= MOST_SOURCES or self._regions[account] >= MOST_REGIONS:
                return
            self._regions[account] += 1
        self[source] = minute

    def forget(self, until: int) -> None:
        """Drop what is of this minute, or of one before it."""
        for source in [source for source, at in self.items() if at <= until]:
            del self[source]
        self._regions = Counter(map(_account, self))


class Hearing:
    """Of one process.

    Attributes:
        heard: for each source, the minute (since 1970) of its last file.
        unread: for each source, the minute in which a file of its was announced that could not be read.

    Args:
        last_receive: when SQS last answered a request for messages well, on the scale of `now`.
        now: seconds that only go forward.
        unix_time: tells the time.
    """

    def __init__(
        self,
        last_receive: Callable[[], float],
        *,
        now: Callable[[], float] = time.monotonic,
        unix_time: Callable[[], float] = time.time,
    ) -> None:
        self.heard = Minutes()
        self.unread = Minutes()
        self._last_receive = last_receive
        self._now = now
        self._unix_time = unix_time
        self._behind_at = -math.inf
        self._well_since: float | None = None
        self._offset = unix_time() - now()

    def minute(self) -> int:
        """This minute, since 1970."""
        return int(self._unix_time()) // MINUTE

    def received(self, message: Message) -> None:
        """A message has come; one that had to wait for its first receipt says that we are behind."""
        waited_s = 0.0 if message.sent_at is None else self._unix_time() - message.sent_at
        if message.receive_count <= 1 and waited_s > _BEHIND_S:
            self._behind_at = self._now()

    def behind(self) -> bool:
        """Whether a message has had to wait in the last hour."""
        return self._now() - self._behind_at < _BEHIND_LATELY_S

    def read(self, ref: ObjectRef) -> None:
        """A log file, of a bucket that is ours, was read to its end."""
        source = source_of(ref)
        if source is not None:
            self.hear(source, delivered(ref.key))

    def hear(self, source: str, minute: int | None) -> None:
        """Something of a source was delivered in this minute; `None`: now. History that is read again is no sign."""
        now = self.minute()
        at = now if minute is None else min(minute, now)
        if at > self.heard.get(source, now - _STALE_MINUTES):
            self.heard.note(source, at)

    def failed(self, ref: ObjectRef) -> None:
        """A log file was announced and could not be read: that is told as what it is, and is no silence."""
        source = source_of(ref)
        if source is not None:
            self.unread.note(source, self.minute())

    def recent(self, minutes: int) -> dict[str, int]:
        """What was heard of in the last so many minutes; forgets what is older than a day."""
        now = self.minute()
        self.heard.forget(now - _STALE_MINUTES)
        self.unread.forget(now - _UNREAD_MINUTES)
        return {source: at for source, at in self.heard.items() if at > now - minutes}

    def settled(self) -> bool:
        """Whether this process keeps up, and has for a quarter of an hour; to be asked each minute.

        Then whatever was delivered has been read: what is missing was not delivered.
        """
        now, offset = self._now(), self._unix_time() - self._now()
        stepped = abs(offset - self._offset) > _STEPPED_S
        self._offset = offset
        if stepped or now - self._last_receive() > _POLLED_S or now - self._behind_at < _BEHIND_S:
            self._well_since = None
            return False
        if self._well_since is None:
            self._well_since = now
        return now - self._well_since >= _SETTLED_S


def source_of(ref: ObjectRef) -> str | None:
    """The account and region of a log file, `111122223333/eu-west-1`; `None` if it is none of those that count."""
    found = _KEY.search(ref.key)
    return f"{ref.account_id}/{found[1]}" if found else None


def _account(source: str) -> str:
    return source.partition("/")[0]


def delivered(key: str) -> int | None:
    """The minute, since 1970, in which a log file was delivered, by its name; `None` if that doesn't say."""
    found = _DELIVERED.search(key)
    if found is None:
        return None
    year, month, day, hour, minute = map(int, found.groups())
    if not (year >= 1970 and 1 <= month <= 12 and 1 <= day <= 31 and hour < 24):
        return None
    return calendar.timegm((year, month, day, hour, minute, 0)) // MINUTE
