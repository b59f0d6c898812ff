"""Which sources are silent: minutes in which they were heard of go in; silences, and their ends, come out to be told.

All of them together are a source too, whose silence is one silence: while it lasts, nobody else is judged.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from stream.sources.hearing import MOST_SOURCES
from stream.sources.rhythm import DAY, SHORTEST, Rhythm

EVERYTHING: Final = "*"
"""The source that all of them are together."""

_FORGOTTEN: Final = 35 * DAY
_NEW: Final = DAY  # a source that was heard of once need not be remembered longer where there are too many


Turn = Literal["silent", "heard"]


@dataclass(slots=True)
class Silence:
    """Of one source.

    Attributes:
        since: minute of the last file before it.
        limit: minutes that it may have said nothing.
        told: people know.
        ended: minute in which it was heard of again; 0: it is silent still.
        telling: what is on its way to people; some channels have it long before others.
    """

    since: int
    limit: int
    told: bool = False
    ended: int = 0
    telling: Turn | None = None


class Silences:
    """Everything that is known of the sources of one trail, or of many.

    Attributes:
        rhythms: of each source, and of `EVERYTHING`.
        current: silences that last, and those whose end is still to be told.
        judged: how many sources could be judged by themselves the last time; the others are too new or too quiet.
    """

    def __init__(self) -> None:
        self.rhythms: dict[str, Rhythm] = {}
        self.current: dict[str, Silence] = {}
        self.judged = 0
        self._counted_from = 0
        self._limits: dict[str, tuple[int, int | None]] = {}

    def hear(self, heard: Mapping[str, int]) -> None:
        """Learn of each source the last minute in which it was heard of."""
        for source, minute in heard.items():
            rhythm = self.rhythms.get(source)
            if rhythm is None:
                self._meet(source, minute)
            elif minute > rhythm.last:
                self._hear(source, rhythm, minute)
        if heard:
            latest = max(heard.values())
            whole = self.rhythms.setdefault(EVERYTHING, Rhythm(latest))
            if latest > whole.last:
                self._hear(EVERYTHING, whole, latest)

    def judge(self, now: int, *, unread: Collection[str] = ()) -> None:
        """Find who is silent by now.

        Args:
            now: the minute, up to which everything that was delivered has been read.
            unread: sources of which files were announced that could not be read.
        """
        self._judge(EVERYTHING, now)
        whole = self.current.get(EVERYTHING)
        if whole is not None and not whole.ended:
            return
        self.judged = 0
        for source in self.rhythms:
            if source not in unread and source != EVERYTHING:
                self._judge(source, now)

    def forget(self, now: int) -> None:
        """Drop what was last heard of five weeks ago: an account that was closed, a region that nobody uses."""
        for source, rhythm in list(self.rhythms.items()):
            if now - rhythm.last > _FORGOTTEN and source != EVERYTHING:
                del self.rhythms[source]
                self.current.pop(source, None)
                self._limits.pop(source, None)

    @property
    def tracked(self) -> int:
        """How many sources are known."""
        return len(self.rhythms) - (EVERYTHING in self.rhythms)

    @property
    def silent(self) -> list[str]:
        """Those that are silent now, `EVERYTHING` among them if they all are."""
        return [source for source, silence in self.current.items() if not silence.ended]

    def oldest_age(self, now: int) -> int:
        """Minutes since the source that was heard of least lately, of those that are not silent, was heard of."""
        living = (rhythm.last for source, rhythm in self.rhythms.items() if source not in self.current)
        return max(0, now - min(living, default=now))

    def _meet(self, source: str, minute: int) -> None:
        if len(self.rhythms) > MOST_SOURCES:
            stray = next((name for name, other in self.rhythms.items() if _is_stray(other, minute)), None)
            if stray is None:
                return
            del self.rhythms[stray]
        self.rhythms[source] = Rhythm(minute)

    def _hear(self, source: str, rhythm: Rhythm, minute: int) -> None:
        silence = self.current.get(source)
        if silence is None or silence.ended:
            rhythm.hear(minute)
            return
        rhythm.hear(minute, at_most=silence.limit)
        if source == EVERYTHING:
            self._counted_from = minute  # nobody else could be heard of meanwhile
        if silence.told or silence.telling:
            silence.told, silence.ended = True, minute
        else:
            del self.current[source]

    def _judge(self, source: str, now: int) -> None:
        rhythm = self.rhythms.get(source)
        if rhythm is None:
            return
        if now - rhythm.last <= SHORTEST:
            self.judged += 1
            return
        last, limit = self._limits.get(source, (-1, None))
        if last != rhythm.last:
            limit = rhythm.limit(early=source == EVERYTHING)
            self._limits[source] = rhythm.last, limit
        if limit is None:
            return
        self.judged += 1
        quiet = now - (rhythm.last if source == EVERYTHING else max(rhythm.last, self._counted_from))
        silence = self.current.get(source)
        if quiet > limit and (silence is None or silence.ended):
            self.current[source] = Silence(rhythm.last, limit)

    def written(self, sources: Iterable[str]) -> dict[str, Any]:
        """What is known of these sources, as JSON."""
        told: dict[str, Any] = {}
        for source in sources:
            silence = self.current.get(source)
            state = [silence.since, silence.limit, int(silence.told), silence.ended] if silence else None
            told[source] = [self.rhythms[source].written(), state]
        return told

    def learn(self, told: Any) -> None:
        """Take over what `written` gave; what is something else is left out."""
        for source, rhythm, silence in _read(told):
            if len(self.rhythms) <= MOST_SOURCES:
                self.rhythms[source] = rhythm
                if silence is not None:
                    self.current[source] = silence
                    if source == EVERYTHING:
                        self._counted_from = silence.ended


def _is_stray(rhythm: Rhythm, minute: int) -> bool:
    return rhythm.first == rhythm.last and minute - rhythm.last > _NEW


def _read(told: Any) -> Iterator[tuple[str, Rhythm, Silence | None]]:
    for source, value in told.items() if isinstance(told, dict) else ():
        if not isinstance(value, list) or len(value) != 2:
            continue
        rhythm, state = Rhythm.read(value[0]), value[1]
        silence = None
        if isinstance(state, list) and len(state) == 4 and all(type(number) is int for number in state):
            silence = Silence(state[0], state[1], bool(state[2]), state[3])
        if rhythm is not None:
            yield source, rhythm, silence
