"""A hole in a chain of digests in, what was done to its trail about then out: who stopped it, and who started it again.

Looked for in the log files that lie there, in the trail's home region, where such calls are recorded. That is what they
say and no proof of it: who may write to the bucket may write such a file as well, and it is then one that no digest
lists, which is told by itself. A trail of an organization is stopped in its management account, whose files are looked
at where that account's own digests have the hole.
"""

from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from stream.decode import Literal, LogDecoder, Prefilter
from stream.digest.digest import Place
from stream.errors import LogFileError
from stream.json_value import shown, text_at

MOST_FILES: Final = 500
"""Looked at for one hole: a busy region's for some hours."""

MOST_READ_BYTES: Final = 64 * 1024 * 1024
"""Of them as they are stored."""

DELIVERY_S: Final = 1200.0
"""A log file is delivered up to so much later than what it records."""

_MOST_RECORD_BYTES: Final = 4 * 1024 * 1024
_MOST_LOG_BYTES: Final = 1024 * 1024 * 1024
_SHOWN: Final = 200
_MOST_TOLD: Final = 4
_NAMES: Final = ("StopLogging", "DeleteTrail", "UpdateTrail", "StartLogging", "CreateTrail")


@dataclass(frozen=True, slots=True)
class Cause:
    """A call that explains a hole, as a log file records it.

    Attributes:
        event_name: of CloudTrail's.
        time: as the record has it.
        actor: ARN or name of whoever made it.
        event_id: of the record.
    """

    event_name: str
    time: str
    actor: str
    event_id: str

    def __str__(self) -> str:
        return f"{self.event_name} at {self.time} by {self.actor} (event {self.event_id})"


class Causes:
    """Finds them in the log files of one hole.

    Args:
        place: a digest of the chain.
    """

    def __init__(self, place: Place) -> None:
        self._names = {place.trail}
        self._prefilter = Prefilter(Literal(name, member="eventName") for name in _NAMES)
        self._found: list[Cause] = []

    async def read(self, chunks: AsyncIterator[bytes]) -> None:
        """Look through one log file; of one that is damaged, through what can be read."""
        decoder = LogDecoder(self._prefilter, max_record_bytes=_MOST_RECORD_BYTES, max_log_bytes=_MOST_LOG_BYTES)
        try:
            async for chunk in chunks:
                for records in decoder.steps(chunk):
                    self._take(records)
            self._take(decoder.finish())
        except LogFileError:
            self._take(decoder.take())

    def told(self) -> str:
        """All of them in words; empty if there is none."""
        ordered = sorted(set(self._found), key=lambda cause: (cause.time, cause.event_id))
        more = len(ordered) - _MOST_TOLD
        return ", ".join(map(str, ordered[:_MOST_TOLD])) + (f" and {more} more" if more > 0 else "")

    def _take(self, records: Iterable[Mapping[str, Any]]) -> None:
        for record in records:
            if self._explains(record):
                self._found.append(
                    Cause(
                        shown(record["eventName"], _SHOWN),
                        shown(text_at(record, "eventTime") or "?", _SHOWN),
                        shown(_actor(record), _SHOWN),
                        shown(text_at(record, "eventID") or "?", _SHOWN),
                    )
                )

    def _explains(self, record: Mapping[str, Any]) -> bool:
        if record.get("eventSource") != "cloudtrail.amazonaws.com" or record.get("errorCode"):
            return False
        if record.get("eventName") not in _NAMES:
            return False
        parameters = record.get("requestParameters")
        if not isinstance(parameters, dict):
            return False
        name = parameters.get("name")
        if not isinstance(name, str) or name.rpartition("/")[2] not in self._names:  # a name or an ARN
            return False
        return record["eventName"] != "UpdateTrail" or "enableLogFileValidation" in parameters


def _actor(record: Mapping[str, Any]) -> str:
    for path in (("userIdentity", "arn"), ("userIdentity", "invokedBy"), ("userIdentity", "userName")):
        if found := text_at(record, *path):
            return found
    return "somebody unnamed"
