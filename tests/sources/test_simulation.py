"""A month of thirty made-up accounts; in full, with 500: `python -m tests.sources.simulation`."""

from stream.sources.rhythm import LONGEST
from tests.sources.simulation import simulate


def test_no_source_is_told_silent_that_is_not_and_every_cut_of_one_that_is_judged_is_noticed() -> None:
    outcome = simulate(8, seed=4, cuts=0.3)

    assert outcome.sources == 136
    assert outcome.false_alarms == []
    delays = {kind: sorted(found) for kind, found in outcome.delays.items()}
    assert sum(map(len, delays.values())) > 15
    assert max(delays["busy"]) <= 3 * 60
    assert all(delay <= LONGEST for found in delays.values() for delay in found)
