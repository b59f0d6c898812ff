"""What a trail was like before a call that tells what it is like after it: states in, the state before them out.

What was so before is known from the call before, where this process (or, where the ledger is shared, any replica) has
seen that one. Nothing is said where nothing is known.
"""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Generic, TypeVar

from stream.alert import Alert
from stream.deliver.moment import moment, rfc_3339
from stream.deliver.sharing import Sharing
from stream.deliver.trail import incident_id, incident_key
from stream.json_value import at
from stream.ledger.interface import Notes

_MOST_TRAILS: Final = 1_000  # of some ten KB each
_LONGEST_NOTE: Final = 100_000

State = TypeVar("State")


@dataclass(frozen=True, slots=True)
class _Known(Generic[State]):
    """What is so since a call, and was before it; `before` is `None` where nobody knows."""

    since: datetime
    after: State
    before: State | None = None

    def then(self, since: datetime, after: State) -> "_Known[State]":
        """What is known with a call more; of one that is older than the last, nothing is learnt."""
        return _Known(since, after, self.after) if since > self.since else self


class Memory(Generic[State]):
    """Remembers one kind of state for each trail.

    Args:
        name: tells its notes from those of other kinds.
        write: gives a state as JSON.
        read: the state that `write` gave; `None` of anything else.
        notes: by which replicas tell one another; while they can't, each knows what it has seen itself.
        now: tells the time in seconds.
    """

    def __init__(
        self,
        name: str,
        write: Callable[[State], Any],
        read: Callable[[Any], State | None],
        notes: Notes | None = None,
        *,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._name = name
        self._write = write
        self._read = read
        self._sharing = Sharing(notes, now=now)
        self._known: dict[str, _Known[State]] = {}  # the one seen last is the last

    def __len__(self) -> int:
        """Trails remembered."""
        return len(self._known)

    async def before(self, alert: Alert, since: datetime, after: State) -> State | None:
        """Note what is so since a call; return what was so before it.

        Args:
            alert: of the call: says which trail it is.
            since: when the call was made.
            after: what is so from then on.
        """
        key = incident_key(alert)

        def revision(text: str | None) -> str:
            self._learn(key, self.of(text))
            revised = self._text(self._apply(key, since, after))
            return revised if len(revised) <= _LONGEST_NOTE else text or ""

        await self._sharing.revise(f"{incident_id(alert)}-{self._name}", revision)
        known = self._apply(key, since, after)
        return known.before if known.since == since else None

    def of(self, text: str | None) -> _Known[State] | None:
        """What a note tells; of anything else than what was written here, nothing is known."""
        try:
            told = json.loads(text or "{}")
        except (ValueError, RecursionError):
            return None
        since, after = at(told, "since"), self._read(at(told, "after"))
        when = moment(since) if isinstance(since, str) else None
        if when is None or after is None:
            return None
        return _Known(when, after, self._read(at(told, "before")))

    def _text(self, known: _Known[State]) -> str:
        before = None if known.before is None else self._write(known.before)
        told = {"since": rfc_3339(known.since), "after": self._write(known.after), "before": before}
        return json.dumps(told, separators=(",", ":"))

    def _learn(self, key: str, other: _Known[State] | None) -> None:
        """Take what another replica knows for the state before, if that is newer than what we know."""
        known = self._known.get(key)
        if other is not None and (known is None or other.since >= known.since):
            self._known[key] = other

    def _apply(self, key: str, since: datetime, after: State) -> _Known[State]:
        known = self._known.pop(key, None)
        self._known[key] = new = _Known(since, after) if known is None else known.then(since, after)
        if len(self._known) > _MOST_TRAILS:
            del self._known[next(iter(self._known))]
        return new
