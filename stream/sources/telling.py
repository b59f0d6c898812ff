"""Silences in, notices out: each by itself while they are few, and many together, so that nobody gets thousands."""

import hashlib
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from stream.deliver.gaps import duration
from stream.notice import Notice
from stream.severity import Severity
from stream.sources.hearing import MINUTE
from stream.sources.silences import EVERYTHING, Silence, Silences, Turn

KIND: Final = "trailstream-silence"

_COMPANY: Final = 5  # minutes that one waits for others: what one hand has cut falls silent within so many
_FEW: Final = 5  # an hour, told each by itself
_HOUR: Final = 60
_NAMED: Final = 10
_FACTS: Final = 1000


@dataclass(frozen=True, slots=True)
class Bulletin:
    """A notice, and the silences that are told with it."""

    notice: Notice
    turn: Turn
    members: tuple[tuple[str, Silence], ...]

    def is_sent(self) -> None:
        """Note that it is on its way."""
        for _, silence in self.members:
            silence.telling = self.turn

    def is_done(self, silences: Silences, *, told: bool) -> None:
        """Note that it is on its way no longer, and whether people know."""
        for source, silence in self.members:
            if silence.telling == self.turn:
                silence.telling = None
            if not told:
                continue
            if self.turn == "silent":
                silence.told = True
            elif silences.current.get(source) is silence:
                del silences.current[source]


class Telling:
    """Decides what is told when.

    Args:
        account_name: the name of an account by its id, `None` if none is known.
    """

    def __init__(self, account_name: Callable[[str], str | None]) -> None:
        self._account_name = account_name
        self._singly: deque[int] = deque()
        self._waiting_since: dict[Turn, int] = {}
        self._together_at: dict[Turn, int] = {}

    def due(self, silences: Silences, now: int) -> Iterator[Bulletin]:
        """What is to be told in this minute, of silences that nobody knows and of ends that nobody knows."""
        for turn in ("silent", "heard"):
            waiting = [
                (source, silence)
                for source, silence in silences.current.items()
                if silence.telling != turn
                and (not silence.told and not silence.ended if turn == "silent" else silence.told and silence.ended)
            ]
            whole = [one for one in waiting if one[0] == EVERYTHING]
            if whole:
                yield Bulletin(self._whole(whole[0][1], turn, silences, now), turn, tuple(whole))
            yield from self._due(turn, [one for one in waiting if one[0] != EVERYTHING], silences, now)

    def _due(self, turn: Turn, waiting: list[tuple[str, Silence]], silences: Silences, now: int) -> Iterator[Bulletin]:
        if not waiting:
            self._waiting_since.pop(turn, None)
            return
        if now - self._waiting_since.setdefault(turn, now) < _COMPANY:
            return
        while self._singly and now - self._singly[0] >= _HOUR:
            self._singly.popleft()
        if len(waiting) + len(self._singly) <= _FEW:
            self._singly.extend([now] * len(waiting))
            del self._waiting_since[turn]
            for source, silence in waiting:
                yield Bulletin(self._one(source, silence, turn, now), turn, ((source, silence),))
        elif now - self._together_at.get(turn, -_HOUR) >= _HOUR:
            self._together_at[turn] = now
            del self._waiting_since[turn]
            yield Bulletin(self._many(waiting, turn, silences, now), turn, tuple(waiting))

    def _one(self, source: str, silence: Silence, turn: Turn, now: int) -> Notice:
        account, _, region = source.partition("/")
        name = self._account_name(account)
        where = f"account {f'{name} ({account})' if name else account} in {region}"
        last = _clock(silence.since)
        if turn == "silent":
            title = f"No more log files come from {where}"
            summary = (
                f"The last was delivered at {last}. Never, in four weeks, was there a pause near "
                f"{_long(silence.limit)}. Is the trail stopped, its region left out, its bucket or its "
                "notification changed, or the account closed?"
            )
        else:
            title = f"Log files come again from {where}"
            summary = f"There were none from {last} to {_clock(silence.ended)}, {_long(silence.ended - silence.since)}."
        return Notice(
            kind=KIND,
            event_name="SourceSilent" if turn == "silent" else "SourceHeard",
            incident=f"{source} {silence.since}",
            state=turn,
            severity="high" if turn == "silent" else "low",
            title=title,
            summary=summary,
            time=now * MINUTE,
            account_id=account,
            account_name=name,
            region=region,
            facts={"source": source, "lastHeard": last},
        )

    def _many(self, members: Sequence[tuple[str, Silence]], turn: Turn, silences: Silences, now: int) -> Notice:
        names = sorted(source for source, _ in members)
        accounts = {source.partition("/")[0] for source in names}
        first = min(silence.since for _, silence in members)
        listed = ", ".join(names[:_NAMED]) + (f" and {len(names) - _NAMED} more" if len(names) > _NAMED else "")
        count, silent = len(names), len(silences.silent)
        nearly_all = turn == "silent" and 2 * silent >= max(silences.judged, 1)
        severity: Severity = "critical" if nearly_all else "high" if turn == "silent" else "low"
        what = f"{count:,} region{_s(count)} of {len(accounts):,} account{_s(len(accounts))}"
        if turn == "silent":
            title = f"No more log files come from {what}"
            part = f", {silent:,} of the {silences.judged:,} that are watched being silent now" if nearly_all else ""
            summary = f"Silent since {_clock(first)}{part}: {listed}."
        else:
            title = f"Log files come again from {what}"
            summary = f"No longer silent: {listed}."
        identity = "\n".join(sorted(f"{source} {silence.since}" for source, silence in members))
        return Notice(
            kind=KIND,
            event_name="SourcesSilent" if turn == "silent" else "SourcesHeard",
            incident=hashlib.sha256(identity.encode()).hexdigest(),
            state=turn,
            severity=severity,
            title=title,
            summary=summary,
            time=now * MINUTE,
            account_id=next(iter(accounts)) if len(accounts) == 1 else None,
            facts={"sources": names[:_FACTS], "count": count},
        )

    def _whole(self, silence: Silence, turn: Turn, silences: Silences, now: int) -> Notice:
        last = _clock(silence.since)
        if turn == "silent":
            title = "Nothing at all arrives: is the bucket unhooked?"
            summary = (
                f"The queue answers and is empty, and no log file was delivered since {last}, of any of "
                f"{silences.tracked:,} account regions. Look at the trail (StopLogging, DeleteTrail), at the bucket's "
                "notifications, at the topic's subscription and at the queue's policy."
            )
        else:
            title = "Log files arrive again"
            ended = _clock(silence.ended)
            summary = f"None had arrived from {last} to {ended}, {_long(silence.ended - silence.since)}."
        return Notice(
            kind=KIND,
            event_name="EverythingSilent" if turn == "silent" else "EverythingHeard",
            incident=f"{EVERYTHING} {silence.since}",
            state=turn,
            severity="critical" if turn == "silent" else "low",
            title=title,
            summary=summary,
            time=now * MINUTE,
            facts={"sources": silences.tracked, "lastHeard": last},
        )


def _s(count: int) -> str:
    return "" if count == 1 else "s"


def _clock(minute: int) -> str:
    return datetime.fromtimestamp(minute * MINUTE, UTC).strftime("%Y-%m-%dT%H:%MZ")


def _long(minutes: int) -> str:
    return duration(minutes * MINUTE).removesuffix(" 0 s")
