from hypothesis import given
from hypothesis import strategies as st

from stream.deliver.backoff import Backoff


def _longest(_low: float, high: float) -> float:
    return high


def _shortest(low: float, _high: float) -> float:
    return low


def test_waits_double_up_to_the_cap() -> None:
    backoff = Backoff(base_s=0.5, cap_s=60, uniform=_longest)
    assert [backoff.delay_s(n) for n in range(1, 9)] == [0.5, 1, 2, 4, 8, 16, 32, 60]


def test_full_jitter_may_retry_at_once_but_never_before_the_service_wants() -> None:
    backoff = Backoff(uniform=_shortest)
    assert backoff.delay_s(5) == 0
    assert backoff.delay_s(5, at_least_s=7.5) == 7.5


def test_a_floor_keeps_a_part_of_the_wait() -> None:
    assert Backoff(base_s=1, floor=0.5, uniform=_shortest).delay_s(3) == 2


@given(st.integers(1, 10**6), st.none() | st.floats(0, 900))
def test_a_wait_is_never_longer_than_the_cap_or_the_services_wish(failures: int, at_least_s: float | None) -> None:
    delay_s = Backoff().delay_s(failures, at_least_s)
    assert (at_least_s or 0.0) <= delay_s <= max(60.0, at_least_s or 0.0)
