"""A month of an organization's log files, made up: who is told silent without being so, and how soon a cut is noticed.

Run it in full, 500 accounts in 17 regions: `python -m tests.sources.simulation`.
"""

import argparse
import random
import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from stream.sources.rhythm import DAY, Rhythm

DAYS = 58
"""The first four weeks are learnt from and judged, as are the 30 days after them, in which trails are cut."""

START = 20_454 * DAY  # a Thursday
HOLIDAY = 39  # a Monday on which nobody works; on the Friday before people leave early
REGIONS = 17

Chance = Callable[[int], float]
"""How probable a file is in the five minutes that begin at this minute of the simulation."""


@dataclass(frozen=True)
class Kind:
    """One kind of source: how many there are among a hundred, and when their files come."""

    name: str
    share: int
    chance: Callable[[random.Random], Chance]


@dataclass
class Outcome:
    """What the simulation has shown.

    Attributes:
        false_alarms: the kind, the minute and the minutes of silence of each.
        delays: of each kind, the minutes from a cut until it was noticed.
        unjudged: of each kind, the cuts of sources that are too quiet to be judged by themselves.
    """

    sources: int = 0
    files: int = 0
    false_alarms: list[tuple[str, int, int, int]] = field(default_factory=list)
    delays: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    unjudged: dict[str, int] = field(default_factory=lambda: defaultdict(int))


def _office(minute: int, shift: int) -> bool:
    local = minute + shift
    day, hour = local // DAY, local % DAY / 60
    if (day + 3) % 7 >= 5 or day == HOLIDAY:
        return False
    return 8 <= hour < (14 if day == HOLIDAY - 3 else 18)


def busy(_: random.Random) -> Chance:
    return lambda _: 0.97


def by_day(random_: random.Random) -> Chance:
    shift, night = random_.choice((-480, -300, 0, 60, 330, 540)), random_.uniform(0.02, 0.3)
    return lambda minute: 0.9 if _office(minute, shift) else night


def office_only(random_: random.Random) -> Chance:
    shift, stray = random_.choice((-480, -300, 0, 60, 330, 540)), random_.uniform(0.0, 0.0005)
    return lambda minute: 0.6 if _office(minute, shift) else stray


def by_chance(random_: random.Random) -> Chance:
    chance = 10 ** random_.uniform(-3.2, -0.3)  # from a file every five days to one every ten minutes
    return lambda _: chance


def scanned(random_: random.Random) -> Chance:
    every, offset = random_.choice((60, 180, 360, 720, 1440)), random_.randrange(1440)
    stray = random_.choice((0.0, 0.001, 0.01))
    return lambda minute: 1.0 if (minute + offset) % every < 10 else stray


def sessions(random_: random.Random) -> Chance:
    """People or pipelines that come when they like and stay for half an hour or more."""
    begins, lasts = 10 ** random_.uniform(-2.5, -1.0), random_.uniform(0.6, 0.95)
    state = [False]

    def chance(_: int) -> float:
        state[0] = random_.random() < (lasts if state[0] else begins)
        return 0.9 if state[0] else 0.0

    return chance


def unused(_: random.Random) -> Chance:
    return lambda _: 0.00005


KINDS = (
    Kind("busy", 10, busy),
    Kind("busy by day", 15, by_day),
    Kind("office hours only", 5, office_only),
    Kind("by chance", 30, by_chance),
    Kind("scanned", 20, scanned),
    Kind("in sessions", 15, sessions),
    Kind("unused", 5, unused),
)


def arrivals(random_: random.Random, kind: Kind) -> Iterator[int]:
    """Minutes of the simulation in which a file comes, as CloudTrail delivers: about every five, and late at times."""
    chance = kind.chance(random_)
    draw = random_.random
    for minute in range(0, DAYS * DAY, 5):
        if draw() < chance(minute):
            yield minute + (int(draw() * 12) if draw() < 0.02 else 0)


def simulate(accounts: int, *, seed: int = 0, cuts: float = 0.2, regions: int = REGIONS) -> Outcome:
    """Watch every source; of some the trail is cut at a random moment of the last 30 days.

    Args:
        accounts: each with 17 regions.
        seed: of all that is random.
        cuts: part of the sources that are cut.
        regions: of each account.
    """
    outcome = Outcome()
    random_ = random.Random(seed)
    kinds = random_.choices(KINDS, [kind.share for kind in KINDS], k=accounts * regions)
    for number, kind in enumerate(kinds):
        own = random.Random(f"{seed} {number}")
        cut = own.randrange(28 * DAY, DAYS * DAY) if own.random() < cuts else None
        _watch(kind, own, cut, outcome)
    return outcome


def _watch(kind: Kind, random_: random.Random, cut: int | None, outcome: Outcome) -> None:
    rhythm: Rhythm | None = None
    outcome.sources += 1
    for minute in arrivals(random_, kind):
        if cut is not None and minute >= cut:
            break
        outcome.files += 1
        now = START + minute
        if rhythm is None:
            rhythm = Rhythm(now)
            continue
        gap = now - rhythm.last
        if gap > 30:
            limit = rhythm.limit()
            if limit is not None and gap > limit:
                outcome.false_alarms.append((kind.name, minute, gap, limit))
        rhythm.hear(now)
    if cut is None:
        return
    limit = rhythm.limit() if rhythm else None
    if rhythm is None or limit is None:
        outcome.unjudged[kind.name] += 1
    else:
        outcome.delays[kind.name].append(max(0, rhythm.last + limit - START - cut))


def main() -> None:
    """Print what comes of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--accounts", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    began = time.perf_counter()
    outcome = simulate(options.accounts, seed=options.seed)
    seconds = time.perf_counter() - began
    lines = [
        f"{outcome.sources:,} sources, {outcome.files:,} files, {DAYS} days, {seconds:.0f} s",
        f"false alarms: {len(outcome.false_alarms)}",
        *(f"   {alarm}" for alarm in outcome.false_alarms[:20]),
        f"{'kind':20} {'cuts':>6} {'median':>8} {'p95':>8} {'longest':>8}  hours; not judged by themselves",
    ]
    for kind in KINDS:
        delays, unjudged = sorted(outcome.delays[kind.name]), outcome.unjudged[kind.name]
        hours = (statistics.median(delays), delays[len(delays) * 95 // 100], delays[-1]) if delays else ()
        figures = " ".join(f"{minutes / 60:8.1f}" for minutes in hours) or " " * 26
        lines.append(f"{kind.name:20} {len(delays):6} {figures}  {unjudged}")
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
