"""Names that are made up, by whoever may write to a bucket of ours, keep nobody from watching what is real."""

import random
import string

import pytest

from stream.sources.hearing import MOST_REGIONS, MOST_SOURCES, Hearing
from stream.sources.rhythm import DAY
from stream.sources.sharing import Exchange, Report
from stream.sources.silences import EVERYTHING, Silences
from tests.deliver.fakes import FakeClock
from tests.sources.test_watch import BUSY, Notes

ITEM_BYTES = 400 * 1024 - 200
"""What DynamoDB takes, without an item's other members: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html."""

NOW = 29_000_000
REGION = string.ascii_lowercase + string.digits + "-"


def made_up(account: str | None = None) -> list[str]:
    random_ = random.Random(7)
    return [
        f"{account or f'{random_.randrange(10**12):012}'}/{''.join(random_.choices(REGION, k=32))}"
        for _ in range(MOST_SOURCES - len(BUSY))
    ]


def organization(accounts: int, regions: int) -> list[str]:
    random_ = random.Random(8)
    names = [f"{random_.randrange(10**12):012}/eu-west-{region}" for region in range(regions) for _ in range(accounts)]
    random_.shuffle(names)
    return names


async def told(report: Report) -> tuple[Report, int]:
    """What the others learn of a report, and how long the note is."""
    notes = Notes()
    exchange = Exchange(notes, "x")
    assert await exchange.report(report)
    (read,) = await exchange.reports(report.at)
    return read, len(notes.texts["sources-report-x"])


def test_regions_made_up_for_an_account_leave_room_for_all_others_and_for_its_own() -> None:
    clock = FakeClock()
    hearing = Hearing(clock.now, now=clock.now, unix_time=clock.unix)
    hearing.hear(BUSY[0], None)
    account = BUSY[0].partition("/")[0]
    for source in [*made_up(account), BUSY[-1]]:
        hearing.hear(source, None)
    clock.moment += 60
    hearing.hear(BUSY[0], None)

    assert hearing.heard[BUSY[0]] == hearing.minute()
    assert BUSY[-1] in hearing.heard
    assert len(hearing.heard) == MOST_REGIONS + 1

    clock.moment += DAY * 60
    assert hearing.recent(30) == {}
    hearing.hear(made_up(account)[-1], None)
    assert len(hearing.heard) == 1, "there is room again"


async def test_a_report_is_written_however_many_names_are_made_up_and_begins_with_those_known_for_longest() -> None:
    random_ = random.Random(9)
    heard = {source: NOW - random_.randrange(30) for source in [*BUSY, *made_up()]}
    read, size = await told(Report(NOW, settled=True, heard=heard, unread=tuple(heard)))

    assert size < ITEM_BYTES
    assert [heard[source] for source in BUSY] == [read.heard.get(source) for source in BUSY]
    assert set(BUSY) <= set(read.unread)
    assert read.settled


@pytest.mark.parametrize(("accounts", "regions"), [(1000, 20), (20_000, 1)])
async def test_nothing_real_is_left_out(accounts: int, regions: int) -> None:
    random_ = random.Random(9)
    heard = {source: NOW - random_.randrange(30) for source in organization(accounts, regions)}
    unread = tuple(heard)[:5000]
    read, _ = await told(Report(NOW, settled=True, heard=heard, unread=unread))

    assert read.heard == heard
    assert set(read.unread) == set(unread)


async def test_what_is_learnt_is_kept_however_many_names_are_made_up_for_one_account() -> None:
    notes, silences, account = Notes(), Silences(), BUSY[0].partition("/")[0]
    silences.hear(dict.fromkeys(BUSY, NOW))
    for source in made_up(account):
        silences.hear({source: NOW + 5})
    await Exchange(notes).save(silences)
    again = await Exchange(notes).load()

    assert max(map(len, notes.texts.values())) < ITEM_BYTES
    assert again is not None
    assert {EVERYTHING, *BUSY} <= set(again.rhythms)
